//! What happens in one simulation, from the first configuration to the peace in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tcloud_engine::{Control, Edit, Engine};
use tcloud_model::{Address, Fields, ObservedState, Record, State, Value};
use tcloud_planner::planfile::Gaps;
use tcloud_planner::{Goal, PlanFile, planfile};
use tcloud_state::{Loaded, Selection, Why};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::backup;
use crate::chance::Chance;
use crate::fault::Fault;
use crate::operator::{self, Ending, Order, Source, agree, make_plan, operate, wishes};
use crate::outsider;
use crate::process::{Fate, Simulated};
use crate::text::{HOSTS, Text};
use crate::world::World;

/// The hosts of every simulation.
pub(crate) fn hosts() -> Vec<Address> {
    HOSTS.iter().filter_map(|host| host.parse().ok()).collect()
}

/// A story that is being told.
pub(crate) struct Story {
    pub(crate) world: Arc<World>,
    pub(crate) chance: Chance,
    text: Text,
    source: Arc<Source>,
}

impl Story {
    /// The beginning.
    pub(crate) fn begin(world: Arc<World>, mut chance: Chance) -> Result<Story, String> {
        let text = Text::draw(&mut chance);
        let source = Arc::new(Source::of(&text.write(), &world.deployment)?);
        Ok(Story { world, chance, text, source })
    }

    /// A story about one text only.
    pub(crate) fn about(world: Arc<World>, source: Arc<Source>) -> Story {
        Story { world, chance: Chance::of(0), text: Text::default(), source }
    }

    /// The text is applied in peace.
    pub(crate) async fn reach(&self) -> Result<(), String> {
        self.converge(&self.calm()).await
    }

    /// One run that is killed at a moment. Returns how many moments it had.
    pub(crate) async fn run_killed_at(&mut self, moment: Option<u64>) -> Result<u64, String> {
        let fates = moment.map(|moment| (moment, Fate::Killed)).into_iter().collect();
        let order = Order { fates, ..self.calm() };
        let (ending, moments) = operate(Arc::clone(&self.world), order).await;
        match ending {
            Ending::Stopped(why) if moment.is_none() => return Err(why),
            _ => {}
        }
        // Whatever is still on its way arrives.
        sleep(Duration::from_secs(5)).await;
        self.account().await?;
        Ok(moments)
    }

    /// The next run settles everything, and the one after it has nothing to do.
    pub(crate) async fn recovers(&self) -> Result<(), String> {
        self.settle().await?;
        self.reach().await?;
        self.nothing_superfluous();
        self.rebuild().await
    }

    /// All of it.
    pub(crate) async fn tell(mut self) -> Result<(), String> {
        self.draw_faults();
        for round in 0..self.chance.number(1, 4) {
            if round > 0 {
                self.between()?;
                if self.world.strikes(Fault::F14, 2) {
                    let restored = backup::restore_older(&self.world).await;
                    restored.map_err(|error| error.to_string())?;
                }
            }
            self.round().await?;
        }
        self.peace().await?;
        if self.chance.one_in(4) {
            self.the_end().await?;
        }
        Ok(())
    }

    /// Which faults there are in this seed.
    fn draw_faults(&mut self) {
        let others = [
            Fault::F11,
            Fault::F12,
            Fault::F13,
            Fault::F14,
            Fault::F15,
            Fault::F16,
            Fault::F17,
            Fault::F18,
            Fault::F19,
            Fault::F20,
        ];
        let all = Fault::OF_CALLS.into_iter().chain(others);
        let faults: BTreeSet<Fault> = all.filter(|_| self.chance.one_in(3)).collect();
        self.world.say(&format!("faults: {faults:?}"));
        self.world.inner().faults = faults;
    }

    /// What happens between two rounds: edits, and changes by hand.
    fn between(&mut self) -> Result<(), String> {
        for _ in 0..self.chance.number(0, 2) {
            self.text.edit(&mut self.chance);
        }
        for _ in 0..self.chance.number(0, 2) {
            outsider::meddle(&self.world);
        }
        if self.chance.one_in(5) {
            let host = HOSTS[usize::from(self.chance.one_in(2))];
            let at: Address = host.parse().map_err(|_| "BUG: a host has an address")?;
            if let Some((name, number)) = outsider::make_network(&self.world, &at)
                && self.chance.one_in(2)
            {
                self.text.adopt(&name, host, number);
            }
        }
        self.understand()
    }

    fn understand(&mut self) -> Result<(), String> {
        let text = self.text.write();
        self.world.say(&text);
        self.source = Arc::new(Source::of(&text, &self.world.deployment)?);
        Ok(())
    }

    /// Why there is no plan, if the text asks for what none can give: a guest whose disks lie on two
    /// hosts, an adoption of what is gone, what is not ours, a volume that another guest keeps until its
    /// next start. Everything else has to be planned.
    async fn cannot_be(&self) -> Result<Option<String>, String> {
        let state = self.loaded().await?.state;
        let observed = self.engine().observe().await;
        let plan = make_plan(&self.world, &self.source, &state, &observed, &wishes(&self.calm()));
        let legitimate = ["no plan: E0502", "no plan: E0904", "no plan: E0907", "no plan: E0914"];
        Ok(plan.err().filter(|error| legitimate.iter().any(|code| error.starts_with(code))))
    }

    /// One to three operators at once.
    async fn round(&mut self) -> Result<(), String> {
        let count = if self.chance.one_in(2) { 1 } else { self.chance.number(2, 3) };
        let mut operators = JoinSet::new();
        for _ in 0..count {
            let order = self.order();
            let delay = self.chance.millis(0, 3_000);
            let world = Arc::clone(&self.world);
            operators.spawn(async move {
                sleep(delay).await;
                operate(world, order).await
            });
        }
        if self.world.strikes(Fault::F20, 2) {
            sleep(self.chance.millis(0, 4_000)).await;
            let seconds = if self.chance.one_in(2) { 3_600 } else { -3_600 };
            if self.chance.one_in(2) {
                self.world.jump(seconds);
            } else {
                self.world.jump_store(seconds);
            }
        }
        let failure = [Fault::F15, Fault::F16].into_iter().find(|own| self.world.strikes(*own, 3));
        if let Some(fault) = failure.filter(|_| self.world.broken.is_none()) {
            sleep(self.chance.millis(0, 5_000)).await;
            let read_again = backup::power_failure(&self.world, fault).await;
            read_again.map_err(|error| format!("the store is lost: {error}"))?;
        }
        while let Some(ended) = operators.join_next().await {
            ended.map_err(|error| format!("a run panicked: {error}"))?;
        }
        // Whatever is still on its way arrives.
        sleep(Duration::from_secs(5)).await;
        self.account().await
    }

    fn order(&mut self) -> Order {
        let goal = match self.chance.number(0, 9) {
            0 => Goal::Refresh,
            1 => Goal::Destroy,
            _ => Goal::Apply,
        };
        let target = self.chance.one_in(5).then(|| "tenant.t1.*".to_owned());
        let agrees = !self.chance.one_in(4);
        let fates = self.fates();
        Order { source: Arc::clone(&self.source), goal, target, agrees, fates }
    }

    fn fates(&mut self) -> Vec<(u64, Fate)> {
        use tcloud_engine::Stop;
        let mut fates = Vec::new();
        let (signals, pauses) = {
            let inner = self.world.inner();
            (inner.faults.contains(&Fault::F18), inner.faults.contains(&Fault::F19))
        };
        if signals && self.chance.one_in(2) {
            fates.push((self.chance.number(1, 70), Fate::Killed));
        }
        if signals && self.chance.one_in(4) {
            let at = self.chance.number(1, 60);
            fates.push((at, Fate::Asked(Stop::Drain)));
            if self.chance.one_in(2) {
                fates.push((at + self.chance.number(0, 10), Fate::Asked(Stop::Now)));
            }
        }
        if pauses && self.chance.one_in(2) {
            let time = self.chance.millis(1_000, 90_000);
            fates.push((self.chance.number(1, 60), Fate::Paused(time)));
        }
        fates
    }

    /// What the store remembers is what follows from what it accepted.
    async fn account(&self) -> Result<(), String> {
        let loaded = self.loaded().await?;
        let mut inner = self.world.inner();
        let expected = State {
            records: inner
                .oracle
                .records
                .iter()
                .map(|(object, record)| (object.clone(), (**record).clone()))
                .collect(),
        };
        if loaded.state != expected {
            inner.oracle.breaks("I2", "the store remembers something else than it accepted");
        }
        let crate::world::Inner { oracle, hosts, .. } = &mut *inner;
        oracle.nothing_is_lost(hosts);
        Ok(())
    }

    async fn loaded(&self) -> Result<Loaded, String> {
        self.world.store().load(&Selection::All).await.map_err(|error| error.to_string())
    }

    /// The faults are over: recovery ends (I5), and applying gets there (I6).
    async fn peace(&mut self) -> Result<(), String> {
        self.world.say("peace");
        {
            let mut inner = self.world.inner();
            inner.faults.clear();
            inner.displaced.clear();
        }
        self.settle().await?;
        let excused = self.world.inner().oracle.excused_anything();
        if excused && self.chance.one_in(3) {
            self.remember_again().await?;
        }
        if let Some(why) = self.cannot_be().await? {
            self.text.give_in(&why);
            self.understand()?;
        }
        let order = self.calm();
        self.converge(&order).await?;
        self.same_plan(&order).await?;
        self.nothing_superfluous();
        self.rebuild().await
    }

    fn calm(&self) -> Order {
        let (source, fates) = (Arc::clone(&self.source), Vec::new());
        Order { source, goal: Goal::Apply, target: None, agrees: true, fates }
    }

    fn engine(&self) -> Engine {
        let process = Arc::new(Simulated::new(self.world.next_process(), Vec::new()));
        operator::engine(&self.world, &process, &self.source)
    }

    async fn settle(&self) -> Result<(), String> {
        for again in [false, true] {
            let process = Arc::new(Simulated::new(self.world.next_process(), Vec::new()));
            let engine = operator::engine(&self.world, &process, &self.source);
            let run = operator::info(&self.world, "apply");
            process.begins(run.id);
            let heads = self.loaded().await?.heads;
            let found = engine.recover(&run, &Control::silent()).await;
            self.world.bury(&process);
            let found = found.map_err(|error| format!("I5: no recovery in peace: {error}"))?;
            let changed = self.loaded().await?.heads != heads;
            if found.is_unsettled() || again && (changed || !found.findings.is_empty()) {
                self.world.inner().oracle.breaks("I5", "a second recovery finds something");
            }
        }
        self.account().await
    }

    /// Plain applies reach an empty plan.
    async fn converge(&self, order: &Order) -> Result<(), String> {
        const MOST: usize = 6;
        for round in 0..MOST {
            let (ending, _) = operate(Arc::clone(&self.world), order.clone()).await;
            match ending {
                Ending::Nothing => return Ok(()),
                Ending::Ran(account) if account.is_success() => {}
                other if round + 1 == MOST => {
                    return Err(format!("liveness: it does not get there: {other:?}"));
                }
                _ => {}
            }
        }
        Err("I6: the plan is never empty".to_owned())
    }

    /// I12: the same plan from the same world, byte for byte.
    async fn same_plan(&self, order: &Order) -> Result<(), String> {
        let state = self.loaded().await?.state;
        let observed = self.engine().observe().await;
        let mut wishes = wishes(order);
        // A word that names nothing is refused.
        let mut declared = self.source.program.graph().resources.keys();
        let guests = declared.any(|address| address.kind() == "vm");
        wishes.replace = guests.then(|| "tenant.*.vm.*".to_owned()).into_iter().collect();
        let bytes = || -> Result<String, String> {
            let mut wishes = wishes.clone();
            let plan = make_plan(&self.world, &self.source, &state, &observed, &wishes)?;
            agree(&plan.decisions, &mut wishes);
            let plan = make_plan(&self.world, &self.source, &state, &observed, &wishes)?;
            let (tool, heads) = (String::new(), BTreeMap::new());
            let gaps = Gaps::default();
            Ok(planfile::write(&PlanFile { tool, heads, gaps, seal: None, plan }))
        };
        if bytes()? != bytes()? {
            self.world.inner().oracle.breaks("I12", "two plans from one world differ");
        }
        Ok(())
    }

    /// What runs is what the text declares, once.
    fn nothing_superfluous(&self) {
        let mut inner = self.world.inner();
        let resources = &self.source.program.graph().resources;
        let mut seen = BTreeSet::new();
        let mut wrong = Vec::new();
        for (host, live, stamp) in inner.hosts.ours() {
            let per_host = stamp.address.kind() != "vm" && stamp.address.kind() != "volume";
            // An adoption that arrives after somebody looked puts a stamp on a second one, which then
            // counts as a copy that somebody made by hand.
            let late = inner.oracle.was_adopted_late(host, live);
            let at = (stamp.address.clone(), per_host.then(|| host.clone()));
            let twice = !late && !seen.insert(at);
            if twice || !resources.contains_key(&stamp.address) {
                wrong.push(format!("{} on {host} is superfluous", stamp.address));
            }
        }
        wrong.iter().for_each(|what| inner.oracle.breaks("I6", what));
    }

    /// `state rebuild`, as somebody may run it after a loss: what runs is remembered again.
    async fn remember_again(&self) -> Result<(), String> {
        let process = Arc::new(Simulated::new(self.world.next_process(), Vec::new()));
        let engine = operator::engine(&self.world, &process, &self.source);
        let (deployment, catalog) = (&self.world.deployment, &*self.world.catalog);
        let (state, observed) = (self.loaded().await?.state, engine.observe().await);
        let from = |state: &State, observed: &ObservedState| {
            tcloud_engine::rebuild::rebuild(state, observed, deployment, catalog).changes
        };
        let (run, silent) = (operator::info(&self.world, "state rebuild"), Control::silent());
        let changes = from(&state, &observed);
        let written = engine.edit(Edit::new(Why::Rebuild, &changes, &from), &run, &silent).await;
        self.world.bury(&process);
        written.map(|_| ()).map_err(|error| format!("no rebuild in peace: {error}"))
    }

    /// I11: a rebuilt state is the one that was lost.
    async fn rebuild(&self) -> Result<(), String> {
        let known = self.loaded().await?.state;
        let observed = self.engine().observe().await;
        let (deployment, catalog) = (&self.world.deployment, &*self.world.catalog);
        let rebuilt =
            tcloud_engine::rebuild::rebuild(&State::default(), &observed, deployment, catalog);
        let records = rebuilt
            .changes
            .into_iter()
            .filter_map(|change| Some((change.object, (*change.record?).clone())));
        let rebuilt = State { records: records.collect() };
        let mut inner = self.world.inner();
        let both = rebuilt.records.keys().chain(known.records.keys());
        let differs: BTreeSet<String> = both
            .map(|id| (id, rebuilt.records.get(id), known.records.get(id)))
            .filter(|(id, new, old)| !alike(*new, *old) && !inner.oracle.excuses(id))
            .map(|(id, new, old)| format!("{id}: {new:?} was {old:?}"))
            .collect();
        if !differs.is_empty() {
            inner.oracle.breaks("I11", format!("the rebuilt state differs: {differs:#?}"));
        }
        Ok(())
    }

    /// Everything is taken down, and nothing of ours is left.
    async fn the_end(&self) -> Result<(), String> {
        self.world.say("the end");
        let order = Order { goal: Goal::Destroy, ..self.calm() };
        self.converge(&order).await?;
        let mut inner = self.world.inner();
        let left: Vec<String> =
            inner.hosts.ours().map(|(_, _, stamp)| stamp.address.to_string()).collect();
        if !left.is_empty() {
            inner.oracle.breaks("I6", format!("left after destroy: {}", left.join(", ")));
        }
        Ok(())
    }
}

/// Whether two records are the same, but for what a host does not tell of secrets. No list of disks and
/// an empty one say the same.
fn alike(one: Option<&Record>, other: Option<&Record>) -> bool {
    let plain = |record: &Record| {
        let says = |value: &Value| !matches!(value, Value::Map(fields) if fields.is_empty());
        let told = record.attributes.iter().filter(|(_, value)| says(value));
        let mut attributes: Fields = told.map(|(name, own)| (name.clone(), own.clone())).collect();
        attributes.remove("cloud_init");
        Record { attributes: Arc::new(attributes), ..record.clone() }
    };
    one.map(plain) == other.map(plain)
}
