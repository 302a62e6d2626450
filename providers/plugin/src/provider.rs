//! tcloud's side: a plugin as a provider. The process is started when it is first needed and again
//! after it was lost; a call that was under way then fails as one of unknown effect.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tcloud_model::{Catalog, HostObservation, ObservedObject, Operation};
use tcloud_provider::{
    ConfiguredProvider, Description, HostConfig, Provider, ProviderError, registry,
};
use tokio::sync::Mutex;

use crate::check;
use crate::link::{Link, Lost, Replied};
use crate::message::{
    self, Answer, Configured, Connection, Hello, Nothing, Observed, OfOperation, OnConnection,
    VERSION, Welcome, method,
};
use crate::process::{self, Filter, plain};
use crate::program::Program;

/// How often in a row a plugin may be lost without having been of any use.
const MOST_LOSSES: u32 = 5;

/// How a plugin is run.
#[derive(Clone)]
pub struct Launch {
    /// What messages call it.
    pub name: String,
    /// Its program.
    pub path: PathBuf,
    /// Arguments for it.
    pub arguments: Vec<OsString>,
    /// The digest that the program must have; `None` for whatever it is.
    pub digest: Option<String>,
    /// Takes secrets out of what it says.
    pub filter: Filter,
    /// How long the first answers – welcome and description – may take.
    pub patience: Duration,
}

impl Launch {
    /// Runs a program without arguments, whatever its digest.
    pub fn new(name: &str, path: &Path) -> Launch {
        Launch {
            name: name.to_owned(),
            path: path.to_owned(),
            arguments: Vec::new(),
            digest: None,
            filter: Arc::new(str::to_owned),
            patience: Duration::from_secs(10),
        }
    }
}

/// A plugin.
pub struct PluginProvider {
    description: Description,
    plugin: Arc<Plugin>,
}

/// A plugin's process, or that there is none at the moment.
struct Plugin {
    launch: Launch,
    catalog: Catalog,
    state: Mutex<State>,
    /// How many hosts are in use.
    hosts: AtomicUsize,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// How often in a row it was lost, and why the last time.
    losses: u32,
    why: String,
}

impl State {
    fn loss(&mut self, why: String) {
        self.link = None;
        self.losses += 1;
        self.why = why;
    }
}

impl PluginProvider {
    /// A plugin whose description is known; it is not started yet.
    ///
    /// # Errors
    /// When the description cannot be.
    pub fn new(launch: Launch, description: Description) -> Result<PluginProvider, ProviderError> {
        let mut catalog = Catalog::core();
        registry::add(&mut catalog, description.clone())
            .map_err(|error| ProviderError::permanent(error.to_string()))?;
        let hosts = AtomicUsize::new(0);
        let plugin = Plugin { launch, catalog, state: Mutex::default(), hosts };
        Ok(PluginProvider { description, plugin: Arc::new(plugin) })
    }

    /// Starts a plugin to ask for its description.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer as it must.
    pub async fn start(launch: Launch) -> Result<PluginProvider, ProviderError> {
        let hosts = AtomicUsize::new(0);
        let catalog = Catalog::core();
        let mut plugin = Plugin { launch, catalog, state: Mutex::default(), hosts };
        let link = plugin.link().await?;
        let patience = plugin.launch.patience;
        let asked =
            plugin.ask_within::<Description>(patience, &link, method::DESCRIBE, &Nothing {});
        let description = asked.await?;
        registry::add(&mut plugin.catalog, description.clone())
            .map_err(|error| ProviderError::permanent(error.to_string()))?;
        Ok(PluginProvider { description, plugin: Arc::new(plugin) })
    }

    /// Asks for something that is outside of the contract of providers.
    ///
    /// # Errors
    /// When the plugin fails or does not know the method.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, ProviderError> {
        let link = self.plugin.link().await?;
        self.plugin.ask(&link, method, params).await.map(|(answer, _)| answer)
    }

    /// Ends the process, gently at first.
    pub async fn close(&self) {
        self.plugin.close().await;
    }
}

#[async_trait]
impl Provider for PluginProvider {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    async fn configure(
        &self,
        host: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        let mut config = host.clone();
        // A plugin need not know where tcloud was started.
        if let Ok(directory) = std::path::absolute(&config.directory) {
            config.directory = directory;
        }
        let host =
            PluginHost { plugin: Arc::clone(&self.plugin), config, reached: Mutex::default() };
        host.reach().await?;
        self.plugin.hosts.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(host))
    }
}

impl Plugin {
    fn lost(&self, lost: Lost) -> ProviderError {
        let Lost { why, sent } = lost;
        let message = format!("the provider {} was lost: {why}", self.launch.name);
        if sent { ProviderError::unknown(message) } else { ProviderError::transient(message) }
    }

    fn nonsense(&self, method: &str, trouble: &str) -> ProviderError {
        let name = &self.launch.name;
        ProviderError::unknown(format!(
            "the provider {name} answers {method} with nonsense: {trouble}"
        ))
    }

    /// The live process, started now if there is none.
    async fn link(&self) -> Result<Arc<Link>, ProviderError> {
        let mut state = self.state.lock().await;
        if let Some(link) = &state.link {
            let Some(why) = link.gone() else { return Ok(Arc::clone(link)) };
            if link.was_useful() {
                state.losses = 0;
            }
            state.loss(why);
        }
        if state.losses >= MOST_LOSSES {
            let (name, why) = (&self.launch.name, &state.why);
            return Err(ProviderError::permanent(format!(
                "the provider {name} was lost {MOST_LOSSES} times in a row and is not started \
                 again: {why}"
            )));
        }
        match self.launch().await {
            Ok(link) => {
                state.link = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                state.loss(error.message.clone());
                Err(error)
            }
        }
    }

    async fn launch(&self) -> Result<Arc<Link>, ProviderError> {
        let Launch { name, path, arguments, digest, filter, patience } = &self.launch;
        let (path, digest) = (path.clone(), digest.clone());
        let opening = tokio::task::spawn_blocking(move || match digest {
            Some(digest) => Program::open_pinned(&path, &digest),
            None => Program::open(&path),
        });
        let Ok(program) = opening.await else {
            return Err(ProviderError::transient("the run is ending"));
        };
        let program = program.map_err(|error| cannot_start(name, &error))?;
        let (process, streams) = process::start(name, &program, arguments, Arc::clone(filter))
            .map_err(|error| cannot_start(name, &error))?;
        let link = Arc::new(Link::new(name, process, streams));
        let hello = Hello {
            client: concat!("tcloud ", env!("CARGO_PKG_VERSION")).to_owned(),
            protocols: vec![VERSION],
            kinds: serde_json::to_value(
                Catalog::core().iter().map(Arc::as_ref).collect::<Vec<_>>(),
            )
            .unwrap_or_default(),
        };
        let asked = self.ask_within::<Welcome>(*patience, &link, method::HELLO, &hello);
        // The program has to stay open until then: a script is read by its interpreter.
        let welcome = asked.await;
        drop(program);
        let Welcome { protocol, name: _, version: _ } = welcome?;
        if protocol != VERSION {
            return Err(ProviderError::permanent(format!(
                "the provider {name} wants to speak version {protocol} of the protocol, and only \
                 {VERSION} was offered"
            )));
        }
        Ok(link)
    }

    async fn ask_within<T: DeserializeOwned>(
        &self,
        patience: Duration,
        link: &Link,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, ProviderError> {
        match tokio::time::timeout(patience, self.ask(link, method, params)).await {
            Ok(answer) => answer.map(|(answer, _)| answer),
            Err(_) => {
                link.kill();
                let (name, seconds) = (&self.launch.name, patience.as_secs_f32());
                Err(ProviderError::transient(format!(
                    "the provider {name} hangs: no answer to {method} within {seconds} s"
                )))
            }
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        link: &Link,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<(T, Vec<message::Object>), ProviderError> {
        let reply = link.ask(method, params).await.map_err(|lost| self.lost(lost))?;
        let Replied { result, objects } = reply.map_err(|error| {
            let mut error = ProviderError::from(error);
            error.message = plain(&(self.launch.filter)(&error.message));
            error
        })?;
        let answer =
            message::read_part(&result).map_err(|trouble| self.nonsense(method, &trouble))?;
        Ok((answer, objects))
    }

    async fn close(&self) {
        let link = self.state.lock().await.link.take();
        if let Some(link) = link {
            link.close().await;
        }
    }
}

/// The error of a program that cannot be started, with its cause.
fn cannot_start(name: &str, error: &dyn std::error::Error) -> ProviderError {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    ProviderError::permanent(format!("the provider {name} cannot be started: {error}{cause}"))
}

/// A host that a plugin reached.
struct PluginHost {
    plugin: Arc<Plugin>,
    config: HostConfig,
    /// In which process, and what it calls the host.
    reached: Mutex<Option<(Weak<Link>, Connection)>>,
}

impl PluginHost {
    /// The live process and what it calls the host. A new process has to reach the host anew.
    async fn reach(&self) -> Result<(Arc<Link>, Connection), ProviderError> {
        let link = self.plugin.link().await?;
        let mut reached = self.reached.lock().await;
        if let Some((process, connection)) = &*reached
            && process.upgrade().is_some_and(|own| Arc::ptr_eq(&own, &link))
        {
            return Ok((link, *connection));
        }
        let asked = self.plugin.ask::<Configured>(&link, method::CONFIGURE, &self.config).await;
        let (Configured { connection }, _) = asked?;
        *reached = Some((Arc::downgrade(&link), connection));
        Ok((link, connection))
    }

    /// As [`PluginHost::reach`], before something that has not been begun then.
    async fn reach_first(&self) -> Result<(Arc<Link>, Connection), ProviderError> {
        self.reach().await.map_err(|error| match error.retry {
            tcloud_provider::Retry::Unknown => ProviderError::transient(error.message),
            _ => error,
        })
    }

    async fn about(
        &self,
        method: &'static str,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, ProviderError> {
        let (link, connection) = self.reach_first().await?;
        let params = OfOperation { connection, operation: operation.clone() };
        let answer = self.plugin.ask::<Answer>(&link, method, &params).await;
        let answer = answer.map_err(|error| self.without_nonsense(error))?;
        link.is_useful();
        let (Answer { object }, ahead) = answer;
        if !ahead.is_empty() {
            return Err(self.plugin.nonsense(method, "objects that nobody asked for"));
        }
        let Some(object) = object.map(ObservedObject::from) else { return Ok(None) };
        check::object(&self.plugin.catalog, &object)
            .map_err(|trouble| self.plugin.nonsense(method, &trouble))?;
        Ok(Some(object))
    }

    /// An error of the plugin, without an object that cannot be.
    fn without_nonsense(&self, mut error: ProviderError) -> ProviderError {
        let believed =
            |object: &ObservedObject| check::object(&self.plugin.catalog, object).is_ok();
        error.object = error.object.filter(|object| believed(object));
        error
    }
}

#[async_trait]
impl ConfiguredProvider for PluginHost {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        let (link, connection) = self.reach_first().await?;
        let params = OnConnection { connection };
        let (answer, ahead) = self.plugin.ask(&link, method::OBSERVE, &params).await?;
        link.is_useful();
        let Observed { facts, objects, problems } = answer;
        let objects: Vec<ObservedObject> =
            ahead.into_iter().chain(objects).map(ObservedObject::from).collect();
        for object in &objects {
            check::object(&self.plugin.catalog, object)
                .map_err(|trouble| self.plugin.nonsense(method::OBSERVE, &trouble))?;
        }
        let filter = &self.plugin.launch.filter;
        let problems = problems.iter().map(|problem| plain(&filter(problem))).collect();
        Ok(HostObservation { host: self.config.host.clone(), facts, objects, problems })
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        self.about(method::LOOK, operation).await
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        self.about(method::APPLY, operation).await
    }

    /// Tells the plugin, and ends it with its last host.
    async fn shutdown(&self) {
        let Some((process, connection)) = self.reached.lock().await.take() else { return };
        if let Some(link) = process.upgrade() {
            let params = OnConnection { connection };
            let patience = self.plugin.launch.patience;
            let told =
                self.plugin.ask_within::<Nothing>(patience, &link, method::SHUTDOWN, &params);
            if let Err(error) = told.await {
                tracing::info!("{} was not let go: {}", self.config.host, error.message);
            }
        }
        if self.plugin.hosts.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.plugin.close().await;
        }
    }
}
