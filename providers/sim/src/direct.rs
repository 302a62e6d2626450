//! What a person tells a simulated host to be and to do: sizes, the seed, time, faults.

use rusqlite::params;

use crate::control::{Control, ControlError};
use crate::failure::{Failure, quoted};
use crate::fault::Fault;
use crate::latency::Latency;
use crate::script::set;

impl Control {
    /// Adds a fault to the script; it comes after those that are there.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn break_with(&mut self, fault: &Fault) -> Result<(), ControlError> {
        self.change(|host| fault.write(host.file))
    }

    /// Takes all faults out of the script.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn mend(&mut self) -> Result<(), ControlError> {
        self.change(|host| Ok(host.file.execute_batch("DELETE FROM fault")?))
    }

    /// Says how long calls take; nothing means no time at all.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn set_latencies(&mut self, latencies: &[Latency]) -> Result<(), ControlError> {
        self.change(|host| {
            host.file.execute_batch("DELETE FROM latency")?;
            for Latency { operation, kind, milliseconds, jitter } in latencies {
                host.file.execute(
                    "REPLACE INTO latency VALUES (?1, ?2, ?3, ?4)",
                    params![
                        operation.as_deref().unwrap_or_default(),
                        kind.as_deref().unwrap_or_default(),
                        milliseconds,
                        jitter
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// Makes the host unreachable, with a reason, or reachable again.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn set_unreachable(&mut self, why: Option<&str>) -> Result<(), ControlError> {
        self.change(|host| set(host.file, "unreachable", why))
    }

    /// Sets where everything random comes from.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn set_seed(&mut self, seed: u64) -> Result<(), ControlError> {
        self.change(|host| set(host.file, "seed", Some(&seed.to_string())))
    }

    /// Sets a size of the host, over what the text declares: `vcpus`, `memory` in bytes, or
    /// `pool`, the bytes of pools that do not say it. `None` goes back to the text.
    ///
    /// # Errors
    /// When the file cannot be used, or there is no such size.
    pub fn set_size(&mut self, what: &str, size: Option<u64>) -> Result<(), ControlError> {
        self.change(|host| {
            if !["vcpus", "memory", "pool"].contains(&what) {
                return Failure::refused(format!("a host has no size {}", quoted(what)));
            }
            set(host.file, what, size.map(|size| size.to_string()).as_deref())
        })
    }
}
