//! The compiler's only window on files and environment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tcloud_model::Value;

/// What a compilation may ask of the outside. Paths are relative to the project's root, with `/`.
pub trait World: Sync {
    /// All `*.tcloud` files of the project except tests, in any order.
    ///
    /// # Errors
    /// When the project's folder cannot be listed.
    fn files(&self) -> Result<Vec<String>, WorldError>;

    /// The bytes of a file inside the project.
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, or the path leads out of the project (`..`,
    /// an absolute path, a symbolic link).
    fn read(&self, path: &str) -> Result<Vec<u8>, WorldError>;

    /// Reads files as [`World::read`] does, and is kept by the program: which of them it needs may
    /// depend on what the planner assigns.
    fn reader(&self) -> Reader;

    /// An environment variable. Only asked whether secrets exist; values never enter a graph.
    fn environment(&self, name: &str) -> Option<String>;
}

/// Reads files of a project when its compilation is over.
pub type Reader = Arc<dyn Fn(&str) -> Result<Vec<u8>, WorldError> + Send + Sync>;

/// What `file("…")` gives: each file is read once, when it is first asked for, so that all parts and
/// all evaluations of a program see the same.
pub(crate) struct Texts {
    reader: Reader,
    known: Mutex<BTreeMap<String, Result<Value, String>>>,
}

impl Texts {
    pub(crate) fn new(reader: Reader) -> Texts {
        Texts { reader, known: Mutex::default() }
    }

    /// The text of a file, or why there is none.
    pub(crate) fn text(&self, path: &str) -> Result<Value, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(path) {
            return text.clone();
        }
        let text = (self.reader)(path).map_err(|error| error.0).and_then(|bytes| {
            let text = String::from_utf8(bytes);
            text.map(|text| Value::text(&text)).map_err(|_| "it is not UTF-8 text".to_owned())
        });
        known.insert(path.to_owned(), text.clone());
        text
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").finish_non_exhaustive()
    }
}

/// Why something outside cannot be had, in words that follow "because": "there is no such file".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldError(pub String);

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WorldError {}

/// A project in memory, for tests and the language server.
#[derive(Clone, Debug, Default)]
pub struct MemoryWorld {
    files: BTreeMap<String, Vec<u8>>,
    environment: BTreeMap<String, String>,
}

impl MemoryWorld {
    /// A project of one file, `main.tcloud`.
    pub fn of(text: &str) -> MemoryWorld {
        MemoryWorld::default().with("main.tcloud", text)
    }

    /// With one more file.
    pub fn with(mut self, path: &str, bytes: impl AsRef<[u8]>) -> MemoryWorld {
        self.files.insert(path.to_owned(), bytes.as_ref().to_vec());
        self
    }

    /// With an environment variable.
    pub fn with_environment(mut self, name: &str, value: &str) -> MemoryWorld {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl World for MemoryWorld {
    fn files(&self) -> Result<Vec<String>, WorldError> {
        let is_source =
            |path: &&String| path.ends_with(".tcloud") && !path.ends_with(".test.tcloud");
        Ok(self.files.keys().filter(is_source).cloned().collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorldError> {
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(WorldError("the path leads out of the project".to_owned()));
        }
        let missing = || WorldError("there is no such file".to_owned());
        self.files.get(path).cloned().ok_or_else(missing)
    }

    fn reader(&self) -> Reader {
        let world = self.clone();
        Arc::new(move |path| world.read(path))
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}
