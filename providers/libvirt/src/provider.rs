//! The provider `libvirt`: opens hosts and passes calls on to them.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tcloud_model::{Catalog, HostObservation, ObservedObject, Operation};
use tcloud_provider::{
    ConfiguredProvider, Description, HostConfig, Provider, ProviderError, registry,
};
use tokio::sync::{Mutex as Turn, RwLock};
use uuid::Uuid;

use crate::connection::{Host, QUICK, Uri, blamed};
use crate::domain::{self, Accel};
use crate::failure::Failure;
use crate::guard::Guards;
use crate::image::Sources;
use crate::site::{Call, Class, Site};
use crate::users::Users;

/// The longest that an operation may take, once it has begun: images can be large, and lines slow.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// Hosts with libvirt and QEMU.
#[derive(Debug, Default)]
pub struct LibvirtProvider {
    sources: Sources,
}

impl LibvirtProvider {
    /// Knows the core kinds.
    pub fn new() -> LibvirtProvider {
        LibvirtProvider::default()
    }

    /// Lets images come from servers whose addresses are not public.
    #[must_use]
    pub fn with_private_sources(mut self) -> LibvirtProvider {
        self.sources.private = true;
        self
    }
}

#[async_trait]
impl Provider for LibvirtProvider {
    fn describe(&self) -> Description {
        Description {
            name: "libvirt".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kinds: Vec::new(),
            extensions: vec![domain::extension()],
            at_once: NonZeroUsize::new(16),
        }
    }

    async fn configure(
        &self,
        host: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        let uri = host.attributes.text("uri").unwrap_or(Uri::DEFAULT);
        let uri = Uri::parse(uri)
            .map_err(|what| ProviderError::permanent(format!("{}: {what}", host.host)))?;
        let accel = match host.attributes.text("accel") {
            Some("kvm") => Some(Accel::Kvm),
            Some("tcg") => Some(Accel::Tcg),
            _ => None,
        };
        let mut catalog = Catalog::core();
        registry::add(&mut catalog, self.describe())
            .map_err(|error| ProviderError::permanent(error.to_string()))?;
        let site = Site {
            host: host.host.clone(),
            deployment: host.deployment,
            catalog,
            accel,
            capability: Mutex::default(),
            version: Mutex::default(),
            guards: Guards::default(),
            users: Users::default(),
            directory: host.directory.join("images"),
            sources: self.sources,
        };
        let own = LibvirtHost {
            site: Arc::new(site),
            host: Arc::new(Host::new(uri)),
            objects: Mutex::default(),
            all: Arc::default(),
        };
        let reached = own.host.call("reach", QUICK, |_| Ok(())).await;
        reached.map_err(|failure| failure.told(&host.host))?;
        Ok(Arc::new(own))
    }
}

/// A host that was reached.
pub(crate) struct LibvirtHost {
    pub(crate) site: Arc<Site>,
    pub(crate) host: Arc<Host>,
    /// One turn per object: what is asked about an object waits for what is done to it, also when
    /// nobody waits for that any more.
    objects: Mutex<HashMap<Uuid, Arc<Turn<()>>>>,
    /// A sweep waits for what is being done.
    all: Arc<RwLock<()>>,
}

impl LibvirtHost {
    fn turn(&self, object: Uuid) -> Arc<Turn<()>> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody waits for are forgotten now and then.
        if objects.len() > 1_024 {
            objects.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(objects.entry(object).or_default())
    }

    /// Does something for an operation when it is the object's turn.
    async fn one(
        &self,
        operation: &Operation,
        deadline: Duration,
        work: fn(Call<'_>, Class, &Operation) -> Result<Option<ObservedObject>, Failure>,
    ) -> Result<Option<ObservedObject>, ProviderError> {
        let told = |failure: Failure| failure.told(&self.site.host);
        let class = self.site.accept(operation).map_err(told)?;
        let what = format!("{} {}", operation.action.word(), operation.object.address);
        let all = Arc::clone(&self.all).read_owned().await;
        let turn = self.turn(operation.identity.uuid).lock_owned().await;
        let (site, operation) = (Arc::clone(&self.site), operation.clone());
        let (uri, name) = (self.host.uri().clone(), what.clone());
        // Held here until somebody gives up: who asks again does not wait for what has not begun.
        let turns = Arc::new((all, turn));
        let waiting = Arc::downgrade(&turns);
        let call = self.host.call(&what, deadline, move |connect| {
            // Work that has begun keeps them to its end, however long somebody waits for it.
            let Some(_turns) = waiting.upgrade() else {
                return Err(Failure::Away(format!("{name}: nobody waits for it any more")));
            };
            let call = Call { connect, site: &site };
            // What the work could not do is told with what it left behind.
            Ok(work(call, class, &operation).map_err(|failure| {
                let failure = blamed(connect, &uri, &name, failure);
                let object = look(call, class, &operation).ok().flatten();
                (failure, object)
            }))
        });
        match call.await.map_err(told)? {
            Ok(object) => Ok(object),
            Err((failure, object)) => {
                let error = told(failure);
                Err(match object {
                    Some(object) => error.with_object(object),
                    None => error,
                })
            }
        }
    }
}

#[async_trait]
impl ConfiguredProvider for LibvirtHost {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        let _all = self.all.write().await;
        self.sweep().await.map_err(|failure| failure.told(&self.site.host))
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        self.one(operation, QUICK, look).await
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        self.one(operation, PATIENCE, apply).await
    }

    async fn shutdown(&self) {
        self.host.close();
    }
}

fn look(
    call: Call<'_>,
    class: Class,
    operation: &Operation,
) -> Result<Option<ObservedObject>, Failure> {
    match class {
        Class::Pool => call.look_pool(operation.identity.uuid),
        Class::Guest => call.look_guest(operation.identity.uuid),
        Class::Network => call.look_network(operation.identity.uuid),
        Class::Volume | Class::Image => call.look_volume(operation),
    }
}

fn apply(
    call: Call<'_>,
    class: Class,
    operation: &Operation,
) -> Result<Option<ObservedObject>, Failure> {
    match class {
        Class::Pool => call.apply_pool(operation),
        Class::Guest => {
            // Its disks may be others afterwards.
            let applied = call.apply_guest(operation);
            call.site.users.forget();
            applied
        }
        Class::Network => call.apply_network(operation),
        Class::Volume => call.apply_volume(operation),
        Class::Image => call.apply_image(operation),
    }
}
