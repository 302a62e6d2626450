//! A process may be killed at any moment: the next one goes on, and nothing is lost or there twice.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tcloud_state::{Acquired, Holder, LeaseRequest, Selection, SqliteStore, Store as _};
use uuid::Uuid;

use crate::project::{Object, Project, assert_nothing_is_twice, example};

/// Longer than any apply of the example takes, and shorter than a dead process would keep a lease
/// if nobody saw that it is dead.
const BOUND: Duration = Duration::from_secs(25);

/// How slow every call to a host is, so that a process can be killed in the middle of one.
const LATENCY: Duration = Duration::from_millis(100);

/// [`LATENCY`] as the command line takes it.
const SLOW: &str = "100ms";

/// Numbers that look random and are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        end.mul_f64(number as f64 / f64::from(u32::MAX))
    }
}

/// A project that is about to be applied, with flags.
struct Template {
    project: Project,
    flags: Vec<String>,
}

/// What an apply that nobody kills leads to.
struct Reference {
    objects: Vec<Object>,
    /// How many lines it says about itself.
    events: u32,
    duration: Duration,
}

impl Template {
    /// The example, not applied yet.
    fn fresh() -> Template {
        let project = Project::copy_of(&example("thueringen"));
        project.run(&["plan"], 0);
        project.run(&["sim", "latency", SLOW], 0);
        Template { project, flags: Vec::new() }
    }

    /// The example, applied and then changed: guests, volumes, disks and networks are deleted,
    /// changed and made anew.
    fn changed() -> Template {
        let project = Project::copy_of(&example("thueringen"));
        project.run(&["apply", "--yes"], 0);
        project.run(&["sim", "latency", SLOW], 0);
        let district = "tenants/landkreis-sm.tcloud";
        project.edit(district, "vm accounts for n in 1..=2", "vm accounts for n in 1..=1");
        project.edit(district, "10.16.1.", "10.16.2.");
        project.edit("main.tcloud", "flavor small { vcpus = 1", "flavor small { vcpus = 2");
        project.edit("main.tcloud", ", \"building-permit\"", "");
        project.edit("components/citizen-portal.tcloud", "50GiB", "60GiB");
        let flags = project.consents(&["plan"]);
        assert!(!flags.is_empty(), "this destroys data");
        Template { project, flags }
    }

    fn copy(&self) -> Project {
        Project::copy_of(self.project.path())
    }

    fn apply(&self) -> Vec<&str> {
        ["apply", "--yes", "--json"]
            .into_iter()
            .chain(self.flags.iter().map(String::as_str))
            .collect()
    }

    /// Applies without harm, and counts.
    fn reference(&self) -> Reference {
        let project = self.copy();
        let ended = project.ended(&self.apply());
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        project.run(&["plan", "--exit-code"], 0);
        let events = u32::try_from(ended.out.lines().count()).expect("few lines");
        Reference { objects: project.ours(), events, duration: ended.took }
    }

    /// Kills an apply when it has said so many lines, and a while after that; whether it was still
    /// there. Counted in lines, since how long an apply takes depends on what else runs.
    fn kill(&self, project: &Project, events: u32, after: Duration) -> bool {
        let mut command = project.command(&self.apply());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("tcloud runs");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        for _ in 0..events {
            said.next();
        }
        std::thread::sleep(after);
        let _ = child.kill();
        child.wait().expect("it ended").signal() == Some(9)
    }
}

/// How a killed apply left things.
#[derive(Default)]
struct Tally {
    /// Killed, and not already done.
    killed: usize,
    /// Killed when it had done something, but not all.
    halfway: usize,
}

fn kill_and_go_on(template: &Template, seed: u64, times: u32) {
    let reference = template.reference();
    let before = template.project.ours();
    let mut random = Random(seed);
    let mut tally = Tally::default();
    for number in 0..times {
        // Spread over all of it, and anywhere within a call.
        let events = reference.events * number / times;
        let moment = random.below(LATENCY);
        println!(
            "seed {seed}, kill {number} {moment:?} after event {events} of {}",
            reference.events
        );
        let project = template.copy();
        let killed = template.kill(&project, events, moment);
        let found = project.ours();
        tally.killed += usize::from(killed);
        tally.halfway += usize::from(killed && found != before && found != reference.objects);
        go_on(template, &project, &reference);
    }
    println!("{} killed, {} of them halfway", tally.killed, tally.halfway);
    assert!(tally.killed > times as usize / 2, "the kills came too late");
    assert!(tally.halfway > times as usize / 8, "the kills came before or after the work");
}

/// The next apply repairs what a killed one left.
fn go_on(template: &Template, project: &Project, reference: &Reference) {
    project.run(&["sim", "latency", "none"], 0);
    let ended = project.ended(&template.apply());
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.took < BOUND, "it waited for something: {:?}", ended.took);
    is_as_it_should_be(project, reference);
}

fn is_as_it_should_be(project: &Project, reference: &Reference) {
    project.run(&["plan", "--exit-code"], 0);
    let ours = project.ours();
    assert_nothing_is_twice(&ours);
    assert_eq!(ours, project.remembered(), "no orphan, and no record of nothing");
    assert_eq!(addresses(&ours), addresses(&reference.objects));
    let records = project.records();
    project.lose_the_state();
    project.run(&["state", "rebuild", "--yes"], 0);
    assert_eq!(records, project.records(), "the hosts know all that was remembered");
}

/// Where objects are may differ, when some were there already as the rest was placed.
fn addresses(objects: &[Object]) -> BTreeSet<&str> {
    objects.iter().map(|object| object.address.as_str()).collect()
}

#[test]
fn a_killed_first_apply_is_finished_by_the_next() {
    kill_and_go_on(&Template::fresh(), 0x5eed, 30);
}

#[test]
fn a_killed_change_with_deletions_is_finished_by_the_next() {
    kill_and_go_on(&Template::changed(), 0xdead, 20);
}

#[test]
fn two_applies_at_once_do_nothing_twice() {
    let template = Template::fresh();
    let reference = template.reference();
    let project = template.copy();
    let start = Instant::now();
    let arguments = template.apply();
    let children = [(); 2].map(|()| project.command(&arguments).spawn().expect("tcloud runs"));
    // Both are read at once: who is not read stops, and the other waits for its lease.
    let readers =
        children.map(|child| std::thread::spawn(|| child.wait_with_output().expect("it ends")));
    let ended = readers.map(|reader| reader.join().expect("no panic"));
    let said = ended.each_ref().map(|ended| String::from_utf8_lossy(&ended.stderr));
    assert!(start.elapsed() < BOUND + reference.duration, "{said:#?}");
    assert!(ended.iter().any(|ended| ended.status.success()), "{said:#?}");
    for (ended, said) in ended.iter().zip(&said) {
        // The second finds its work done, or its plan stale; it never fails otherwise.
        assert!(matches!(ended.status.code(), Some(0 | 5)), "{:?} {said}", ended.status);
        assert!(!said.contains("panicked") && !said.contains("BUG"), "{said}");
    }
    is_as_it_should_be(&project, &reference);
    created_once(&project.ours(), &project);
}

/// Another run takes all leases, as from a process that it knows to be dead.
fn take_over(project: &Project) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = SqliteStore::open(&project.path().join(".tcloud/state.db")).expect("a state");
    let (who, command) = ("somebody@else".to_owned(), "apply".to_owned());
    let holder = Holder { run: Uuid::new_v4(), who, command, process: None };
    runtime.block_on(async {
        let heads = store.load(&Selection::All).await.expect("it is read").heads;
        let (scopes, ttl) = (heads.into_keys().collect(), BOUND);
        let mut request = LeaseRequest { scopes, holder, ttl, ended: Vec::new() };
        while let Acquired::Held { holder, .. } = store.acquire(&request).await.expect("it answers")
        {
            request.ended.push(holder.run);
        }
    });
}

#[test]
fn a_run_that_is_cut_off_ends_with_its_account_in_json() {
    let template = Template::fresh();
    let project = template.copy();
    project.run(&["sim", "latency", "2s"], 0);
    let mut command = project.command(&template.apply());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("tcloud runs");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("\"step-started\"") {
        line.clear();
        assert!(said.read_line(&mut line).expect("it is read") > 0, "no step was begun");
    }
    take_over(&project);
    let lines: Vec<String> = said.lines().map(|line| line.expect("it is read")).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    let json = |line: &String| serde_json::from_str::<serde_json::Value>(line).expect(line);
    let last = lines.last().map(json).expect("more is said");
    assert_eq!(last["event"], "finished", "{last}");
    let count = |what: &str| last["account"][what].as_array().map_or(0, Vec::len);
    assert!(count("unknown") > 0 && count("skipped") > 0, "{last}");
}

/// The hosts were asked for each object only once.
fn created_once(ours: &[Object], project: &Project) {
    let hosts: BTreeSet<&str> = ours.iter().map(|object| object.host.as_str()).collect();
    for host in hosts {
        let calls = project.run(&["sim", "calls", host], 0);
        let creations =
            calls.lines().filter(|line| line.split_whitespace().nth(1) == Some("create"));
        let here = ours.iter().filter(|object| object.host == host).count();
        assert_eq!(creations.count(), here, "{calls}");
    }
}
