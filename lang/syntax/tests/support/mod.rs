//! Makes texts of the language from a seed, and compares trees without their places.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Write as _;

use tcloud_syntax::ast::File;

/// A small generator of numbers: the same seed gives the same text on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    pub(crate) fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Writes items. `untidy` varies blanks, newlines and comments as people do.
pub(crate) struct Writer {
    pub(crate) random: Random,
    pub(crate) untidy: bool,
    comments: usize,
}

impl Writer {
    pub(crate) fn new(seed: u64, untidy: bool) -> Writer {
        Writer { random: Random::new(seed), untidy, comments: 0 }
    }

    /// A whole file.
    pub(crate) fn file(&mut self, items: usize) -> String {
        let mut text = String::new();
        for number in 0..items {
            text.push_str(&self.item(number));
            text.push_str(if self.random.one_in(2) { "\n\n" } else { "\n" });
        }
        text
    }

    /// One top-level item with the name `x<number>`.
    pub(crate) fn item(&mut self, number: usize) -> String {
        let comment =
            if self.random.one_in(6) { format!("{}\n", self.comment()) } else { String::new() };
        let name = format!("x{number}");
        let item = match self.random.below(16) {
            0 => format!("let {name} ={}{}", self.gap(), self.value(3, 0)),
            1 => format!("param {name}: {} = {}", self.ty(2), self.value(1, 0)),
            2 => format!("output {name} = {}", self.value(2, 0)),
            3 => format!("type {name} = {}", self.ty(3)),
            4 => format!("fn {name}(a: Int, b: {}): Int = {}", self.ty(1), self.value(3, 0)),
            5 => format!("component {name} {}", self.body(1, 2)),
            6 => format!("existing network {name} {}", self.body(1, 0)),
            _ => {
                let kind =
                    self.random.pick(&["vm", "network", "volume", "tenant", "citizen-portal"]);
                format!("{kind}{}{name}{} {}", self.gap1(), self.clauses(), self.body(1, 2))
            }
        };
        comment + &item
    }

    fn comment(&mut self) -> String {
        self.comments += 1;
        let sign = self.random.pick(&["//", "//", "#", "///"]);
        format!("{sign} comment {} about \"x\" and {{", self.comments)
    }

    /// A comment or a space, where no line of its own is foreseen for one.
    fn loose_comment(&mut self) -> String {
        if self.random.one_in(2) {
            return " ".to_owned();
        }
        self.comments += 1;
        format!(" // comment {}\n  ", self.comments)
    }

    fn clauses(&mut self) -> String {
        let mut text = String::new();
        if self.random.one_in(4) {
            let _ = write!(text, " for n in 1..={}", self.random.below(9) + 1);
        }
        if self.random.one_in(6) {
            let _ = write!(text, " if {}", self.value(1, 0));
        }
        text
    }

    fn gap(&mut self) -> String {
        let gap = if self.untidy { self.random.pick(&["", " ", "  ", "\t"]) } else { " " };
        gap.to_owned()
    }

    fn gap1(&mut self) -> String {
        let gap = if self.untidy { self.random.pick(&[" ", "  ", "\t "]) } else { " " };
        gap.to_owned()
    }

    /// `{ … }` over several lines, or on one when it is short.
    fn body(&mut self, indent: usize, depth: usize) -> String {
        if self.random.one_in(5) {
            let (a, b) = (self.value(1, 9), self.value(1, 9));
            return format!("{{{}a = {a}, b ={}{b} }}", self.gap(), self.gap());
        }
        let mut text = "{\n".to_owned();
        for number in 0..1 + self.random.below(6) {
            let step = if self.untidy { self.random.below(3) } else { 0 };
            let pad = " ".repeat(2 * indent + step);
            if self.random.one_in(8) {
                let _ = writeln!(text, "{pad}{}", self.comment());
            }
            let line = match self.random.below(8) {
                0 | 1 if depth > 0 => {
                    let kind = self.random.pick(&["disk", "nic", "dhcp", "allow"]);
                    let clauses = self.clauses();
                    format!("{kind} y{number}{clauses} {}", self.body(indent + 1, depth - 1))
                }
                2 if depth > 0 => format!(
                    "if {} {} else {}",
                    self.value(1, 0),
                    self.body(indent + 1, depth - 1),
                    self.body(indent + 1, depth - 1)
                ),
                _ => format!("a{number}{}={}{}", self.gap(), self.gap(), self.value(3, indent)),
            };
            let end = if self.untidy && self.random.one_in(6) {
                format!(" {}\n", self.comment())
            } else if self.untidy && self.random.one_in(4) {
                ",\n".to_owned()
            } else {
                "\n".to_owned()
            };
            let blank = if self.untidy && self.random.one_in(5) { "\n\n" } else { "" };
            let _ = write!(text, "{pad}{line}{end}{blank}");
        }
        let pad = " ".repeat(2 * (indent - 1));
        text + &pad + "}"
    }

    /// An expression. `indent` 9 and 0 keep it on one line.
    fn value(&mut self, depth: usize, indent: usize) -> String {
        let leaf = depth == 0 || self.random.one_in(3);
        if leaf {
            return self.leaf();
        }
        let d = depth - 1;
        match self.random.below(12) {
            0 => format!("[{}]", self.values(d, indent)),
            1 => format!("{{ k = {}, \"l m\" = {} }}", self.value(d, 9), self.value(d, 9)),
            2 => format!("({})", self.value(d, indent)),
            3 => {
                let (a, b, c) = (self.value(d, 9), self.value(d, 9), self.value(d, 9));
                format!("if {a} then {b} else {c}")
            }
            4 => format!("f({}, n = {})", self.value(d, indent), self.value(d, indent)),
            5 => format!("xs.sort_by(x => {}).first", self.value(d, 9)),
            6 if self.untidy && indent > 0 && indent < 9 && self.random.one_in(2) => {
                let (comment, value) = (self.loose_comment(), self.value(d, 9));
                format!("[{comment}for x in xs : {value}{}]", self.loose_comment())
            }
            7 if self.untidy && indent > 0 && indent < 9 && self.random.one_in(2) => {
                let (before, behind) = (self.loose_comment(), self.loose_comment());
                format!("{{for k, v in m : k{before} => {behind}{}}}", self.value(d, 9))
            }
            6 => format!("[for x in xs if {} : {}]", self.value(d, 9), self.value(d, 9)),
            7 => format!("{{for k, v in m : k => {}}}", self.value(d, 9)),
            8 if indent > 0 && indent < 9 => {
                let pad = " ".repeat(2 * indent + 2);
                format!("[\n{pad}{},\n{pad}{},\n{pad}]", self.value(d, 0), self.value(d, 0))
            }
            9 if indent > 0 && indent < 9 => {
                let pad = " ".repeat(2 * indent + 2);
                format!("\"\"\"\n{pad}text ${{{}}}\n{pad}  more\n{pad}\"\"\"", self.value(0, 9))
            }
            10 => format!("\"a ${{{}}} b\"", self.value(0, 9)),
            _ => {
                let sign = self.random.pick(&["+", "-", "*", "&&", "||", "==", "??", "in", "/"]);
                let (a, b) = (self.operand(d), self.operand(d));
                format!("{a} {sign} {b}")
            }
        }
    }

    fn values(&mut self, depth: usize, indent: usize) -> String {
        let count = self.random.below(4);
        let all: Vec<String> = (0..count).map(|_| self.value(depth, indent)).collect();
        all.join(if self.untidy { " ,  " } else { ", " })
    }

    fn operand(&mut self, depth: usize) -> String {
        match self.random.below(3) {
            0 => format!("({})", self.value(depth, 9)),
            1 => format!("-{}", self.leaf()),
            _ => self.leaf(),
        }
    }

    fn leaf(&mut self) -> String {
        self.random
            .pick(&[
                "1",
                "42",
                "1_000",
                "1.5",
                "true",
                "4GiB",
                "1Gbit/s",
                "15min",
                "80%",
                "10.20.0.0/24",
                "10.20.0.7",
                "fd00:1::/64",
                "443/tcp",
                "2026-11-23",
                "1_200 EUR",
                "\"text\"",
                "\"\"",
                "\"$5 \\\"x\\\" \\n\"",
                "r\"raw\\\"",
                "network.office",
                "vm.web[1].nic.x.address",
                "vm.web.*",
                "n",
                "env",
                "1..=3",
            ])
            .to_owned()
    }

    fn ty(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.random.pick(&["Int", "String", "Ip", "network", "Int(1..=6)"]).to_owned();
        }
        let d = depth - 1;
        match self.random.below(6) {
            0 => format!("({})[]", self.ty(d)),
            1 => format!("Map<{}>?", self.ty(d)),
            2 => "\"a\" | \"b\"".to_owned(),
            3 => format!("{{ a: {}, b?: {} }}", self.ty(d), self.ty(d)),
            4 => "Int where this > 0".to_owned(),
            _ => self.ty(d),
        }
    }
}

/// The tree as text, without places.
pub(crate) fn shape(file: &File) -> String {
    let text = format!("{file:?}");
    let mut shape = String::with_capacity(text.len() / 2);
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Span {") {
        shape.push_str(before);
        rest = after.split_once(" }").map_or("", |(_, rest)| rest);
    }
    shape + rest
}

/// The words of all comments, in order.
pub(crate) fn comments(text: &str) -> Vec<String> {
    let numbers = text.match_indices("comment ").map(|(at, _)| {
        let rest = &text[at + 8..];
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    });
    numbers.filter(|number| !number.is_empty()).collect()
}
