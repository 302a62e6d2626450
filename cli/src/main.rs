//! The `tcloud` command: reads the command line, runs one command, ends with its exit code.

mod adoption;
mod arguments;
mod blame;
mod commands;
mod completion;
mod consents;
mod context;
mod disk_world;
mod escape;
mod failure;
mod forge;
mod gaps;
mod habits;
mod interrupt;
mod log;
mod overwrite;
mod panic;
mod plan_file;
mod providers;
mod redact;
mod reports;
mod revisions;
mod secrets;
mod session;
mod terminal;
mod trust;
mod value;
mod variables;
mod view;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser;
use tcloud_model::parallel;
use tcloud_model::value::is_unsafe_to_print;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;

#[global_allocator]
static ALLOCATOR: tcloud_allocator::MiMalloc = tcloud_allocator::ALLOCATOR;

/// Even the command line is read on the thread that does the work: memory that a thread gives back
/// serves that thread alone.
fn main() -> ExitCode {
    tcloud_allocator::give_back();
    // Nesting of the text is limited, and this stack is enough for it.
    let worker = std::thread::Builder::new().stack_size(parallel::STACK).spawn(work);
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => exit,
        Ok(Err(_)) | Err(_) => panic::EXIT.into(),
    }
}

fn work() -> ExitCode {
    completion::answer();
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    if let Some(failure) = habits::one_dash(&words.collect::<Vec<_>>()) {
        return misspelt(&failure);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            if let Some(failure) = habits::explain(&error) {
                return misspelt(&failure);
            }
            // Help and version are results, everything else is an error; 2 means "changes" here.
            let exit = if error.use_stderr() { Exit::Failed } else { Exit::Done };
            return match show(&error) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Failed,
                _ => exit,
            }
            .code()
            .into();
        }
    };
    panic::explain();
    trust::close_new_files();
    run(arguments)
}

/// Says what is wrong with the command line.
fn misspelt(failure: &Failure) -> ExitCode {
    let palette = terminal::Palette::decide(arguments::Color::Auto, io::stderr().is_terminal());
    // Nobody can be told that nobody can be told.
    let _ = writeln!(io::stderr(), "{}", failure.render(palette));
    failure.exit.code().into()
}

/// Shows what the command line comes to when it is no command. The message repeats arguments, which
/// may hold what a terminal would obey; then it goes without colours, and escaped.
fn show(error: &clap::Error) -> io::Result<()> {
    let mut arguments = std::env::args_os();
    if arguments.any(|argument| argument.to_string_lossy().contains(is_unsafe_to_print)) {
        let text = escape::escape_lines(&error.render().to_string());
        return write!(io::stderr(), "{text}");
    }
    error.print()
}

fn run(arguments: Arguments) -> ExitCode {
    let terminal = Terminal::new(&arguments.global);
    log::start(arguments.global.verbose);
    let told = arguments.command.told();
    let context = Context { terminal, told, directory: arguments.global.directory };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(commands::run(arguments.command, &context));
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.into()),
    };
    // A script that reads half of a result must not take it for all of it.
    let written = context.terminal.finish().map_err(Failure::from);
    match outcome.and_then(|exit| written.map(|()| exit)) {
        Ok(exit) => exit.code().into(),
        Err(failure) => {
            let text = failure.render(context.terminal.error_palette);
            if !text.is_empty() {
                context.terminal.complain(&text);
            }
            failure.exit.code().into()
        }
    }
}
