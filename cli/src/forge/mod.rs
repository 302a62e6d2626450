//! Forges – GitLab, GitHub, Forgejo and Gitea – and the one comment that a plan has in a request to
//! merge.
//!
//! * `place` – which request to merge, found in what the runner of a job sets.
//! * `ask` – one question to a forge's API.
//! * `comment` – the comment, made or brought up to date.

mod ask;
mod comment;
mod place;

use clap::ValueEnum;

pub(crate) use comment::{Done, Sticky};
pub(crate) use place::{Place, Wanted};

/// A kind of forge; each has an API of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Forge {
    /// GitLab.
    Gitlab,
    /// GitHub.
    Github,
    /// Forgejo and Gitea.
    Forgejo,
}

impl Forge {
    /// What it calls itself.
    fn name(self) -> &'static str {
        match self {
            Forge::Gitlab => "GitLab",
            Forge::Github => "GitHub",
            Forge::Forgejo => "Forgejo",
        }
    }

    /// The longest comment that it takes, in bytes at worst. GitLab: one million characters; GitHub:
    /// 65,536; Forgejo and Gitea say nothing of a limit.
    fn longest(self) -> usize {
        match self {
            Forge::Gitlab => 1_000_000,
            Forge::Github => 65_536,
            Forge::Forgejo => usize::MAX,
        }
    }

    /// Variables that hold a token, the first that is set counts.
    fn tokens(self) -> &'static [&'static str] {
        match self {
            Forge::Gitlab => &["TCLOUD_FORGE_TOKEN", "GITLAB_TOKEN"],
            Forge::Github => &["TCLOUD_FORGE_TOKEN", "GITHUB_TOKEN"],
            Forge::Forgejo => {
                &["TCLOUD_FORGE_TOKEN", "FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"]
            }
        }
    }

    /// Who writes with the token of a job, where such a token may not ask for its own name.
    fn robots(self) -> &'static [&'static str] {
        match self {
            Forge::Gitlab => &[],
            Forge::Github => &["github-actions[bot]"],
            Forge::Forgejo => &["forgejo-actions", "gitea-actions"],
        }
    }
}

/// Why a comment cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForgeError {
    /// It is not said which forge, or which request to merge.
    #[error("{0} is not known")]
    Unknown(&'static str),
    /// Something that was said cannot be right.
    #[error("{what} cannot be {text:?}")]
    Wrong {
        /// What.
        what: &'static str,
        /// What was said.
        text: String,
    },
    /// The token would be sent in the clear.
    #[error("{0} is not encrypted, and would see the token")]
    Unencrypted(String),
    /// There is no token.
    #[error("there is no token for {forge}: none of {variables} is set")]
    NoToken {
        /// The forge.
        forge: &'static str,
        /// The variables.
        variables: String,
    },
    /// The comment has no marker.
    #[error("the text does not begin with the marker of a plan, and would not be found again")]
    NoMarker,
    /// The comment is too long.
    #[error("the text has {bytes} bytes; {forge} takes at most {most}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The forge.
        forge: &'static str,
        /// The longest that it takes.
        most: usize,
    },
    /// The forge cannot be reached, or does not answer.
    #[error("{forge} cannot be asked: {said}")]
    Away {
        /// The forge.
        forge: &'static str,
        /// Why.
        said: String,
    },
    /// The forge says no.
    #[error("{forge} says {status} to {asked}{said}")]
    Refused {
        /// The forge.
        forge: &'static str,
        /// The HTTP status.
        status: u16,
        /// Method and path.
        asked: String,
        /// What it says about it.
        said: String,
        /// Seconds after which it may be asked again, if it may.
        again: Option<u64>,
    },
    /// What it answers is none.
    #[error("{forge} answers {asked} with something else than a comment or a list of them")]
    Garbled {
        /// The forge.
        forge: &'static str,
        /// Method and path.
        asked: String,
    },
}
