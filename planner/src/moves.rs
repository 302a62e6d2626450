//! `moved A -> B`: which address an object has now. Chains are followed, scopes move everything
//! inside, and two objects may swap their addresses.

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, DesiredGraph, Diagnostic, Span, codes};

use crate::input::Input;

/// All `moved` statements, ready to be applied.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    statements: IndexMap<Address, Statement>,
}

#[derive(Debug)]
struct Statement {
    to: Address,
    span: Span,
    /// Whether the statements from here lead back here: an exchange, applied one step at a time.
    cycle: bool,
}

impl Moves {
    /// Reads the statements of a configuration.
    ///
    /// # Errors
    /// Statements that contradict each other, lead in a circle, or move what is still declared.
    pub(crate) fn new(desired: &DesiredGraph) -> Result<Moves, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut moves = Moves::collect(desired, &mut problems);
        moves.mark_cycles(desired, &mut problems);
        for (from, statement) in &moves.statements {
            if !statement.cycle && is_declared(desired, from) {
                problems.push(still_declared(desired, from, statement));
            }
        }
        if problems.is_empty() { Ok(moves) } else { Err(problems) }
    }

    fn collect(desired: &DesiredGraph, problems: &mut Vec<Diagnostic>) -> Moves {
        let mut moves = Moves::default();
        let mut targets: IndexMap<&Address, Span> = IndexMap::new();
        for moved in &desired.moved {
            if moved.from.kind() != moved.to.kind() {
                problems.push(kind_differs(&moved.from, &moved.to, moved.span));
                continue;
            }
            if moved.from.kind() == "host" {
                problems.push(host_moves(&moved.from, moved.span));
                continue;
            }
            if let Some(first) = moves.statements.get(&moved.from) {
                if first.to != moved.to {
                    problems.push(ambiguous("from", &moved.from, first.span, moved.span));
                }
                continue;
            }
            if let Some(first) = targets.insert(&moved.to, moved.span) {
                problems.push(ambiguous("to", &moved.to, first, moved.span));
            }
            let statement = Statement { to: moved.to.clone(), span: moved.span, cycle: false };
            moves.statements.insert(moved.from.clone(), statement);
        }
        moves
    }

    /// Statements have one target and one source each, so that they form lines and circles.
    fn mark_cycles(&mut self, desired: &DesiredGraph, problems: &mut Vec<Diagnostic>) {
        let mut seen = vec![false; self.statements.len()];
        for start in 0..self.statements.len() {
            let mut path = Vec::new();
            let mut at = Some(start);
            while let Some(index) = at.filter(|index| !seen[*index]) {
                seen[index] = true;
                path.push(index);
                at = self.statements.get_index_of(&self.statements[index].to);
            }
            let Some(first) = at.and_then(|at| path.iter().position(|index| *index == at)) else {
                continue;
            };
            let circle = &path[first..];
            let live = |index: &usize| {
                self.statements
                    .get_index(*index)
                    .is_some_and(|(from, _)| is_declared(desired, from))
            };
            if circle.len() > 1 && circle.iter().all(live) {
                circle.iter().for_each(|index| self.statements[*index].cycle = true);
            } else {
                problems.push(self.loops(circle));
            }
        }
    }

    fn loops(&self, circle: &[usize]) -> Diagnostic {
        let spans: Vec<Span> = circle.iter().map(|index| self.statements[*index].span).collect();
        let names: Vec<String> = circle
            .iter()
            .filter_map(|index| self.statements.get_index(*index))
            .map(|(from, _)| format!("`{from}`"))
            .collect();
        let mut diagnostic = Diagnostic::error(
            codes::E0902,
            spans.first().copied().unwrap_or(Span::new(tcloud_model::FileId(0), 0, 0)),
            format!("these moves go round in a circle: {}", names.join(" -> ")),
        )
        .help("remove one of them; to exchange two objects, declare both addresses");
        for span in spans.iter().skip(1) {
            diagnostic = diagnostic.also(*span, "and on from here");
        }
        diagnostic
    }

    /// Whether there are no statements.
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Adds a move that the text implies: `vm.web` became the first of `vm.web[…]`.
    pub(crate) fn imply(&mut self, from: Address, to: Address, span: Span) {
        self.statements.entry(from).or_insert(Statement { to, span, cycle: false });
    }

    /// Where the statement that moved something to this address stands.
    pub(crate) fn span_to(&self, to: &Address) -> Option<Span> {
        self.statements.values().find(|s| to.is_within(&s.to)).map(|statement| statement.span)
    }

    /// The address that an object has now which was known as `address`; `None` when it did not
    /// change. `previous` is the address that the object had before its last move.
    pub(crate) fn apply(&self, address: &Address, previous: Option<&Address>) -> Option<Address> {
        if self.is_empty() {
            return None;
        }
        let (mut at, cycle) = self.step(address)?;
        if cycle {
            // An exchange stays in the text after it was done: whoever came here by it stays.
            let came = previous.and_then(|previous| self.step(previous));
            return came.is_none_or(|(came, _)| came != *address).then_some(at);
        }
        for _ in 0..self.statements.len() {
            match self.step(&at) {
                Some((next, false)) => at = next,
                _ => break,
            }
        }
        (at != *address).then_some(at)
    }

    /// One step: the innermost statement that covers the address.
    fn step(&self, address: &Address) -> Option<(Address, bool)> {
        let mut at = Some(address);
        while let Some(scope) = at {
            if let Some(statement) = self.statements.get(scope) {
                return Some((rebase(address, scope, &statement.to), statement.cycle));
            }
            at = scope.parent();
        }
        None
    }
}

/// `address` with `from`, which is it or one of its scopes, replaced by `to`.
pub(crate) fn rebase(address: &Address, from: &Address, to: &Address) -> Address {
    let mut rebased = to.clone();
    for segment in address.ancestry().into_iter().skip(from.depth()) {
        rebased =
            rebased.child(segment.kind().clone(), segment.name().clone(), segment.key().cloned());
    }
    rebased
}

/// Whether the address, or something in it, is declared. What lies in a scope follows it in the
/// order of addresses.
fn is_declared(desired: &DesiredGraph, scope: &Address) -> bool {
    if desired.resources.contains_key(scope) {
        return true;
    }
    let at = desired.resources.binary_search_by(|own, _| own.cmp(scope)).unwrap_or_else(|at| at);
    desired.resources.get_index(at).is_some_and(|(own, _)| own.is_within(scope))
}

fn ambiguous(side: &str, address: &Address, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error(codes::E0901, second, format!("two moves lead {side} `{address}`"))
        .also(first, "the other one")
        .help("remove the one that is not meant: an object has one address")
}

fn kind_differs(from: &Address, to: &Address, span: Span) -> Diagnostic {
    let message = format!("a {} cannot become a {}: `{from}` -> `{to}`", from.kind(), to.kind());
    Diagnostic::error(codes::E0901, span, message)
        .help("a move changes the name of an object and never what it is")
}

fn host_moves(host: &Address, span: Span) -> Diagnostic {
    Diagnostic::error(codes::E0901, span, format!("`{host}` is a host, and cannot be moved"))
        .label("what runs there is remembered under this name")
        .help("leave its name; `tcloud explain E0913` says how to rename or give up a host")
}

fn still_declared(desired: &DesiredGraph, from: &Address, statement: &Statement) -> Diagnostic {
    let message = format!("`{from}` is moved away, and still declared");
    let diagnostic = Diagnostic::error(codes::E0903, statement.span, message)
        .help("remove the block or the `moved`; `moved` may go once it was applied everywhere");
    match desired.resources.get(from) {
        Some(resource) => diagnostic.also(resource.span, "declared here"),
        None => diagnostic,
    }
}

/// A block that gets or loses its `for` keeps its object: `vm.web` becomes the first instance.
pub(crate) fn imply_moves(input: &Input<'_>, desired: &DesiredGraph, moves: &mut Moves) {
    if !desired.resources.keys().any(has_key) {
        return;
    }
    let stamped = input.observed.hosts.iter().flat_map(|host| &host.objects);
    let stamps = stamped
        .filter_map(|live| live.stamp.as_ref())
        .filter(|stamp| stamp.deployment == input.deployment.id)
        .map(|stamp| &stamp.address);
    let addresses = || input.state.records.keys().map(|id| &id.address).chain(stamps.clone());
    // What something declared lies in is declared as well.
    if addresses().all(|address| is_declared(desired, address)) {
        return;
    }
    let known: IndexSet<&Address> = addresses().flat_map(Address::ancestry).collect();
    let mut first: IndexMap<Address, (&Address, Span)> = IndexMap::new();
    for (address, resource) in &desired.resources {
        for segment in address.ancestry().into_iter().filter(|s| s.key().is_some()) {
            let plain = sibling(segment);
            first.entry(plain).or_insert((segment, resource.span));
        }
    }
    let known_at = |scope: &Address| known.contains(scope);
    for (plain, (instance, span)) in first {
        if known_at(&plain) && !known_at(instance) && !is_declared(desired, &plain) {
            moves.imply(plain, instance.clone(), span);
        }
    }
}

/// Whether the address, or something that it lies in, is an instance.
fn has_key(address: &Address) -> bool {
    address.key().is_some() || address.parent().is_some_and(has_key)
}

/// The address without the key of its last segment.
fn sibling(address: &Address) -> Address {
    match address.parent() {
        Some(parent) => parent.child(address.kind().clone(), address.name().clone(), None),
        None => Address::root(address.kind().clone(), address.name().clone(), None),
    }
}
