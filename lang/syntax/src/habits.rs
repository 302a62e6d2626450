//! Words that cannot be names, and forms of other tools that are wrong by their form alone. What is a
//! valid text but hardly meant – `count = 3`, `var.env` – is the compiler's to tell.

use tcloud_model::{Diagnostic, Name, Span, codes};

use crate::ast::Ident;

/// The words that begin or join statements and expressions, and those that are values: with such a
/// name, what refers to it could not be read.
const RESERVED: [&str; 22] = [
    "adopt",
    "assert",
    "check",
    "component",
    "defaults",
    "else",
    "existing",
    "false",
    "fn",
    "for",
    "forget",
    "if",
    "in",
    "let",
    "moved",
    "output",
    "param",
    "then",
    "true",
    "type",
    "use",
    "where",
];

/// Whether a word belongs to the language and cannot be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// A block in another tool's form.
pub(crate) struct BlockHabit {
    pub(crate) diagnostic: Diagnostic,
    /// The kind that was probably meant.
    pub(crate) kind: Ident,
    /// The name that was given.
    pub(crate) name: Option<Ident>,
}

/// Recognises `resource "vm" "web" {`, `variable "env" {` and the like by their heads.
pub(crate) fn block(kind: &Ident, labels: &[Ident], head: Span) -> Option<BlockHabit> {
    let quoted = |ident: &Ident| ident.span.length() == ident.name.len() + 2;
    let word = |ident: &Ident| Ident {
        name: Name::from(as_word(&ident.name).unwrap_or_else(|| ident.name.to_string())),
        span: ident.span,
    };
    let error =
        |message: String, help: String| Diagnostic::error(codes::E0010, head, message).help(help);
    let (diagnostic, kind, name) = match (&*kind.name, labels) {
        ("resource", [of, name]) if quoted(of) => {
            let (mut of, name) = (word(of), word(name));
            if let Some(kind) = kind_of(&of.name) {
                of.name = Name::from(kind);
            }
            let written = format!("{} {}", of.name, name.name);
            let message = format!("tcloud writes `{written} {{ … }}`");
            let help = "the kind comes first, and names stand without quotes".to_owned();
            (error(message, help).fix(head, written), of, Some(name))
        }
        ("data", [of, name]) if quoted(of) => {
            let (mut of, name) = (word(of), word(name));
            if let Some(kind) = kind_of(&of.name) {
                of.name = Name::from(kind);
            }
            let written = format!("existing {} {}", of.name, name.name);
            let message = "what exists already is declared with `existing`".to_owned();
            let help = format!("write `{written} {{ … }}`");
            (error(message, help).fix(head, written), of, Some(name))
        }
        ("variable", [name]) => {
            let message = "a variable is declared with `param`".to_owned();
            let help = format!("write `param {}: String = \"…\"`", snake(&name.name));
            (error(message, help), kind.clone(), Some(name.clone()))
        }
        ("output", [name]) => {
            let message = "an output is one line".to_owned();
            let help = format!("write `output {} = …`", snake(&name.name));
            (error(message, help), kind.clone(), Some(name.clone()))
        }
        ("locals", []) => {
            let message = "names for values are given one by one with `let`".to_owned();
            (error(message, "write `let name = value` for each".to_owned()), kind.clone(), None)
        }
        ("module", [name]) if quoted(name) => {
            let name = word(name);
            let message = "a component is used like a kind".to_owned();
            let help =
                format!("write `use \"…\"` for its source, and `COMPONENT {} {{ … }}`", name.name);
            (error(message, help), kind.clone(), Some(name))
        }
        ("provider" | "terraform", _) if labels.iter().all(quoted) => {
            let message = "providers are set up in `tcloud.toml`".to_owned();
            let help = "remove this block; a host names its provider: `provider = \"libvirt\"`";
            (error(message, help.to_owned()), kind.clone(), labels.first().cloned())
        }
        _ => return None,
    };
    Some(BlockHabit { diagnostic, kind, name })
}

/// The kind that Terraform's providers for virtual machines call differently.
fn kind_of(resource: &str) -> Option<&'static str> {
    match resource {
        "libvirt-domain"
        | "proxmox-vm-qemu"
        | "proxmox-virtual-environment-vm"
        | "vsphere-virtual-machine"
        | "openstack-compute-instance-v2"
        | "aws-instance"
        | "incus-instance" => Some("vm"),
        "libvirt-volume" | "openstack-blockstorage-volume-v3" | "aws-ebs-volume" => Some("volume"),
        "libvirt-network" | "openstack-networking-network-v2" | "aws-vpc" => Some("network"),
        "libvirt-pool" => Some("pool"),
        _ => None,
    }
}

/// The nearest text that may be a name: `Web_1` becomes `web-1`.
pub(crate) fn as_word(text: &str) -> Option<String> {
    let mut word = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' => word.push(c),
            'A'..='Z' => word.push(c.to_ascii_lowercase()),
            '_' | ' ' | '.' | '/' => word.push('-'),
            'ä' | 'Ä' => word.push_str("ae"),
            'ö' | 'Ö' => word.push_str("oe"),
            'ü' | 'Ü' => word.push_str("ue"),
            'ß' => word.push_str("ss"),
            '\u{308}' if word.ends_with(['a', 'o', 'u']) => word.push('e'),
            _ => return None,
        }
    }
    let word = word.trim_matches('-').to_owned();
    Name::is_word(&word).then_some(word)
}

fn snake(text: &str) -> String {
    text.replace('-', "_")
}

/// The name of a type that another tool calls differently.
pub(crate) fn type_name(word: &str) -> Option<&'static str> {
    match word {
        "string" | "str" => Some("String"),
        "number" | "int" | "integer" => Some("Int"),
        "bool" | "boolean" => Some("Bool"),
        "float" | "double" => Some("Float"),
        _ => None,
    }
}
