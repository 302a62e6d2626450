//! Ctrl-C: the first stops a run gently, the second at once.

use tcloud_engine::Stop;
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
        let task = tokio::spawn(async move {
            for wish in [Stop::Drain, Stop::Now] {
                if !signal().await {
                    return;
                }
                sender.send_replace(wish);
            }
            if signal().await {
                end_now();
            }
        });
        Interrupts { task, stop }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for Ctrl-C or a polite request to end. False when signals cannot be heard.
pub(crate) async fn signal() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        heard = tokio::signal::ctrl_c() => heard.is_ok(),
        heard = terminate.recv() => heard.is_some(),
    }
}

#[expect(clippy::exit, reason = "the run did not end although it was asked twice")]
fn end_now() {
    std::process::exit(130);
}
