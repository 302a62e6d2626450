//! Parses one file, for the bench: the time of the whole process is the time of the parser. Memory
//! comes from where the program has it, and the tree is left to the end of the process as there.

use std::process::ExitCode;

use tcloud_allocator::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = tcloud_allocator::ALLOCATOR;

fn main() -> ExitCode {
    tcloud_allocator::give_back();
    let Some(path) = std::env::args().nth(1) else { return ExitCode::FAILURE };
    let Ok(text) = std::fs::read_to_string(path) else { return ExitCode::FAILURE };
    let parsed = tcloud_syntax::parse(tcloud_model::FileId(0), &text);
    let sound = parsed.diagnostics.is_empty();
    std::mem::forget(parsed);
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
