//! Syntax trees to [`Tree`]: files are joined, `in tenant x` is followed, `if` becomes guards.

use std::collections::BTreeMap;
use std::ops::Range;

use tcloud_model::{Diagnostic, Name, Span, codes};
use tcloud_syntax::ast::{self, BlockForm, Ident, Statement as Ast};

use crate::tree::{
    Alias, AliasId, Block, BlockId, Body, BodyId, Component, ComponentId, Def, DefId, DefKind,
    Function, FunctionId, Guard, GuardId, Named, Owner, Rest, Shape, Statement, Tree, trace,
};

/// Lowers all files, which are one configuration.
pub(crate) fn lower(files: Vec<ast::File>, diagnostics: &mut Vec<Diagnostic>) -> Tree {
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
    let mut sizes = Sizes::default();
    sizes.add(&root);
    scoped.values().for_each(|scoped| sizes.add(&scoped.statements));
    let mut lowering = Lowering { tree: sizes.tree(), scoped, diagnostics };
    lowering.body(Owner::Root, None, root, Some(Vec::new()));
    lowering.report_unclaimed();
    lowering.tree
}

/// How long the tables become that have an entry for nearly every line. They are made at that size:
/// while they grow, there are two of them.
#[derive(Default)]
struct Sizes {
    bodies: usize,
    blocks: usize,
    defs: usize,
}

impl Sizes {
    fn add(&mut self, statements: &[Ast]) {
        for statement in statements {
            match statement {
                Ast::Block(block) => {
                    self.blocks += 1;
                    self.body(&block.body);
                }
                Ast::Component(component) => self.body(&component.body),
                Ast::Check(check) => self.body(&check.body),
                Ast::If(own) => {
                    self.add(&own.then);
                    self.add(&own.otherwise);
                }
                Ast::Attribute(_) | Ast::Let(_) | Ast::Param(_) | Ast::Output(_) => self.defs += 1,
                _ => {}
            }
        }
    }

    fn body(&mut self, statements: &[Ast]) {
        self.bodies += 1;
        self.add(statements);
    }

    fn tree(&self) -> Tree {
        Tree {
            bodies: Vec::with_capacity(1 + self.bodies),
            blocks: Vec::with_capacity(self.blocks),
            defs: Vec::with_capacity(self.defs),
            ..Tree::default()
        }
    }
}

/// What stands in files that begin with the same `in …`.
#[derive(Default)]
struct Scoped {
    spans: Vec<Span>,
    statements: Vec<Ast>,
}

struct Lowering<'d> {
    tree: Tree,
    scoped: BTreeMap<Vec<Name>, Scoped>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

/// A body while its statements are sorted into tables.
#[derive(Default)]
struct Parts {
    names: Vec<(Name, Named)>,
    blocks: Vec<(Option<GuardId>, Box<ast::Block>)>,
    components: Vec<(ComponentId, Vec<Ast>)>,
    checks: Vec<(usize, Vec<Ast>)>,
    statements: Vec<(Option<GuardId>, Statement)>,
    bad: Vec<Name>,
    incomplete: bool,
}

impl Lowering<'_> {
    /// Lowers one body. `path` holds kinds and names from the root while only scopes were passed.
    fn body(
        &mut self,
        owner: Owner,
        outer: Option<BodyId>,
        statements: Vec<Ast>,
        path: Option<Vec<Name>>,
    ) -> BodyId {
        let id = BodyId(count(self.tree.bodies.len()));
        self.tree.bodies.push(Body {
            owner,
            outer,
            defs: 0..0,
            traces: 0,
            blocks: Box::default(),
            index: Box::default(),
            rest: None,
        });
        let first = count(self.tree.defs.len());
        let mut parts = Parts::default();
        self.sort(id, statements, None, &mut parts);
        let defs = first..count(self.tree.defs.len());
        self.finish(id, defs, parts, path);
        id
    }

    /// Sorts statements into the tables; definitions of one body become neighbours.
    fn sort(&mut self, id: BodyId, all: Vec<Ast>, guard: Option<GuardId>, parts: &mut Parts) {
        for statement in all {
            match statement {
                Ast::Block(block) => parts.blocks.push((guard, block)),
                Ast::If(inner) => {
                    let ast::If { condition, then, otherwise, span: _ } = *inner;
                    let condition_id = count(self.tree.conditions.len());
                    self.tree.conditions.push(condition);
                    for (expected, branch) in [(true, then), (false, otherwise)] {
                        let inner = GuardId(count(self.tree.guards.len()));
                        let condition = condition_id;
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
                let named = Named::Function(FunctionId(count(self.tree.functions.len())));
                parts.names.push((function.name.name.clone(), named));
                self.tree.functions.push(Function { ast: *function, scope: id });
            }
            Ast::TypeAlias(alias) => {
                let help = "declare it outside: types are known before any condition is";
                self.unconditional(guard, &alias.name, help.to_owned());
                let named = Named::Alias(AliasId(count(self.tree.aliases.len())));
                parts.names.push((alias.name.name.clone(), named));
                self.tree.aliases.push(Alias { ast: *alias, scope: id });
            }
            Ast::Component(component) => {
                let ast::Component { doc: _, name, body, head, span: _ } = *component;
                let used = &name.name;
                let help = format!("write it where this is used: `{used} main if … {{ … }}`");
                self.unconditional(guard, &name, help);
                let component = ComponentId(count(self.tree.components.len()));
                parts.names.push((name.name.clone(), Named::Component(component)));
                self.tree.components.push(Component { name, body: BodyId(0), scope: id, head });
                parts.components.push((component, body));
            }
            other => {
                let Some(def) = definition(other, guard) else { return };
                if matches!(def.kind, DefKind::Let | DefKind::Param) {
                    let named = Named::Def(DefId(count(self.tree.defs.len())));
                    parts.names.push((def.name.name.clone(), named));
                }
                self.tree.defs.push(def);
            }
        }
    }

    /// Refuses a condition around what is declared once and for all: nothing would ask for it.
    fn unconditional(&mut self, guard: Option<GuardId>, declared: &Ident, help: String) {
        let Some(guard) = guard else { return };
        let condition = self.tree.condition(self.tree.guard(guard)).span;
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
            self.tree.components[component.index()].body = body;
        }
        for (at, body) in checks {
            let body = self.body(Owner::Check, Some(id), body, None);
            if let Some((_, Statement::Check(_, own))) = statements.get_mut(at) {
                *own = body;
            }
        }
        let (mut own, mut defaults) = (Vec::with_capacity(blocks.len()), Vec::new());
        for (guard, block) in blocks {
            let list = if block.form == BlockForm::Defaults { &mut defaults } else { &mut own };
            list.push(self.block(id, guard, *block, path.as_deref()));
        }
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut index: Vec<u32> = (0..count(own.len())).collect();
        index.sort_by(|a, b| {
            let key = |at: &u32| {
                let block = self.tree.block(own[*at as usize]);
                (block.kind.name.as_str(), block.name.as_ref().map_or("", |n| n.name.as_str()))
            };
            key(a).cmp(&key(b))
        });
        let written = self.tree.defs[defs.start as usize..defs.end as usize].iter();
        let traces = written.fold(0, |all, def| all | trace(&def.name.name));
        let body = &mut self.tree.bodies[id.index()];
        (body.defs, body.traces) = (defs, traces);
        body.blocks = own.into();
        body.index = index.into();
        let is_plain = names.is_empty() && defaults.is_empty() && statements.is_empty();
        if !is_plain || !bad.is_empty() || incomplete {
            body.rest = Some(Box::new(Rest { names, defaults, statements, bad, incomplete }));
        }
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
        let id = BlockId(count(self.tree.blocks.len()));
        let is_scope = matches!(kind.name.as_str(), "tenant" | "site");
        let path = match (path, &name) {
            (Some(path), Some(name)) if is_scope && form != BlockForm::Defaults => {
                let mut path = path.to_vec();
                path.extend([kind.name.clone(), name.name.clone()]);
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
        self.tree.blocks[id.index()].body = body;
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
