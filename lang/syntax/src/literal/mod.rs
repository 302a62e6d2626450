//! Literals that begin with a digit or hold colons: the grammar takes everything that looks like
//! one, this says what it is or exactly what is wrong with it.

mod amount;
mod date;
mod network;
mod units;

use std::ops::Range;

use tcloud_model::{Code, Value};

/// What is wrong with a literal.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    /// The wrong bytes, counted from the start of the literal.
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: String,
    /// What to write instead of the whole literal, when that is certain.
    pub(crate) instead: Option<String>,
}

impl Fault {
    fn at(code: Code, range: Range<usize>, message: String) -> Box<Fault> {
        let (label, help) = (String::new(), String::new());
        Box::new(Fault { code, range, message, label, help, instead: None })
    }

    fn label(mut self: Box<Self>, text: impl Into<String>) -> Box<Fault> {
        self.label = text.into();
        self
    }

    fn help(mut self: Box<Self>, text: impl Into<String>) -> Box<Fault> {
        self.help = text.into();
        self
    }

    fn instead(mut self: Box<Self>, text: impl Into<String>) -> Box<Fault> {
        self.instead = Some(text.into());
        self
    }
}

/// Reads a literal.
pub(crate) fn read(text: &str) -> Result<Value, Box<Fault>> {
    let plain = !text.bytes().any(|b| matches!(b, b':' | b'/' | b'-' | b' '));
    if plain && text.bytes().filter(|b| *b == b'.').count() < 2 {
        return amount::read(text);
    }
    if text.contains(':') {
        return network::version_6(text);
    }
    if text.bytes().filter(|b| *b == b'.').count() >= 2 {
        return network::version_4(text);
    }
    if let Some((number, currency)) = text.rsplit_once(' ') {
        return amount::money(text, number, currency);
    }
    if text.contains('-') {
        return date::read(text);
    }
    match text.split_once('/') {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit() || b == b'_') => {
            network::port(text, number, rest)
        }
        _ => amount::read(text),
    }
}
