//! What depends on what, as a drawing for Graphviz or Mermaid, or as a picture: the resources of a configuration, or
//! the steps of a plan.

use std::fmt::Write as _;

use indexmap::IndexMap;
use tcloud_model::{Address, DesiredGraph, Impact};
use tcloud_planner::Plan;
use tcloud_planner::plan::Step;

use crate::svg;
use crate::text::clean;

/// A language for graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Graphviz.
    Dot,
    /// Mermaid, which code forges draw by themselves.
    Mermaid,
    /// A finished picture.
    Svg,
}

/// The resources of a configuration; arrows lead to what is needed first. Sites and tenants are
/// boxes around what stands in them.
pub fn resources(desired: &DesiredGraph, format: Format) -> String {
    let mut graph = Graph::default();
    let shown = desired.resources.values().filter(|resource| !is_box(&resource.address));
    let nodes: IndexMap<&Address, usize> =
        shown.clone().enumerate().map(|(number, resource)| (&resource.address, number)).collect();
    for resource in shown {
        let number = nodes[&resource.address];
        let (around, label) = within_box(&resource.address);
        graph.node(around, Node { number, label, danger: false });
        let needed = resource.dependencies.iter().filter_map(|needed| nodes.get(needed));
        graph.edges.extend(needed.map(|needed| (number, *needed)));
    }
    graph.write(format, "resources")
}

/// The steps of a plan; arrows lead from a step to those that wait for it. Steps that lose data are
/// marked.
pub fn steps(plan: &Plan, format: Format) -> String {
    let mut graph = Graph::default();
    for (number, step) in plan.steps.iter().enumerate() {
        let (around, node) = step_node(plan, step, number);
        graph.node(around, node);
        graph.edges.extend(step.after.iter().map(|first| (first.0 as usize, number)));
    }
    graph.write(format, "steps")
}

fn step_node<'a>(plan: &'a Plan, step: &'a Step, number: usize) -> (Option<&'a Address>, Node) {
    let change = plan.changes.get(step.change as usize);
    let object = match &step.operation {
        Some(operation) => Some(&operation.object),
        None => change.map(|change| &change.object),
    };
    let Some(object) = object else {
        return (None, Node { number, label: "record".to_owned(), danger: false });
    };
    let word = step.operation.as_ref().map_or("record", |operation| operation.action.word());
    let (around, name) = within_box(&object.address);
    let mut label = format!("{word} {name}");
    if object.incarnation > 0 {
        let _ = write!(label, "#{}", object.incarnation);
    }
    let _ = write!(label, " on {}", object.host.last_name());
    let danger = change.is_some_and(|change| change.impact == Impact::RecreateLose);
    (around, Node { number, label, danger })
}

fn is_box(address: &Address) -> bool {
    address.depth() == 1 && matches!(address.kind().as_str(), "site" | "tenant")
}

/// The site or tenant around a resource, and the rest of its address.
fn within_box(address: &Address) -> (Option<&Address>, String) {
    let ancestry = address.ancestry();
    match ancestry.split_first() {
        Some((first, rest)) if is_box(first) && !rest.is_empty() => {
            let segments: Vec<String> = rest.iter().map(|part| part.last_segment()).collect();
            (Some(first), segments.join("."))
        }
        _ => (None, address.to_string()),
    }
}

#[derive(Default)]
pub(crate) struct Graph<'a> {
    pub(crate) boxes: IndexMap<Option<&'a Address>, Vec<Node>>,
    pub(crate) edges: Vec<(usize, usize)>,
}

pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) label: String,
    pub(crate) danger: bool,
}

impl<'a> Graph<'a> {
    fn node(&mut self, around: Option<&'a Address>, node: Node) {
        self.boxes.entry(around).or_default().push(node);
    }

    fn write(mut self, format: Format, name: &str) -> String {
        self.boxes.sort_unstable_keys();
        match format {
            Format::Dot => self.dot(name),
            Format::Mermaid => self.mermaid(),
            Format::Svg => svg::draw(&self, name),
        }
    }

    fn dot(&self, name: &str) -> String {
        let mut text = format!("digraph {name} {{\n  rankdir = LR\n  node [shape = box]\n");
        for (number, (around, nodes)) in self.boxes.iter().enumerate() {
            if let Some(around) = around {
                let label = dot_label(&around.to_string());
                let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label = {label}");
            }
            let indent = if around.is_some() { "    " } else { "  " };
            for node in nodes {
                let mark = if node.danger { ", color = red, penwidth = 2" } else { "" };
                let label = dot_label(&node.label);
                let _ = writeln!(text, "{indent}n{} [label = {label}{mark}]", node.number);
            }
            if around.is_some() {
                text.push_str("  }\n");
            }
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  n{from} -> n{to}");
        }
        text.push_str("}\n");
        text
    }

    fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (number, (around, nodes)) in self.boxes.iter().enumerate() {
            if let Some(around) = around {
                let label = mermaid_label(&around.to_string());
                let _ = writeln!(text, "  subgraph g{number}[{label}]");
            }
            let indent = if around.is_some() { "    " } else { "  " };
            for node in nodes {
                let mark = if node.danger { ":::danger" } else { "" };
                let label = mermaid_label(&node.label);
                let _ = writeln!(text, "{indent}n{}[{label}]{mark}", node.number);
            }
            if around.is_some() {
                text.push_str("  end\n");
            }
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
        if self.boxes.values().flatten().any(|node| node.danger) {
            text.push_str("  classDef danger stroke:#c00,stroke-width:3px\n");
        }
        text
    }
}

fn dot_label(text: &str) -> String {
    format!("\"{}\"", clean(text).replace('\\', "\\\\").replace('"', "\\\""))
}

fn mermaid_label(text: &str) -> String {
    let mut label = String::from("\"");
    for c in clean(text).chars() {
        match c {
            '"' => label.push_str("#quot;"),
            '#' => label.push_str("#35;"),
            '&' => label.push_str("#amp;"),
            '<' => label.push_str("#lt;"),
            '>' => label.push_str("#gt;"),
            c => label.push(c),
        }
    }
    label.push('"');
    label
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tcloud_model::{DesiredResource, Fields, FileId, Lifecycle, Span};

    use super::*;
    use crate::example;

    fn desired(resources: &[(&str, &[&str])]) -> DesiredGraph {
        let address = |text: &&str| text.parse::<Address>().expect(text);
        let resources = resources.iter().map(|(name, needs)| {
            let resource = DesiredResource {
                address: address(name),
                attributes: Arc::new(Fields::new()),
                dependencies: needs.iter().map(address).collect(),
                lifecycle: Lifecycle::default(),
                deferred: false,
                span: Span::new(FileId(0), 0, 0),
            };
            (resource.address.clone(), resource)
        });
        DesiredGraph { resources: resources.collect(), ..DesiredGraph::default() }
    }

    #[test]
    fn resources_stand_in_the_box_of_their_tenant() {
        let graph = desired(&[
            ("image.debian-12", &[]),
            ("tenant.a", &[]),
            ("tenant.a.network.office", &["tenant.a"]),
            ("tenant.a.vm.web[\"x\"]", &["tenant.a", "tenant.a.network.office", "image.debian-12"]),
        ]);
        assert_eq!(
            resources(&graph, Format::Dot),
            r#"digraph resources {
  rankdir = LR
  node [shape = box]
  n0 [label = "image.debian-12"]
  subgraph cluster_1 {
    label = "tenant.a"
    n1 [label = "network.office"]
    n2 [label = "vm.web[\"x\"]"]
  }
  n2 -> n1
  n2 -> n0
}
"#
        );
        assert_eq!(
            resources(&graph, Format::Mermaid),
            r#"flowchart LR
  n0["image.debian-12"]
  subgraph g1["tenant.a"]
    n1["network.office"]
    n2["vm.web[#quot;x#quot;]"]
  end
  n2 --> n1
  n2 --> n0
"#
        );
    }

    #[test]
    fn a_picture_has_a_box_and_a_line_for_each() {
        let graph = desired(&[
            ("tenant.a", &[]),
            ("tenant.a.network.office", &["tenant.a"]),
            ("tenant.a.vm.web[\"<x>\"]", &["tenant.a", "tenant.a.network.office"]),
        ]);
        let text = resources(&graph, Format::Svg);
        assert_eq!(text.matches("<rect class=\"box\"").count(), 1);
        assert_eq!(text.matches("<g>").count(), 2);
        assert_eq!(text.matches("marker-end").count(), 1);
        assert!(text.contains("<title>vm.web[&quot;&lt;x&gt;&quot;]</title>"), "{text}");
    }

    #[test]
    fn steps_that_lose_data_are_marked() {
        let text = steps(&example::plan(), Format::Mermaid);
        assert!(text.contains(r#"n2["record vm.geo-db.disk.root on kvm1"]:::danger"#), "{text}");
        assert!(text.contains("n0 --> n3\n  n2 --> n3\n  classDef danger"), "{text}");
        let text = steps(&example::plan(), Format::Dot);
        assert!(text.contains("on kvm1\", color = red, penwidth = 2]"), "{text}");
    }
}
