//! Objects that are not ours: made by hand, or by another deployment. They are seen, and nothing
//! more.

use tcloud_model::{Address, Fields, Name, ObservedObject, OperationKind};

use super::life::words;
use super::{Checked, Client, Outsider, Suite, ensure};

impl Suite<'_> {
    /// The checks of this module.
    pub(crate) async fn strangers(&mut self) {
        let others = "objects of another deployment are seen and left alone";
        let name =
            |address: &Address| format!("a foreign {} is seen and left alone", address.kind());
        let outsider = match self.outsider {
            Ok(outsider) => outsider,
            Err(why) => {
                for (address, _) in self.world.one_of_each() {
                    self.not_run(name(&address), why);
                }
                return self.not_run(others, why);
            }
        };
        for (address, attributes) in self.world.one_of_each() {
            let checked = self.made_by_hand(outsider, &address, &attributes).await;
            self.note(name(&address), checked);
        }
        let checked = self.made_by_others(outsider).await;
        self.note(others, checked);
    }

    async fn made_by_hand(
        &self,
        outsider: &dyn Outsider,
        address: &Address,
        attributes: &Fields,
    ) -> Checked {
        // Storage that nobody stamped is a volume, whatever it is for.
        let kind = if *address.kind() == "disk" { "volume" } else { address.kind().as_str() };
        let name = self.client.identity(address).name;
        outsider.make(kind, &name).await?;
        let checked = self.left_alone(address, attributes, kind, &name).await;
        // What follows needs the name, whatever came of this. A thief has deleted it already.
        let deleted = outsider.delete(kind, &name).await;
        checked.and(deleted)
    }

    async fn left_alone(
        &self,
        address: &Address,
        attributes: &Fields,
        kind: &str,
        name: &Name,
    ) -> Checked {
        let before = self.client.observe_name(kind, name).await.map_err(words)?;
        let Some(foreign) = &before else { return Err("it is not seen".to_owned()) };
        ensure(foreign.stamp.is_none(), "it is seen with a stamp")?;
        ensure(
            self.client.create(address, attributes).await.is_err(),
            "an object of the same name can be created",
        )?;
        // Absent under our identity is success; refused is fine where a name is all that tells.
        let _ = self.client.delete(address).await;
        self.attack(&self.client, address, attributes, foreign).await?;
        let now = self.client.observe_name(kind, name).await.map_err(words)?;
        ensure(now == before, "it was changed")
    }

    async fn made_by_others(&self, outsider: &dyn Outsider) -> Checked {
        let (deployment, provider) = outsider.stranger().await?;
        let stranger = Client::new(&*provider, &self.client.host, deployment);
        let checked = match self.build().await {
            Ok(()) => self.left_to_us(&stranger).await,
            failed => failed,
        };
        checked.and(self.clear().await)
    }

    async fn left_to_us(&self, stranger: &Client<'_>) -> Checked {
        for (address, attributes) in self.world.objects.iter().rev() {
            let seen = stranger.observe(address).await.map_err(words)?;
            let Some(seen) = seen else { return Err(format!("{address} is not seen")) };
            self.attack(stranger, address, attributes, &seen).await?;
            let mut adopt = stranger.operation(address, OperationKind::Unstamp);
            adopt.identity = self.client.identity(address);
            let stamp = stranger.stamp(address, attributes);
            adopt.action = OperationKind::Stamp { stamp, adopt: true };
            ensure(
                stranger.provider.apply(&adopt).await.is_err(),
                format!("{address} can be adopted"),
            )?;
            let now = stranger.observe(address).await.map_err(words)?;
            ensure(now.as_ref() == Some(&seen), format!("{address} was changed"))?;
        }
        Ok(())
    }

    /// Tries what only an owner may do, under the identity that the object really has.
    async fn attack(
        &self,
        client: &Client<'_>,
        address: &Address,
        attributes: &Fields,
        victim: &ObservedObject,
    ) -> Checked {
        let stamp = client.stamp(address, attributes);
        for action in [
            OperationKind::Delete,
            OperationKind::Update {
                attributes: attributes.clone().into(),
                changed: Vec::new(),
                power_cycle: true,
                stamp: stamp.clone(),
            },
            OperationKind::Stamp { stamp, adopt: false },
        ] {
            let mut operation = client.operation(address, action);
            operation.identity.name = victim.name.clone();
            if let Some(uuid) = victim.uuid {
                operation.identity.uuid = uuid;
            }
            let answer = client.provider.apply(&operation).await;
            ensure(answer.is_err(), format!("{} succeeds on it", operation.action.word()))?;
        }
        Ok(())
    }
}
