//! An order for things that have to come before others. Some orders are only wishes: they give way
//! where they would close a circle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

/// How much an order counts, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// Tidy: what goes away goes before what it used changes.
    Tidy,
    /// Roomy: on a full host, what goes away goes before what takes its room comes.
    Room,
    /// Careful: who held something lets go of it before it goes away.
    Release,
    /// As stamps remember it. Stamps of different runs may disagree with each other and the text.
    Stored,
    /// Exclusive: who has something lets go of it before another takes it.
    Handed,
    /// Has to be.
    Hard,
}

/// Things, by number, and what has to come before what.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: usize,
    edges: Vec<(u32, u32, Strength)>,
}

/// The nodes in an order, and for each node those that have to be finished first.
#[derive(Debug, PartialEq)]
pub(crate) struct Order {
    /// A permutation of the nodes.
    pub sequence: Vec<u32>,
    /// By node: what it waits for, sorted, without what others it waits for imply.
    pub after: Vec<Vec<u32>>,
}

impl Graph {
    /// So many nodes, without any order.
    pub(crate) fn new(nodes: usize) -> Graph {
        Graph { nodes, edges: Vec::new() }
    }

    /// `first` comes before `then`.
    pub(crate) fn before(&mut self, first: u32, then: u32, strength: Strength) {
        if first != then {
            self.edges.push((first, then, strength));
        }
    }

    /// Finds an order.
    ///
    /// # Errors
    /// The nodes of a circle that no wish can open, in its order.
    pub(crate) fn order(mut self) -> Result<Order, Vec<u32>> {
        // The strongest edge between two nodes counts.
        self.edges
            .sort_unstable_by_key(|(first, then, strength)| (*first, *then, Reverse(*strength)));
        self.edges.dedup_by_key(|(first, then, _)| (*first, *then));
        if let Some(sequence) = self.sequence() {
            return Ok(self.finish(sequence));
        }
        let wishes =
            [Strength::Tidy, Strength::Room, Strength::Release, Strength::Stored, Strength::Handed];
        for weakest in wishes {
            self.open_circles(weakest);
            if let Some(sequence) = self.sequence() {
                return Ok(self.finish(sequence));
            }
        }
        Err(self.circle())
    }

    /// Kahn's algorithm, the lowest number first, so that the order is always the same.
    fn sequence(&self) -> Option<Vec<u32>> {
        let mut waits = vec![0_u32; self.nodes];
        for (_, then, _) in &self.edges {
            waits[*then as usize] += 1;
        }
        // The edges are sorted.
        let next = |node: u32| {
            let start = self.edges.partition_point(|(first, ..)| *first < node);
            self.edges[start..].iter().take_while(move |(first, ..)| *first == node)
        };
        let ready = (0..).zip(&waits).filter(|(_, count)| **count == 0);
        let mut ready: BinaryHeap<Reverse<u32>> = ready.map(|(node, _)| Reverse(node)).collect();
        let mut sequence = Vec::with_capacity(self.nodes);
        while let Some(Reverse(node)) = ready.pop() {
            sequence.push(node);
            for (_, then, _) in next(node) {
                let left = &mut waits[*then as usize];
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse(*then));
                }
            }
        }
        (sequence.len() == self.nodes).then_some(sequence)
    }

    /// By node, which knot it belongs to; nodes of one knot reach each other.
    fn knots(&self) -> (DiGraph<(), Strength>, Vec<usize>, Vec<Vec<NodeIndex>>) {
        let mut graph = DiGraph::with_capacity(self.nodes, self.edges.len());
        for _ in 0..self.nodes {
            graph.add_node(());
        }
        for (first, then, strength) in &self.edges {
            graph.add_edge(NodeIndex::from(*first), NodeIndex::from(*then), *strength);
        }
        let knots = petgraph::algo::kosaraju_scc(&graph);
        let mut of = vec![0; self.nodes];
        for (number, knot) in knots.iter().enumerate() {
            for node in knot {
                of[node.index()] = number;
            }
        }
        (graph, of, knots)
    }

    /// Takes the edges of one strength out of all circles.
    fn open_circles(&mut self, weakest: Strength) {
        let (_, of, _) = self.knots();
        self.edges.retain(|(first, then, strength)| {
            of[*first as usize] != of[*then as usize] || *strength != weakest
        });
    }

    /// A shortest circle through the first node that is on one.
    fn circle(&self) -> Vec<u32> {
        let (graph, of, knots) = self.knots();
        let start = (0..).zip(&of).find(|(_, knot)| knots[**knot].len() > 1);
        let Some((start, own)) = start else { return Vec::new() };
        let mut came: Vec<Option<u32>> = vec![None; self.nodes];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            let edges = graph.edges(NodeIndex::from(node));
            let mut next: Vec<NodeIndex> = edges.map(|edge| edge.target()).collect();
            next.sort_unstable();
            for then in next.into_iter().filter(|then| of[then.index()] == *own) {
                if then == NodeIndex::from(start) {
                    return walk_back(&came, start, node);
                }
                let earlier = &mut came[then.index()];
                if earlier.is_none() {
                    *earlier = Some(node);
                    queue.push_back(number(then.index()));
                }
            }
        }
        vec![start]
    }

    fn finish(self, sequence: Vec<u32>) -> Order {
        let mut all: Vec<Vec<u32>> = vec![Vec::new(); self.nodes];
        for (first, then, _) in self.edges {
            all[then as usize].push(first);
        }
        let mut after: Vec<Vec<u32>> = vec![Vec::new(); self.nodes];
        let mut implied = vec![u32::MAX; self.nodes];
        for node in &sequence {
            // What something waits for that this waits for need not be said again. Looking one
            // step back finds most of it at a small price; what waits for very many is not asked.
            let mut needed = std::mem::take(&mut all[*node as usize]);
            let before = needed.iter().map(|first| &after[*first as usize]);
            for earlier in before.filter(|all| all.len() <= FAN).flatten() {
                implied[*earlier as usize] = *node;
            }
            needed.retain(|first| implied[*first as usize] != *node);
            needed.sort_unstable();
            after[*node as usize] = needed;
        }
        Order { sequence, after }
    }
}

/// A position as the number of a node; there is no room in memory for more of them.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// How many predecessors of a predecessor are looked at.
const FAN: usize = 32;

fn walk_back(came: &[Option<u32>], start: u32, end: u32) -> Vec<u32> {
    let mut path = vec![end];
    let mut at = end;
    while at != start {
        let Some(earlier) = came[at as usize] else { break };
        path.push(earlier);
        at = earlier;
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(u32, u32, Strength)]) -> Graph {
        let mut graph = Graph::new(nodes);
        for (first, then, strength) in edges {
            graph.before(*first, *then, *strength);
        }
        graph
    }

    #[test]
    fn a_full_graph_becomes_a_chain() {
        let mut full = Graph::new(40);
        for then in 0..40 {
            for first in 0..then {
                full.before(first, then, Strength::Hard);
            }
        }
        let order = full.order().expect("it has an order");
        assert_eq!(order.sequence, (0..40).collect::<Vec<_>>());
        for node in 1..40 {
            assert_eq!(order.after[node as usize], [node - 1]);
        }
    }

    #[test]
    fn wishes_give_way_and_needs_do_not() {
        let edges = [(0, 1, Strength::Hard), (1, 2, Strength::Release), (2, 0, Strength::Tidy)];
        let order = graph(3, &edges).order().expect("the wish gives way");
        assert_eq!(order.sequence, [0, 1, 2]);
        let edges = [(0, 1, Strength::Hard), (1, 2, Strength::Hard), (2, 0, Strength::Hard)];
        assert_eq!(graph(3, &edges).order(), Err(vec![0, 1, 2]));
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let mut chain = Graph::new(200_000);
        for node in 1..200_000 {
            chain.before(node, node - 1, Strength::Hard);
        }
        chain.before(0, 199_999, Strength::Tidy);
        let order = chain.order().expect("it has an order");
        assert_eq!(order.sequence.first(), Some(&199_999));
    }
}
