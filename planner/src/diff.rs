//! What differs between text, record and reality, attribute by attribute, walking the schema.

use std::sync::Arc;

use indexmap::IndexSet;
use tcloud_model::{Address, AttrPath, Attribute, Block, Fields, Impact, Name, Schema, Value};

use crate::plan::AttributeChange;
use crate::same::{Existing, same};

/// The facts that are compared.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'a> {
    /// What the text wants, complete.
    pub wanted: Option<&'a Fields>,
    /// What was last applied, if that is remembered.
    pub applied: Option<&'a Fields>,
    /// What is in force.
    pub found: Option<&'a Fields>,
    /// What takes effect at the next stop and start, laid over `found`.
    pub pending: Option<&'a Fields>,
}

impl Sides<'_> {
    /// Whether all agree at first sight, as they usually do: nothing waits, what was applied is what is
    /// wanted, and so is whatever was found.
    fn agree(self) -> bool {
        let (Some(wanted), Some(found)) = (self.wanted, self.found) else { return false };
        let mut rest = wanted.iter();
        // What stays as it is remembered is kept once.
        let as_applied =
            self.applied.is_some_and(|applied| std::ptr::eq(applied, wanted) || applied == wanted);
        self.pending.is_none_or(Fields::is_empty)
            && as_applied
            && found.iter().all(|field| rest.any(|wanted| wanted == field))
    }
}

/// What is known besides the values.
pub(crate) struct Context<'a> {
    /// Names of objects of others.
    pub existing: &'a Existing,
    /// Paths whose differences are left alone.
    pub ignore: &'a [AttrPath],
    /// What to believe of an attribute that nobody remembers and nobody can read.
    pub unread: Unread,
    /// Whether what waits is to take effect now.
    pub restart_now: bool,
    /// Whether somebody else made it.
    pub adopted: &'a dyn Fn() -> bool,
    /// Whether an attachment to this object goes, though nobody remembers it.
    pub released: &'a dyn Fn(&Address) -> bool,
}

/// What to believe of an attribute that is neither recorded nor readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is as the text says: nothing may change on what is adopted.
    AsWanted,
    /// It is as the text says if setting it made the object anew, else it is not set: the record
    /// was lost or rebuilt, and knows only what can be read.
    AsWantedIfCostly,
    /// It is not set: the record is complete.
    Unset,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Difference {
    /// What has to change.
    pub changes: Vec<AttributeChange>,
    /// What was changed by hand.
    pub drift: Vec<AttributeChange>,
    /// What waits for the next stop and start.
    pub pending: Vec<AttributeChange>,
    /// Whether reality is as wanted and the record says something else.
    pub stale: bool,
}

/// Compares an object's attributes.
pub(crate) fn diff(schema: &Schema, sides: Sides<'_>, context: &Context<'_>) -> Difference {
    if sides.agree() {
        return Difference::default();
    }
    let mut walk = Walk { context, difference: Difference::default() };
    walk.level(&schema.attributes, &schema.blocks, &AttrPath::default(), sides);
    walk.difference
}

/// What a provider says about one attribute.
#[derive(Clone, Copy)]
enum Reading<'a> {
    Unknown,
    Unset,
    Is(&'a Value),
}

impl<'a> Reading<'a> {
    /// `missing` says what it means when nothing is said.
    fn of(fields: Option<&'a Fields>, name: &str, missing: Reading<'a>) -> Reading<'a> {
        match fields.and_then(|fields| fields.get(name)) {
            None => missing,
            Some(Value::None) => Reading::Unset,
            Some(value) => Reading::Is(value),
        }
    }

    /// The value, with `believed` where nothing could be read.
    fn or(self, believed: Option<&'a Value>) -> Option<&'a Value> {
        match self {
            Reading::Unknown => believed,
            Reading::Unset => None,
            Reading::Is(value) => Some(value),
        }
    }
}

/// One attribute, or one nested block, with all its facts.
struct Item<'a> {
    path: AttrPath,
    wanted: Option<&'a Value>,
    applied: Option<&'a Value>,
    /// Whether there is a record at all.
    recorded: bool,
    found: Reading<'a>,
    pending: Reading<'a>,
}

impl<'a> Item<'a> {
    /// What is in force: what was applied where nothing can be read, unless just that still waits.
    fn now(&self) -> Option<&'a Value> {
        match (self.found, self.pending) {
            (Reading::Unknown, Reading::Is(_)) => None,
            (found, _) => found.or(self.applied),
        }
    }
}

struct Walk<'a> {
    context: &'a Context<'a>,
    difference: Difference,
}

impl Walk<'_> {
    fn level(
        &mut self,
        attributes: &[Attribute],
        blocks: &[Block],
        path: &AttrPath,
        sides: Sides<'_>,
    ) {
        for attribute in attributes.iter().filter(|attribute| !attribute.steering) {
            if let Some(item) = self.item(path, &attribute.name, sides, Reading::Unknown) {
                self.leaf(attribute, item, sides);
            }
        }
        for block in blocks.iter().filter(|block| !block.steering) {
            if block.is_its_attributes() {
                self.flat(block, path, sides);
                continue;
            }
            if !block.labelled {
                if let Some(item) = self.item(path, &block.name, sides, Reading::Unknown) {
                    self.block(block, &item);
                }
                continue;
            }
            let inner = inside(sides, &block.name);
            let path = path.field(block.name.clone());
            // Whoever lists the NICs of a guest has said which there are not.
            let missing = if inner.found.is_some() { Reading::Unset } else { Reading::Unknown };
            for label in labels(inner) {
                if let Some(item) = self.item(&path, label, inner, missing) {
                    self.block(block, &item);
                }
            }
        }
    }

    /// The facts of one attribute; `None` when all agree, which is the usual case.
    fn item<'a>(
        &self,
        path: &AttrPath,
        name: &Name,
        sides: Sides<'a>,
        missing: Reading<'a>,
    ) -> Option<Item<'a>> {
        let get = |fields: Option<&'a Fields>| {
            fields.and_then(|fields| fields.get(name)).filter(|value| **value != Value::None)
        };
        let (wanted, applied) = (get(sides.wanted), get(sides.applied));
        let found = Reading::of(sides.found, name, missing);
        let pending = Reading::of(sides.pending, name, Reading::Unknown);
        let quiet = matches!(pending, Reading::Unknown);
        if quiet && wanted == applied && sides.applied.is_some() {
            let agrees = match found {
                Reading::Unknown => true,
                Reading::Unset => wanted.is_none(),
                Reading::Is(value) => wanted == Some(value),
            };
            if agrees {
                return None;
            }
        }
        if quiet && wanted.is_none() && applied.is_none() && !matches!(found, Reading::Is(_)) {
            return None;
        }
        let path = path.field(name.clone());
        let recorded = sides.applied.is_some();
        Some(Item { path, wanted, applied, recorded, found, pending })
    }

    fn is_ignored(&self, path: &AttrPath) -> bool {
        self.context.ignore.iter().any(|ignored| path.0.starts_with(&ignored.0))
    }

    fn same(&self, a: Option<&Value>, b: Option<&Value>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => {
                same(a, b, self.context.existing) || same(b, a, self.context.existing)
            }
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// Whether the attribute cannot be judged, and is believed to be as wanted.
    fn believed(&self, item: &Item<'_>, cost: Impact) -> bool {
        let unknown = matches!(item.found, Reading::Unknown) && item.applied.is_none();
        unknown
            && match self.context.unread {
                Unread::AsWanted => true,
                Unread::AsWantedIfCostly => cost > Impact::PowerCycle,
                Unread::Unset => false,
            }
    }

    /// Whether it is otherwise than it was applied, `told` even if nothing was.
    fn drifts(
        &mut self,
        item: &Item<'_>,
        told: bool,
        (now, next): (Option<&Value>, Option<&Value>),
    ) -> bool {
        let drifts = (item.applied.is_some() || told)
            && !matches!(item.found, Reading::Unknown)
            && !self.same(item.applied, now)
            && !self.same(item.applied, next);
        if drifts {
            let drift = change(&item.path, item.applied, now, Impact::None, true);
            self.difference.drift.push(drift);
        }
        drifts
    }

    fn leaf(&mut self, attribute: &Attribute, item: Item<'_>, sides: Sides<'_>) {
        let now = item.now();
        let next = item.pending.over(now);
        let cost = |before: Option<&Value>, after: Option<&Value>| {
            // The ceiling in force counts: one that was applied may still wait for the next start.
            let mut old = [sides.found, sides.applied].into_iter().flatten();
            let old = old.find(|fields| has_ceiling(attribute, fields));
            attribute.cost.of(before, after, old.unwrap_or(&EMPTY))
        };
        self.drifts(&item, attribute.computed && item.recorded, (now, next));
        // What tcloud works out holds also where it comes to nothing: a rule that was opened by
        // hand is closed again.
        if item.wanted.is_none() && item.applied.is_none() && !attribute.computed {
            return;
        }
        self.verdict(&item, now, next, &cost);
    }

    /// What follows from the facts of an attribute or block; the same rules for both.
    fn verdict(
        &mut self,
        item: &Item<'_>,
        now: Option<&Value>,
        next: Option<&Value>,
        cost: &dyn Fn(Option<&Value>, Option<&Value>) -> Impact,
    ) {
        let wanted = item.wanted;
        let waits = !self.same(now, next);
        if self.same(wanted, next) {
            if waits && self.context.restart_now && !self.is_ignored(&item.path) {
                let change = change(&item.path, now, wanted, Impact::PowerCycle, false);
                self.difference.changes.push(change);
            } else if waits {
                let pending = change(&item.path, now, wanted, Impact::PowerCycle, false);
                self.difference.pending.push(pending);
            }
            self.difference.stale |= item.recorded && !self.same(wanted, item.applied);
            return;
        }
        if self.is_ignored(&item.path) {
            return;
        }
        let reverted = waits && self.same(wanted, now);
        let before = if reverted { next } else { now };
        let impact = if reverted { Impact::Live } else { cost(before, wanted) };
        if self.believed(item, impact) {
            return;
        }
        let drift = item.recorded && self.same(wanted, item.applied);
        self.difference.changes.push(change(&item.path, before, wanted, impact, drift));
    }

    fn block(&mut self, block: &Block, item: &Item<'_>) {
        let now = item.now();
        let next = item.pending.over(now);
        let cost = |before: Option<&Value>, after: Option<&Value>| block.impact(before, after);
        match (item.wanted, now) {
            (Some(Value::Map(wanted)), Some(Value::Map(_)))
                if !matches!(item.pending, Reading::Unset) =>
            {
                let sides = Sides {
                    wanted: Some(wanted),
                    applied: fields(item.applied).or(item.recorded.then_some(&EMPTY)),
                    found: item.found.fields(),
                    pending: item.pending.fields(),
                };
                self.level(&block.attributes, &block.blocks, &item.path, sides);
            }
            // Something that was added by hand is told, and left alone. What others made may have had
            // it always, and the text no word for it.
            (None, found) if item.applied.is_none() && !found.is_some_and(|own| self.goes(own)) => {
                if item.recorded
                    && block.labelled
                    && matches!(item.found, Reading::Is(_))
                    && !(self.context.adopted)()
                {
                    let drift = change(&item.path, None, found, Impact::None, true);
                    self.difference.drift.push(drift);
                }
            }
            _ => {
                // What is inside was not compared, only whether it is there.
                let as_wanted = |own| if self.covers(item.wanted, own) { item.wanted } else { own };
                let (now, next) = (as_wanted(now), as_wanted(next));
                if now.is_none() {
                    self.drifts(item, false, (now, next));
                }
                self.verdict(item, now, next, &cost);
            }
        }
    }

    /// Whether what was found attaches something that has to be let go of.
    fn goes(&self, found: &Value) -> bool {
        let mut goes = false;
        found.each_reference(&mut |address| goes |= (self.context.released)(address));
        goes
    }

    /// A block that is no more than its attributes, which are compared each for itself, also where
    /// the text has the block no longer: then what it set is as if it had never been set.
    fn flat(&mut self, block: &Block, path: &AttrPath, sides: Sides<'_>) {
        let inner = inside(sides, &block.name);
        let path = path.field(block.name.clone());
        if inner.wanted.is_some() {
            self.level(&block.attributes, &block.blocks, &path, inner);
            return;
        }
        let Some(applied) = inner.applied.filter(|applied| !applied.is_empty()) else { return };
        let usual = block.attributes.iter().filter(|own| applied.get(&own.name).is_some());
        let usual: Fields =
            usual.filter_map(|own| Some((own.name.clone(), own.default.clone()?))).collect();
        let inner = Sides { wanted: Some(&usual), ..inner };
        self.level(&block.attributes, &block.blocks, &path, inner);
    }

    /// Whether a block holds all that is wanted of it.
    fn covers(&self, wanted: Option<&Value>, next: Option<&Value>) -> bool {
        match (fields(wanted), fields(next)) {
            (Some(wanted), Some(next)) => {
                wanted.iter().all(|(name, value)| self.same(Some(value), next.get(name)))
            }
            _ => false,
        }
    }
}

static EMPTY: Fields = Fields::EMPTY;

impl<'a> Reading<'a> {
    /// What this, as a layer over a value, makes of it.
    fn over(self, now: Option<&'a Value>) -> Option<&'a Value> {
        match self {
            Reading::Unknown => now,
            Reading::Unset => None,
            Reading::Is(value) => Some(value),
        }
    }

    fn fields(self) -> Option<&'a Fields> {
        match self {
            Reading::Is(value) => fields(Some(value)),
            Reading::Unknown | Reading::Unset => None,
        }
    }
}

fn fields(value: Option<&Value>) -> Option<&Fields> {
    match value {
        Some(Value::Map(fields)) => Some(fields),
        _ => None,
    }
}

fn inside<'a>(sides: Sides<'a>, name: &str) -> Sides<'a> {
    let get = |fields: Option<&'a Fields>| fields.and_then(|fields| fields.map(name)).map(|m| &**m);
    let found = get(sides.found);
    Sides {
        wanted: get(sides.wanted),
        applied: get(sides.applied).or(sides.applied.is_some().then_some(&EMPTY)),
        found,
        pending: get(sides.pending),
    }
}

fn labels<'a>(sides: Sides<'a>) -> IndexSet<&'a Name> {
    let Sides { wanted, applied, found, pending } = sides;
    if wanted == applied && pending.is_none() && (found.is_none() || found == wanted) {
        return IndexSet::new();
    }
    [wanted, applied, found].into_iter().flatten().flat_map(|f| f.iter().map(|(n, _)| n)).collect()
}

fn has_ceiling(attribute: &Attribute, fields: &Fields) -> bool {
    match &attribute.cost {
        tcloud_model::Cost::Ceiling { ceiling, .. } => fields.get(ceiling).is_some(),
        _ => false,
    }
}

fn change(
    path: &AttrPath,
    before: Option<&Value>,
    after: Option<&Value>,
    impact: Impact,
    drift: bool,
) -> AttributeChange {
    AttributeChange {
        path: path.clone(),
        before: before.cloned(),
        after: after.cloned(),
        impact,
        drift,
        no_room: false,
        causes: Vec::new(),
    }
}

/// The wanted attributes with what is ignored as it was.
pub(crate) fn keep_ignored(
    wanted: &Arc<Fields>,
    before: Option<&Fields>,
    ignore: &[AttrPath],
) -> Arc<Fields> {
    let Some(before) = before.filter(|_| !ignore.is_empty()) else { return Arc::clone(wanted) };
    let mut kept = (**wanted).clone();
    for path in ignore {
        copy_path(&mut kept, before, path);
    }
    Arc::new(kept)
}

fn copy_path(into: &mut Fields, from: &Fields, path: &AttrPath) {
    let Some((tcloud_model::PathStep::Field(name), rest)) = path.0.split_first() else { return };
    match (from.get(name), rest.is_empty()) {
        (Some(Value::None), _) => {
            into.remove(name);
        }
        (Some(value), true) => {
            into.insert(name.clone(), value.clone());
        }
        (Some(Value::Map(inner_from)), false) => {
            if let Some(Value::Map(inner)) = into.get(name) {
                let mut inner = (**inner).clone();
                copy_path(&mut inner, inner_from, &AttrPath(rest.to_vec()));
                into.insert(name.clone(), Value::map(inner));
            }
        }
        _ => {}
    }
}
