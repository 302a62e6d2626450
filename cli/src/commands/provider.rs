//! `tcloud provider`: what talks to hosts – which there are, what they add, whether they are trusted,
//! and whether they keep the contract.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tcloud_model::{Address, Deployment, Fields, Impact, Name, Role, Schema, Value};
use tcloud_plugin::{Launch, Person, PluginProvider, Program};
use tcloud_provider::conformance::{self, Outcome as Came, Verdict};
use tcloud_provider::{Description, Extension, HostConfig, Provider as _, ProviderError};

use super::ground::Ground;
use crate::arguments::{Provider, ProviderCommand, TestProvider};
use crate::context::Context;
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::providers::{self, Lock};
use crate::session::Project;
use crate::terminal::Tone;
use crate::view::layout::{count, table};
use crate::view::reference;
use tcloud_project::config::{Config, Declared};

pub(super) async fn run(arguments: Provider, context: &Context) -> Outcome {
    match arguments.command {
        ProviderCommand::List { json } => list(json, context).await,
        ProviderCommand::Schema { name, json } => schema(&name, json, context).await,
        ProviderCommand::Lock { name } => lock(&name, context),
        ProviderCommand::Test(arguments) => test(&arguments, context).await,
    }
}

async fn list(json: bool, context: &Context) -> Outcome {
    let project = Project::open(context.path(None), context).await?;
    let lock = Lock::read(&project.root)?;
    let providers = &project.providers;
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for name in providers.registry.names() {
        let Description { version, .. } = providers.registry.get(&name)?.describe();
        let path = providers.programs.get(&name).map(|path| path.display().to_string());
        let digest = path.as_ref().and_then(|_| lock.digest(&name));
        objects
            .push(json!({ "name": name, "version": version, "program": path, "digest": digest }));
        let short = digest.map_or("", |digest| &digest[..digest.len().min(19)]);
        let path = path.unwrap_or_else(|| "built in".to_owned());
        rows.push(vec![name, escape(&version).into_owned(), path, short.to_owned()]);
    }
    for (name, places) in &providers.absent {
        objects.push(json!({ "name": name, "missing": places }));
        rows.push(vec![name.clone(), "missing".to_owned(), places.clone(), String::new()]);
    }
    if json {
        context.terminal.json(&json!({ "format": "tcloud-providers/1", "providers": objects }));
    } else {
        let text = table(&["PROVIDER", "VERSION", "PROGRAM", "DIGEST"], &rows);
        context.terminal.print(&text);
    }
    Ok(Exit::Done)
}

async fn schema(name: &str, json: bool, context: &Context) -> Outcome {
    let project = Project::open(context.path(None), context).await?;
    if let Some(places) = project.providers.absent.get(name) {
        return Err(Failure::new(format!("the provider {name} is not there")).help(places));
    }
    let description = project.providers.registry.get(name)?.describe();
    if json {
        let description = serde_json::to_value(&description)?;
        context.terminal.json(&json!({ "format": "tcloud-provider/1", "provider": description }));
        return Ok(Exit::Done);
    }
    let Description { name, version: _, kinds, extensions, at_once: _ } = description;
    let mut text = String::new();
    let schemas = kinds.into_iter().chain(extensions.into_iter().map(|own| added(&name, own)));
    for schema in schemas {
        text.push_str(&reference::kind(&schema, context.terminal.palette));
        text.push('\n');
    }
    if text.is_empty() {
        text = format!("{name} adds nothing to the core kinds; `tcloud explain` shows those.\n");
    }
    context.terminal.print(&text);
    Ok(Exit::Done)
}

/// What a provider adds to a kind, shown as a kind of its own.
fn added(provider: &str, extension: Extension) -> Schema {
    let Extension { kind, attributes, blocks } = extension;
    Schema {
        doc: format!("What {provider} adds to `{kind}`."),
        example: String::new(),
        role: Role::Part,
        within: vec![kind.clone()],
        top_level: false,
        removal: Impact::None,
        kind,
        attributes,
        blocks,
    }
}

fn lock(name: &str, context: &Context) -> Outcome {
    let root = context.path(None);
    let config = Config::load(&root)?;
    if providers::is_built_in(name, &config) {
        return Err(Failure::new(format!("{name} is built in, and needs no pin")));
    }
    let Some(declared): Option<&Declared> = config.providers.get(name) else {
        return Err(Failure::new(format!("there is no provider `{}`", name.escape_debug()))
            .help("declare it in tcloud.toml: [providers.NAME]"));
    };
    let program = Program::open(&providers::program(&root, name, declared)?)?;
    let mut lock = Lock::read(&root)?;
    match lock.digest(name) {
        Some(pinned) if pinned == program.digest() => {
            context.terminal.line(&format!("{name} is the pinned one already."));
        }
        Some(pinned) => {
            context.terminal.note(&format!("It was {pinned}."));
            providers::pin(&root, name, &program, &mut lock, &context.terminal)?;
        }
        None => providers::pin(&root, name, &program, &mut lock, &context.terminal)?,
    }
    Ok(Exit::Done)
}

async fn test(arguments: &TestProvider, context: &Context) -> Outcome {
    let program = context.path(Some(&arguments.program));
    let directory = Scratch::new()?;
    let verdicts = examine(&program, arguments.uri.as_deref(), directory.path()).await?;
    drop(directory);
    if arguments.json {
        let all: Vec<_> = verdicts.iter().map(as_json).collect();
        context.terminal.json(&json!({ "format": "tcloud-conformance/1", "checks": all }));
    } else {
        show(&verdicts, arguments.failures, context);
        context.terminal.line(&summary(&verdicts));
    }
    let failed = verdicts.iter().any(|verdict| verdict.trouble().is_some());
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn as_json(Verdict { name, outcome }: &Verdict) -> serde_json::Value {
    let (word, why) = match outcome {
        Came::Kept => ("kept", None),
        Came::Broken(trouble) => ("broken", Some(trouble)),
        Came::NotRun(why) => ("not-run", Some(why)),
    };
    let trouble = why.filter(|_| word == "broken");
    let passed = word == "kept";
    json!({ "check": name, "passed": passed, "outcome": word, "trouble": trouble, "why": why })
}

fn show(verdicts: &[Verdict], failures: bool, context: &Context) {
    let palette = context.terminal.palette;
    for Verdict { name, outcome } in verdicts {
        let (tone, word, why) = match outcome {
            Came::Kept if failures => continue,
            Came::Kept => (Tone::Good, "kept   ", None),
            Came::Broken(trouble) => (Tone::Danger, "broken ", Some(trouble)),
            Came::NotRun(_) => (Tone::Faint, "not run", None),
        };
        let why = why.map(|why| format!("\n         {}", escape(why))).unwrap_or_default();
        context.terminal.line(&format!("{}  {}{why}", palette.paint(tone, word), escape(name)));
    }
    // It is the same for all of them.
    let why = verdicts.iter().find_map(|verdict| match &verdict.outcome {
        Came::NotRun(why) => Some(why),
        Came::Kept | Came::Broken(_) => None,
    });
    if let Some(why) = why {
        context
            .terminal
            .note(&format!("Not run, since nothing can be done by hand: {}", escape(why)));
    }
}

fn summary(verdicts: &[Verdict]) -> String {
    let all = count(verdicts.len(), "check");
    let failed = verdicts.iter().filter(|verdict| verdict.trouble().is_some()).count();
    let kept = verdicts.iter().filter(|verdict| verdict.outcome == Came::Kept).count();
    match (failed, verdicts.len() - failed - kept) {
        (0, 0) => format!("{all}, and the contract is kept."),
        (0, not_run) => format!("{all}, {kept} kept and {not_run} not run."),
        (failed, 0) => format!("{all}, {failed} of them failed."),
        (failed, not_run) => format!("{all}, {failed} of them failed and {not_run} not run."),
    }
}

/// Runs the suite against a program, on a host that has to be empty.
async fn examine(
    program: &Path,
    uri: Option<&str>,
    directory: &Path,
) -> Result<Vec<Verdict>, Failure> {
    let told = |error: ProviderError| Failure::new(error.message);
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
    let launch = Launch::new(&name.unwrap_or_default(), program);
    let plugin = Arc::new(PluginProvider::start(launch).await.map_err(told)?);
    let deployment = Deployment::new("conformance");
    let mut attributes = Fields::new();
    attributes.insert("provider", Value::text(&plugin.describe().name));
    if let Some(uri) = uri {
        attributes.insert("uri", Value::text(uri));
    }
    let config = HostConfig {
        host: Address::root(Name::new("site"), Name::new("conformance"), None).child(
            Name::new("host"),
            Name::new("test"),
            None,
        ),
        deployment: deployment.id,
        attributes: Arc::new(attributes),
        directory: directory.to_owned(),
    };
    let host = plugin.configure(&config).await.map_err(told)?;
    let before = host.observe().await.map_err(told)?;
    if !before.objects.is_empty() {
        let objects = count(before.objects.len(), "object");
        return Err(Failure::new(format!("the host is not empty: it has {objects}"))
            .help("a provider is examined on a host that has nothing on it"));
    }
    let (test, run) = (&config.host, deployment);
    let verdicts = match Person::new(Arc::clone(&plugin), config.clone()).await {
        Ok(person) => conformance::run(&*host, test, run, &person).await,
        Err(why) => {
            let ground = Ground::lay(directory)?;
            let fit = |address: &Address, attributes| ground.fit(address, attributes);
            conformance::run_alone(&*host, test, run, &why, fit).await
        }
    };
    host.shutdown().await;
    plugin.close().await;
    Ok(verdicts)
}

/// A directory that goes away again.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, std::io::Error> {
        let path = std::env::temp_dir().join(format!("tcloud-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path)?;
        Ok(Scratch(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left-overs in a directory for them harm nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
