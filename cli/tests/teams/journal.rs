//! What an operator is told about damage, an older backup, and a server that does not let him in.

use crate::database::Database;
use crate::team::{Run, Team};
use crate::tenant;

#[test]
fn the_first_bad_entry_is_named_and_nothing_is_written_behind_it() {
    let team = Team::pooled("damaged");
    team.write("tenants.tcloud", &tenant(1, 1));
    team.run(&["apply", "--yes"], 0);
    let said = team.run(&["state", "verify"], 0).out;
    assert!(said.contains("Every entry is as it was written"), "{said}");
    let sql = "SET search_path TO damaged; ALTER TABLE entries DISABLE TRIGGER only_append; \
               UPDATE entries SET body = body || ' ' \
               WHERE scope = (SELECT id FROM scopes WHERE name = 'tenant.t1') AND serial = 3";
    Database::shared().sql("operator", sql);
    let said = team.run(&["state", "verify"], 1).err;
    assert!(said.contains("entry 3 of tenant.t1 was changed after it was written"), "{said}");
    let json = team.begin(&["state", "verify", "--json"]).end();
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["damage"][0]["serial"], 3);
    team.write("tenants.tcloud", &tenant(1, 2));
    team.run(&["plan"], 0);
    team.run(&["state", "list"], 0);
    let said = team.run(&["apply", "--yes"], 1).err;
    let why = "the state is damaged: entry 3 of tenant.t1 was changed after it was written";
    assert!(said.contains(why) && said.contains("state verify"), "{said}");
}

/// The backup is put back after something was applied: a plan says so, and it can be brought up to
/// date.
fn backed_up(team: &Team, back_up: impl FnOnce() -> String, restore: impl FnOnce(String)) {
    team.write("tenants.tcloud", &tenant(1, 1));
    team.run(&["apply", "--yes"], 0);
    let backup = back_up();
    team.write("tenants.tcloud", &tenant(1, 1).replace("256MiB", "512MiB"));
    let said = team.run(&["apply", "--yes"], 0).err;
    assert!(!said.contains("older"), "{said}");
    assert!(!team.run(&["plan"], 0).err.contains("older"));
    restore(backup);
    team.run(&["state", "verify"], 0);
    let said = team.run(&["plan"], 0).err;
    assert!(said.contains("is older than what runs"), "{said}");
    assert!(said.contains("1 object (tenant.t1.vm.web[1]"), "{said}");
    team.run(&["state", "rebuild", "--yes"], 0);
    assert!(!team.run(&["plan"], 0).err.contains("older"));
    team.is_done();
}

#[test]
fn an_older_backup_of_a_file_is_noticed() {
    let team = Team::at("sqlite:state.db".to_owned());
    let file = team.path().join("state.db");
    let copy = team.path().join("backup");
    let back_up = || {
        std::fs::copy(&file, &copy).expect("copied");
        copy.display().to_string()
    };
    backed_up(&team, back_up, |copy| std::fs::rename(copy, &file).expect("moved"));
}

#[test]
fn an_older_backup_of_a_database_is_noticed() {
    let team = Team::pooled("backup");
    let database = Database::shared();
    let back_up = || database.dump("operator", "backup");
    backed_up(&team, back_up, |backup| database.restore("operator", "backup", &backup));
}

/// Whatever goes wrong and however much is said, the password is never a part of it.
#[test]
fn a_password_is_never_said() {
    let port = Database::shared().port();
    let secret = "c4n4ry-hunter2";
    for url in [
        format!("postgres://stranger:{secret}@127.0.0.1:{port}/operator?schema=secret"),
        format!("postgres://stranger:{secret}@127.0.0.1:1/operator"),
        format!("postgres://stranger@127.0.0.1:{port}/operator?password={secret}"),
        format!("postgres://stranger:{secret}@@127.0.0.1:{port}/operator"),
        format!("postgres://stranger:{secret}@127.0.0.1:{port}/operator?{secret}=1"),
        format!("postgre://stranger:{secret}@127.0.0.1/operator"),
    ] {
        let team = Team::at(url);
        team.write("tenants.tcloud", &tenant(1, 1));
        for arguments in [&["plan", "-vvv"][..], &["plan", "--help"], &["state", "list", "-vvv"]] {
            let ended = team.begin(arguments).end();
            assert!(!format!("{}{}", ended.out, ended.err).contains(secret), "{}", ended.err);
        }
    }
    let team = Team::at(format!("postgres://stranger@127.0.0.1:{port}/operator"));
    team.write("tenants.tcloud", &tenant(1, 1));
    let with = |arguments: &[&str], password: &str| {
        let mut command = team.command(arguments);
        command.env("PGPASSWORD", password);
        Run::of(command).end().err
    };
    let said = with(&["plan"], secret);
    assert!(said.contains("does not let stranger in") && !said.contains(secret), "{said}");
    // The right one lets the user in, and then a right is missing.
    let said = with(&["apply", "--yes"], "hunter2");
    assert!(said.contains("has no tables of tcloud yet"), "{said}");
}
