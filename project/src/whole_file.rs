//! Files that are written whole or not at all: nobody ever reads half of one, and no link leads what
//! is written somewhere else.

use std::fs::{Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file, or puts it in the place of the one that is there.
///
/// # Errors
/// Also when something else than a file has the name, such as a link or a device.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    match found(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    beside(path, content)?.persist(path)?;
    Ok(())
}

/// Puts new content in the place of a file that is there, which keeps its permissions.
///
/// # Errors
/// As [`write`], and when there is no file.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let permissions = found(path)?.permissions();
    let file = beside(path, content)?;
    file.as_file().set_permissions(permissions)?;
    file.persist(path)?;
    Ok(())
}

/// Whether there is surely nothing at a path. A link that leads nowhere is something, also one on the
/// way: what it led to was meant.
///
/// # Errors
/// When that cannot be seen.
pub fn is_absent(path: &Path) -> io::Result<bool> {
    for above in path.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        match above.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => match above.metadata() {
                Ok(_) => return Ok(above != path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let link = format!("{} is a link that leads nowhere", above.display());
                    return Err(io::Error::other(link));
                }
                Err(error) => return Err(error),
            },
        }
    }
    Ok(true)
}

/// The file of this name, if it is one.
fn found(path: &Path) -> io::Result<Metadata> {
    let metadata = path.symlink_metadata()?;
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(io::Error::other("what has that name is a link, a directory or a device")),
    }
}

/// A new file in the same directory, under a name that nobody knows before.
fn beside(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // The umask takes from this what it takes from any file.
    let mut file = tempfile::Builder::new()
        .prefix(".tcloud-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_and_nothing_else_is() {
        let root = tempfile::tempdir().expect("a directory");
        let (path, other) = (root.path().join("plan"), root.path().join("other"));
        for text in ["first", "second"] {
            write(&path, text.as_bytes()).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
        }
        std::fs::write(&other, "theirs").expect("written");
        std::os::unix::fs::symlink(&other, root.path().join("link")).expect("a link");
        for name in ["link", "."] {
            assert!(write(&root.path().join(name), b"ours").is_err(), "{name}");
            assert!(replace(&root.path().join(name), b"ours").is_err(), "{name}");
        }
        assert!(replace(&root.path().join("none"), b"ours").is_err(), "there is nothing");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
        replace(&path, b"third").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "third");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&other).expect("read"), "theirs");
        let left = std::fs::read_dir(root.path()).expect("listed").count();
        assert_eq!(left, 3, "no temporary file is left");
    }
}
