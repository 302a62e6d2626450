//! Where the program of a provider is: where `tcloud.toml` says, else beside `tcloud` itself, else on
//! the path as `tcloud-provider-NAME`.

use std::path::{Path, PathBuf};

/// Finds a program; the error says where it was looked for.
pub(super) fn program(root: &Path, name: &str, path: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = path {
        let path = root.join(path);
        return match path.is_file() {
            true => Ok(path),
            false => Err(format!("tcloud.toml says {}, where there is no file", path.display())),
        };
    }
    let file = format!("tcloud-provider-{name}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    // A relative directory on the path would mean another program in each directory.
    let on_path = std::env::split_paths(&on_path).filter(|directory| directory.is_absolute());
    let found = beside.into_iter().chain(on_path).map(|directory| directory.join(&file));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        format!(
            "{file} is neither beside tcloud nor on the path; install it, or say where it is: \
             [providers.{name}] path = \"…\""
        )
    })
}
