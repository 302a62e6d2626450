//! How much a run does at once, how long it waits and how often it tries.

use std::time::Duration;

use tcloud_model::kinds::HOLDS_DATA;
use tcloud_model::{Digest, Operation, Value};
use uuid::Uuid;

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Steps under way at the same time, on all hosts together.
    pub parallelism: usize,
    /// Steps under way at the same time on all hosts of a provider that does not say how many a host takes.
    pub per_provider: usize,
    /// Secrets that are asked for at the same time, each of which may start a program.
    pub secrets: usize,
    /// Hosts that are observed, and objects that a run before left open which are looked at, at the same
    /// time.
    pub observe: usize,
    /// How long reaching a host may take.
    pub connect: Duration,
    /// How long observing a host, or looking at one object, may take.
    pub look: Duration,
    /// How long one operation may take, beside what it is asked to wait for. Afterwards nobody knows
    /// whether it had an effect.
    pub call: Duration,
    /// The same for what holds data, which may have to be fetched or copied. Longer than providers
    /// give themselves, so that they can say why.
    pub transfer: Duration,
    /// How often an operation is tried when failures may pass.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long to wait for another run that holds a lease.
    pub lease_wait: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            parallelism: 128,
            per_provider: 16,
            secrets: 16,
            observe: 16,
            connect: Duration::from_secs(30),
            look: Duration::from_secs(120),
            call: Duration::from_secs(30 * 60),
            transfer: Duration::from_secs(130 * 60),
            attempts: 6,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            lease_wait: Duration::from_secs(15 * 60),
        }
    }
}

impl Limits {
    /// How long the operation may take: a guest that may need an hour to stop gets it.
    pub(crate) fn patience(&self, operation: &Operation) -> Duration {
        let Some(attributes) = operation.action.attributes() else { return self.call };
        let transfers = [&["image"][..], &HOLDS_DATA].concat().contains(&&*operation.kind);
        let waits = attributes.iter().filter_map(|(_, value)| match value {
            Value::Duration(milliseconds) => Some(Duration::from_millis(*milliseconds)),
            _ => None,
        });
        let own = if transfers { self.transfer } else { self.call };
        waits.fold(own, Duration::saturating_add)
    }

    /// The pause before an attempt; `attempt` counts from 2. Between half and the whole of the
    /// doubled pause, spread by a hash of the step, so that many steps that failed together do not
    /// come back together, and the same run does the same thing again.
    pub(crate) fn pause_before(&self, attempt: u32, run: Uuid, step: u32) -> Duration {
        let doublings = attempt.saturating_sub(2).min(16);
        let whole = self.pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let Digest([byte, ..]) = Digest::of_json(&(run, step, attempt));
        whole / 2 + whole.mul_f64(f64::from(byte) / 510.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let limits = Limits::default();
        let pause = |attempt, step| limits.pause_before(attempt, Uuid::nil(), step);
        assert!(pause(2, 0) >= limits.pause / 2 && pause(2, 0) <= limits.pause);
        assert!(pause(5, 0) >= limits.pause * 4 && pause(5, 0) <= limits.pause * 8);
        assert!(pause(60, 0) <= limits.longest_pause);
        assert_ne!(pause(5, 0), pause(5, 1));
        assert_eq!(pause(5, 1), pause(5, 1));
    }
}
