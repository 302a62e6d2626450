//! The providers of a project: `sim`, which is built in, and those that `tcloud.toml` declares. They
//! are programs of their own; each is found, has to be the pinned one, and is known by a description
//! that is kept, so that most commands need not start it.

mod describe;
mod find;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tcloud_model::{AttrPath, Attribute, Diagnostic, Evaluator, Name, Value, codes};
use tcloud_plugin::{Filter, Launch, PluginProvider, Program, ProgramError};
use tcloud_provider::{Description, Provider, Registry};
use tcloud_provider_sim::SimProvider;

use tcloud_project::config::{Config, Declared};
pub(crate) use tcloud_project::lock::{FILE, Lock, LockError};

use crate::failure::Failure;
use crate::terminal::Terminal;

/// The name of the provider that is built in.
const BUILT_IN: &str = "sim";

/// The providers of a project.
pub(crate) struct Providers {
    /// Those that can be used.
    pub(crate) registry: Registry,
    /// Where the programs are.
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// Those that are declared and cannot be had, and why.
    pub(crate) absent: BTreeMap<String, String>,
    /// Those that texts may hand XML to as it is.
    raw: BTreeSet<String>,
}

/// Why a provider cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProvidersError {
    /// Its program is of no use.
    #[error("the provider {name} cannot be used")]
    Program {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: ProgramError,
    },
    /// It is another provider.
    #[error("{} calls itself {}, and is declared as {name}", path.display(), found.escape_debug())]
    Name {
        /// Its program.
        path: PathBuf,
        /// How it is declared.
        name: String,
        /// What it calls itself.
        found: String,
    },
}

impl Providers {
    /// Finds what a project declares. A program that is used for the first time is pinned.
    pub(crate) async fn load(
        root: &Path,
        config: &Config,
        filter: Filter,
        terminal: &Terminal,
    ) -> Result<Providers, Failure> {
        let mut providers = Providers {
            registry: Registry::new(),
            programs: BTreeMap::new(),
            absent: BTreeMap::new(),
            raw: BTreeSet::new(),
        };
        let allowed = config.providers.iter().filter(|(_, declared)| declared.allow_raw_xml);
        providers.raw.extend(allowed.map(|(name, _)| name.clone()));
        let built_in = config.providers.get(BUILT_IN).is_none_or(|own| own.path.is_none());
        if built_in {
            providers.registry.add(Arc::new(SimProvider::new()));
        }
        let others = config.providers.iter().filter(|(name, _)| !(built_in && *name == BUILT_IN));
        let mut lock = Lock::read(root)?;
        for (name, declared) in others {
            providers.add(root, name, declared, &filter, &mut lock, terminal).await?;
        }
        Ok(providers)
    }

    async fn add(
        &mut self,
        root: &Path,
        name: &str,
        declared: &Declared,
        filter: &Filter,
        lock: &mut Lock,
        terminal: &Terminal,
    ) -> Result<(), Failure> {
        let path = match find::program(root, name, declared.path.as_deref()) {
            Ok(path) => path,
            Err(places) => {
                self.absent.insert(name.to_owned(), places);
                return Ok(());
            }
        };
        let failed = |source| ProvidersError::Program { name: name.to_owned(), source };
        let program = match lock.digest(name) {
            Some(pinned) => Program::open_pinned(&path, pinned).map_err(|error| {
                let changed = matches!(error, ProgramError::Changed { .. });
                let failure = Failure::from(failed(error));
                match changed {
                    true => failure.help(format!("if you trust it: tcloud provider lock {name}")),
                    false => failure,
                }
            })?,
            None => Program::open(&path).map_err(failed)?,
        };
        if lock.digest(name).is_none() {
            pin(root, name, &program, lock, terminal)?;
        }
        let mut launch = Launch::new(name, &path);
        launch.digest = Some(program.digest().to_owned());
        launch.filter = Arc::clone(filter);
        let kept = describe::kept(root, program.digest());
        let is_new = kept.is_none();
        let described = match kept {
            Some(description) => PluginProvider::new(launch, description),
            None => PluginProvider::start(launch).await,
        };
        let provider = match described {
            Ok(provider) => provider,
            // Like one that is not there, it matters only to the hosts that use it.
            Err(error) => {
                self.absent.insert(name.to_owned(), error.message);
                return Ok(());
            }
        };
        if is_new {
            describe::keep(root, program.digest(), &provider.describe());
        }
        let Description { name: found, .. } = provider.describe();
        if found != name {
            let name = name.to_owned();
            return Err(ProvidersError::Name { path, name, found }.into());
        }
        self.programs.insert(name.to_owned(), path);
        self.registry.add(Arc::new(provider));
        Ok(())
    }

    /// What is wrong with the use that a program makes of providers.
    pub(crate) fn check(&self, program: &dyn Evaluator) -> Vec<Diagnostic> {
        let mut found = self.check_hosts(program);
        found.extend(self.check_raw(program));
        found
    }

    /// What is handed to a provider as it is, and is not allowed.
    fn check_raw(&self, program: &dyn Evaluator) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for resource in program.desired().resources.values() {
            for (block, value) in resource.attributes.iter() {
                let Value::Map(inner) = value else { continue };
                let set = inner.get(Attribute::RAW).is_some_and(|value| *value != Value::None);
                if !set || self.raw.contains(block.as_str()) {
                    continue;
                }
                let path = AttrPath::attribute(block.clone()).field(Attribute::RAW);
                let mut spans = program.causes(&resource.address, Some(&path)).into_iter();
                let head = || program.causes(&resource.address, None).into_iter().next();
                let Some(span) = spans.next().or_else(head) else { continue };
                let name = Attribute::RAW;
                let message = format!("{block}.{name} is not allowed in this project");
                let help = format!(
                    "use the words of the language, or allow it in tcloud.toml: \
                     [providers.{block}] allow_{name} = true"
                );
                found.push(Diagnostic::error(codes::E0911, span, message).help(help));
            }
        }
        found
    }

    /// What is wrong with the hosts that a program names providers for.
    fn check_hosts(&self, program: &dyn Evaluator) -> Vec<Diagnostic> {
        let attribute = AttrPath::attribute(Name::new("provider"));
        let hosts = program.desired().resources.values().filter(|own| own.address.kind() == "host");
        let mut found = Vec::new();
        for host in hosts {
            let name = host.attributes.text("provider").unwrap_or_default();
            let Err(unknown) = self.registry.get(name) else { continue };
            let mut spans = program.causes(&host.address, Some(&attribute)).into_iter();
            let head = || program.causes(&host.address, None).into_iter().next();
            let Some(span) = spans.next().or_else(head) else { continue };
            let diagnostic = match self.absent.get(name) {
                Some(places) => {
                    let message = format!("the provider {name} is declared, and cannot be had");
                    Diagnostic::error(codes::E0910, span, message).help(places.clone())
                }
                None => {
                    let near = tcloud_model::diagnostic::nearest(
                        name,
                        unknown.known.iter().map(String::as_str),
                    );
                    let help = match near {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("declare it in tcloud.toml: [providers.{name}]"),
                    };
                    Diagnostic::error(codes::E0910, span, unknown.to_string()).help(help)
                }
            };
            found.push(diagnostic);
        }
        found
    }

    /// What to say when the text is wrong and a declared provider is missing: its words are unknown.
    pub(crate) fn absence(&self) -> Option<String> {
        let (name, places) = self.absent.iter().next()?;
        Some(format!(
            "The provider {name} is declared and cannot be had, so that what it adds to the language \
             is unknown: {places}"
        ))
    }
}

/// Pins a program that is used for the first time, or anew.
pub(crate) fn pin(
    root: &Path,
    name: &str,
    program: &Program,
    lock: &mut Lock,
    terminal: &Terminal,
) -> Result<(), LockError> {
    lock.pin(name, program.digest());
    lock.write(root)?;
    terminal.note(&format!(
        "{name} is {} from now on ({FILE}: {}).",
        program.path().display(),
        program.digest()
    ));
    Ok(())
}

/// The program of a declared provider.
pub(crate) fn program(root: &Path, name: &str, declared: &Declared) -> Result<PathBuf, Failure> {
    find::program(root, name, declared.path.as_deref())
        .map_err(|places| Failure::new(format!("the provider {name} is not there")).help(places))
}

/// The name of the provider that is built in.
pub(crate) fn is_built_in(name: &str, config: &Config) -> bool {
    name == BUILT_IN && config.providers.get(name).is_none_or(|own| own.path.is_none())
}
