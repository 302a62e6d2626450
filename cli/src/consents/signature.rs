//! Signing and verifying, by the system's `ssh-keygen`: its agents, its keys in hardware and its file of
//! allowed signers work here as they do with git.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ConsentError;
use crate::escape::escape;

/// What signatures are for: none that was made for anything else counts.
const NAMESPACE: &str = "consent@tcloud";

/// Signs with a private key, or with the agent's key that belongs to a public one.
pub(crate) fn sign(key: &Path, bytes: &[u8]) -> Result<String, ConsentError> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    // It asks for a passphrase by itself, from the terminal.
    run(&mut command, bytes).map_err(ConsentError::Ssh)
}

/// Verifies that somebody whom the file calls so signed this.
pub(super) fn verify(
    signers: &Path,
    by: &str,
    bytes: &[u8],
    signature: &str,
) -> Result<(), ConsentError> {
    let failed = |said| ConsentError::Signature { by: by.to_owned(), said };
    let trouble = |error: std::io::Error| ConsentError::Ssh(error.to_string());
    let mut file = tempfile::NamedTempFile::new().map_err(trouble)?;
    file.write_all(signature.as_bytes()).map_err(trouble)?;
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-n", NAMESPACE, "-I", by, "-f"]).arg(signers);
    command.arg("-s").arg(file.path());
    run(&mut command, bytes).map(drop).map_err(failed)
}

/// Runs it with something on its standard input; gives what it prints, or what it complains of.
fn run(command: &mut Command, input: &[u8]) -> Result<String, String> {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = started.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    // It may end before it has read everything; what it says then tells why.
    let fed = child.stdin.take().map(|mut to| to.write_all(input));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match (output.status.success(), fed) {
        (true, Some(Ok(()))) => Ok(text(&output.stdout)),
        (true, Some(Err(error))) => Err(error.to_string()),
        (true, None) | (false, _) => {
            // A verification says on standard output what is wrong.
            let said = text(&output.stderr) + &text(&output.stdout);
            let said = said.trim().lines().collect::<Vec<_>>().join("; ");
            Err(escape(&said).into_owned())
        }
    }
}
