//! The only file that knows pest: runs the grammar over one item and shows the result as nodes.

use pest::Parser;
use pest::iterators::{Pair, Pairs};

pub(crate) use rules::Rule;

mod rules {
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar.pest"]
    pub(crate) struct Grammar;
}

/// A piece of text that a rule of the grammar took.
#[derive(Clone, Debug)]
pub(crate) struct Node<'t>(Pair<'t, Rule>);

/// The nodes directly inside another one.
#[derive(Clone, Debug)]
pub(crate) struct Nodes<'t>(Pairs<'t, Rule>);

/// The text is nested so deeply that the stack would not hold it.
#[derive(Debug)]
pub(crate) struct TooDeep;

/// Reads the text of one item. The grammar takes every text; only the stack can run out.
pub(crate) fn item(text: &str) -> Result<Nodes<'_>, TooDeep> {
    run(Rule::item, text)
}

/// Reads a single expression.
pub(crate) fn expression(text: &str) -> Result<Nodes<'_>, TooDeep> {
    run(Rule::lone, text)
}

fn run(rule: Rule, text: &str) -> Result<Nodes<'_>, TooDeep> {
    let mut pairs = rules::Grammar::parse(rule, text).map_err(|_| TooDeep)?;
    pairs.next().map(|pair| Nodes(pair.into_inner())).ok_or(TooDeep)
}

impl<'t> Node<'t> {
    /// Which rule took it. Those that only differ in what may follow are one.
    pub(crate) fn rule(&self) -> Rule {
        match self.0.as_rule() {
            Rule::type_g => Rule::type_e,
            Rule::expr_g => Rule::expr,
            rule => rule,
        }
    }

    /// Its text.
    pub(crate) fn text(&self) -> &'t str {
        self.0.as_str()
    }

    /// Its first byte, from the start of the parsed text.
    pub(crate) fn start(&self) -> usize {
        self.0.as_span().start()
    }

    /// One past its last byte.
    pub(crate) fn end(&self) -> usize {
        self.0.as_span().end()
    }

    /// What is inside.
    pub(crate) fn into_children(self) -> Nodes<'t> {
        Nodes(self.0.into_inner())
    }
}

impl<'t> Nodes<'t> {
    /// How many there are at most: comments count, too.
    pub(crate) fn at_most(&self) -> usize {
        self.0.len()
    }

    /// All nodes with the comments between them.
    pub(crate) fn with_comments(self) -> impl Iterator<Item = Node<'t>> {
        self.0.filter(|pair| pair.as_rule() != Rule::EOI).map(Node)
    }
}

impl<'t> Iterator for Nodes<'t> {
    type Item = Node<'t>;

    /// The next node that is not a plain comment: comments are the formatter's business.
    fn next(&mut self) -> Option<Node<'t>> {
        loop {
            let pair = self.0.next()?;
            if !matches!(pair.as_rule(), Rule::comment | Rule::EOI) {
                return Some(Node(pair));
            }
        }
    }
}
