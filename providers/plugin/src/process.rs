//! A plugin's process: an environment with next to nothing in it, a session without a terminal, no way
//! to more rights than it has, and an end that takes its children with it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use tcloud_model::value::is_unsafe_to_print;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStdin, ChildStdout};

use crate::program::Program;

/// What a plugin sees of the environment: what it needs to find programs and, for `ssh`, to find
/// keys and known hosts.
const ENVIRONMENT: [&str; 8] =
    ["PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "LANG", "LC_ALL", "XDG_RUNTIME_DIR"];

/// The longest line of a log, in bytes.
const LONGEST_LINE: usize = 4096;

/// How many last lines of the log are kept for the obituary.
const LAST_WORDS: usize = 3;

/// Takes secrets out of what a plugin says.
pub type Filter = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A process that runs.
pub(crate) struct Process {
    child: Box<dyn ChildWrapper>,
    group: Group,
    words: Arc<Mutex<Vec<String>>>,
    log: tokio::task::JoinHandle<()>,
}

/// The streams of a process.
pub(crate) struct Streams {
    pub(crate) input: ChildStdin,
    pub(crate) output: ChildStdout,
}

/// A process with its children; they end with it.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn kill(&self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a program.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn start(
    name: &str,
    program: &Program,
    arguments: &[OsString],
    filter: Filter,
) -> std::io::Result<(Process, Streams)> {
    let mut command = CommandWrap::with_new(path_of(program), |command| {
        command.arg0(program.path()).args(arguments).env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
    });
    let mut child = spawn(command.wrap(ProcessSession))?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let group = Group(pid.and_then(rustix::process::Pid::from_raw));
    let missing = || std::io::Error::other("BUG: a stream of the process was not asked for");
    let input = child.stdin().take().ok_or_else(missing)?;
    let output = child.stdout().take().ok_or_else(missing)?;
    let errors = child.stderr().take().ok_or_else(missing)?;
    let words = Arc::new(Mutex::new(Vec::new()));
    let log = tokio::spawn(log(name.to_owned(), errors, filter, Arc::clone(&words)));
    Ok((Process { child, group, words, log }, Streams { input, output }))
}

/// Starts it from a thread that has given up gaining rights. A process inherits that from the thread
/// that starts it, for ever and with all its children, so that no setuid program helps any of them.
fn spawn(command: &mut CommandWrap) -> std::io::Result<Box<dyn ChildWrapper>> {
    let runtime = tokio::runtime::Handle::try_current().map_err(std::io::Error::other)?;
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            rustix::thread::set_no_new_privs(true)?;
            let _inside = runtime.enter();
            command.spawn()
        });
        let ended = starter.join();
        ended.unwrap_or_else(|_| Err(std::io::Error::other("BUG: starting it panicked")))
    })
}

fn path_of(program: &Program) -> PathBuf {
    program.by_descriptor()
}

impl Process {
    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
        // Its children are none of our concern here: they are ended with the group.
        self.child.inner_mut().wait().await.ok()
    }

    /// Ends it with its children. What it said last is in the answer.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.group.kill();
        // It cannot refuse; the wait only makes sure that nothing of it is left.
        let _ = self.child.inner_mut().wait().await;
        let _ = tokio::time::timeout(std::time::Duration::from_millis(500), &mut self.log).await;
        self.log.abort();
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Passes on what a plugin says: line by line, without secrets, and so that no terminal obeys it.
async fn log(
    provider: String,
    mut errors: impl AsyncRead + Unpin,
    filter: Filter,
    words: Arc<Mutex<Vec<String>>>,
) {
    let mut buffer = vec![0; LONGEST_LINE];
    let mut line: Vec<u8> = Vec::new();
    let say = |line: &[u8]| {
        let text = plain(&filter(&String::from_utf8_lossy(line)));
        if text.trim().is_empty() {
            return;
        }
        tracing::info!(provider, "{text}");
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() == LAST_WORDS {
            words.remove(0);
        }
        words.push(text);
    };
    loop {
        let read = match errors.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        for byte in &buffer[..read] {
            if *byte == b'\n' || line.len() == LONGEST_LINE {
                say(&line);
                line.clear();
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }
    say(&line);
}

/// A text that no terminal obeys.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => plain.push(' '),
            c if is_unsafe_to_print(c) => plain.extend(c.escape_unicode()),
            c => plain.push(c),
        }
    }
    plain
}
