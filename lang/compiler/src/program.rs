//! Files to a [`Program`]: read, parse, lower, check, evaluate. All mistakes of all files are
//! collected; there is a program only when there are none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::iter;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;

use tcloud_model::{
    Address, Assigned, AttrPath, ByAddress, Catalog, Check, Code, Deployment, DesiredGraph,
    DesiredResource, Diagnostic, Digest, Evaluator, Fields, FileId, Name, Output, Severity,
    Sources, Span, codes, parallel, sharing,
};
use tcloud_syntax::{Parsed, ast};

use crate::eval::{Bounds, Collected, Eval, Sink, State, Variable};
use crate::parts::{Done, Evaluated, Held, Parts, Waiting};
use crate::shapes::Shapes;
use crate::tree::Tree;
use crate::world::Texts;
use crate::{World, causes, check, lower, semantic};

/// What a compilation is given besides the files.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The kinds of resources.
    pub catalog: Arc<Catalog>,
    /// Whose resources these are.
    pub deployment: Deployment,
    /// Values of the program's parameters.
    pub variables: BTreeMap<Name, Variable>,
    /// What is too much.
    pub limits: Limits,
}

/// What is too much for one program.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: usize,
    /// Steps of evaluation: about one for each part of an expression and each value made. Each
    /// resource allows for a thousand more, so that large programs have what they need and small
    /// ones that explode end within seconds.
    pub steps: u64,
    /// Resources, with NICs and other nested blocks that have names.
    pub resources: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { file_bytes: 16 << 20, steps: 5_000_000, resources: 1_000_000 }
    }
}

impl Settings {
    /// The core kinds, no variables, the usual limits.
    pub fn new(deployment: Deployment) -> Settings {
        Settings {
            catalog: Arc::new(Catalog::core()),
            deployment,
            variables: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}

/// What came of a compilation.
#[derive(Debug)]
pub struct Compiled {
    /// The files, for messages.
    pub sources: Sources,
    /// The program, when there is no error.
    pub program: Option<Program>,
    /// Everything that is wrong or doubtful, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

/// A configuration without errors, evaluated.
#[derive(Debug)]
pub struct Program {
    tree: Tree,
    shapes: Shapes,
    variables: BTreeMap<Name, Variable>,
    texts: Texts,
    limits: Limits,
    graph: DesiredGraph,
    outputs: Vec<Held>,
    checks: Vec<(Name, Held)>,
    parts: Parts,
}

/// Says that something is not declared, or not given: what a file that cannot be read may do.
const ABSENCES: [Code; 6] =
    [codes::E0102, codes::E0103, codes::E0207, codes::E0209, codes::E0301, codes::E0306];

/// Compiles a project.
pub fn compile(world: &dyn World, settings: &Settings) -> Compiled {
    let mut sources = Sources::new();
    let mut diagnostics = Vec::new();
    let files = sharing::sharing(|| read_all(world, settings, &mut sources, &mut diagnostics));
    let all_read = files.len() == sources.iter().count();
    if sources.iter().next().is_none() {
        // Diagnostics about no file at all need a place.
        sources.add(".", "");
    }
    let mut tree = lower::lower(files, parallel::threads(), &mut diagnostics);
    let shapes = Shapes::new(&settings.catalog);
    check::structure::check(&mut tree, &shapes, &mut diagnostics);
    check::uses::check(&tree, &shapes, &mut diagnostics);
    let sound = check::recursion::check(&tree, &mut diagnostics);
    report_unknown_variables(&tree, settings, &mut diagnostics);
    let mut program = Program {
        tree,
        shapes,
        variables: settings.variables.clone(),
        texts: Texts::new(world.reader()),
        limits: settings.limits,
        graph: DesiredGraph::default(),
        outputs: Vec::new(),
        checks: Vec::new(),
        parts: Parts::whole(State::new(0)),
    };
    if sound {
        program.check_and_evaluate(&mut diagnostics);
        program.graph.digest = Some(digest(&sources, settings));
        let (ordered, found) = parallel::both(
            parallel::threads_for(program.graph.resources.len()),
            || check::order::check(&program.graph, &program),
            || semantic::check(&program.graph, &settings.catalog, &program),
        );
        diagnostics.extend(ordered);
        diagnostics.extend(found);
    }
    if !all_read {
        diagnostics.retain(|diagnostic| !ABSENCES.contains(&diagnostic.code));
    }
    tidy(&sources, &mut diagnostics);
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Compiled { sources, program: (!failed).then_some(program), diagnostics }
}

fn read_all(
    world: &dyn World,
    settings: &Settings,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ast::File> {
    let mut paths = match world.files() {
        Ok(paths) => paths,
        Err(error) => {
            let id = sources.add(".", "");
            let message = format!("the project cannot be read: {error}");
            let at = Span::new(id, 0, 0);
            diagnostics
                .push(Diagnostic::error(codes::E0309, at, message).help("check its permissions"));
            return Vec::new();
        }
    };
    paths.sort();
    let mut read = Vec::with_capacity(paths.len());
    for path in paths {
        let id = sources.next_id();
        let bytes = world.read(&path).map_err(|error| {
            let message = format!("this file cannot be read: {error}");
            Box::new(
                Diagnostic::error(codes::E0309, Span::new(id, 0, 0), message)
                    .help(format!("repair {path}, or take it out of the project")),
            )
        });
        let limit = settings.limits.file_bytes;
        let text = match &bytes {
            Ok(bytes) => tcloud_syntax::decode(id, bytes, limit),
            Err(problem) => Err(problem.clone()),
        };
        match text {
            Ok(text) => {
                sources.add(&path, text);
                read.push(id);
            }
            Err(problem) => {
                // What is text before the trouble is kept, so that its place can be shown.
                let readable = problem.primary.span.start as usize;
                let bytes = bytes.as_deref().unwrap_or_default();
                let prefix = std::str::from_utf8(bytes.get(..readable).unwrap_or_default());
                sources.add(&path, prefix.unwrap_or_default());
                diagnostics.push(*problem);
            }
        }
    }
    let texts: Vec<_> = read.into_iter().map(|id| (id, &*sources.file(id).text)).collect();
    let parsed = tcloud_syntax::parse_all(&texts, parallel::threads()).into_iter();
    parsed
        .map(|Parsed { file, diagnostics: found }| {
            diagnostics.extend(found);
            file
        })
        .collect()
}

/// Values for parameters that the program does not have.
fn report_unknown_variables(tree: &Tree, settings: &Settings, diagnostics: &mut Vec<Diagnostic>) {
    let params = || {
        let defs = tree.defs_of(Tree::ROOT);
        defs.filter(|(_, def)| def.kind == crate::tree::DefKind::Param).map(|(_, def)| def)
    };
    for name in settings.variables.keys() {
        if params().any(|param| param.name.name == *name) {
            continue;
        }
        let known: Vec<&str> = params().map(|param| param.name.name.as_str()).collect();
        let help = match tcloud_model::diagnostic::nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "the program has no parameters".to_owned(),
            None => format!("its parameters: {}", known.join(", ")),
        };
        let at = Span::new(FileId(0), 0, 0);
        let shown = tcloud_model::Value::text(name);
        let message = format!("a value is given for {shown}, which is no parameter");
        diagnostics.push(Diagnostic::error(codes::E0207, at, message).help(help));
    }
}

fn digest(sources: &Sources, settings: &Settings) -> Digest {
    let mut text = String::new();
    for (_, file) in sources.iter() {
        text.push_str(&format!("{}\0{}\0", file.path, Digest::of_bytes(file.text.as_bytes())));
    }
    for (name, value) in &settings.variables {
        text.push_str(&format!("{name}\0{value:?}\0"));
    }
    Digest::of_bytes(text.as_bytes())
}

/// Sorts, and drops what is said twice and what is a consequence: where a line cannot be read, what
/// else is wrong with it can only be told when it can.
fn tidy(sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    let line = |diagnostic: &Diagnostic| {
        let span = diagnostic.primary.span;
        (span.file, sources.file(span.file).line_of(span.start))
    };
    let is_syntax = |diagnostic: &Diagnostic| diagnostic.code.0.starts_with("E00");
    let unreadable: BTreeSet<_> = diagnostics.iter().filter(|d| is_syntax(d)).map(line).collect();
    diagnostics
        .retain(|diagnostic| is_syntax(diagnostic) || !unreadable.contains(&line(diagnostic)));
    // The sort is stable: of several at one place the earliest phase speaks.
    diagnostics.sort_by_key(|d| (d.primary.span.file, d.primary.span.start, d.primary.span.end));
    diagnostics.dedup_by(|later, earlier| {
        let span = later.primary.span;
        // What concerns no text stands at an empty place, several messages side by side.
        let consequence =
            span.length() > 0 && (later.code == earlier.code || later.severity == earlier.severity);
        span == earlier.primary.span && (consequence || later.message == earlier.message)
    });
}

impl Program {
    /// Checks every expression, and evaluates meanwhile: neither needs the other.
    fn check_and_evaluate(&mut self, diagnostics: &mut Vec<Diagnostic>) {
        let threads = parallel::threads_for(self.tree.blocks.len());
        let check = || check::expressions::check(&self.tree, &self.shapes);
        let top = NonZero::new(self.top() as usize);
        let (checked, (resources, found, parts, reported)) = match top.map(|top| top.min(threads)) {
            Some(parts) if parts.get() > 1 => {
                let (checked, joined) = self.in_parts(parts, check);
                (checked, joined.unwrap_or_else(|| self.as_a_whole()))
            }
            _ => parallel::both(threads, check, || self.as_a_whole()),
        };
        diagnostics.extend(checked);
        diagnostics.extend(reported);
        self.accept(resources, found, parts);
    }

    fn accept(&mut self, resources: Vec<Vec<DesiredResource>>, found: Collected, parts: Parts) {
        let resources = merged(resources);
        let Collected { resources: _, moved, adopted, forgotten, outputs, mut checks } = found;
        self.graph = DesiredGraph { resources, moved, adopted, forgotten, digest: None };
        checks.sort();
        (self.outputs, self.checks) = (outputs, checks);
        self.parts = parts;
    }

    /// How many blocks stand at the top.
    fn top(&self) -> u32 {
        u32::try_from(self.tree.body(Tree::ROOT).blocks.len()).unwrap_or(u32::MAX)
    }

    /// Evaluates on so many threads. The first one checks before it takes its first blocks.
    fn in_parts(
        &self,
        parts: NonZero<usize>,
        check: impl Fn() -> Vec<Diagnostic> + Sync,
    ) -> (Vec<Diagnostic>, Option<Evaluated>) {
        let waiting = Waiting::new(self.top(), parts);
        let bounds = self.bounds().share(parts.get());
        // Some take more than others.
        let usual = self.top() as usize / parts * 5 / 4;
        let work = |part| {
            let checked = if part == 0 { check() } else { Vec::new() };
            let blocks = iter::from_fn(|| waiting.take());
            (checked, self.evaluate_part(part, bounds, usual, blocks))
        };
        let done = parallel::map(parts, (0..parts.get()).collect(), work);
        let (checked, done): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        (checked.into_iter().flatten().collect(), Parts::join(done, self.limits.resources))
    }

    fn as_a_whole(&self) -> Evaluated {
        let whole = 0..self.top();
        let done = self.evaluate_part(0, self.bounds(), whole.len(), iter::once(whole));
        let Done { resources, found, state, reported } = done;
        let found = found.into_iter().next().map(|(_, found)| found).unwrap_or_default();
        (vec![resources], found, Parts::whole(state), reported)
    }

    /// Evaluates the blocks that come. Tables have room for so many of them, and grow if it takes more.
    fn evaluate_part(
        &self,
        part: usize,
        bounds: Bounds,
        usual: usize,
        blocks: impl Iterator<Item = Range<u32>>,
    ) -> Done {
        // Most blocks are one instance each.
        let room = self.tree.blocks.len() * usual / self.top().max(1) as usize;
        let mut state = State::new(room);
        let mut eval = self.eval(&mut state, bounds);
        eval.part = part;
        let mut resources = Vec::with_capacity(room);
        let mut all = Vec::new();
        for blocks in blocks {
            let mut found = Collected { resources, ..Collected::default() };
            eval.walk_some(State::ROOT, blocks.clone(), &mut found);
            resources = std::mem::take(&mut found.resources);
            all.push((blocks, found));
        }
        // What is sorted part by part, on all threads, is only put together afterwards.
        resources.sort_unstable_by(|a, b| a.address.cmp(&b.address));
        let reported = eval.sink.diagnostics;
        Done { resources, found: all, state, reported }
    }

    fn eval<'p>(&'p self, state: &'p mut State, bounds: Bounds) -> Eval<'p> {
        Eval::new(&self.tree, &self.shapes, state, &self.variables, &self.texts, bounds)
    }

    fn bounds(&self) -> Bounds {
        Bounds { steps: self.limits.steps, resources: self.limits.resources }
    }

    fn with_assigned<T>(
        &self,
        part: usize,
        assigned: &dyn Assigned,
        ask: impl FnOnce(&mut Eval<'_>) -> T,
    ) -> (T, Vec<Diagnostic>) {
        let mut state = self.parts.state(part);
        let mut eval = self.eval(&mut state, self.bounds());
        eval.assigned = Some(assigned);
        let answer = ask(&mut eval);
        let diagnostics = std::mem::take(&mut eval.sink.diagnostics);
        (answer, diagnostics)
    }

    /// What the text asks for.
    pub fn graph(&self) -> &DesiredGraph {
        &self.graph
    }
}

/// Sorted lists of resources as one.
fn merged(lists: Vec<Vec<DesiredResource>>) -> ByAddress<Address, DesiredResource> {
    let length = lists.iter().map(Vec::len).sum();
    let mut all = ByAddress::with_capacity_and_hasher(length, Default::default());
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).enumerate().collect();
    let head = |(at, list): &(usize, std::vec::IntoIter<DesiredResource>)| {
        list.as_slice().first().map(|own| Reverse((own.address.clone(), *at)))
    };
    let mut heads: BinaryHeap<_> = lists.iter().filter_map(head).collect();
    while let Some(Reverse((address, at))) = heads.pop() {
        all.extend(lists[at].1.next().map(|own| (address, own)));
        heads.extend(head(&lists[at]));
    }
    all
}

impl Evaluator for Program {
    fn desired(&self) -> &DesiredGraph {
        &self.graph
    }

    fn configure(
        &self,
        address: &Address,
        assigned: &dyn Assigned,
    ) -> Result<Arc<Fields>, Vec<Diagnostic>> {
        let Some(resource) = self.graph.resources.get(address) else {
            return Ok(Arc::new(Fields::new()));
        };
        if !resource.deferred {
            return Ok(resource.attributes.clone());
        }
        let part = self.parts.of(address);
        let at = self.parts.state(part).at(address);
        let Some(id) = at else { return Ok(resource.attributes.clone()) };
        let (fields, diagnostics) = self.with_assigned(part, assigned, |eval| eval.configure(id));
        if diagnostics.is_empty() { Ok(Arc::new(fields)) } else { Err(diagnostics) }
    }

    fn causes(&self, address: &Address, path: Option<&AttrPath>) -> Vec<Span> {
        if path.is_none()
            && let Some(resource) = self.graph.resources.get(address)
        {
            return vec![resource.span];
        }
        let state = self.parts.state(self.parts.of(address));
        causes::of(&self.tree, &self.shapes, &state, address, path)
    }

    fn outputs(&self, assigned: &dyn Assigned) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let mut outputs = Vec::new();
        let mut sink = Sink::default();
        for held in &self.outputs {
            let ask = |eval: &mut Eval<'_>| eval.outputs(held.id, &mut outputs);
            let ((), diagnostics) = self.with_assigned(held.part, assigned, ask);
            diagnostics.into_iter().for_each(|diagnostic| sink.push(diagnostic));
        }
        if !sink.diagnostics.is_empty() {
            return Err(sink.diagnostics);
        }
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(outputs)
    }

    fn checks(&self, assigned: &dyn Assigned) -> Vec<Check> {
        let ask = |(name, held): &(Name, Held)| {
            let (mut check, diagnostics) =
                self.with_assigned(held.part, assigned, |eval| eval.check(name, held.id));
            check.failures.extend(diagnostics);
            check
        };
        self.checks.iter().map(ask).collect()
    }
}

impl semantic::Places for Program {
    fn span(&self, address: &Address, path: &str) -> Span {
        let wanted = (!path.is_empty()).then(|| AttrPath::parse(path));
        let spans = self.causes(address, wanted.as_ref());
        let head = || self.graph.resources.get(address).map(|resource| resource.span);
        spans.first().copied().or_else(head).unwrap_or(Span::new(FileId(0), 0, 0))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::MemoryWorld;

    /// Tenants that say something of everything that is put together from parts.
    fn text() -> String {
        let mut text = String::from("moved tenant.old -> tenant.t1\nlet size = 4GiB\n");
        text += "component web {\n  volume own { size = size }\n  moved volume.old -> volume.own\n";
        text += "  forget volume.gone\n  output at: Bytes = volume.own.size\n}\n";
        for n in 0..200 {
            let _ = write!(
                text,
                "tenant t{n} {{\n  web main {{ }}\n  volume data {{ size = tenant.t{}.web.main.at }}\n  \
                 check same {{ assert volume.data.size == size, \"other\" }}\n}}\n",
                (n * 7) % 200
            );
        }
        text
    }

    #[test]
    fn parts_together_are_the_whole() {
        let settings = Settings::new(Deployment::new("test"));
        let Compiled { program, diagnostics, .. } = compile(&MemoryWorld::of(&text()), &settings);
        let mut program = program.unwrap_or_else(|| panic!("{diagnostics:#?}"));
        let own = |program: &Program| {
            let DesiredGraph { resources, moved, adopted, forgotten, digest: _ } = &program.graph;
            let names = program.checks.iter().map(|(name, _)| name).collect::<Vec<_>>();
            let outputs = program.outputs.len();
            format!("{resources:#?} {moved:#?} {adopted:#?} {forgotten:#?} {names:#?} {outputs}")
        };
        let (resources, found, parts, reported) = program.as_a_whole();
        assert_eq!(reported, []);
        program.accept(resources, found, parts);
        let whole = own(&program);
        for threads in [2, 3, 8, 50] {
            let threads = NonZero::new(threads).expect("not zero");
            let (checked, joined) = program.in_parts(threads, Vec::new);
            let (resources, found, parts, reported) = joined.expect("no mistakes");
            assert_eq!((checked, reported), (Vec::new(), Vec::new()));
            program.accept(resources, found, parts);
            assert!(own(&program) == whole, "{threads} threads");
        }
    }
}
