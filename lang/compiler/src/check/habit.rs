//! Words of other tools that parse as ours: how the same is written here.

use tcloud_model::{Diagnostic, codes};
use tcloud_syntax::ast::Ident;

use crate::tree::Block;

/// A block of another tool: `variable env { … }`.
pub(crate) fn block(block: &Block) -> Option<Diagnostic> {
    let name = block.name.as_ref().map_or("NAME", |name| name.name.as_str());
    if block.kind.name == "component" {
        let message = "a component is declared without `for` and `if`";
        let help = format!("write them where it is used: `{name} main for n in 1..=2 {{ … }}`");
        return Some(Diagnostic::error(codes::E0107, block.head, message).help(help));
    }
    let ours = match block.kind.name.as_str() {
        "resource" => format!("KIND {name} {{ … }}"),
        "data" => format!("existing KIND {name} {{ … }}"),
        "variable" => format!("param {name}: String"),
        "locals" => "let NAME = …".to_owned(),
        "module" => format!("COMPONENT {name} {{ … }}"),
        "terraform" | "provider" => "provider = \"…\"` in a `host".to_owned(),
        "dynamic" => format!("{name} LABEL for x in xs {{ … }}"),
        "lifecycle" => "protect = true".to_owned(),
        "provisioner" => "cloud_init = { … }".to_owned(),
        _ => return None,
    };
    let message = format!("tcloud has no `{}` blocks", block.kind.name);
    Some(Diagnostic::error(codes::E0010, block.head, message).help(format!("write `{ours}`")))
}

/// An attribute of another tool: `count = 3`.
pub(crate) fn attribute(name: &Ident) -> Option<Diagnostic> {
    let ours = attribute_form(&name.name)?;
    let message = format!("tcloud has no `{}`", name.name);
    Some(Diagnostic::error(codes::E0010, name.span, message).help(format!("write `{ours}`")))
}

/// How an attribute of another tool is written here: `vcpus = 2`.
pub(crate) fn attribute_form(name: &str) -> Option<&'static str> {
    Some(match name {
        "count" => "vm web for n in 1..=3 { … }",
        "for_each" => "vm web for name in names { … }",
        "depends_on" => "after = [volume.archive]",
        "prevent_destroy" => "protect = true",
        "create_before_destroy" => "create_first = true",
        "ignore_changes" => "ignore = [memory]",
        "cpu" | "cpus" | "cores" => "vcpus = 2",
        "ram" | "mem" => "memory = 4GiB",
        "tags" => "labels = { … }",
        "replace_triggered_by" => "replace_when = [image.debian-12]",
        _ => return None,
    })
}

/// A value of another language, and what it is here: `True`.
pub(crate) fn value(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    let written = "truth is written `true` or `false`";
    Some(match word {
        "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => (written, Some("true")),
        "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => (written, Some("false")),
        "null" | "nil" | "none" | "None" | "undefined" => {
            ("leave the attribute out, or set it inside `if condition { … }`", None)
        }
        _ => return None,
    })
}

/// The first word of a path of another tool: `var.env`.
pub(crate) fn path(first: &str, second: Option<&str>) -> Option<String> {
    match first {
        "var" | "local" | "each" | "count" | "module" | "data" | "self" | "path" => {}
        _ => return None,
    }
    let name = second.unwrap_or("NAME");
    Some(match first {
        "var" | "local" => format!("write `{name}`: parameters and `let` are used by their names"),
        "each" | "count" => {
            "name the variable of the repetition: `for n in 1..=3`, then use `n`".to_owned()
        }
        "module" => format!("write `COMPONENT.{name}`"),
        "data" => "declare it with `existing KIND NAME { … }`, then write `KIND.NAME`".to_owned(),
        "path" => "paths in `file(\"…\")` begin at the root of the project".to_owned(),
        _ => "write the whole path: `network.office.cidr`".to_owned(),
    })
}
