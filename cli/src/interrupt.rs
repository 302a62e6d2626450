//! Ctrl-C: the first stops a run gently, the second at once.

use std::future::Future;

use tcloud_engine::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listens to signals as long as it lives.
pub(crate) struct Interrupts {
    task: JoinHandle<()>,
    /// What the run is asked to do.
    pub(crate) stop: watch::Receiver<Stop>,
}

impl Interrupts {
    /// Listens from now on. A third signal ends the process: somebody really means it, and the
    /// journal knows what is open.
    pub(crate) fn listen() -> Interrupts {
        let (sender, stop) = watch::channel(Stop::No);
        let mut signals = Signals::listen();
        let task = tokio::spawn(async move {
            for wish in [Stop::Drain, Stop::Now] {
                if !signals.next().await {
                    return;
                }
                sender.send_replace(wish);
            }
            if signals.next().await {
                end_now();
            }
        });
        Interrupts { task, stop }
    }

    /// What work that only looks comes to. It is given up when somebody asks to stop, or has asked
    /// before it.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Stopped> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            Ok(_) = stop.wait_for(|stop| *stop > Stop::No) => Err(Stopped),
            done = work => Ok(done),
        }
    }
}

/// Somebody stopped the command before it did anything, also instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("stopped; nothing was changed")]
pub(crate) struct Stopped;

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ctrl-C and polite requests to end, from the moment on that somebody began to listen: one that
/// comes before it is waited for is not lost.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Signals {
        let listen = |kind| signal(kind).ok();
        Signals {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
        }
    }

    /// Waits for the next one. False when signals cannot be heard.
    pub(crate) async fn next(&mut self) -> bool {
        let Signals { interrupt, terminate } = self;
        match (interrupt, terminate) {
            (Some(interrupt), Some(terminate)) => tokio::select! {
                heard = interrupt.recv() => heard.is_some(),
                heard = terminate.recv() => heard.is_some(),
            },
            (Some(only), None) | (None, Some(only)) => only.recv().await.is_some(),
            (None, None) => false,
        }
    }
}

#[expect(clippy::exit, reason = "the run did not end although it was asked twice")]
fn end_now() {
    std::process::exit(130);
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_comes_before_it_is_waited_for_is_heard() {
        let mut signals = Signals::listen();
        let ours = std::process::id();
        let sent = Command::new("sh").args(["-c", &format!("kill -INT {ours}")]).status();
        assert!(sent.expect("a shell").success());
        let heard = tokio::time::timeout(Duration::from_secs(60), signals.next()).await;
        assert_eq!(heard, Ok(true));
    }
}
