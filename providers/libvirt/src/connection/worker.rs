//! The threads that hold a host's connections.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tcloud_libvirt_calls::Connection;
use virt::connect::Connect;
use virt::error::clear_error_callback;

use super::uri::Uri;
use super::{MOST, Progress, trouble};
use crate::failure::Failure;

/// Every so many seconds a silent daemon is asked for a sign of life …
const KEEPALIVE: i32 = 5;
/// … and so many may be missing.
const MISSING: u32 = 3;

/// The oldest libvirt that has everything that is used here.
const OLDEST: u32 = 6_000_000;

/// What to do with a connection, or with why there is none.
type Work = Box<dyn FnOnce(Result<&Connect, Failure>) + Send>;

/// Something to do with a connection.
pub(super) struct Job {
    /// When it was asked for.
    pub(super) begun: Instant,
    /// How far it is.
    pub(super) progress: Arc<Progress>,
    /// What to do; called with what went wrong when there is no connection.
    pub(super) done: Work,
}

/// The threads of one host.
pub(super) struct Crew {
    uri: Uri,
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    workers: usize,
    /// How many of them wait for a connection to open, and since when none of them had an answer.
    opening: usize,
    unanswered: Option<Instant>,
    dismissed: bool,
}

impl State {
    fn begin_opening(&mut self) {
        self.opening += 1;
        self.unanswered.get_or_insert_with(Instant::now);
    }

    fn end_opening(&mut self) {
        self.opening -= 1;
        self.unanswered = (self.opening > 0).then(Instant::now);
    }
}

impl Crew {
    pub(super) fn new(uri: Uri) -> Arc<Crew> {
        prepare();
        Arc::new(Crew { uri, state: Mutex::default(), more: Condvar::new() })
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives somebody a job, and hires if everybody is busy.
    pub(super) fn enlist(self: &Arc<Crew>, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.jobs.len() > state.idle && state.workers < MOST {
            let crew = Arc::clone(self);
            let hired = thread::Builder::new()
                .name("libvirt".to_owned())
                .spawn(move || crew.work())
                .is_ok();
            state.workers += usize::from(hired);
        }
        drop(state);
        self.more.notify_one();
    }

    /// Whether somebody waits for a connection to open, and nobody has had one for so long.
    pub(super) fn is_unanswered(&self, so_long: Duration) -> bool {
        self.lock().unanswered.is_some_and(|since| since.elapsed() > so_long)
    }

    /// Sends everybody home when there is nothing more to do.
    pub(super) fn dismiss(&self) {
        self.lock().dismissed = true;
        self.more.notify_all();
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.dismissed {
                state.workers -= 1;
                return None;
            }
            state.idle += 1;
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn work(&self) {
        let mut connection = None;
        while let Some(Job { begun, progress, done }) = self.next() {
            let now = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
            progress.taken.store(now(), Ordering::Relaxed);
            let opened = self.connected(&mut connection);
            progress.opened.store(now(), Ordering::Relaxed);
            // A bug in one call must not take the connection from the others.
            let _ = catch_unwind(AssertUnwindSafe(|| done(opened)));
        }
    }

    /// The connection, opened if there is none that lives.
    fn connected<'a>(&self, kept: &'a mut Option<Connection>) -> Result<&'a Connect, Failure> {
        if kept.as_ref().is_some_and(|own| !own.is_alive().unwrap_or(false)) {
            *kept = None;
        }
        match kept {
            Some(own) => Ok(own),
            None => {
                self.lock().begin_opening();
                let opened = self.open();
                self.lock().end_opening();
                Ok(kept.insert(opened?))
            }
        }
    }

    fn open(&self) -> Result<Connection, Failure> {
        let uri = &self.uri;
        let opened = Connection::open(&uri.to_libvirt());
        let connect = opened.map_err(|error| trouble::unreachable(uri, &error))?;
        // A transport without keepalive is one where the other side cannot vanish.
        let _ = connect.set_keep_alive(KEEPALIVE, MISSING);
        let driver = connect.get_type()?;
        if driver != "QEMU" {
            return Failure::refused(format!("{uri} is {driver:?}, and not QEMU"));
        }
        let version = connect.get_lib_version()?;
        if version < OLDEST {
            return Failure::refused(format!(
                "{uri} runs libvirt {}, which is too old: {} is needed",
                dotted(version),
                dotted(OLDEST)
            ));
        }
        Ok(connect)
    }
}

/// A version as libvirt counts it, in words.
pub(crate) fn dotted(version: u32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
}

/// Keepalives need an event loop, and libvirt prints its errors unless told otherwise.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        clear_error_callback();
        // Without it there are no keepalives, and deadlines have to do.
        let _ = tcloud_libvirt_calls::events::serve();
    });
}
