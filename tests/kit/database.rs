//! A real PostgreSQL server of a test's own, with PgBouncer before it: `tests/lab/postgres`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A server that runs until this is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct Database {
    /// The script takes the server away when its standard input ends.
    keeper: Mutex<(Child, Option<ChildStdin>, BufReader<ChildStdout>)>,
    directory: PathBuf,
    port: u16,
    pooled: u16,
    standby: u16,
}

impl Database {
    /// Starts a server.
    ///
    /// # Panics
    /// When it cannot be started; the message says what is missing.
    pub fn start() -> Database {
        let [port, pooled, standby] = free();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|root| root.join(SCRIPT));
        let mut keeper = Command::new(script.expect("a crate stands in the repository"))
            .args([port, pooled, standby].map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // What happens to the tests as a group, such as being stopped, is not for the server.
            .process_group(0)
            .spawn()
            .expect("tests/lab/postgres can be run");
        let input = keeper.stdin.take();
        let mut output = BufReader::new(keeper.stdout.take().expect("it is piped"));
        let mut said = String::new();
        output.read_line(&mut said).expect("it can be read");
        if said.is_empty() {
            let mut why = String::new();
            let errors = keeper.stderr.take().map(|mut errors| errors.read_to_string(&mut why));
            panic!("no database: {why} {errors:?}");
        }
        let directory = PathBuf::from(said.trim());
        Database { keeper: Mutex::new((keeper, input, output)), directory, port, pooled, standby }
    }

    /// One that all tests of this process share. It ends with the process.
    pub fn shared() -> &'static Database {
        static SHARED: OnceLock<Database> = OnceLock::new();
        SHARED.get_or_init(Database::start)
    }

    /// Tells the script something: `start`, `stop`, `kill`, `pause`, `resume`, `standby`.
    ///
    /// # Panics
    /// When it does not obey.
    pub fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let (script, input, output) = &mut *keeper;
        let input = input.as_mut().expect("it is piped");
        writeln!(input, "{word}").expect("the script listens");
        let mut said = String::new();
        output.read_line(&mut said).expect("the script answers");
        let mut why = String::new();
        if let Some(errors) = script.stderr.as_mut().filter(|_| said.is_empty()) {
            errors.read_to_string(&mut why).expect("its last words");
        }
        assert_eq!(said.trim(), word, "the database obeys: {why}");
    }

    /// The directory with `root.crt`, which signed the server's certificate, and `stranger.crt`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The port of the server itself.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the standby, once there is one.
    pub fn standby(&self) -> u16 {
        self.standby
    }

    /// The URL of a database, with the server itself behind it.
    pub fn url(&self, rest: &str) -> String {
        format!("postgres://operator@127.0.0.1:{}/{rest}", self.port)
    }

    /// The URL of a database, with PgBouncer behind it.
    pub fn pooled(&self, rest: &str) -> String {
        format!("postgres://operator@127.0.0.1:{}/{rest}", self.pooled)
    }

    /// A backup of a schema.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn dump(&self, database: &str, schema: &str) -> String {
        let output = Command::new("pg_dump")
            .args(["-U", "postgres", "-n", schema, "-p", &self.port.to_string(), "-h"])
            .arg(&self.directory)
            .arg(database)
            .output()
            .expect("pg_dump can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Puts a backup of a schema in the place of what is there.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn restore(&self, database: &str, schema: &str, backup: &str) {
        self.sql(database, &format!("DROP SCHEMA {schema} CASCADE"));
        let file = std::env::temp_dir().join(format!("{schema}.{}.sql", std::process::id()));
        std::fs::write(&file, backup).expect("written");
        let output = Command::new("psql")
            .args(["-qX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database])
            .args(["-p", &self.port.to_string(), "-h"])
            .arg(&self.directory)
            .arg("-f")
            .arg(&file)
            .output()
            .expect("psql can be run");
        std::fs::remove_file(&file).expect("removed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs SQL as the administrator, and gives back what it says, bare.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn sql(&self, database: &str, text: &str) -> String {
        let output = Command::new("psql")
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database])
            .args(["-p", &self.port.to_string(), "-c", text, "-h"])
            .arg(&self.directory)
            .output()
            .expect("psql can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

/// The script, from the root of the repository.
const SCRIPT: &str = "tests/lab/postgres";

/// Three ports that nobody listens on.
fn free() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

impl Drop for Database {
    fn drop(&mut self) {
        let (keeper, input, _) = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of its input tells it to take the server away, and it waits until that is done.
        drop(input.take());
        let _ = keeper.wait();
    }
}
