//! Says why a guest or a volume fits nowhere: every host, and what is wrong with it.

use std::fmt;

use tcloud_model::value::{human_size, write_quoted};
use tcloud_model::{Address, AttrPath, DesiredResource, Diagnostic, Evaluator, Span, Value, codes};

use super::Pin;
use super::board::{Board, Shortage};
use super::demand::{Group, Home, Refusal, Store};
use super::stay::Growth;

/// How many hosts one message lists.
const HOSTS_SHOWN: usize = 20;

/// How many messages are told in full. One mistake in a `defaults` block may concern all guests.
const MESSAGES_SHOWN: usize = 50;

/// The diagnostics of one placement.
pub(crate) struct Problems<'a> {
    evaluator: &'a dyn Evaluator,
    told: Vec<Diagnostic>,
    untold: usize,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(evaluator: &'a dyn Evaluator) -> Problems<'a> {
        Problems { evaluator, told: Vec::new(), untold: 0 }
    }

    /// All diagnostics, if there are any.
    pub(crate) fn finish(mut self) -> Result<(), Vec<Diagnostic>> {
        if self.untold > 0
            && let Some(last) = self.told.last_mut()
        {
            let others = format!("{} other guests and volumes fit nowhere either", self.untold);
            let help = last.help.take().map_or(others.clone(), |help| format!("{help}; {others}"));
            last.help = Some(help);
        }
        if self.told.is_empty() { Ok(()) } else { Err(self.told) }
    }

    /// A group fits on no host.
    pub(crate) fn fits_nowhere(&mut self, board: &Board<'_>, group: &Group<'_>, candidates: usize) {
        let Some(head) = self.next(board, group) else { return };
        let mut hosts: Vec<(u8, String)> = (0..board.inventory.hosts.len())
            .map(|host| reason(board, group, candidates, host))
            .collect();
        hosts.sort_by_key(|(order, _)| *order);
        let size = size(board, group);
        let mut message = format!("no host has room for {} ({size})", name(&head.address));
        if hosts.is_empty() {
            message = format!("{} cannot run anywhere: no host is declared", name(&head.address));
        } else if let Some(why) = nobody_answers(board, candidates) {
            message = format!("{} cannot be placed: {why}", name(&head.address));
        }
        let hidden = hosts.len().saturating_sub(HOSTS_SHOWN);
        for (_, line) in hosts.into_iter().take(HOSTS_SHOWN) {
            message.push_str("\n  ");
            message.push_str(&line);
        }
        if hidden > 0 {
            message.push_str(&format!("\n  and {hidden} other hosts"));
        }
        let diagnostic = Diagnostic::error(codes::E0502, self.span(head, "host"), message);
        self.told.push(diagnostic.help(help(board, group, candidates)));
    }

    /// A guest that stays grows, and its host cannot hold it any longer.
    pub(crate) fn outgrows<'b>(
        &mut self,
        board: &mut Board<'b>,
        growth: &Growth<'_, 'b>,
        shortage: Shortage<'b>,
    ) {
        let Some(head) = self.next(board, growth.group) else { return };
        let host = board.inventory.hosts[growth.host].address;
        let attribute = match shortage {
            Shortage::Vcpus { .. } => "vcpus",
            Shortage::Memory { .. } => "memory",
            _ => "size",
        };
        let message = format!(
            "{} outgrows its host\n  {host}: {}",
            name(&head.address),
            Told { shortage, more: "more " }
        );
        let candidates = board.candidates(growth.group.constraint(board.desired, &board.inventory));
        let (_, hosts) = board.hosts(candidates);
        let other = board.best(growth.group, hosts, Some(growth.host));
        let help = match other.filter(|_| growth.group.vm.is_some()) {
            Some((other, _)) => format!(
                "`host = {}` would move it to a host with room; or make it smaller",
                board.inventory.hosts[other].address
            ),
            None => "no other host has room: make it smaller, or the host larger".to_owned(),
        };
        let diagnostic = Diagnostic::error(codes::E0502, self.span(head, attribute), message);
        self.told.push(diagnostic.help(help));
    }

    /// The resource that the next message is about, if it is still told in full.
    fn next<'b>(&mut self, board: &Board<'b>, group: &Group<'_>) -> Option<&'b DesiredResource> {
        if self.told.len() >= MESSAGES_SHOWN {
            self.untold += 1;
            return None;
        }
        group.head(board.desired)
    }

    /// Where an attribute stands, or the head of the block.
    fn span(&self, head: &DesiredResource, attribute: &str) -> Span {
        let path = AttrPath::attribute(attribute);
        let set =
            head.attributes.get(attribute).is_some_and(|value| !matches!(value, Value::Map(_)));
        let causes =
            if set { self.evaluator.causes(&head.address, Some(&path)) } else { Vec::new() };
        causes.first().copied().unwrap_or(head.span)
    }
}

/// Why one host cannot take a group; the number sorts those first that are nearest to taking it.
fn reason(board: &Board<'_>, group: &Group<'_>, candidates: usize, host: usize) -> (u8, String) {
    let address = board.inventory.hosts[host].address;
    let (constraint, _) = board.hosts(candidates);
    if let Some(refusal) = constraint.refuses(&board.inventory, host) {
        return (order(&refusal), format!("{address}: {refusal}"));
    }
    let mut elsewhere = group.outside().filter(|(_, home)| *home != host);
    let shortage = if let Some((disk, home)) = elsewhere.next() {
        let volume = board.desired.resources.get_index(disk.resource);
        volume.map(|(volume, _)| Shortage::Volume {
            volume,
            host: board.inventory.hosts[home].address,
        })
    } else if super::pin(board, group, candidates) == Pin::Torn
        && let Home::At(home) = group.home
    {
        Some(Shortage::Runs(board.inventory.hosts[home].address))
    } else {
        board.fits(group, host).err()
    };
    match shortage {
        Some(shortage) => (0, format!("{address}: {}", Told { shortage, more: "" })),
        None => (0, format!("{address}: full")),
    }
}

fn order(refusal: &Refusal<'_>) -> u8 {
    match refusal {
        Refusal::Lacks(_) => 1,
        Refusal::Drained => 2,
        Refusal::Silent(_) => 3,
        Refusal::NoPool(_) | Refusal::NoFiles(_) => 4,
        Refusal::Network(..) => 5,
        Refusal::OtherHost(_) => 6,
        Refusal::OtherSite(_) => 7,
        Refusal::TenantSite(_) => 8,
    }
}

fn help(board: &Board<'_>, group: &Group<'_>, candidates: usize) -> String {
    let (constraint, hosts) = board.hosts(candidates);
    let pin = super::pin(board, group, candidates);
    if let Pin::To(host) = pin
        && let Some(Refusal::Lacks(missing)) = constraint.refuses(&board.inventory, host)
    {
        return missing.help.to_owned();
    }
    if pin == Pin::Torn {
        return match group.outside().next() {
            Some((_, home)) if matches!(group.home, Home::At(_)) => format!(
                "`host = {}` would move the guest to its volume",
                board.inventory.hosts[home].address
            ),
            _ => "attach volumes of one host only".to_owned(),
        };
    }
    if let Some(host) = constraint.host {
        return format!("make room on {host}, or leave `host` out and let tcloud choose");
    }
    if hosts.is_empty() {
        return to_allow(board, candidates);
    }
    let apart = |host: &usize| matches!(board.fits(group, *host), Err(Shortage::Spread(_)));
    if hosts.iter().all(apart) {
        return "add a host, or let some of them share one: leave `spread` out there".to_owned();
    }
    "make it smaller, give a host more `capacity`, or add a host".to_owned()
}

/// Why nothing can be placed at all: no host answers.
fn nobody_answers(board: &Board<'_>, candidates: usize) -> Option<&'static str> {
    let (constraint, _) = board.hosts(candidates);
    let number = board.inventory.hosts.len();
    let silent =
        |host| matches!(constraint.refuses(&board.inventory, host), Some(Refusal::Silent(_)));
    (0..number).all(silent).then_some(match number {
        1 => "its only host does not answer",
        _ => "no host answers",
    })
}

/// What lets a host take something, when none may: what the nearest one lacks.
fn to_allow(board: &Board<'_>, candidates: usize) -> String {
    let (constraint, _) = board.hosts(candidates);
    let all = 0..board.inventory.hosts.len();
    let refusals = all.filter_map(|host| constraint.refuses(&board.inventory, host));
    match refusals.min_by_key(order) {
        Some(Refusal::Silent(_)) => {
            "bring a host back; `tcloud -vv plan` says what is asked of it, and what it answers"
                .to_owned()
        }
        Some(Refusal::Drained) => "take `drain` off a host, or add one".to_owned(),
        Some(Refusal::NoPool(Store::Any { .. })) => {
            "declare a pool beside the host: `pool local { type = \"dir\", path = \"/srv/tcloud\" }`"
                .to_owned()
        }
        Some(Refusal::NoPool(_)) => "declare such a pool, or ask for another one".to_owned(),
        Some(Refusal::NoFiles(_)) => {
            "write `format = \"raw\"`, or declare a pool of type `dir`".to_owned()
        }
        Some(Refusal::Lacks(missing)) => missing.help.to_owned(),
        _ => "allow it on another host, or add one".to_owned(),
    }
}

/// What a group takes up, in words.
fn size(board: &Board<'_>, group: &Group<'_>) -> String {
    let storage = human_size(group.storage());
    if group.machine(board.desired).is_none() {
        return storage;
    }
    let mut text = format!("{}, {} of memory", vcpus(group.vcpus, ""), human_size(group.memory));
    if !group.disks.is_empty() {
        text.push_str(&format!(", {storage} on disks"));
    }
    text
}

fn vcpus(count: u64, more: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {more}vCPU{plural}")
}

/// `vm `web[1]``: how a message calls a resource.
fn name(address: &Address) -> String {
    format!("{} `{}`", address.kind(), address.last_name())
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TenantSite(site) => write!(f, "the tenant may not use {site}"),
            Refusal::OtherSite(site) => write!(f, "the text asks for {site}"),
            Refusal::OtherHost(host) => write!(f, "the text asks for {host}"),
            Refusal::Network(place, network) => {
                write!(f, "network `{}` keeps its guests in {place}", network.last_name())
            }
            Refusal::Silent("") => f.write_str("does not answer"),
            Refusal::Silent(why) => write!(f, "does not answer: {why}"),
            Refusal::Drained => f.write_str("drained"),
            Refusal::Lacks(missing) => f.write_str(missing.because),
            Refusal::NoPool(Store::Any { .. }) => f.write_str("has no pool"),
            Refusal::NoPool(Store::Class { class, .. }) => {
                f.write_str("has no pool of class ")?;
                write_quoted(f, class)
            }
            Refusal::NoPool(Store::Named(pool)) => write!(f, "does not have {pool}"),
            Refusal::NoFiles(Store::Class { class, .. }) => {
                f.write_str("its pools of class ")?;
                write_quoted(f, class)?;
                f.write_str(" hold devices, and QCOW2 is a format of files")
            }
            Refusal::NoFiles(_) => {
                f.write_str("its pools hold devices, and QCOW2 is a format of files")
            }
        }
    }
}

/// A shortage in words; `more` is put between amount and thing, for growth.
struct Told<'a> {
    shortage: Shortage<'a>,
    more: &'static str,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.more;
        match self.shortage {
            Shortage::Vcpus { needs, free } => {
                write!(f, "needs {}, {free} free", vcpus(needs, more))
            }
            Shortage::Memory { needs, free } => {
                write!(f, "needs {} {more}of memory, {} free", human_size(needs), human_size(free))
            }
            Shortage::Storage { store, needs, free } => {
                write!(f, "needs {} {more}in ", human_size(needs))?;
                match store {
                    Store::Any { .. } => f.write_str("one pool")?,
                    Store::Class { class, .. } => {
                        f.write_str("a pool of class ")?;
                        write_quoted(f, class)?;
                    }
                    Store::Named(pool) => write!(f, "{pool}")?,
                }
                write!(f, ", {} free", human_size(free))
            }
            Shortage::Spread(guest) => {
                write!(f, "{} is there, with the same `spread`", guest.last_segment())
            }
            Shortage::Volume { volume, host } => {
                write!(f, "{} is on {host}", volume.last_segment())
            }
            Shortage::Runs(host) => write!(f, "the guest runs on {host}"),
        }
    }
}
