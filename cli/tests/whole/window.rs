//! Windows on the clock of this machine: what a guest of the simulated host notices of them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::project::Project;
use crate::saved::forge;

/// A guest that may be stopped and started in this window, on a board.
fn text(window: &str, machine: &str) -> String {
    format!(
        "site home {{
  host one {{ provider = \"sim\", capacity {{ vcpus = 8, memory = 32GiB }} }}
}}
tenant town {{
  vm files {{ vcpus = 1, memory = 1GiB, machine = \"{machine}\", restart = \"{window}\" }}
}}
"
    )
}

const OPEN: &str = "daily 00:00-24:00 Europe/Berlin";

/// A window on the one day that is three days from now.
fn closed() -> String {
    let day = Timestamp::now().to_zoned_datetime(TimeZone::UTC).checked_add(3.days());
    day.expect("a day").strftime("%a 00:00-24:00 UTC").to_string()
}

/// How often the guest was started, and its board.
fn guest(project: &Project) -> (u64, String) {
    let all = project.json(&["sim", "list", "--json"], 0);
    let listings = all.as_object().expect("a host each").values();
    let mut listings = listings.flat_map(|own| own.as_array().expect("a list"));
    let own = listings.find(|own| own["kind"] == "vm").expect("a guest");
    let machine = own["attributes"]["machine"].as_str().expect("a board");
    (own["boots"].as_u64().expect("a number"), machine.to_owned())
}

fn opens(listed: &Value) -> Timestamp {
    let opens = listed["opens"].as_str().expect("when it opens");
    let (time, zone) = opens.split_once('[').expect("a zone");
    assert_eq!(zone, "UTC]");
    time.parse().expect("a time")
}

#[test]
fn a_guest_runs_on_outside_of_its_window_and_is_started_anew_in_it() {
    let closed = closed();
    let project = Project::with(text(&closed, "q35"));
    project.run(&["apply", "--yes"], 0);
    project.write("main.tcloud", text(&closed, "pc"));
    let plan = project.json(&["plan", "--json"], 0);
    let own = &plan["changes"][0];
    assert_eq!((&own["waits"], own.get("until")), (&Value::Bool(true), None));
    let ahead = opens(own).duration_since(Timestamp::now()).as_hours();
    assert!((47..73).contains(&ahead), "{ahead} hours");
    let why = project.json(&["why", "town.vm.files", "--json"], 0);
    assert_eq!(why["changes"][0]["opens"], own["opens"]);
    project.run(&["apply", "--yes"], 0);
    assert_eq!(guest(&project), (1, "q35".to_owned()));
    // What waits is no change, but is told with its time.
    let plan = project.json(&["plan", "--json", "--exit-code"], 0);
    assert_eq!(plan["changes"], serde_json::json!([]));
    let ahead = opens(&plan["pending"][0]).duration_since(Timestamp::now()).as_hours();
    assert!((47..73).contains(&ahead), "{ahead} hours");
    project.run(&["apply", "--yes"], 0);
    assert_eq!(guest(&project), (1, "q35".to_owned()));
    // Another window alone is no change; that it is open takes up what waits.
    project.write("main.tcloud", text(OPEN, "pc"));
    project.run(&["plan", "--exit-code"], 2);
    project.run(&["apply", "--yes"], 0);
    assert_eq!(guest(&project), (2, "pc".to_owned()));
    project.run(&["plan", "--exit-code"], 0);
    project.write("main.tcloud", text(&closed, "pc"));
    project.run(&["plan", "--exit-code"], 0);
}

/// The plan is the same that was saved, but for the time at which its window closes: as if so much
/// time had passed.
#[test]
fn a_saved_plan_is_refused_as_a_whole_when_its_window_has_closed() {
    let project = Project::with(text(OPEN, "q35"));
    project.run(&["apply", "--yes"], 0);
    project.write("main.tcloud", text(OPEN, "pc"));
    project.run(&["plan", "--out", "p"], 0);
    let minute = |minutes: i64| {
        let time = Timestamp::now() + minutes.minutes();
        let text = format!("\"{}[UTC]\"", time.strftime("%Y-%m-%dT%H:%M:%S+00:00"));
        serde_json::from_str(&text).expect(&text)
    };
    forge(&project, "late", |plan| plan.changes[0].until = Some(minute(-1)));
    project.run(&["apply", "late", "--yes"], 5);
    assert_eq!(guest(&project), (1, "q35".to_owned()));
    // Who writes a window that the text has not is not believed.
    forge(&project, "never", |plan| plan.changes[0].until = None);
    forge(&project, "ever", |plan| plan.changes[0].until = Some(minute(30 * 24 * 60)));
    for name in ["never", "ever"] {
        project.run(&["apply", name, "--yes"], 1);
        assert_eq!(guest(&project), (1, "q35".to_owned()));
    }
    project.run(&["apply", "p", "--yes"], 0);
    assert_eq!(guest(&project), (2, "pc".to_owned()));
}
