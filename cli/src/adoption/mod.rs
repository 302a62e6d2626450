//! From what is on a host to text that says the same: what `tcloud adopt` writes.
//!
//! * `choose` – which objects, and what they bring along.
//! * `name` – words for them, made from their names on the host.
//! * `describe` – an object as a block, and what no block can say.
//! * `guest` – what only guests have: cards and disks that refer to something else.
//! * `page` – the files.

mod choose;
mod describe;
mod guest;
mod name;
mod page;

use std::collections::BTreeMap;

use tcloud_model::{
    Address, AttrPath, Attribute, Block, Catalog, DesiredGraph, Fields, HostObservation, Name,
    ObservedObject, Role, Value,
};
use tcloud_provider::request::accept_name;
use tcloud_syntax::compose::Part;

use crate::failure::Failure;

pub(crate) use choose::{is_free, waits};

/// What is to be adopted, from where, and into what.
pub(crate) struct Wish<'a> {
    /// What the host has.
    pub(crate) host: &'a HostObservation,
    /// The kinds.
    pub(crate) catalog: &'a Catalog,
    /// What the text says already.
    pub(crate) desired: &'a DesiredGraph,
    /// Names, UUIDs or `kind/name`; everything when empty.
    pub(crate) names: &'a [String],
    /// The same for what stays somebody else's and is only referred to.
    pub(crate) existing: &'a [String],
    /// The tenant that guests, volumes and networks go into.
    pub(crate) tenant: Address,
}

/// An object with its place in the text.
pub(crate) struct Subject<'a> {
    /// The object.
    pub(crate) object: &'a ObservedObject,
    /// What it becomes.
    pub(crate) address: Address,
    /// How the text has it.
    pub(crate) form: Form,
    /// What `adopt` calls it: its name, or its UUID where several have the name.
    pub(crate) from: String,
}

/// How the text has an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a block of its own, adopted.
    Own,
    /// Another host has the same under this address already, which is adopted here too.
    Joins,
    /// As an `existing` block.
    Existing,
}

/// An object as text.
pub(crate) struct Described {
    /// What stands in its block.
    pub(crate) body: Vec<Part>,
    /// What the block cannot say and stays as it is.
    pub(crate) kept: Vec<String>,
    /// What a reader should know besides.
    pub(crate) notes: Vec<String>,
}

/// What is written.
pub(crate) struct Proposal<'a> {
    /// Everything that the text has now, in the order of the text.
    pub(crate) subjects: Vec<(Subject<'a>, Described)>,
    /// What cannot be taken, and why.
    pub(crate) left: Vec<(&'a ObservedObject, String)>,
    /// What stands in the tenant, with the statements.
    pub(crate) tenant: String,
    /// What stands in the site, if anything does.
    pub(crate) site: Option<String>,
}

/// Makes the text.
///
/// # Errors
/// When a name means nothing on the host.
pub(crate) fn propose<'a>(wish: &Wish<'a>) -> Result<Proposal<'a>, Failure> {
    let chosen = choose::choose(wish)?;
    let mut left = Vec::new();
    let mut subjects = Vec::new();
    let mut words = name::Words::new(wish.desired);
    for object in &wish.host.objects {
        let form = match (chosen.own.contains(&key(object)), chosen.existing.contains(&key(object)))
        {
            (_, true) => Form::Existing,
            (true, _) => Form::Own,
            _ => continue,
        };
        // What every provider refuses later is not taken now.
        let refused = accept_name(&object.name).err().filter(|_| form == Form::Own);
        if let Some(refused) = refused {
            left.push((object, refused));
            continue;
        }
        match place(wish, object) {
            Some(scope) => subjects.push(subject(wish, &mut words, &scope, object, form)),
            None => left.push((object, format!("a {} cannot be declared", object.kind))),
        }
    }
    let mut described = Vec::new();
    // What cannot be said is taken out, and then what refers to it is said without it.
    loop {
        let refused = describe::all(wish, &subjects, &mut described);
        if refused.is_empty() {
            break;
        }
        subjects.retain(|subject| !refused.iter().any(|(own, _)| key(own) == key(subject.object)));
        left.extend(refused);
    }
    let mut subjects: Vec<(Subject<'a>, Described)> = subjects.into_iter().zip(described).collect();
    let order = |kind: &Name| wish.catalog.iter().position(|schema| schema.kind == *kind);
    subjects.sort_by(|(a, _), (b, _)| {
        (order(&a.object.kind), &a.address).cmp(&(order(&b.object.kind), &b.address))
    });
    let (tenant, site) = page::pages(wish, &subjects, &left);
    Ok(Proposal { subjects, left, tenant, site })
}

/// What tells objects of one host apart.
type Key<'a> = (&'a Name, &'a Name, Option<uuid::Uuid>);

fn key(object: &ObservedObject) -> Key<'_> {
    (&object.kind, &object.name, object.uuid)
}

/// The scope that objects of a kind are declared in; `None` when they stand inside others.
fn place(wish: &Wish<'_>, object: &ObservedObject) -> Option<Address> {
    let schema = wish.catalog.get(&object.kind).filter(|schema| schema.role.is_managed())?;
    let within = |kind: &str| schema.within.iter().any(|own| own == kind);
    if within("tenant") {
        return Some(wish.tenant.clone());
    }
    wish.host.host.parent().filter(|scope| within(scope.kind())).cloned()
}

fn subject<'a>(
    wish: &Wish<'a>,
    words: &mut name::Words,
    scope: &Address,
    object: &'a ObservedObject,
    form: Form,
) -> Subject<'a> {
    let from = choose::word_for(wish, object);
    let joined = (form == Form::Own).then(|| joins(wish, scope, object)).flatten();
    if let Some(address) = joined {
        return Subject { object, address, form: Form::Joins, from };
    }
    let address = words.address(scope, object);
    Subject { object, address, form, from }
}

/// The block that says the same of another host's object of this name.
fn joins(wish: &Wish<'_>, scope: &Address, object: &ObservedObject) -> Option<Address> {
    let schema = wish.catalog.get(&object.kind).filter(|schema| schema.role == Role::PerHost)?;
    let address = scope.child(object.kind.clone(), name::word(&object.kind, &object.name), None);
    let declared = wish.desired.resources.get(&address)?;
    let on = declared.attributes.list("hosts");
    let here = Value::Ref(wish.host.host.clone());
    let elsewhere = wish.desired.adopted.iter().any(|own| own.address == address);
    let fits = !declared.lifecycle.existing && elsewhere && (on.is_empty() || on.contains(&here));
    let same = fits
        && agree(&schema.attributes, &schema.blocks, &declared.attributes, &object.persistent());
    same.then_some(address)
}

/// Whether a declared object says the same as one that was found, in all that the latter tells.
fn agree(attributes: &[Attribute], blocks: &[Block], declared: &Fields, found: &Fields) -> bool {
    found.iter().filter(|(_, value)| **value != Value::None).all(|(name, value)| {
        if let Some(own) = attributes.iter().find(|own| own.name == *name) {
            return own.steering || declared.get(name).or(own.default.as_ref()) == Some(value);
        }
        let (Some(own), Value::Map(found)) = (blocks.iter().find(|own| own.name == *name), value)
        else {
            return true;
        };
        let Some(declared) = declared.map(name) else { return false };
        let one = |declared: &Fields, found: &Fields| {
            agree(&own.attributes, &own.blocks, declared, found)
        };
        match own.labelled {
            false => one(declared, found),
            true => found.iter().all(|(label, _)| {
                declared.map(label).zip(found.map(label)).is_some_and(|(a, b)| one(a, b))
            }),
        }
    })
}

/// What names on the host mean: the address of what is taken, or of what the text has already.
pub(crate) struct Meanings<'a> {
    by_name: BTreeMap<(&'a Name, Name), Option<Address>>,
}

impl<'a> Meanings<'a> {
    fn new(wish: &Wish<'a>, subjects: &[Subject<'a>]) -> Meanings<'a> {
        let mut by_name: BTreeMap<(&Name, Name), Option<Address>> = BTreeMap::new();
        for (address, resource) in &wish.desired.resources {
            if resource.lifecycle.existing {
                let name = resource.attributes.text("name").map(Name::new);
                let name = name.unwrap_or_else(|| Name::from(address.last_name()));
                by_name.insert((address.kind(), name), Some(address.clone()));
            }
        }
        for adoption in wish.desired.adopted.iter().filter(|own| own.host == wish.host.host) {
            let key = (adoption.address.kind(), Name::new(&adoption.from));
            by_name.insert(key, Some(adoption.address.clone()));
        }
        for subject in subjects {
            let key = (&subject.object.kind, subject.object.name.clone());
            by_name.insert(key, Some(subject.address.clone()));
        }
        // A name that several objects of the host have means none of them.
        for pair in wish.host.objects.windows(2) {
            if (&pair[0].kind, &pair[0].name) == (&pair[1].kind, &pair[1].name) {
                by_name.insert((&pair[0].kind, pair[0].name.clone()), None);
            }
        }
        Meanings { by_name }
    }

    /// The address of what one of these kinds is called.
    fn of(&'a self, kinds: &'a [Name], name: &str) -> Option<&'a Address> {
        let name = Name::new(name);
        kinds.iter().find_map(|kind| self.by_name.get(&(kind, name.clone()))?.as_ref())
    }
}

/// Paths whose differences are left alone, as the last attribute of a block.
fn ignored(paths: Vec<AttrPath>) -> Option<Part> {
    (!paths.is_empty()).then(|| Part::Paths(Name::new("ignore"), paths))
}
