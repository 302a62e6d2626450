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

use tcloud_model::{Address, Deployment, Fields, Value};

use crate::ConfiguredProvider;

pub use client::{Applied, Client, fields, with};
pub use outsider::Outsider;

use world::World;

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was checked, as a sentence about the provider.
    pub name: String,
    /// What was wrong; `None` when the provider passed.
    pub trouble: Option<String>,
}

/// What a check found wrong, in words.
pub(crate) type Checked = Result<(), String>;

/// What the suite will ask for, for those who have to make it fit a host before.
pub fn asked() -> Vec<(Address, Fields)> {
    world::asked().collect()
}

/// Runs the whole suite on an empty host. It leaves the host empty, unless a check fails.
pub async fn run(
    provider: &dyn ConfiguredProvider,
    host: &Address,
    deployment: Deployment,
    outsider: &dyn Outsider,
) -> Vec<Verdict> {
    let client = Client::new(provider, host, deployment);
    let world = World::new(outsider);
    let mut suite = Suite { client, outsider, world, verdicts: Vec::new() };
    suite.life().await;
    suite.strangers().await;
    suite.costs().await;
    suite.verdicts
}

/// A run of the suite.
pub(crate) struct Suite<'a> {
    pub(crate) client: Client<'a>,
    pub(crate) outsider: &'a dyn Outsider,
    pub(crate) world: World,
    verdicts: Vec<Verdict>,
}

impl Suite<'_> {
    /// Notes what came of a check.
    pub(crate) fn note(&mut self, name: impl Into<String>, checked: Checked) {
        self.verdicts.push(Verdict { name: name.into(), trouble: checked.err() });
    }

    /// Makes the whole world.
    pub(crate) async fn build(&self) -> Checked {
        for (address, attributes) in &self.world.objects {
            self.client
                .create(address, attributes)
                .await
                .map_err(|error| format!("{address} cannot be created: {error}"))?;
        }
        Ok(())
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
