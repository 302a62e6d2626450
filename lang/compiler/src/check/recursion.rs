//! Components that use themselves, functions that call themselves, types that are made of
//! themselves: refused, so that every program comes to an end.

use std::collections::BTreeSet;

use tcloud_model::{Diagnostic, Name, Span, codes};
use tcloud_syntax::ast::{Expr, TypeExpr, TypeExprKind};

use crate::causes::each_name;
use crate::tree::{BodyId, Named, Owner, Shape, Tree};

/// Reports recursion. Returns whether the program can be evaluated.
pub(crate) fn check(tree: &Tree, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let before = diagnostics.len();
    let components = component_edges(tree);
    report(&components, "component", "use", codes::E0404, diagnostics);
    let functions: Vec<Edges> = tree
        .functions
        .iter()
        .map(|function| Edges {
            name: function.ast.name.name.clone(),
            at: function.ast.name.span,
            to: called(tree, function.scope, &function.ast.body),
        })
        .collect();
    report(&functions, "function", "call", codes::E0403, diagnostics);
    let aliases: Vec<Edges> = tree
        .aliases
        .iter()
        .map(|alias| {
            let mut to = BTreeSet::new();
            named_types(tree, &alias.ty, &mut to);
            Edges { name: alias.name.name.clone(), at: alias.name.span, to }
        })
        .collect();
    report(&aliases, "type", "contain", codes::E0403, diagnostics);
    diagnostics.len() == before
}

/// What one declaration uses, by index.
struct Edges {
    name: Name,
    at: Span,
    to: BTreeSet<usize>,
}

fn component_edges(tree: &Tree) -> Vec<Edges> {
    let mut all: Vec<Edges> = tree
        .components
        .iter()
        .map(|component| Edges {
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

fn called(tree: &Tree, scope: BodyId, body: &Expr) -> BTreeSet<usize> {
    let mut to = BTreeSet::new();
    each_name(body, &mut |name| {
        let function = tree.outwards(scope).find_map(|body| {
            tree.named(body, name).iter().find_map(|(_, named)| match named {
                Named::Function(function) => Some(function.index()),
                _ => None,
            })
        });
        to.extend(function);
    });
    to
}

fn named_types(tree: &Tree, ty: &TypeExpr, to: &mut BTreeSet<usize>) {
    match &ty.kind {
        TypeExprKind::Name(name) => {
            let same = |alias: &&tcloud_syntax::ast::TypeAlias| alias.name.name == *name;
            let found = tree.aliases.iter().enumerate().filter(|(_, alias)| same(alias));
            to.extend(found.map(|(at, _)| at));
        }
        TypeExprKind::Generic(_, of)
        | TypeExprKind::List(of)
        | TypeExprKind::Optional(of)
        | TypeExprKind::Where(of, _)
        | TypeExprKind::Paren(of) => named_types(tree, of, to),
        TypeExprKind::Union(parts) => parts.iter().for_each(|part| named_types(tree, part, to)),
        TypeExprKind::Object(fields) => {
            fields.iter().for_each(|(_, _, ty)| named_types(tree, ty, to));
        }
        TypeExprKind::Bounded(..) | TypeExprKind::Text(_) | TypeExprKind::Bad => {}
    }
}

/// Reports each declaration that reaches itself, once per circle.
fn report(
    all: &[Edges],
    what: &str,
    verb: &str,
    code: tcloud_model::Code,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut told = BTreeSet::new();
    for start in 0..all.len() {
        if told.contains(&start) {
            continue;
        }
        let Some(circle) = circle(all, start) else { continue };
        told.extend(circle.iter().copied());
        let names: Vec<String> = circle.iter().map(|at| format!("`{}`", all[*at].name)).collect();
        let message = match names.as_slice() {
            [only] => format!("{what} {only} {verb}s itself"),
            _ => format!("{what}s {} {verb} each other", names.join(" and ")),
        };
        let mut diagnostic = Diagnostic::error(code, all[start].at, message)
            .help("repetition is written `for`; what is shared goes into a third one");
        for other in circle.iter().skip(1) {
            diagnostic = diagnostic.also(all[*other].at, "and this one");
        }
        diagnostics.push(diagnostic);
    }
}

/// A way from a declaration to itself.
fn circle(all: &[Edges], start: usize) -> Option<Vec<usize>> {
    let mut from = vec![None; all.len()];
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for next in &all[at].to {
            if *next == start {
                let mut path = vec![at];
                let mut back = at;
                while back != start {
                    back = from[back]?;
                    path.push(back);
                }
                path.reverse();
                return Some(path);
            }
            if from[*next].is_none() {
                from[*next] = Some(at);
                open.push(*next);
            }
        }
    }
    None
}
