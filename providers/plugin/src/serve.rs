//! The plugin's side: any provider, served over a pair of streams. Requests are worked off side by
//! side and answered as they finish; a request that is given up is dropped and answered at once.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tcloud_model::{HostFacts, HostObservation};
use tcloud_provider::conformance::Outsider;
use tcloud_provider::{ConfiguredProvider, Description, HostConfig, Provider};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::frame::{self, FrameError};
use crate::message::{
    Answer, ByHandRequest, Cancel, Configured, Connection, Deed, Done, ErrorObject, FromPlugin,
    Hello, Nothing, Object, OfOperation, OnConnection, RequestId, ToPlugin, Two, VERSION, Welcome,
    code, json, method, read, read_part,
};

/// How many bytes of objects go into one frame.
const PAGE: usize = 1 << 20;

/// How many answers may wait for a reader that is slow.
const WAITING: usize = 64;

/// What is served.
#[derive(Clone)]
pub struct Service {
    provider: Arc<dyn Provider>,
    by_hand: Option<Arc<dyn ByHand>>,
}

/// Does what a person does behind the provider's back, so that the conformance suite can examine
/// the plugin without knowing its hypervisor.
pub trait ByHand: Send + Sync {
    /// The person in front of a host.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn outsider(&self, host: &HostConfig) -> Result<Arc<dyn Outsider>, String>;
}

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What came in is no frame.
    #[error("tcloud sent something else than a frame")]
    Input(#[source] FrameError),
    /// Nothing can be sent any more.
    #[error("nothing can be sent any more")]
    Output(#[source] FrameError),
}

impl Service {
    /// Serves a provider.
    pub fn new(provider: Arc<dyn Provider>) -> Service {
        Service { provider, by_hand: None }
    }

    /// Serves the person that the conformance suite needs, too.
    pub fn by_hand(mut self, by_hand: Arc<dyn ByHand>) -> Service {
        self.by_hand = Some(by_hand);
        self
    }
}

/// The `main` of a plugin: serves over standard input and output until the input ends.
///
/// Whatever else writes to standard output – a library in C, say – writes to standard error
/// instead, so that it cannot break a frame.
pub fn run(service: Service) -> ExitCode {
    match run_on_standard_streams(service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            complain(&format!("{error}{cause}"));
            ExitCode::FAILURE
        }
    }
}

fn run_on_standard_streams(service: Service) -> Result<(), Box<dyn std::error::Error>> {
    let output = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    let output = tokio::fs::File::from_std(std::fs::File::from(output));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(service, tokio::io::stdin(), output));
    // Standard input is read on a thread that nothing can interrupt.
    runtime.shutdown_background();
    Ok(served?)
}

#[expect(clippy::print_stderr, reason = "standard error is the log of a plugin")]
fn complain(message: &str) {
    eprintln!("{message}");
}

/// Serves until the input ends; then what is under way is dropped and every host let go.
///
/// # Errors
/// When the input is broken or the output closed.
pub async fn serve(
    service: Service,
    input: impl AsyncRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), ServeError> {
    let (frames, waiting) = mpsc::channel(WAITING);
    let writer = tokio::spawn(write_all(waiting, output));
    let server = Arc::new(Server {
        service,
        frames,
        hosts: Mutex::default(),
        last: AtomicU64::new(0),
        running: Mutex::default(),
    });
    let read = server.read(input).await;
    let hosts: Vec<_> = lock(&server.hosts).drain().map(|(_, host)| host).collect();
    for host in hosts {
        host.shutdown().await;
    }
    drop(server);
    let written = match writer.await {
        Ok(written) => written,
        Err(_) => Ok(()),
    };
    read?;
    written.map_err(ServeError::Output)
}

async fn write_all(
    mut waiting: mpsc::Receiver<Vec<u8>>,
    output: impl AsyncWrite + Unpin,
) -> Result<(), FrameError> {
    let mut output = BufWriter::new(output);
    while let Some(body) = waiting.recv().await {
        frame::write(&mut output, &body).await?;
        if waiting.is_empty() {
            output.flush().await?;
        }
    }
    Ok(output.flush().await?)
}

/// What a request comes to: JSON, or why not.
type Outcome = Result<Box<RawValue>, ErrorObject>;

struct Server {
    service: Service,
    frames: mpsc::Sender<Vec<u8>>,
    hosts: Mutex<HashMap<Connection, Arc<dyn ConfiguredProvider>>>,
    last: AtomicU64,
    /// How to give up what is under way.
    running: Mutex<HashMap<RequestId, oneshot::Sender<()>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can leave half of it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Reads messages, and starts each request in a task of its own.
    async fn read(self: &Arc<Server>, input: impl AsyncRead + Unpin) -> Result<(), ServeError> {
        let mut input = BufReader::new(input);
        let mut tasks = JoinSet::new();
        let end = loop {
            let frame = tokio::select! {
                frame = frame::read(&mut input) => frame,
                () = self.frames.closed() => break Ok(()),
            };
            match frame {
                Ok(Some(body)) => self.take(&body, &mut tasks).await,
                Ok(None) => break Ok(()),
                Err(error) => break Err(ServeError::Input(error)),
            }
            while tasks.try_join_next().is_some() {}
        };
        lock(&self.running).clear();
        while tasks.join_next().await.is_some() {}
        end
    }

    async fn take(self: &Arc<Server>, body: &[u8], tasks: &mut JoinSet<()>) {
        let message: ToPlugin<'_> = match read(body) {
            Ok(message) => message,
            Err(trouble) => return self.answer(None, Err(failure(code::PARSE, trouble))).await,
        };
        let ToPlugin { jsonrpc: Two, id, method, params } = message;
        let Some(id) = id else {
            // A notification that is not known is passed over, as JSON-RPC has it.
            if method == method::CANCEL
                && let Ok(Cancel { request }) = read_part(params)
                && let Some(give_up) = lock(&self.running).remove(&request)
            {
                // Who has finished meanwhile does not listen any more.
                let _ = give_up.send(());
            }
            return;
        };
        let (give_up, given_up) = oneshot::channel();
        if lock(&self.running).insert(id, give_up).is_some() {
            let trouble = format!("there is a request {id} already");
            return self.answer(Some(id), Err(failure(code::REQUEST, trouble))).await;
        }
        let (server, method, params) = (Arc::clone(self), method.into_owned(), params.to_owned());
        tasks.spawn(async move {
            let mut work = JoinSet::new();
            let own = Arc::clone(&server);
            work.spawn(async move { own.work(id, &method, &params).await });
            let outcome = tokio::select! {
                _ = given_up => Err(failure(code::CANCELLED, "the request was given up")),
                ended = work.join_next() => match ended {
                    Some(Ok(outcome)) => outcome,
                    _ => Err(failure(code::INTERNAL, "the provider ended with an internal error")),
                },
            };
            // Whoever hears that a request was given up may look at once at what became of it.
            work.shutdown().await;
            lock(&server.running).remove(&id);
            server.answer(Some(id), outcome).await;
        });
    }

    async fn answer(&self, id: Option<RequestId>, outcome: Outcome) {
        let mut body = frame_of(id, &outcome);
        if body.len() > frame::LARGEST {
            let trouble = format!("the answer is larger than {} bytes", frame::LARGEST);
            body = frame_of(id, &Err(failure(code::INTERNAL, trouble)));
        }
        self.send(body).await;
    }

    /// Nobody listens any more when this fails, and reading ends by itself.
    async fn send(&self, body: Vec<u8>) {
        let _ = self.frames.send(body).await;
    }

    async fn work(&self, id: RequestId, method: &str, params: &RawValue) -> Outcome {
        match method {
            method::HELLO => self.hello(&parameters(params)?),
            method::DESCRIBE => {
                let Nothing {} = parameters(params)?;
                Ok(json(&self.service.provider.describe()))
            }
            method::CONFIGURE => self.configure(&parameters(params)?).await,
            method::OBSERVE => {
                let observation = self.host(&parameters(params)?)?.observe().await?;
                self.pages(id, observation).await
            }
            method::LOOK => {
                let OfOperation { connection, operation } = parameters(params)?;
                let object = self.host(&OnConnection { connection })?.look(&operation).await?;
                Ok(json(&Answer { object: object.map(Object::from) }))
            }
            method::APPLY => {
                let OfOperation { connection, operation } = parameters(params)?;
                let object = self.host(&OnConnection { connection })?.apply(&operation).await?;
                Ok(json(&Answer { object: object.map(Object::from) }))
            }
            method::SHUTDOWN => {
                let OnConnection { connection } = parameters(params)?;
                let host = lock(&self.hosts).remove(&connection);
                if let Some(host) = host {
                    host.shutdown().await;
                }
                Ok(json(&Nothing {}))
            }
            method::BY_HAND => self.by_hand(parameters(params)?).await,
            other => {
                let other = frame::shown(other.as_bytes());
                Err(failure(code::METHOD, format!("there is no method \"{other}\"")))
            }
        }
    }

    fn hello(&self, hello: &Hello) -> Outcome {
        if !hello.protocols.contains(&VERSION) {
            let trouble = format!(
                "this plugin speaks version {VERSION} of the protocol, {} speaks {:?}",
                frame::shown(hello.client.as_bytes()),
                hello.protocols
            );
            return Err(failure(code::REQUEST, trouble));
        }
        let Description { name, version, .. } = self.service.provider.describe();
        Ok(json(&Welcome { protocol: VERSION, name, version }))
    }

    async fn configure(&self, host: &HostConfig) -> Outcome {
        let host = self.service.provider.configure(host).await?;
        let connection = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.hosts).insert(connection, host);
        Ok(json(&Configured { connection }))
    }

    fn host(&self, on: &OnConnection) -> Result<Arc<dyn ConfiguredProvider>, ErrorObject> {
        let OnConnection { connection } = on;
        let host = lock(&self.hosts).get(connection).cloned();
        host.ok_or_else(|| failure(code::PARAMS, format!("there is no connection {connection}")))
    }

    /// Sends all objects but the last page ahead.
    async fn pages(&self, request: RequestId, observation: HostObservation) -> Outcome {
        let HostObservation { host: _, facts, objects, problems } = observation;
        let mut page = Vec::new();
        let mut size = 0;
        for object in objects {
            let object = json(&Object::from(object));
            if size + object.get().len() > PAGE && !page.is_empty() {
                self.page(request, std::mem::take(&mut page)).await;
                size = 0;
            }
            size += object.get().len();
            page.push(object);
        }
        Ok(json(&Rest { facts, objects: page, problems }))
    }

    async fn page(&self, request: RequestId, objects: Vec<Box<RawValue>>) {
        let params = json(&Page { request, objects });
        let method = Some(method::OBJECTS.into());
        let message = FromPlugin { method, params: Some(&params), ..FromPlugin::default() };
        self.send(json(&message).get().as_bytes().to_vec()).await;
    }

    async fn by_hand(&self, request: ByHandRequest) -> Outcome {
        let Some(by_hand) = &self.service.by_hand else {
            return Err(failure(code::METHOD, "nobody does anything by hand here"));
        };
        let ByHandRequest { host, action } = request;
        let failed = |trouble| failure(code::FAILED, trouble);
        let person = by_hand.outsider(&host).map_err(failed)?;
        let done = match action {
            Deed::Make { kind, name } => person.make(&kind, &name).await.map(|()| Done::default()),
            Deed::Delete { kind, name } => {
                person.delete(&kind, &name).await.map(|()| Done::default())
            }
            Deed::PowerCycle { guest } => {
                person.power_cycle(&guest).await.map(|()| Done::default())
            }
            Deed::Process { guest } => {
                person.process(&guest).await.map(|process| Done { process, ..Done::default() })
            }
            Deed::Fit { address, attributes } => {
                let attributes = Some(person.fit(&address, attributes));
                Ok(Done { attributes, ..Done::default() })
            }
        };
        Ok(json(&done.map_err(failed)?))
    }
}

/// [`crate::message::Objects`], its objects already in JSON.
#[derive(Serialize)]
struct Page {
    request: RequestId,
    objects: Vec<Box<RawValue>>,
}

/// [`crate::message::Observed`], its objects already in JSON.
#[derive(Serialize)]
struct Rest {
    facts: Option<HostFacts>,
    objects: Vec<Box<RawValue>>,
    problems: Vec<String>,
}

fn parameters<T: DeserializeOwned>(params: &RawValue) -> Result<T, ErrorObject> {
    read_part(params).map_err(|trouble| failure(code::PARAMS, trouble))
}

fn failure(code: i64, message: impl Into<String>) -> ErrorObject {
    ErrorObject { code, message: message.into(), data: None }
}

fn frame_of(id: Option<RequestId>, outcome: &Outcome) -> Vec<u8> {
    let mut message = FromPlugin { id, ..FromPlugin::default() };
    match outcome {
        Ok(result) => message.result = Some(result),
        Err(error) => message.error = Some(error.clone()),
    }
    json(&message).get().as_bytes().to_vec()
}
