//! The binary at a terminal: a person who types, and a screen that shows what they would see.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::project::Project;

/// How long anything may take until it is on the screen, on a busy machine.
const BOUND: Duration = Duration::from_secs(120);

/// The lines of the screen: enough for a plan with everything below it.
pub(crate) const ROWS: u16 = 50;

/// The columns of the screen.
pub(crate) const COLUMNS: u16 = 100;

/// Ctrl-C, as a terminal sends it.
pub(crate) const CTRL_C: &str = "\u{3}";

/// Ctrl-D.
pub(crate) const CTRL_D: &str = "\u{4}";

/// A run of the binary at a terminal.
pub(crate) struct Session {
    pty: Arc<Pty>,
    child: std::process::Child,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    reader: std::thread::JoinHandle<()>,
}

/// What came to the terminal.
struct Seen {
    raw: Vec<u8>,
    screen: vt100::Parser,
}

impl Seen {
    /// The rows of the screen. A row that the next one goes on from is a row all the same: bars fill
    /// theirs up to the edge.
    fn text(&self) -> String {
        let rows: Vec<String> = self.screen.screen().rows(0, COLUMNS).collect();
        rows.join("\n").trim_end_matches('\n').to_owned()
    }
}

/// How a run at a terminal ended.
pub(crate) struct Left {
    pub(crate) code: Option<i32>,
    /// What is on the screen at the end.
    pub(crate) screen: String,
    /// Every byte that was written.
    pub(crate) raw: String,
}

impl Session {
    /// Starts a command at a terminal.
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Session {
        Session::start_with(project, arguments, &[])
    }

    /// Starts a command at a terminal, with these variables of the environment.
    pub(crate) fn start_with(
        project: &Project,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Session {
        let (pty, pts) = pty_process::blocking::open().expect("a terminal");
        pty.resize(Size::new(ROWS, COLUMNS)).expect("its size");
        // At Ctrl-C a terminal tells the program, and then throws away what is on its way to the
        // screen: whether the program's last words are among that would be chance.
        let mut modes = tcgetattr(&pty).expect("its modes");
        modes.local_modes |= LocalModes::NOFLSH;
        tcsetattr(&pty, OptionalActions::Now, &modes).expect("its modes");
        let child = Command::new(env!("CARGO_BIN_EXE_tcloud"))
            .args(arguments)
            .current_dir(project.path())
            .env_remove("NO_COLOR")
            .env_remove("TCLOUD_STATE")
            .env("TERM", "xterm-256color")
            .envs(environment.iter().copied())
            .spawn(pts)
            .expect("tcloud runs");
        let pty = Arc::new(pty);
        let screen = vt100::Parser::new(size(ROWS), size(COLUMNS), 10_000);
        let seen = Arc::new((Mutex::new(Seen { raw: Vec::new(), screen }), Condvar::new()));
        let reader = std::thread::spawn({
            let (pty, seen) = (Arc::clone(&pty), Arc::clone(&seen));
            move || {
                let mut bytes = [0; 4096];
                // The end of the process is an error here, EIO.
                while let Ok(length @ 1..) = (&*pty).read(&mut bytes) {
                    let mut now = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
                    now.raw.extend_from_slice(&bytes[..length]);
                    now.screen.process(&bytes[..length]);
                    seen.1.notify_all();
                }
            }
        });
        Session { pty, child, seen, reader }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the screen fulfils a condition, and gives it.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        let mut seen = self.seen();
        loop {
            let text = seen.text();
            if is_so(&text) {
                return text;
            }
            let left = BOUND.saturating_sub(start.elapsed());
            if left.is_zero() || self.reader.is_finished() {
                let raw = String::from_utf8_lossy(&seen.raw).into_owned();
                panic!("no {what} on:\n{text}\nof {raw:?}");
            }
            let pause = left.min(Duration::from_millis(200));
            seen = self.seen.1.wait_timeout(seen, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until these words are on the screen.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        self.wait(words, |screen| screen.contains(words))
    }

    /// Types.
    pub(crate) fn send(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("typed");
    }

    /// Waits for the end of the run.
    pub(crate) fn left(mut self) -> Left {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it was started") {
                break status;
            }
            if start.elapsed() > BOUND {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", self.seen().text());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        self.reader.join().expect("the reader ends with the process");
        let seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        Left {
            code: status.code(),
            screen: seen.text(),
            raw: String::from_utf8_lossy(&seen.raw).into_owned(),
        }
    }
}

fn size(number: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(number).expect("a size")
}
