//! Where secrets come from when a provider needs one: the environment, a file, an encrypted file, a
//! program. Their values pass through here once and are never printed, logged or kept.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use tcloud_engine::{SecretError, SecretText, Secrets};
use tcloud_project::config::Permissions;

use crate::disk_world::{open, words};
use crate::redact::{self, Redactor};

/// The largest secret, in bytes.
const LARGEST: usize = 64 << 10;
const TOO_LARGE: &str = "it is larger than 64 KiB";

/// What is said when nobody waits for an answer any more.
const ENDING: &str = "the run is ending";

/// The environment variable with the file of private keys for `age:`.
const IDENTITY: &str = "TCLOUD_AGE_IDENTITY";

/// What programs that print secrets see of the environment: what they need to find themselves, their
/// user's files and agents. Not what tcloud itself reads there: passwords, variables, other secrets.
const ENVIRONMENT: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TERM",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "GNUPGHOME",
    "GPG_TTY",
    "DISPLAY",
    "WAYLAND_DISPLAY",
];

/// Reads secrets as the project permits.
pub(crate) struct LocalSecrets {
    root: PathBuf,
    permissions: Permissions,
    redactor: &'static Redactor,
}

impl LocalSecrets {
    /// The secrets of a project.
    pub(crate) fn new(root: &Path, permissions: Permissions) -> LocalSecrets {
        LocalSecrets { root: root.to_owned(), permissions, redactor: redact::process() }
    }

    async fn find(&self, source: &str) -> Result<String, String> {
        match source.split_once(':') {
            Some(("env", name)) => std::env::var(name)
                .map_err(|_| "the environment variable is not set, or is not a text".to_owned()),
            Some(("file", path)) => self.file(path).await,
            Some(("exec", command)) => self.run(command).await,
            Some(("age", place)) => self.age(place).await,
            _ => {
                Err("a secret comes from env:NAME, file:PATH, age:PATH#KEY or exec:COMMAND"
                    .to_owned())
            }
        }
    }

    async fn file(&self, path: &str) -> Result<String, String> {
        let mut bytes = Vec::new();
        let file = self.open(path).await?;
        // A file of the kernel's may be longer than it says.
        let read = file.take(LARGEST as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        if bytes.len() > LARGEST {
            return Err(TOO_LARGE.to_owned());
        }
        let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
        Ok(without_newline(text))
    }

    /// The file, if it may be read from and is one.
    async fn open(&self, path: &str) -> Result<File, String> {
        let (root, path) = (self.root.clone(), PathBuf::from(path));
        let directories = self.permissions.directories.clone();
        let open = move || {
            let (root, path) = permitted(root, path, &directories)?;
            let path = path.to_str().ok_or("the path is not UTF-8")?;
            let file = File::from(open(&root, path).map_err(|error| words(&error))?);
            let metadata = file.metadata().map_err(|error| words(&error))?;
            match metadata.is_file() {
                true => Ok(file),
                false => Err("it is a directory, a pipe or a device, and no file".to_owned()),
            }
        };
        match tokio::task::spawn_blocking(open).await {
            Ok(file) => file,
            Err(_) => Err(ENDING.to_owned()),
        }
    }

    /// A file that the system's `age` decrypts: whole, or one text of a TOML document.
    async fn age(&self, place: &str) -> Result<String, String> {
        let (path, key) = match place.split_once('#') {
            Some((path, key)) => (path, Some(key)),
            None => (place, None),
        };
        let file = self.open(path).await?;
        let mut words = vec![OsString::from("age"), OsString::from("--decrypt")];
        for identity in self.identities()? {
            words.extend([OsString::from("--identity"), identity.into_os_string()]);
        }
        let text = self.output(words, file.into()).await?;
        match key {
            None => Ok(without_newline(text)),
            Some(key) => text_of(&text, key),
        }
    }

    /// The files with private keys: where the environment says, else the settings.
    fn identities(&self) -> Result<Vec<PathBuf>, String> {
        if let Some(path) = std::env::var_os(IDENTITY) {
            return Ok(vec![path.into()]);
        }
        if self.permissions.identities.is_empty() {
            return Err(format!(
                "it is not said where the private key is; set {IDENTITY}, or in tcloud.toml: \
                 [secrets] identities = [\"~/…\"]"
            ));
        }
        let home = std::env::home_dir();
        let of_user = |path: &PathBuf| match (path.strip_prefix("~"), &home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.root.join(path),
        };
        Ok(self.permissions.identities.iter().map(of_user).collect())
    }

    async fn run(&self, command: &str) -> Result<String, String> {
        if !self.permissions.exec {
            return Err("programs may not be run for secrets; permit it in tcloud.toml: \
                        [secrets] exec = true"
                .to_owned());
        }
        let words = command.split_whitespace().map(OsString::from).collect();
        self.output(words, Stdio::null()).await.map(without_newline)
    }

    /// What a program prints.
    async fn output(&self, words: Vec<OsString>, input: Stdio) -> Result<String, String> {
        let root = self.root.clone();
        let permitted = self.permissions.environment.iter().map(String::as_str);
        let environment: Vec<(String, OsString)> = ENVIRONMENT
            .into_iter()
            .chain(permitted)
            .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)))
            .collect();
        let run = move || {
            let (program, arguments) = words.split_first().ok_or("no program is named")?;
            let name = Path::new(program).display();
            let output = std::process::Command::new(program)
                .args(arguments)
                .current_dir(root)
                .env_clear()
                .envs(environment)
                .stdin(input)
                .stderr(Stdio::inherit())
                .output()
                .map_err(|error| format!("{name} cannot be run: {error}"))?;
            if !output.status.success() {
                return Err(format!("{name} ended with {}", output.status));
            }
            String::from_utf8(output.stdout).map_err(|_| "the answer is not UTF-8".to_owned())
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(answer) => answer,
            Err(_) => Err(ENDING.to_owned()),
        }
    }
}

/// A directory that may be read from, and what is meant below it. Nobody's link leads out of it: in
/// the project links are not followed, and elsewhere what counts is where they lead.
fn permitted(
    root: PathBuf,
    path: PathBuf,
    directories: &[PathBuf],
) -> Result<(PathBuf, PathBuf), String> {
    let outside = "the file lies outside of the project; permit its directory in tcloud.toml: \
                   [secrets] directories = [\"…\"]";
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(outside.to_owned());
    }
    if path.is_relative() {
        return Ok((root, path.components().filter(|part| *part != Component::CurDir).collect()));
    }
    if !directories.iter().any(|directory| path.starts_with(directory)) {
        return Err(outside.to_owned());
    }
    let path = path.canonicalize().map_err(|error| words(&error))?;
    let directories = directories.iter().filter_map(|directory| directory.canonicalize().ok());
    let below = |root: PathBuf| {
        let rest = path.strip_prefix(&root).ok()?.to_owned();
        Some((root, rest))
    };
    directories.into_iter().find_map(below).ok_or_else(|| outside.to_owned())
}

/// Programs and editors end texts with a newline that is no part of the secret.
fn without_newline(text: String) -> String {
    text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
}

/// A text of a TOML document. What is wrong with the document is not told in its own words, which
/// would be the secrets.
fn text_of(document: &str, key: &str) -> Result<String, String> {
    let table: toml::Table =
        document.parse().map_err(|_| "what is encrypted there is no TOML document".to_owned())?;
    let mut parts = key.split('.');
    let first = parts.next().and_then(|part| table.get(part));
    let found = parts.fold(first, |value, part| value.and_then(|value| value.get(part)));
    match found {
        Some(toml::Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("`{key}` is not a text there")),
        None => Err(format!("there is no `{key}` in it")),
    }
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn resolve(&self, source: &str) -> Result<SecretText, SecretError> {
        let found = match self.find(source).await {
            Ok(text) if text.len() > LARGEST => Err(TOO_LARGE.to_owned()),
            found => found,
        };
        if let Ok(secret) = &found {
            self.redactor.note(secret);
        }
        found
            .map(SecretText::new)
            .map_err(|message| SecretError { source_name: source.to_owned(), message })
    }

    fn scrub(&self, text: &str) -> String {
        self.redactor.scrub(text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(permissions: Permissions, root: &Path, source: &str) -> Result<String, String> {
        let secrets = LocalSecrets::new(root, permissions);
        let found = secrets.resolve(source).await;
        found.map(|text| text.reveal().to_owned()).map_err(|error| error.to_string())
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
        let open = Permissions { directories: vec!["/etc".into()], exec: true, ..strict() };
        assert_eq!(find(open.clone(), root.path(), "exec:echo hi").await, Ok("hi".to_owned()));
        assert!(find(open.clone(), root.path(), "file:/etc/hostname").await.is_ok());
        assert!(find(open, root.path(), "file:/etc/../root/x").await.is_err());
    }

    #[tokio::test]
    async fn only_files_are_read_and_no_link_leads_to_others() {
        let root = tempfile::tempdir().expect("a directory");
        let own = root.path();
        let elsewhere = tempfile::tempdir().expect("a directory");
        std::fs::write(elsewhere.path().join("id"), "s3cret").expect("written");
        std::os::unix::fs::symlink(elsewhere.path().join("id"), own.join("key")).expect("a link");
        std::os::unix::fs::symlink(elsewhere.path(), own.join("keys")).expect("a link");
        std::fs::create_dir(own.join("sub")).expect("made");
        std::fs::write(own.join("sub/key"), "mine").expect("written");
        std::fs::write(own.join("large"), vec![b'x'; LARGEST + 1]).expect("written");
        let pipe = std::process::Command::new("mkfifo").arg(own.join("pipe")).status();
        assert!(pipe.is_ok_and(|status| status.success()), "a pipe");
        let permissions = || Permissions {
            directories: vec![own.to_owned(), "/dev".into()],
            identities: vec!["none".into()],
            ..Permissions::default()
        };
        let in_own = |path: &str| format!("file:{}", own.join(path).display());
        for (source, said) in [
            ("file:key".to_owned(), "symbolic link"),
            ("file:keys/id".to_owned(), "not a directory of the project"),
            ("age:key".to_owned(), "symbolic link"),
            ("file:pipe".to_owned(), "no file"),
            ("age:pipe".to_owned(), "no file"),
            ("file:sub".to_owned(), "no file"),
            ("file:/dev/zero".to_owned(), "no file"),
            ("file:large".to_owned(), "larger than 64 KiB"),
            (in_own("key"), "outside of the project"),
            (in_own("keys/id"), "outside of the project"),
        ] {
            let error = find(permissions(), own, &source).await.expect_err(&source);
            assert!(error.contains(said) && !error.contains("s3cret"), "{source}: {error}");
        }
        // Where secrets are mounted, links within are how new ones come in.
        std::os::unix::fs::symlink("sub", own.join("..data")).expect("a link");
        for source in ["file:sub/key", "file:./sub/key", &in_own("..data/key")] {
            assert_eq!(find(permissions(), own, source).await, Ok("mine".to_owned()), "{source}");
        }
    }

    #[tokio::test]
    async fn programs_see_little_of_the_environment() {
        let root = tempfile::tempdir().expect("a directory");
        // Cargo sets these for every test.
        let own = "CARGO_PKG_VERSION";
        let mut open = Permissions { exec: true, ..Permissions::default() };
        let seen = find(open.clone(), root.path(), "exec:env").await.expect("it runs");
        assert!(seen.contains("PATH=") && !seen.contains("CARGO"), "{seen}");
        open.environment = vec![own.to_owned(), "TCLOUD_NOT_SET".to_owned()];
        let seen = find(open, root.path(), "exec:env").await.expect("it runs");
        assert!(seen.contains(own) && !seen.contains("CARGO_PKG_NAME"), "{seen}");
    }

    #[test]
    fn one_text_of_a_document_is_found_and_nothing_else_is_told() {
        let document = "root = \"hunter2\"\n[db]\nadmin = \"s3cret\"\nport = 5432\n";
        assert_eq!(text_of(document, "root"), Ok("hunter2".to_owned()));
        assert_eq!(text_of(document, "db.admin"), Ok("s3cret".to_owned()));
        for key in ["db", "db.port", "db.other", "", "root.x"] {
            let error = text_of(document, key).expect_err(key);
            assert!(!error.contains("hunter2") && !error.contains("5432"), "{error}");
        }
        let error = text_of("root = hunter2", "root").expect_err("no TOML");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
