//! The calls to one host, carried out in order on a blocking thread. Calls that wait at the same
//! time share a transaction; the async runtime is never held up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tcloud_model::{Catalog, HostObservation, ObservedObject, Operation, OperationKind};
use tcloud_provider::ProviderError;
use tokio::sync::oneshot;

use crate::host::Site;
use crate::perform;

/// The most calls in one transaction.
const BATCH: usize = 256;

/// A call.
#[derive(Debug)]
pub(crate) enum Request {
    /// Show everything.
    Observe,
    /// Show one object.
    Look(Operation),
    /// Do something.
    Apply(Operation),
}

impl Request {
    /// Whether it may share a transaction with others of its sort.
    fn can_share(&self) -> bool {
        match self {
            Request::Observe | Request::Look(_) => false,
            Request::Apply(operation) => !matches!(operation.action, OperationKind::Migrate { .. }),
        }
    }
}

/// What comes of a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What is on the host.
    Observation(Box<HostObservation>),
    /// One object, if it is there.
    Object(Option<Box<ObservedObject>>),
    /// It failed.
    Failed(ProviderError),
    /// It takes so long; ask again then.
    Wait(Duration),
    /// No answer ever comes.
    Never,
}

/// A call that waits for its turn.
struct Job {
    request: Arc<Request>,
    /// Whether the time that it takes has passed.
    waited: bool,
    reply: oneshot::Sender<Answer>,
}

/// The calls to one host.
pub(crate) struct Queue {
    pub(crate) site: Site,
    pub(crate) catalog: Arc<Catalog>,
    file: Mutex<Connection>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Whether a thread is at work.
    busy: bool,
}

impl Queue {
    /// An empty queue before a host's file.
    pub(crate) fn new(site: Site, catalog: Arc<Catalog>, file: Connection) -> Queue {
        Queue { site, catalog, file: Mutex::new(file), waiting: Mutex::default() }
    }

    /// Makes a call and waits for its answer. A call that was begun ends, also when nobody waits
    /// for it any more.
    pub(crate) async fn ask(self: &Arc<Self>, request: Request) -> Result<Answer, ProviderError> {
        let request = Arc::new(request);
        let mut waited = false;
        loop {
            let (reply, answer) = oneshot::channel();
            self.submit(Job { request: Arc::clone(&request), waited, reply });
            match answer.await {
                Ok(Answer::Wait(time)) => tokio::time::sleep(time).await,
                Ok(Answer::Never) => std::future::pending().await,
                Ok(Answer::Failed(error)) => return Err(error),
                Ok(answer) => return Ok(answer),
                Err(_) => return Err(ProviderError::unknown("the simulated host died")),
            }
            waited = true;
        }
    }

    fn submit(self: &Arc<Self>, job: Job) {
        let mut waiting = lock(&self.waiting);
        waiting.jobs.push_back(job);
        if !waiting.busy {
            waiting.busy = true;
            let worker = Worker { queue: Arc::clone(self), done: false };
            tokio::task::spawn_blocking(move || worker.work());
        }
    }

    /// The next calls that may share a transaction; none when nothing waits.
    fn next(&self, done: &mut bool) -> Vec<Job> {
        let mut waiting = lock(&self.waiting);
        let shares = waiting.jobs.iter().take_while(|job| job.request.can_share()).count();
        let count = shares.clamp(1, BATCH).min(waiting.jobs.len());
        if count == 0 {
            waiting.busy = false;
            *done = true;
        }
        waiting.jobs.drain(..count).collect()
    }
}

/// A thread at work on a queue until nothing waits.
struct Worker {
    queue: Arc<Queue>,
    done: bool,
}

impl Worker {
    fn work(mut self) {
        let queue = Arc::clone(&self.queue);
        let mut file = lock(&queue.file);
        loop {
            let jobs = queue.next(&mut self.done);
            if jobs.is_empty() {
                return;
            }
            let calls: Vec<(&Request, bool)> =
                jobs.iter().map(|job| (&*job.request, job.waited)).collect();
            let answers = perform::perform(&mut file, &queue.site, &queue.catalog, &calls);
            for (job, answer) in jobs.into_iter().zip(answers) {
                // Nobody waits any more for a call that was cancelled.
                let _ = job.reply.send(answer);
            }
        }
    }
}

impl Drop for Worker {
    /// A runtime that ends may drop the work before it begins; then whoever waits is told.
    fn drop(&mut self) {
        if !self.done {
            let mut waiting = lock(&self.queue.waiting);
            waiting.busy = false;
            waiting.jobs.clear();
        }
    }
}

/// What a panic interrupted is rolled back by SQLite and forgotten by `Worker`, so the locks guard
/// nothing that could be half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
