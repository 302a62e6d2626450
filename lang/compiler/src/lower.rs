//! Syntax trees to [`Tree`]: files are joined, `in tenant x` is followed, `if` becomes guards.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;

use tcloud_model::{Diagnostic, Name, Span, codes, parallel};
use tcloud_syntax::ast::{self, BlockForm, Ident, Statement as Ast};

use crate::tree::{
    Alias, AliasId, Block, BlockId, Body, BodyId, Component, ComponentId, Def, DefId, DefKind,
    Function, FunctionId, Guard, GuardId, Named, Owner, Rest, Shape, Statement, Tree, trace,
};

/// Lowers all files, which are one configuration, on at most so many threads.
pub(crate) fn lower(
    files: Vec<ast::File>,
    threads: NonZero<usize>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Tree {
    let mut root = Vec::new();
    let mut scoped: BTreeMap<Vec<Name>, Scoped> = BTreeMap::new();
    for file in files {
        let ast::File { scope, statements } = file;
        match scope {
            None => root.extend(statements),
            Some(scope) => {
                let path = scope.path.iter().map(|word| word.name.clone()).collect();
                let entry = scoped.entry(path).or_default();
                entry.spans.push(scope.span);
                entry.statements.extend(statements);
            }
        }
    }
    let mut lowering = Lowering { threads: Some(threads), scoped, ..Lowering::default() };
    lowering.body(Owner::Root, None, root, Some(Vec::new()));
    lowering.report_unclaimed();
    diagnostics.append(&mut lowering.diagnostics);
    lowering.tree
}

/// Less than this, in bytes of blocks at the top, is lowered before another thread has begun.
const MUCH: usize = 64 << 10;

/// How long tables become. The long ones are made at that size: while they grow, there are two of
/// them.
#[derive(Clone, Copy, Default)]
struct Sizes {
    bodies: usize,
    blocks: usize,
    defs: usize,
    /// Each with two guards.
    conditions: usize,
    functions: usize,
    aliases: usize,
    components: usize,
}

impl Sizes {
    fn add(&mut self, statements: &[Ast]) {
        for statement in statements {
            match statement {
                Ast::Block(block) => self.block(block),
                Ast::Component(component) => {
                    self.components += 1;
                    self.body(&component.body);
                }
                Ast::Check(check) => self.body(&check.body),
                Ast::If(own) => {
                    self.conditions += 1;
                    self.add(&own.then);
                    self.add(&own.otherwise);
                }
                Ast::Function(_) => self.functions += 1,
                Ast::TypeAlias(_) => self.aliases += 1,
                Ast::Attribute(_) | Ast::Let(_) | Ast::Param(_) | Ast::Output(_) => self.defs += 1,
                _ => {}
            }
        }
    }

    fn block(&mut self, block: &ast::Block) {
        self.blocks += 1;
        self.body(&block.body);
    }

    fn body(&mut self, statements: &[Ast]) {
        self.bodies += 1;
        self.add(statements);
    }

    fn of(tree: &Tree) -> Sizes {
        Sizes {
            bodies: tree.bodies.len(),
            blocks: tree.blocks.len(),
            defs: tree.defs.len(),
            conditions: tree.conditions.len(),
            functions: tree.functions.len(),
            aliases: tree.aliases.len(),
            components: tree.components.len(),
        }
    }

    fn and(self, other: Sizes) -> Sizes {
        Sizes {
            bodies: self.bodies + other.bodies,
            blocks: self.blocks + other.blocks,
            defs: self.defs + other.defs,
            conditions: self.conditions + other.conditions,
            functions: self.functions + other.functions,
            aliases: self.aliases + other.aliases,
            components: self.components + other.components,
        }
    }

    /// Makes room for as many more.
    fn reserve(&self, tree: &mut Tree) {
        tree.bodies.reserve_exact(self.bodies);
        tree.blocks.reserve_exact(self.blocks);
        tree.defs.reserve_exact(self.defs);
    }
}

/// What stands in files that begin with the same `in …`.
#[derive(Default)]
struct Scoped {
    spans: Vec<Span>,
    statements: Vec<Ast>,
}

/// Lowers statements to tables, or to the parts of them that follow `before`.
#[derive(Default)]
struct Lowering {
    /// How many threads there are for the blocks at the top.
    threads: Option<NonZero<usize>>,
    tree: Tree,
    before: Sizes,
    scoped: BTreeMap<Vec<Name>, Scoped>,
    diagnostics: Vec<Diagnostic>,
}

/// Blocks that stand beside each other, with the conditions that they stand under.
type Blocks = Vec<(Option<GuardId>, Box<ast::Block>)>;

/// A body while its statements are sorted into tables.
#[derive(Default)]
struct Parts {
    names: Vec<(Name, Named)>,
    blocks: Blocks,
    components: Vec<(ComponentId, Vec<Ast>)>,
    checks: Vec<(usize, Vec<Ast>)>,
    statements: Vec<(Option<GuardId>, Statement)>,
    bad: Vec<Name>,
    incomplete: bool,
}

impl Lowering {
    /// Lowers one body. `path` holds kinds and names from the root while only scopes were passed.
    fn body(
        &mut self,
        owner: Owner,
        outer: Option<BodyId>,
        statements: Vec<Ast>,
        path: Option<Vec<Name>>,
    ) -> BodyId {
        let id = BodyId(count(self.before.bodies + self.tree.bodies.len()));
        self.tree.bodies.push(Body {
            owner,
            outer,
            defs: 0..0,
            traces: 0,
            blocks: Box::default(),
            index: Box::default(),
            rest: None,
        });
        let first = count(self.before.defs + self.tree.defs.len());
        let mut parts = Parts::default();
        self.sort(id, statements, None, &mut parts);
        let defs = first..count(self.before.defs + self.tree.defs.len());
        self.finish(id, defs, parts, path);
        id
    }

    /// Sorts statements into the tables; definitions of one body become neighbours.
    fn sort(&mut self, id: BodyId, all: Vec<Ast>, guard: Option<GuardId>, parts: &mut Parts) {
        for statement in all {
            match statement {
                Ast::Block(block) => parts.blocks.push((guard, block)),
                Ast::If(inner) => {
                    let ast::If { condition: own, then, otherwise, span: _ } = *inner;
                    let condition = count(self.before.conditions + self.tree.conditions.len());
                    self.tree.conditions.push(own);
                    for (expected, branch) in [(true, then), (false, otherwise)] {
                        let guards = 2 * self.before.conditions + self.tree.guards.len();
                        let inner = GuardId(count(guards));
                        self.tree.guards.push(Guard { outer: guard, condition, expected });
                        self.sort(id, branch, Some(inner), parts);
                    }
                }
                Ast::Bad(bad) => match bad.name {
                    Some(name) => parts.bad.push(name.name),
                    None => parts.incomplete = true,
                },
                Ast::Use(used) => self.diagnostics.push(
                    Diagnostic::error(codes::E0109, used.span, "`use` is not available yet")
                        .help("put the component into a folder of this project"),
                ),
                Ast::Moved(moved) => parts.statements.push((guard, Statement::Moved(*moved))),
                Ast::Adopt(adopt) => parts.statements.push((guard, Statement::Adopt(*adopt))),
                Ast::Forget(forget) => parts.statements.push((guard, Statement::Forget(forget))),
                Ast::Assert(assert) => parts.statements.push((guard, Statement::Assert(*assert))),
                Ast::Check(check) => {
                    let ast::Check { doc: _, name, body, head: _, span: _ } = *check;
                    parts.checks.push((parts.statements.len(), body));
                    parts.statements.push((guard, Statement::Check(name, BodyId(0))));
                }
                named => self.named(id, named, guard, parts),
            }
        }
    }

    fn named(&mut self, id: BodyId, statement: Ast, guard: Option<GuardId>, parts: &mut Parts) {
        match statement {
            Ast::Function(function) => {
                let help = "declare it outside, and decide in it: `if … then … else …`";
                self.unconditional(guard, &function.name, help.to_owned());
                let named = Named::Function(FunctionId(count(
                    self.before.functions + self.tree.functions.len(),
                )));
                parts.names.push((function.name.name.clone(), named));
                self.tree.functions.push(Function { ast: *function, scope: id });
            }
            Ast::TypeAlias(alias) => {
                let help = "declare it outside: types are known before any condition is";
                self.unconditional(guard, &alias.name, help.to_owned());
                let named =
                    Named::Alias(AliasId(count(self.before.aliases + self.tree.aliases.len())));
                parts.names.push((alias.name.name.clone(), named));
                self.tree.aliases.push(Alias { ast: *alias, scope: id });
            }
            Ast::Component(component) => {
                let ast::Component { doc: _, name, body, head, span: _ } = *component;
                let used = &name.name;
                let help = format!("write it where this is used: `{used} main if … {{ … }}`");
                self.unconditional(guard, &name, help);
                let components = self.before.components + self.tree.components.len();
                let component = ComponentId(count(components));
                parts.names.push((name.name.clone(), Named::Component(component)));
                self.tree.components.push(Component { name, body: BodyId(0), scope: id, head });
                parts.components.push((component, body));
            }
            other => {
                let Some(def) = definition(other, guard) else { return };
                if matches!(def.kind, DefKind::Let | DefKind::Param) {
                    let named = Named::Def(DefId(count(self.before.defs + self.tree.defs.len())));
                    parts.names.push((def.name.name.clone(), named));
                }
                self.tree.defs.push(def);
            }
        }
    }

    /// Refuses a condition around what is declared once and for all: nothing would ask for it.
    fn unconditional(&mut self, guard: Option<GuardId>, declared: &Ident, help: String) {
        let Some(guard) = guard else { return };
        let guard = &self.tree.guards[guard.index() - 2 * self.before.conditions];
        let condition = guard.condition as usize - self.before.conditions;
        let condition = self.tree.conditions[condition].span;
        let message = format!("`{}` cannot be declared under a condition", declared.name);
        // The name, so that it is not told as declared twice as well.
        self.diagnostics.push(
            Diagnostic::error(codes::E0108, declared.span, message)
                .also(condition, "this condition")
                .help(help),
        );
    }

    /// Lowers what is nested and fills the body in.
    fn finish(&mut self, id: BodyId, defs: Range<u32>, parts: Parts, path: Option<Vec<Name>>) {
        let Parts { mut names, blocks, components, checks, mut statements, bad, incomplete } =
            parts;
        for (component, body) in components {
            let body = self.body(Owner::Component(component), Some(id), body, None);
            self.tree.components[component.index() - self.before.components].body = body;
        }
        for (at, body) in checks {
            let body = self.body(Owner::Check, Some(id), body, None);
            if let Some((_, Statement::Check(_, own))) = statements.get_mut(at) {
                *own = body;
            }
        }
        let (mut own, mut defaults) = (Vec::with_capacity(blocks.len()), Vec::new());
        for nested in self.blocks(id, blocks, path.as_deref()) {
            let form = self.own_block(nested).form;
            let list = if form == BlockForm::Defaults { &mut defaults } else { &mut own };
            list.push(nested);
        }
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut index: Vec<u32> = (0..count(own.len())).collect();
        index.sort_by(|a, b| {
            let key = |at: &u32| {
                let block = self.own_block(own[*at as usize]);
                (block.kind.name.as_str(), block.name.as_ref().map_or("", |n| n.name.as_str()))
            };
            key(a).cmp(&key(b))
        });
        let own_defs = defs.start as usize - self.before.defs..defs.end as usize - self.before.defs;
        let written = self.tree.defs[own_defs].iter();
        let traces = written.fold(0, |all, def| all | trace(&def.name.name));
        let body = &mut self.tree.bodies[id.index() - self.before.bodies];
        (body.defs, body.traces) = (defs, traces);
        body.blocks = own.into();
        body.index = index.into();
        let is_plain = names.is_empty() && defaults.is_empty() && statements.is_empty();
        if !is_plain || !bad.is_empty() || incomplete {
            body.rest = Some(Box::new(Rest { names, defaults, statements, bad, incomplete }));
        }
    }

    fn own_block(&self, id: BlockId) -> &Block {
        &self.tree.blocks[id.index() - self.before.blocks]
    }

    /// Lowers blocks: those at the top on several threads, if that is worth it.
    fn blocks(&mut self, parent: BodyId, blocks: Blocks, path: Option<&[Name]>) -> Vec<BlockId> {
        let Some(threads) = self.threads.filter(|_| parent == Tree::ROOT) else {
            let lower = |(guard, block): (_, Box<_>)| self.block(parent, guard, *block, path);
            return blocks.into_iter().map(lower).collect();
        };
        let parts = self.split(blocks, threads);
        let lowered = parallel::map(threads, parts, |(mut part, blocks)| {
            let lower = |(guard, block): (_, Box<_>)| part.block(parent, guard, *block, path);
            let ids: Vec<BlockId> = blocks.into_iter().map(lower).collect();
            (part, ids)
        });
        let mut all = Vec::new();
        for (part, ids) in lowered {
            self.append(part);
            all.extend(ids);
        }
        all
    }

    /// Shares out the blocks at the top, each part with what files add to its blocks: the first part
    /// goes on with the tables that there are, each other one follows the one before.
    fn split(&mut self, blocks: Blocks, threads: NonZero<usize>) -> Vec<(Lowering, Blocks)> {
        let own = blocks.iter().map(|(_, block)| block.span.length()).sum::<usize>();
        let added = self.scoped.values().map(|scoped| length(&scoped.statements)).sum::<usize>();
        let most = (own + added).div_ceil(threads.get()).max(MUCH);
        let mut shares = vec![(Sizes::default(), BTreeMap::new(), Vec::new())];
        // What is added deeper inside goes to the first block that it fits, wherever that is: only one
        // thread that takes one block after the other finds it.
        let deep = self.scoped.keys().any(|path| path.len() > 2);
        if deep && let Some((sizes, scoped, _)) = shares.last_mut() {
            *scoped = std::mem::take(&mut self.scoped);
            scoped.values().for_each(|own| sizes.add(&own.statements));
        }
        let mut taken = 0;
        for (guard, block) in blocks {
            if taken >= most && !deep {
                shares.push(Default::default());
                taken = 0;
            }
            taken += block.span.length();
            if let Some((sizes, scoped, blocks)) = shares.last_mut() {
                sizes.block(&block);
                let scope = scope(block.form, &block.kind, block.name.as_ref()).map(Vec::from);
                if let Some((path, own)) = scope.and_then(|own| self.scoped.remove_entry(&own)) {
                    sizes.add(&own.statements);
                    taken += length(&own.statements);
                    scoped.insert(path, own);
                }
                blocks.push((guard, block));
            }
        }
        let all = shares.iter().fold(Sizes::default(), |all, (sizes, ..)| all.and(*sizes));
        let mut before = Sizes::of(&self.tree);
        all.reserve(&mut self.tree);
        let mut first = Some(std::mem::take(&mut self.tree));
        let part = |(sizes, scoped, blocks): (Sizes, _, _)| {
            let mut part = Lowering { scoped, ..Lowering::default() };
            match first.take() {
                Some(tree) => part.tree = tree,
                None => {
                    part.before = before;
                    sizes.reserve(&mut part.tree);
                }
            }
            before = before.and(sizes);
            (part, blocks)
        };
        shares.into_iter().map(part).collect()
    }

    /// Adds the part that follows.
    fn append(&mut self, part: Lowering) {
        let Lowering { threads: _, mut tree, before: _, mut scoped, mut diagnostics } = part;
        let own = &mut self.tree;
        if own.bodies.is_empty() {
            *own = tree;
        } else {
            own.bodies.append(&mut tree.bodies);
            own.blocks.append(&mut tree.blocks);
            own.defs.append(&mut tree.defs);
            own.guards.append(&mut tree.guards);
            own.conditions.append(&mut tree.conditions);
            own.functions.append(&mut tree.functions);
            own.aliases.append(&mut tree.aliases);
            own.components.append(&mut tree.components);
        }
        self.scoped.append(&mut scoped);
        self.diagnostics.append(&mut diagnostics);
    }

    fn block(
        &mut self,
        parent: BodyId,
        guard: Option<GuardId>,
        block: ast::Block,
        path: Option<&[Name]>,
    ) -> BlockId {
        let ast::Block { doc: _, form, kind, name, repeat, condition, mut body, head, span: _ } =
            block;
        let id = BlockId(count(self.before.blocks + self.tree.blocks.len()));
        let path = match (path, scope(form, &kind, name.as_ref())) {
            (Some(path), Some(scope)) => {
                let mut path = path.to_vec();
                path.extend(scope);
                if let Some(scoped) = self.scoped.remove(&path) {
                    body.extend(scoped.statements);
                }
                Some(path)
            }
            _ => None,
        };
        self.tree.blocks.push(Block {
            form,
            kind,
            name,
            repeat,
            condition,
            guard,
            body: BodyId(0),
            parent,
            head,
            shape: Shape::Unknown,
        });
        let body = self.body(Owner::Block(id), Some(parent), body, path);
        self.tree.blocks[id.index() - self.before.blocks].body = body;
        id
    }

    /// `in tenant x` in a file although there is no tenant of this name.
    fn report_unclaimed(&mut self) {
        for (path, scoped) in std::mem::take(&mut self.scoped) {
            let text = path.iter().map(Name::as_str).collect::<Vec<_>>().join(" ");
            let kind = path.first().map_or("tenant", Name::as_str);
            let known: Vec<&str> = self
                .tree
                .blocks_of_kind(Tree::ROOT, kind)
                .filter_map(|(_, block)| block.name.as_ref().map(|name| name.name.as_str()))
                .collect();
            let meant = tcloud_model::diagnostic::nearest(
                path.get(1).map_or("", Name::as_str),
                known.iter().copied(),
            );
            for span in scoped.spans {
                let help = match meant {
                    Some(meant) => format!("write `in {kind} {meant}`"),
                    None => format!("declare it in another file: `{text} {{ … }}`"),
                };
                self.diagnostics.push(
                    Diagnostic::error(codes::E0301, span, format!("there is no {text}")).help(help),
                );
            }
        }
    }
}

/// What a file says that begins with `in` and adds to this block.
fn scope(form: BlockForm, kind: &Ident, name: Option<&Ident>) -> Option<[Name; 2]> {
    let is_scope = matches!(kind.name.as_str(), "tenant" | "site") && form != BlockForm::Defaults;
    is_scope.then(|| Some([kind.name.clone(), name?.name.clone()])).flatten()
}

/// How long statements are, in bytes, nearly: what is no block is a line.
fn length(statements: &[Ast]) -> usize {
    let length = |statement: &Ast| match statement {
        Ast::Block(block) => block.span.length(),
        _ => 40,
    };
    statements.iter().map(length).sum()
}

fn definition(statement: Ast, guard: Option<GuardId>) -> Option<Def> {
    Some(match statement {
        Ast::Attribute(ast::Attribute { name, value, span }) => Def {
            kind: DefKind::Attribute,
            name,
            ty: None,
            value: Some(value),
            guard,
            span,
            doc: None,
        },
        Ast::Let(own) => {
            let ast::Let { name, ty, value, span } = *own;
            let (ty, value) = (ty.map(Box::new), Some(value));
            Def { kind: DefKind::Let, name, ty, value, guard, span, doc: None }
        }
        Ast::Param(own) => {
            let ast::Param { doc, name, ty, default, span } = *own;
            let ty = Some(Box::new(ty));
            Def { kind: DefKind::Param, name, ty, value: default, guard, span, doc }
        }
        Ast::Output(own) => {
            let ast::Output { doc, name, ty, value, span } = *own;
            let (ty, value) = (ty.map(Box::new), Some(value));
            Def { kind: DefKind::Output, name, ty, value, guard, span, doc }
        }
        _ => return None,
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use tcloud_model::FileId;

    use super::*;

    /// Tenants with something of everything that has a table.
    fn text(tenants: usize) -> String {
        let mut text = String::from(
            "let all = true\ncomponent pair { param n: Int = 1 }\nif all { tenant x { } } else { tenant \
             y { } }\n",
        );
        for n in 0..tenants {
            let _ = write!(
                text,
                "tenant t{n} {{\n  title = \"Gemeinde {n}\"\n  let large = {n} > 3\n  \
                 type Size = Int where it > {n}\n  fn twice(n: Int) = n * 2\n  if large {{\n    \
                 network a {{ cidr = 10.0.0.0/24 }}\n  }} else {{\n    network a {{ cidr = \
                 10.1.0.0/24 }}\n    type Late = Int\n  }}\n  component web {{\n    param size: Size = 4\n    vm one \
                 {{ vcpus = twice(size) }}\n  }}\n  web main {{ size = {n} + 4 }}\n  check c {{ \
                 assert large, \"small\" }}\n  defaults vm {{ memory = 1GiB }}\n}}\n"
            );
        }
        text
    }

    fn lowered(texts: &[String], threads: usize) -> (String, Vec<Diagnostic>) {
        let read = |(at, text): (usize, &String)| {
            let parsed = tcloud_syntax::parse(FileId(count(at)), text);
            assert_eq!(parsed.diagnostics, []);
            parsed.file
        };
        let files = texts.iter().enumerate().map(read).collect();
        let mut diagnostics = Vec::new();
        let threads = NonZero::new(threads).expect("not zero");
        let tree = lower(files, threads, &mut diagnostics);
        (format!("{tree:?}"), diagnostics)
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let mut texts = vec![text(5 * MUCH / text(1).len())];
        for (tenant, network) in [("t7", "b"), ("t90", "c"), ("nobody", "d"), ("t90", "e")] {
            texts.push(format!("in tenant {tenant}\nnetwork {network} {{ mode = \"nat\" }}\n"));
        }
        for deep in [None, Some("in site s tenant t7\nlet deep = 1\n".to_owned())] {
            texts.extend(deep);
            let alone = lowered(&texts, 1);
            assert!(!alone.1.is_empty(), "there is no tenant `nobody`");
            for threads in [2, 3, 7] {
                assert!(lowered(&texts, threads) == alone, "{threads} threads");
            }
        }
    }
}
