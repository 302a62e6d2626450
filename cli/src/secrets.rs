//! Where secrets come from when a provider needs one: the environment, a file, a program. Their
//! values pass through here once and are never printed, logged or kept.

use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use tcloud_engine::{SecretError, SecretText, Secrets};

/// The largest secret, in bytes.
const LARGEST: usize = 64 << 10;

/// What `tcloud.toml` permits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Permissions {
    /// Directories outside of the project that `file:` may read from.
    pub(crate) directories: Vec<PathBuf>,
    /// Whether `exec:` may run programs.
    pub(crate) exec: bool,
}

/// The secrets that were read, to keep them out of what providers say.
#[derive(Default)]
pub(crate) struct Known(Mutex<Vec<String>>);

impl Known {
    fn note(&self, secret: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is shorter could be any word, and hiding it would only show where it is.
        if secret.len() > 2 && !known.iter().any(|own| own == secret) {
            known.push(secret.to_owned());
            // A secret may begin with another one.
            known.sort_by_key(|own| std::cmp::Reverse(own.len()));
        }
    }

    /// The text without secrets.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(secret)"))
    }
}

/// Reads secrets as the project permits.
pub(crate) struct LocalSecrets {
    root: PathBuf,
    permissions: Permissions,
    known: Arc<Known>,
}

impl LocalSecrets {
    /// The secrets of a project.
    pub(crate) fn new(root: &Path, permissions: Permissions, known: Arc<Known>) -> LocalSecrets {
        LocalSecrets { root: root.to_owned(), permissions, known }
    }

    async fn find(&self, source: &str) -> Result<String, String> {
        match source.split_once(':') {
            Some(("env", name)) => std::env::var(name)
                .map_err(|_| "the environment variable is not set, or is not a text".to_owned()),
            Some(("file", path)) => self.file(Path::new(path)),
            Some(("exec", command)) => self.run(command).await,
            Some(("age", _)) => Err("age files are not supported by this version".to_owned()),
            _ => Err("a secret comes from env:NAME, file:PATH or exec:COMMAND".to_owned()),
        }
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        let climbs = path.components().any(|part| part == Component::ParentDir);
        let allowed =
            |path: &Path| self.permissions.directories.iter().any(|d| path.starts_with(d));
        if climbs || (path.is_absolute() && !allowed(path)) {
            return Err("the file lies outside of the project; permit its directory in \
                        tcloud.toml: [secrets] directories = [\"…\"]"
                .to_owned());
        }
        let text = std::fs::read_to_string(self.root.join(path)).map_err(|e| e.to_string())?;
        Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
    }

    async fn run(&self, command: &str) -> Result<String, String> {
        if !self.permissions.exec {
            return Err("programs may not be run for secrets; permit it in tcloud.toml: \
                        [secrets] exec = true"
                .to_owned());
        }
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let root = self.root.clone();
        let run = move || {
            let (program, arguments) = words.split_first().ok_or("no program is named")?;
            let output = std::process::Command::new(program)
                .args(arguments)
                .current_dir(root)
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()
                .map_err(|error| format!("the program cannot be run: {error}"))?;
            if !output.status.success() {
                return Err(format!("the program ended with {}", output.status));
            }
            let text = String::from_utf8(output.stdout).map_err(|_| "the answer is not UTF-8")?;
            Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(answer) => answer,
            Err(_) => Err("the run is ending".to_owned()),
        }
    }
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn resolve(&self, source: &str) -> Result<SecretText, SecretError> {
        let found = match self.find(source).await {
            Ok(text) if text.len() > LARGEST => Err("it is larger than 64 KiB".to_owned()),
            found => found,
        };
        if let Ok(secret) = &found {
            self.known.note(secret);
        }
        found
            .map(SecretText::new)
            .map_err(|message| SecretError { source_name: source.to_owned(), message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(permissions: Permissions, root: &Path, source: &str) -> Result<String, String> {
        let secrets = LocalSecrets::new(root, permissions, Arc::default());
        let found = secrets.resolve(source).await;
        found.map(|text| text.reveal().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_read_is_hidden_the_longest_first() {
        let known = Known::default();
        ["abc", "abcdef", "x", ""].iter().for_each(|secret| known.note(secret));
        assert_eq!(known.scrub("abcdef abc x"), "(secret) (secret) x");
    }

    #[tokio::test]
    async fn files_are_read_inside_of_the_project_and_programs_run_only_when_permitted() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("key"), "s3cret\n").expect("written");
        let strict = Permissions::default;
        assert_eq!(find(strict(), root.path(), "file:key").await, Ok("s3cret".to_owned()));
        for source in ["file:../key", "file:/etc/hostname", "exec:echo hi", "env:", "vault:x", ""] {
            let error = find(strict(), root.path(), source).await.expect_err(source);
            assert!(!error.contains("s3cret"), "{error}");
        }
        let open = Permissions { directories: vec!["/etc".into()], exec: true };
        assert_eq!(find(open.clone(), root.path(), "exec:echo hi").await, Ok("hi".to_owned()));
        assert!(find(open.clone(), root.path(), "file:/etc/hostname").await.is_ok());
        assert!(find(open, root.path(), "file:/etc/../root/x").await.is_err());
    }
}
