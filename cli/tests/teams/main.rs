//! Many operators of one deployment at once, with one PostgreSQL database between them: they do not
//! disturb each other, and whatever breaks on the way, nothing is lost and nothing is done twice.

#[allow(dead_code, unreachable_pub, reason = "other suites use it too, and more of it")]
#[path = "../../../tests/kit/database.rs"]
mod database;
mod journal;
mod plans;
mod team;
mod trouble;

use database::Database;
use team::Team;

/// All tenants at once: no operator is told of a conflict, and no entry is lost.
#[test]
fn twenty_operators_apply_to_twenty_tenants_at_once() {
    let team = Team::pooled("twenty");
    team.write("tenants.tcloud", &(1..=20).map(|n| tenant(n, 1)).collect::<String>());
    team.run(&["apply", "--yes", "--target", "site.*"], 0);
    let runs: Vec<_> = (1..=20)
        .map(|n| team.begin(&["apply", "--yes", "--target", &format!("tenant.t{n}.*")]))
        .collect();
    for run in runs {
        let ended = run.end();
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    }
    team.is_done();
    let runs = team.json(&["history", "--json", "-n", "100"])["runs"].clone();
    let done = runs.as_array().expect("runs").iter().filter(|run| run["command"] == "apply");
    assert_eq!(done.count(), 21, "{runs}");
    let guests = team.objects().into_iter().filter(|(address, _)| address.ends_with(".vm.web[1]"));
    assert_eq!(guests.count(), 20);
}

/// One of two waits and says for whom, or what it planned is not so any more; never both write.
#[test]
fn two_operators_of_one_tenant_take_turns() {
    let team = Team::pooled("two");
    team.write("tenants.tcloud", &tenant(1, 6));
    team.calls_take("300ms");
    let first = team.begin(&["apply", "--yes", "--parallelism", "2"]);
    team.wait_for_a_step();
    let second = team.begin(&["apply", "--yes", "--parallelism", "2"]);
    let (first, second) = (first.end(), second.end());
    assert_eq!(first.code, Some(0), "{}\n{}", first.out, first.err);
    assert!(matches!(second.code, Some(0 | 5)), "{}\n{}", second.out, second.err);
    let said = format!("{}{}", second.out, second.err);
    // One line for each run that is waited for, however long that takes.
    let lines = said.lines().filter(|line| line.contains("waiting for tenant.t1: "));
    assert!(matches!(lines.count(), 1 | 2), "{said}");
    team.runs_take_turns(Database::shared());
    team.is_done();
}

/// A tenant with a network, a volume and guests.
fn tenant(number: usize, guests: usize) -> String {
    format!(
        "tenant t{number} {{\n  network n {{ cidr = 10.{number}.0.0/24 }}\n  vm web for n in \
         1..={guests} {{\n    vcpus = 1\n    memory = 256MiB\n    disk root {{ size = 1GiB }}\n    nic n {{ \
         network = network.n }}\n  }}\n}}\n"
    )
}
