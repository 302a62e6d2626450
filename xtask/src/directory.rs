//! Directories that a task works in.

use std::path::Path;

/// Writes a file into a directory, which is made.
///
/// # Errors
/// Why it cannot be written.
pub(crate) fn write(directory: &Path, file: &str, text: &str) -> Result<(), String> {
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(directory.join(file), text))
        .map_err(|error| format!("{}: {error}", directory.display()))
}

/// Removes a directory with everything in it, if it is there.
///
/// # Errors
/// Why it cannot be removed.
pub(crate) fn remove(directory: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", directory.display()))
        }
        _ => Ok(()),
    }
}
