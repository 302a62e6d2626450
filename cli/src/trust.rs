//! Whom to trust: what everybody on the machine may change is not carried out, and nothing that
//! tcloud writes may be changed by everybody.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;

use rustix::fs::Mode;

use crate::terminal::{Terminal, Tone};

/// Whether everybody on the machine may write this file or directory. The permissions of a symbolic
/// link mean nothing.
pub(crate) fn is_open_to_all(metadata: &Metadata) -> bool {
    !metadata.is_symlink() && metadata.permissions().mode() & 0o002 != 0
}

/// From now on files and directories are made so that not everybody may write them, whatever the
/// umask is: the next run would refuse such a project.
pub(crate) fn close_new_files() {
    let umask = rustix::process::umask(Mode::WOTH);
    rustix::process::umask(umask | Mode::WOTH);
}

/// Says so when an apply runs as root: an account that may talk to the hosts is enough, and what
/// goes wrong then goes less far.
pub(crate) fn warn_root(terminal: &Terminal) {
    if rustix::process::geteuid().is_root() {
        let warning = terminal.error_palette.paint(Tone::Warning, "warning");
        terminal.note(&format!(
            "{warning}: this runs as root; an account that may reach the hosts is enough"
        ));
    }
}
