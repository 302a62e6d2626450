//! Which objects are taken: those that are named, and what they cannot do without.

use std::collections::BTreeSet;

use tcloud_model::{ObservedObject, Schema, Type, Value, diagnostic};

use super::{Key, Wish, key};
use crate::failure::Failure;

/// What is taken, and what stays somebody else's.
#[derive(Default)]
pub(super) struct Chosen<'a> {
    pub(super) own: BTreeSet<Key<'a>>,
    pub(super) existing: BTreeSet<Key<'a>>,
}

/// Whether an object is nobody's, and not adopted by the text already.
pub(crate) fn is_free(wish: &Wish<'_>, object: &ObservedObject) -> bool {
    object.stamp.is_none() && !is_adopted(wish, object)
}

/// Whether the text adopts an object, and nobody has applied it yet.
pub(crate) fn waits(wish: &Wish<'_>, object: &ObservedObject) -> bool {
    object.stamp.is_none() && is_adopted(wish, object)
}

fn is_adopted(wish: &Wish<'_>, object: &ObservedObject) -> bool {
    wish.desired.adopted.iter().any(|own| {
        own.host == wish.host.host
            && *own.address.kind() == object.kind
            && object.is_called(&own.from)
    })
}

pub(super) fn choose<'a>(wish: &Wish<'a>) -> Result<Chosen<'a>, Failure> {
    let free: Vec<&ObservedObject> =
        wish.host.objects.iter().filter(|object| is_free(wish, object)).collect();
    let mut chosen = Chosen::default();
    for name in wish.existing {
        chosen.existing.extend(named(wish, &free, name)?.into_iter().map(key));
    }
    let mut pending: Vec<&ObservedObject> = Vec::new();
    if wish.names.is_empty() {
        let known = |object: &&ObservedObject| wish.catalog.get(&object.kind).is_some();
        pending.extend(free.iter().copied().filter(known));
    }
    for name in wish.names {
        pending.extend(named(wish, &free, name)?);
    }
    let mentioned = declared_as_existing(wish);
    while let Some(object) = pending.pop() {
        if chosen.existing.contains(&key(object))
            || mentioned.contains(&(object.kind.as_str(), object.name.as_str()))
            || !chosen.own.insert(key(object))
        {
            continue;
        }
        let Some(schema) = wish.catalog.get(&object.kind) else { continue };
        each_name(schema, &object.persistent(), &mut |kinds, name| {
            let meant =
                free.iter().copied().filter(|own| own.name == *name && kinds.contains(&own.kind));
            pending.extend(meant);
        });
    }
    Ok(chosen)
}

/// What the text declares as somebody else's: it is never taken.
fn declared_as_existing<'a>(wish: &Wish<'a>) -> BTreeSet<(&'a str, &'a str)> {
    let declared = wish.desired.resources.iter().filter(|(_, own)| own.lifecycle.existing);
    declared
        .map(|(address, own)| {
            (address.kind().as_str(), own.attributes.text("name").unwrap_or(address.name()))
        })
        .collect()
}

/// The objects of a name, a UUID, or `kind/name`.
fn named<'a>(
    wish: &Wish<'a>,
    free: &[&'a ObservedObject],
    name: &str,
) -> Result<Vec<&'a ObservedObject>, Failure> {
    let is = |object: &ObservedObject, name: &str| {
        let within = name
            .split_once('/')
            .is_some_and(|(kind, name)| object.kind == *kind && object.is_called(name));
        object.is_called(name) || within
    };
    let found: Vec<&ObservedObject> =
        free.iter().copied().filter(|object| is(object, name)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let host = &wish.host.host;
    if let Some(taken) = wish.host.objects.iter().find(|object| is(object, name)) {
        let kind = &taken.kind;
        return Err(match &taken.stamp {
            Some(stamp) => {
                Failure::new(format!("{kind} {} on {host} has an owner", Value::text(&taken.name)))
                    .help(format!(
                        "it is `{}` of a deployment; forget it there first",
                        stamp.address
                    ))
            }
            None => Failure::new(format!(
                "the text adopts {kind} {} on {host} already",
                Value::text(&taken.name)
            ))
            .help("tcloud apply"),
        });
    }
    let failure = Failure::new(format!("{host} has nothing that is called {}", Value::text(name)));
    Err(match diagnostic::nearest(name, free.iter().map(|object| object.name.as_str())) {
        Some(near) => failure.help(format!("did you mean {}?", Value::text(near))),
        None => failure.help(format!("`tcloud adopt {host} --list` shows what there is")),
    })
}

/// What an `adopt` statement calls an object so that no other is meant.
pub(super) fn word_for(wish: &Wish<'_>, object: &ObservedObject) -> String {
    let alike = wish
        .host
        .objects
        .iter()
        .filter(|own| own.kind == object.kind && own.is_called(&object.name));
    match object.uuid.filter(|_| alike.count() > 1) {
        Some(uuid) => uuid.to_string(),
        None => object.name.to_string(),
    }
}

/// Calls `visit` for each name that stands where the schema wants a reference.
pub(super) fn each_name(
    schema: &Schema,
    fields: &tcloud_model::Fields,
    visit: &mut dyn FnMut(&[tcloud_model::Name], &str),
) {
    for (name, value) in fields.iter() {
        if let Some(attribute) = schema.attribute(name) {
            names_in(&attribute.ty, value, visit);
        } else if let (Some(block), Value::Map(inner)) = (schema.block(name), value) {
            let single = std::slice::from_ref(inner);
            let all: Vec<_> = match block.labelled {
                true => inner
                    .iter()
                    .filter_map(|(_, one)| match one {
                        Value::Map(one) => Some(one.clone()),
                        _ => None,
                    })
                    .collect(),
                false => single.to_vec(),
            };
            for attribute in &block.attributes {
                for value in all.iter().filter_map(|one| one.get(&attribute.name)) {
                    names_in(&attribute.ty, value, visit);
                }
            }
        }
    }
}

fn names_in(ty: &Type, value: &Value, visit: &mut dyn FnMut(&[tcloud_model::Name], &str)) {
    match (ty, value) {
        (Type::Ref(kinds), Value::Text(name)) => visit(kinds, name),
        // `"any"` is a word of the language here, and no name.
        (Type::Either(types), value) if types.iter().any(|ty| ty.admits(value)) => {}
        (Type::Either(types), value) => types.iter().for_each(|ty| names_in(ty, value, visit)),
        (Type::Optional(of), value) => names_in(of, value, visit),
        (Type::List(of), Value::List(items)) => {
            items.iter().for_each(|item| names_in(of, item, visit));
        }
        _ => {}
    }
}
