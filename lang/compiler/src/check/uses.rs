//! Whether what a component makes may stand where the component is used.

use std::collections::BTreeSet;

use tcloud_model::{Diagnostic, Schema, codes};

use super::structure::{describe, places, stands_in_scopes};
use crate::shapes::{ShapeInfo, Shapes};
use crate::tree::{Block, ComponentId, Owner, Shape, Tree};

/// Reports every use of a component that makes something where it may not stand.
pub(crate) fn check(tree: &Tree, shapes: &Shapes, diagnostics: &mut Vec<Diagnostic>) {
    for used in &tree.blocks {
        let Shape::Use(component) = used.shape else { continue };
        if !is_sure(used) {
            continue;
        }
        let outer = match tree.body(used.parent).owner {
            Owner::Root => None,
            Owner::Block(block) => match tree.block(block).shape {
                Shape::Known(shape) => Some(shapes.get(shape)),
                _ => continue,
            },
            // Where the component around it is used decides.
            Owner::Component(_) | Owner::Check => continue,
        };
        let misfits = misfits(tree, shapes, component, outer);
        // What stands in the fewest places says best where the use belongs.
        let Some((block, schema)) = misfits.iter().min_by_key(|(_, s)| s.within.len()) else {
            continue;
        };
        let name = &tree.component(component).name.name;
        let place = match outer {
            Some(outer) => format!("in a {}", outer.word),
            None => "at the top level".to_owned(),
        };
        let what = describe(block);
        let message = format!("{what} of component `{name}` cannot stand {place}");
        diagnostics.push(
            Diagnostic::error(codes::E0104, used.head, message)
                .label(format!("this makes a {} {place}", schema.kind))
                .also(block.head, format!("this {}", schema.kind))
                .help(format!("{}; use `{name}` there", places(schema))),
        );
    }
}

/// Whether a block is made in any case. Of what depends on values nobody knows it here.
fn is_sure(block: &Block) -> bool {
    block.condition.is_none() && block.guard.is_none() && block.repeat.is_none()
}

/// The blocks of a component that may not stand in `outer`, or at the top level, with those of the
/// components that it uses.
fn misfits<'t>(
    tree: &'t Tree,
    shapes: &'t Shapes,
    component: ComponentId,
    outer: Option<&ShapeInfo>,
) -> Vec<(&'t Block, &'t Schema)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![component];
    while let Some(component) = open.pop() {
        if !seen.insert(component) {
            continue;
        }
        for id in tree.body(tree.component(component).body).blocks.iter() {
            let block = tree.block(*id);
            if !is_sure(block) {
                continue;
            }
            let info = match block.shape {
                Shape::Use(inner) => {
                    open.push(inner);
                    continue;
                }
                Shape::Known(shape) => shapes.get(shape),
                Shape::Unknown => continue,
            };
            let Some(schema) = &info.schema else { continue };
            // What may stand in no component is told there.
            if !stands_in_scopes(shapes, schema) {
                continue;
            }
            let fits = outer.map_or(schema.top_level, |outer| outer.takes(info));
            if !fits {
                found.push((block, &**schema));
            }
        }
    }
    found
}
