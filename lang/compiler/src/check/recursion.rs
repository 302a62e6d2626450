//! Components that use themselves, functions that call themselves, types that are made of
//! themselves: refused, so that every program comes to an end.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{DiGraph, NodeIndex};
use tcloud_model::{Diagnostic, Name, Span, codes};
use tcloud_syntax::ast::{Expr, TypeExpr, TypeExprKind};

use crate::causes::each_name;
use crate::tree::{BodyId, Named, Owner, Shape, Tree};

/// Reports recursion. Returns whether the program can be evaluated.
pub(crate) fn check(tree: &Tree, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let before = diagnostics.len();
    report(&component_edges(tree), codes::E0404, diagnostics);
    report(&function_and_type_edges(tree), codes::E0403, diagnostics);
    diagnostics.len() == before
}

/// What may use itself.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Component,
    Function,
    Type,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Sort::Component => "component",
            Sort::Function => "function",
            Sort::Type => "type",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Sort::Component => "use",
            Sort::Function => "call",
            Sort::Type => "contain",
        }
    }
}

/// What one declaration uses, by index.
struct Edges {
    sort: Sort,
    name: Name,
    at: Span,
    to: BTreeSet<usize>,
}

fn component_edges(tree: &Tree) -> Vec<Edges> {
    let mut all: Vec<Edges> = tree
        .components
        .iter()
        .map(|component| Edges {
            sort: Sort::Component,
            name: component.name.name.clone(),
            at: component.name.span,
            to: BTreeSet::new(),
        })
        .collect();
    for block in &tree.blocks {
        if let Shape::Use(used) = block.shape
            && let Some(user) = component_around(tree, block.parent)
        {
            all[user].to.insert(used.index());
        }
    }
    all
}

fn component_around(tree: &Tree, body: BodyId) -> Option<usize> {
    tree.outwards(body).find_map(|body| match tree.body(body).owner {
        Owner::Component(component) => Some(component.index()),
        _ => None,
    })
}

/// Functions, then types. They are one graph: a type's condition calls functions, and a call asks
/// for the conditions of the types of its parameters and of its result.
fn function_and_type_edges(tree: &Tree) -> Vec<Edges> {
    let functions = tree.functions.iter().map(|function| {
        let mut used = Used { tree, scope: function.scope, to: BTreeSet::new() };
        used.expression(&function.ast.body);
        let types = function.ast.params.iter().map(|(_, ty)| ty).chain(&function.ast.result);
        types.for_each(|ty| used.ty(ty));
        let name = &function.ast.name;
        Edges { sort: Sort::Function, name: name.name.clone(), at: name.span, to: used.to }
    });
    let aliases = tree.aliases.iter().map(|alias| {
        let mut used = Used { tree, scope: alias.scope, to: BTreeSet::new() };
        used.ty(&alias.ast.ty);
        let name = &alias.ast.name;
        Edges { sort: Sort::Type, name: name.name.clone(), at: name.span, to: used.to }
    });
    functions.chain(aliases).collect()
}

/// Collects what is used from one scope: functions by their index, types after all functions.
struct Used<'t> {
    tree: &'t Tree,
    scope: BodyId,
    to: BTreeSet<usize>,
}

impl Used<'_> {
    fn expression(&mut self, expr: &Expr) {
        each_name(expr, &mut |name| {
            let function = self.find(name, |named| match named {
                Named::Function(function) => Some(function.index()),
                _ => None,
            });
            self.to.extend(function);
        });
    }

    fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Name(name) => {
                let functions = self.tree.functions.len();
                let alias = self.find(name, |named| match named {
                    Named::Alias(alias) => Some(functions + alias.index()),
                    _ => None,
                });
                self.to.extend(alias);
            }
            TypeExprKind::Where(of, condition) => {
                self.ty(of);
                self.expression(condition);
            }
            TypeExprKind::Generic(_, of)
            | TypeExprKind::List(of)
            | TypeExprKind::Optional(of)
            | TypeExprKind::Paren(of) => self.ty(of),
            TypeExprKind::Union(parts) => parts.iter().for_each(|part| self.ty(part)),
            TypeExprKind::Object(fields) => fields.iter().for_each(|(_, _, ty)| self.ty(ty)),
            TypeExprKind::Bounded(..) | TypeExprKind::Text(_) | TypeExprKind::Bad => {}
        }
    }

    /// What a name means here: the innermost declaration of the sort that is looked for.
    fn find(&self, name: &str, sort: impl Fn(&Named) -> Option<usize>) -> Option<usize> {
        let mut outwards = self.tree.outwards(self.scope);
        outwards
            .find_map(|body| self.tree.named(body, name).iter().find_map(|(_, named)| sort(named)))
    }
}

/// How many circles are told of declarations that all reach each other: there may be as many of them
/// as pairs.
const MOST_CIRCLES: usize = 10;

/// Reports each declaration that reaches itself, once per circle.
fn report(all: &[Edges], code: tcloud_model::Code, diagnostics: &mut Vec<Diagnostic>) {
    for knot in knots(all) {
        let mut told = BTreeSet::new();
        let mut circles = 0;
        for start in &knot {
            if circles == MOST_CIRCLES {
                break;
            }
            if told.contains(start) {
                continue;
            }
            let Some(circle) = circle(all, &knot, *start) else { continue };
            let (message, help) = circle_words(all, &circle);
            let mut diagnostic = Diagnostic::error(code, all[*start].at, message).help(help);
            for other in circle.iter().skip(1) {
                diagnostic = diagnostic.also(all[*other].at, "and this one");
            }
            diagnostics.push(diagnostic);
            told.extend(circle);
            circles += 1;
        }
    }
}

/// Declarations that reach each other, or that use themselves: all circles lie in one of these.
fn knots(all: &[Edges]) -> impl Iterator<Item = BTreeSet<usize>> + use<'_> {
    let mut graph = DiGraph::<(), ()>::with_capacity(all.len(), 0);
    all.iter().for_each(|_| _ = graph.add_node(()));
    for (from, edges) in all.iter().enumerate() {
        for to in &edges.to {
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(*to), ());
        }
    }
    let knots = petgraph::algo::kosaraju_scc(&graph).into_iter();
    let knots = knots.map(|knot| knot.into_iter().map(NodeIndex::index).collect::<BTreeSet<_>>());
    knots.filter(|knot| knot.len() > 1 || knot.iter().any(|only| all[*only].to.contains(only)))
}

/// The message about a circle, and the help.
fn circle_words(all: &[Edges], circle: &[usize]) -> (String, &'static str) {
    let sort = all[circle[0]].sort;
    let (what, verb) = (sort.word(), sort.verb());
    let help = "repetition is written `for`; what is shared goes into a third one";
    let names: Vec<String> = circle.iter().map(|at| format!("`{}`", all[*at].name)).collect();
    if let [only] = names.as_slice() {
        return (format!("{what} {only} {verb}s itself"), help);
    }
    if circle.iter().all(|at| all[*at].sort == sort) {
        return (format!("{what}s {} {verb} each other", names.join(" and ")), help);
    }
    let sorts = circle.iter().map(|at| all[*at].sort.word());
    let names: Vec<String> =
        sorts.zip(names).map(|(word, name)| format!("{word} {name}")).collect();
    let help = "a function in the condition of a type takes and gives other types";
    (format!("{} need each other", names.join(" and ")), help)
}

/// A way from a declaration to itself, through others of its knot.
fn circle(all: &[Edges], knot: &BTreeSet<usize>, start: usize) -> Option<Vec<usize>> {
    let mut from = BTreeMap::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for next in all[at].to.iter().filter(|next| knot.contains(next)) {
            if *next == start {
                let mut path = vec![at];
                let mut back = at;
                while back != start {
                    back = *from.get(&back)?;
                    path.push(back);
                }
                path.reverse();
                return Some(path);
            }
            if !from.contains_key(next) {
                from.insert(*next, at);
                open.push(*next);
            }
        }
    }
    None
}
