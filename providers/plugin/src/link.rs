//! A live plugin: requests go out side by side, answers come back in any order. When it dies, hangs
//! or talks nonsense, everything that waits hears why, and nothing else happens.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};

use crate::frame;
use crate::message::{
    self, Cancel, ErrorObject, FromPlugin, Object, Objects, Progress, RequestId, ToPlugin, Two,
    json, method,
};
use crate::process::{Process, Streams, plain};

/// How long a plugin may leave a frame unread, and a cancellation unanswered.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many requests may wait to be written.
const WAITING: usize = 64;

/// How many bytes of objects one observation may have.
const LARGEST_OBSERVATION: usize = 512 << 20;

/// What came of a request that was answered.
pub(crate) type Reply = Result<Replied, ErrorObject>;

/// An answer, with what was sent ahead of it.
#[derive(Debug)]
pub(crate) struct Replied {
    pub(crate) result: Box<RawValue>,
    pub(crate) objects: Vec<Object>,
}

/// There is no answer.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// What became of the plugin.
    pub(crate) why: String,
    /// Whether the request may have reached it.
    pub(crate) sent: bool,
}

/// A live plugin; it ends with this.
pub(crate) struct Link {
    shared: Arc<Shared>,
    frames: mpsc::Sender<Vec<u8>>,
    ends: watch::Sender<Option<Ending>>,
}

/// How a plugin is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Its input is closed, and it has a moment.
    Gently,
    /// At once.
    Now,
}

struct Shared {
    name: String,
    state: Mutex<State>,
    last: AtomicU64,
    /// Whether it ever answered a request about a host.
    useful: AtomicBool,
}

#[derive(Default)]
struct State {
    pending: HashMap<RequestId, Pending>,
    /// Requests that were given up, and when.
    given_up: HashMap<RequestId, Instant>,
    /// Why there is no plugin any more.
    gone: Option<String>,
}

struct Pending {
    answer: oneshot::Sender<Result<Reply, Lost>>,
    objects: Vec<Object>,
    bytes: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under this lock can leave half of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn die(&self, why: &str) {
        let pending = {
            let mut state = self.lock();
            state.gone.get_or_insert_with(|| why.to_owned());
            state.given_up.clear();
            std::mem::take(&mut state.pending)
        };
        for (_, Pending { answer, objects: _, bytes: _ }) in pending {
            // Who does not wait any more need not know.
            let _ = answer.send(Err(Lost { why: why.to_owned(), sent: true }));
        }
    }

    /// Takes a frame in.
    fn take(&self, body: &[u8]) -> Result<(), String> {
        let message: FromPlugin<'_> = message::read(body)?;
        match message {
            FromPlugin {
                jsonrpc: Two,
                id: Some(id),
                result,
                error,
                method: None,
                params: None,
            } => match (result, error) {
                (Some(result), None) => self.answer(id, Ok(result.to_owned())),
                (None, Some(error)) => self.answer(id, Err(error)),
                _ => Err("an answer has either a result or an error".to_owned()),
            },
            FromPlugin {
                jsonrpc: Two,
                id: None,
                result: None,
                error: None,
                method: Some(method),
                params: Some(params),
            } => self.hear(&method, params),
            FromPlugin { id: None, error: Some(error), .. } => {
                Err(format!("it did not understand a request: {}", plain(&error.message)))
            }
            _ => Err("it is neither an answer nor a notification".to_owned()),
        }
    }

    fn answer(
        &self,
        id: RequestId,
        outcome: Result<Box<RawValue>, ErrorObject>,
    ) -> Result<(), String> {
        let mut state = self.lock();
        if let Some(Pending { answer, objects, bytes: _ }) = state.pending.remove(&id) {
            let reply = outcome.map(|result| Replied { result, objects });
            // Who does not wait any more need not know.
            let _ = answer.send(Ok(reply));
            return Ok(());
        }
        match state.given_up.remove(&id) {
            Some(_) => Ok(()),
            None => Err(format!("it answers request {id}, which waits for no answer")),
        }
    }

    fn hear(&self, method: &str, params: &RawValue) -> Result<(), String> {
        match method {
            method::OBJECTS => {
                let Objects { request, objects } = message::read_part(params)?;
                let mut state = self.lock();
                if let Some(pending) = state.pending.get_mut(&request) {
                    pending.bytes += params.get().len();
                    if pending.bytes > LARGEST_OBSERVATION {
                        return Err("an observation does not end".to_owned());
                    }
                    pending.objects.extend(objects);
                    return Ok(());
                }
                match state.given_up.contains_key(&request) {
                    true => Ok(()),
                    false => {
                        Err(format!("it sends objects for request {request}, which waits for none"))
                    }
                }
            }
            method::PROGRESS => {
                let Progress { request, message } = message::read_part(params)?;
                tracing::info!(provider = self.name, request, "{}", plain(&message));
                Ok(())
            }
            other => {
                Err(format!("there is no notification \"{}\"", frame::shown(other.as_bytes())))
            }
        }
    }

    /// Whether a cancellation has waited for too long.
    fn hangs(&self) -> bool {
        self.lock().given_up.values().any(|since| since.elapsed() > PATIENCE)
    }
}

impl Link {
    /// Watches over a process that was just started.
    pub(crate) fn new(name: &str, process: Process, streams: Streams) -> Link {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            state: Mutex::default(),
            last: AtomicU64::new(0),
            useful: AtomicBool::new(false),
        });
        let (frames, waiting) = mpsc::channel(WAITING);
        let (ends, ended) = watch::channel(None);
        tokio::spawn(watch_over(Arc::clone(&shared), process, streams, waiting, ended));
        Link { shared, frames, ends }
    }

    /// Why it is gone, if it is.
    pub(crate) fn gone(&self) -> Option<String> {
        self.shared.lock().gone.clone()
    }

    /// Whether it ever answered a request about a host.
    pub(crate) fn was_useful(&self) -> bool {
        self.shared.useful.load(Ordering::Relaxed)
    }

    /// Notes that it answered a request about a host.
    pub(crate) fn is_useful(&self) {
        self.shared.useful.store(true, Ordering::Relaxed);
    }

    /// Sends a request and waits for its answer. When the future is dropped, the request is given
    /// up, and the plugin is told.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<Reply, Lost> {
        let id = self.shared.last.fetch_add(1, Ordering::Relaxed) + 1;
        let params = json(params);
        let message =
            ToPlugin { jsonrpc: Two, id: Some(id), method: method.into(), params: &params };
        let body = json(&message).get().as_bytes().to_vec();
        if body.len() > frame::LARGEST {
            let why = format!("the request is larger than {} bytes", frame::LARGEST);
            return Err(Lost { why, sent: false });
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(why) = &state.gone {
                return Err(Lost { why: why.clone(), sent: false });
            }
            state.pending.insert(id, Pending { answer, objects: Vec::new(), bytes: 0 });
        }
        let mut given_up = GivenUp { link: self, id, sent: false, armed: true };
        let sent = self.frames.send(body).await.is_ok();
        given_up.sent = sent;
        // What takes no more requests is about to end, and then says why.
        let outcome = answered.await;
        given_up.armed = false;
        match outcome {
            Ok(Err(lost)) => Err(Lost { sent: sent && lost.sent, ..lost }),
            Ok(replied) => replied,
            Err(_) => {
                let why = self.gone().unwrap_or_else(|| "it is being ended".to_owned());
                Err(Lost { why, sent })
            }
        }
    }

    /// Closes the plugin's input and gives it a moment to end by itself.
    pub(crate) async fn close(&self) {
        self.ends.send_replace(Some(Ending::Gently));
        self.ends.closed().await;
    }

    /// Ends it at once: it talks nonsense.
    pub(crate) fn kill(&self) {
        self.ends.send_replace(Some(Ending::Now));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.shared.name)
    }
}

/// Tells the plugin when nobody waits for a request any more.
struct GivenUp<'a> {
    link: &'a Link,
    id: RequestId,
    sent: bool,
    armed: bool,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let mut state = self.link.shared.lock();
        let waited = state.pending.remove(&self.id).is_some();
        if !(waited && self.sent) {
            return;
        }
        let params = json(&Cancel { request: self.id });
        let method = method::CANCEL.into();
        let message = ToPlugin { jsonrpc: Two, id: None, method, params: &params };
        let body = json(&message).get().as_bytes().to_vec();
        state.given_up.insert(self.id, Instant::now());
        // Where there is no room, the plugin does not read, and is ended for that.
        let _ = self.link.frames.try_send(body);
    }
}

/// Watches over a plugin until its end.
async fn watch_over(
    shared: Arc<Shared>,
    mut process: Process,
    streams: Streams,
    frames: mpsc::Receiver<Vec<u8>>,
    mut ends: watch::Receiver<Option<Ending>>,
) {
    let Streams { input, output } = streams;
    let mut writing = tokio::spawn(write_all(frames, input));
    let mut why = tokio::select! {
        why = read_all(&shared, output) => why,
        why = &mut writing => why.unwrap_or_else(|_| Some("its input cannot be written".to_owned())),
        () = notice_silence(&shared) => {
            let seconds = PATIENCE.as_secs();
            Some(format!("it hangs: a cancelled request was not answered within {seconds} s"))
        }
        // Either way the sender has not gone yet.
        _ = ends.wait_for(Option::is_some) => Some("it was ended".to_owned()),
    };
    let gently = *ends.borrow() == Some(Ending::Gently);
    writing.abort();
    if why.is_none() || gently {
        // Its output is closed: it is about to end, and how says most about why.
        let _ = writing.await;
        if let Ok(status) = tokio::time::timeout(Duration::from_secs(2), process.ended()).await {
            why = Some(match status {
                Some(status) => format!("it ended ({status})"),
                None => "it ended".to_owned(),
            });
        }
    }
    let words = process.end().await;
    let mut why = why.unwrap_or_else(|| "it closed its output".to_owned());
    if !words.is_empty() {
        why = format!("{why}, and said last: {}", words.join(" / "));
    }
    tracing::debug!(provider = shared.name, "{why}");
    shared.die(&why);
}

/// Reads until the output ends (`None`), or holds what it must not.
async fn read_all(shared: &Shared, output: ChildStdout) -> Option<String> {
    let mut output = BufReader::with_capacity(1 << 16, output);
    loop {
        let trouble = match frame::read(&mut output).await {
            Ok(Some(body)) => match shared.take(&body) {
                Ok(()) => continue,
                Err(trouble) => trouble,
            },
            Ok(None) => return None,
            // It died in the middle of a frame.
            Err(frame::FrameError::Cut) => return None,
            Err(error) => error.to_string(),
        };
        return Some(format!("it talks nonsense: {trouble}"));
    }
}

/// Writes until there is no more to write (`Some` is what is wrong).
async fn write_all(mut frames: mpsc::Receiver<Vec<u8>>, mut input: ChildStdin) -> Option<String> {
    while let Some(body) = frames.recv().await {
        let write = async {
            frame::write(&mut input, &body).await?;
            input.flush().await.map_err(frame::FrameError::from)
        };
        match tokio::time::timeout(PATIENCE, write).await {
            Ok(Ok(())) => {}
            // How it ended says more, and its output ends with it.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                return Some(format!("it hangs: it reads nothing for {seconds} s"));
            }
        }
    }
    std::future::pending().await
}

async fn notice_silence(shared: &Shared) {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    while !shared.hangs() {
        ticks.tick().await;
    }
}
