//! Parses one file, for the bench: the time of the whole process is the time of the parser. Memory
//! comes from where the program has it.

use std::process::ExitCode;

use tcloud_allocator::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = tcloud_allocator::ALLOCATOR;

fn main() -> ExitCode {
    tcloud_allocator::give_back();
    let Some(path) = std::env::args().nth(1) else { return ExitCode::FAILURE };
    let Ok(text) = std::fs::read_to_string(path) else { return ExitCode::FAILURE };
    let parsed = tcloud_syntax::parse(tcloud_model::FileId(0), &text);
    if parsed.diagnostics.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
