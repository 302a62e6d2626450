//! Files that are written whole or not at all: nobody ever reads half of one, and no link leads what
//! is written somewhere else.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a file, or puts it in the place of the one that is there.
///
/// # Errors
/// Also when something else than a file has the name, such as a link or a device.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::other("what has that name is a link, a directory or a device"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // The umask takes from this what it takes from any file.
    let mut file = tempfile::Builder::new()
        .prefix(".tcloud-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
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
        }
        assert_eq!(std::fs::read_to_string(&other).expect("read"), "theirs");
        let left = std::fs::read_dir(root.path()).expect("listed").count();
        assert_eq!(left, 3, "no temporary file is left");
    }
}
