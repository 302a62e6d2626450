//! A kind as `tcloud explain` shows it: what it is, an example, and each attribute with its type,
//! its default and what changing it does to a running guest. Providers describe kinds too, so that
//! nothing of it is shown raw.

use std::fmt::Write as _;

use tcloud_model::{Attribute, Block, Cost, Role, Schema};

use crate::escape::{escape, escape_lines};
use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{width, wrap};

/// The page of a kind.
pub(crate) fn kind(schema: &Schema, palette: Palette) -> String {
    let mut text =
        format!("{}\n\n", palette.paint(Tone::Strong, &format!("kind {}", escape(&schema.kind))));
    paragraphs(&mut text, &schema.doc, 0);
    let _ = writeln!(text, "\n{}\n", wrap(&standing(schema), WIDTH, 0));
    for line in schema.example.lines() {
        let _ = writeln!(text, "    {}", palette.paint(Tone::Change, &escape(line)));
    }
    if !schema.attributes.is_empty() {
        let _ = writeln!(text, "\n{}\n", palette.paint(Tone::Strong, "Attributes"));
    }
    for attribute in &schema.attributes {
        describe(&mut text, attribute, 2, palette);
    }
    if !schema.blocks.is_empty() {
        let _ = writeln!(text, "\n{}\n", palette.paint(Tone::Strong, "Blocks"));
    }
    for block in &schema.blocks {
        nested(&mut text, block, 2, palette);
    }
    text
}

/// Where it may stand, and what tcloud does with it.
fn standing(schema: &Schema) -> String {
    let inside: Vec<String> =
        schema.within.iter().map(|kind| format!("`{}`", escape(kind))).collect();
    let place = match (schema.top_level, inside.is_empty()) {
        (true, true) => "Stands at the top level.".to_owned(),
        (true, false) => format!("Stands at the top level or in {}.", inside.join(" or ")),
        (false, _) => format!("Stands in {}.", inside.join(" or ")),
    };
    let role = match schema.role {
        Role::Scope | Role::Fact => "Nothing is created for it.",
        Role::Single => "Exists once, on one host.",
        Role::PerHost => "Exists on every host that needs it.",
        Role::Part => "Is a part of what it stands in.",
    };
    format!("{place} {role}")
}

fn nested(text: &mut String, block: &Block, indent: usize, palette: Palette) {
    let label = if block.labelled { " NAME" } else { "" };
    let head = palette.paint(Tone::Good, &format!("{}{label} {{ … }}", escape(&block.name)));
    let _ = writeln!(text, "{:indent$}{head}", "");
    paragraphs(text, &block.doc, indent + 4);
    for attribute in &block.attributes {
        describe(text, attribute, indent + 4, palette);
    }
    for inner in &block.blocks {
        nested(text, inner, indent + 4, palette);
    }
}

fn describe(text: &mut String, attribute: &Attribute, indent: usize, palette: Palette) {
    let mut notes = Vec::new();
    if attribute.required {
        notes.push("required".to_owned());
    }
    if let Some(default) = &attribute.default {
        notes.push(format!("default {default}"));
    }
    if let Some(least) = &attribute.least {
        notes.push(format!("{least} or more"));
    }
    if attribute.assigned {
        notes.push("given by tcloud when not set".to_owned());
    }
    if attribute.computed {
        notes.push("worked out by tcloud, never set".to_owned());
    }
    if !attribute.steering {
        notes.push(cost(&attribute.cost));
    }
    let (name, ty) = (escape(&attribute.name), attribute.ty.to_string());
    let ty = escape(&ty);
    let plain = format!("{name}: {ty}");
    let name = palette.paint(Tone::Good, &name);
    let notes = escape(&notes.join(" · ")).into_owned();
    if indent + width(&plain) + 3 + width(&notes) <= WIDTH && !notes.is_empty() {
        let notes = palette.paint(Tone::Faint, &notes);
        let _ = writeln!(text, "{:indent$}{name}: {ty}   {notes}", "");
    } else {
        let deep = indent + 4;
        let line = wrap(&format!("{name}: {ty}"), WIDTH - indent, deep);
        let _ = writeln!(text, "{:indent$}{line}", "");
        if !notes.is_empty() {
            let notes = palette.paint(Tone::Faint, &notes);
            let _ = writeln!(text, "{:deep$}{notes}", "");
        }
    }
    paragraphs(text, &attribute.doc, indent + 4);
}

/// What a change does.
fn cost(cost: &Cost) -> String {
    match cost {
        Cost::Always(impact) => format!("change: {impact}"),
        Cost::Direction { grow, shrink } => format!("grow: {grow}, shrink: {shrink}"),
        Cost::Ceiling { ceiling, step, within, beyond, shrink } => {
            let steps = step.as_ref().map(|step| format!(" by {step}")).unwrap_or_default();
            format!("grow{steps}: {within} up to {ceiling}, {beyond} beyond, shrink: {shrink}")
        }
    }
}

fn paragraphs(text: &mut String, doc: &str, indent: usize) {
    for paragraph in
        escape_lines(doc).split("\n\n").filter(|paragraph| !paragraph.trim().is_empty())
    {
        let _ = writeln!(text, "{:indent$}{}", "", wrap(paragraph, WIDTH - indent, indent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_fits_the_terminal_and_names_each_attribute() {
        for schema in tcloud_model::kinds::core() {
            let text = kind(&schema, Palette::PLAIN);
            let is_example = |line: &&str| line.starts_with("    ") && line.contains("https://");
            for line in text.lines().filter(|line| !is_example(line)) {
                assert!(width(line) <= WIDTH, "{}: {line}", schema.kind);
            }
            for attribute in &schema.attributes {
                assert!(text.contains(&format!("  {}: ", attribute.name)), "{}", attribute.name);
            }
        }
    }
}
