//! `tcloud.toml`: what the deployment is called, where it is remembered, what it may use.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tcloud_model::{Name, SourceFile, diagnostic};
use tcloud_state::postgres::without_password;

use crate::whole_file;

/// The name of the file.
pub const FILE: &str = "tcloud.toml";

/// The edition of the language that this version speaks.
pub const EDITION: &str = "2026";

/// What `tcloud.toml` says, with its defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name of the deployment; every identity on the hosts is derived from it.
    pub deployment: String,
    /// Where tcloud remembers, if the file says so.
    pub state: Option<String>,
    /// Limits against texts that would exhaust the machine.
    pub limits: Limits,
    /// Where secrets may come from.
    pub secrets: Permissions,
    /// The providers that are declared, by name.
    pub providers: BTreeMap<String, Declared>,
}

/// A provider as `tcloud.toml` declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    /// Its program, relative to the project. Without it, one is looked for.
    pub path: Option<PathBuf>,
    /// Whether texts may hand XML to it as it is.
    pub allow_raw_xml: bool,
}

/// Where secrets may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// Directories outside of the project that `file:` may read from.
    pub directories: Vec<PathBuf>,
    /// Whether `exec:` may run programs.
    pub exec: bool,
    /// Environment variables that these programs see beside a few that nearly all need.
    pub environment: Vec<String>,
    /// Files with the private keys that `age:` decrypts with; `~/` is the user's home.
    pub identities: Vec<PathBuf>,
}

/// Limits against texts that would exhaust the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest file, in bytes.
    pub file_size: u64,
    /// The most files.
    pub files: usize,
    /// The most resources.
    pub resources: usize,
    /// The most steps of evaluation, beside those that each resource allows for.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { file_size: 16 << 20, files: 100_000, resources: 1_000_000, steps: 5_000_000 }
    }
}

/// The file as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    edition: Option<String>,
    deployment: WrittenDeployment,
    state: WrittenState,
    limits: Limits,
    secrets: Permissions,
    providers: BTreeMap<String, Declared>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenDeployment {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenState {
    url: Option<String>,
}

/// Why `tcloud.toml` is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What it says is wrong.
    #[error("{path}:{line}:{column}: {message}")]
    Wrong {
        /// The file.
        path: String,
        /// Line, from one.
        line: u32,
        /// Column in characters, from one.
        column: u32,
        /// What is wrong, and what was probably meant.
        message: String,
    },
    /// Neither it nor the directory gives a usable name.
    #[error(
        "`{name}` cannot be the name of a deployment: lower-case letters, digits and minus signs, at most 63, a letter first"
    )]
    Name {
        /// The name.
        name: String,
    },
}

impl Config {
    /// Reads the configuration of a project.
    ///
    /// # Errors
    /// When the file is there and cannot be read or is wrong, or when there is no usable name.
    pub fn load(root: &Path) -> Result<Config, ConfigError> {
        let path = root.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Config::parse(&text, root),
            Err(_) if whole_file::is_absent(&path).unwrap_or(false) => Config::parse("", root),
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }

    /// What the text of the file says for the project in `root`.
    ///
    /// # Errors
    /// When it is wrong, or there is no usable name.
    pub fn parse(text: &str, root: &Path) -> Result<Config, ConfigError> {
        let Written { edition, deployment, state, limits, secrets, providers } =
            toml::from_str::<Written>(text).map_err(|error| wrong(text, &error))?;
        if let Some(edition) = edition.filter(|edition| edition != EDITION) {
            let message = format!(
                "edition \"{edition}\" is not known to this version, which speaks \"{EDITION}\""
            );
            return Err(at(text, text.find("edition").unwrap_or(0), message));
        }
        let deployment = deployment.name.unwrap_or_else(|| directory_name(root));
        if !Name::is_word(&deployment) {
            return Err(ConfigError::Name { name: deployment });
        }
        if let Some(name) = providers.keys().find(|name| !Name::is_word(name)) {
            let message = format!("`{}` cannot be the name of a provider", name.escape_debug());
            return Err(at(text, text.find("providers").unwrap_or(0), message));
        }
        Ok(Config { deployment, state: state.url, limits, secrets, providers })
    }
}

/// The name of the directory as a word of the language.
pub fn directory_name(root: &Path) -> String {
    let full = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let full = full.canonicalize().unwrap_or(full);
    let name = full.file_name().map(|name| name.to_string_lossy().into_owned());
    kebab(&name.unwrap_or_default()).unwrap_or_else(|| "main".to_owned())
}

/// A word of the language that resembles the text; `None` when nothing of it can be used.
fn kebab(text: &str) -> Option<String> {
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => word.push(c),
            'ä' => word.push_str("ae"),
            'ö' => word.push_str("oe"),
            'ü' => word.push_str("ue"),
            'ß' => word.push_str("ss"),
            _ if !word.ends_with('-') => word.push('-'),
            _ => {}
        }
    }
    let letters = word.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let short: String = letters.chars().take(tcloud_model::name::MAX_LENGTH).collect();
    let short = short.trim_end_matches('-');
    Name::is_word(short).then(|| short.to_owned())
}

fn wrong(text: &str, error: &toml::de::Error) -> ConfigError {
    let mut message = error.message().lines().collect::<Vec<_>>().join("; ");
    if message.contains("://") {
        // What stands in quotes may be a URL with a password, in the wrong place.
        message = message.split('"').map(without_password).collect::<Vec<_>>().join("\"");
    }
    if let Some(near) = meant(&message) {
        message = format!("{message}; did you mean `{near}`?");
    }
    at(text, error.span().map_or(0, |span| span.start), message)
}

fn at(text: &str, offset: usize, message: String) -> ConfigError {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    let position = SourceFile::new(FILE, text).position(offset);
    ConfigError::Wrong {
        path: FILE.to_owned(),
        line: position.line,
        column: position.column,
        message,
    }
}

/// The known key that is nearest to the unknown one: serde names them all in backticks, the
/// unknown one first.
fn meant(message: &str) -> Option<&str> {
    if !message.starts_with("unknown field") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    diagnostic::nearest(unknown, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/srv/Stadt Köln 2")).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_file_the_directory_names_the_deployment() {
        let config = parse("").expect("defaults serve");
        assert_eq!(config.deployment, "stadt-koeln-2");
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_likely_one() {
        let error = parse("edition = \"2026\"\ndeploymnet.name = \"a\"\n").expect_err("a typo");
        assert!(error.starts_with("tcloud.toml:2:1: unknown field `deploymnet`"), "{error}");
        assert!(error.ends_with("did you mean `deployment`?"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is_wrong() {
        for (text, start) in [
            ("deployment = 3\n", "tcloud.toml:1:14: invalid type"),
            ("[deployment]\nnam = \"a\"\n", "tcloud.toml:2:1: unknown field `nam`"),
            ("\nedition = \"1999\"\n", "tcloud.toml:2:1: edition \"1999\" is not known"),
            ("state.url = \"a\n", "tcloud.toml:1:"),
            ("[deployment]\nname = \"Ä\"\n", "`Ä` cannot be the name of a deployment"),
            ("[limits]\nfile_size = -1\n", "tcloud.toml:2:13: "),
            ("[providers.\"../x\"]\n", "tcloud.toml:1:2: `../x` cannot be the name of a provider"),
            ("[providers.x]\npth = \"y\"\n", "tcloud.toml:2:1: unknown field `pth`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(start), "{text}: {error}");
        }
    }

    #[test]
    fn only_a_file_that_is_not_there_says_nothing() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = root.path().join("town");
        std::fs::create_dir(&directory).expect("made");
        assert_eq!(
            Config::load(&directory).map(|own| own.deployment).ok().as_deref(),
            Some("town")
        );
        std::os::unix::fs::symlink("nowhere", directory.join(FILE)).expect("a link");
        let error = Config::load(&directory).expect_err("a link that leads nowhere").to_string();
        assert!(error.ends_with("town/tcloud.toml cannot be read"), "{error}");
    }

    #[test]
    fn a_password_in_the_wrong_place_is_not_repeated() {
        for text in [
            "state = \"postgres://erika:hunter2@db/x\"\n",
            "[limits]\nfile_size = \"postgres://erika:hunter2@db/x\"\n",
            "edition = 1\nstate = { uri = \"postgres://erika:hunter2@db/x\" }\n",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn directories_with_odd_names_still_give_a_word() {
        assert_eq!(kebab("2026 Rhönblick/"), Some("rhoenblick".to_owned()));
        assert_eq!(kebab("..."), None);
        assert_eq!(kebab(&"x".repeat(200)).map(|word| word.len()), Some(63));
    }
}
