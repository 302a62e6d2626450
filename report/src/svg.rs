//! What depends on what as a picture that needs no program to be drawn: boxes below each other, in
//! them the resources, and lines to what is needed first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::graph::Graph;
use crate::markup::escaped;

const CELL: [usize; 2] = [260, 26];
const GAP: [usize; 2] = [30, 14];
const COLUMNS: usize = 4;
const WIDTH: usize = 16 + COLUMNS * (CELL[0] + GAP[0]);

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1b1b1b}rect{fill:#fff;stroke:#53575e}\
    .box{fill:#f4f5f7;stroke:#b9bec6}.danger{stroke:#8b0a14;stroke-width:3}\
    path{fill:none;stroke:#53575e;stroke-opacity:.6}svg{background:#fff}";

pub(crate) fn draw(graph: &Graph<'_>, name: &str) -> String {
    let (mut boxes, mut cells) = (String::new(), String::new());
    let mut places: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    let mut y = 8;
    for (around, nodes) in &graph.boxes {
        let height = 24 + nodes.len().div_ceil(COLUMNS) * (CELL[1] + GAP[1]);
        let label = around.map(|own| escaped(&own.to_string())).unwrap_or_default();
        let _ = writeln!(
            boxes,
            "<rect class=\"box\" x=\"4\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>\
             <text x=\"12\" y=\"{}\">{label}</text>",
            WIDTH - 8,
            y + 17
        );
        for (number, node) in nodes.iter().enumerate() {
            let x = 12 + (number % COLUMNS) * (CELL[0] + GAP[0]);
            let top = y + 24 + (number / COLUMNS) * (CELL[1] + GAP[1]);
            places.insert(node.number, [x, top]);
            cell([x, top], &node.label, node.danger, &mut cells);
        }
        y += height + 10;
    }
    let mut lines = String::new();
    for (from, to) in &graph.edges {
        if let (Some([x, top]), Some([to_x, to_top])) = (places.get(from), places.get(to)) {
            let middle = CELL[0] / 2;
            let _ = writeln!(
                lines,
                "<path d=\"M{} {top} L{} {}\" marker-end=\"url(#end)\"/>",
                x + middle,
                to_x + middle,
                to_top + CELL[1]
            );
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {WIDTH} {y}\" \
         width=\"{WIDTH}\" height=\"{y}\">\n<title>{name}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8\"/></marker></defs>\n\
         {boxes}{lines}{cells}</svg>\n"
    )
}

fn cell(at: [usize; 2], label: &str, danger: bool, cells: &mut String) {
    let [x, y] = at;
    let class = if danger { " class=\"danger\"" } else { "" };
    let short = match label.char_indices().nth(34) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    };
    let _ = writeln!(
        cells,
        "<g><title>{}</title><rect{class} x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"3\"/>\
         <text x=\"{}\" y=\"{}\">{}</text></g>",
        escaped(label),
        CELL[0],
        CELL[1],
        x + 6,
        y + 18,
        escaped(&short)
    );
}
