//! What is to exist: where it goes, which addresses it gets, and its attributes to the last one.

use std::sync::Arc;

use indexmap::IndexMap;
use tcloud_model::{
    Address, Assigned, AttrPath, Attribute, ByAddress, DesiredResource, Diagnostic, Fields,
    Identity, Name, ObjectId, Role, Schema, Value, parallel,
};

use crate::allocate::{AllocateInput, Allocation, allocate};
use crate::diff::keep_ignored;
use crate::facts::{Facts, Known};
use crate::firewall::{Firewall, FirewallInput, Values, firewall};
use crate::input::{Goal, Input};
use crate::place::{Place, PlaceInput, Placement, place};
use crate::restart::Restart;
use crate::size::until_next_start;

/// A managed resource as it is to be.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// What the text says.
    pub resource: &'a DesiredResource,
    /// Its kind.
    pub schema: &'a Schema,
    /// All attributes that a hypervisor is told.
    pub attributes: Arc<Fields>,
    /// The same with what is ignored, and what a guest runs with until its next start, as it is now:
    /// what takes up room.
    pub kept: Option<Arc<Fields>>,
    /// The managed objects among what it needs, sorted.
    pub dependencies: Arc<[Address]>,
    /// Whether deleting it needs consent.
    pub protect: bool,
    /// Whether a replacement comes before the deletion; remembered in the stamp.
    pub create_first: bool,
    /// The same for this run, in which old needs count as well.
    pub create_first_now: bool,
    /// The hosts that it has to be on, sorted.
    pub hosts: Vec<Address>,
    /// Who it is on each of these hosts in its first incarnation, where nothing is known of it.
    pub identities: Vec<Identity>,
}

/// Everything that is to exist.
#[derive(Debug, Default)]
pub(crate) struct Layout<'a> {
    /// Sorted by address.
    pub wanted: ByAddress<Address, Wanted<'a>>,
    /// What the planner chose.
    pub chosen: Chosen,
    /// What the rules of the text open.
    pub firewall: Firewall,
}

/// What the planner chose where the text leaves it to it.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    placement: Placement,
    allocation: Allocation,
}

impl Assigned for Chosen {
    fn get(&self, address: &Address, attribute: &str) -> Option<Value> {
        match attribute {
            "host" => Some(Value::Ref(self.placement.hosts.get(address)?.host.clone())),
            "pool" => self.placement.hosts.get(address)?.pool.clone().map(Value::Ref),
            "address" => self.allocation.nics.get(address)?.0.map(Value::Ip),
            "mac" => Some(Value::Mac(self.allocation.nics.get(address)?.1)),
            _ => None,
        }
    }
}

/// Places, allocates and completes.
///
/// # Errors
/// What fits nowhere, and what cannot be evaluated now that it could be.
pub(crate) fn lay_out<'a>(
    input: &Input<'a>,
    facts: &Facts<'_>,
) -> Result<Layout<'a>, Vec<Diagnostic>> {
    // What is taken down needs no room, no address and no evaluation.
    if input.wishes.goal == Goal::Destroy {
        return complete(input, facts, Chosen::default(), Some(Firewall::default()));
    }
    let desired = input.evaluator.desired();
    let place = || {
        place(&PlaceInput {
            desired,
            observed: input.observed,
            deployment: input.deployment,
            adopted: &facts.adopted,
            current: &|address| current_place(facts, address),
            applied: &|address| applied(facts, address),
            keeps: &|vm| keeps_size(input, facts.current(&vm.address, None), vm),
            evaluator: input.evaluator,
        })
    };
    // Placing takes longer. What opens is found meanwhile, where no attribute waits for a place.
    let beside = || {
        let allocation = allocation(input, facts)?;
        let deferred = desired.resources.values().any(|resource| resource.deferred);
        let firewall = (!deferred).then(|| {
            let attributes = |address: &Address| {
                let resource = desired.resources.get(address)?;
                managed_schema(input, resource).map(|_| &*resource.attributes)
            };
            let attributes = &attributes;
            firewall(&FirewallInput { desired, attributes, allocation: &allocation })
        });
        Ok((allocation, firewall))
    };
    let threads = parallel::threads_for(desired.resources.len());
    match parallel::both(threads, place, beside) {
        (Ok(placement), Ok((allocation, firewall))) => {
            complete(input, facts, Chosen { placement, allocation }, firewall)
        }
        (placement, beside) => {
            let problems = [placement.err(), beside.err()];
            Err(problems.into_iter().flatten().flatten().collect())
        }
    }
}

/// The addresses of all NICs.
fn allocation(input: &Input<'_>, facts: &Facts<'_>) -> Result<Allocation, Vec<Diagnostic>> {
    let desired = input.evaluator.desired();
    let leaving = facts.known.iter().filter(|known| {
        known.kind() == "vm" && !desired.resources.contains_key(&known.object.address)
    });
    let leaving: Vec<Arc<Fields>> =
        leaving.filter_map(|known| known.attributes().cloned()).collect();
    allocate(&AllocateInput {
        desired,
        deployment: input.deployment,
        evaluator: input.evaluator,
        current: &|address| had(facts, address),
        leaving: &leaving,
    })
}

/// The attributes that what is at an address has now.
fn applied(facts: &Facts<'_>, address: &Address) -> Option<Arc<Fields>> {
    facts.current(address, None).and_then(|known| known.attributes()).cloned()
}

/// The attributes that it has now, with those of the NICs that it gets at its next start.
fn had(facts: &Facts<'_>, address: &Address) -> Option<Arc<Fields>> {
    let known = facts.current(address, None)?;
    let now = known.attributes()?;
    let later = known.pending.as_ref().filter(|later| later.map("nic").is_some());
    Some(later.map_or_else(|| Arc::clone(now), |later| Arc::new(later.overlaid(now))))
}

fn current_place(facts: &Facts<'_>, address: &Address) -> Option<Place> {
    let known = facts.current(address, None)?;
    let pool = known.attributes().and_then(|fields| fields.reference("pool")).cloned();
    Some(Place { host: known.object.host.clone(), pool })
}

fn complete<'a>(
    input: &Input<'a>,
    facts: &Facts<'_>,
    chosen: Chosen,
    firewall: Option<Firewall>,
) -> Result<Layout<'a>, Vec<Diagnostic>> {
    let Chosen { placement, allocation } = &chosen;
    let managed = evaluated(input, &chosen)?;
    let firewall = firewall.unwrap_or_else(|| {
        let desired = input.evaluator.desired();
        let attributes = |address: &Address| {
            let managed = managed.get(desired.resources.get_index_of(address)?)?.as_ref();
            managed.map(|managed| &*managed.attributes)
        };
        self::firewall(&FirewallInput { desired, attributes: &attributes, allocation })
    });
    let managed: Vec<Managed<'a>> = managed.into_iter().flatten().collect();
    let mut kinds: IndexMap<&str, Kind<'a>> = IndexMap::new();
    for Managed { schema, .. } in &managed {
        kinds.entry(&schema.kind).or_insert_with(|| Kind::of(schema));
    }
    let wanted = parallel::each(&managed, |Managed { resource, schema, attributes }| {
        let address = &resource.address;
        let known = facts.current(address, None);
        let place = placement.hosts.get(address);
        let hosts = match place {
            Some(place) => vec![place.host.clone()],
            None => placement.spread.get(address).cloned().unwrap_or_default(),
        };
        let given = Given { place, allocation, firewall: &firewall };
        let identities =
            known.map_or_else(|| identities(input, (address, schema), &hosts), |_| Vec::new());
        let attributes =
            shared(known, finished(&kinds[&*schema.kind], address, attributes, &given));
        let wanted = Wanted {
            resource,
            schema,
            kept: kept(input, known, resource, schema, &attributes),
            attributes,
            dependencies: dependencies(input, resource, place),
            protect: resource.lifecycle.protect.unwrap_or_else(|| protects(schema)),
            create_first: resource.lifecycle.create_first,
            create_first_now: resource.lifecycle.create_first,
            hosts,
            identities,
        };
        (address.clone(), wanted)
    });
    Ok(Layout { wanted: wanted.collect(), chosen, firewall })
}

/// What takes up room where that is something else than the text says.
fn kept(
    input: &Input<'_>,
    known: Option<&Known<'_>>,
    resource: &DesiredResource,
    schema: &Schema,
    attributes: &Arc<Fields>,
) -> Option<Arc<Fields>> {
    let ignore = &resource.lifecycle.ignore;
    let ignores = !ignore.is_empty() && schema.role == Role::Single;
    if !ignores && schema.kind != "vm" {
        return None;
    }
    let now = known?.attributes()?;
    let kept = ignores.then(|| keep_ignored(attributes, Some(now), ignore));
    let is_guest = schema.kind == "vm";
    let larger = is_guest.then(|| until_next_start(kept.as_ref().unwrap_or(attributes), now));
    match larger.flatten() {
        Some(larger) if keeps_size(input, known, resource) => Some(Arc::new(larger)),
        _ => kept,
    }
}

/// Whether a guest runs on with the size that it has: nothing shrinks while it runs.
fn keeps_size(input: &Input<'_>, known: Option<&Known<'_>>, vm: &DesiredResource) -> bool {
    known.is_some_and(|known| known.runs())
        && vm.attributes.flag("running") != Some(false)
        && matches!(Restart::of(&vm.attributes, input.now), Restart::Waits(_))
}

/// The identities of what is new: digests take long, and here several threads work on them.
fn identities(
    input: &Input<'_>,
    (address, schema): (&Address, &Schema),
    hosts: &[Address],
) -> Vec<Identity> {
    let identity = |host: &Address| {
        let object = ObjectId { address: address.clone(), host: host.clone(), incarnation: 0 };
        Identity::derive(input.deployment, &object, schema.role == Role::PerHost)
    };
    hosts.iter().map(identity).collect()
}

/// What stays as it is remembered is kept once: most of a large plan does.
fn shared(known: Option<&Known<'_>>, finished: Arc<Fields>) -> Arc<Fields> {
    let applied = known.and_then(|known| known.applied.as_ref());
    applied.filter(|applied| **applied == finished).map_or(finished, Arc::clone)
}

/// A managed resource with all that the text says of it.
struct Managed<'a> {
    resource: &'a DesiredResource,
    schema: &'a Schema,
    attributes: Arc<Fields>,
}

/// What is managed, by its position in what the text declares.
fn evaluated<'a>(
    input: &Input<'a>,
    assigned: &Chosen,
) -> Result<Vec<Option<Managed<'a>>>, Vec<Diagnostic>> {
    let desired = input.evaluator.desired();
    let mut all = Vec::with_capacity(desired.resources.len());
    let mut problems = Vec::new();
    for (address, resource) in &desired.resources {
        let Some(schema) = managed_schema(input, resource) else {
            all.push(None);
            continue;
        };
        let attributes = if resource.deferred && input.wishes.goal != Goal::Destroy {
            input.evaluator.configure(address, assigned)
        } else {
            Ok(Arc::clone(&resource.attributes))
        };
        match attributes {
            Ok(attributes) => all.push(Some(Managed { resource, schema, attributes })),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// The schema of what is managed; `None` for facts, scopes and what belongs to others.
fn managed_schema<'a>(input: &Input<'a>, resource: &DesiredResource) -> Option<&'a Schema> {
    if resource.lifecycle.existing {
        return None;
    }
    let schema: &'a Schema = input.catalog.get(resource.address.kind())?;
    schema.role.is_managed().then_some(schema)
}

/// Whether objects of a kind are protected when the text is silent.
pub(crate) fn protects(schema: &Schema) -> bool {
    let default = schema.attribute("protect").and_then(|attribute| attribute.default.as_ref());
    default == Some(&Value::Bool(true))
}

/// What it needs of what is managed: what its text refers to, and the pool that it was placed in.
fn dependencies(
    input: &Input<'_>,
    resource: &DesiredResource,
    place: Option<&Place>,
) -> Arc<[Address]> {
    let desired = input.evaluator.desired();
    let pool = place.and_then(|place| place.pool.as_ref());
    let mut managed: Vec<Address> = resource
        .dependencies
        .iter()
        .chain(pool)
        // A disk stands inside its VM and is made before it.
        .filter(|address| !resource.address.is_within(address))
        .filter(|address| {
            desired.resources.get(*address).is_some_and(|own| managed_schema(input, own).is_some())
        })
        .cloned()
        .collect();
    managed.sort();
    managed.dedup();
    managed.into()
}

/// What is asked for every object of a kind.
struct Kind<'a> {
    schema: &'a Schema,
    /// The attributes and blocks that only steer tcloud.
    steering: Vec<&'a str>,
    /// The same of a NIC.
    nic_steering: Vec<&'a str>,
}

impl<'a> Kind<'a> {
    fn of(schema: &'a Schema) -> Kind<'a> {
        fn steering(attributes: &[Attribute]) -> impl Iterator<Item = &str> {
            attributes.iter().filter(|own| own.steering).map(|own| own.name.as_str())
        }
        let blocks = schema.blocks.iter().filter(|own| own.steering).map(|own| own.name.as_str());
        let nic = schema.block("nic").map_or(&[][..], |block| &block.attributes);
        Kind {
            schema,
            steering: steering(&schema.attributes).chain(blocks).collect(),
            nic_steering: steering(nic).collect(),
        }
    }

    /// Whether a hypervisor is told of it.
    fn tells(&self, (name, value): (&Name, &Value)) -> bool {
        *value != Value::None && !self.steering.contains(&name.as_str())
    }
}

/// What the planner adds to the text.
struct Given<'p> {
    place: Option<&'p Place>,
    allocation: &'p Allocation,
    firewall: &'p Firewall,
}

/// The attributes that a hypervisor is told: without what only steers tcloud, and with what tcloud
/// gives out and works out.
fn finished(
    kind: &Kind<'_>,
    address: &Address,
    attributes: &Arc<Fields>,
    given: &Given<'_>,
) -> Arc<Fields> {
    let schema = kind.schema;
    let pool = given.place.and_then(|place| place.pool.as_ref());
    let pool = pool.filter(|_| schema.attribute("pool").is_some());
    let has_nics = schema.kind == "vm" && attributes.map("nic").is_some();
    let opened = match schema.kind.as_str() {
        "network" => given.firewall.of_network(address, attributes),
        _ => Values::default(),
    };
    let adds = has_nics || pool.is_some() || !opened.is_empty();
    if !adds && attributes.iter().all(|field| kind.tells(field)) {
        return Arc::clone(attributes);
    }
    let mut finished: Fields = attributes
        .iter()
        .filter(|field| kind.tells(*field))
        .map(|(name, value)| match value {
            Value::Map(nics) if has_nics && *name == "nic" => {
                (name.clone(), complete_nics(kind, address, nics, given))
            }
            value => (name.clone(), value.clone()),
        })
        .collect();
    if let Some(pool) = pool {
        finished.insert("pool", Value::Ref(pool.clone()));
    }
    opened.add_to(&mut finished);
    Arc::new(finished.compact())
}

fn complete_nics(kind: &Kind<'_>, vm: &Address, nics: &Fields, given: &Given<'_>) -> Value {
    let nics = nics.iter().map(|(label, value)| {
        let nic = vm.labelled("nic", label);
        let (Value::Map(fields), Some((ip, mac))) = (value, given.allocation.nics.get(&nic)) else {
            return (label.clone(), value.clone());
        };
        let mut fields = (**fields).clone();
        kind.nic_steering.iter().for_each(|name| {
            fields.remove(name);
        });
        if let Some(ip) = ip {
            fields.insert("address", Value::Ip(*ip));
        }
        fields.insert("mac", Value::Mac(*mac));
        if let Some(opened) = given.firewall.of_nic(&nic) {
            opened.add_to(&mut fields);
        }
        (label.clone(), Value::map(fields))
    });
    Value::map(nics.collect())
}

/// Where the cause of a difference stands.
pub(crate) fn causes(
    input: &Input<'_>,
    address: &Address,
    path: Option<&AttrPath>,
) -> Vec<tcloud_model::Position> {
    let spans = input.evaluator.causes(address, path);
    spans.into_iter().map(|span| input.sources.position(span)).collect()
}
