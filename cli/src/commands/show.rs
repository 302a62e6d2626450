//! `tcloud show`: one resource as written, as applied, as it runs, and what a plan would do; or a plan
//! that was saved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tcloud_model::{Address, Evaluator, ObjectId};
use tcloud_planner::PlanFile;
use tcloud_report::About;

use super::{Context, find, look};
use crate::arguments::Show;
use crate::failure::{Exit, Failure, Outcome};
use crate::plan_file;
use crate::reports::Told;
use crate::session::{self, Project};
use crate::view::layout::quote;
use crate::view::plan::{Next, PlanView};
use crate::view::resource::{Object, Resource};

pub(super) async fn run(arguments: &Show, context: &Context) -> Outcome {
    arguments.reports.check(arguments.json, context)?;
    let path = context.path(Some(&PathBuf::from(&arguments.address)));
    if path.is_file() {
        return saved(arguments, &path, context).await;
    }
    if !arguments.reports.reports.is_empty() {
        return Err(Failure::new("reports are about plans")
            .help("name a file that `tcloud plan --out` wrote"));
    }
    if arguments.address.ends_with(".tcloud-plan") {
        return Err(Failure::new(format!("there is no file {}", path.display()))
            .help("`tcloud plan --out FILE` saves a plan"));
    }
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

/// A saved plan, from the project that it belongs to.
async fn saved(arguments: &Show, path: &Path, context: &Context) -> Outcome {
    let project = Project::open(context.path(None), context).await?;
    let PlanFile { plan, gaps, .. } = plan_file::load(path, &project.deployment)?;
    let silent = !gaps.is_empty();
    if arguments.json {
        context.terminal.json_text(session::json(&plan, silent).trim_end());
    } else if !arguments.reports.take_output() {
        let next = format!("tcloud apply {}", quote(&arguments.address));
        let view = PlanView {
            palette: context.terminal.palette,
            everything: context.terminal.verbose > 0,
            observed: None,
            next: Next::Run(&next),
        };
        context.terminal.print(&view.render(&plan));
    }
    let told = Told { plan: &plan, about: About::Plan, silent };
    arguments.reports.write(told, &project.root, context)?;
    Ok(Exit::Done)
}
