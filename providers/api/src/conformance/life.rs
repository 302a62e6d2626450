//! Creating, looking, deleting, stamping, giving up, nonsense.

use std::time::Duration;

use tcloud_model::{Address, Deployment, Fields, Name, OperationKind, Value};

use super::{Checked, Suite, agree, ensure};
use crate::ProviderError;

impl Suite<'_> {
    /// The checks of this module.
    pub(crate) async fn life(&mut self) {
        let built = self.build_what_can_be().await;
        self.note("everything can be created", built);
        for (address, attributes) in self.world.objects.clone() {
            let checked = self.create(&address, &attributes).await;
            self.note(format!("{address} is seen as it was asked for"), checked);
        }
        for (address, attributes) in self.world.one_of_each() {
            let kind = address.kind().clone();
            let checked = self.create_twice(&address, &attributes).await;
            self.note(format!("creating a {kind} twice is creating it once"), checked);
            let checked = self.restamp(&address, &attributes).await;
            self.note(format!("a {kind} can be forgotten, adopted and moved"), checked);
        }
        let checked = self.nonsense().await;
        self.note("malformed requests are errors, and the provider lives on", checked);
        let cleared = self.clear().await;
        self.note("everything can be deleted", cleared);
        for (address, _) in self.world.one_of_each() {
            let checked = self.delete_absent(&address).await;
            self.note(format!("deleting an absent {} is success", address.kind()), checked);
        }
        let checked = self.give_up().await;
        self.note("a call that is given up leaves what a sweep shows", checked);
    }

    async fn create(&self, address: &Address, attributes: &Fields) -> Checked {
        self.see(address, attributes).await?;
        let operation = self.client.creation(address, attributes);
        let looked = self.client.provider.look(&operation).await.map_err(words)?;
        let swept = self.client.observe(address).await.map_err(words)?;
        ensure(looked == swept, "a look and a sweep show different things")?;
        let stamp = swept.and_then(|object| object.stamp);
        ensure(
            stamp == Some(self.client.stamp(address, attributes)),
            format!("the stamp is not seen as it was put on: {stamp:?}"),
        )
    }

    async fn create_twice(&self, address: &Address, attributes: &Fields) -> Checked {
        let name = &self.client.identity(address).name;
        let is_guest = *address.kind() == "vm";
        let process = if is_guest { self.process_of(name).await? } else { None };
        let before = self.client.observe(address).await.map_err(words)?;
        let answer = self.client.create(address, attributes).await.map_err(words)?;
        ensure(answer == before, "the second answer differs from what was there")?;
        let count = |objects: &[tcloud_model::ObservedObject]| {
            objects.iter().filter(|object| object.name == *name).count()
        };
        let objects = self.client.provider.observe().await.map_err(words)?.objects;
        ensure(count(&objects) == 1, "there are two of them")?;
        let now = if is_guest { self.process_of(name).await? } else { None };
        ensure(process == now, "the guest was interrupted")
    }

    async fn restamp(&self, address: &Address, attributes: &Fields) -> Checked {
        let client = &self.client;
        let forget = client.operation(address, OperationKind::Unstamp);
        let adopt = |stamp, adopt| {
            let mut operation = client.operation(address, OperationKind::Stamp { stamp, adopt });
            operation.identity = client.identity(address);
            operation
        };
        for _ in 0..2 {
            let seen = client.provider.apply(&forget).await.map_err(words)?;
            let Some(seen) = seen else { return Err("it is gone with its stamp".to_owned()) };
            ensure(seen.stamp.is_none(), "it still carries a stamp")?;
        }
        ensure(client.delete(address).await.is_err(), "it is deleted without our stamp")?;
        let stamp = client.stamp(address, attributes);
        for _ in 0..2 {
            client.provider.apply(&adopt(stamp.clone(), true)).await.map_err(words)?;
        }
        self.see(address, attributes).await?;
        let elsewhere = Address::root("tenant", "conformance-moved", None);
        let moved = elsewhere.child(address.kind().clone(), address.name().clone(), None);
        let mut operation = adopt(client.stamp(&moved, attributes), false);
        operation.object.address = moved.clone();
        let seen = client.provider.apply(&operation).await.map_err(words)?;
        let stamped = seen.and_then(|object| object.stamp).map(|stamp| stamp.address);
        ensure(stamped == Some(moved), "the new address is not seen")?;
        client.provider.apply(&adopt(stamp, false)).await.map_err(words)?;
        self.see(address, attributes).await
    }

    async fn delete_absent(&self, address: &Address) -> Checked {
        let answer = self.client.delete(address).await.map_err(words)?;
        ensure(answer.is_none(), "there is still something")?;
        let operation = self.client.operation(address, OperationKind::Delete);
        let looked = self.client.provider.look(&operation).await.map_err(words)?;
        ensure(looked.is_none(), "a look still shows something")
    }

    async fn nonsense(&self) -> Checked {
        let (guest, attributes) = self.world.guest();
        let good = self.client.creation(&guest, &attributes);
        let mut all = Vec::new();
        for kind in ["tenant", "nonsense", ""] {
            let mut operation = good.clone();
            operation.kind = Name::new(kind);
            all.push((format!("kind {kind:?}"), operation));
        }
        for name in ["", "../escape", "a\nb"] {
            let mut operation = good.clone();
            operation.identity.name = Name::new(name);
            operation.identity.uuid = Deployment::new(name).id;
            all.push((format!("name {name:?}"), operation));
        }
        for (what, field, value) in [
            ("an attribute of the wrong type", "memory", Value::text("much")),
            ("an attribute that does not exist", "nonsense", Value::Int(1)),
        ] {
            let wrong = super::with(&attributes, field, value);
            all.push((what.to_owned(), self.client.creation(&guest, &wrong)));
        }
        let mut elsewhere = good.clone();
        elsewhere.object.host = Address::root("host", "conformance-elsewhere", None);
        all.push(("another host".to_owned(), elsewhere));
        for (what, operation) in all {
            let refused = self.client.provider.apply(&operation).await.is_err();
            ensure(refused, format!("{what} is accepted"))?;
        }
        self.see(&guest, &attributes).await
    }

    /// Gives calls up at different moments; whatever they did by then, a sweep and a look say the
    /// same, and a repeat finishes.
    async fn give_up(&self) -> Checked {
        let Some((address, attributes)) = self.world.objects.first().cloned() else {
            return Ok(());
        };
        for patience in [0, 1, 5, 20] {
            let call = self.client.create(&address, &attributes);
            let _ = tokio::time::timeout(Duration::from_millis(patience), call).await;
            let operation = self.client.creation(&address, &attributes);
            let look = || async { self.client.provider.look(&operation).await.map_err(words) };
            let before = look().await?;
            let swept = self.client.observe(&address).await.map_err(words)?;
            // What was given up may still come to its end, on the other side of a pipe.
            let same = swept == before || swept == look().await?;
            ensure(same, "a look and a sweep show different things")?;
            let seen = self.client.create(&address, &attributes).await.map_err(words)?;
            let Some(seen) = seen else { return Err("a repeat makes nothing".to_owned()) };
            agree(&attributes, &seen.attributes)?;
            self.client.delete(&address).await.map_err(words)?;
        }
        Ok(())
    }
}

/// An error in words.
pub(crate) fn words(error: ProviderError) -> String {
    error.message
}
