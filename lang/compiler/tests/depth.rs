//! Texts that are nested as deeply as they may be, on all threads that a program is read on.

use tcloud_compiler::{MemoryWorld, Settings, compile};
use tcloud_model::{Deployment, parallel};

/// More blocks than one thread is given alone.
const BLOCKS: usize = 600;

/// As many definitions as may wait for one another, each as deep as it may be.
#[test]
fn there_is_stack_for_what_may_be_written() {
    let ones = " + 1".repeat(249);
    let chain: String = (1..99).map(|at| format!("let v{at} = v{}{ones}\n", at + 1)).collect();
    let volumes: String =
        (0..BLOCKS).map(|at| format!("  volume d{at} {{ size = 1GiB }}\n")).collect();
    let text = format!("{chain}let v99 = 1\noutput y: Int = v1\ntenant a {{\n{volumes}}}\n");
    let read = move || {
        let settings = Settings::new(Deployment::new("test"));
        compile(&MemoryWorld::of(&text), &settings).diagnostics
    };
    // As the program does.
    let thread = std::thread::Builder::new().stack_size(parallel::STACK).spawn(read);
    let found = thread.expect("a thread").join().expect("no panic");
    assert_eq!(found, []);
}
