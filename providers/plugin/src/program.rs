//! The program of a plugin: a file whose digest is known before it runs. What is run is a copy that
//! was digested and that nobody can change, so that nothing else can take its place in between.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// How long a copy may be in use before it is sealed.
#[cfg(target_os = "linux")]
const SEALED_WITHIN: Duration = Duration::from_secs(10);

/// An open program.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    file: File,
    digest: String,
}

/// Why a program cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no file.
    #[error("{} is not a file", .0.display())]
    NoFile(PathBuf),
    /// Nobody may run it.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// It is another program than it was.
    #[error("{} has changed: it is {found}, and {expected} is pinned", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is pinned.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl Program {
    /// Opens a program and computes its digest: `sha256:` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// When it is no file that can be read and run.
    pub fn open(path: &Path) -> Result<Program, ProgramError> {
        let failed = |source| ProgramError::Read { path: path.to_owned(), source };
        let path = std::path::absolute(path).map_err(failed)?;
        let failed = |source| ProgramError::Read { path: path.clone(), source };
        // A FIFO would keep whoever opens it waiting.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(&path, flags, Mode::empty());
        let mut file = File::from(file.map_err(|error| match error {
            // A socket, or a device that is not there.
            Errno::NXIO => ProgramError::NoFile(path.clone()),
            error => failed(error.into()),
        })?);
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(ProgramError::NoFile(path));
        }
        if !is_executable(&metadata) {
            return Err(ProgramError::NotExecutable(path));
        }
        let mut copy = copy_of(&mut file).map_err(failed)?;
        let digest = digest(&mut copy).map_err(failed)?;
        Ok(Program { path, file: copy, digest })
    }

    /// Opens a program that has to be the pinned one.
    ///
    /// # Errors
    /// As [`Program::open`], and when it has another digest.
    pub fn open_pinned(path: &Path, expected: &str) -> Result<Program, ProgramError> {
        let Program { path, file, digest: found } = Program::open(path)?;
        if found != expected {
            return Err(ProgramError::Changed { path, expected: expected.to_owned(), found });
        }
        Ok(Program { path, file, digest: found })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A path to what was digested, for as long as this is kept. A script is read by its
    /// interpreter through it, so that it leads through this process and not through the new one.
    pub(crate) fn by_descriptor(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            let (process, file) = (std::process::id(), self.file.as_raw_fd());
            let path = PathBuf::from(format!("/proc/{process}/fd/{file}"));
            if path.exists() {
                return path;
            }
        }
        let Program { path, file: _, digest: _ } = self;
        path.clone()
    }
}

/// A copy in memory that nobody can change any more, so that what is run is what is digested: the
/// file itself may be written to in between. Where there is no such copy, the file.
#[cfg(target_os = "linux")]
fn copy_of(file: &mut File) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Older systems do not know the flag, and let it be run without.
    let made = rustix::fs::memfd_create("tcloud-provider", flags | MemfdFlags::EXEC);
    let made = made.or_else(|_| rustix::fs::memfd_create("tcloud-provider", flags))?;
    let mut copy = File::from(made);
    io::copy(file, &mut copy)?;
    seal(&copy)?;
    copy.rewind()?;
    Ok(copy)
}

/// From now on nobody can change it. The kernel cannot promise that while something of it is in use,
/// and itself uses what it moves about in memory; that passes.
#[cfg(target_os = "linux")]
fn seal(copy: &File) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    let begun = Instant::now();
    loop {
        match rustix::fs::fcntl_add_seals(copy, seals) {
            // It has waited a while itself.
            Err(Errno::BUSY) if begun.elapsed() < SEALED_WITHIN => sleep(SEALED_WITHIN / 500),
            sealed => return Ok(sealed?),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn copy_of(file: &mut File) -> io::Result<File> {
    file.try_clone()
}

fn digest(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_says() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("program");
        std::fs::write(&path, "abc").expect("written");
        assert!(matches!(Program::open(&path), Err(ProgramError::NotExecutable(_))));
        assert!(matches!(Program::open(directory.path()), Err(ProgramError::NoFile(_))));
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&path, mode).expect("a mode");
        let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Program::open(&path).expect("a program").digest(), digest);
        assert!(Program::open_pinned(&path, digest).is_ok());
        let error = Program::open_pinned(&path, "sha256:00").expect_err("another one");
        assert!(error.to_string().contains("has changed: it is sha256:ba78"), "{error}");
    }

    #[test]
    fn what_is_run_is_what_was_digested() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("program");
        std::fs::write(&path, "#!/bin/sh\necho first\n").expect("written");
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&path, mode).expect("a mode");
        let program = Program::open(&path).expect("a program");
        // In place: the same file, with other content.
        std::fs::write(&path, "#!/bin/sh\necho second\n").expect("written");
        let said = std::process::Command::new(program.by_descriptor()).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&said.stdout), "first\n");
        let compiled = Program::open(Path::new("/bin/true")).expect("a program");
        let status = std::process::Command::new(compiled.by_descriptor()).status();
        assert!(status.expect("it runs").success());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_copy_that_is_in_use_is_sealed_afterwards() {
        use rustix::pipe::{SpliceFlags, pipe, splice};
        let made = rustix::fs::memfd_create("in-use", MemfdFlags::ALLOW_SEALING).expect("a file");
        let mut copy = File::from(made);
        std::io::Write::write_all(&mut copy, &[7; 4096]).expect("written");
        copy.rewind().expect("the beginning");
        // A pipe holds the page itself until somebody reads it.
        let (out, into) = pipe().expect("a pipe");
        splice(&copy, None, &into, None, 4096, SpliceFlags::empty()).expect("in use");
        assert_eq!(rustix::fs::fcntl_add_seals(&copy, SealFlags::WRITE), Err(Errno::BUSY));
        let held = std::thread::spawn(move || {
            sleep(Duration::from_millis(700));
            drop((out, into));
        });
        seal(&copy).expect("sealed");
        held.join().expect("no panic");
        assert!(std::io::Write::write_all(&mut copy, &[8]).is_err(), "nobody can write");
    }

    #[test]
    fn nobody_waits_for_a_pipe() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("program");
        let made = std::process::Command::new("mkfifo").args(["-m", "700"]).arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "a pipe");
        assert!(matches!(Program::open(&path), Err(ProgramError::NoFile(_))));
        assert!(matches!(Program::open(Path::new("/dev/null")), Err(ProgramError::NoFile(_))));
    }
}
