//! Resources that need each other first: no order could create them.

use std::collections::BTreeMap;

use tcloud_model::{Address, DesiredGraph, Diagnostic, codes};

use crate::program::Program;
use crate::semantic::Places as _;

/// How many cycles are told. Resources that all need each other are as many as their pairs.
const MOST_CYCLES: usize = 10;

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Open,
    Closed,
}

/// Finds cycles of dependencies; each resource is visited once.
pub(crate) fn check(graph: &DesiredGraph, program: &Program) -> Vec<Diagnostic> {
    let mut marks: Vec<Option<Mark>> = vec![None; graph.resources.len()];
    let mut cycles = Vec::new();
    for start in 0..graph.resources.len() {
        if marks[start].is_none() {
            visit(graph, start, &mut marks, &mut cycles);
        }
    }
    cycles.iter().map(|cycle| report(graph, cycle, program)).collect()
}

/// Depth-first without recursion, since chains may be as long as the graph.
fn visit(
    graph: &DesiredGraph,
    start: usize,
    marks: &mut [Option<Mark>],
    cycles: &mut Vec<Vec<usize>>,
) {
    let mut path = vec![(start, 0)];
    marks[start] = Some(Mark::Open);
    while let Some((at, next)) = path.last_mut() {
        let dependency = graph
            .resources
            .get_index(*at)
            .and_then(|(_, resource)| resource.dependencies.get(*next));
        *next += 1;
        let Some(dependency) = dependency else {
            marks[*at] = Some(Mark::Closed);
            path.pop();
            continue;
        };
        let Some(target) = graph.resources.get_index_of(dependency) else { continue };
        match marks[target] {
            None => {
                marks[target] = Some(Mark::Open);
                path.push((target, 0));
            }
            Some(Mark::Open) if cycles.len() < MOST_CYCLES => {
                let from = path.iter().position(|(at, _)| *at == target).unwrap_or(0);
                cycles.push(path[from..].iter().map(|(at, _)| *at).collect());
            }
            Some(Mark::Open | Mark::Closed) => {}
        }
    }
}

fn report(graph: &DesiredGraph, cycle: &[usize], program: &Program) -> Diagnostic {
    let nodes: Vec<&Address> =
        cycle.iter().filter_map(|at| graph.resources.get_index(*at)).map(|(a, _)| a).collect();
    let names: Vec<String> = nodes.iter().map(|address| format!("`{address}`")).collect();
    let mut places = BTreeMap::new();
    for (at, address) in nodes.iter().enumerate() {
        let next = nodes[(at + 1) % nodes.len()];
        let path = edge(graph, address, next);
        let label = format!("{}. {} needs {}", at + 1, names[at], names[(at + 1) % names.len()]);
        places.insert(program.span(address, &path), label);
    }
    let message = match names.as_slice() {
        [only] => format!("{only} needs itself first"),
        _ => format!("{} need each other first", names.join(" and ")),
    };
    let mut places = places.into_iter();
    let (span, label) = match places.next() {
        Some(place) => place,
        None => (program.span(nodes[0], ""), String::new()),
    };
    let mut diagnostic = Diagnostic::error(codes::E0405, span, message).label(label);
    for (span, label) in places {
        diagnostic = diagnostic.also(span, label);
    }
    diagnostic.help("take one of these references out, or cut `after`")
}

/// The attribute that refers from one resource to another; `after` if none does.
fn edge(graph: &DesiredGraph, from: &Address, to: &Address) -> String {
    let Some(resource) = graph.resources.get(from) else { return String::new() };
    let attribute = resource.attributes.iter().find(|(_, value)| {
        let mut refers = false;
        value.each_reference(&mut |target| refers |= target == to || target.parent() == Some(to));
        refers
    });
    attribute.map_or_else(|| "after".to_owned(), |(name, _)| name.to_string())
}
