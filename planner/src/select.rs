//! Which addresses a run is about: `--target`, `--exclude`, `--replace` and `forget`.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, Role, Span};

use crate::facts::Facts;
use crate::input::{Goal, Input};
use crate::layout::Layout;

/// Which addresses a run is about.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Only these; everything when absent.
    only: Option<IndexSet<Address>>,
    /// Not these.
    out: IndexSet<Address>,
    /// What is destroyed along with something that was named.
    followers: IndexMap<Address, Address>,
    /// Made anew on request.
    replace: IndexSet<Address>,
    /// `forget` statements.
    forgotten: IndexMap<Address, Span>,
    /// What is to be told: words that match nothing, what else is taken along.
    pub notes: Vec<String>,
}

impl Selection {
    /// Reads the wishes.
    pub(crate) fn new(input: &Input<'_>, facts: &Facts<'_>, layout: &Layout<'_>) -> Selection {
        let wishes = input.wishes;
        let forgotten = &input.evaluator.desired().forgotten;
        let mut selection = Selection {
            forgotten: forgotten.iter().map(|f| (f.address.clone(), f.span)).collect(),
            ..Selection::default()
        };
        selection.leave_out_unreachable(input, facts, layout);
        if wishes.target.is_empty() && wishes.exclude.is_empty() && wishes.replace.is_empty() {
            return selection;
        }
        let all: IndexSet<&Address> = facts.addresses().chain(layout.wanted.keys()).collect();
        // Making a VM anew does not make its disks anew: what lies inside is not meant.
        let mut replace = selection.matching("replace", &wishes.replace, &all);
        replace.retain(|address| wishes.replace.iter().any(|word| names(word, address)));
        selection.replace = replace;
        let needs = Needs { facts, layout };
        let destroy = wishes.goal == Goal::Destroy;
        if !wishes.target.is_empty() {
            let named = selection.matching("target", &wishes.target, &all);
            selection.only = Some(if destroy {
                selection.with_dependents(&named, &needs, &all)
            } else {
                needs.apply_closure(&named, &all)
            });
        }
        if !wishes.exclude.is_empty() {
            let named = selection.matching("exclude", &wishes.exclude, &all);
            let out = if destroy { needs.closure(&named) } else { needs.kept(&named, &all) };
            selection.out.extend(out);
        }
        selection
    }

    /// What cannot be created because its host does not answer, and what needs it.
    fn leave_out_unreachable(&mut self, input: &Input<'_>, facts: &Facts<'_>, layout: &Layout<'_>) {
        let answers = |host: &Address| input.observed.host(host).is_some_and(|h| h.facts.is_some());
        let missing: IndexSet<Address> = layout
            .wanted
            .iter()
            .filter(|(address, wanted)| {
                wanted.schema.role == Role::Single
                    && wanted.hosts.first().is_some_and(|host| !answers(host))
                    && facts.of(address).is_empty()
            })
            .map(|(address, _)| address.clone())
            .collect();
        if missing.is_empty() {
            return;
        }
        let all: IndexSet<&Address> = layout.wanted.keys().collect();
        let needs = Needs { facts, layout };
        let out = reach(&missing, &needs.dependents(&all, Which::Wanted));
        let known = |address: &Address| !facts.of(address).is_empty();
        for address in out.into_iter().filter(|address| !known(address)) {
            if !missing.contains(&address) {
                self.notes.push(format!("{address} is left out: it needs what cannot be created"));
                self.out.insert(address);
            }
        }
    }

    fn matching(
        &mut self,
        option: &str,
        words: &[String],
        all: &IndexSet<&Address>,
    ) -> IndexSet<Address> {
        let mut named = IndexSet::new();
        for word in words {
            let Some(globs) = globs(word) else {
                self.notes.push(format!("--{option}: `{}` is not a pattern", word.escape_debug()));
                continue;
            };
            let mut memory = IndexMap::new();
            let hits = all.iter().filter(|address| covers(&globs, address, &mut memory));
            let hits: Vec<Address> = hits.map(|address| (*address).clone()).collect();
            if hits.is_empty() {
                let word = word.escape_debug();
                self.notes.push(format!("--{option} {word}: nothing is called that"));
            }
            named.extend(hits);
        }
        named
    }

    /// For destroying: what depends on the named goes too, and the plan says because of what.
    fn with_dependents(
        &mut self,
        named: &IndexSet<Address>,
        needs: &Needs<'_, '_>,
        all: &IndexSet<&Address>,
    ) -> IndexSet<Address> {
        let dependents = needs.dependents(all, Which::Both);
        let reached = reach(named, &dependents);
        let others = reached.iter().filter(|address| !named.contains(*address));
        for leader in named.iter().chain(others) {
            for follower in dependents.get(leader).into_iter().flatten() {
                if !named.contains(follower) {
                    self.followers.entry(follower.clone()).or_insert_with(|| leader.clone());
                }
            }
        }
        reached
    }

    /// Whether the run is about this address.
    pub(crate) fn selects(&self, address: &Address) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(address)) && !self.out.contains(address)
    }

    /// What takes this address along when it is destroyed.
    pub(crate) fn follows(&self, address: &Address) -> Option<&Address> {
        self.followers.get(address)
    }

    /// Whether it is to be made anew on request.
    pub(crate) fn replaces(&self, address: &Address) -> bool {
        self.replace.contains(address)
    }

    /// The statement by which it is forgotten.
    pub(crate) fn forgets(&self, address: &Address) -> Option<Span> {
        if self.forgotten.is_empty() {
            return None;
        }
        let mut at = Some(address);
        while let Some(scope) = at {
            if let Some(span) = self.forgotten.get(scope) {
                return Some(*span);
            }
            at = scope.parent();
        }
        None
    }
}

/// Which dependencies count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those of the text.
    Wanted,
    /// Those of the text and of stamps.
    Both,
}

/// What needs what.
struct Needs<'n, 'a> {
    facts: &'n Facts<'a>,
    layout: &'n Layout<'a>,
}

impl Needs<'_, '_> {
    fn of<'s>(&'s self, address: &Address, which: Which) -> impl Iterator<Item = &'s Address> {
        let wanted = self.layout.wanted.get(address).into_iter().flat_map(|w| &w.dependencies);
        let stored = if which == Which::Both { self.facts.of(address) } else { &[] };
        wanted.chain(stored.iter().flat_map(|known| &known.dependencies))
    }

    fn dependents(
        &self,
        all: &IndexSet<&Address>,
        which: Which,
    ) -> IndexMap<Address, Vec<Address>> {
        let mut dependents: IndexMap<Address, Vec<Address>> = IndexMap::new();
        for address in all {
            for needed in self.of(address, which) {
                dependents.entry(needed.clone()).or_default().push((*address).clone());
            }
        }
        dependents
    }

    /// The named and everything that they need.
    fn closure(&self, named: &IndexSet<Address>) -> IndexSet<Address> {
        let mut all = named.clone();
        let mut next = 0;
        while let Some(address) = all.get_index(next).cloned() {
            all.extend(self.of(&address, Which::Both).cloned());
            next += 1;
        }
        all
    }

    /// For applying: the named, what they need, and who still holds what of them goes away.
    fn apply_closure(
        &self,
        named: &IndexSet<Address>,
        all: &IndexSet<&Address>,
    ) -> IndexSet<Address> {
        let leaving: IndexSet<Address> =
            named.iter().filter(|a| !self.layout.wanted.contains_key(*a)).cloned().collect();
        let mut seeds = named.clone();
        if !leaving.is_empty() {
            let dependents = self.dependents(all, Which::Both);
            seeds.extend(reach(&leaving, &dependents));
        }
        self.wanted_closure(seeds)
    }

    fn wanted_closure(&self, mut all: IndexSet<Address>) -> IndexSet<Address> {
        let mut next = 0;
        while let Some(address) = all.get_index(next).cloned() {
            all.extend(self.of(&address, Which::Wanted).cloned());
            next += 1;
        }
        all
    }

    /// For applying without the named: what needs them stays as it is too, and what they need is
    /// not taken away.
    fn kept(&self, named: &IndexSet<Address>, all: &IndexSet<&Address>) -> IndexSet<Address> {
        let mut kept = reach(named, &self.dependents(all, Which::Wanted));
        let holds: Vec<Address> = kept
            .iter()
            .flat_map(|address| self.facts.of(address))
            .flat_map(|known| &known.dependencies)
            .filter(|needed| !self.layout.wanted.contains_key(*needed))
            .cloned()
            .collect();
        kept.extend(holds);
        kept
    }
}

fn reach(seeds: &IndexSet<Address>, edges: &IndexMap<Address, Vec<Address>>) -> IndexSet<Address> {
    let mut all = seeds.clone();
    let mut next = 0;
    while let Some(address) = all.get_index(next) {
        let further = edges.get(address).into_iter().flatten().cloned();
        let further: Vec<Address> = further.collect();
        all.extend(further);
        next += 1;
    }
    all
}

/// Only `*` and `?` are special: brackets belong to keys.
fn globs(word: &str) -> Option<GlobSet> {
    let mut pattern = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '[' | ']' | '{' | '}' | '\\' | '!') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    let glob: Glob = GlobBuilder::new(&pattern).backslash_escape(true).build().ok()?;
    GlobSetBuilder::new().add(glob).build().ok()
}

/// Whether the pattern names the address, the block that it is an instance of, or a scope of it.
/// Whether a pattern names the address itself, or all instances of its block.
fn names(word: &str, address: &Address) -> bool {
    globs(word).is_some_and(|globs| is_named(&globs, address, &address.to_string()))
}

fn is_named(globs: &GlobSet, address: &Address, text: &str) -> bool {
    let block = address.key().and_then(|key| text.strip_suffix(&format!("[{key}]")));
    globs.is_match(text) || block.is_some_and(|block| globs.is_match(block))
}

fn covers<'a>(
    globs: &GlobSet,
    address: &'a Address,
    memory: &mut IndexMap<&'a Address, bool>,
) -> bool {
    if let Some(known) = memory.get(address) {
        return *known;
    }
    let text = address.to_string();
    let named = is_named(globs, address, &text);
    let covered = named || address.parent().is_some_and(|parent| covers(globs, parent, memory));
    memory.insert(address, covered);
    covered
}
