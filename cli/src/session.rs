//! Wiring: from a directory and options to everything that a command works with.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tcloud_compiler::{Compiled, Program, Settings, World, compile};
use tcloud_engine::{Engine, EngineConfig, HostSpec, Limits, RunInfo, SystemClock};
use tcloud_model::{
    Catalog, Deployment, Diagnostic, Digest, Evaluator, ObservedState, Sources, State,
};
use tcloud_planner::{Input, Plan, Wishes};
use tcloud_provider::HostConfig;
use tcloud_report::About;
use tcloud_state::postgres::{self, Opening};
use tcloud_state::{LocalProcesses, MemoryStore, PostgresStore, SqliteStore, Store};

use crate::arguments::Inputs;
use crate::consents::SIGNERS;
use crate::context::{Context, Told};
use crate::disk_world::DiskWorld;
use crate::failure::{Exit, Failure};
use crate::providers::{self, Providers};
use crate::redact;
use crate::revisions::ask;
use crate::secrets::LocalSecrets;
use crate::trust;
use crate::variables;
use crate::view::diagnostics;
use crate::view::layout::quote;
use tcloud_project::config::{self, Config};
use tcloud_project::whole_file;

/// The directory below a project's root for what tcloud itself keeps.
pub(crate) const OWN: &str = ".tcloud";

/// A project: a directory, its settings, the providers.
pub(crate) struct Project {
    /// The directory.
    pub(crate) root: PathBuf,
    /// `tcloud.toml`.
    pub(crate) config: Config,
    /// Its name and id.
    pub(crate) deployment: Deployment,
    /// What talks to hosts.
    pub(crate) providers: Providers,
    /// All kinds.
    pub(crate) catalog: Arc<Catalog>,
}

/// Why a project cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The directory is not there.
    #[error("there is no {}", .0.display())]
    NoDirectory(PathBuf),
    /// It is a file.
    #[error("{} is a file, and a project is a directory", .0.display())]
    NotDirectory(PathBuf),
    /// Whoever uses the machine could have written what it says.
    #[error("everybody may write to {}", .0.display())]
    OpenToAll(PathBuf),
    /// There is nothing to work on.
    #[error("there is no .tcloud file in {}", .0.display())]
    NoText(PathBuf),
    /// The directory that the state should be in cannot be made.
    #[error("the directory {} cannot be made", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Nobody can say whether the state is there.
    #[error("whether something is remembered in {} cannot be seen", path.display())]
    Unseen {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What is remembered are other objects. They would look like ones to take down.
    #[error("what is remembered in {} is another deployment's than `{deployment}`", path.display())]
    OtherDeployment {
        /// The file.
        path: PathBuf,
        /// Whose project this is.
        deployment: tcloud_model::Name,
    },
    /// The URL of the state is of no use.
    #[error("`{0}` is not a place to remember in")]
    StateUrl(String),
}

impl Project {
    /// The project in a directory.
    pub(crate) async fn open(root: PathBuf, context: &Context) -> Result<Project, Failure> {
        if !root.is_dir() {
            return Err(no_project(root));
        }
        let own = [config::FILE, SIGNERS, providers::FILE, OWN].map(|name| root.join(name));
        for path in std::iter::once(root.clone()).chain(own) {
            if path.metadata().is_ok_and(|metadata| trust::is_open_to_all(&metadata)) {
                let help = format!("chmod -R o-w {}", quote(&root.display().to_string()));
                return Err(Failure::from(SessionError::OpenToAll(path)).help(help));
            }
        }
        let config = Config::load(&root)?;
        let deployment = Deployment::new(&config.deployment);
        let filter = Arc::new(|text: &str| redact::process().scrub(text).into_owned());
        let providers = Providers::load(&root, &config, filter, &context.terminal).await?;
        let catalog = Arc::new(providers.registry.catalog()?);
        Ok(Project { root, config, deployment, providers, catalog })
    }

    /// Compiles the text.
    pub(crate) fn compile(&self, inputs: &Inputs) -> Result<Compiled, Failure> {
        self.compile_in(&DiskWorld::new(&self.root, self.config.limits), inputs)
    }

    /// Compiles the text of some world.
    pub(crate) fn compile_in(
        &self,
        world: &dyn World,
        inputs: &Inputs,
    ) -> Result<Compiled, Failure> {
        let compiled = self.compile_any(world, inputs)?;
        // Without text everything would be taken down. The compiler calls the directory itself `.`
        // where it has a message but no file to place it in.
        if compiled.program.is_some() && compiled.sources.iter().all(|(_, file)| &*file.path == ".")
        {
            let failure = Failure::from(SessionError::NoText(self.root.clone()));
            return Err(failure.help("name the project's directory, or start one: tcloud init"));
        }
        Ok(compiled)
    }

    /// Compiles the text of some world, which may be empty.
    pub(crate) fn compile_any(
        &self,
        world: &dyn World,
        inputs: &Inputs,
    ) -> Result<Compiled, Failure> {
        let mut settings = Settings::new(self.deployment.clone());
        settings.catalog = Arc::clone(&self.catalog);
        settings.variables = variables::read(inputs)?;
        settings.limits.resources = self.config.limits.resources;
        settings.limits.steps = self.config.limits.steps;
        settings.limits.file_bytes =
            usize::try_from(self.config.limits.file_size).unwrap_or(usize::MAX);
        let mut compiled = compile(world, &settings);
        if let Some(program) = &compiled.program {
            let wrong = self.providers.check(program);
            if !wrong.is_empty() {
                compiled.program = None;
            }
            compiled.diagnostics.extend(wrong);
        }
        Ok(compiled)
    }

    /// Compiles the text, shows what is wrong with it, and goes on only when nothing is.
    pub(crate) fn program(&self, inputs: &Inputs, context: &Context) -> Result<Text, Failure> {
        let Compiled { program, sources, diagnostics } = self.compile(inputs)?;
        match program {
            Some(program) => {
                show(&diagnostics, &sources, None, context);
                Ok(Text { program, sources })
            }
            None => {
                refuse(&diagnostics, &sources, context);
                if let Some(absence) = self.providers.absence() {
                    context.terminal.note(&absence);
                }
                Err(Failure::said(Exit::Failed))
            }
        }
    }

    /// The store. One that is only read is not made.
    pub(crate) async fn store(
        &self,
        inputs: &Inputs,
        access: Access,
        context: &Context,
    ) -> Result<Arc<dyn Store>, Failure> {
        let url = inputs.state.as_deref().or(self.config.state.as_deref());
        let path = match url {
            None => own_directory(&self.root).join("state.db"),
            Some(url) if postgres::is_url(url) => return self.shared(url, access).await,
            Some(url) => match url.strip_prefix("sqlite:") {
                Some(path) if !path.is_empty() => self.root.join(path),
                _ => {
                    return Err(Failure::from(SessionError::StateUrl(postgres::without_password(
                        url,
                    )))
                    .help(
                        "write sqlite:PATH, relative to the project, or \
                         postgres://USER@HOST/DATABASE",
                    ));
                }
            },
        };
        // What cannot be looked at may be a state, and whoever took it for none would see everything that
        // runs as unknown.
        let unseen = |source| SessionError::Unseen { path: path.clone(), source };
        if access == Access::Read && whole_file::is_absent(&path).map_err(unseen)? {
            return Ok(nothing());
        }
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|source| SessionError::Directory { path: directory.to_owned(), source })?;
        }
        let store = SqliteStore::open(&path)?;
        let remembered = store.deployment();
        if remembered.is_some() {
            // What is remembered and runs takes far more memory than what the phases before give back.
            tcloud_allocator::keep();
        }
        if remembered.is_some_and(|own| own != self.deployment.id) {
            let deployment = self.deployment.name.clone();
            return Err(Failure::from(SessionError::OtherDeployment { path, deployment }).help(
                "name it in tcloud.toml as it was named before ([deployment] name, else the name of \
                 the directory), or remember in another place: --state",
            ));
        }
        if store.was_cut_off() {
            context.terminal.note(
                "A write that was cut off, as by a crash or a power cut, was dropped from what is \
                 remembered.",
            );
        }
        Ok(Arc::new(store))
    }

    /// The store that a team shares.
    async fn shared(&self, url: &str, access: Access) -> Result<Arc<dyn Store>, Failure> {
        let opening = Opening { url, deployment: self.deployment.name.as_str() };
        // A team remembers much.
        tcloud_allocator::keep();
        Ok(match access {
            Access::Write => Arc::new(PostgresStore::open(opening).await?),
            Access::Read => match PostgresStore::open_to_read(opening).await? {
                Some(store) => Arc::new(store),
                None => nothing(),
            },
        })
    }

    /// The engine for the hosts of a program.
    pub(crate) fn engine(
        &self,
        program: &Program,
        store: Arc<dyn Store>,
        parallelism: usize,
    ) -> Engine {
        let hosts = program.desired().resources.values().filter(|r| r.address.kind() == "host");
        let hosts = hosts.map(|resource| HostSpec {
            provider: resource.attributes.text("provider").unwrap_or_default().to_owned(),
            config: HostConfig {
                host: resource.address.clone(),
                deployment: self.deployment.id,
                attributes: Arc::clone(&resource.attributes),
                directory: own_directory(&self.root),
            },
        });
        let defaults = Limits::default();
        self.engine_of(
            hosts.collect(),
            store,
            Limits {
                parallelism,
                observe: defaults.observe.min(parallelism),
                secrets: defaults.secrets.min(parallelism),
                ..defaults
            },
        )
    }

    /// An engine that asks no host, for work on what is remembered alone.
    pub(crate) fn engine_without_hosts(&self, store: Arc<dyn Store>) -> Engine {
        self.engine_of(Vec::new(), store, Limits::default())
    }

    fn engine_of(&self, hosts: Vec<HostSpec>, store: Arc<dyn Store>, limits: Limits) -> Engine {
        Engine::new(EngineConfig {
            store,
            providers: self.providers.registry.clone(),
            hosts,
            limits,
            clock: Arc::new(SystemClock),
            processes: Arc::new(LocalProcesses),
            secrets: Arc::new(LocalSecrets::new(&self.root, self.config.secrets.clone())),
        })
    }

    /// Who runs what, for the journal.
    pub(crate) fn run(&self, command: &str, plan: Option<Digest>) -> RunInfo {
        RunInfo {
            id: uuid::Uuid::new_v4(),
            command: command.to_owned(),
            who: who(),
            revision: revision(&self.root),
            plan,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Why there is no project at a path, and where one may be.
fn no_project(path: PathBuf) -> Failure {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match (path.exists(), extension) {
        (true, Some("tcloud")) => {
            let project = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let project = project.unwrap_or(Path::new(".")).display().to_string();
            Failure::from(SessionError::NotDirectory(path))
                .help(format!("name the directory that it stands in: {}", quote(&project)))
        }
        (true, _) => SessionError::NotDirectory(path).into(),
        (false, Some("tcloud-plan")) => Failure::from(SessionError::NoDirectory(path))
            .help("`tcloud plan --out FILE` saves a plan"),
        (false, _) => Failure::from(SessionError::NoDirectory(path))
            .help("name the project's directory, or start one: tcloud init"),
    }
}

/// A store that nothing is in.
fn nothing() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Arc::new(jiff::Timestamp::now)))
}

/// Whether a store may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only read.
    Read,
    /// Written too.
    Write,
}

/// A program without mistakes, and its text.
pub(crate) struct Text {
    /// The program.
    pub(crate) program: Program,
    /// The text.
    pub(crate) sources: Sources,
}

impl Text {
    /// The plan from what is remembered and what runs. What cannot be planned is shown.
    pub(crate) fn plan(
        &self,
        project: &Project,
        state: &State,
        observed: &ObservedState,
        wishes: &Wishes,
        context: &Context,
    ) -> Result<Plan, Failure> {
        self.or_refuse(self.try_plan(project, state, observed, wishes), context)
    }

    /// A plan that was made. What cannot be planned is shown.
    pub(crate) fn or_refuse(
        &self,
        planned: Result<Plan, Vec<Diagnostic>>,
        context: &Context,
    ) -> Result<Plan, Failure> {
        planned.map_err(|diagnostics| {
            refuse(&diagnostics, &self.sources, context);
            Failure::said(Exit::Failed)
        })
    }

    /// The same plan, or what is wrong, which nobody is shown.
    pub(crate) fn try_plan(
        &self,
        project: &Project,
        state: &State,
        observed: &ObservedState,
        wishes: &Wishes,
    ) -> Result<Plan, Vec<Diagnostic>> {
        tcloud_planner::plan(&self.input(project, state, observed, wishes))
    }

    /// What there is to plan from.
    pub(crate) fn input<'a>(
        &'a self,
        project: &'a Project,
        state: &'a State,
        observed: &'a ObservedState,
        wishes: &'a Wishes,
    ) -> Input<'a> {
        Input {
            deployment: &project.deployment,
            evaluator: &self.program,
            sources: &self.sources,
            catalog: &project.catalog,
            state,
            observed,
            now: jiff::Timestamp::now(),
            wishes,
        }
    }
}

/// Shows why there is no result; a program that waits for one is told as well.
pub(crate) fn refuse(diagnostics: &[Diagnostic], sources: &Sources, context: &Context) {
    show(diagnostics, sources, None, context);
    let mut answer = diagnostics::json(diagnostics, sources, None);
    match context.told {
        Told::InWords => {}
        Told::Object => context.terminal.json(&answer),
        Told::Event => {
            let all = answer["diagnostics"].take();
            let event = serde_json::json!({ "v": 1, "event": "refused", "diagnostics": all });
            context.terminal.json_text(&event.to_string());
        }
    }
}

/// Shows diagnostics, if there are any.
pub(crate) fn show(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    fine: Option<usize>,
    context: &Context,
) {
    if !diagnostics.is_empty() {
        let palette = context.terminal.error_palette;
        let text = diagnostics::render(diagnostics, sources, fine, palette);
        context.terminal.complain(text.trim_end());
    }
}

/// A plan as JSON, for standard output; `silent` when a host did not answer.
pub(crate) fn json(plan: &Plan, silent: bool) -> String {
    let mut text = Vec::new();
    let written = tcloud_report::json::write(plan, About::Plan, silent, &mut text);
    assert!(written.is_ok(), "BUG: a plan has a JSON form");
    String::from_utf8_lossy(&text).into_owned()
}

/// A plan as an event, in one line.
pub(crate) fn json_line(plan: &Plan, silent: bool) -> String {
    let plan: serde_json::Value = serde_json::from_str(&json(plan, silent)).unwrap_or_default();
    serde_json::json!({ "v": 1, "event": "planned", "plan": plan }).to_string()
}

/// Where tcloud keeps its own files of a project.
pub(crate) fn own_directory(root: &Path) -> PathBuf {
    root.join(OWN)
}

/// `user@machine`.
fn who() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let user = user.or_else(|| said(Command::new("id").arg("-un")));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let machine = machine.or_else(|| said(&mut Command::new("hostname")));
    let plain = |text: Option<String>| text.map(|text| text.trim().to_owned());
    let user = plain(user).filter(|user| !user.is_empty());
    let machine = plain(machine).filter(|machine| !machine.is_empty());
    format!(
        "{}@{}",
        user.as_deref().unwrap_or("somebody"),
        machine.as_deref().unwrap_or("somewhere")
    )
}

/// What a program says, when it ends well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The commit that the project stands at, with a mark when something is not committed.
fn revision(root: &Path) -> Option<String> {
    let commit = ask(root, &["rev-parse", "--short=10", "HEAD"])?;
    let dirty = ask(root, &["status", "--porcelain", "--", "."]).is_some();
    Some(if dirty { format!("{commit}+") } else { commit })
}
