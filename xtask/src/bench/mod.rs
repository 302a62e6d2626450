//! Speed and memory, beside terraform with the same shape, in turn in the same run.

pub(crate) mod measure;
mod report;
mod rival;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use clap::Args;

use self::measure::Measured;
use self::report::{Line, Report};
use crate::command::must;
use crate::directory;
use crate::guided::{Build, Guide};
use crate::metadata::Compiler;
use crate::shape::Shape;

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
    /// The profile of the optimiser with the order beside it, where the text is the one that they were
    /// made from [default: they are made first]
    #[arg(long)]
    profdata: Option<PathBuf>,
    /// Links of the chain and pairs that refer to each other by key
    #[arg(long, default_value_t = 5_000)]
    shapes: usize,
}

/// Where everything happens.
struct Bench<'a> {
    /// The directory of what is measured, built as in a release.
    programs: PathBuf,
    directory: &'a Path,
    options: &'a Options,
    report: RefCell<Report>,
}

/// Runs every measurement and writes `target/bench.json`.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    let programs = build(root, options.profdata.as_deref())?;
    let directory = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
    let bench =
        Bench { programs, directory: directory.path(), options, report: RefCell::default() };
    bench.parsing()?;
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

/// Builds what is measured as a release is built, and says where it is.
fn build(root: &Path, given: Option<&Path>) -> Result<PathBuf, String> {
    let compiler = &Compiler::ask(root)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = &root.join(target.unwrap_or_else(|| "target".into()));
    let build = Build { source: root, target, compiler };
    let guide = given.map_or_else(|| build.guide(), Guide::find)?;
    // Built together, the parser is the program's.
    must(&mut build.cargo(&["tcloud", "tcloud-parse-speed"], &guide.flags()))?;
    Ok(build.programs())
}

impl Bench<'_> {
    /// Megabytes per second of the parser alone.
    fn parsing(&self) -> Result<(), String> {
        let file = self.directory.join("parse.tcloud");
        let text = Shape::Reference.tcloud(100_000);
        std::fs::write(&file, &text).map_err(|error| format!("cannot write: {error}"))?;
        let program = self.programs.join("tcloud-parse-speed");
        let runs = self.repeat(|| measure::command(&[program.as_os_str(), file.as_os_str()]))?;
        let mut line = Line::new("parse", "reference", 100_000, &runs);
        line.megabytes_per_second = Some(text.len() as f64 / 1e6 / line.seconds);
        self.report.borrow_mut().add(line);
        Ok(())
    }

    /// Plan of everything, apply, plan of nothing to do – ours and terraform's in turn.
    fn shape(&self, shape: Shape, size: usize) -> Result<(), String> {
        let ours = self.directory.join(format!("{}-{size}", shape.word()));
        directory::write(&ours, "main.tcloud", &shape.tcloud(size))?;
        let (plans, applies) = self.rival(shape, size);
        let theirs = self.directory.join(format!("terraform-{}-{size}", shape.word()));
        if plans || applies {
            directory::write(&theirs, "main.tf", &shape.terraform(size))?;
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
                directory::remove(&ours.join(".tcloud"))?;
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
        directory::write(&ours, "main.tcloud", &Shape::Reference.tcloud(size))?;
        // A bench may be larger than what a project of people would ever be.
        directory::write(
            &ours,
            "tcloud.toml",
            "[limits]\nfile_size = 1000000000\nresources = 10000000\n",
        )?;
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
        let tcloud = self.programs.join("tcloud");
        let mut command = vec![tcloud.as_os_str(), arguments[0].as_ref(), directory.as_os_str()];
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
