//! `tcloud state`: what tcloud remembers.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use serde_json::json;
use tcloud_engine::rebuild::{Doubtful, Rebuilt};
use tcloud_engine::{ChangeError, Changed, Edit, Engine};
use tcloud_model::{ObjectId, ObservedState, State as Remembered};
use tcloud_state::{Loaded, RecordChange, Selection, Why};

use super::{Context, consent, find, follow};
use crate::arguments::{Inputs, State, StateCommand};
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::gaps;
use crate::interrupt::Interrupts;
use crate::session::{Access, Project};
use crate::view::layout::{count, table};

pub(super) async fn run(arguments: State, context: &Context) -> Outcome {
    let project = Project::open(context.path(None), context).await?;
    match arguments.command {
        StateCommand::List { pattern, json, inputs } => {
            let state = load(&project, &inputs, context).await?.state;
            list(&state, pattern.as_deref(), json, context)
        }
        StateCommand::Show { address, json, inputs } => {
            let state = load(&project, &inputs, context).await?.state;
            show(&state, &address, json, context)
        }
        StateCommand::Verify { json, inputs } => verify(&project, json, &inputs, context).await,
        StateCommand::Export { inputs } => {
            let loaded = load(&project, &inputs, context).await?;
            let export = serde_json::to_value(tcloud_state::export::Export::new(&loaded))?;
            context.terminal.json(&export);
            Ok(Exit::Done)
        }
        StateCommand::Forget { address, yes, inputs } => {
            forget(&project, &address, yes, &inputs, context).await
        }
        StateCommand::Rebuild { yes, inputs } => rebuild(&project, yes, &inputs, context).await,
    }
}

async fn load(project: &Project, inputs: &Inputs, context: &Context) -> Result<Loaded, Failure> {
    let store = project.store(inputs, Access::Read, context).await?;
    let loaded = store.load(&Selection::All).await?;
    store.close().await;
    Ok(loaded)
}

async fn verify(project: &Project, json: bool, inputs: &Inputs, context: &Context) -> Outcome {
    let store = project.store(inputs, Access::Read, context).await?;
    let verified = tcloud_state::verify::verify(&*store).await?;
    store.close().await;
    if json {
        let mut value = serde_json::to_value(&verified)?;
        value["format"] = "tcloud-verify/1".into();
        value["sound"] = verified.is_sound().into();
        context.terminal.json(&value);
    }
    if verified.is_sound() {
        if verified.scopes == 0 {
            context.terminal.note("Nothing is remembered yet.");
        } else if !json {
            let (entries, chains) = (verified.entries, count(verified.scopes, "chain"));
            let text = format!("Every entry is as it was written: {entries} in {chains}.");
            context.terminal.line(&text);
        }
        return Ok(Exit::Done);
    }
    let damage = verified.damage.iter();
    let mut lines: Vec<String> = damage
        .map(|damage| {
            format!("entry {} of {} {}", damage.serial, damage.scope, damage.what.words())
        })
        .collect();
    if verified.remembered_differs {
        lines.push("the journal is sound, but what is remembered does not follow from it".into());
    }
    Err(Failure::new(format!("the state is damaged: {}", lines.join("; "))).help(
        "put the newest backup back that is sound; without one, move the state away, and\n\
         `tcloud state rebuild` makes a new one from what runs",
    ))
}

/// What the whole address matches, and what its end does.
fn globs(pattern: &str) -> Result<[GlobMatcher; 2], globset::Error> {
    let glob = |pattern: &str| Ok(GlobBuilder::new(pattern).build()?.compile_matcher());
    Ok([glob(pattern)?, glob(&format!("*.{pattern}"))?])
}

fn list(state: &Remembered, pattern: Option<&str>, json: bool, context: &Context) -> Outcome {
    let globs = pattern.map(globs).transpose()?;
    let matches = |address: &str| {
        globs.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.is_match(address)))
    };
    let records: Vec<_> =
        state.records.iter().filter(|(object, _)| matches(&object.address.to_string())).collect();
    if json {
        let list: Vec<_> = records
            .iter()
            .map(|(object, record)| json!({ "object": object, "record": record }))
            .collect();
        context.terminal.json(&json!({ "format": "tcloud-state/1", "objects": list }));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|(object, record)| {
            let again = match object.incarnation {
                0 => String::new(),
                number => format!("#{number}"),
            };
            let name = crate::escape::escape(&record.identity.name).into_owned();
            vec![format!("{}{again}", object.address), object.host.to_string(), name]
        })
        .collect();
    if rows.is_empty() {
        let number = count(state.records.len(), "object");
        context.terminal.note(&match pattern {
            Some(pattern) if !state.records.is_empty() => {
                format!("Nothing matches `{}`, of {number} that are remembered.", escape(pattern))
            }
            _ => "Nothing is remembered.".to_owned(),
        });
    } else {
        context.terminal.print(&table(&["address", "host", "name there"], &rows));
    }
    Ok(Exit::Done)
}

fn show(state: &Remembered, address: &str, json: bool, context: &Context) -> Outcome {
    let all = state.records.keys().map(|object| &object.address);
    let address = find::find(address, all)?;
    let records: Vec<_> = state.of(address).collect();
    if json {
        let list: Vec<_> = records
            .iter()
            .map(|(object, record)| json!({ "object": object, "record": record }))
            .collect();
        context.terminal.json(&json!({ "format": "tcloud-state/1", "objects": list }));
    } else {
        for (object, record) in records {
            let text = crate::view::resource::record(object, record);
            context.terminal.print(&text);
        }
    }
    Ok(Exit::Done)
}

async fn forget(
    project: &Project,
    address: &str,
    yes: bool,
    inputs: &Inputs,
    context: &Context,
) -> Outcome {
    let Loaded { state, intents: mut open, .. } = load(project, inputs, context).await?;
    let opened = open.iter().map(|(_, open)| &open.intent.operation.object);
    let known: BTreeSet<&ObjectId> = state.records.keys().chain(opened).collect();
    let address = find::find(address, known.iter().map(|object| &object.address))?.clone();
    open.retain(|(_, open)| open.intent.operation.object.address.is_within(&address));
    let drop_all = |state: &Remembered, _: &ObservedState| -> Vec<RecordChange> {
        let within = state.records.keys().filter(|object| object.address.is_within(&address));
        within.map(|object| RecordChange { object: object.clone(), record: None }).collect()
    };
    let agreed = drop_all(&state, &ObservedState::default());
    if !yes {
        let number = dropped(agreed.len(), open.len());
        consent::confirm(&format!("Drop {number} of {address}?"), &context.terminal).await?;
    }
    let engine = project.engine_without_hosts(project.store(inputs, Access::Write, context).await?);
    let edit = Edit { open: &open, ..Edit::new(Why::Forget, &agreed, &drop_all) };
    let changed = edit_with(project, &engine, "state forget", edit, context).await?;
    let number = dropped(changed.records.len(), changed.dropped);
    context.terminal.note(&format!("{number} dropped; what runs stays as it is."));
    Ok(Exit::Done)
}

async fn rebuild(project: &Project, yes: bool, inputs: &Inputs, context: &Context) -> Outcome {
    let text = project.program(inputs, context)?;
    let store = project.store(inputs, Access::Write, context).await?;
    let engine = project.engine(&text.program, store, 32);
    let known = engine.load().await?.state;
    let observed = engine.observe().await;
    for host in observed.hosts.iter().filter(|host| host.facts.is_none()) {
        let why = escape(&host.problems.join("; ")).into_owned();
        context.terminal.complain(&format!("{} did not answer: {why}", host.host));
    }
    let from = |known: &Remembered, observed: &ObservedState| {
        tcloud_engine::rebuild::rebuild(known, observed, &project.deployment, &project.catalog)
    };
    let Rebuilt { changes, doubtful } = from(&known, &observed);
    let gaps = gaps::of(&known, &observed);
    if changes.is_empty() {
        engine.shutdown().await;
        certain(&doubtful)?;
        gaps::refuse(&gaps)?;
        context.terminal.line("What is remembered is what runs.");
        return Ok(Exit::Done);
    }
    if !yes && changes.iter().any(|change| change.record.is_none()) {
        let question = format!("Rebuild what is remembered ({})?", summary(&changes));
        consent::confirm(&question, &context.terminal).await?;
    }
    let decide = |known: &Remembered, observed: &ObservedState| from(known, observed).changes;
    let edit = Edit::new(Why::Rebuild, &changes, &decide);
    let changed = edit_with(project, &engine, "state rebuild", edit, context).await?;
    context.terminal.line(&format!("Rebuilt: {}.", summary(&changed.records)));
    certain(&doubtful)?;
    gaps::refuse(&gaps)?;
    gaps::refuse(&gaps::of(&known, &changed.observed))?;
    Ok(Exit::Done)
}

/// `2 records and 1 open step`
fn dropped(records: usize, steps: usize) -> String {
    let counts = [(records, "record"), (steps, "open step")];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0);
    let counts: Vec<String> = counts.map(|(number, what)| count(number, what)).collect();
    if counts.is_empty() { "nothing".to_owned() } else { counts.join(" and ") }
}

/// `3 records to write, 1 to remove`
fn summary(changes: &[RecordChange]) -> String {
    let written = changes.iter().filter(|change| change.record.is_some()).count();
    format!("{} to write, {} to remove", count(written, "record"), changes.len() - written)
}

/// A failure where several objects say that they are the same one, and which it is nobody knows.
fn certain(doubtful: &[Doubtful]) -> Result<(), Failure> {
    if doubtful.is_empty() {
        return Ok(());
    }
    let lines = doubtful.iter().map(|Doubtful { object, names }| {
        let names: Vec<String> = names.iter().map(|name| format!("`{}`", escape(name))).collect();
        format!("{object}: {}", names.join(", "))
    });
    let lines = lines.collect::<Vec<_>>().join("\n  ");
    Err(Failure::new(format!(
        "several objects say that they are the same one, and it was left out\n  {lines}"
    ))
    .help("remove the copies, or their stamps, and run it again"))
}

/// Changes what is remembered, under the leases of its scopes.
async fn edit_with(
    project: &Project,
    engine: &Engine,
    command: &str,
    edit: Edit<'_>,
    context: &Context,
) -> Result<Changed, Failure> {
    let info = project.run(command, None);
    let interrupts = Interrupts::listen();
    let (control, mut events) = follow::control(&interrupts);
    let mut listener = follow::Listener::new(context, false, 0, command);
    let work = engine.edit(edit, &info, &control);
    let changed = follow::follow(work, &mut events, &mut listener).await;
    listener.finish();
    engine.shutdown().await;
    changed.map_err(|error| match error {
        ChangeError::Stale => Failure::from(error).help("run it again").exit(Exit::Stale),
        ChangeError::Hold(_) => error.into(),
    })
}
