//! Progress at a terminal, with many steps: a few lines, one bar, the slowest steps.

use crate::project::Project;
use crate::terminal::{COLUMNS, CTRL_C, Session};

/// A tenant with this many volumes on two hosts.
fn volumes(number: usize) -> Project {
    let project = Project::with(format!(
        "site s {{
  host h for n in 1..=2 {{ provider = \"sim\", capacity {{ vcpus = 8, memory = 32GiB }} }}
  pool p {{ type = \"dir\", path = \"/srv\" }}
}}

tenant a {{
  volume v for n in 1..={number} {{ size = 1GiB }}
}}
"
    ));
    project.run(&["plan"], 0);
    project.run(&["sim", "latency", "150ms"], 0);
    project
}

/// The lines from the bar on.
fn drawn(screen: &str) -> Vec<&str> {
    let lines = screen.trim_end().lines();
    lines.skip_while(|line| !line.contains("] ") || !line.contains("/5")).collect()
}

#[test]
fn hundreds_of_steps_are_one_bar_and_the_slowest_steps() {
    let project = volumes(500);
    let session = Session::start(&project, &["apply", "--yes"]);
    let screen = session.wait("bar with running steps", |screen| {
        drawn(screen).iter().any(|line| line.trim().starts_with("and "))
    });
    let lines = drawn(&screen);
    assert!(lines.len() <= 8, "{screen}");
    assert!(lines[0].contains("apply [") && lines[0].contains("/502"), "{screen}");
    for line in &lines[1..lines.len() - 1] {
        assert!(line.contains(" s  create") && line.contains("tenant.a.volume.v"), "{screen}");
    }
    assert!(screen.lines().all(|line| line.chars().count() <= usize::from(COLUMNS)), "{screen}");

    session.send(CTRL_C);
    session.wait_for("Stopping: nothing new is begun");
    let left = session.left();
    assert_eq!(left.code, Some(1), "{}", left.screen);
    // What was skipped is in the closing account, and not in a line for each step besides.
    assert!(left.raw.matches("skipped").count() < 50, "{}", left.raw);
    assert!(left.screen.contains("goes on where this run stopped"), "{}", left.screen);
    let made = project.ours();
    assert!((1..500).contains(&made.len()), "{}", made.len());
    assert_eq!(made, project.remembered(), "what was under way was finished and remembered");
}
