//! From changes to steps: what is asked of whom, in which order.

mod ask;
mod room;

use std::ops::Range;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, ByAddress, Diagnostic, ObjectId, parallel};

use crate::draft::{Draft, Work};
use crate::facts::{Facts, Known};
use crate::follow::each_attachment;
use crate::graph::{Graph, Order, Strength, number};
use crate::handover::handed;
use crate::input::Input;
use crate::layout::Layout;
use crate::plan::{Action, Step, StepId};
use crate::same::Existing;

/// What a step does for its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Our stamp comes on.
    Adopt,
    /// The object changes its host.
    Migrate,
    /// The guest stops and lets go of disks that are made anew.
    Detach,
    /// The object goes.
    Delete,
    /// The object comes.
    Create,
    /// The object changes, or only its stamp or record.
    Update,
    /// Our stamp comes off.
    Forget,
    /// Another object's stamp and record learn the new address.
    Restamp(usize),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    draft: usize,
    part: Part,
}

/// The nodes of one draft.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    adopt: Option<u32>,
    migrate: Option<u32>,
    detach: Option<u32>,
    delete: Option<u32>,
    create: Option<u32>,
    update: Option<u32>,
}

impl Parts {
    /// After which the object is as it will be.
    fn made(&self) -> Option<u32> {
        self.create.or(self.update).or(self.migrate).or(self.adopt)
    }
}

/// Puts what all drafts ask for in an order.
pub(crate) fn ordered<'b, 'a>(
    input: &'b Input<'a>,
    facts: &'b Facts<'a>,
    layout: &'b Layout<'a>,
    existing: &'b Existing,
    drafts: &'b [Draft],
) -> Ordered<'b, 'a> {
    let mut builder = Builder {
        input,
        facts,
        layout,
        existing,
        drafts,
        nodes: Vec::with_capacity(drafts.len()),
        parts: vec![Parts::default(); drafts.len()],
        drafts_of: ByAddress::with_capacity_and_hasher(drafts.len(), Default::default()),
        carried: IndexMap::new(),
        restamps: Vec::new(),
    };
    builder.index();
    builder.nodes();
    let mut graph = Graph::new(builder.nodes.len());
    for draft in 0..drafts.len() {
        builder.own_order(draft, &mut graph);
        builder.needs(draft, &mut graph);
        builder.releases(draft, &mut graph);
    }
    for (giver, taker) in handed(facts, drafts) {
        builder.hands_over(giver, taker, &mut graph);
    }
    builder.room(&mut graph);
    for (mover, node) in &builder.restamps {
        if let Some(moved) = builder.parts[*mover].made() {
            graph.before(moved, *node, Strength::Hard);
        }
    }
    let order = graph
        .order()
        .unwrap_or_else(|circle| panic!("BUG: the text needs itself: {}", builder.circle(&circle)));
    Ordered { builder, order }
}

/// What is asked for, in an order.
pub(crate) struct Ordered<'b, 'a> {
    builder: Builder<'b, 'a>,
    order: Order,
}

impl Ordered<'_, '_> {
    /// Makes the steps.
    ///
    /// # Errors
    /// An object of others that is not where it is needed.
    pub(crate) fn steps(self) -> Result<Vec<Step>, Vec<Diagnostic>> {
        let Ordered { builder, order: Order { sequence, after } } = &self;
        let mut ids = vec![0_u32; builder.nodes.len()];
        for (id, node) in (0_u32..).zip(sequence) {
            ids[*node as usize] = id;
        }
        let made = parallel::each(sequence, |node| {
            let mut after: Vec<StepId> =
                after[*node as usize].iter().map(|n| StepId(ids[*n as usize])).collect();
            after.sort_unstable();
            builder.step(builder.nodes[*node as usize], StepId(ids[*node as usize]), after)
        });
        let mut problems = Vec::new();
        // This takes no second table, which a loop would.
        let made = made.filter_map(|step| step.map_err(|found| problems.extend(found)).ok());
        let steps = made.collect();
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }
}

struct Builder<'b, 'a> {
    input: &'b Input<'a>,
    facts: &'b Facts<'a>,
    layout: &'b Layout<'a>,
    existing: &'b Existing,
    drafts: &'b [Draft],
    nodes: Vec<Node>,
    parts: Vec<Parts>,
    /// Which drafts an address has; they are neighbours.
    drafts_of: ByAddress<&'b Address, Range<usize>>,
    /// Volumes that a guest takes along, by its address.
    carried: IndexMap<&'b Address, Vec<usize>>,
    /// Drafts of moves, with the nodes that tell others of them.
    restamps: Vec<(usize, u32)>,
}

impl<'a> Builder<'_, 'a> {
    fn old(&self, draft: &Draft) -> Option<&Known<'a>> {
        draft.old.and_then(|old| self.facts.known.get(old))
    }

    fn index(&mut self) {
        for (at, draft) in self.drafts.iter().enumerate() {
            let own = self.drafts_of.entry(&draft.object.address).or_insert(at..at);
            own.end = at + 1;
            if let Some(carrier) = &draft.carrier {
                self.carried.entry(carrier).or_default().push(at);
            }
        }
    }

    /// The drafts of an address.
    fn anywhere(&self, address: &Address) -> Range<usize> {
        self.drafts_of.get(address).cloned().unwrap_or_default()
    }

    /// The drafts of an address on a host, else wherever it is.
    fn at(&self, address: &Address, host: &Address) -> impl Iterator<Item = usize> {
        let is_here = |at: usize| {
            let draft = &self.drafts[at];
            draft.object.host == *host || draft.previous_host.as_ref() == Some(host)
        };
        let all = self.anywhere(address);
        let everywhere = !all.clone().any(is_here);
        all.filter(move |at| everywhere || is_here(*at))
    }

    /// Whether an object has a record afterwards.
    fn is_kept(&self, id: &ObjectId) -> bool {
        let mut own = self.drafts[self.anywhere(&id.address)].iter();
        own.any(|draft| draft.stays() && draft.object == *id)
    }

    fn carried_by<'s>(&'s self, draft: &Draft) -> impl Iterator<Item = &'s Draft> {
        let carried = self.carried.get(&draft.object.address).into_iter().flatten();
        carried.map(|at| &self.drafts[*at])
    }

    fn nodes(&mut self) {
        let mut movers: IndexMap<&Address, usize> = IndexMap::new();
        let mut changing: IndexSet<usize> = IndexSet::new();
        for at in 0..self.drafts.len() {
            let draft = &self.drafts[at];
            changing.extend(draft.old);
            if draft.previous_address.is_some() && draft.stays() {
                movers.entry(&draft.object.address).or_insert(at);
            }
            for part in own_parts(draft, self.old(draft)) {
                let node = number(self.nodes.len());
                self.nodes.push(Node { draft: at, part });
                let parts = &mut self.parts[at];
                match part {
                    Part::Adopt => parts.adopt = Some(node),
                    Part::Migrate => parts.migrate = Some(node),
                    Part::Detach => parts.detach = Some(node),
                    Part::Delete => parts.delete = Some(node),
                    Part::Create => parts.create = Some(node),
                    Part::Update | Part::Forget => parts.update = Some(node),
                    Part::Restamp(_) => {}
                }
            }
        }
        for (known, target) in &self.facts.touched {
            if let Some(draft) = movers.get(target).filter(|_| !changing.contains(known)) {
                self.restamps.push((*draft, number(self.nodes.len())));
                self.nodes.push(Node { draft: *draft, part: Part::Restamp(*known) });
            }
        }
        self.carry();
    }

    /// A carried volume is moved by its guest's step.
    fn carry(&mut self) {
        for at in 0..self.drafts.len() {
            let Some(carrier) = &self.drafts[at].carrier else { continue };
            let migrate = self.anywhere(carrier).find_map(|guest| self.parts[guest].migrate);
            self.parts[at].migrate = migrate;
        }
    }

    /// The order of the steps of one change.
    fn own_order(&self, at: usize, graph: &mut Graph) {
        let Parts { adopt, migrate, detach, delete, create, update } = self.parts[at];
        let (first, second) = match self.drafts[at].action {
            Action::ReplaceCreateFirst => (create, delete),
            _ => (delete, create),
        };
        let chain = [adopt, migrate, detach, first, second, update];
        let chain: Vec<u32> = chain.into_iter().flatten().collect();
        for pair in chain.windows(2) {
            graph.before(pair[0], pair[1], Strength::Hard);
        }
    }

    /// What the text says that it needs is made before it.
    fn needs(&self, at: usize, graph: &mut Graph) {
        let draft = &self.drafts[at];
        let Some(wanted) = self.layout.wanted.get(&draft.object.address) else { return };
        if !draft.stays() {
            return;
        }
        let Parts { migrate, create, update, .. } = self.parts[at];
        let migrate = migrate.filter(|_| draft.carrier.is_none());
        for needed in &*wanted.dependencies {
            for other in self.at(needed, &draft.object.host) {
                let other_draft = &self.drafts[other];
                let Some(made) = self.parts[other].made().filter(|_| other_draft.stays()) else {
                    continue;
                };
                let carried = other_draft.carrier.as_ref() == Some(&draft.object.address);
                let waiting = [create, update, migrate.filter(|_| !carried)];
                for node in waiting.into_iter().flatten() {
                    graph.before(made, node, Strength::Hard);
                }
            }
        }
    }

    /// What it was known to need goes, or changes, only after it.
    fn releases(&self, at: usize, graph: &mut Graph) {
        let draft = &self.drafts[at];
        let Some(known) = self.old(draft) else { return };
        let own = self.parts[at];
        // A guest may have been given more than its stamp tells.
        let mut held: Vec<&Address> = known.dependencies.iter().collect();
        if let Some(found) = &known.found {
            each_attachment(found, |_, _, _, address| {
                if known.dependencies.binary_search(address).is_err() {
                    held.push(address);
                }
            });
        }
        for needed in held {
            for other in self.at(needed, &known.object.host) {
                if other == at {
                    continue;
                }
                let (needed, parts) = (&self.drafts[other], self.parts[other]);
                match (parts.delete, own.delete) {
                    (Some(goes), Some(own_goes)) => {
                        let both =
                            needed.action == Action::Delete && draft.action == Action::Delete;
                        let strength = if both { Strength::Stored } else { Strength::Hard };
                        graph.before(own_goes, goes, strength);
                        self.made_before(at, needed, goes, graph);
                    }
                    (Some(goes), None) => self.lets_go(at, needed, goes, graph),
                    (None, _) => {}
                }
                let gone = own.delete.filter(|_| draft.action != Action::ReplaceCreateFirst);
                if let Some(gone) = gone {
                    let create =
                        parts.create.filter(|_| needed.action != Action::ReplaceDeleteFirst);
                    for node in [create, parts.update, parts.migrate].into_iter().flatten() {
                        graph.before(gone, node, Strength::Tidy);
                    }
                }
            }
        }
    }

    /// One guest lets go of something before another takes it.
    fn hands_over(&self, giver: usize, taker: usize, graph: &mut Graph) {
        let Parts { detach, delete, update, .. } = self.parts[giver];
        let Parts { create, update: changes, .. } = self.parts[taker];
        if let (Some(first), Some(then)) = (delete.or(detach).or(update), create.or(changes)) {
            graph.before(first, then, Strength::Handed);
        }
    }

    /// Both are made anew, and the old one of what is needed goes last.
    fn made_before(&self, at: usize, needed: &Draft, goes: u32, graph: &mut Graph) {
        let still = self.layout.wanted.get(&self.drafts[at].object.address);
        let still = still.is_some_and(|own| own.dependencies.contains(&needed.object.address));
        let made = self.parts[at].create.filter(|_| still);
        if let (Action::ReplaceCreateFirst, Some(made)) = (needed.action, made) {
            graph.before(made, goes, Strength::Stored);
        }
    }

    /// It stays, and what it used goes: it lets go first, unless the new one takes the old one's
    /// place. Then a guest that runs lets go of its disk all the same.
    fn lets_go(&self, at: usize, needed: &Draft, goes: u32, graph: &mut Graph) {
        let own = self.parts[at];
        match needed.action {
            Action::ReplaceDeleteFirst => {
                if let Some(detach) = own.detach {
                    graph.before(detach, goes, Strength::Stored);
                }
            }
            action => {
                let made = own.made().filter(|_| self.drafts[at].stays());
                let strength = match action {
                    Action::ReplaceCreateFirst => Strength::Stored,
                    _ => Strength::Release,
                };
                if let Some(made) = made {
                    graph.before(made, goes, strength);
                }
            }
        }
    }

    /// The names of a circle's steps. The compiler refuses texts with circles, and what only stamps
    /// remember gives way, so that nobody should ever see them.
    fn circle(&self, circle: &[u32]) -> String {
        let name = |node: &u32| {
            let Node { draft, part } = self.nodes[*node as usize];
            format!("{part:?} {}", self.drafts[draft].object)
        };
        circle.iter().map(name).collect::<Vec<String>>().join(" -> ")
    }
}

fn own_parts(draft: &Draft, known: Option<&Known<'_>>) -> Vec<Part> {
    let adopted = known.is_some_and(|known| known.adopted);
    let detach = !draft.detached.is_empty();
    let updates = draft.work == Work::Update;
    match draft.action {
        Action::Create => vec![Part::Create],
        Action::Delete => vec![Part::Delete],
        Action::Forget => vec![Part::Forget],
        Action::Update | Action::Move if detach => vec![Part::Detach, Part::Update],
        Action::Update | Action::Move => vec![Part::Update],
        Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst if adopted => {
            vec![Part::Adopt, Part::Delete, Part::Create]
        }
        Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst => vec![Part::Delete, Part::Create],
        Action::Adopt | Action::Migrate => {
            let first = if draft.action == Action::Adopt { Part::Adopt } else { Part::Migrate };
            let first = (draft.carrier.is_none() || first == Part::Adopt).then_some(first);
            let detach = detach.then_some(Part::Detach);
            let update = updates.then_some(Part::Update);
            first.into_iter().chain(detach).chain(update).collect()
        }
    }
}
