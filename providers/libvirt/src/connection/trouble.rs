//! Why a host cannot be reached, in words that say what to do. libvirt has no codes for most of it,
//! so its words are looked at; what is not recognised is passed on.

use virt::error::{Error, ErrorNumber};

use super::uri::{Transport, Uri};
use crate::failure::Failure;

/// Parts of libvirt's and ssh's words, and what they mean. The first that fits counts.
const REMOTE: [(&str, &str); 12] = [
    (
        "host key verification failed",
        "the host key is not the known one, or not known yet: connect once with ssh by hand and \
         compare its fingerprint",
    ),
    (
        "remote host identification has changed",
        "the host key has changed: find out why before removing the old one from known_hosts",
    ),
    (
        "permission denied (",
        "ssh may not log in: check the account, and that its key is loaded (ssh-add -l)",
    ),
    ("too many authentication failures", "ssh may not log in: too many keys were tried"),
    ("could not resolve hostname", "the host's name is not known"),
    ("connection timed out", "the host does not answer"),
    ("no route to host", "there is no way to the host"),
    ("network is unreachable", "there is no way to the host"),
    (
        "unix connect failed",
        "ssh logs in, but the libvirt daemon does not run there, or its socket is not usable",
    ),
    (
        "failed to connect socket",
        "ssh logs in, but the libvirt daemon does not run there, or its socket is not usable",
    ),
    ("command not found", "ssh logs in, but libvirt is not installed there"),
    ("connection refused", "nothing listens there: is the daemon, or sshd, running?"),
];

const TLS: [(&str, &str); 8] = [
    ("hasn't got a known issuer", "its certificate is of an unknown authority"),
    ("owner does not match the hostname", "its certificate is for another host name"),
    ("hostname", "its certificate is for another host name"),
    ("expired", "a certificate has expired"),
    ("not yet active", "a certificate is not valid yet: compare the clocks"),
    ("cannot read", "a certificate or key of ours cannot be read"),
    ("no such file", "a certificate or key of ours is missing"),
    ("certificate", "the certificates are not accepted"),
];

const LOCAL: [(&str, &str); 3] = [
    ("no such file", "its socket is not there: is libvirtd installed and running?"),
    ("connection refused", "its socket is there, but the daemon does not run"),
    (
        "permission denied",
        "its socket may not be used: the account has to be in the group `libvirt`",
    ),
];

/// What the caller is told when a connection cannot be opened.
pub(super) fn unreachable(uri: &Uri, error: &Error) -> Failure {
    let words = error.message().trim().escape_debug().to_string().replace("\\'", "'");
    let lower = words.to_lowercase();
    let find = |table: &[(&str, &'static str)]| {
        table.iter().find(|(part, _)| lower.contains(part)).map(|(_, meaning)| *meaning)
    };
    let meaning = match error.code() {
        ErrorNumber::AuthFailed | ErrorNumber::AuthUnavailable | ErrorNumber::AuthCancelled => {
            Some("the daemon does not accept the account")
        }
        ErrorNumber::AccessDenied => Some("the daemon does not let the account in"),
        _ => match uri.transport {
            Transport::Local | Transport::Unix => find(&LOCAL),
            Transport::Ssh => find(&REMOTE),
            Transport::Tls if is_about_tls(error, &lower) => find(&TLS),
            Transport::Tls => find(&REMOTE),
        },
    };
    // The socket stands in the URI, and once is enough.
    let words = match words.strip_prefix("Failed to connect socket to '") {
        Some(rest) if meaning.is_some() => rest.rsplit("': ").next().unwrap_or(rest).to_owned(),
        _ => words,
    };
    match meaning {
        Some(meaning) => Failure::Away(format!("{uri} cannot be reached: {meaning} ({words})")),
        None => Failure::Away(format!("{uri} cannot be reached: {words}")),
    }
}

fn is_about_tls(error: &Error, lower: &str) -> bool {
    error.code() == ErrorNumber::GnutlsError
        || ["certificate", "tls", ".pem"].iter().any(|part| lower.contains(part))
}

/// A daemon that takes connections and then says nothing.
pub(super) fn silent(uri: &Uri, seconds: u64) -> Failure {
    Failure::Away(format!(
        "{uri} takes connections but has said nothing for {seconds} s: the daemon is stalled"
    ))
}

/// A connection that broke while something was asked.
pub(super) fn lost(uri: &Uri, what: &str, error: &str) -> Failure {
    let cause = if error.contains("keepalive") {
        "the daemon stopped answering, even to keepalives"
    } else if error.contains("client socket is closed") {
        // It was noticed between two calls, and libvirt does not keep why.
        "the daemon ended, or stopped answering, even to keepalives"
    } else {
        "the connection broke"
    };
    Failure::Unknown(format!("{what}: {uri}: {cause} ({})", error.escape_debug()))
}

/// A daemon that lives but takes too long.
pub(super) fn slow(uri: &Uri, what: &str, seconds: u64) -> Failure {
    Failure::Unknown(format!(
        "{what}: {uri} answers to keepalives but has been busy with it for {seconds} s"
    ))
}
