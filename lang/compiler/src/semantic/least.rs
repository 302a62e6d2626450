//! Values that are too small to be meant: a guest without memory, a disk of one byte.

use std::collections::BTreeMap;

use tcloud_model::{Attribute, DesiredResource, Diagnostic, Fields, Name, Schema, Value, codes};

use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let bounded: BTreeMap<&Name, &Schema> = facts
        .catalog
        .iter()
        .filter(|schema| has_bounds(schema))
        .map(|schema| (&schema.kind, &**schema))
        .collect();
    for resource in facts.graph.resources.values() {
        if let Some(schema) = bounded.get(resource.address.kind()) {
            whole(facts, resource, schema, found);
        }
    }
}

fn has_bounds(schema: &Schema) -> bool {
    let bounded = |attributes: &[Attribute]| attributes.iter().any(|own| own.least.is_some());
    bounded(&schema.attributes) || schema.blocks.iter().any(|block| bounded(&block.attributes))
}

/// The attributes of a resource, and those of the blocks in it.
fn whole(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    schema: &Schema,
    found: &mut Vec<Diagnostic>,
) {
    let mut look = |attributes: &[Attribute], fields: &Fields, path: &str| {
        for (attribute, value, least) in below(attributes, fields) {
            let name = &attribute.name;
            let span = facts.span(resource, &format!("{path}{name}"));
            let message = format!("{name} is {value}, allowed: {least} and more");
            found.push(
                Diagnostic::error(codes::E0204, span, message)
                    .help(format!("write `{name} = {least}` or more")),
            );
        }
    };
    let fields = &*resource.attributes;
    look(&schema.attributes, fields, "");
    for block in &schema.blocks {
        let Some(inside) = fields.map(&block.name) else { continue };
        if !block.labelled {
            look(&block.attributes, inside, &format!("{}.", block.name));
            continue;
        }
        for (label, one) in inside.iter() {
            if let Value::Map(one) = one {
                look(&block.attributes, one, &format!("{}.{label}.", block.name));
            }
        }
    }
}

/// The attributes whose values are less than the least that is allowed.
fn below<'a>(
    attributes: &'a [Attribute],
    fields: &'a Fields,
) -> impl Iterator<Item = (&'a Attribute, &'a Value, &'a Value)> {
    attributes.iter().filter_map(|attribute| {
        let (least, value) = (attribute.least.as_ref()?, fields.get(&attribute.name)?);
        value.partial_compare(least)?.is_lt().then_some((attribute, value, least))
    })
}
