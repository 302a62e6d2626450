//! The suite that every provider passes, in process and as a plugin: it asks a host for things as a
//! run does, and compares what comes of it with what the contract and the schemas promise.
//!
//! The modules stand in reading order:
//!
//! * `outsider` – what the suite needs besides the provider ([`Outsider`]).
//! * `client` – asks as a run does ([`Client`]).
//! * `world` – a small world with every managed kind in it.
//! * `life` – creating, looking, deleting, stamping, giving up, nonsense.
//! * `stranger` – objects that are not ours.
//! * `vary`, `variation` – other values for every attribute; `cost` – what changing to them does.

mod client;
mod cost;
mod life;
mod outsider;
mod stranger;
mod variation;
mod vary;
mod world;

use std::fmt;

use tcloud_model::{Address, Deployment, Fields, Name, Value};

use crate::{ConfiguredProvider, ProviderError};

pub use client::{Applied, Client, fields, with};
pub use outsider::Outsider;

use variation::Variation;
use world::World;

/// A check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was checked, as a sentence about the provider.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider passed.
    Kept,
    /// What was wrong.
    Broken(String),
    /// Why nobody looked. This says nothing about the provider.
    NotRun(String),
}

impl Verdict {
    /// What was wrong; `None` when nothing was found.
    pub fn trouble(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Broken(trouble) => Some(trouble),
            Outcome::Kept | Outcome::NotRun(_) => None,
        }
    }
}

/// What a check found wrong, in words.
pub(crate) type Checked = Result<(), String>;

/// What the suite will ask for, for those who have to make it fit a host before.
pub fn asked() -> Vec<(Address, Fields)> {
    world::asked().collect()
}

/// What one of several hosts does of the suite, for providers that take long: its share of the changes,
/// and the first host everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which host this is, from 0.
    pub index: usize,
    /// How many hosts there are, at least one.
    pub of: usize,
}

impl Share {
    /// The whole suite.
    pub const WHOLE: Share = Share { index: 0, of: 1 };

    /// The share of a row.
    pub(crate) fn cut<T>(self, all: &[T]) -> &[T] {
        let length = all.len().div_ceil(self.of.max(1)).max(1);
        all.chunks(length).nth(self.index).unwrap_or_default()
    }
}

/// Runs the whole suite on an empty host. It leaves the host empty, unless a check fails.
pub async fn run(
    provider: &dyn ConfiguredProvider,
    host: &Address,
    deployment: Deployment,
    outsider: &dyn Outsider,
) -> Vec<Verdict> {
    run_share(provider, host, deployment, outsider, Share::WHOLE).await
}

/// The same for a share of it.
pub async fn run_share(
    provider: &dyn ConfiguredProvider,
    host: &Address,
    deployment: Deployment,
    outsider: &dyn Outsider,
    share: Share,
) -> Vec<Verdict> {
    let client = Client::new(provider, host, deployment);
    let world = World::new(|address, attributes| outsider.fit(address, attributes));
    Suite::new(client, Ok(outsider), world, share).run().await
}

/// Runs what needs nobody who does things to the host by hand; `why` says why there is nobody. What
/// cannot be checked so is told as not run. `fit` makes attributes fit the host, as an outsider does.
pub async fn run_alone(
    provider: &dyn ConfiguredProvider,
    host: &Address,
    deployment: Deployment,
    why: &str,
    fit: impl Fn(&Address, Fields) -> Fields,
) -> Vec<Verdict> {
    let client = Client::new(provider, host, deployment);
    let world = World::new(fit);
    Suite::new(client, Err(why), world, Share::WHOLE).run().await
}

/// A run of the suite.
pub(crate) struct Suite<'a> {
    pub(crate) client: Client<'a>,
    /// Who does things by hand, or why nobody does.
    pub(crate) outsider: Result<&'a dyn Outsider, &'a str>,
    pub(crate) world: World,
    /// The attributes that the provider says its host cannot make real, with why.
    lacks: Vec<(String, String)>,
    pub(crate) share: Share,
    verdicts: Vec<Verdict>,
}

impl<'a> Suite<'a> {
    fn new(
        client: Client<'a>,
        outsider: Result<&'a dyn Outsider, &'a str>,
        world: World,
        share: Share,
    ) -> Suite<'a> {
        Suite { client, outsider, world, lacks: Vec::new(), share, verdicts: Vec::new() }
    }

    async fn run(mut self) -> Vec<Verdict> {
        if self.share.index == 0 {
            self.life().await;
            self.strangers().await;
        }
        self.costs().await;
        self.verdicts
    }

    /// The run of a guest; always the same when nobody can tell, which [`Suite::not_run`] has to say.
    pub(crate) async fn process_of(&self, guest: &Name) -> Result<Option<String>, String> {
        match self.outsider {
            Ok(outsider) => outsider.process(guest).await,
            Err(_) => Ok(None),
        }
    }

    /// Notes that a check needs somebody who is not there.
    pub(crate) fn not_run(&mut self, name: impl Into<String>, why: &str) {
        let outcome = Outcome::NotRun(why.to_owned());
        self.verdicts.push(Verdict { name: name.into(), outcome });
    }

    /// Notes what came of a check.
    pub(crate) fn note(&mut self, name: impl Into<String>, checked: Checked) {
        let outcome = match checked {
            Ok(()) => Outcome::Kept,
            Err(trouble) => Outcome::Broken(trouble),
        };
        self.verdicts.push(Verdict { name: name.into(), outcome });
    }

    /// Makes the whole world.
    pub(crate) async fn build(&self) -> Checked {
        self.try_build().await.map_err(|error| error.message)
    }

    async fn try_build(&self) -> Result<(), ProviderError> {
        for (address, attributes) in &self.world.objects {
            self.client.create(address, attributes).await.map_err(|mut error| {
                error.message = format!("{address} cannot be created: {error}");
                error
            })?;
        }
        Ok(())
    }

    /// Makes the whole world, without the attributes of which the provider says that its host cannot
    /// make them real.
    pub(crate) async fn build_what_can_be(&mut self) -> Checked {
        loop {
            let Err(error) = self.try_build().await else { return Ok(()) };
            match error.lacks {
                Some(name) if self.world.forget(&name) => self.lacks.push((name, error.message)),
                _ => return Err(error.message),
            }
        }
    }

    /// Why a change cannot be tried here: the host cannot make the attribute real, or nobody is there
    /// whose guests would let go of a device, or who knows of a kernel.
    pub(crate) fn hindrance(&self, change: &Variation) -> Option<String> {
        let names = change.path.names();
        let lacks = |(name, _): &&(String, String)| names.last().is_some_and(|own| **own == **name);
        let lack = self.lacks.iter().find(lacks).map(|(_, why)| why.clone());
        let unplugs = change.value.is_none()
            && names.len() == 2
            && ["disk", "nic"].contains(&names[0].as_str());
        let boots = ["kernel", "initrd", "cmdline"];
        let boots = names.last().is_some_and(|own| boots.contains(&own.as_str()));
        lack.or_else(|| self.outsider.err().filter(|_| unplugs || boots).map(str::to_owned))
    }

    /// Takes the whole world away, in the other order.
    pub(crate) async fn clear(&self) -> Checked {
        for (address, _) in self.world.objects.iter().rev() {
            self.client
                .delete(address)
                .await
                .map_err(|error| format!("{address} cannot be deleted: {error}"))?;
        }
        Ok(())
    }

    /// Makes sure that an object is seen as it was asked for.
    pub(crate) async fn see(&self, address: &Address, asked: &Fields) -> Checked {
        match self.client.observe(address).await {
            Ok(Some(seen)) => agree(asked, &seen.attributes),
            Ok(None) => Err(format!("{address} is not seen")),
            Err(error) => Err(format!("the host cannot be observed: {error}")),
        }
    }
}

/// Makes sure that what is seen is what was asked for. What a provider cannot read is missing, and
/// what it can read besides may be there.
pub(crate) fn agree(asked: &Fields, seen: &Fields) -> Checked {
    for (name, value) in asked.iter() {
        match (value, seen.get(name)) {
            (_, None) => {}
            // A block that says nothing.
            (Value::Map(asked), Some(Value::None)) if asked.is_empty() => {}
            (Value::Map(asked), Some(Value::Map(seen))) => {
                agree(asked, seen).map_err(|trouble| format!("{name}.{trouble}"))?;
            }
            (asked, Some(seen)) if asked == seen => {}
            (asked, Some(seen)) => return Err(format!("{name} was asked as {asked}, is {seen}")),
        }
    }
    Ok(())
}

/// Turns a condition into a check.
pub(crate) fn ensure(holds: bool, trouble: impl fmt::Display) -> Checked {
    if holds { Ok(()) } else { Err(trouble.to_string()) }
}
