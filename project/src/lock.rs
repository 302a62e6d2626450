//! `tcloud.lock`: the digests of the programs that a project trusts, for each sort of machine. It
//! belongs into version control.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::whole_file;

/// The name of the file.
pub const FILE: &str = "tcloud.lock";

/// The sort of machine that this is.
const MACHINE: (&str, &str) = (std::env::consts::ARCH, std::env::consts::OS);

/// What is pinned: name to machine to digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lock {
    providers: BTreeMap<String, BTreeMap<String, String>>,
}

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It says something else than digests.
    #[error("{FILE} is damaged: {message}")]
    Damaged {
        /// How.
        message: String,
    },
}

impl Lock {
    /// What a project has pinned; nothing when there is no file.
    ///
    /// # Errors
    /// When the file is there and cannot be read or is damaged.
    pub fn read(root: &Path) -> Result<Lock, LockError> {
        let path = root.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Lock::parse(&text),
            Err(_) if whole_file::is_absent(&path).unwrap_or(false) => Ok(Lock::default()),
            Err(source) => Err(LockError::File { path, source }),
        }
    }

    /// What the text of the file pins.
    ///
    /// # Errors
    /// When it says something else than digests.
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        let damaged = |message: String| LockError::Damaged { message };
        let lock: Lock =
            toml::from_str(text).map_err(|error| damaged(error.message().to_owned()))?;
        for (name, digests) in &lock.providers {
            let wrong = digests.iter().find(|(_, digest)| !is_digest(digest));
            if let Some((machine, _)) = wrong {
                return Err(damaged(format!("{name} has no digest for {machine}")));
            }
        }
        Ok(lock)
    }

    /// The pinned digest of a program on this sort of machine.
    #[must_use]
    pub fn digest(&self, name: &str) -> Option<&str> {
        self.providers.get(name)?.get(&machine()).map(String::as_str)
    }

    /// Pins a program on this sort of machine.
    pub fn pin(&mut self, name: &str, digest: &str) {
        self.providers.entry(name.to_owned()).or_default().insert(machine(), digest.to_owned());
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = "# The provider programs that this project trusts. Written by tcloud; keep \
                        it in version control.\n"
            .to_owned();
        for (name, digests) in &self.providers {
            let _ = writeln!(text, "\n[providers.{name}]");
            for (machine, digest) in digests {
                let _ = writeln!(text, "{machine} = \"{digest}\"");
            }
        }
        text
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, root: &Path) -> Result<(), LockError> {
        let path = root.join(FILE);
        whole_file::write(&path, self.text().as_bytes())
            .map_err(|source| LockError::File { path, source })
    }
}

fn machine() -> String {
    let (processor, system) = MACHINE;
    format!("{processor}-{system}")
}

fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:");
    digits.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_read_again_and_damage_is_named() {
        let root = tempfile::tempdir().expect("a directory");
        assert_eq!(Lock::read(root.path()).expect("nothing yet"), Lock::default());
        let digest = format!("sha256:{}", "0a".repeat(32));
        let mut lock = Lock::default();
        lock.pin("libvirt", &digest);
        lock.write(root.path()).expect("written");
        let read = Lock::read(root.path()).expect("a lock");
        assert_eq!(read.digest("libvirt"), Some(digest.as_str()));
        assert_eq!(read, lock);
        for text in ["[providers.x]\nx86 = \"sha256:0\"\n", "[provider.x]\n", "providers = 3\n"] {
            std::fs::write(root.path().join(FILE), text).expect("written");
            let error = Lock::read(root.path()).expect_err(text).to_string();
            assert!(error.contains("tcloud.lock is damaged: "), "{error}");
        }
        std::fs::remove_file(root.path().join(FILE)).expect("removed");
        std::os::unix::fs::symlink("nowhere", root.path().join(FILE)).expect("a link");
        assert!(
            Lock::read(root.path()).is_err(),
            "a link that leads nowhere pins nobody knows what"
        );
    }
}
