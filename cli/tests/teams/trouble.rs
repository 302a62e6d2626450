//! The database dies, is silent, or an operator's machine sleeps in the middle of an apply.

use std::time::Duration;

use crate::database::Database;
use crate::team::Team;
use crate::tenant;

/// The server is killed three times in the middle of an apply, which goes on each time.
#[test]
fn the_database_is_killed_in_the_middle() {
    let database = Database::start();
    let team = Team::at(database.pooled("operator"));
    team.write("tenants.tcloud", &tenant(1, 12));
    team.calls_take("150ms");
    let run = team.begin(&["apply", "--yes", "--parallelism", "2"]);
    team.wait_for_a_step();
    for pause in [200, 450, 330] {
        std::thread::sleep(Duration::from_millis(pause));
        database.tell("kill");
        database.tell("start");
    }
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    team.is_done();
}

/// The server is silent for longer than a lease lasts: the run ends and says why, and the next one
/// finishes the work.
#[test]
fn the_database_is_silent_for_longer_than_a_lease() {
    let database = Database::start();
    let team = Team::at(database.url("operator"));
    team.write("tenants.tcloud", &tenant(1, 12));
    team.calls_take("150ms");
    let run = team.begin(&["apply", "--yes", "--parallelism", "2"]);
    team.wait_for_a_step();
    database.tell("pause");
    let ended = run.end();
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.out, ended.err);
    let said = format!("{}{}", ended.out, ended.err);
    assert!(said.contains("did not answer in time") || said.contains("was lost"), "{said}");
    database.tell("resume");
    team.calls_take("none");
    team.run(&["apply", "--yes"], 0);
    team.is_done();
}

/// An operator's machine sleeps in the middle of an apply. Somebody else waits for the lease,
/// takes over and finishes; whoever wakes up is refused and told.
#[test]
fn a_sleeper_is_fenced_when_it_wakes_up() {
    fenced(&Team::pooled("sleeper"), Database::shared(), || (), || ());
}

/// The same, and it falls asleep while the server owes it an answer: the answer is late then, but
/// whoever slept asks again before saying so.
#[test]
fn a_sleeper_that_waits_for_an_answer_is_fenced_when_it_wakes_up() {
    let database = Database::start();
    let team = Team::at(database.url("operator?schema=sleeper"));
    let silence = || {
        database.tell("pause");
        std::thread::sleep(Duration::from_secs(2));
    };
    fenced(&team, &database, silence, || database.tell("resume"));
}

/// Puts an apply to sleep between the two, finishes its work, and wakes it up.
fn fenced(team: &Team, database: &Database, before: impl FnOnce(), after: impl FnOnce()) {
    team.write("tenants.tcloud", &tenant(1, 6));
    team.calls_take("400ms");
    let sleeper = team.begin(&["apply", "--yes", "--parallelism", "1"]);
    team.wait_for_a_step();
    before();
    sleeper.signal("STOP");
    after();
    team.calls_take("none");
    let next = team.run(&["apply", "--yes"], 0);
    let said = format!("{}{}", next.out, next.err);
    assert!(said.contains("waiting for tenant.t1: "), "{said}");
    team.is_done();
    sleeper.signal("CONT");
    let ended = sleeper.end();
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.out, ended.err);
    let said = format!("{}{}", ended.out, ended.err);
    // Which of its scopes it names depends on who notices first: the heartbeat or the store.
    assert!(said.contains("another run has taken over "), "{said}");
    team.runs_take_turns(database);
    team.is_done();
}
