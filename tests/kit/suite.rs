//! Reading a suite: a Markdown file whose fenced blocks are the steps of one scenario.

use std::fmt;
use std::path::{Path, PathBuf};

/// One scenario.
pub struct Suite {
    /// Its first heading.
    pub title: String,
    /// Its file.
    pub path: PathBuf,
    /// Its blocks, in order.
    pub steps: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// The first word after the fence: `tcloud`, `plan`, `apply` …
    pub verb: String,
    /// The other words: `destroy`, `allow=tenant.t.volume.a`.
    pub options: Vec<String>,
    /// What stands between the fences.
    pub text: String,
    /// The line of the fence, from one.
    pub line: usize,
}

impl Suite {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, has no heading, or a fence is not closed.
    pub fn read(path: &Path) -> Result<Suite, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let mut lines = (1..).zip(text.lines());
        let title = text.lines().find_map(|line| line.strip_prefix("# "));
        let title = title.ok_or("a suite begins with a heading")?.to_owned();
        let mut steps = Vec::new();
        while let Some((line, text)) = lines.next() {
            let Some(head) = text.strip_prefix("~~~") else { continue };
            let mut words = head.split_whitespace().map(str::to_owned);
            let verb = words.next().ok_or_else(|| format!("line {line}: a fence has a word"))?;
            let mut block = Block { verb, options: words.collect(), text: String::new(), line };
            loop {
                match lines.next() {
                    Some((_, "~~~")) => break,
                    Some((_, text)) => {
                        block.text.push_str(text);
                        block.text.push('\n');
                    }
                    None => return Err(format!("line {line}: the fence is not closed")),
                }
            }
            steps.push(block);
        }
        Ok(Suite { title, path: path.to_owned(), steps })
    }

    /// All suites below a directory, sorted by path.
    ///
    /// # Errors
    /// When a directory or file cannot be read.
    pub fn all(directory: &Path) -> Result<Vec<Suite>, String> {
        let mut paths = Vec::new();
        collect(directory, &mut paths)?;
        paths.sort();
        paths
            .iter()
            .map(|path| Suite::read(path).map_err(|error| format!("{}: {error}", path.display())))
            .collect()
    }
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(directory).map_err(|error| error.to_string())?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    Ok(())
}

impl Block {
    /// The lines that say something.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// The values of `name=value` options.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter_map(move |option| option.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether a word stands behind the verb.
    pub fn has(&self, word: &str) -> bool {
        self.options.iter().any(|option| option == word)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.verb)
    }
}
