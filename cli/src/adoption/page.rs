//! The files: what goes into the tenant, with all that is adopted there, and the pools of the site.

use tcloud_model::{Address, ObservedObject, Value};
use tcloud_syntax::ast::BlockForm;
use tcloud_syntax::compose::{Part, compose};

use super::{Described, Form, Subject, Wish};

/// The text for the tenant, and that for the site if something stands there.
pub(super) fn pages(
    wish: &Wish<'_>,
    subjects: &[(Subject<'_>, Described)],
    left: &[(&ObservedObject, String)],
) -> (String, Option<String>) {
    let host = &wish.host.host;
    let inside = |scope: &Address| -> Vec<&(Subject<'_>, Described)> {
        subjects.iter().filter(|(own, _)| own.address.is_within(scope)).collect()
    };
    let head = Part::Comment(format!(
        "What others made on {host}. An apply takes it over as it is:\n\
         it puts a stamp on each object and changes nothing else."
    ));
    let tenant = &wish.tenant;
    let mut parts = Vec::new();
    let own = inside(tenant);
    if wish.desired.resources.contains_key(tenant) {
        parts.extend([Part::In(tenant.clone()), head.clone(), Part::Blank]);
        parts.extend(blocks(&own));
    } else {
        parts.extend([head.clone(), Part::Blank]);
        parts.push(Part::Block {
            form: BlockForm::Own,
            kind: tenant.kind().clone(),
            name: Some(tenant.name().clone()),
            body: blocks(&own),
        });
    }
    parts.extend(statements(host, &own));
    if !left.is_empty() {
        parts.push(Part::Blank);
    }
    parts.extend(left.iter().map(|(object, why)| {
        Part::Comment(format!("left out: {} {}: {why}", object.kind, Value::text(&object.name)))
    }));
    let text = compose(&parts, Some(tenant));
    let Some(site) = host.parent() else { return (text, None) };
    let shared = inside(site);
    if shared.is_empty() {
        return (text, None);
    }
    let mut parts = vec![Part::In(site.clone()), head, Part::Blank];
    parts.extend(blocks(&shared));
    parts.extend(statements(host, &shared));
    (text, Some(compose(&parts, Some(site))))
}

fn blocks(subjects: &[&(Subject<'_>, Described)]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (subject, described) in subjects.iter().filter(|(own, _)| own.form != Form::Joins) {
        let Described { body, kept, notes } = described;
        if !parts.is_empty() {
            parts.push(Part::Blank);
        }
        parts.extend(notes.iter().map(|note| Part::Comment(note.clone())));
        parts.extend(kept.iter().map(|kept| Part::Comment(format!("kept as it is: {kept}"))));
        parts.push(Part::Block {
            form: match subject.form {
                Form::Existing => BlockForm::Existing,
                Form::Own | Form::Joins => BlockForm::Own,
            },
            kind: subject.object.kind.clone(),
            name: Some(subject.address.name().clone()),
            body: body.clone(),
        });
    }
    parts
}

fn statements(host: &Address, subjects: &[&(Subject<'_>, Described)]) -> Vec<Part> {
    let adopted: Vec<Part> = subjects
        .iter()
        .filter(|(own, _)| own.form != Form::Existing)
        .map(|(own, _)| Part::Adopt {
            address: own.address.clone(),
            from: own.from.clone(),
            host: host.clone(),
        })
        .collect();
    let blank = (!adopted.is_empty()).then_some(Part::Blank);
    blank.into_iter().chain(adopted).collect()
}
