//! Whether changes cost what the schemas promise: what is live must not interrupt the guest, what
//! waits must be seen waiting, and what cannot be done in place must be refused.

use tcloud_model::{Address, AttrPath, Fields, Impact, Name, OperationKind, Value};

use super::life::words;
use super::variation::{Variation, variations};
use super::{Applied, Checked, Outsider, Suite, agree, ensure};

impl Suite<'_> {
    /// The checks of this module.
    pub(crate) async fn costs(&mut self) {
        // The first host knows already what it lacks; the others see it here.
        let built = self.build_what_can_be().await;
        self.note("everything can be created again", built);
        let world: Vec<Address> = self.world.objects.iter().map(|(own, _)| own.clone()).collect();
        let mut objects = self.world.one_of_each();
        objects.retain(|(address, _)| *address.kind() != "vm");
        objects.push(self.world.guest());
        let outsider = self.outsider;
        let file = |name: &str| outsider.map_or_else(|_| String::new(), |own| own.file(name));
        for (address, base) in objects {
            let Some(schema) = self.client.catalog.get(address.kind()).cloned() else { continue };
            let mut able = Vec::new();
            for variation in variations(&schema, &base, &world, &file) {
                match self.hindrance(&variation) {
                    Some(why) => self.not_run(named(&address, &variation), &why),
                    None => able.push(variation),
                }
            }
            let able = self.share.cut(&able);
            for (at, variation) in able.iter().enumerate() {
                let checked = self.change_willing(&address, variation).await;
                self.note(named(&address, variation), checked);
                // What the next one's power cycle brings back needs none of its own.
                let cycle = !able.get(at + 1).is_some_and(|next| share_a_cycle(variation, next));
                if let Err(trouble) = self.restore(&address, &base, variation, cycle).await {
                    self.note(format!("{address} can be brought back"), Err(trouble));
                    return;
                }
            }
        }
        let waits = "what waits takes effect with a power cycle";
        match self.outsider {
            Ok(outsider) => {
                let checked = self.wait_for_power_cycle(outsider).await;
                self.note(waits, checked);
            }
            Err(why) => {
                self.not_run("a guest is interrupted exactly when a change costs that", why);
                self.not_run(waits, why);
            }
        }
        let cleared = self.clear().await;
        self.note("everything can be deleted again", cleared);
    }

    /// A device goes when the guest lets go of it, and this one may not: it is only just starting, or
    /// QEMU without KVM has taken a timer away from it for ever. It is asked once more after a new start.
    async fn change_willing(&self, address: &Address, change: &Variation) -> Checked {
        let checked = self.change(address, change).await;
        let is_device = *address.kind() == "vm" && change.path.names().len() > 1;
        let lets_go = is_device && change.value.is_none() && change.impact < Impact::PowerCycle;
        match (checked, self.outsider) {
            (Err(_), Ok(outsider)) if lets_go => {
                outsider.power_cycle(&self.client.identity(address).name).await?;
                self.change(address, change).await
            }
            (checked, _) => checked,
        }
    }

    async fn change(&self, address: &Address, change: &Variation) -> Checked {
        let before = self.process().await?;
        let base = self.client.observe(address).await.map_err(words)?;
        let Some(base) = base else { return Err("it is gone".to_owned()) };
        let base = &base.attributes;
        let answer = self.update(address, change, false).await;
        let seen = self.client.observe(address).await.map_err(words)?;
        let Some(seen) = seen else { return Err("it is gone".to_owned()) };
        ensure(self.process().await? == before, "the guest was interrupted")?;
        if change.impact > Impact::PowerCycle {
            ensure(answer.is_err(), "it is accepted in place")?;
            return agree(base, &seen.attributes);
        }
        answer.map_err(words)?;
        if change.impact < Impact::PowerCycle {
            ensure(seen.pending.is_empty(), format!("something waits: {:?}", seen.pending))?;
            return agrees_at(change, &seen.attributes);
        }
        agree(base, &seen.attributes)?;
        ensure(!seen.pending.is_empty(), "nothing is seen to wait")?;
        agrees_at(change, &seen.persistent())?;
        self.update(address, change, true).await.map_err(words)?;
        let seen = self.client.observe(address).await.map_err(words)?;
        let Some(seen) = seen else { return Err("it is gone".to_owned()) };
        ensure(seen.pending.is_empty(), "something waits after a power cycle")?;
        let is_same = self.outsider.is_ok() && self.process().await? == before;
        ensure(!is_same, "the guest was not power-cycled")?;
        agrees_at(change, &seen.attributes)
    }

    async fn update(&self, address: &Address, change: &Variation, power_cycle: bool) -> Applied {
        let paths = paths(change);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.client.update(address, &change.attributes, &paths, power_cycle).await
    }

    /// Brings an object back to its attributes, at once or with its next power cycle; where that
    /// cannot be done in place, the world is made anew.
    async fn restore(
        &self,
        address: &Address,
        base: &Fields,
        change: &Variation,
        cycle: bool,
    ) -> Checked {
        let paths = paths(change);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        if self.client.update(address, base, &paths, cycle).await.is_err() {
            self.clear().await?;
            self.build().await?;
        }
        let seen = self.client.observe(address).await.map_err(words)?;
        let Some(seen) = seen else { return Err("it is gone".to_owned()) };
        agree(base, &seen.persistent())?;
        ensure(seen.pending.is_empty() || !cycle, "something waits after a power cycle")
    }

    async fn wait_for_power_cycle(&self, outsider: &dyn Outsider) -> Checked {
        let (guest, base) = self.world.guest();
        let name = self.client.identity(&guest).name;
        let other = super::with(&base, "machine", Value::text("pc"));
        let before = self.process().await?;
        self.client.update(&guest, &other, &["machine"], false).await.map_err(words)?;
        self.see(&guest, &base).await?;
        outsider.power_cycle(&name).await?;
        ensure(self.process().await? != before, "the power cycle is not noticed")?;
        let seen = self.client.observe(&guest).await.map_err(words)?;
        let Some(seen) = seen else { return Err("it is gone".to_owned()) };
        ensure(seen.pending.is_empty(), "something still waits")?;
        agree(&other, &seen.attributes)?;
        let look = self.client.operation(&guest, OperationKind::Delete);
        let looked = self.client.provider.look(&look).await.map_err(words)?;
        ensure(looked.as_ref() == Some(&seen), "a look and a sweep show different things")
    }

    /// The run of the world's guest.
    async fn process(&self) -> Result<Option<String>, String> {
        let (guest, _) = self.world.guest();
        self.process_of(&self.client.identity(&guest).name).await
    }
}

fn paths(change: &Variation) -> Vec<String> {
    std::iter::once(&change.path).chain(&change.beside).map(AttrPath::to_string).collect()
}

/// Whether one power cycle can bring a change back and make the next one. Where one holds the other,
/// what is in force could be what comes next, and nothing would wait.
fn share_a_cycle(one: &Variation, next: &Variation) -> bool {
    let (a, b) = (one.path.names(), next.path.names());
    let nested = a.len() != b.len() && (a.starts_with(&b) || b.starts_with(&a));
    [one, next].iter().all(|own| own.impact == Impact::PowerCycle) && !nested
}

fn named(address: &Address, change: &Variation) -> String {
    format!("{} costs {}", describe(address, change), change.impact)
}

fn describe(address: &Address, change: &Variation) -> String {
    let kind = address.kind();
    match &change.value {
        Some(Value::Map(_)) => format!("setting {kind} {}", change.path),
        Some(value) => format!("changing {kind} {} to {value}", change.path),
        None => format!("removing {kind} {}", change.path),
    }
}

/// Makes sure that the changed place is seen as it was asked for.
fn agrees_at(change: &Variation, seen: &Fields) -> Checked {
    agree(&change.attributes, seen)?;
    let gone = change.value.is_none();
    let there = at(seen, &change.path).is_some_and(|value| *value != Value::None);
    ensure(!(gone && there), format!("{} is still there", change.path))
}

fn at<'a>(fields: &'a Fields, path: &AttrPath) -> Option<&'a Value> {
    let mut names = path.0.iter().map_while(|step| match step {
        tcloud_model::PathStep::Field(name) => Some(name),
        tcloud_model::PathStep::Index(_) => None,
    });
    let first: &Name = names.next()?;
    names.try_fold(fields.get(first)?, |value, name| match value {
        Value::Map(inner) => inner.get(name),
        _ => None,
    })
}
