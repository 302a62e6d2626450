//! What happened, line by line with the simulated time: what is compared between two runs of one
//! seed, and shown for one that fails.

use tcloud_model::Digest;
use tokio::time::Instant;

/// The secret of every simulation; only hosts may see it.
pub(crate) const CANARY: &str = "c4n4ry-h7nter2";

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Trace {
    begun: Instant,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace { begun: Instant::now(), lines: Vec::new() }
    }

    /// Adds a line.
    pub(crate) fn say(&mut self, line: impl AsRef<str>) {
        let at = self.begun.elapsed();
        self.lines.push(format!("{:>9}.{:03} {}", at.as_secs(), at.subsec_millis(), line.as_ref()));
    }

    /// Lines in which the secret stands.
    pub(crate) fn leaks(&self) -> impl Iterator<Item = &String> {
        self.lines.iter().filter(|line| line.contains(CANARY))
    }

    /// The digest of all lines.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of_json(&self.lines)
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
