//! Where the text of a plan comes from: the revision, and the way from the repository to the project.

use std::collections::BTreeMap;

use serde::Serialize;
use tcloud_model::Position;

/// The text that a plan was made from. Nothing in it differs between two runs on the same revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The commit, if the project lies in a git checkout.
    pub commit: Option<String>,
    /// How many files of the project differ from the commit.
    pub uncommitted: usize,
    /// The project's directory as seen from the root of the checkout, with `/` between its parts and
    /// without one at its ends; empty when it is the root, or when there is no checkout.
    pub base: String,
    /// Who wrote the lines that changes come from, as far as it is known.
    pub authors: Authors,
}

/// The authors of lines, by the path in the project and the number of the line.
pub type Authors = BTreeMap<(String, u32), Author>;

/// Who wrote a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Author {
    /// The commit, shortened; `None` when the line is not committed yet.
    pub commit: Option<String>,
    /// The name of its author.
    pub name: String,
    /// The first line of its message.
    pub summary: String,
}

impl Origin {
    /// Who wrote the line of a place.
    pub fn author(&self, place: &Position) -> Option<&Author> {
        self.authors.get(&(place.path.to_string(), place.line))
    }

    /// The path of a place in the text, from the root of the checkout.
    pub fn path(&self, place: &Position) -> String {
        self.file(&place.path)
    }

    /// The path of a file of the project, from the root of the checkout.
    pub fn file(&self, path: &str) -> String {
        if self.base.is_empty() { path.to_owned() } else { format!("{}/{path}", self.base) }
    }
}
