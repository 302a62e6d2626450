//! The descriptions of providers, kept by the digest of the program: the same program describes
//! itself in the same words, so that it need not be started for that again.

use std::path::{Path, PathBuf};

use tcloud_provider::Description;

use crate::session::own_directory;

/// The description of a program, if it is kept. One that this version does not understand is not.
pub(super) fn kept(root: &Path, digest: &str) -> Option<Description> {
    let text = std::fs::read_to_string(file(root, digest)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Keeps a description. Where that fails, the program is asked again the next time.
pub(super) fn keep(root: &Path, digest: &str, description: &Description) {
    let path = file(root, digest);
    let new = path.with_extension(std::process::id().to_string());
    let Ok(text) = serde_json::to_string(description) else { return };
    let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let kept = kept.and_then(|()| std::fs::write(&new, text));
    if let Err(error) = kept.and_then(|()| std::fs::rename(&new, &path)) {
        tracing::info!("{} cannot be written: {error}", path.display());
    }
}

fn file(root: &Path, digest: &str) -> PathBuf {
    let digest = digest.trim_start_matches("sha256:");
    own_directory(root).join("providers").join(format!("{digest}.json"))
}
