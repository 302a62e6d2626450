//! `tcloud show`: one resource as written, as applied, as it runs, and what a plan would do.

use std::collections::{BTreeMap, BTreeSet};

use tcloud_model::{Address, Evaluator, ObjectId};

use super::{Context, find, look};
use crate::arguments::Show;
use crate::failure::{Exit, Outcome};
use crate::view::resource::{Object, Resource};

pub(super) async fn run(arguments: &Show, context: &Context) -> Outcome {
    let known = look::look(context.path(None), &arguments.inputs, context).await?;
    let desired = known.text.program.desired();
    let mut all: BTreeSet<&Address> = desired.resources.keys().collect();
    all.extend(known.state.records.keys().map(|object| &object.address));
    all.extend(known.plan.changes.iter().map(|change| &change.object.address));
    let address = find::find(&arguments.address, all.iter().copied())?;

    let mut objects: BTreeMap<ObjectId, Object<'_>> = BTreeMap::new();
    let empty = |id: &ObjectId| Object { id: id.clone(), record: None, observed: None };
    for (id, record) in known.state.of(address) {
        objects.entry(id.clone()).or_insert_with(|| empty(id)).record = Some(record);
    }
    for host in &known.observed.hosts {
        for object in &host.objects {
            let stamp = object.stamp.as_ref().filter(|stamp| {
                stamp.address == *address && stamp.deployment == known.plan.deployment.id
            });
            if let Some(stamp) = stamp {
                let id = ObjectId {
                    address: address.clone(),
                    host: host.host.clone(),
                    incarnation: stamp.incarnation,
                };
                objects.entry(id.clone()).or_insert_with(|| empty(&id)).observed = Some(object);
            }
        }
    }
    let declared = desired.resources.get(address);
    let needed_by = desired.resources.values().filter(|own| own.dependencies.contains(address));
    let resource = Resource {
        address,
        place: declared.map(|own| known.text.sources.position(own.span)),
        desired: declared.map(|own| &*own.attributes),
        needs: declared.map(|own| &own.dependencies[..]).unwrap_or_default(),
        needed_by: needed_by.map(|own| own.address.clone()).collect(),
        objects: objects.into_values().collect(),
        changes: known.plan.changes.iter().filter(|c| c.object.address == *address).collect(),
    };
    if arguments.json {
        context.terminal.json(&resource.json());
    } else {
        context.terminal.print(&resource.text(context.terminal.palette));
    }
    Ok(Exit::Done)
}
