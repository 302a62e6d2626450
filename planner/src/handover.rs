//! What goes from one guest to another in one plan: a volume, an address or a MAC in a network. No two
//! guests have it at the same time, so that the one lets go of it before the other takes it.

use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{
    Address, AttrPath, Diagnostic, Fields, FileId, Impact, Name, Span, Value, codes,
};

use crate::draft::Draft;
use crate::facts::{Facts, Known};
use crate::input::Input;
use crate::layout::Layout;
use crate::plan::Action;
use crate::select::Selection;

/// What only one guest can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Single<'f> {
    Volume(&'f Address),
    Ip(&'f Address, IpAddr),
    Mac(&'f Address, [u8; 6]),
}

impl Single<'_> {
    /// The attributes of a disk or NIC whose change lets go of it.
    fn attributes(self) -> &'static [&'static str] {
        match self {
            Single::Volume(_) => &["volume"],
            Single::Ip(..) => &["network", "address"],
            Single::Mac(..) => &["network", "mac"],
        }
    }
}

/// Tells what a guest has that only one can have, with its block and label.
fn each_single<'f>(fields: &'f Fields, visit: &mut dyn FnMut(&'static str, &'f Name, Single<'f>)) {
    for (block, attribute) in [("disk", "volume"), ("nic", "network")] {
        for (label, value) in fields.map(block).into_iter().flat_map(|own| own.iter()) {
            let Value::Map(own) = value else { continue };
            let Some(target) = own.reference(attribute) else { continue };
            if block == "disk" {
                visit(block, label, Single::Volume(target));
                continue;
            }
            if let Some(Value::Ip(ip)) = own.get("address") {
                visit(block, label, Single::Ip(target, *ip));
            }
            if let Some(Value::Mac(mac)) = own.get("mac") {
                visit(block, label, Single::Mac(target, *mac));
            }
        }
    }
}

/// Something goes from one guest to another.
struct Handover<'f> {
    /// Who has it.
    holder: &'f Known<'f>,
    /// What happens to that; `None` when it stays as it is.
    giver: Option<usize>,
    /// Who gets it: index of its draft.
    taker: usize,
    what: Single<'f>,
    /// The disk or NIC of the holder.
    path: AttrPath,
}

/// All handovers between these drafts, and from guests that `stays` knows to keep what they have.
fn handovers<'f>(
    facts: &'f Facts<'f>,
    drafts: &'f [Draft],
    stays: &dyn Fn(&Known<'_>) -> bool,
) -> Vec<Handover<'f>> {
    let changes = |(_, draft): &(usize, &Draft)| draft.kind() == "vm" && reaches_devices(draft);
    let changing = || drafts.iter().enumerate().filter(changes);
    let giving = changing().filter_map(|(at, draft)| Some((draft.old?, at)));
    let giving: IndexMap<usize, usize> = giving.collect();
    let holds = |(index, known): &(usize, &Known<'_>)| {
        known.kind() == "vm"
            && known.live.is_some()
            && (giving.contains_key(index) || known.pending.is_some() || stays(known))
    };
    let mut holders = facts.known.iter().enumerate().filter(holds).peekable();
    let mut taken = IndexMap::new();
    // Where everything is new there is nobody to take anything from.
    if holders.peek().is_some() {
        changing().for_each(|(at, draft)| take(facts, at, draft, &mut taken));
    }
    let mut all = Vec::new();
    for (index, holder) in holders.filter(|_| !taken.is_empty()) {
        let giver = giving.get(&index).copied();
        let sides = [&holder.found, &holder.pending].into_iter().flatten();
        for fields in sides {
            each_single(fields, &mut |block, label, what| {
                let taker = taken
                    .get(&what)
                    .copied()
                    .filter(|taker| drafts[*taker].object.address != holder.object.address);
                let path = AttrPath::attribute(block).field(label.clone());
                all.extend(taker.map(|taker| Handover { holder, giver, taker, what, path }));
            });
        }
    }
    all
}

/// What a guest gets that it has not.
fn take<'f>(
    facts: &'f Facts<'f>,
    at: usize,
    draft: &'f Draft,
    taken: &mut IndexMap<Single<'f>, usize>,
) {
    let Some(record) = draft.record.as_ref().filter(|_| draft.stays()) else { return };
    let had = draft.old.and_then(|old| facts.known.get(old)).filter(|_| !draft.replaces());
    let mut own = IndexSet::new();
    if let Some(found) = had.and_then(|known| known.attributes()) {
        each_single(found, &mut |_, _, what| {
            own.insert(what);
        });
    }
    each_single(&record.attributes, &mut |_, _, what| {
        if !own.contains(&what) {
            taken.insert(what, at);
        }
    });
}

/// Whether a guest's disks or NICs come, go or change.
fn reaches_devices(draft: &Draft) -> bool {
    let is_device =
        |path: &AttrPath| path.first().is_some_and(|own| *own == "disk" || *own == "nic");
    match draft.action {
        Action::Forget => false,
        _ if draft.deletes() || draft.action == Action::Create => true,
        _ => draft.attributes.iter().any(|change| is_device(&change.path)),
    }
}

impl Handover<'_> {
    /// Whether the holder has let go when its change is made.
    fn is_let_go(&self, draft: &Draft) -> bool {
        let part = |path: &AttrPath| {
            self.what.attributes().iter().any(|own| *path == self.path.field(*own))
        };
        let changes = |path: &AttrPath| *path == self.path || part(path);
        let now = |impact: Impact| impact < Impact::PowerCycle || draft.power_cycle;
        draft.deletes() || draft.attributes.iter().any(|own| changes(&own.path) && now(own.impact))
    }

    /// Whether both would have it at the same time. A volume is in use while a guest runs.
    fn is_shared(&self, drafts: &[Draft]) -> bool {
        let Single::Volume(_) = self.what else { return true };
        let record = drafts.get(self.taker).and_then(|draft| draft.record.as_ref());
        let runs = record.is_some_and(|own| own.attributes.flag("running") != Some(false));
        self.holder.runs() && runs
    }

    /// Whether the holder can be without the disk or NIC before its change is made.
    fn unplugs(&self, input: &Input<'_>, draft: &Draft) -> bool {
        draft.power_cycle || self.holder.unplugs(input.catalog, &self.path)
    }

    fn refusal(&self, input: &Input<'_>, drafts: &[Draft]) -> Diagnostic {
        let taker = &drafts[self.taker];
        let (address, holder) = (&taker.object.address, &self.holder.object.address);
        let mut path = AttrPath::default();
        if let Some(record) = &taker.record {
            each_single(&record.attributes, &mut |block, label, what| {
                if what == self.what {
                    path = AttrPath::attribute(block).field(label.clone());
                }
            });
        }
        let spans = input.evaluator.causes(address, Some(&path));
        let declared = || Some(input.evaluator.desired().resources.get(address)?.span);
        let span = spans.first().copied().or_else(declared).unwrap_or(Span::new(FileId(0), 0, 0));
        let what = match self.what {
            Single::Volume(volume) => volume.to_string(),
            Single::Ip(network, ip) => format!("{ip} in {network}"),
            Single::Mac(network, mac) => format!("{} in {network}", Value::Mac(mac)),
        };
        let waits = self.giver.is_some() || self.holder.pending.is_some();
        let (until, help) = match waits {
            true => (
                "until it is stopped and started",
                format!(
                    "take it from {holder} first, and stop and start that; or write \
                     `restart = \"now\"` there"
                ),
            ),
            false => (
                "and is not changed by this plan",
                format!(
                    "plan both together; or leave {address} out as well: `--exclude {address}`"
                ),
            ),
        };
        let message =
            format!("`{path}` of {address} cannot be had now: {holder} has {what} {until}");
        Diagnostic::error(codes::E0914, span, message)
            .label(format!("on {}", self.holder.object.host))
            .help(help)
    }
}

/// Lets guests go of what others take, in steps of their own where they take something themselves.
///
/// # Errors
/// What a guest keeps, because it cannot let go of it now or the plan is not about it.
pub(crate) fn hand_over(
    input: &Input<'_>,
    facts: &Facts<'_>,
    layout: &Layout<'_>,
    selection: &Selection,
    drafts: &mut [Draft],
) -> Result<(), Vec<Diagnostic>> {
    let stays = |known: &Known<'_>| {
        let address = &known.object.address;
        !selection.selects(address) || selection.forgets(address).is_some()
    };
    let all = handovers(facts, drafts, &stays);
    let takers: IndexSet<usize> = all.iter().map(|own| own.taker).collect();
    let mut problems = Vec::new();
    let mut before: Vec<(usize, AttrPath)> = Vec::new();
    for own in &all {
        let giver = own.giver.and_then(|at| Some((at, drafts.get(at)?)));
        let Some((at, draft)) = giver.filter(|(_, draft)| own.is_let_go(draft)) else {
            problems.extend(own.is_shared(drafts).then(|| own.refusal(input, drafts)));
            continue;
        };
        // What others have to wait for must not wait for them.
        if draft.deletes() || takers.contains(&at) || needs_guests(layout, draft) {
            if !draft.deletes() && !own.unplugs(input, draft) {
                problems.push(own.refusal(input, drafts));
            }
            before.push((at, own.path.clone()));
        }
    }
    for (at, path) in before {
        let Some(draft) = drafts.get_mut(at) else { continue };
        match draft.action {
            Action::ReplaceCreateFirst => draft.action = Action::ReplaceDeleteFirst,
            Action::ReplaceDeleteFirst | Action::Delete => {}
            _ if draft.detached.contains(&path) => {}
            _ => draft.detached.push(path),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn needs_guests(layout: &Layout<'_>, draft: &Draft) -> bool {
    let wanted = layout.wanted.get(&draft.object.address);
    wanted.is_some_and(|wanted| wanted.dependencies.iter().any(|needed| needed.kind() == "vm"))
}

/// Who has to let go before whom, by their drafts.
pub(crate) fn handed(facts: &Facts<'_>, drafts: &[Draft]) -> Vec<(usize, usize)> {
    let all = handovers(facts, drafts, &|_| false);
    all.iter().filter_map(|own| Some((own.giver?, own.taker))).collect()
}
