//! `tcloud` in use, by which its build is guided.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::must;
use crate::directory;
use crate::shape::Shape;

/// How many links the chain has, and how many pairs there are.
const LOAD: usize = 2_000;

/// How often is done what people do with an example, which is small, where it matters how often.
const TIMES: usize = 8;

/// Does what people do with a `tcloud` that is started like this, as often as they do it.
///
/// # Errors
/// What cannot be run or written.
pub(super) fn often(source: &Path, tcloud: &dyn Fn() -> Command) -> Result<(), String> {
    everything(source, tcloud, tcloud, TIMES)
}

/// Does what people do, once: they look with one `tcloud` and change with another.
///
/// # Errors
/// What cannot be run or written.
pub(super) fn once(
    source: &Path,
    looks: &dyn Fn() -> Command,
    changes: &dyn Fn() -> Command,
) -> Result<(), String> {
    everything(source, looks, changes, 1)
}

fn everything(
    source: &Path,
    looks: &dyn Fn() -> Command,
    changes: &dyn Fn() -> Command,
    times: usize,
) -> Result<(), String> {
    let place = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
    let used = Used { place: place.path(), looks, changes };
    used.example(&source.join("examples/thueringen"), times)?;
    used.shape(Shape::Chain)?;
    used.shape(Shape::Pairs)
}

/// The program in use.
struct Used<'a> {
    /// A directory to work in.
    place: &'a Path,
    /// How `tcloud` is started where it only looks.
    looks: &'a dyn Fn() -> Command,
    /// How it is started where it changes something.
    changes: &'a dyn Fn() -> Command,
}

impl Used<'_> {
    /// What people do with a project.
    fn example(&self, example: &Path, times: usize) -> Result<(), String> {
        let project = self.place.join("example");
        must(Command::new("cp").arg("-r").arg(example).arg(&project))?;
        directory::remove(&project.join(".tcloud"))?;
        for _ in 0..times {
            self.look(&project, &["plan"])?;
            self.look(&project, &["plan", "--json"])?;
            self.look(&project, &["check"])?;
            self.look(&project, &["fmt", "--check"])?;
        }
        self.change(&project, &["apply", "--yes"])?;
        for _ in 0..times {
            self.look(&project, &["plan"])?;
            self.look(&project, &["drift"])?;
        }
        Ok(())
    }

    /// A large project, which works on several threads.
    fn shape(&self, shape: Shape) -> Result<(), String> {
        let project = self.place.join(shape.word());
        directory::write(&project, "main.tcloud", &shape.tcloud(LOAD))?;
        self.look(&project, &["plan"])?;
        self.change(&project, &["apply", "--yes", "--quiet"])?;
        self.look(&project, &["plan"])
    }

    fn look(&self, project: &Path, words: &[&str]) -> Result<(), String> {
        run((self.looks)(), project, words)
    }

    fn change(&self, project: &Path, words: &[&str]) -> Result<(), String> {
        run((self.changes)(), project, words)
    }
}

fn run(mut tcloud: Command, project: &Path, words: &[&str]) -> Result<(), String> {
    tcloud.env_remove("TCLOUD_STATE").stdin(Stdio::null()).stdout(Stdio::null());
    must(tcloud.args(words).arg(project))
}
