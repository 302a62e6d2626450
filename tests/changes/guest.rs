//! The guest that everything is done to, on a host of the laboratory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tcloud_engine::Account;
use tcloud_model::{Address, Impact};
use tcloud_planner::{Goal, Wishes};
use tcloud_provider_libvirt::LibvirtProvider;
use tcloud_provider_libvirt::xml::Element;
use tcloud_tests::hosts::{BOOT, Facts, Hosts, Transport, wait};
use tcloud_tests::lab::Lab;
use tcloud_tests::run::in_words;

use crate::check;
use crate::table::{Base, Row};

const GUEST: &str = "tenant.t.vm.web";
/// Its name for libvirt.
const NAME: &str = "t.web";
const ADDRESS: &str = "10.99.0.10";

/// When a guest with a window may be stopped and started, and two moments before and in it.
const WINDOW: &str = "Sat 20:00-24:00 Europe/Berlin";
const CLOSED: &str = "2026-11-28T18:59:00Z";
const OPEN: &str = "2026-11-28T19:00:00Z";

/// How long a guest may take to notice what was plugged in.
const NOTICE: Duration = Duration::from_secs(40);

/// A host, a deployment, and a guest that runs.
pub(crate) struct World {
    hosts: Hosts,
    lab: Lab,
    /// What every row begins and ends with, with the changes that stay.
    base: Base,
    /// Whether the guest may be stopped and started.
    restarts: bool,
}

/// What shows that a guest was not interrupted.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    process: String,
    boot: String,
    uptime: f64,
    /// How often it has become ready.
    ready: usize,
}

/// What a plan says, and what came of it.
struct Done {
    said: Impact,
    before: Run,
    after: Run,
}

impl World {
    /// Starts a host, and the guest as the base has it.
    pub(crate) fn new(base: &Base) -> Result<World, String> {
        let hosts = Hosts::start(1)?;
        // One more bridge that guests may stand on, joined to nothing.
        hosts.exec(1, &["ip", "link", "add", "br1", "up", "type", "bridge"])?;
        let mut lab = Lab::with(vec![Arc::new(LibvirtProvider::new())])?;
        let uri = hosts.uri(1, Transport::Unix);
        let site = format!(
            "site m {{\n  host kvm1 {{ provider = \"libvirt\", uri = \"{uri}\", accel = \"tcg\", \
             capacity {{ vcpus = 64, memory = 64GiB }} }}\n  pool fast {{ type = \"dir\", \
             path = \"/srv/fast\" }}\n}}\n"
        );
        lab.files = BTreeMap::from([("site.tcloud".to_owned(), site)]);
        let mut world = World { hosts, lab, base: base.clone(), restarts: false };
        world.write(base, false);
        world.settle()?;
        let facts = || world.hosts.facts(1, ADDRESS, Duration::ZERO);
        world.hosts.started((1, NAME), 0, 2 * BOOT, facts)?;
        Ok(world)
    }

    /// Makes the change of a row and takes it back.
    pub(crate) fn play(&mut self, row: &Row) -> Result<(), String> {
        let base = self.base.before(row);
        let changed = base.changed(row);
        if !row.from.is_empty() {
            self.write(&base, false);
            self.settle().map_err(|error| format!("before: {error}"))?;
        }
        match row.window {
            true => self.write_window(&changed, CLOSED)?,
            false => self.write(&changed, row.now),
        }
        let lacking = row.needs.map(|need| need.lacking(&self.hosts)).transpose()?.flatten();
        let made = match lacking {
            Some(refusal) => self.refused(row, refusal),
            None if row.stops => self.stopped(row),
            None => self.change(row, row.impact).and_then(|done| self.check(row, &done)),
        };
        made.map_err(|error| format!("made: {error}"))?;
        if row.window {
            self.write_window(&changed, OPEN)?;
            let opened = self.change(row, row.impact).and_then(|done| self.check(row, &done));
            opened.map_err(|error| format!("in its window: {error}"))?;
        }
        let Some(back) = row.back else {
            self.base = changed;
            return Ok(());
        };
        match row.window {
            true => self.write_window(&base, OPEN)?,
            false => self.write(&base, row.now || row.back_now),
        }
        let back = match lacking {
            Some(_) => self.settle(),
            None if row.stops => self.started(row, back),
            None => self.change(row, back).and_then(|done| self.truth(row, &done)),
        };
        back.and_then(|()| self.check_gone(row)).map_err(|error| format!("taken back: {error}"))?;
        if !row.from.is_empty() {
            self.write(&self.base.clone(), false);
            self.settle().map_err(|error| format!("afterwards: {error}"))?;
        }
        Ok(())
    }

    /// Nothing that the row speaks of holds any more.
    fn check_gone(&self, row: &Row) -> Result<(), String> {
        let held = |definition: &Element, all: &[String]| {
            let held = |sentence: &&String| check::definition(definition, sentence).is_ok();
            match all.iter().find(held) {
                Some(sentence) => Err(format!("`{sentence}` still holds")),
                None => Ok(()),
            }
        };
        held(&self.definition(true)?, &row.config)?;
        held(&self.definition(false)?, &row.at_once)?;
        for (nic, sentences) in &row.network {
            self.networks(nic)?.iter().try_for_each(|own| held(own, sentences))?;
        }
        Ok(())
    }

    /// The host lacks what the change takes: the plan says so, or the apply where only an attempt can
    /// tell, and the guest runs on.
    fn refused(&self, row: &Row, refusal: &str) -> Result<(), String> {
        let before = self.run(NOTICE)?;
        if let Err(problems) = self.lab.plan(&wishes()) {
            let words = in_words(&problems);
            if !words.contains(refusal) {
                return Err(format!("nobody says `{refusal}`: {words}"));
            }
            let after = self.later(&before)?;
            return self.truth(row, &Done { said: Impact::None, before, after });
        }
        let said = self.expect(row, row.impact)?;
        let account = self.apply()?;
        if !account.failed.iter().any(|trouble| trouble.reason.contains(refusal)) {
            return Err(format!("nobody says `{refusal}`: {account:#?}"));
        }
        let after = self.later(&before)?;
        self.truth(row, &Done { said, before, after })
    }

    /// The guest stops when the text says so, and stays as it is defined.
    fn stopped(&self, row: &Row) -> Result<(), String> {
        self.expect(row, row.impact)?;
        self.settle()?;
        self.check_info(row)
    }

    /// It starts again, with another boot.
    fn started(&self, row: &Row, expected: Impact) -> Result<(), String> {
        self.expect(row, expected)?;
        let before = self.hosts.ready(1, NAME)?;
        self.settle()?;
        let run = || self.run(Duration::ZERO);
        self.hosts.started((1, NAME), before, 2 * BOOT, run).map(drop)
    }

    /// Plans and applies the present text; then there is nothing more to do.
    fn change(&self, row: &Row, expected: Impact) -> Result<Done, String> {
        let said = self.expect(row, expected)?;
        let before = self.run(NOTICE)?;
        self.settle()?;
        let after = self.later(&before)?;
        Ok(Done { said, before, after })
    }

    /// The guest as it is afterwards. One that had no reason to boot and got stuck all the same is
    /// started anew, which is seen then. On a busy host its clock stands still with it, and has to go
    /// on.
    fn later(&self, before: &Run) -> Result<Run, String> {
        let again = || self.run(Duration::ZERO);
        self.hosts.started((1, NAME), before.ready, 2 * BOOT, again)?;
        wait(NOTICE, || {
            let after = self.run(BOOT)?;
            match after.boot == before.boot && after.uptime <= before.uptime {
                true => Err(format!("its clock stands still: {before:?} {after:?}")),
                false => Ok(after),
            }
        })
    }

    fn expect(&self, row: &Row, expected: Impact) -> Result<Impact, String> {
        let said = self.predicted(row)?;
        match said == expected {
            true => Ok(said),
            false => Err(format!("the plan says {said}, and the table {expected}")),
        }
    }

    /// What the plan says that the change does.
    fn predicted(&self, row: &Row) -> Result<Impact, String> {
        let plan = self.lab.plan(&wishes()).map_err(|all| in_words(&all))?.plan;
        let object = row.object.as_deref().unwrap_or(GUEST);
        let object: Address = object.parse().map_err(|error| format!("{object}: {error}"))?;
        let changes = plan.changes.iter().filter(|change| change.object.address == object);
        let attributes = changes.flat_map(|change| change.attributes.iter());
        let impact = attributes.map(|attribute| attribute.impact).max();
        impact.ok_or_else(|| format!("the plan changes nothing of {object}: {:#?}", plan.changes))
    }

    /// Whether what happened is what was said.
    fn truth(&self, row: &Row, done: &Done) -> Result<(), String> {
        let Done { said, before, after } = done;
        let same = before.process == after.process
            && before.boot == after.boot
            && after.uptime > before.uptime;
        let cycles = *said == Impact::PowerCycle && self.restarts;
        match (same, cycles) {
            (true, false) | (false, true) => Ok(()),
            (false, false) => {
                Err(format!("{}: it was interrupted: {before:?} {after:?}", row.name))
            }
            (true, true) => Err(format!("{}: it was not stopped and started", row.name)),
        }
    }

    fn check(&self, row: &Row, done: &Done) -> Result<(), String> {
        self.truth(row, done)?;
        let config = self.definition(true)?;
        row.config.iter().try_for_each(|sentence| check::definition(&config, sentence))?;
        self.check_info(row)?;
        for (nic, sentences) in &row.network {
            for network in self.networks(nic)? {
                sentences.iter().try_for_each(|own| check::definition(&network, own))?;
            }
        }
        let in_force = done.said < Impact::PowerCycle || self.restarts;
        let live = self.definition(false)?;
        row.at_once.iter().try_for_each(|sentence| check::definition(&live, sentence))?;
        for sentence in &row.live {
            let held = check::definition(&live, sentence);
            match (held, in_force) {
                (Err(error), true) => return Err(error),
                (Ok(()), false) => return Err(format!("`{sentence}` holds already")),
                _ => {}
            }
        }
        if in_force && !row.sees.is_empty() {
            return wait(NOTICE, || {
                let facts = self.hosts.ask(1, ADDRESS, "facts")?;
                row.sees.iter().try_for_each(|sentence| check::guest(&facts, sentence))
            });
        }
        Ok(())
    }

    fn check_info(&self, row: &Row) -> Result<(), String> {
        let info = self.hosts.virsh(1, &["dominfo", NAME])?;
        let plain: Vec<String> = info
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        if let Some(missing) = row.info.iter().find(|sentence| !plain.contains(sentence)) {
            return Err(format!("`{missing}` does not hold: {plain:?}"));
        }
        Ok(())
    }

    /// Applies the present text; then there is nothing more to do.
    fn settle(&self) -> Result<(), String> {
        let account = self.apply()?;
        if !account.is_success() {
            return Err(format!("not everything was done: {account:#?}"));
        }
        let again = self.lab.plan(&wishes()).map_err(|all| in_words(&all))?;
        match again.plan.is_empty() {
            true => Ok(()),
            false => Err(format!("the next plan is not empty: {:#?}", again.plan.changes)),
        }
    }

    fn apply(&self) -> Result<Account, String> {
        let planned = self.lab.plan(&wishes()).map_err(|all| in_words(&all))?;
        let applied = self.lab.apply(&planned, None).map_err(|error| error.to_string())?;
        Ok(applied.account)
    }

    /// The text with a window, at a moment before or in it.
    fn write_window(&mut self, base: &Base, now: &str) -> Result<(), String> {
        self.lab.set_clock(now.parse().map_err(|error| format!("{now}: {error}"))?);
        self.write_with(base, WINDOW);
        self.restarts = now == OPEN;
        Ok(())
    }

    fn write(&mut self, base: &Base, restarts: bool) {
        self.write_with(base, if restarts { "now" } else { "pending" });
        self.restarts = restarts;
    }

    fn write_with(&mut self, base: &Base, restart: &str) {
        let (guest, tenant) = (base.guest.join("\n    "), base.tenant.join("\n  "));
        let text = format!(
            "tenant t {{\n  {tenant}\n  vm web {{\n    {guest}\n    restart = \"{restart}\"\n  }}\n}}\n"
        );
        self.lab.files.insert("main.tcloud".to_owned(), text);
    }

    fn definition(&self, persistent: bool) -> Result<Element, String> {
        let inactive: &[&str] = if persistent { &["--inactive"] } else { &[] };
        let xml = self.hosts.virsh(1, &[&["dumpxml", NAME], inactive].concat())?;
        Element::parse(&xml).map_err(|error| error.to_string())
    }

    /// Both definitions of the network that a NIC of the guest is in: the persistent, the live one.
    fn networks(&self, nic: &str) -> Result<[Element; 2], String> {
        let guest = self.definition(true)?;
        let path = format!("devices/interface[ua-nic-{nic}]/source/@network");
        let network = check::values(&guest, &path).pop();
        let network = network.ok_or_else(|| format!("NIC {nic} is in no network"))?;
        let read = |inactive: &[&str]| {
            let xml = self.hosts.virsh(1, &[&["net-dumpxml", &network], inactive].concat())?;
            Element::parse(&xml).map_err(|error| error.to_string())
        };
        Ok([read(&["--inactive"])?, read(&[])?])
    }

    fn run(&self, patience: Duration) -> Result<Run, String> {
        let pid = format!("/run/libvirt/qemu/{NAME}.pid");
        let process = self.hosts.exec(1, &["cat", &pid])?.trim().to_owned();
        let Facts { boot, uptime, .. } = self.hosts.facts(1, ADDRESS, patience)?;
        Ok(Run { process, boot, uptime, ready: self.hosts.ready(1, NAME)? })
    }
}

/// Everything as the text says, with consent to nothing that loses data.
fn wishes() -> Wishes {
    Wishes {
        goal: Goal::Apply,
        target: Vec::new(),
        exclude: Vec::new(),
        replace: Vec::new(),
        allow_data_loss: BTreeSet::new(),
        allow_destroy: BTreeSet::new(),
        allow_exposure: BTreeSet::new(),
    }
}
