//! An archive that depends on nothing but the names and the bytes of what is in it, and the moment that
//! it is said to be of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Release;

/// A directory as a `.tar.gz`: sorted, everybody's alike, and of one moment.
pub(super) fn pack(tree: &Path, release: &Release) -> Result<Vec<u8>, String> {
    let (Some(parent), Some(name)) = (tree.parent(), tree.file_name()) else {
        return Err(format!("{} is no directory in another one", tree.display()));
    };
    let output = Command::new("tar")
        .args(["--create", "--format=ustar", "--sort=name", "--numeric-owner"])
        .args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX"])
        .arg(format!("--mtime=@{}", release.moment))
        // Neither its name nor the time stands in the head then.
        .arg("--use-compress-program=gzip --no-name --best")
        .arg("--directory")
        .args([parent.as_os_str(), name])
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("tar cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("tar: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(output.stdout)
}

/// The files that are not the same in two directories, or are only in one.
pub(super) fn differing(one: &Path, other: &Path) -> Result<Vec<String>, String> {
    let all: BTreeSet<PathBuf> = files(one, one)?.into_iter().chain(files(other, other)?).collect();
    let bytes = |tree: &Path, file: &Path| std::fs::read(tree.join(file)).ok();
    let differs = |file: &PathBuf| bytes(one, file) != bytes(other, file);
    Ok(all.into_iter().filter(differs).map(|file| file.display().to_string()).collect())
}

fn files(tree: &Path, below: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", below.display());
    let mut all = Vec::new();
    for entry in std::fs::read_dir(below).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            all.extend(files(tree, &path)?);
        } else {
            all.push(path.strip_prefix(tree).unwrap_or(&path).to_owned());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    use super::*;

    fn release() -> Release {
        Release {
            version: "1".to_owned(),
            target: "here".to_owned(),
            commit: "HEAD".to_owned(),
            moment: 1_700_000_000,
            creator: "release@tcloud.example".to_owned(),
        }
    }

    /// The same files, made in another order, with other times and other rights for others.
    fn tree(at: &Path, names: &[&str], mode: u32) -> PathBuf {
        let tree = at.join(release().name());
        std::fs::create_dir_all(tree.join("bin")).expect("a directory");
        for name in names {
            let path = tree.join(name);
            std::fs::write(&path, name.repeat(1_000)).expect("a file");
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("rights");
            if mode & 0o7 == 0 {
                File::options()
                    .append(true)
                    .open(&path)
                    .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))
                    .expect("a time");
            }
        }
        tree
    }

    #[test]
    fn the_same_files_are_the_same_archive_and_others_are_named() {
        let (one, other) = (tempfile::tempdir(), tempfile::tempdir());
        let (one, other) = (one.expect("a directory"), other.expect("a directory"));
        let first = tree(one.path(), &["bin/tcloud", "LICENSE", "README.md"], 0o755);
        let second = tree(other.path(), &["README.md", "LICENSE", "bin/tcloud"], 0o700);
        assert_eq!(differing(&first, &second), Ok(Vec::new()));
        let archive = pack(&first, &release()).expect("an archive");
        assert_eq!(archive, pack(&second, &release()).expect("an archive"));
        std::fs::write(second.join("bin/tcloud"), "other").expect("a file");
        std::fs::write(second.join("more"), "").expect("a file");
        assert_eq!(
            differing(&first, &second),
            Ok(vec!["bin/tcloud".to_owned(), "more".to_owned()])
        );
        assert_ne!(archive, pack(&second, &release()).expect("an archive"));
    }
}
