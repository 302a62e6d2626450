//! Revisions of a project in its git repository: what a range means, and the text as it was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Two revisions, or a revision and the files as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// From what.
    pub(crate) before: Revision,
    /// To what; `None` for the files as they are.
    pub(crate) after: Option<Revision>,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// What the user calls it.
    pub(crate) called: String,
    /// Its full hash.
    pub(crate) commit: String,
}

/// Why a revision cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RevisionError {
    /// There is no git.
    #[error("git cannot be started")]
    NoGit(#[source] std::io::Error),
    /// There is no repository.
    #[error("{} is not in a git repository", .0.display())]
    NoRepository(PathBuf),
    /// There is no such revision.
    #[error("there is no revision `{0}`")]
    Unknown(String),
    /// Two revisions have nothing in common.
    #[error("`{0}` and `{1}` have no commit in common")]
    Unrelated(String, String),
    /// Something else.
    #[error("git {command}: {said}")]
    Git {
        /// What git was asked.
        command: String,
        /// What it said.
        said: String,
    },
    /// The text cannot be put anywhere.
    #[error("no directory for the text of `{0}` can be made")]
    Directory(String, #[source] std::io::Error),
}

/// The repository around a project.
pub(crate) struct Repository {
    root: PathBuf,
    /// Its `.git`.
    git: String,
    /// The project's directory in it; empty, or with a `/` at its end.
    prefix: String,
}

impl Repository {
    /// The repository that a directory is in.
    pub(crate) fn of(root: &Path) -> Result<Repository, RevisionError> {
        let asked = git(root, &["rev-parse", "--absolute-git-dir", "--show-prefix"])?;
        let said = asked.ok_or_else(|| RevisionError::NoRepository(root.to_owned()))?;
        let (git, prefix) = said.split_once('\n').unwrap_or((&said, ""));
        Ok(Repository { root: root.to_owned(), git: git.to_owned(), prefix: prefix.to_owned() })
    }

    /// What `A..B`, `A...B` (from where they parted) or `A` (to the files as they are) means.
    pub(crate) fn range(&self, text: &str) -> Result<Range, RevisionError> {
        let or_head = |text: &str| if text.is_empty() { "HEAD" } else { text }.to_owned();
        if let Some((before, after)) = text.split_once("...") {
            let (before, after) = (or_head(before), or_head(after));
            let (one, after) = (self.revision(&before)?, self.revision(&after)?);
            let asked = git(&self.root, &["merge-base", &one.commit, &after.commit])?;
            let commit =
                asked.ok_or_else(|| RevisionError::Unrelated(before, after.called.clone()))?;
            let called = format!("{commit:.10}");
            return Ok(Range { before: Revision { called, commit }, after: Some(after) });
        }
        let (before, after) = match text.split_once("..") {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        let after = after.map(|after| self.revision(&or_head(after))).transpose()?;
        Ok(Range { before: self.revision(&or_head(before))?, after })
    }

    /// The addresses of who wrote and who committed what came with the last commit, in lower case: for
    /// a merge, everything that it brought.
    pub(crate) fn authors(&self) -> Result<BTreeSet<String>, RevisionError> {
        let own = git(&self.root, &["log", "--no-walk", "--format=%ae%n%ce", "HEAD"])?;
        let own = own.ok_or_else(|| RevisionError::Unknown("HEAD".to_owned()))?;
        // Without a parent there is nothing more.
        let brought = git(&self.root, &["log", "--format=%ae%n%ce", "HEAD^1..HEAD"])?;
        let all = own + "\n" + &brought.unwrap_or_default();
        Ok(all.lines().filter(|line| !line.is_empty()).map(str::to_lowercase).collect())
    }

    fn revision(&self, called: &str) -> Result<Revision, RevisionError> {
        let commit = format!("{called}^{{commit}}");
        let asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", commit.as_str()];
        let unknown = || RevisionError::Unknown(called.to_owned());
        let commit = git(&self.root, &asked)?.ok_or_else(unknown)?;
        Ok(Revision { called: called.to_owned(), commit })
    }

    /// The project's files as they were, in a directory that goes away again; an empty one where
    /// the project was not there yet. Nothing of the repository changes, and none of its hooks run.
    pub(crate) fn check_out(&self, revision: &Revision) -> Result<TempDir, RevisionError> {
        let failed = |source| RevisionError::Directory(revision.called.clone(), source);
        let directory = TempDir::with_prefix("tcloud-diff-").map_err(failed)?;
        let tree = format!("{}:{}", revision.commit, self.prefix.trim_end_matches('/'));
        let found = git(&self.root, &["rev-parse", "--verify", "--quiet", &tree])?;
        if let Some(tree) = found {
            self.inside(directory.path(), &["read-tree", &tree])?;
            self.inside(directory.path(), &["checkout-index", "--all", "--quiet"])?;
        }
        Ok(directory)
    }

    /// Asks git about the files in another directory, with an index of their own.
    fn inside(&self, directory: &Path, arguments: &[&str]) -> Result<(), RevisionError> {
        let mut command = Command::new("git");
        command
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .args(arguments)
            .current_dir(directory)
            .env("GIT_DIR", &self.git)
            .env("GIT_WORK_TREE", directory)
            .env("GIT_INDEX_FILE", directory.join(".git-index"));
        let (said, complaint) = said(&mut command)?;
        let complain = || RevisionError::Git { command: arguments.join(" "), said: complaint };
        said.map(|_| ()).ok_or_else(complain)
    }
}

/// What git says about a directory; `None` when there is no git, no repository, or nothing to say.
pub(crate) fn ask(root: &Path, arguments: &[&str]) -> Option<String> {
    git(root, arguments).ok().flatten().filter(|said| !said.is_empty())
}

/// What git says; `None` when it says no.
fn git(root: &Path, arguments: &[&str]) -> Result<Option<String>, RevisionError> {
    Ok(said(Command::new("git").arg("-C").arg(root).args(arguments))?.0)
}

/// What a program prints when it ends well, without the last line's end, and what it complains of.
fn said(command: &mut Command) -> Result<(Option<String>, String), RevisionError> {
    let output = command.stdin(Stdio::null()).output().map_err(RevisionError::NoGit)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    let complaint = text(&output.stderr).replace('\n', "; ");
    Ok((output.status.success().then(|| text(&output.stdout)), complaint))
}
