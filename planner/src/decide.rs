//! What happens to each object: the table of engine.md, applied to the facts.

mod compared;
mod moving;
mod object;
mod staying;

use std::ops::Range;
use std::sync::Arc;

use tcloud_model::{
    Address, Diagnostic, Digest, Fields, Identity, Impact, ObjectId, Role, Value, codes, parallel,
};

use crate::diff::{Difference, keep_ignored};
use crate::draft::{Draft, Work};
use crate::facts::{Facts, Known};
use crate::input::{Goal, Input};
use crate::layout::{Layout, Wanted, causes};
use crate::lifecycle::power;
use crate::plan::{Action, AttributeChange, Drift, Pending, Reason};
use crate::remember::{keeping, record, triggers};
use crate::restart::Restart;
use crate::same::Existing;
use crate::select::Selection;
use crate::silence::Silence;

use self::compared::Compared;
use self::object::{Object, objects};
use self::staying::Staying;

/// What was decided.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    /// Sorted by address and host, the object that stays before old incarnations of it.
    pub drafts: Vec<Draft>,
    /// What was changed by hand.
    pub drift: Vec<Drift>,
    /// What waits.
    pub pending: Vec<Pending>,
    /// Objects that stay as they are.
    pub unchanged: usize,
    /// How many are not selected.
    pub left_out: usize,
    /// What could not be checked.
    pub unchecked: Vec<String>,
}

/// Decides for every object that is wanted or known.
///
/// # Errors
/// Changes that cannot be made safely, and names that others have.
pub(crate) fn decide<'a>(
    input: &Input<'a>,
    facts: &mut Facts<'a>,
    layout: &Layout<'a>,
    selection: &Selection,
    existing: &Existing,
) -> Result<Decided, Vec<Diagnostic>> {
    let mut table = Table {
        input,
        layout,
        selection,
        existing,
        compared: Vec::new(),
        decided: Decided::default(),
        problems: Vec::new(),
        silence: Silence::default(),
        staying: None,
    };
    table.compared = parallel::each(&facts.known, |known| table.compared(facts, known)).collect();
    let objects = objects(facts, layout);
    // Room for all when everything is new.
    let wanted: usize = layout.wanted.values().map(|wanted| wanted.hosts.len()).sum();
    table.decided.drafts.reserve(wanted.saturating_sub(facts.known.len()));
    for object in &objects {
        table.object(facts, object);
    }
    facts.settle();
    table.remember_new();
    table.decided.unchecked.extend(table.silence.explain(input));
    if table.problems.is_empty() { Ok(table.decided) } else { Err(table.problems) }
}

struct Table<'t, 'a> {
    input: &'t Input<'a>,
    layout: &'t Layout<'a>,
    selection: &'t Selection,
    existing: &'t Existing,
    /// By the position of what is known: how it differs, until it is decided what follows from that.
    compared: Vec<Option<Compared>>,
    decided: Decided,
    problems: Vec<Diagnostic>,
    silence: Silence,
    /// Once it was asked for.
    staying: Option<Staying>,
}

impl<'a> Table<'_, 'a> {
    fn object(&mut self, facts: &mut Facts<'a>, object: &Object<'_, 'a>) {
        let Object { address, known: all, wanted } = object;
        if !self.selection.selects(address) {
            self.decided.left_out += all.len();
            return;
        }
        if let Some(span) = self.selection.forgets(address) {
            if let Some(resource) = self.input.evaluator.desired().resources.get(address) {
                let message = format!("`{address}` is forgotten, and still declared");
                let problem = Diagnostic::error(codes::E0906, span, message)
                    .also(resource.span, "declared here")
                    .help("remove the block, or the `forget`");
                self.problems.push(problem);
            }
            for index in all.clone() {
                self.forget(&facts.known[index], index);
            }
            return;
        }
        let Some(wanted) = wanted.filter(|_| self.input.wishes.goal != Goal::Destroy) else {
            let destroyed = wanted.is_some();
            let reason = match self.selection.follows(address) {
                Some(leader) => Reason::Follows(leader.clone()),
                None if destroyed => Reason::Destroy,
                None => Reason::Removed,
            };
            for index in all.clone() {
                self.delete(&facts.known[index], index, reason.clone());
            }
            return;
        };
        if wanted.schema.role == Role::PerHost {
            for host in &wanted.hosts {
                self.wanted_on(facts, (wanted, all), host, Some(host));
            }
            for index in all.clone() {
                let known = &facts.known[index];
                let host = &known.object.host;
                if wanted.hosts.contains(host) {
                    continue;
                }
                match self.stays_in(facts, address, host) {
                    Some(holder) => {
                        self.recall(wanted, known, index);
                        let note = format!("{address} stays on {host}, where {holder} uses it");
                        self.decided.unchecked.push(note);
                    }
                    None => self.delete(known, index, Reason::Placement),
                }
            }
        } else if let Some(host) = wanted.hosts.first() {
            self.wanted_on(facts, (wanted, all), host, None);
        }
    }

    /// One object that the text wants: on `host`, known there or, with `at` empty, anywhere.
    fn wanted_on(
        &mut self,
        facts: &mut Facts<'a>,
        (wanted, all): (&Wanted<'a>, &Range<usize>),
        host: &Address,
        at: Option<&Address>,
    ) {
        let Some(current) = facts.current_among(all.clone(), at) else {
            self.create(facts, wanted, host);
            return;
        };
        let known = &facts.known[current];
        let migrates = known.object.host != *host;
        if !known.answered {
            let changes = known.applied.as_ref().is_some_and(|own| **own != *wanted.attributes);
            self.silence.keeps(known, migrates || changes);
        } else if known.live.is_none() {
            self.vanished(facts, wanted, known, current, host);
        } else {
            self.existing(facts, wanted, current, host);
        }
        for index in all.clone() {
            let other = &facts.known[index];
            let here = at.is_none_or(|at| other.object.host == *at);
            let arriving = migrates
                && other.object.host == *host
                && other.object.incarnation == facts.known[current].object.incarnation;
            if index != current && here && !arriving {
                self.delete(other, index, Reason::Leftover);
            }
        }
    }

    fn create(&mut self, facts: &mut Facts<'a>, wanted: &Wanted<'a>, host: &Address) {
        let address = &wanted.resource.address;
        if !answers(self.input, host) {
            self.silence.lacks(host, address);
            return;
        }
        let object = ObjectId { address: address.clone(), host: host.clone(), incarnation: 0 };
        let per_host = wanted.schema.role == Role::PerHost;
        let at = wanted.hosts.iter().position(|own| own == host);
        let known = at.and_then(|at| wanted.identities.get(at)).cloned();
        let (object, identity) = facts.create(self.input, object, per_host, known);
        if self.is_taken(facts, wanted, host, &identity) {
            return;
        }
        self.decided.drafts.push(Draft::new(object, identity, Action::Create, Reason::New));
    }

    /// Writes the records of what is new, and where it comes from: the two take longest of all where
    /// there are many.
    fn remember_new(&mut self) {
        let mut drafts = std::mem::take(&mut self.decided.drafts);
        parallel::change(&mut drafts, |draft| {
            let new = draft.action == Action::Create && draft.record.is_none();
            if let Some(wanted) = self.layout.wanted.get(&draft.object.address).filter(|_| new) {
                self.remember(draft, wanted, Arc::clone(&wanted.attributes), None);
                draft.causes = causes(self.input, &draft.object.address, None);
            }
        });
        self.decided.drafts = drafts;
    }

    /// Whether the host has something else of this name that is not ours; then it says so.
    fn is_taken(
        &mut self,
        facts: &Facts<'a>,
        wanted: &Wanted<'a>,
        host: &Address,
        identity: &Identity,
    ) -> bool {
        let address = &wanted.resource.address;
        let Some(foreign) = facts.foreign_at(host, address.kind(), &identity.name) else {
            return false;
        };
        let taken = Value::text(&foreign.name);
        let kind = address.kind();
        let message = format!("{host} has a {kind} {taken} that is not ours");
        let problem = Diagnostic::error(codes::E0907, wanted.resource.span, message)
            .label("would get the same name there")
            .help(format!(
                "`adopt {address} from {taken} on {host}` makes it ours; else rename one"
            ));
        self.problems.push(problem);
        true
    }

    /// It was removed by hand: it is made again as it was, with its identity.
    fn vanished(
        &mut self,
        facts: &Facts<'a>,
        wanted: &Wanted<'a>,
        known: &Known<'a>,
        index: usize,
        host: &Address,
    ) {
        let object = ObjectId { host: host.clone(), ..known.object.clone() };
        let identity = known.identity(self.input.deployment, wanted.schema.role == Role::PerHost);
        if self.is_taken(facts, wanted, host, &identity) {
            return;
        }
        self.refuse_to_carry(wanted, &known.object.host, host);
        self.decided.drift.push(Drift {
            object: known.object.clone(),
            kind: known.kind().clone(),
            attributes: Vec::new(),
            vanished: true,
        });
        let mut draft = Draft::new(object, identity, Action::Create, Reason::Vanished);
        draft.old = Some(index);
        draft.previous_address.clone_from(&known.previous);
        draft.causes = causes(self.input, &wanted.resource.address, None);
        let previous = previous_of(known);
        self.remember(&mut draft, wanted, Arc::clone(&wanted.attributes), previous);
        self.decided.drafts.push(draft);
    }

    fn existing(
        &mut self,
        facts: &mut Facts<'a>,
        wanted: &Wanted<'a>,
        index: usize,
        host: &Address,
    ) {
        let known = &facts.known[index];
        let compared = self.compared.get_mut(index).and_then(Option::take);
        let Compared { difference: Difference { changes, drift, pending, stale }, lifecycle } =
            compared.unwrap_or_else(|| self.compare(facts, wanted, known));
        self.note(wanted, known, drift, pending);
        let impact = changes.iter().map(|change| change.impact).max().unwrap_or(Impact::None);
        if impact == Impact::Blocked {
            self.blocked(wanted, &changes);
            return;
        }
        let replacement = self.replacement(wanted, known, &changes, impact);
        let migrates = known.object.host != *host;
        let same_object = !migrates && known.previous.is_none() && !known.adopted;
        let as_wanted = changes.is_empty() && lifecycle.is_empty() && !stale;
        if replacement.is_none() && same_object && as_wanted {
            self.decided.unchanged += 1;
            return;
        }
        let per_host = wanted.schema.role == Role::PerHost;
        let identity = known.identity(self.input.deployment, per_host);
        let mut draft = Draft::new(known.object.clone(), identity, Action::Update, Reason::Text);
        draft.old = Some(index);
        draft.previous_address.clone_from(&known.previous);
        draft.attributes = changes;
        match replacement {
            Some(reason) => self.replace(facts, wanted, draft, reason, impact),
            None => self.update(wanted, known, draft, lifecycle, host),
        }
    }

    /// An object that stays and changes: its attributes, its host, its address, or its stamp.
    fn update(
        &mut self,
        wanted: &Wanted<'a>,
        known: &Known<'a>,
        mut draft: Draft,
        lifecycle: Vec<AttributeChange>,
        host: &Address,
    ) {
        let migrates = known.object.host != *host;
        draft.work = if draft.attributes.is_empty() { Work::Stamp } else { Work::Update };
        draft.reason = self.reason(wanted, known, &draft.attributes, &lifecycle);
        power(wanted, known, self.input.now, &mut draft);
        draft.attributes.extend(lifecycle);
        self.find_causes(wanted, &mut draft);
        if known.adopted {
            (draft.action, draft.reason) = (Action::Adopt, Reason::Statement);
        } else if migrates {
            self.refuse_to_move(wanted, &known.object.host, host);
            self.refuse_to_rename(wanted, known);
            (draft.action, draft.reason) = (Action::Migrate, Reason::Placement);
            draft.previous_host = Some(known.object.host.clone());
            draft.object.host = host.clone();
            draft.impact = draft.impact.max(Impact::RecreateKeep);
        } else if known.previous.is_some() {
            draft.action = Action::Move;
            if draft.work == Work::Stamp {
                draft.reason = Reason::Statement;
            }
        }
        let ignore = &wanted.resource.lifecycle.ignore;
        let before = known.attributes().map(|fields| &**fields);
        let attributes = keep_ignored(&wanted.attributes, before, ignore);
        let previous = known.previous.clone().or_else(|| previous_of(known));
        self.remember(&mut draft, wanted, attributes, previous);
        draft.record = draft.record.map(|record| keeping(record, known.stamp()));
        let is_stamped = known.live.and_then(|live| live.stamp.as_ref());
        let stamp = draft.record.as_ref().map(|record| &record.stamp);
        if draft.action == Action::Update && draft.work == Work::Stamp && is_stamped == stamp {
            draft.work = Work::Record;
        }
        self.decided.drafts.push(draft);
    }

    fn note(
        &mut self,
        wanted: &Wanted<'a>,
        known: &Known<'a>,
        drift: Vec<AttributeChange>,
        pending: Vec<AttributeChange>,
    ) {
        if !drift.is_empty() {
            self.decided.drift.push(Drift {
                object: known.object.clone(),
                kind: known.kind().clone(),
                attributes: drift,
                vanished: false,
            });
        }
        if !pending.is_empty() {
            let object = known.object.clone();
            let opens = match Restart::of(&wanted.resource.attributes, self.input.now) {
                Restart::Waits(opens) => opens,
                Restart::Now(_) => None,
            };
            self.decided.pending.push(Pending { object, attributes: pending, opens });
        }
    }

    fn reason(
        &self,
        wanted: &Wanted<'a>,
        known: &Known<'a>,
        changes: &[AttributeChange],
        lifecycle: &[AttributeChange],
    ) -> Reason {
        let by_hand = lifecycle.is_empty() && changes.iter().all(|change| change.drift);
        let unfinished = known.record.is_none()
            && !self.input.state.records.is_empty()
            && known.stamp().map(|stamp| stamp.digest.get())
                == Some(Digest::of_fields(&wanted.attributes));
        match (by_hand, unfinished && !changes.is_empty()) {
            (true, true) => Reason::Unfinished,
            (true, false) => Reason::Drift,
            (false, _) => Reason::Text,
        }
    }

    /// Whether the object has to be made anew, and why.
    fn replacement(
        &self,
        wanted: &Wanted<'a>,
        known: &Known<'a>,
        changes: &[AttributeChange],
        impact: Impact,
    ) -> Option<Reason> {
        if self.selection.replaces(&wanted.resource.address) {
            return Some(Reason::Requested);
        }
        let old = known.stamp().and_then(|stamp| stamp.triggers);
        if let (Some(old), Some(new)) = (old, triggers(wanted))
            && old != new
        {
            return Some(Reason::ReplaceWhen);
        }
        impact.is_replacement().then(|| self.reason(wanted, known, changes, &[]))
    }

    fn replace(
        &mut self,
        facts: &mut Facts<'a>,
        wanted: &Wanted<'a>,
        mut draft: Draft,
        reason: Reason,
        impact: Impact,
    ) {
        let old = draft.object.clone();
        let per_host = wanted.schema.role == Role::PerHost;
        let has_disks = wanted.attributes.map("disk").is_some_and(|disks| !disks.is_empty());
        let host = wanted_host(wanted, &old.host);
        self.refuse_to_carry(wanted, &old.host, &host);
        let next = ObjectId { incarnation: old.incarnation.saturating_add(1), host, ..old };
        (draft.object, draft.identity) = facts.create(self.input, next, per_host, None);
        // Two guests cannot have one disk, whatever the text says.
        draft.action = if wanted.create_first_now && !has_disks {
            Action::ReplaceCreateFirst
        } else {
            Action::ReplaceDeleteFirst
        };
        draft.reason = reason;
        draft.impact = impact.max(Impact::RecreateKeep);
        self.find_causes(wanted, &mut draft);
        self.remember(&mut draft, wanted, Arc::clone(&wanted.attributes), None);
        self.decided.drafts.push(draft);
    }

    fn blocked(&mut self, wanted: &Wanted<'a>, changes: &[AttributeChange]) {
        let address = &wanted.resource.address;
        for change in changes.iter().filter(|change| change.impact == Impact::Blocked) {
            let spans = self.input.evaluator.causes(address, Some(&change.path));
            let span = spans.first().copied().unwrap_or(wanted.resource.span);
            let show = |value: &Option<Value>| {
                value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string)
            };
            let message = format!(
                "`{}` of {} `{}` cannot change",
                change.path,
                address.kind(),
                address.last_name()
            );
            let problem = Diagnostic::error(codes::E0908, span, message)
                .label(format!("it is {}", show(&change.before)))
                .help(format!(
                    "set it back, or declare another {} beside this one",
                    address.kind()
                ));
            self.problems.push(problem);
        }
    }

    fn delete(&mut self, known: &Known<'a>, index: usize, reason: Reason) {
        if !known.answered {
            self.silence.keeps(known, true);
            return;
        }
        let per_host =
            self.input.catalog.get(known.kind()).is_some_and(|s| s.role == Role::PerHost);
        let identity = known.identity(self.input.deployment, per_host);
        let mut draft = Draft::new(known.object.clone(), identity, Action::Delete, reason);
        draft.old = Some(index);
        draft.work = if known.live.is_some() { Work::Update } else { Work::Record };
        draft.previous_address.clone_from(&known.previous);
        self.decided.drafts.push(draft);
    }

    /// What stays as it is, and is remembered from now on if it is not yet.
    fn recall(&mut self, wanted: &Wanted<'a>, known: &Known<'a>, index: usize) {
        let Some(found) = known.found.as_ref().filter(|_| known.record.is_none()) else {
            self.decided.unchanged += 1;
            return;
        };
        let identity = known.identity(self.input.deployment, true);
        let mut draft = Draft::new(known.object.clone(), identity, Action::Update, Reason::Text);
        draft.old = Some(index);
        self.remember(&mut draft, wanted, Arc::clone(found), previous_of(known));
        draft.record = draft.record.map(|record| keeping(record, known.stamp()));
        self.decided.drafts.push(draft);
    }

    fn forget(&mut self, known: &Known<'a>, index: usize) {
        if !known.answered {
            // Its stamp cannot be taken off: without its record nobody would know whose it is.
            self.silence.keeps(known, true);
            return;
        }
        let per_host =
            self.input.catalog.get(known.kind()).is_some_and(|s| s.role == Role::PerHost);
        let identity = known.identity(self.input.deployment, per_host);
        let object = known.object.clone();
        let mut draft = Draft::new(object, identity, Action::Forget, Reason::Statement);
        draft.old = Some(index);
        draft.work = if known.live.is_some() { Work::Stamp } else { Work::Record };
        draft.previous_address.clone_from(&known.previous);
        self.decided.drafts.push(draft);
    }

    fn remember(
        &self,
        draft: &mut Draft,
        wanted: &Wanted<'a>,
        attributes: Arc<Fields>,
        previous: Option<Address>,
    ) {
        draft.record =
            Some(record(self.input, wanted, &draft.object, &draft.identity, attributes, previous));
    }

    fn find_causes(&self, wanted: &Wanted<'a>, draft: &mut Draft) {
        let address = &wanted.resource.address;
        let mut order: Vec<usize> = (0..draft.attributes.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(draft.attributes[*at].impact));
        for at in order {
            let change = &mut draft.attributes[at];
            if change.drift {
                continue;
            }
            let before = change.before.as_ref();
            let rules = self.layout.firewall.causes(address, &change.path, before);
            change.causes = match rules.is_empty() {
                true => causes(self.input, address, Some(&change.path)),
                false => rules
                    .into_iter()
                    .flat_map(|(owner, rule)| causes(self.input, owner, Some(rule)))
                    .collect(),
            };
            for cause in &change.causes {
                if !draft.causes.contains(cause) {
                    draft.causes.push(cause.clone());
                }
            }
        }
        if draft.causes.is_empty() && draft.attributes.iter().any(|change| !change.drift) {
            draft.causes = causes(self.input, address, None);
        }
    }
}

fn answers(input: &Input<'_>, host: &Address) -> bool {
    input.observed.host(host).is_some_and(|host| host.facts.is_some())
}

fn wanted_host(wanted: &Wanted<'_>, current: &Address) -> Address {
    match wanted.hosts.first() {
        Some(host) if wanted.schema.role != Role::PerHost => host.clone(),
        _ => current.clone(),
    }
}

fn previous_of(known: &Known<'_>) -> Option<Address> {
    known.stamp().and_then(|stamp| stamp.previous.clone())
}
