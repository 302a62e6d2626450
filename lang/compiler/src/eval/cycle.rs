//! What is being computed, and the message when it needs itself.

use tcloud_model::{Diagnostic, codes};

use super::{Active, DEEPEST, Eval, Evaluated, InstanceId, Node, Stop};
use crate::tree::DefKind;

impl Eval<'_> {
    /// Notes that something is being computed; [`Eval::leave`] has to follow.
    pub(super) fn enter(&mut self, node: Node) -> Evaluated<()> {
        if let Some(start) = self.active.iter().position(|active| active.node == node) {
            return Err(self.report_cycle(start));
        }
        if self.active.len() == DEEPEST {
            let at = self.asking;
            return Err(self.report(
                Diagnostic::error(codes::E0406, at, "too many definitions wait for one another")
                    .label(format!("{DEEPEST} deep"))
                    .help("compute from the number of the instance instead of from its neighbour"),
            ));
        }
        self.active.push(Active { node, asked: self.asking });
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.active.pop();
    }

    fn report_cycle(&mut self, start: usize) -> Stop {
        let path: Vec<(String, tcloud_model::Span)> = self.active[start..]
            .iter()
            .map(|active| (self.describe_node(active.node), active.asked))
            .collect();
        let closing = self.asking;
        let Some((first, _)) = path.first() else { return Stop::Reported };
        if path.len() == 1 {
            return self.report(
                Diagnostic::error(codes::E0402, closing, format!("{first} needs itself"))
                    .label("here")
                    .help("compute it from something else"),
            );
        }
        // Edge n is where node n asks for the next one, which is where the next one was asked for.
        let names: Vec<&str> = path.iter().map(|(name, _)| name.as_str()).collect();
        let mut edges: Vec<_> = path.iter().skip(1).map(|(_, asked)| *asked).collect();
        edges.push(closing);
        let message = format!("{} wait for each other", names.join(" and "));
        let label = |at: usize| {
            let next = names[(at + 1) % names.len()];
            format!("{}. {} needs {next}", at + 1, names[at])
        };
        // The smallest range is the primary one, so that the message is the same wherever the
        // evaluation happened to begin.
        let primary = (0..edges.len()).min_by_key(|at| edges[*at]).unwrap_or(0);
        let mut diagnostic =
            Diagnostic::error(codes::E0401, edges[primary], message).label(label(primary));
        for (at, edge) in edges.iter().enumerate().filter(|(at, _)| *at != primary) {
            diagnostic = diagnostic.also(*edge, label(at));
        }
        self.report(diagnostic.help("cut one of these edges: give one of them a value of its own"))
    }

    fn describe_node(&self, node: Node) -> String {
        match node {
            Node::Def(instance, def) => {
                let def = self.tree.def(def);
                match def.kind {
                    DefKind::Attribute | DefKind::Output => {
                        format!("`{}`", self.attribute_path(instance, &def.name.name))
                    }
                    DefKind::Let | DefKind::Param => format!("`{}`", def.name.name),
                }
            }
            Node::Call(function) => {
                format!("function `{}`", self.tree.functions[function.index()].ast.name.name)
            }
            Node::Expansion(instance, position) => match self.child(instance, position) {
                Some(child) => crate::check::structure::describe(self.tree.block(child.block)),
                None => "a block".to_owned(),
            },
        }
    }

    /// An attribute for people: `tenant.a.vm.web.memory`.
    pub(super) fn attribute_path(&self, instance: InstanceId, name: &str) -> String {
        format!("{}.{name}", self.instance_path(instance))
    }

    /// An instance for people; a nested block without a name is told by its word.
    pub(super) fn instance_path(&self, id: InstanceId) -> String {
        let instance = self.state.get(id);
        if let Some(address) = &instance.address {
            return address.to_string();
        }
        let word = instance.block.map(|block| self.tree.block(block).kind.name.as_str());
        match (instance.parent, word) {
            (Some(parent), Some(word)) => format!("{}.{word}", self.instance_path(parent)),
            _ => "the configuration".to_owned(),
        }
    }
}
