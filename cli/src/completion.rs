//! What a shell completes besides commands and options: addresses of the project, kinds, formats. The
//! script that `tcloud completions` prints asks this program, by a variable of the environment.

use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use tcloud_compiler::{Settings, compile};
use tcloud_model::{Address, Catalog, Deployment, Evaluator as _, codes};
use tcloud_project::config::Config;
use tcloud_report::Format;

use crate::arguments::Arguments;
use crate::disk_world::DiskWorld;

/// The variable that says for which shell to complete.
const VARIABLE: &str = "TCLOUD_COMPLETE";

const NAME: &str = "tcloud";

/// Answers a shell and ends the process, if one asks.
pub(crate) fn answer() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).bin(NAME).complete();
}

/// The script for a shell.
///
/// # Errors
/// When there is none for it.
pub(crate) fn script(shell: &str) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or(io::ErrorKind::Unsupported)?;
    shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    Ok(script)
}

/// The addresses that the text of this directory declares.
pub(crate) fn addresses() -> Vec<CompletionCandidate> {
    candidates(declared(Path::new(".")).iter())
}

/// Those of its hosts.
pub(crate) fn hosts() -> Vec<CompletionCandidate> {
    candidates(declared(Path::new(".")).iter().filter(|address| address.kind() == "host"))
}

/// Formats of reports.
pub(crate) fn formats() -> Vec<CompletionCandidate> {
    Format::ALL.map(Format::name).map(CompletionCandidate::new).into()
}

/// What `tcloud explain` explains.
pub(crate) fn topics() -> Vec<CompletionCandidate> {
    let catalog = Catalog::core();
    let kinds = catalog.iter().map(|schema| schema.kind.to_string());
    let codes = codes::ALL.iter().map(|page| page.code.to_owned());
    kinds.chain(codes).chain(["methods".to_owned()]).map(CompletionCandidate::new).collect()
}

/// Nothing is started, asked or remembered for this, and what is wrong with the text is not said here.
fn declared(root: &Path) -> Vec<Address> {
    let Ok(config) = Config::load(root) else { return Vec::new() };
    let settings = Settings::new(Deployment::new(&config.deployment));
    let compiled = compile(&DiskWorld::new(root, config.limits), &settings);
    let program = compiled.program;
    program.map_or_else(Vec::new, |program| program.desired().resources.keys().cloned().collect())
}

/// Keys in quotes are left out: no shell hands them over as they stand.
fn candidates<'a>(addresses: impl Iterator<Item = &'a Address>) -> Vec<CompletionCandidate> {
    let plain = addresses.map(Address::to_string).filter(|address| !address.contains('"'));
    plain.map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_that_asks() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let script = String::from_utf8(script(shell).expect(shell)).expect("text");
            assert!(script.contains(VARIABLE), "{script}");
        }
        assert!(script("tcsh").is_err());
    }

    #[test]
    fn what_the_text_declares_can_be_completed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
        let files: Address = "tenant.rhoenblick.vm.files".parse().expect("an address");
        assert!(declared(&root).contains(&files));
        assert!(declared(&root.join("nowhere")).is_empty());
    }
}
