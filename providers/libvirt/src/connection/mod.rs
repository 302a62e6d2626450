//! Connections to a host. libvirt's calls block, so each connection has a thread of its own; a host
//! gets as many as are busy at once, up to [`MOST`].

mod trouble;
mod uri;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use virt::connect::Connect;

use crate::failure::Failure;
pub(crate) use uri::Uri;
pub(crate) use worker::dotted;
use worker::{Crew, Job};

/// The most connections to one host. More are not faster: libvirtd itself works on few calls at
/// once.
const MOST: usize = 8;

/// How long a connection may take to open, with whatever ssh or TLS need.
const OPENING: Duration = Duration::from_secs(30);

/// The same where others have waited for as long in vain.
const AGAIN: Duration = Duration::from_secs(5);

/// How often a call looks whether it should give up.
const TICK: Duration = Duration::from_millis(250);

/// How long something is waited for that libvirt answers from what it knows.
pub(crate) const QUICK: Duration = Duration::from_secs(60);

/// A host that can be called.
pub(crate) struct Host {
    crew: Arc<Crew>,
}

/// What became of a job so far: milliseconds since it was asked for, plus one; zero is "not yet".
#[derive(Default)]
pub(crate) struct Progress {
    taken: AtomicU64,
    opened: AtomicU64,
}

impl Host {
    /// A host behind a URI. Nothing is opened yet.
    pub(crate) fn new(uri: Uri) -> Host {
        Host { crew: Crew::new(uri) }
    }

    /// Where it is.
    pub(crate) fn uri(&self) -> &Uri {
        self.crew.uri()
    }

    /// Does something with a connection, on a thread where it may block. `what` names it in
    /// messages. When the caller gives up, work that has begun goes on to its end, and what waited
    /// for a connection is not begun.
    ///
    /// # Errors
    /// What the work says; or that the host cannot be reached, broke off, or needs longer than
    /// `deadline`, which is counted from when the work begins.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        what: &str,
        deadline: Duration,
        work: impl FnOnce(&Connect) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (send, mut receive) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let begun = Instant::now();
        let uri = self.uri().clone();
        let name = what.to_owned();
        let done = Box::new(move |connect: Result<&Connect, Failure>| {
            if send.is_closed() {
                return;
            }
            let answer = connect.and_then(|connect| match work(connect) {
                Err(failure) => Err(blamed(connect, &uri, &name, failure)),
                answer => answer,
            });
            // The caller may have given up.
            let _ = send.send(answer);
        });
        self.crew.enlist(Job { begun, progress: Arc::clone(&progress), done });
        loop {
            match tokio::time::timeout(TICK, &mut receive).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => {
                    return Err(Failure::Unknown(format!("{what}: it broke off by a bug")));
                }
                Err(_) => self.patience(what, &progress, begun.elapsed(), deadline)?,
            }
        }
    }

    /// Whether a call that is not done after `spent` should go on waiting.
    fn patience(
        &self,
        what: &str,
        progress: &Progress,
        spent: Duration,
        deadline: Duration,
    ) -> Result<(), Failure> {
        let at = |moment: &AtomicU64| match moment.load(Ordering::Relaxed) {
            0 => None,
            later => Some(Duration::from_millis(later - 1)),
        };
        match (at(&progress.taken), at(&progress.opened)) {
            (Some(taken), None) if spent.saturating_sub(taken) > OPENING => {
                Err(trouble::silent(self.uri(), OPENING.as_secs()))
            }
            // A daemon that stands still has everybody waiting at its door, and who comes later need
            // not find that out anew.
            (_, None) if spent > AGAIN && self.crew.is_unanswered(OPENING) => {
                Err(trouble::silent(self.uri(), OPENING.as_secs()))
            }
            (_, Some(opened)) if spent.saturating_sub(opened) > deadline => {
                Err(trouble::slow(self.uri(), what, deadline.as_secs()))
            }
            (None, _) if spent > deadline + OPENING => Err(Failure::Away(format!(
                "{what}: all connections to {} have been busy for {} s",
                self.uri(),
                spent.as_secs()
            ))),
            _ => Ok(()),
        }
    }

    /// Lets go of the connections, once what is asked already is done.
    pub(crate) fn close(&self) {
        self.crew.dismiss();
    }
}

/// What a failure is about: when the connection broke, nobody knows what was done.
pub(crate) fn blamed(connect: &Connect, uri: &Uri, what: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Libvirt(error) if !connect.is_alive().unwrap_or(false) => {
            trouble::lost(uri, what, error.message())
        }
        failure => failure,
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.close();
    }
}
