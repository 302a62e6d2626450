//! `tcloud sim`: what a person does to the embedded hypervisor behind tcloud's back.

use std::path::{Path, PathBuf};

use tcloud_model::value::human_size;
use tcloud_model::{Address, AttrPath, Catalog, Fields, Name, Value, diagnostic};
use tcloud_provider_sim::{Contents, Control, Fault, How, Latency, Listing};
use tcloud_report::text::host_name;

use crate::arguments::{self, SimCommand};
use crate::context::Context;
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::session;
use crate::terminal;
use crate::value;
use crate::view::layout::table;

pub(super) fn run(arguments: arguments::Sim, context: &Context) -> Outcome {
    let hosts = Hosts { directory: session::own_directory(&context.path(None)) };
    match arguments.command {
        SimCommand::List { host, json } => list(&hosts, host.as_deref(), json, context),
        SimCommand::Drift(arguments) => drift(&hosts, &arguments),
        SimCommand::Delete(target) => hosts.on(&target, Control::delete),
        SimCommand::Stop(target) => hosts.on(&target, Control::stop),
        SimCommand::Start(target) => hosts.on(&target, Control::start),
        SimCommand::PowerCycle(target) => hosts.on(&target, Control::power_cycle),
        SimCommand::Make(arguments) => {
            let fields = fields(&arguments.attributes)?;
            let mut host = hosts.open(&arguments.host)?;
            host.make(&arguments.kind, &arguments.name, &fields, None)?;
            Ok(Exit::Done)
        }
        SimCommand::Fill(arguments) => {
            let size = ["vcpus=1".to_owned(), format!("memory={}", arguments.memory)];
            let mut host = hosts.open(&arguments.host)?;
            host.make("vm", &arguments.name, &fields(&size)?, None)?;
            Ok(Exit::Done)
        }
        SimCommand::Break(arguments) => break_host(&hosts, arguments),
        SimCommand::Mend { host } => hosts.each(host.as_deref(), |_, control| Ok(control.mend()?)),
        SimCommand::Latency(arguments) => latency(&hosts, &arguments),
        SimCommand::Unreachable(arguments) => {
            let why = (!arguments.off).then_some(arguments.why.as_str());
            hosts.open(&arguments.host)?.set_unreachable(why)?;
            Ok(Exit::Done)
        }
        SimCommand::Seed { seed } => hosts.each(None, |_, control| Ok(control.set_seed(seed)?)),
        SimCommand::Calls { host } => calls(&hosts, &host, context),
        SimCommand::Reset { host, yes } => reset(&hosts, host.as_deref(), yes, context),
        SimCommand::Dump { host, stable } => {
            let contents = if stable { Contents::Stable } else { Contents::Everything };
            hosts.each(host.as_deref(), |_, control| {
                context.terminal.json_text(control.dump(contents)?.trim_end());
                Ok(())
            })
        }
    }
}

/// The simulated hosts of a project.
struct Hosts {
    directory: PathBuf,
}

impl Hosts {
    /// A host by its address, or as a plan calls it. Before any is used, each may be prepared.
    fn open(&self, host: &str) -> Result<Control, Failure> {
        let known = self.known(None)?;
        let short = |own: &str| own.parse().is_ok_and(|own| host_name(&own) == host);
        let meant = known.iter().find(|own| *own == host || short(own));
        if meant.is_none() && !known.is_empty() {
            let failure = Failure::new(format!("no simulated host is called `{host}`"));
            let near = diagnostic::nearest(host, known.iter().map(String::as_str));
            return Err(failure.help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "one of: {}; a host begins to exist with the first plan that asks it",
                    known.join(", ")
                ),
            }));
        }
        let address = meant.map_or(host, String::as_str).parse::<Address>().map_err(|error| {
            Failure::new(format!("`{host}` is not the address of a host: {error}"))
        })?;
        Ok(Control::open(&self.directory, &address)?)
    }

    /// The addresses of the hosts that were ever used, by their files, or the one that was asked
    /// for.
    fn known(&self, only: Option<&str>) -> Result<Vec<String>, Failure> {
        if let Some(host) = only {
            return Ok(vec![host.to_owned()]);
        }
        let Ok(entries) = std::fs::read_dir(self.directory.join("sim")) else {
            return Ok(Vec::new());
        };
        let names = entries.flatten().filter_map(|entry| host_of(&entry.path()));
        let mut hosts: Vec<String> = names.collect();
        hosts.sort();
        Ok(hosts)
    }

    fn each(
        &self,
        only: Option<&str>,
        mut act: impl FnMut(&str, &mut Control) -> Result<(), Failure>,
    ) -> Outcome {
        let hosts = self.known(only)?;
        if hosts.is_empty() {
            return Err(Failure::new("no simulated host was used here yet")
                .help("a host begins to exist with the first plan that asks it"));
        }
        for host in hosts {
            act(&host, &mut self.open(&host)?)?;
        }
        Ok(Exit::Done)
    }

    /// Does something to an object, on the one host that has it.
    fn on<E>(
        &self,
        target: &arguments::Target,
        act: impl FnOnce(&mut Control, &str) -> Result<(), E>,
    ) -> Outcome
    where
        Failure: From<E>,
    {
        let mut found = Vec::new();
        for host in self.known(target.host.as_deref())? {
            let mut control = self.open(&host)?;
            if control.list()?.iter().any(|listing| is_meant(listing, &target.object)) {
                found.push((host, control));
            }
        }
        match &mut found[..] {
            [(_, control)] => {
                act(control, &target.object)?;
                Ok(Exit::Done)
            }
            [] => Err(Failure::new(format!("no simulated host has `{}`", target.object))
                .help("`tcloud sim list` shows what there is")),
            several => {
                let hosts: Vec<&str> = several.iter().map(|(host, _)| host.as_str()).collect();
                Err(Failure::new(format!("`{}` is on several hosts", target.object))
                    .help(format!("add --host, one of: {}", hosts.join(", "))))
            }
        }
    }
}

/// The address that a host's file is named after; `None` for other files.
fn host_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".db")?;
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    text.parse::<Address>().is_ok().then_some(text)
}

fn is_meant(listing: &Listing, target: &str) -> bool {
    let object = &listing.object;
    let address = object.stamp.as_ref().map(|stamp| stamp.address.to_string());
    object.name == target
        || address.as_deref() == Some(target)
        || target
            .split_once('/')
            .is_some_and(|(kind, name)| object.kind == kind && object.name == name)
}

fn list(hosts: &Hosts, only: Option<&str>, json: bool, context: &Context) -> Outcome {
    let mut rows = Vec::new();
    let mut all = serde_json::Map::new();
    hosts.each(only, |host, control| {
        let listings = control.list()?;
        rows.extend(listings.iter().map(|listing| row(host, listing)));
        if json {
            let listings = listings.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
            all.insert(host.to_owned(), serde_json::Value::Array(listings));
        }
        Ok(())
    })?;
    if json {
        context.terminal.json(&serde_json::Value::Object(all));
    } else {
        context.terminal.print(&table(&["host", "kind", "name", "address", "state"], &rows));
    }
    Ok(Exit::Done)
}

fn row(host: &str, listing: &Listing) -> Vec<String> {
    let object = &listing.object;
    let address = match &object.stamp {
        Some(stamp) => stamp.address.to_string(),
        None => "(foreign)".to_owned(),
    };
    let mut state = Vec::new();
    match object.running {
        Some(true) => state.push(format!("running, boot {}", listing.boots)),
        Some(false) => state.push("stopped".to_owned()),
        None => {}
    }
    if !object.pending.is_empty() {
        state.push("changes wait".to_owned());
    }
    if let Some(written) = object.written {
        state.push(format!("{} written", human_size(written)));
    }
    let name = escape(&object.name).into_owned();
    let host = host.rsplit_once('.').map_or(host, |(_, name)| name).to_owned();
    vec![host, object.kind.to_string(), name, address, state.join(", ")]
}

fn drift(hosts: &Hosts, arguments: &arguments::SetDrift) -> Outcome {
    let changes: Vec<(AttrPath, Option<Value>)> =
        arguments.attributes.iter().map(|text| attribute(text)).collect::<Result<_, _>>()?;
    hosts.on(&arguments.target, |control, target| {
        let listings = control.list()?;
        let meant = listings.iter().find(|listing| is_meant(listing, target));
        for (path, value) in &changes {
            meant.map_or(Ok(()), |listing| exists(&listing.object.kind, path))?;
            control.drift(target, path, value.clone())?;
        }
        Ok::<(), Failure>(())
    })
}

/// Refuses a word that the kind does not have: nobody would see that it changes nothing.
fn exists(kind: &str, path: &AttrPath) -> Result<(), Failure> {
    let catalog = Catalog::core();
    let names = path.names();
    let (Some(schema), Some(first)) = (catalog.get(kind), names.first()) else { return Ok(()) };
    let attributes = schema.attributes.iter().map(|own| &own.name);
    let known = attributes.chain(schema.blocks.iter().map(|own| &own.name));
    if known.clone().any(|name| name == first) {
        return Ok(());
    }
    let failure = Failure::new(format!("{kind} has no attribute `{first}`"));
    Err(match diagnostic::nearest(first, known.map(Name::as_str)) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(format!("`tcloud explain {kind}` lists them")),
    })
}

/// `memory=6GiB`, or `title` alone for its removal.
fn attribute(text: &str) -> Result<(AttrPath, Option<Value>), Failure> {
    match text.split_once('=') {
        Some((path, text)) => Ok((AttrPath::parse(path.trim()), Some(value::parse(text)?))),
        None => Ok((AttrPath::parse(text.trim()), None)),
    }
}

fn fields(attributes: &[String]) -> Result<Fields, Failure> {
    let mut fields = Fields::new();
    for text in attributes {
        match text.split_once('=') {
            Some((name, text)) => {
                fields.insert(Name::new(name.trim()), value::parse(text)?);
            }
            None => return Err(Failure::new(format!("`{text}` has no value: write NAME=VALUE"))),
        }
    }
    Ok(fields)
}

fn break_host(hosts: &Hosts, arguments: arguments::Break) -> Outcome {
    let arguments::Break { host, operation, kind, object, how, times, chance, message } = arguments;
    let Some(how) = How::of(&how) else {
        let words: Vec<&str> = How::ALL.into_iter().map(How::word).collect();
        return Err(Failure::new(format!("a call cannot fail like `{how}`"))
            .help(format!("one of: {}", words.join(", "))));
    };
    let fault = Fault { operation, kind, object, how, message, times, chance };
    hosts.open(&host)?.break_with(&fault)?;
    Ok(Exit::Done)
}

fn latency(hosts: &Hosts, arguments: &arguments::Latency) -> Outcome {
    let latencies = match arguments.duration.as_str() {
        "none" => Vec::new(),
        "realistic" => Latency::realistic(),
        text => match value::parse(text)? {
            Value::Duration(milliseconds) => vec![Latency {
                operation: None,
                kind: None,
                milliseconds: u32::try_from(milliseconds).unwrap_or(u32::MAX),
                jitter: 0,
            }],
            other => {
                return Err(Failure::new(format!("{other} is not a length of time"))
                    .help("write 200ms, realistic or none"));
            }
        },
    };
    hosts.each(arguments.host.as_deref(), |_, control| Ok(control.set_latencies(&latencies)?))
}

fn calls(hosts: &Hosts, host: &str, context: &Context) -> Outcome {
    let rows: Vec<Vec<String>> = hosts
        .open(host)?
        .calls()?
        .into_iter()
        .map(|call| {
            let what = if call.address.is_empty() { call.name } else { call.address };
            let outcome = escape(&call.outcome).into_owned();
            vec![call.serial.to_string(), call.operation, call.kind, what, outcome]
        })
        .collect();
    context.terminal.print(&table(&["no", "call", "kind", "object", "outcome"], &rows));
    Ok(Exit::Done)
}

fn reset(hosts: &Hosts, only: Option<&str>, yes: bool, context: &Context) -> Outcome {
    if !yes {
        let question = "Everything on the simulated hosts is deleted. Type `yes` to go on: ";
        match context.terminal.question(question).and_then(|()| terminal::answer()) {
            Ok(answer) if answer == "yes" => {}
            Ok(_) => return Err(Failure::new("nothing was deleted")),
            Err(error) => return Err(Failure::from(error).help("pass --yes")),
        }
    }
    hosts.each(only, |_, control| Ok(control.reset()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_hosts_are_read_back() {
        let host = |name: &str| host_of(Path::new(name));
        assert_eq!(host("/a/sim/site.m.host.kvm1.db"), Some("site.m.host.kvm1".to_owned()));
        assert_eq!(host("site.m.host.k[%22a%22].db"), Some("site.m.host.k[\"a\"]".to_owned()));
        assert_eq!(host("site.m.host.kvm1.db-wal"), None);
        assert_eq!(host("%zz.db"), None);
    }
}
