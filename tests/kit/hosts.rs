//! Real libvirt hosts with real guests: the laboratory of `tests/lab`, for tests in Rust.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// Hosts that run until this is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct Hosts {
    /// The script that keeps the laboratory. It takes it down when its standard input ends.
    keeper: Child,
    /// Made and removed by the keeper.
    directory: PathBuf,
}

/// How a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Its socket, through the file system.
    Unix,
    /// TLS with the laboratory's own authority.
    Tls,
    /// The system's ssh with the laboratory's own configuration.
    Ssh,
}

/// What a guest says about itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Facts {
    /// Seconds since it was started.
    pub uptime: f64,
    /// Another one at each start.
    pub boot: String,
    /// Its name.
    pub hostname: String,
    /// Processors in use.
    pub cpus: u32,
    /// Bytes of memory that its kernel manages: some less than it was given.
    pub memory: u64,
    /// `bios` or `uefi`.
    pub firmware: String,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// Its network cards.
    pub nics: Vec<Nic>,
    /// SHA-256 of each file of its cloud-init seed, by name.
    pub seed: BTreeMap<String, String>,
}

/// A disk, as the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Disk {
    /// `vda`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The serial number that the host gave it.
    pub serial: String,
}

/// A network card, as the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Nic {
    /// `eth0`.
    pub name: String,
    /// Its MAC address.
    pub mac: String,
    /// Its addresses with the lengths of their prefixes.
    pub addresses: Vec<String>,
}

impl Hosts {
    /// Starts hosts `1..=count`.
    ///
    /// # Errors
    /// Why they cannot be started: not root, the packages that are missing, what the script says.
    pub fn start(count: usize) -> Result<Hosts, String> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let name = (std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        // A short path, since sockets lie below it.
        let directory = std::env::temp_dir().join(format!("tcloud-lab.{}.{}", name.0, name.1));
        let mut keeper = Command::new(script())
            .arg("with")
            .arg(count.to_string())
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the laboratory cannot be started: {error}"))?;
        let mut said = String::new();
        if let Some(output) = keeper.stdout.as_mut() {
            BufReader::new(output).read_line(&mut said).map_err(|error| error.to_string())?;
        }
        if said.trim() != "ready" {
            let mut why = String::new();
            if let Some(mut errors) = keeper.stderr.take() {
                errors.read_to_string(&mut why).map_err(|error| error.to_string())?;
            }
            return Err(format!("the laboratory did not start: {said}{why}"));
        }
        Ok(Hosts { keeper, directory })
    }

    /// Three hosts that all tests of this process share. They end with the process.
    ///
    /// # Panics
    /// When they cannot be started; the message says what is missing. A test that needs real hosts
    /// and has none has failed.
    pub fn shared() -> &'static Hosts {
        static HOSTS: OnceLock<Result<Hosts, String>> = OnceLock::new();
        match HOSTS.get_or_init(|| Hosts::start(3)) {
            Ok(hosts) => hosts,
            Err(error) => panic!("{error}"),
        }
    }

    /// The directory of the laboratory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory with the guest's `kernel`, `initrd`, `image.qcow2` and `image.sha256`; every host
    /// sees it as `/srv/guest`.
    ///
    /// # Panics
    /// When the laboratory is gone.
    pub fn guest(&self) -> PathBuf {
        let path = std::fs::read_to_string(self.directory.join("guest"));
        PathBuf::from(path.expect("the laboratory has a guest").trim())
    }

    /// The path for programs, with the laboratory's ssh in it: what [`Transport::Ssh`] needs.
    pub fn path(&self) -> OsString {
        let mut path = self.directory.join("ssh").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    /// Runs the user's program as [`tcloud`] does, with the laboratory's ssh.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub fn tcloud(&self, directory: &Path, arguments: &[&str], code: i32) -> String {
        run(Command::new(program()).env("PATH", self.path()), directory, arguments, code)
    }

    /// The libvirt URI of a host.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn uri(&self, host: usize, transport: Transport) -> String {
        let transport = match transport {
            Transport::Unix => "unix",
            Transport::Tls => "tls",
            Transport::Ssh => "ssh",
        };
        self.must(&["uri", &host.to_string(), transport]).trim().to_owned()
    }

    /// Runs a command of the laboratory's script: `crash`, `pause`, `restart`…
    ///
    /// # Errors
    /// What it said on its error output.
    pub fn lab(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(script())
            .args(arguments)
            .env("TCLOUD_LAB", &self.directory)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        let Output { status, stdout, stderr } = output;
        match status.success() {
            true => Ok(String::from_utf8_lossy(&stdout).into_owned()),
            false => {
                Err(format!("lab {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr)))
            }
        }
    }

    /// The same, for what cannot fail in a test that goes well.
    ///
    /// # Panics
    /// When it fails.
    pub fn must(&self, arguments: &[&str]) -> String {
        self.lab(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What virsh prints about a host, the judge of every test with real hosts.
    ///
    /// # Errors
    /// What virsh said on its error output.
    pub fn virsh(&self, host: usize, arguments: &[&str]) -> Result<String, String> {
        let host = host.to_string();
        self.lab(&[&["virsh", &host, "-q"], arguments].concat())
    }

    /// Has virsh define a foreign object from its XML: `define`, `net-define`, `pool-define`…
    ///
    /// # Errors
    /// What virsh said.
    pub fn define(&self, host: usize, how: &str, xml: &str) -> Result<String, String> {
        let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        file.write_all(xml.as_bytes()).map_err(|error| error.to_string())?;
        self.virsh(host, &[how, &file.path().display().to_string()])
    }

    /// Runs a command inside a host.
    ///
    /// # Errors
    /// What it said on its error output.
    pub fn exec(&self, host: usize, command: &[&str]) -> Result<String, String> {
        let host = host.to_string();
        self.lab(&[&["exec", &host], command].concat())
    }

    /// Puts a question to the guest at an address on a host; see `tests/lab/README.md`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, host: usize, address: &str, question: &str) -> Result<String, String> {
        let answer = self.lab(&["ask", &host.to_string(), address, question])?;
        match answer.trim() {
            "" => Err(format!("{address} has no answer to '{question}'")),
            answer => Ok(answer.to_owned()),
        }
    }

    /// What the guest at an address says about itself, as soon as it answers.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub fn facts(&self, host: usize, address: &str, patience: Duration) -> Result<Facts, String> {
        wait(patience, || {
            let answer = self.ask(host, address, "facts")?;
            serde_json::from_str(&answer).map_err(|error| format!("{error} in {answer}"))
        })
    }

    /// What comes of a try as soon as a guest, which was perhaps started, lets it succeed. One that
    /// has not said more often than `before` that it is ready ([`Hosts::ready`]) is started anew after
    /// [`STUCK`]; one that has, and does not answer, is left as it is.
    ///
    /// # Errors
    /// That of the last try, with the end of the guest's console.
    pub fn started<T>(
        &self,
        (host, guest): (usize, &str),
        before: usize,
        patience: Duration,
        mut what: impl FnMut() -> Result<T, String>,
    ) -> Result<T, String> {
        let mut since = Instant::now();
        let tried = wait(patience, || {
            let tried = what();
            if tried.is_err() && since.elapsed() > STUCK && self.ready(host, guest)? <= before {
                let reset = self.virsh(host, &["reset", guest]);
                reset.map_err(|error| format!("{error}: {}", self.fate(host, guest)))?;
                since = Instant::now();
            }
            tried
        });
        tried.map_err(|error| {
            format!("{error}; the console of {guest} ends with:\n{}", self.console(host, guest))
        })
    }

    /// How often a guest has said on its console that it is ready.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn ready(&self, host: usize, guest: &str) -> Result<usize, String> {
        let count = format!("grep -c READY {} || true", console_log(guest));
        let said = self.exec(host, &["sh", "-c", &count])?;
        said.trim().parse().map_err(|error| format!("{error} in {said}"))
    }

    /// Why a guest is in the state it is in, and the end of QEMU's own words.
    pub fn fate(&self, host: usize, guest: &str) -> String {
        let told = format!(
            "virsh domstate '{guest}' --reason | head -1; \
             tail -n 6 '/var/log/libvirt/qemu/{guest}.log'"
        );
        self.exec(host, &["sh", "-c", &told]).unwrap_or_else(|error| error)
    }

    /// The last of what a guest has said on its console, or why that cannot be read.
    pub fn console(&self, host: usize, guest: &str) -> String {
        let log = console_log(guest);
        self.exec(host, &["tail", "-c", "2000", &log]).unwrap_or_else(|error| error)
    }
}

fn console_log(guest: &str) -> String {
    format!("/var/log/libvirt/qemu/{guest}.console.log")
}

impl Drop for Hosts {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // If it fails, its directory is left for whoever looks; a test that is over cannot.
        let _ = self.keeper.wait();
    }
}

/// Tries until it succeeds, or gives the last error when the time is over.
///
/// # Errors
/// That of the last try.
pub fn wait<T>(
    patience: Duration,
    mut what: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        match what() {
            Ok(value) => return Ok(value),
            Err(error) if begun.elapsed() >= patience => {
                return Err(format!("after {} s: {error}", patience.as_secs()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// How long a guest may take until it answers: about 4 s alone on a machine without KVM, and many
/// times that beside other tests.
pub const BOOT: Duration = Duration::from_secs(120);

/// After so long, [`Hosts::started`] starts a guest anew that has not said that it is ready. QEMU
/// without KVM takes the timer of a processor away for ever from about one of some dozens of guests
/// that boot at once (`info lapic` shows its interrupt as being served, and nobody serves it).
const STUCK: Duration = Duration::from_secs(120);

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/lab")
}

/// The user's program, which lies where cargo puts it, above the tests; its libvirt provider lies
/// beside it.
///
/// # Panics
/// When one of them was not built.
pub fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let directory = own.parent().and_then(Path::parent).expect("the directory of the build");
    for program in ["tcloud-provider-libvirt", "tcloud"] {
        let path = directory.join(program);
        assert!(path.is_file(), "{} is missing: cargo build --workspace", path.display());
    }
    directory.join("tcloud")
}

/// Runs the user's program in a directory, which has to end with this code, and gives what it wrote.
///
/// # Panics
/// When it ends otherwise; the message says what it wrote.
pub fn tcloud(directory: &Path, arguments: &[&str], code: i32) -> String {
    run(&mut Command::new(program()), directory, arguments, code)
}

fn run(program: &mut Command, directory: &Path, arguments: &[&str], code: i32) -> String {
    let output = program
        .args(arguments)
        .current_dir(directory)
        .env_remove("TCLOUD_STATE")
        .stdin(Stdio::null())
        .output()
        .expect("tcloud runs");
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    out.into_owned()
}
