//! Who wrote a line, and with which commit: asked of git for the lines that are shown, and for no
//! others. Where there is no git, no checkout or no answer, nobody is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use tcloud_model::Position;
use tcloud_report::{Author, Authors};

/// How many files git is asked about at most.
const FILES: usize = 32;

/// How many lines at most.
const LINES: usize = 200;

/// The authors of the lines at these places of a project: as the files are, or as they were in a
/// commit.
pub(crate) fn authors<'p>(
    root: &Path,
    commit: Option<&str>,
    places: impl IntoIterator<Item = &'p Position>,
) -> Authors {
    let mut files: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let mut lines = 0;
    for place in places {
        lines += usize::from(files.entry(&place.path).or_default().insert(place.line));
        if lines == LINES {
            break;
        }
    }
    let mut authors = Authors::new();
    for (path, lines) in files.into_iter().take(FILES) {
        let mut command = Command::new("git");
        command.arg("-C").arg(root).args(["blame", "--porcelain"]);
        command.args(lines.iter().map(|line| format!("-L{line},{line}")));
        command.args(commit).arg("--").arg(path).stdin(Stdio::null()).stderr(Stdio::null());
        let Ok(output) = command.output() else { return authors };
        if output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            authors
                .extend(read(&said).into_iter().map(|(line, own)| ((path.to_owned(), line), own)));
        }
    }
    authors
}

/// Reads what `git blame --porcelain` says: a line with the commit and the line's number, what is
/// known of the commit the first time that it is named, and the text after a tab.
fn read(said: &str) -> Vec<(u32, Author)> {
    let mut commits: BTreeMap<&str, Author> = BTreeMap::new();
    let mut found = Vec::new();
    let mut at: Option<(&str, u32)> = None;
    for line in said.lines() {
        if line.starts_with('\t') {
            if let Some((commit, number)) = at.take() {
                found.push((number, commits.entry(commit).or_default().clone()));
            }
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (at, word) {
            (None, commit) => {
                let number = rest.split(' ').nth(1).and_then(|number| number.parse().ok());
                at = number.map(|number| (commit, number));
                let committed = commit.bytes().any(|byte| byte != b'0');
                let short = commit.get(..10).unwrap_or(commit);
                commits.entry(commit).or_default().commit = committed.then(|| short.to_owned());
            }
            (Some((commit, _)), "author") => {
                rest.clone_into(&mut commits.entry(commit).or_default().name);
            }
            (Some((commit, _)), "summary") => {
                rest.clone_into(&mut commits.entry(commit).or_default().summary);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_described_once_and_stands_for_all_its_lines() {
        let said = "0123456789abcdef0123456789abcdef01234567 3 5 1\nauthor Erika Muster\n\
            author-mail <e@town.example>\nsummary Open the database\nfilename a.tcloud\n\tallow db {\n\
            0000000000000000000000000000000000000000 6 6 1\nauthor Not Committed Yet\n\
            summary Version of a.tcloud\nfilename a.tcloud\n\t  from = any\n\
            0123456789abcdef0123456789abcdef01234567 7 9 1\nfilename a.tcloud\n\t}\n";
        let erika = Author {
            commit: Some("0123456789".to_owned()),
            name: "Erika Muster".to_owned(),
            summary: "Open the database".to_owned(),
        };
        let nobody = Author {
            commit: None,
            name: "Not Committed Yet".to_owned(),
            summary: "Version of a.tcloud".to_owned(),
        };
        assert_eq!(read(said), [(5, erika.clone()), (6, nobody), (9, erika)]);
        assert_eq!(read("fatal: nonsense\nmore"), []);
    }

    #[test]
    fn where_there_is_no_checkout_nobody_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Position { path: "a.tcloud".into(), line: 1, column: 1 };
        assert_eq!(authors(directory.path(), None, [&place]), Authors::new());
    }
}
