//! Which addresses a run is about: `--target`, `--exclude`, `--replace` and `forget`.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use indexmap::{IndexMap, IndexSet};
use tcloud_model::diagnostic::nearest;
use tcloud_model::{Address, Diagnostic, FileId, Role, Span, codes};

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
    ///
    /// # Errors
    /// Words that name nothing, or several things: a run must not do more or less than was meant.
    pub(crate) fn new(
        input: &Input<'_>,
        facts: &Facts<'_>,
        layout: &Layout<'_>,
    ) -> Result<Selection, Vec<Diagnostic>> {
        let wishes = input.wishes;
        let forgotten = &input.evaluator.desired().forgotten;
        let mut selection = Selection {
            forgotten: forgotten.iter().map(|f| (f.address.clone(), f.span)).collect(),
            ..Selection::default()
        };
        selection.leave_out_unreachable(input, facts, layout);
        selection.note_unknown_consents(input, facts, layout);
        if wishes.target.is_empty() && wishes.exclude.is_empty() && wishes.replace.is_empty() {
            return Ok(selection);
        }
        let all: IndexSet<&Address> = facts.addresses().chain(layout.wanted.keys()).collect();
        let declared = input.evaluator.desired().resources.keys();
        let mut words = Words {
            all: &all,
            declared: declared.collect(),
            problems: Vec::new(),
            notes: Vec::new(),
        };
        // Making a VM anew does not make its disks anew: what lies inside is not meant.
        selection.replace = words.matching("replace", &wishes.replace, Depth::Itself);
        let needs = Needs { facts, layout };
        let destroy = wishes.goal == Goal::Destroy;
        if !wishes.target.is_empty() {
            let named = words.matching("target", &wishes.target, Depth::Inside);
            selection.only = Some(if destroy {
                selection.with_dependents(&named, &needs, &all)
            } else {
                needs.apply_closure(&named, &all)
            });
        }
        if !wishes.exclude.is_empty() {
            let named = words.matching("exclude", &wishes.exclude, Depth::Inside);
            let out = if destroy { needs.closure(&named) } else { needs.kept(&named, &all) };
            selection.out.extend(out);
        }
        if words.problems.is_empty() {
            selection.notes.extend(words.notes);
            selection.note_unreplaced();
            return Ok(selection);
        }
        Err(words.problems)
    }

    /// What is to be made anew and will not be.
    fn note_unreplaced(&mut self) {
        let left_out = self.replace.iter().filter(|address| !self.selects(address));
        let notes = left_out.map(|address| format!("--replace {address}: it is left out"));
        let notes: Vec<String> = notes.collect();
        self.notes.extend(notes);
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

    /// What is agreed to and does not exist. It may be gone since, so that it is told and no error.
    fn note_unknown_consents(&mut self, input: &Input<'_>, facts: &Facts<'_>, layout: &Layout<'_>) {
        let wishes = input.wishes;
        let declared = &input.evaluator.desired().resources;
        for (word, agreed) in [
            ("data-loss", &wishes.allow_data_loss),
            ("destroy", &wishes.allow_destroy),
            ("exposure", &wishes.allow_exposure),
        ] {
            let is_known = |address: &&Address| {
                !facts.of(address).is_empty()
                    || layout.wanted.contains_key(*address)
                    || declared.contains_key(*address)
            };
            let unknown = agreed.iter().filter(|address| !is_known(address));
            let note = |address| format!("--allow {word}={address}: nothing is called that");
            self.notes.extend(unknown.map(note));
        }
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

    /// Whether the run must not touch it.
    pub(crate) fn leaves_out(&self, address: &Address) -> bool {
        self.out.contains(address)
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

/// What a word means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// What it names.
    Itself,
    /// Also what lies in it.
    Inside,
}

/// The words of the command line, and what they may name.
struct Words<'w> {
    /// What exists or is to exist.
    all: &'w IndexSet<&'w Address>,
    /// What the text declares: also scopes that nothing is in.
    declared: IndexSet<&'w Address>,
    problems: Vec<Diagnostic>,
    notes: Vec<String>,
}

impl Words<'_> {
    fn matching(&mut self, option: &str, words: &[String], depth: Depth) -> IndexSet<Address> {
        let mut named = IndexSet::new();
        for word in words {
            let Some(whole) = self.whole(option, word) else { continue };
            let Some(globs) = globs(&whole) else {
                let shown = word.escape_debug();
                self.report(format!("`--{option} {shown}` is not a pattern"), "write an address");
                continue;
            };
            let mut memory = IndexMap::new();
            let mut hits: Vec<&Address> = Vec::new();
            for address in self.all {
                hits.extend(covers(&globs, address, &mut memory).then_some(*address));
            }
            let mut is_declared =
                || self.declared.iter().any(|own| covers(&globs, own, &mut memory));
            if hits.is_empty() && !is_declared() {
                self.nothing(option, word);
            }
            if depth == Depth::Itself {
                hits.retain(|address| is_named(&globs, address, &address.to_string()));
                if hits.is_empty() && !whole.contains(['*', '?']) {
                    let told = "cannot be made anew itself; name what is in it";
                    self.notes.push(format!("--{option} {word}: it {told}"));
                }
            }
            named.extend(hits.into_iter().cloned());
        }
        named
    }

    /// The whole address where a word is the end of one, as `tcloud show` takes it; nothing when it
    /// is the end of several, which is reported.
    fn whole(&mut self, option: &str, word: &str) -> Option<String> {
        let known = || self.all.iter().chain(&self.declared).map(|address| address.to_string());
        if word.contains(['*', '?']) || known().any(|name| name == word) {
            return Some(word.to_owned());
        }
        let ends =
            |name: &String| name.strip_suffix(word).is_some_and(|before| before.ends_with('.'));
        let mut found: Vec<String> = known().filter(ends).collect();
        found.sort();
        found.dedup();
        match &found[..] {
            [] => Some(word.to_owned()),
            [only] => Some(only.clone()),
            several => {
                let first: Vec<&str> = several.iter().take(3).map(String::as_str).collect();
                let help = format!("write more of one of: {}", first.join(", "));
                let shown = word.escape_debug();
                self.report(format!("`--{option} {shown}` may mean several"), &help);
                None
            }
        }
    }

    fn nothing(&mut self, option: &str, word: &str) {
        let names: Vec<String> =
            self.all.iter().chain(&self.declared).map(|address| address.to_string()).collect();
        let ends = names.iter().flat_map(|name| [name.as_str(), end(name)]);
        let help = match nearest(word, ends) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`tcloud state list` shows what is managed; `*` stands for any text".to_owned(),
        };
        let shown = word.escape_debug();
        self.report(format!("`--{option} {shown}`: nothing is called that"), &help);
    }

    fn report(&mut self, message: String, help: &str) {
        let at = Span::new(FileId(0), 0, 0);
        self.problems.push(Diagnostic::error(codes::E0301, at, message).help(help));
    }
}

/// The last kind and name of an address.
fn end(name: &str) -> &str {
    let dot = name.rmatch_indices('.').nth(1);
    dot.map_or(name, |(at, _)| &name[at + 1..])
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
        let wanted = self.layout.wanted.get(address).into_iter().flat_map(|w| &*w.dependencies);
        let stored = if which == Which::Both { self.facts.of(address) } else { &[] };
        wanted.chain(stored.iter().flat_map(|known| &*known.dependencies))
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
            .flat_map(|known| &*known.dependencies)
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

/// Whether the pattern names the address itself, or the block that it is an instance of.
fn is_named(globs: &GlobSet, address: &Address, text: &str) -> bool {
    let block = address.key().and_then(|key| text.strip_suffix(&format!("[{key}]")));
    globs.is_match(text) || block.is_some_and(|block| globs.is_match(block))
}

/// Whether the pattern names the address, or a scope of it.
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
