//! What changes cost on real hosts: each row of `table.toml` is one change of one attribute, made and
//! taken back on a guest that runs. What the plan said, what the row says, and what virsh and the
//! guest say afterwards have to agree.
//!
//! A guest was not interrupted when its QEMU is the same process, and its system the same boot with a
//! longer uptime.

mod check;
mod guest;
mod table;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use guest::World;
use table::Table;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // All rows change the same guest.
    arguments.test_threads = Some(1);
    let table = Table::read().unwrap_or_else(|error| panic!("{error}"));
    assert!(table.rows.len() >= 60, "there are 60 changes at least");
    let world: Arc<Mutex<Option<World>>> = Arc::default();
    let (base, shared) = (Arc::new(table.base), Arc::clone(&world));
    let tests = table.rows.into_iter().map(|row| {
        let (base, world) = (Arc::clone(&base), Arc::clone(&shared));
        let (name, can_be_played) = (row.name.clone(), row.can_be_played());
        let test = Trial::test(name, move || {
            let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
            // One that a failed row left somewhere is not used again.
            let mut own = match world.take() {
                Some(own) => own,
                None => World::new(&base).map_err(Failed::from)?,
            };
            let played = own.play(&row);
            if played.is_ok() {
                *world = Some(own);
            }
            played.map_err(Failed::from)
        });
        test.with_ignored_flag(!can_be_played)
    });
    let conclusion = libtest_mimic::run(&arguments, tests.collect());
    drop(world.lock().unwrap_or_else(PoisonError::into_inner).take());
    conclusion.exit_code()
}
