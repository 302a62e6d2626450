//! `tcloud adopt`: text for what others made, which is tried before it is written.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tcloud_compiler::{Compiled, Reader, World, WorldError};
use tcloud_model::value::human_size;
use tcloud_model::{
    Address, Evaluator, HostObservation, Impact, Name, ObservedState, State, Value,
};
use tcloud_planner::Plan;
use tcloud_planner::plan::{Action, Change};

use super::{Context, find, look};
use crate::adoption::{self, Form, Proposal, Wish};
use crate::arguments::{self, Inputs};
use crate::disk_world::DiskWorld;
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::session::{self, Access, Project, Text};
use crate::view::layout::{count, table};

#[derive(Debug, thiserror::Error)]
enum AdoptError {
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not a file of the project", .0.display())]
    Outside(PathBuf),
    #[error("`{0}` cannot be the name of a tenant")]
    Tenant(String),
    #[error("{} cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

pub(super) async fn run(arguments: &arguments::Adopt, context: &Context) -> Outcome {
    let project = Project::open(context.path(None), context).await?;
    if !Name::is_word(&arguments.tenant) {
        return Err(Failure::from(AdoptError::Tenant(arguments.tenant.clone()))
            .help("write lower-case letters, digits and single minus signs: town-hall"));
    }
    let text = project.program(&arguments.inputs, context)?;
    let desired = text.program.desired();
    let hosts = desired.resources.keys().filter(|address| address.kind() == "host");
    let host = find::find(&arguments.host, hosts)?;
    let store = project.store(&arguments.inputs, Access::Read, context).await?;
    let engine = project.engine(&text.program, store, look::PARALLELISM.get());
    let (loaded, observed) = tokio::join!(engine.load(), engine.observe());
    engine.shutdown().await;
    let state = loaded?.state;
    let wish = Wish {
        host: answering(&observed, host)?,
        catalog: &project.catalog,
        desired,
        names: &arguments.names,
        existing: &arguments.existing,
        tenant: Address::root("tenant", arguments.tenant.as_str(), None),
    };
    for problem in &wish.host.problems {
        context.terminal.complain(&format!("not everything could be read: {}", escape(problem)));
    }
    if arguments.list {
        return Ok(list(&wish, context));
    }
    let proposal = adoption::propose(&wish)?;
    if proposal.subjects.is_empty() {
        tell_left(&proposal, context);
        return Err(match waiting(&wish) {
            0 => Failure::new(format!("{host} has nothing that could be adopted"))
                .help("what carries a stamp has an owner: it is forgotten there first"),
            number => Failure::new(format!(
                "{host} has nothing else to adopt: the text adopts {} there already",
                count(number, "object")
            ))
            .help("tcloud apply"),
        });
    }
    let files = Files::new(&project, arguments, host, &proposal)?;
    let trial =
        Trial { project: &project, inputs: &arguments.inputs, state: &state, observed: &observed };
    if arguments.stdout {
        let texts = files.texts.iter().map(|(_, text)| text.as_str());
        context.terminal.print(&texts.collect::<Vec<_>>().join("\n"));
        tell_left(&proposal, context);
        trial.run(&text, &files, &proposal, context)?;
        return Ok(Exit::Done);
    }
    trial.run(&text, &files, &proposal, context)?;
    files.write(&project)?;
    report(&files, &proposal, host, context);
    Ok(Exit::Done)
}

fn answering<'o>(
    observed: &'o ObservedState,
    host: &Address,
) -> Result<&'o HostObservation, Failure> {
    let observation = observed.host(host);
    if let Some(observation) = observation.filter(|own| own.facts.is_some()) {
        return Ok(observation);
    }
    let why = observation.map(|own| own.problems.join("; ")).unwrap_or_default();
    Err(Failure::new(format!("{host} did not answer: {why}")))
}

fn list(wish: &Wish<'_>, context: &Context) -> Exit {
    let free = wish.host.objects.iter().filter(|object| adoption::is_free(wish, object));
    let rows: Vec<Vec<String>> = free
        .map(|object| {
            let fields = &object.attributes;
            let mut about = Vec::new();
            about.extend(fields.number("vcpus").map(count_vcpus));
            about.extend(fields.number("memory").or(fields.number("size")).map(human_size));
            about.extend(fields.get("cidr").map(Value::to_string));
            about.extend(
                object.running.map(|runs| if runs { "running" } else { "stopped" }.to_owned()),
            );
            if !object.kept.is_empty() {
                about.push(format!("{} that no text says", count(object.kept.len(), "thing")));
            }
            let uuid = object.uuid.map(|uuid| uuid.to_string()).unwrap_or_default();
            let name = escape(&object.name).into_owned();
            vec![object.kind.to_string(), name, uuid, about.join(", ")]
        })
        .collect();
    if rows.is_empty() {
        let other = if waiting(wish) > 0 { "else " } else { "" };
        let text = format!("{} has nothing {other}that others made.", wish.host.host);
        context.terminal.note(&text);
    } else {
        context.terminal.print(&table(&["kind", "name there", "uuid", "about"], &rows));
    }
    if waiting(wish) > 0 {
        let number = count(waiting(wish), "object");
        context
            .terminal
            .note(&format!("The text adopts {number} already; `tcloud apply` does it."));
    }
    Exit::Done
}

/// How many objects the text adopts that carry no stamp yet.
fn waiting(wish: &Wish<'_>) -> usize {
    wish.host.objects.iter().filter(|object| adoption::waits(wish, object)).count()
}

fn count_vcpus(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "vCPU")
}

/// The new files, by their paths in the project.
struct Files {
    texts: Vec<(String, String)>,
}

impl Files {
    fn new(
        project: &Project,
        arguments: &arguments::Adopt,
        host: &Address,
        proposal: &Proposal<'_>,
    ) -> Result<Files, Failure> {
        let stem = match &arguments.out {
            Some(out) => {
                let path = within(out)?;
                for path in paths(&path, proposal) {
                    if project.root.join(&path).exists() {
                        return Err(Failure::from(AdoptError::Exists(project.root.join(&path)))
                            .help("name a new file; adopt never overwrites one"));
                    }
                }
                path
            }
            None => {
                let base = format!("adopted-{}", host.name());
                let names = (1_u32..).map(|number| match number {
                    1 => base.clone(),
                    number => format!("{base}-{number}"),
                });
                let taken = |stem: &String| {
                    paths(stem, proposal).iter().any(|path| project.root.join(path).exists())
                };
                names.into_iter().find(|stem| !taken(stem)).unwrap_or(base)
            }
        };
        let texts = std::iter::once(&proposal.tenant).chain(&proposal.site).cloned();
        Ok(Files { texts: paths(&stem, proposal).into_iter().zip(texts).collect() })
    }

    /// Writes them; none of them, if one cannot be written.
    fn write(&self, project: &Project) -> Result<(), AdoptError> {
        let mut written = Vec::new();
        for (path, text) in &self.texts {
            let path = project.root.join(path);
            if let Err(source) = write_new(&path, text) {
                for other in &written {
                    let _ = std::fs::remove_file(other);
                }
                return Err(AdoptError::Write { path, source });
            }
            written.push(path);
        }
        Ok(())
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())
}

/// The paths of the files: that of the tenant, and that of the site beside it.
fn paths(stem: &str, proposal: &Proposal<'_>) -> Vec<String> {
    let site = proposal.site.as_ref().map(|_| format!("{stem}-pools.tcloud"));
    std::iter::once(format!("{stem}.tcloud")).chain(site).collect()
}

/// A path of the command line as one inside the project, without its ending.
fn within(path: &Path) -> Result<String, Failure> {
    let parts = path.components().map(|part| match part {
        std::path::Component::Normal(part) => part.to_str().filter(|part| !part.starts_with('.')),
        _ => None,
    });
    let parts: Option<Vec<&str>> = parts.collect();
    let path =
        parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty()).ok_or_else(|| {
            Failure::from(AdoptError::Outside(path.to_owned()))
                .help("write a path below the project's directory: town/adopted.tcloud")
        })?;
    if path.ends_with(".test.tcloud") {
        return Err(Failure::new("tests declare nothing").help("choose a name without `.test`"));
    }
    Ok(path.strip_suffix(".tcloud").unwrap_or(&path).to_owned())
}

/// A project with files that are not written yet.
struct Beside<'w> {
    disk: DiskWorld,
    texts: &'w [(String, String)],
}

impl World for Beside<'_> {
    fn files(&self) -> Result<Vec<String>, WorldError> {
        let mut files = self.disk.files()?;
        files.extend(self.texts.iter().map(|(path, _)| path.clone()));
        Ok(files)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorldError> {
        match self.texts.iter().find(|(own, _)| own == path) {
            Some((_, text)) => Ok(text.clone().into_bytes()),
            None => self.disk.read(path),
        }
    }

    fn reader(&self) -> Reader {
        self.disk.reader()
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.disk.environment(name)
    }
}

/// Whether the text says what is there.
struct Trial<'t> {
    project: &'t Project,
    inputs: &'t Inputs,
    state: &'t State,
    observed: &'t ObservedState,
}

impl Trial<'_> {
    /// Compiles and plans as if the files were there: they say nothing but what is.
    fn run(
        &self,
        now: &Text,
        files: &Files,
        proposal: &Proposal<'_>,
        context: &Context,
    ) -> Result<(), Failure> {
        let Trial { project, inputs, state, observed } = self;
        let disk = DiskWorld::new(&project.root, project.config.limits);
        let world = Beside { disk, texts: &files.texts };
        let Compiled { program, sources, diagnostics } = project.compile_in(&world, inputs)?;
        let Some(program) = program else {
            session::show(&diagnostics, &sources, None, context);
            return Err(unsayable());
        };
        let text = Text { program, sources };
        let wishes = look::no_wishes();
        let plan = text.plan(project, state, observed, &wishes, context);
        let plan = plan.map_err(|_| unsayable())?;
        let before = now.try_plan(project, state, observed, &wishes).ok();
        let differs = differences(&plan, before.as_ref(), proposal);
        if differs.is_empty() {
            return Ok(());
        }
        for line in &differs {
            context.terminal.complain(&escape(line));
        }
        Err(Failure::new(format!(
            "the plan would be more than stamps ({}), and no file was written",
            count(differs.len(), "difference")
        ))
        .help("leave these objects out, or look at the text: --stdout"))
    }
}

fn unsayable() -> Failure {
    Failure::new("what is there cannot be declared like this, and no file was written").help(
        "name the objects that are meant, put them into a tenant of their own (--tenant), \
               or only refer to some of them (--existing)",
    )
}

/// What would be more than a stamp, one line each.
fn differences(plan: &Plan, before: Option<&Plan>, proposal: &Proposal<'_>) -> Vec<String> {
    let is_new =
        |address: &Address| proposal.subjects.iter().any(|(own, _)| own.address == *address);
    let mut lines = Vec::new();
    for change in plan.changes.iter().filter(|change| is_new(&change.object.address)) {
        let Change { object, action, impact, attributes, .. } = change;
        if *action != Action::Adopt {
            lines.push(format!("{object} would be a case of {}", action.word()));
        } else if *impact != Impact::None || !attributes.is_empty() {
            lines.extend(attributes.iter().map(|attribute| {
                format!("{object}: {}", tcloud_report::text::attribute(attribute))
            }));
        }
    }
    let others = plan.changes.iter().filter(|change| !is_new(&change.object.address));
    let newly = others.filter(|own| before.is_some_and(|before| !before.changes.contains(own)));
    lines.extend(newly.map(|change| {
        format!("{} would be a case of {} because of it", change.object, change.action.word())
    }));
    let adopted = plan.changes.iter().filter(|change| change.action == Action::Adopt);
    let adopted: Vec<&Address> = adopted.map(|change| &change.object.address).collect();
    let missing = proposal
        .subjects
        .iter()
        .filter(|(own, _)| own.form != Form::Existing && !adopted.contains(&&own.address));
    lines.extend(missing.map(|(own, _)| format!("{} would not be adopted", own.address)));
    lines
}

fn tell_left(proposal: &Proposal<'_>, context: &Context) {
    for (object, why) in &proposal.left {
        let name = Value::text(&object.name);
        context.terminal.complain(&format!("left out: {} {name}: {}", object.kind, escape(why)));
    }
}

fn report(files: &Files, proposal: &Proposal<'_>, host: &Address, context: &Context) {
    let mut rows = Vec::new();
    for (subject, described) in &proposal.subjects {
        let what = match subject.form {
            Form::Own => "",
            Form::Joins => "declared already",
            Form::Existing => "only referred to",
        };
        let name = Value::text(&subject.object.name).to_string();
        rows.push(vec![subject.address.to_string(), name, what.to_owned()]);
        for kept in &described.kept {
            rows.push(vec!["  kept as it is".to_owned(), escape(kept).into_owned()]);
        }
    }
    context.terminal.print(&table(&["address", &format!("on {host}"), ""], &rows));
    tell_left(proposal, context);
    let written: Vec<String> =
        files.texts.iter().map(|(path, _)| escape(path).into_owned()).collect();
    context.terminal.line(&format!(
        "\nWritten: {}. Its plan changes nothing that runs; each object gets a stamp.\n\n  \
         tcloud plan    shows it\n  tcloud apply   takes it over",
        written.join(", ")
    ));
}
