//! Why a piece of text could not be read, in the user's words. Everything here looks at the text
//! alone; the builder knows where it stands.

use std::ops::Range;

use tcloud_model::{Code, codes};

use crate::build::word_length;
use crate::characters;
use crate::foreign;
use crate::literal;

/// What is wrong with a piece. Ranges are bytes of the piece.
#[derive(Debug, PartialEq)]
pub(crate) struct Reason {
    pub(crate) code: Code,
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) fix: Option<(Range<usize>, String)>,
}

impl Reason {
    fn new(code: Code, range: Range<usize>, message: impl Into<String>) -> Reason {
        Reason { code, range, message: message.into(), help: String::new(), fix: None }
    }

    fn help(mut self, text: impl Into<String>) -> Reason {
        self.help = text.into();
        self
    }

    /// The same about a piece that begins `offset` bytes earlier.
    fn moved(mut self, offset: usize) -> Reason {
        let later = |range: Range<usize>| range.start + offset..range.end + offset;
        self.range = later(self.range);
        self.fix = self.fix.map(|(range, text)| (later(range), text));
        self
    }

    fn fix(mut self, range: Range<usize>, text: impl Into<String>) -> Reason {
        self.fix = Some((range, text.into()));
        self
    }
}

/// Statements that begin with a word of the language, and their form.
const FORMS: [(&str, &str); 16] = [
    ("let", "let name = value"),
    ("param", "param name: Type = default"),
    ("output", "output name: Type = value"),
    ("fn", "fn name(a: Int, b: Int): Int = a + b"),
    ("type", "type Name = Type"),
    ("use", "use \"../path\""),
    ("component", "component name { … }"),
    ("check", "check name { assert condition, \"message\" }"),
    ("assert", "assert condition, \"message\""),
    ("moved", "moved tenant.a.vm.old -> tenant.a.vm.new"),
    ("adopt", "adopt tenant.a.vm.web from \"name\" on host.kvm1"),
    ("forget", "forget tenant.a.vm.web"),
    ("existing", "existing network lan { … }"),
    ("defaults", "defaults vm { … }"),
    ("in", "in tenant rhoenblick"),
    ("if", "if condition { … } else { … }"),
];

/// A statement that fits nothing and stands at the beginning of a line or after a comma.
pub(crate) fn statement(text: &str) -> Reason {
    let whole = 0..text.len();
    let word = &text[..word_length(text)];
    let rest = text[word.len()..].trim_ascii_start();
    if word.is_empty() {
        return odd_beginning(text);
    }
    if let Some((_, form)) = FORMS.iter().find(|(keyword, _)| *keyword == word) {
        let message = format!("this `{word}` cannot be read");
        return Reason::new(codes::E0011, whole, message).help(format!("it is written `{form}`"));
    }
    match word {
        "for" => return for_statement(whole),
        "else" => {
            return Reason::new(codes::E0011, 0..4, "this `else` has no `if`")
                .help("`else` stands after the closing brace of its `if`: `} else {`");
        }
        "import" | "include" => {
            return Reason::new(codes::E0010, 0..word.len(), "other files come in by `use`").help(
                "write `use \"../path\"`; files below the project's folder belong to it anyway",
            );
        }
        _ => {}
    }
    if rest.is_empty() {
        return Reason::new(codes::E0005, whole, format!("`{word}` has no value and no body"))
            .help(format!("write `{word} = …` for an attribute or `{word} {{ … }}` for a block"));
    }
    after_word(text, word, rest)
}

fn for_statement(range: Range<usize>) -> Reason {
    let help = "write `vm web for n in 1..=3 { … }`; a list is `[for x in xs : value]`";
    Reason::new(codes::E0010, range, "blocks are repeated in their head").help(help)
}

/// A word and something that is neither `=` nor a body.
fn after_word(text: &str, word: &str, rest: &str) -> Reason {
    let whole = 0..text.len();
    let at = text.len() - rest.len();
    let second = word_length(rest);
    match rest.as_bytes().first() {
        Some(b'.') => {
            let message = "an attribute has one name, not a path";
            let help = "open a block for the parts of an object: `dhcp { lease = 6h }`";
            Reason::new(codes::E0011, whole, message).help(help)
        }
        Some(b'(') => {
            let message = "a call is not a statement";
            let help = format!("give its result to an attribute: `… = {word}(…)`");
            Reason::new(codes::E0011, whole, message).help(help)
        }
        Some(b'-') if rest.starts_with("->") => {
            let help = format!("write `moved {text}`");
            Reason::new(codes::E0011, whole, "`moved` is missing").help(help).fix(0..0, "moved ")
        }
        Some(b'[') if rest.contains(']') && at == word.len() => {
            let message = "instances are not declared one by one";
            let help = format!("repeat the block in its head: `{word} for n in 1..=3 {{ … }}`");
            Reason::new(codes::E0011, whole, message).help(help)
        }
        Some(b'0'..=b'9' | b'"' | b'[' | b'-') => equals_missing(word, at),
        _ if second > 0 => two_words(text, word, rest, second),
        _ => unknown_sign(rest).map(|reason| reason.moved(at)).unwrap_or_else(|| {
            let sign: String = rest.chars().take(1).collect();
            let message = format!("`{}` cannot stand here", shown(&sign));
            let help =
                format!("an attribute is written `{word} = value`, a block `{word} {{ … }}`");
            Reason::new(codes::E0001, at..at + sign.len(), message).help(help)
        }),
    }
}

fn equals_missing(word: &str, at: usize) -> Reason {
    Reason::new(codes::E0005, 0..word.len(), format!("`=` is missing after `{word}`"))
        .help(format!("write `{word} = …`"))
        .fix(word.len()..at, " = ")
}

fn two_words(text: &str, word: &str, rest: &str, second: usize) -> Reason {
    let at = text.len() - rest.len();
    let after = rest[second..].trim_start();
    if matches!(&rest[..second], "true" | "false") || after.starts_with(['.', '(']) {
        return equals_missing(word, at);
    }
    let name = &rest[..second];
    let head = text.trim_end();
    Reason::new(codes::E0011, 0..head.len(), format!("`{word} {name}` has no body"))
        .help(format!("write `{word} {name} {{ … }}`; an attribute is written `{word} = {name}`"))
}

/// A statement that does not begin with a word.
fn odd_beginning(text: &str) -> Reason {
    let whole = 0..text.len();
    if let Some(end) = text.strip_prefix('"').and_then(|rest| rest.find('"')) {
        let (name, after) = (&text[1..=end], text[end + 2..].trim_start());
        if after.starts_with(['=', ':']) {
            let message = "the name of an attribute stands without quotes";
            return Reason::new(codes::E0012, 0..end + 2, message)
                .help(format!("write `{name} = …`"))
                .fix(0..end + 2, name);
        }
        return Reason::new(codes::E0001, whole, "a text alone is not a statement")
            .help("give it to an attribute: `title = \"…\"`");
    }
    if let Some(item) = text.strip_prefix("- ") {
        return Reason::new(codes::E0010, 0..1, "lists are written in brackets")
            .help(format!("write `[{}, …]`", item.trim_end()));
    }
    if text.starts_with('=') {
        return Reason::new(codes::E0005, 0..1, "a name is missing before `=`")
            .help("write `name = value`");
    }
    if text.starts_with('@') {
        return Reason::new(codes::E0001, 0..1, "there is nothing that begins with `@`")
            .help("properties of a block are attributes inside its braces: `protect = true`");
    }
    unknown_sign(text).unwrap_or_else(|| {
        let sign: String = text.chars().take(1).collect();
        let message = format!("a statement cannot begin with `{}`", shown(&sign));
        Reason::new(codes::E0001, 0..sign.len(), message)
            .help("a statement is an attribute `name = value` or a block `kind name { … }`")
    })
}

/// What cannot be the value of anything.
pub(crate) fn value(text: &str) -> Reason {
    let whole = 0..text.len();
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Reason::new(codes::E0010, whole.clone(), "texts stand in double quotes")
            .help(format!("write `\"{inner}\"`"))
            .fix(whole, format!("\"{}\"", inner.replace('"', "\\\"")));
    }
    if let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return Reason::new(codes::E0010, whole.clone(), "`${…}` is for texts only")
            .help(format!("write `{inner}`"))
            .fix(whole, inner.trim());
    }
    if let Some(rest) = text.strip_prefix('.')
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        return Reason::new(codes::E0021, 0..1, "a number begins with a digit")
            .help(format!("write `0{text}`"))
            .fix(0..0, "0");
    }
    if let Some(rest) = text.strip_prefix('+') {
        return Reason::new(codes::E0021, 0..1, "a number has no `+` before it")
            .help(format!("write `{}`", rest.trim_start()))
            .fix(0..1, "");
    }
    unknown_sign(text).unwrap_or_else(|| {
        let length = operator_length(text);
        if length > 0 {
            let message = format!("a value is missing before `{}`", &text[..length]);
            return Reason::new(codes::E0005, 0..length, message)
                .help("an operator stands between two values");
        }
        let sign: String = text.chars().take(1).collect();
        Reason::new(
            codes::E0001,
            0..sign.len(),
            format!("a value cannot begin with `{}`", shown(&sign)),
        )
        .help("values are numbers, texts in quotes, names, lists `[…]` and objects `{…}`")
    })
}

/// What follows a value on its line without a comma. `before` is the value.
pub(crate) fn after_value(before: &str, text: &str) -> Reason {
    if let Some(reason) = unknown_sign(text) {
        return reason;
    }
    let whole = 0..text.len();
    let first = text.chars().next().unwrap_or(' ');
    match first {
        '?' if !text.starts_with("??") => return choice(text),
        ';' => {
            return Reason::new(codes::E0003, 0..1, "`;` does not separate anything")
                .help("use a comma or a new line")
                .fix(0..1, ",");
        }
        '(' | '[' => {
            return Reason::new(codes::E0001, 0..1, format!("there is a space before `{first}`"))
                .help(format!("write `{first}` directly after the name, or a comma before it"));
        }
        _ => {}
    }
    if text.starts_with("=>") {
        return Reason::new(codes::E0010, 0..2, "`=>` does not stand here")
            .help("the field of an object is written `key = value`");
    }
    if text.starts_with('=') {
        return Reason::new(codes::E0001, 0..1, "one `=` is enough here")
            .help("to compare, write `==`; to begin the next attribute, write a comma before it");
    }
    let length = operator_length(text);
    if length > 0 {
        let message = format!("a value is missing after `{}`", &text[..length]);
        return Reason::new(codes::E0005, 0..length, message)
            .help("an operator stands between two values");
    }
    let word = &text[..text.find(|c: char| c.is_whitespace()).unwrap_or(text.len())];
    let joined = format!("{}{word}", before.trim_end());
    let amount = before.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_');
    if amount && [&format!("1{word}"), before.trim_end()].iter().all(|t| literal::read(t).is_ok()) {
        return Reason::new(
            codes::E0020,
            0..word.len(),
            "a unit follows its number without a space",
        )
        .help(format!("write `{joined}`"));
    }
    let word: String = text.chars().take_while(|c| !c.is_whitespace()).take(24).collect();
    Reason::new(codes::E0001, whole, format!("`{}` does not belong to this value", shown(&word)))
        .help("a value ends with its line, or at a comma")
}

/// `c ? a : b`
fn choice(text: &str) -> Reason {
    let reason = Reason::new(codes::E0010, 0..1, "a choice is written with `if`, `then`, `else`");
    match text[1..].split_once(" : ") {
        Some((then, otherwise)) => {
            let (then, otherwise) = (then.trim(), otherwise.trim());
            reason.help(format!("write `if … then {then} else {otherwise}`"))
        }
        None => reason.help("write `if condition then value else other`"),
    }
}

/// The head of a block that could not be read, up to its brace.
pub(crate) fn head(text: &str) -> Reason {
    let word = &text[..word_length(text)];
    if word == "for" {
        return for_statement(0..text.len());
    }
    if word == "else" {
        return Reason::new(codes::E0011, 0..4, "this `else` has no `if`")
            .help("`else` stands after the closing brace of its `if`: `} else {`");
    }
    let rest = text[word.len()..].trim_start();
    let at = text.len() - rest.len();
    let name = word_length(rest);
    if name == 0 && rest.starts_with(|c: char| c.is_ascii_digit()) {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        return Reason::new(codes::E0012, at..at + end, "a name does not begin with a digit")
            .help("names have small letters, digits and `-`, and begin with a letter");
    }
    if let Some(clause) = text.find(" for ").or_else(|| text.find(" if ")) {
        let range = clause + 1..text.len();
        return if text[clause..].starts_with(" for ") {
            Reason::new(codes::E0011, range, "this `for` cannot be read")
                .help("repetition is written `for n in 1..=3` or `for key, value in map`")
        } else {
            Reason::new(codes::E0011, range, "this condition cannot be read")
                .help("a condition is written `if env == \"prod\"`")
        };
    }
    if rest[name..].starts_with('.') || (name == 0 && rest.starts_with('.')) {
        return Reason::new(codes::E0011, 0..text.len(), "a block is declared by kind and name")
            .help("the kind and the name stand apart, without a dot: `vm web { … }`");
    }
    let junk = text[at + name..].trim_start();
    let from = text.len() - junk.len();
    Reason::new(
        codes::E0011,
        from..text.len().max(from + 1),
        format!("the head of this `{word}` cannot be read"),
    )
    .help("a block is written `kind name { … }`, perhaps with `for n in …` or `if …` before `{`")
}

/// A word with letters that names do not have.
pub(crate) fn foreign_word(word: &str) -> Reason {
    let range = 0..word.len();
    if let Some((letter, plain)) = characters::look_alike(word) {
        let code = u32::from(letter);
        let message = format!("the `{letter}` in `{word}` is not a letter of names (U+{code:04X})");
        return Reason::new(codes::E0007, range.clone(), message)
            .help(format!("it only looks like one: type `{plain}` anew"))
            .fix(range, plain);
    }
    let message = format!("`{}` cannot be a name", shown(word));
    let reason = Reason::new(codes::E0012, range.clone(), message);
    let rule = "names have the letters a to z, digits and `-`; texts stand in quotes";
    match foreign::plain(word) {
        Some(plain) => reason.help(format!("write `{plain}`: {rule}")).fix(range, plain),
        None => reason.help(rule),
    }
}

/// Signs that look like others, or that only texts may have.
fn unknown_sign(text: &str) -> Option<Reason> {
    let sign = text.chars().next()?;
    if !sign.is_ascii() && sign.is_whitespace() {
        let end = text.find(|c: char| c.is_ascii() || !c.is_whitespace()).unwrap_or(text.len());
        let message = format!("this is not an ordinary space, but U+{:04X}", u32::from(sign));
        return Some(
            Reason::new(codes::E0007, 0..end, message)
                .help("replace it by a space; word processors and web pages have such spaces")
                .fix(0..end, " "),
        );
    }
    let range = 0..sign.len_utf8();
    let instead = match sign {
        '“' | '”' | '„' | '«' | '»' | '‟' | '＂' | '‘' | '’' | '‚' | '`' | '\'' => {
            "\""
        }
        '–' | '—' | '−' | '－' => "-",
        '…' => "...",
        '＝' => "=",
        '，' => ",",
        '；' => ";",
        '：' => ":",
        '｛' => "{",
        '｝' => "}",
        '（' => "(",
        '）' => ")",
        _ => return None,
    };
    let message = format!("`{sign}` is not the sign that is needed here");
    Some(Reason::new(codes::E0007, range, message).help(format!("use `{instead}` instead")))
}

fn operator_length(text: &str) -> usize {
    const OPERATORS: [&str; 16] =
        ["..=", "==", "!=", "&&", "||", "<=", ">=", "??", "..", "+", "*", "/", "%", "<", ">", "-"];
    OPERATORS.iter().find(|sign| text.starts_with(**sign)).map_or(0, |sign| sign.len())
}

/// A text for a message, without what disturbs a terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if tcloud_model::value::is_unsafe_to_print(c) {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use crate::parse;
    use tcloud_model::{FileId, codes};

    /// What is said about a text with one mistake, and the text with its fix.
    fn said(text: &str) -> (String, Option<String>) {
        let found = parse(FileId(0), text).diagnostics;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].code, codes::E0007, "{text}");
        let fixed = found[0].fix.as_ref().map(|fix| {
            let mut fixed = text.to_owned();
            let range = fix.span.start as usize..fix.span.end as usize;
            fixed.replace_range(range, &fix.replacement);
            fixed
        });
        (found[0].message.clone(), fixed)
    }

    #[test]
    fn a_space_that_is_none_is_told_wherever_it_stands() {
        for text in ["a\u{a0}= 1\n", "a = \u{a0}1\n", "a = 1\u{a0}\n", "\u{a0}\u{202f}a = 1\n"] {
            let (message, fixed) = said(text);
            assert_eq!(message, "this is not an ordinary space, but U+00A0");
            let fixed = fixed.expect("a fix");
            assert_eq!(parse(FileId(0), &fixed).diagnostics, [], "{fixed:?}");
        }
        assert!(parse(FileId(0), "a = \"1\u{a0}\" // \u{a0}\n").diagnostics.is_empty());
    }

    #[test]
    fn letters_that_only_look_right_are_named() {
        let (message, fixed) = said("v\u{441}pus = 2\n");
        assert_eq!(message, "the `с` in `vсpus` is not a letter of names (U+0441)");
        assert_eq!(fixed.as_deref(), Some("vcpus = 2\n"));
        let (message, _) = said("vcpus ＝ 2\n");
        assert_eq!(message, "`＝` is not the sign that is needed here");
    }
}
