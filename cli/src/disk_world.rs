//! A project on disk, as the compiler sees it: regular files below the root, and nothing else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};
use tcloud_compiler::{Reader, World, WorldError};

use crate::trust;
use tcloud_project::config::{self, Limits};

/// How many directories deep a project may be.
const DEEPEST: usize = 64;

/// A project on disk. Symbolic links are never followed, so that nothing outside of the root can be
/// read, whoever wrote the text.
#[derive(Clone)]
pub(crate) struct DiskWorld {
    root: PathBuf,
    limits: Limits,
}

impl DiskWorld {
    /// The project below a directory.
    pub(crate) fn new(root: &Path, limits: Limits) -> DiskWorld {
        DiskWorld { root: root.to_owned(), limits }
    }

    fn walk(
        &self,
        below: &str,
        depth: usize,
        found: &mut BTreeSet<String>,
    ) -> Result<(), WorldError> {
        let shown = if below.is_empty() { "the project's directory" } else { below };
        let failed =
            |error: io::Error| WorldError(format!("{shown} cannot be listed: {}", words(&error)));
        if depth > DEEPEST {
            return Err(WorldError(format!("{shown} lies more than {DEEPEST} directories deep")));
        }
        for entry in std::fs::read_dir(self.root.join(below)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let kind = entry.file_type().map_err(failed)?;
            let Some(name) = name.to_str() else {
                if name.to_string_lossy().ends_with(".tcloud") {
                    let name = name.to_string_lossy();
                    return Err(WorldError(format!("the name of {name} is not valid UTF-8")));
                }
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let may_be_read = kind.is_dir() || name.ends_with(".tcloud");
            if may_be_read && trust::is_open_to_all(&entry.metadata().map_err(failed)?) {
                return Err(WorldError(format!(
                    "everybody may write to {path}; take that away: chmod o-w"
                )));
            }
            // Links, pipes and directories with such a name are found too, and then cannot be read:
            // leaving them out silently would take down what they are thought to declare.
            if name.ends_with(".tcloud") && !name.ends_with(".test.tcloud") {
                found.insert(path);
            } else if kind.is_dir() && !entry.path().join(config::FILE).exists() {
                // A directory with settings of its own is a project of its own.
                self.walk(&path, depth + 1, found)?;
            }
            if found.len() > self.limits.files {
                return Err(WorldError(format!(
                    "the project has more than {} files (limits.files in {})",
                    self.limits.files,
                    config::FILE
                )));
            }
        }
        Ok(())
    }
}

/// Opens a file below a directory, one directory after the other. No link is followed, and nothing is
/// waited for: what is no file has to be told from it afterwards.
pub(crate) fn open(root: &Path, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mut at = openat(CWD, root, flags | OFlags::DIRECTORY, Mode::empty())?;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let kind = if last { OFlags::empty() } else { OFlags::DIRECTORY };
        at = openat(&at, part, flags | kind | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(at)
}

impl World for DiskWorld {
    fn files(&self) -> Result<Vec<String>, WorldError> {
        let mut found = BTreeSet::new();
        self.walk("", 0, &mut found)?;
        Ok(found.into_iter().collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorldError> {
        let is_outside = |part: &str| matches!(part, "" | "." | "..") || part.contains('\\');
        if path.split('/').any(is_outside) {
            return Err(WorldError("the path leads out of the project".to_owned()));
        }
        let failed = |error: io::Error| WorldError(words(&error));
        let mut file = File::from(open(&self.root, path).map_err(failed)?);
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(WorldError(
                "it is a directory, a pipe or a device, and no file".to_owned(),
            ));
        }
        let most = self.limits.file_size;
        let length = usize::try_from(metadata.len().min(most)).unwrap_or(0);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|error| failed(error.into()))?;
        file.by_ref().take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most {
            let size = tcloud_model::value::human_size(most);
            return Err(WorldError(format!(
                "it is larger than {size} (limits.file_size in {})",
                config::FILE
            )));
        }
        Ok(bytes)
    }

    fn reader(&self) -> Reader {
        let world = self.clone();
        Arc::new(move |path| world.read(path))
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The usual failures in the user's words.
pub(crate) fn words(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error().map(rustix::io::Errno::from_raw_os_error)) {
        (io::ErrorKind::NotFound, _) => "there is no such file".to_owned(),
        (io::ErrorKind::PermissionDenied, _) => "it may not be read".to_owned(),
        (_, Some(rustix::io::Errno::LOOP)) => {
            "it is a symbolic link; only regular files are read".to_owned()
        }
        (_, Some(rustix::io::Errno::NXIO)) => "it is a socket or a device, and no file".to_owned(),
        (_, Some(rustix::io::Errno::NOTDIR)) => {
            "a part of the path is not a directory of the project".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn project() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in [
            ("b.tcloud", "b"),
            ("a/x.tcloud", "x"),
            ("a/x.test.tcloud", "no"),
            (".tcloud/state.tcloud", "no"),
            ("other/tcloud.toml", ""),
            ("other/main.tcloud", "no"),
            ("notes.txt", "text"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        root
    }

    fn world(root: &Path) -> DiskWorld {
        DiskWorld::new(root, Limits { file_size: 16, files: 3, ..Limits::default() })
    }

    #[test]
    fn every_file_of_the_project_is_found_and_no_other() {
        let root = project();
        assert_eq!(world(root.path()).files(), Ok(vec!["a/x.tcloud".into(), "b.tcloud".into()]));
        assert_eq!(world(root.path()).read("notes.txt"), Ok(b"text".to_vec()));
    }

    #[test]
    fn nothing_outside_can_be_read() {
        let root = project();
        let outside = tempfile::tempdir().expect("a directory");
        std::fs::write(outside.path().join("secret"), "s").expect("written");
        symlink(outside.path(), root.path().join("link")).expect("linked");
        symlink(outside.path().join("secret"), root.path().join("file")).expect("linked");
        for path in
            ["../x", "/etc/passwd", "a/../../x", "", "a//x", "link/secret", "file", "a", "nope"]
        {
            assert!(world(root.path()).read(path).is_err(), "{path}");
        }
    }

    #[test]
    fn links_and_pipes_among_the_sources_are_errors() {
        let root = project();
        symlink("b.tcloud", root.path().join("c.tcloud")).expect("linked");
        std::fs::create_dir(root.path().join("d.tcloud")).expect("made");
        let world = DiskWorld::new(root.path(), Limits::default());
        let files = world.files().expect("they are found");
        assert!(["c.tcloud", "d.tcloud"].iter().all(|own| files.contains(&(*own).to_owned())));
        let error = world.read("c.tcloud").expect_err("a link");
        assert_eq!(error.0, "it is a symbolic link; only regular files are read");
        let error = world.read("d.tcloud").expect_err("a directory");
        assert_eq!(error.0, "it is a directory, a pipe or a device, and no file");
    }

    #[test]
    fn limits_are_named() {
        let root = project();
        std::fs::write(root.path().join("big.tcloud"), "x".repeat(17)).expect("written");
        let error = world(root.path()).read("big.tcloud").expect_err("too large");
        assert!(error.0.contains("limits.file_size"), "{error}");
        std::fs::write(root.path().join("one-more.tcloud"), "").expect("written");
        let error = world(root.path()).files().expect_err("too many");
        assert!(error.0.contains("limits.files"), "{error}");
    }
}
