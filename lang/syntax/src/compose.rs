//! Text made from values: what a program found becomes text that the parser reads back as the same
//! values. Nothing that comes from outside can end a text, a comment or a block.

use std::fmt::Write as _;

use tcloud_model::value::{is_unsafe_to_print, write_quoted};
use tcloud_model::{Address, AttrPath, Fields, Name, Value};

use crate::ast::BlockForm;
use crate::format;

/// How many attributes a block on one line has at most, and how wide the line may be.
const FEW: usize = 3;
const WIDTH: usize = 90;

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A blank line.
    Blank,
    /// `// …`, on lines of its own.
    Comment(String),
    /// `in tenant rhoenblick`; only as the first part, and everything after it lies in there.
    In(Address),
    /// `vm web { … }`
    Block {
        /// What stands before the kind.
        form: BlockForm,
        /// The kind, or the name of a nested block.
        kind: Name,
        /// Its name; a word ([`Name::is_word`]).
        name: Option<Name>,
        /// What stands in it.
        body: Vec<Part>,
    },
    /// `memory = 8GiB`
    Attribute(Name, Value),
    /// `ignore = ["disk.root.bus"]`
    Paths(Name, Vec<AttrPath>),
    /// `adopt A from "name" on site.m.host.kvm1`
    Adopt {
        /// What it becomes.
        address: Address,
        /// Its name or UUID on the host.
        from: String,
        /// The host.
        host: Address,
    },
}

/// Writes a text in its usual form. References into `scope` are written as they are within it.
pub fn compose(parts: &[Part], scope: Option<&Address>) -> String {
    let mut text = String::new();
    Writer { text: &mut text, scope: scope.map(|scope| format!("{scope}.")) }.parts(parts, 0);
    format(&text)
}

struct Writer<'t> {
    text: &'t mut String,
    /// What references within the scope begin with.
    scope: Option<String>,
}

impl Writer<'_> {
    fn parts(&mut self, parts: &[Part], indent: usize) {
        for part in parts {
            self.part(part, indent);
        }
    }

    fn part(&mut self, part: &Part, indent: usize) {
        let pad = "  ".repeat(indent);
        match part {
            Part::Blank => self.text.push('\n'),
            Part::Comment(comment) => {
                for line in comment.lines() {
                    let _ = write!(self.text, "{pad}// ");
                    self.plain(line);
                    self.text.push('\n');
                }
            }
            Part::In(scope) => {
                let _ = writeln!(self.text, "{pad}in {} {}\n", scope.kind(), scope.name());
            }
            Part::Block { form, kind, name, body } => {
                let form = match form {
                    BlockForm::Own => "",
                    BlockForm::Existing => "existing ",
                    BlockForm::Defaults => "defaults ",
                };
                let _ = write!(self.text, "{pad}{form}{kind} ");
                if let Some(name) = name {
                    let _ = write!(self.text, "{name} ");
                }
                if self.short(body, indent) {
                    return;
                }
                self.text.push_str("{\n");
                self.parts(body, indent + 1);
                let _ = writeln!(self.text, "{pad}}}");
            }
            Part::Attribute(name, value) => {
                let _ = write!(self.text, "{pad}{name} = ");
                self.value(value);
                self.text.push('\n');
            }
            Part::Paths(name, paths) => {
                let paths = paths.iter().map(|path| Value::text(&path.to_string())).collect();
                self.part(&Part::Attribute(name.clone(), Value::list(paths)), indent);
            }
            Part::Adopt { address, from, host } => {
                let from = Value::text(from);
                let _ = writeln!(self.text, "{pad}adopt {address} from {from} on {host}");
            }
        }
    }

    /// Writes a body with few attributes and nothing else on the line of its head, if it fits.
    fn short(&mut self, body: &[Part], indent: usize) -> bool {
        let attributes: Vec<(&Name, &Value)> = body
            .iter()
            .filter_map(|part| match part {
                Part::Attribute(name, value) => Some((name, value)),
                _ => None,
            })
            .collect();
        if attributes.len() != body.len() || body.len() > FEW || (indent == 0 && !body.is_empty()) {
            return false;
        }
        let start = self.text.len();
        self.text.push_str(if body.is_empty() { "{" } else { "{ " });
        for (at, (name, value)) in attributes.into_iter().enumerate() {
            let _ = write!(self.text, "{}{name} = ", if at == 0 { "" } else { ", " });
            self.value(value);
        }
        self.text.push_str(if body.is_empty() { "}\n" } else { " }\n" });
        let line = self.text.lines().next_back().unwrap_or_default();
        let fits = line.chars().count() <= WIDTH;
        if !fits {
            self.text.truncate(start);
        }
        fits
    }

    fn plain(&mut self, line: &str) {
        for c in line.chars() {
            if is_unsafe_to_print(c) {
                let _ = write!(self.text, "\\u{{{:x}}}", u32::from(c));
            } else {
                self.text.push(c);
            }
        }
    }

    /// A value as an expression.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Ref(address) => {
                let full = address.to_string();
                let short = self.scope.as_deref().and_then(|scope| full.strip_prefix(scope));
                self.text.push_str(short.unwrap_or(&full));
            }
            Value::List(items) => {
                self.text.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.text.push_str(if at == 0 { "" } else { ", " });
                    self.value(item);
                }
                self.text.push(']');
            }
            Value::Map(fields) => self.map(fields),
            other => {
                let _ = write!(self.text, "{other}");
            }
        }
    }

    fn map(&mut self, fields: &Fields) {
        if fields.is_empty() {
            self.text.push_str("{}");
            return;
        }
        self.text.push_str("{ ");
        for (at, (name, value)) in fields.iter().enumerate() {
            self.text.push_str(if at == 0 { "" } else { ", " });
            // In quotes any text is a key, also the words of the language.
            let _ = write_quoted(self.text, name);
            self.text.push_str(" = ");
            self.value(value);
        }
        self.text.push_str(" }");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tcloud_model::FileId;

    use super::*;
    use crate::ast::{ExprKind, Statement, TemplatePart};
    use crate::parse;

    fn block(name: &str, body: Vec<Part>) -> Part {
        let (kind, name) = (Name::new("vm"), Some(Name::new(name)));
        Part::Block { form: BlockForm::Own, kind, name, body }
    }

    #[test]
    fn a_text_is_written_in_its_usual_form_and_references_are_short_in_their_scope() {
        let scope: Address = "tenant.t".parse().expect("an address");
        let network = Value::Ref("tenant.t.network.lan".parse().expect("an address"));
        let other = Value::Ref("tenant.x.network.lan".parse().expect("an address"));
        let parts = [
            Part::In(scope.clone()),
            Part::Comment("kept as it is: floppy\ndrive".to_owned()),
            block(
                "web",
                vec![
                    Part::Attribute(Name::new("memory"), Value::Bytes(2 << 30)),
                    Part::Attribute(Name::new("a"), Value::list(vec![network, other])),
                    Part::Paths(Name::new("ignore"), vec![AttrPath::parse("disk.vda.bus")]),
                ],
            ),
            Part::Blank,
            Part::Adopt {
                address: "tenant.t.vm.web".parse().expect("an address"),
                from: "we\"b${x}".to_owned(),
                host: "site.m.host.kvm1".parse().expect("an address"),
            },
        ];
        assert_eq!(
            compose(&parts, Some(&scope)),
            "in tenant t\n\n// kept as it is: floppy\n// drive\nvm web {\n  memory = 2GiB\n  \
             a = [network.lan, tenant.x.network.lan]\n  ignore = [\"disk.vda.bus\"]\n}\n\n\
             adopt tenant.t.vm.web from \"we\\\"b\\${x}\" on site.m.host.kvm1\n"
        );
    }

    /// Texts that would like to be more than texts.
    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[\\PC\\n\\r\\t\"\\\\${}/*#\u{0}\u{1b}\u{202e}\u{2028}]{0,24}",
            Just("}\nforget tenant.t\n".to_owned()),
            Just("\" on site.x.host.y\nforget tenant.t //".to_owned()),
            Just("${secret(\"env:X\")}".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn texts_from_outside_are_read_back_and_nothing_else(
            comment in hostile(), text in hostile(), key in hostile(), from in hostile(),
        ) {
            let fields: Fields = [(Name::new(&key), Value::text(&text))].into_iter().collect();
            let parts = [
                Part::Comment(comment),
                block("web", vec![
                    Part::Attribute(Name::new("text"), Value::text(&text)),
                    Part::Attribute(Name::new("map"), Value::map(fields)),
                ]),
                Part::Adopt {
                    address: "tenant.t.vm.web".parse().expect("an address"),
                    from: from.clone(),
                    host: "site.m.host.kvm1".parse().expect("an address"),
                },
            ];
            let written = compose(&parts, None);
            let parsed = parse(FileId(0), &written);
            prop_assert!(parsed.diagnostics.is_empty(), "{written}\n{:?}", parsed.diagnostics);
            let [Statement::Block(vm), Statement::Adopt(adopt)] = &parsed.file.statements[..] else {
                panic!("{written}");
            };
            prop_assert_eq!(plain(&adopt.from.kind), Some(from));
            let [Statement::Attribute(first), Statement::Attribute(second)] = &vm.body[..] else {
                panic!("{written}");
            };
            prop_assert_eq!(plain(&first.value.kind), Some(text.clone()));
            let ExprKind::Object(fields) = &second.value.kind else { panic!("{written}") };
            prop_assert_eq!(fields[0].name.name.as_str(), key);
            prop_assert_eq!(plain(&fields[0].value.kind), Some(text));
        }
    }

    /// The text of a literal without anything computed in it.
    fn plain(kind: &ExprKind) -> Option<String> {
        match kind {
            ExprKind::Literal(Value::Text(text)) => Some(text.to_string()),
            ExprKind::Template(parts) => parts
                .iter()
                .map(|part| match part {
                    TemplatePart::Text(text) => Some(text.to_string()),
                    TemplatePart::Expr(_) => None,
                })
                .collect(),
            _ => None,
        }
    }
}
