//! What changes cost on real hosts: each row of `table.toml` is one change of one attribute, made and
//! taken back on a guest that runs. What the plan said, what the row says, and what virsh and the
//! guest say afterwards have to agree.
//!
//! A guest was not interrupted when its QEMU is the same process, and its system the same boot with a
//! longer uptime.
//!
//! Two things not every host has, and no laboratory can bring: a kernel that limits what a NIC sends
//! (`sch_htb`, `sch_sfq`, `cls_u32`, `act_police`, for `max_rate`), and a libvirt that knows VLANs on
//! bridges of Linux (11.0, for `vlan`; bridges of Open vSwitch have no word here). Where one is
//! missing, the change has to be refused in words that say so, the guest has to run on, and taking
//! the change back has to leave nothing behind.

mod check;
mod guest;
mod table;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use guest::World;
use table::Table;

/// How many rows are played at the same time, each with a guest of its own: most of the time of a row, a
/// guest stops or starts.
const AT_ONCE: usize = 3;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(AT_ONCE);
    let table = Table::read().unwrap_or_else(|error| panic!("{error}"));
    assert!(table.rows.len() >= 60, "there are 60 changes at least");
    let idle: Arc<Mutex<Vec<World>>> = Arc::default();
    let (base, shared) = (Arc::new(table.base), Arc::clone(&idle));
    let tests = table.rows.into_iter().map(|row| {
        let (base, idle) = (Arc::clone(&base), Arc::clone(&shared));
        Trial::test(row.name.clone(), move || {
            let world = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut own = match world {
                Some(own) => own,
                None => World::new(&base).map_err(Failed::from)?,
            };
            own.play(&row).map_err(Failed::from)?;
            // One that a failed row left somewhere is not used again.
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(own);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, tests.collect());
    idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    conclusion.exit_code()
}
