//! `adopt`: objects of nobody that the text names become known.

use indexmap::IndexSet;
use tcloud_model::{
    Address, Adoption, ByAddress, DesiredGraph, Diagnostic, ObjectId, ObservedObject, Span, Value,
    codes,
};

use super::gather::{Found, Key, insert};
use super::{Facts, Known};
use crate::input::Input;

impl<'a> Facts<'a> {
    /// `adopt`: foreign objects that the text names become known.
    pub(super) fn adoptions(
        &mut self,
        input: &Input<'a>,
        desired: &DesiredGraph,
        known: &mut ByAddress<Key, Found<'a>>,
        problems: &mut Vec<Diagnostic>,
    ) {
        if desired.adopted.is_empty() {
            return;
        }
        let mut ours: IndexSet<(Address, Address)> = known
            .values()
            .map(|found| (found.known.object.address.clone(), found.known.object.host.clone()))
            .collect();
        for adoption in &desired.adopted {
            let object = ObjectId {
                address: adoption.address.clone(),
                host: adoption.host.clone(),
                incarnation: 0,
            };
            // Already ours: the statement may stay in the text. Unless it is only remembered: then
            // it never carried our stamp, or somebody took that off, and is adopted again.
            let key = Key { object: object.clone(), copy: 0 };
            let remembered = known.get(&key).is_some_and(|own| own.is_only_remembered());
            let is_ours = !ours.insert((object.address.clone(), object.host.clone()));
            if is_ours && !(remembered && self.is_free(input, adoption)) {
                continue;
            }
            if !desired.resources.contains_key(&adoption.address) {
                problems.push(nothing_to_become(&adoption.address, adoption.span));
                continue;
            }
            let Some(host) = input.observed.host(&adoption.host).filter(|h| h.facts.is_some())
            else {
                problems.push(silent_host(&adoption.host, adoption.span));
                continue;
            };
            let is_meant = |live: &&ObservedObject| {
                live.kind == *adoption.address.kind() && live.is_called(&adoption.from)
            };
            match host.objects.iter().find(is_meant) {
                None => problems.push(not_found(adoption, &host.objects)),
                Some(live) if live.stamp.is_some() => {
                    problems.push(of_another(&adoption.from, adoption.span));
                }
                Some(live) => {
                    let place = (&host.host, &live.kind, &live.name);
                    self.foreign.swap_remove(&place);
                    self.adopted.insert(place, object.address.clone());
                    let mut own = Known { adopted: true, ..Known::new(object.clone()) };
                    own.see(live);
                    known.swap_remove(&key);
                    insert(known, key, Found { moved_by: None, known: own });
                }
            }
        }
    }
}

impl Facts<'_> {
    /// Whether what a statement adopts is there and nobody's.
    fn is_free(&self, input: &Input<'_>, adoption: &Adoption) -> bool {
        let objects = input.observed.host(&adoption.host).map_or(&[][..], |host| &host.objects);
        objects.iter().any(|live| {
            live.kind == *adoption.address.kind()
                && live.is_called(&adoption.from)
                && live.stamp.is_none()
        })
    }
}

impl Found<'_> {
    /// Whether its host answered and has nothing like it.
    fn is_only_remembered(&self) -> bool {
        self.known.answered && self.known.live.is_none()
    }
}

fn nothing_to_become(address: &Address, span: Span) -> Diagnostic {
    Diagnostic::error(codes::E0904, span, format!("`{address}` is adopted, and not declared"))
        .help("declare a block of this address that says how the object is to be")
}

fn silent_host(host: &Address, span: Span) -> Diagnostic {
    Diagnostic::error(
        codes::E0904,
        span,
        format!("`{host}` did not answer, nothing can be adopted"),
    )
    .help("adopt when the host answers")
}

fn not_found(adoption: &Adoption, objects: &[ObservedObject]) -> Diagnostic {
    let kind = adoption.address.kind();
    let free = objects.iter().filter(|live| live.kind == *kind && live.stamp.is_none());
    let names: Vec<&str> = free.map(|live| live.name.as_str()).collect();
    let near = tcloud_model::diagnostic::nearest(&adoption.from, names.iter().copied());
    let help = match (near, names.is_empty()) {
        (Some(near), _) => format!("did you mean {}?", Value::text(near)),
        (None, true) => format!("there is no {kind} on it that is not managed already"),
        (None, false) => {
            let some: Vec<String> =
                names.iter().take(5).map(|name| Value::text(name).to_string()).collect();
            format!("it has {}", some.join(", "))
        }
    };
    let from = Value::text(&adoption.from);
    let message = format!("there is no {kind} {from} on {}", adoption.host);
    Diagnostic::error(codes::E0904, adoption.span, message).help(help)
}

fn of_another(name: &str, span: Span) -> Diagnostic {
    let name = Value::text(name);
    Diagnostic::error(codes::E0904, span, format!("{name} belongs to something else already"))
        .help("an object has one owner: forget it there first")
}
