//! The console at a terminal: answers, completion, history.

use crate::project::Project;
use crate::terminal::{CTRL_C, CTRL_D, Session};

const TOWN: &str = "\
site s {
  host h { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
}

tenant a {
  vm w { vcpus = 1, memory = 3GiB }
}
";

const UP: &str = "\u{1b}[A";

/// Whether a line of the screen is this one.
fn has_line(screen: &str, line: &str) -> bool {
    screen.lines().any(|own| own.trim_end() == line)
}

fn lines(screen: &str, line: &str) -> usize {
    screen.lines().filter(|own| own.trim_end() == line).count()
}

/// Waits until the console waits for a line: what is typed before that is not read as keys.
fn ready(session: &Session) {
    session.wait("prompt", |screen| screen.lines().last().map(str::trim) == Some(">"));
}

#[test]
fn a_person_gets_answers_completion_and_what_they_typed_before() {
    let project = Project::with(TOWN);
    let session = Session::start(&project, &["console"]);
    let type_line = |keys: &str| {
        ready(&session);
        session.send(keys);
    };
    type_line("1 + 2\r");
    session.wait("answer", |screen| has_line(screen, "3"));
    type_line("tenant.a.vm.w.host\r");
    session.wait("host", |screen| has_line(screen, "site.s.host.h"));
    type_line("tenant.a.vm.w.mem\t");
    session.wait_for("> tenant.a.vm.w.memory");
    session.send(" * 2\r");
    session.wait("answer", |screen| has_line(screen, "6GiB"));
    type_line("nonsense\r");
    session.wait_for("E0");
    type_line(&format!("{UP}{UP}\r"));
    session.wait("second answer", |screen| lines(screen, "6GiB") == 2);
    type_line("1 + 4");
    session.wait_for("> 1 + 4");
    session.send(CTRL_C);
    type_line("10 + 4\r");
    session.wait("answer after Ctrl-C", |screen| has_line(screen, "14"));
    type_line(CTRL_D);
    let left = session.left();
    assert_eq!(left.code, Some(0), "{}", left.screen);
    assert!(!has_line(&left.screen, "5"), "{}", left.screen);

    let session = Session::start(&project, &["console"]);
    ready(&session);
    session.send(&format!("{UP}{UP}\r"));
    session.wait("answer of before", |screen| has_line(screen, "6GiB"));
    ready(&session);
    session.send(":quit\r");
    assert_eq!(session.left().code, Some(0));
}
