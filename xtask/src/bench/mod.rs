//! Speed and memory, beside terraform with the same shape, in turn in the same run.

pub(crate) mod measure;
mod report;
mod rival;
mod shape;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use self::measure::Measured;
use self::report::{Line, Report};
use self::shape::Shape;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// How many resources of the reference load, each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 50_000])]
    sizes: Vec<usize>,
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The largest reference load that terraform plans (it needs a core-minute for 10,000)
    #[arg(long, default_value_t = 5_000)]
    rival_plan: usize,
    /// The largest reference load that terraform applies, once (it needs 13 minutes for 5,000)
    #[arg(long, default_value_t = 1_000)]
    rival_apply: usize,
    /// The longest chain and the most pairs that terraform plans and applies (it needs three
    /// minutes to apply a chain of 800, and one to plan 2,000 pairs)
    #[arg(long, default_value_t = 0)]
    rival_shapes: usize,
    /// Plan this many resources once, for the memory that it takes
    #[arg(long)]
    largest: Option<usize>,
    /// Links of the chain and pairs that refer to each other by key
    #[arg(long, default_value_t = 5_000)]
    shapes: usize,
}

/// Where everything happens.
struct Bench<'a> {
    tcloud: PathBuf,
    directory: &'a Path,
    options: &'a Options,
    report: RefCell<Report>,
}

/// Runs every measurement and writes `target/bench.json`.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    build(root)?;
    let directory = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
    let bench = Bench {
        tcloud: release(root).join("tcloud"),
        directory: directory.path(),
        options,
        report: RefCell::default(),
    };
    bench.parsing(root)?;
    let mut sizes = options.sizes.clone();
    sizes.sort_unstable();
    for size in sizes {
        bench.shape(Shape::Reference, size)?;
    }
    for part in [5, 2, 1] {
        bench.shape(Shape::Chain, options.shapes / part)?;
        bench.shape(Shape::Pairs, options.shapes / part)?;
    }
    if let Some(size) = options.largest {
        bench.largest(size)?;
    }
    let mut report = bench.report.into_inner();
    report.exponents();
    report.write(&root.join("target/bench.json"))
}

/// Where the build puts what is measured.
fn release(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root.join("target")).join("release")
}

/// Builds what is measured, with the optimisations of a release.
fn build(root: &Path) -> Result<(), String> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "tcloud"])
        .args(["--package", "tcloud-syntax", "--bin", "tcloud", "--example", "parse_speed"])
        .current_dir(root)
        .status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the build failed: {status}")),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}

impl Bench<'_> {
    /// Megabytes per second of the parser alone.
    fn parsing(&self, root: &Path) -> Result<(), String> {
        let file = self.directory.join("parse.tcloud");
        let text = Shape::Reference.tcloud(100_000);
        std::fs::write(&file, &text).map_err(|error| format!("cannot write: {error}"))?;
        let program = release(root).join("examples/parse_speed");
        let runs = self.repeat(|| measure::command(&[program.as_os_str(), file.as_os_str()]))?;
        let mut line = Line::new("parse", "reference", 100_000, &runs);
        line.megabytes_per_second = Some(text.len() as f64 / 1e6 / line.seconds);
        self.report.borrow_mut().add(line);
        Ok(())
    }

    /// Plan of everything, apply, plan of nothing to do – ours and terraform's in turn.
    fn shape(&self, shape: Shape, size: usize) -> Result<(), String> {
        let ours = self.directory.join(format!("{}-{size}", shape.word()));
        make(&ours, "main.tcloud", &shape.tcloud(size))?;
        let (plans, applies) = self.rival(shape, size);
        let theirs = self.directory.join(format!("terraform-{}-{size}", shape.word()));
        if plans || applies {
            make(&theirs, "main.tf", &shape.terraform(size))?;
            rival::init(&theirs)?;
        }
        self.in_turn(
            ("plan-all", shape, size),
            || self.tcloud(&ours, &["plan", "--quiet"]),
            || plans.then(|| rival::plan(&theirs)).transpose(),
        )?;
        let mut applied = false;
        self.in_turn(
            ("apply", shape, size),
            || {
                clean(&ours)?;
                self.tcloud(&ours, &["apply", "--yes", "--quiet"])
            },
            || {
                // Once is enough of what takes minutes.
                let now = applies && !std::mem::replace(&mut applied, true);
                now.then(|| rival::apply(&theirs)).transpose()
            },
        )?;
        let pretends = plans && !applies && matches!(shape, Shape::Reference);
        if pretends {
            rival::pretend_applied(&theirs, size)?;
        }
        self.in_turn(
            ("plan-nothing", shape, size),
            || self.tcloud(&ours, &["plan", "--quiet", "--exit-code"]),
            || (applies || pretends).then(|| rival::plan_nothing(&theirs)).transpose(),
        )?;
        std::fs::remove_dir_all(&ours).map_err(|error| format!("cannot remove: {error}"))
    }

    /// Measures ours and theirs in turn, so that a machine that slows down does so for both.
    fn in_turn(
        &self,
        (name, shape, size): (&'static str, Shape, usize),
        ours: impl Fn() -> Result<Measured, String>,
        mut theirs: impl FnMut() -> Result<Option<Measured>, String>,
    ) -> Result<(), String> {
        let (mut own, mut rival) = (Vec::new(), Vec::new());
        for _ in 0..self.options.runs.max(1) {
            own.push(ours()?);
            rival.extend(theirs()?);
        }
        let mut line = Line::new(name, shape.word(), size, &own);
        line.rival(&rival);
        self.report.borrow_mut().add(line);
        Ok(())
    }

    /// One plan of many resources, for its memory.
    fn largest(&self, size: usize) -> Result<(), String> {
        let ours = self.directory.join("largest");
        make(&ours, "main.tcloud", &Shape::Reference.tcloud(size))?;
        // A bench may be larger than what a project of people would ever be.
        make(&ours, "tcloud.toml", "[limits]\nfile_size = 1000000000\nresources = 10000000\n")?;
        let run = self.tcloud(&ours, &["plan", "--quiet"])?;
        self.report.borrow_mut().add(Line::new("plan-all", "reference", size, &[run]));
        Ok(())
    }

    /// Whether terraform plans this load, and whether it applies it.
    fn rival(&self, shape: Shape, size: usize) -> (bool, bool) {
        let Options { rival_plan, rival_apply, rival_shapes, .. } = self.options;
        let (plan, apply) = match shape {
            Shape::Reference => (*rival_plan, *rival_apply),
            Shape::Chain | Shape::Pairs => (*rival_shapes, *rival_shapes),
        };
        let is_there = rival::is_there();
        (is_there && size <= plan, is_there && size <= apply)
    }

    fn tcloud(&self, directory: &Path, arguments: &[&str]) -> Result<Measured, String> {
        let mut command =
            vec![self.tcloud.as_os_str(), arguments[0].as_ref(), directory.as_os_str()];
        command.extend(arguments[1..].iter().map(|word| std::ffi::OsStr::new(*word)));
        measure::command(&command)
    }

    fn repeat(
        &self,
        mut run: impl FnMut() -> Result<Measured, String>,
    ) -> Result<Vec<Measured>, String> {
        (0..self.options.runs.max(1)).map(|_| run()).collect()
    }
}

fn make(directory: &Path, file: &str, text: &str) -> Result<(), String> {
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(directory.join(file), text))
        .map_err(|error| format!("{}: {error}", directory.display()))
}

/// Removes what a run left, so that the next one begins with nothing.
fn clean(directory: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(directory.join(".tcloud")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove: {error}"))
        }
        _ => Ok(()),
    }
}
