//! Where the text of a plan comes from: the revision, and the way from the repository to the project.

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
}

impl Origin {
    /// The path of a place in the text, from the root of the checkout.
    pub fn path(&self, place: &Position) -> String {
        self.file(&place.path)
    }

    /// The path of a file of the project, from the root of the checkout.
    pub fn file(&self, path: &str) -> String {
        if self.base.is_empty() { path.to_owned() } else { format!("{}/{path}", self.base) }
    }
}
