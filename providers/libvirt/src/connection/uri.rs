//! Where a host is. Only what is safe is accepted, and the URI that libvirt gets is written anew.

use std::fmt;

/// How a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The daemon of this machine.
    Local,
    /// The daemon's socket, somewhere on this machine.
    Unix,
    /// The system's `ssh`.
    Ssh,
    /// TLS with certificates on both sides.
    Tls,
}

/// A connection URI that is safe to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uri {
    /// How.
    pub(crate) transport: Transport,
    /// `user@host:port`, as far as given.
    authority: String,
    /// What may be set besides, decoded.
    parameters: Vec<(String, String)>,
}

impl Uri {
    /// The daemon of this machine.
    pub(crate) const DEFAULT: &str = "qemu:///system";

    /// Reads a URI of the text.
    ///
    /// # Errors
    /// What about it is not accepted, in words.
    pub(crate) fn parse(text: &str) -> Result<Uri, String> {
        let shown = text.escape_debug();
        let refuse = |what: String| Err(format!("the URI \"{shown}\" {what}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("has no scheme, such as qemu+ssh://".to_owned());
        };
        let transport = match scheme {
            "qemu" => Transport::Local,
            "qemu+unix" => Transport::Unix,
            "qemu+ssh" => Transport::Ssh,
            "qemu+tls" => Transport::Tls,
            "qemu+tcp" => {
                return refuse(
                    "would send everything unencrypted: use qemu+tls or qemu+ssh".into(),
                );
            }
            _ => return refuse("is none of qemu, qemu+unix, qemu+ssh and qemu+tls".to_owned()),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let Some((authority, path)) = place.split_once('/') else {
            return refuse("has no path: it ends with /system".to_owned());
        };
        if path != "system" {
            return refuse(format!("leads to /{}, and not to /system", path.escape_debug()));
        }
        let local = matches!(transport, Transport::Local | Transport::Unix);
        if local != authority.is_empty() {
            let what = if local {
                "names a host, which needs qemu+ssh or qemu+tls"
            } else {
                "names no host"
            };
            return refuse(what.to_owned());
        }
        if !local && !is_authority(authority) {
            return refuse("has a host that is no host name".to_owned());
        }
        let mut parameters = Vec::new();
        for parameter in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let Some(value) = decode(value) else {
                return refuse(format!("has an unreadable {}", name.escape_debug()));
            };
            match accept(transport, name, &value) {
                Ok(()) => parameters.push((name.to_owned(), value)),
                Err(what) => return refuse(what),
            }
        }
        Ok(Uri { transport, authority: authority.to_owned(), parameters })
    }

    /// What libvirt opens. Over ssh nobody can be asked for a password or about a host key: what
    /// `ssh` cannot do by itself has to fail.
    pub(crate) fn to_libvirt(&self) -> String {
        let mut text = self.to_string();
        if self.transport == Transport::Ssh {
            text.push_str(if self.parameters.is_empty() { "?no_tty=1" } else { "&no_tty=1" });
        }
        text
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Local => "qemu",
            Transport::Unix => "qemu+unix",
            Transport::Ssh => "qemu+ssh",
            Transport::Tls => "qemu+tls",
        };
        write!(f, "{scheme}://{}/system", self.authority)?;
        for (position, (name, value)) in self.parameters.iter().enumerate() {
            write!(f, "{}{name}={}", if position == 0 { '?' } else { '&' }, encode(value))?;
        }
        Ok(())
    }
}

/// What may be set, for which transport.
fn accept(transport: Transport, name: &str, value: &str) -> Result<(), String> {
    let fits = match name {
        "socket" => transport != Transport::Tls,
        "keyfile" => transport == Transport::Ssh,
        "pkipath" => transport == Transport::Tls,
        "mode" => return known(name, value, &["auto", "legacy", "direct"]),
        "proxy" => return known(name, value, &["auto", "netcat", "native"]),
        "no_verify" => {
            return Err("switches off the check of who answers (no_verify), which is never \
                        done: put the host key into known_hosts, or fix the certificate"
                .to_owned());
        }
        "command" | "netcat" | "sshauth" | "libssh" => {
            return Err(format!(
                "sets {name}, which would run another program than ssh: use \
                                ~/.ssh/config"
            ));
        }
        _ => return Err(format!("sets {}, which is not known", name.escape_debug())),
    };
    if !fits {
        return Err(format!("sets {name}, which another transport has"));
    }
    if !value.starts_with('/') || value.chars().any(char::is_control) {
        return Err(format!("has a {name} that is no absolute path"));
    }
    Ok(())
}

fn known(name: &str, value: &str, values: &[&str]) -> Result<(), String> {
    if values.contains(&value) {
        return Ok(());
    }
    Err(format!("sets {name} to none of {}", values.join(", ")))
}

/// `user@host:port`; nothing that `ssh` could take for an option.
fn is_authority(text: &str) -> bool {
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, text),
    };
    let plain = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !text.is_empty() && !text.starts_with('-') && text.chars().all(fits)
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !place.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => plain(host),
    };
    host_fits
        && user.is_none_or(plain)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// The text behind percent signs; `None` when it is none.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_is_passed_on() {
        for (text, opened) in [
            ("qemu:///system", "qemu:///system"),
            ("qemu+unix:///system?socket=/run/a%20b", "qemu+unix:///system?socket=/run/a%20b"),
            (
                "qemu+ssh://tc@kvm1.example:22/system",
                "qemu+ssh://tc@kvm1.example:22/system?no_tty=1",
            ),
            (
                "qemu+ssh://[::1]/system?keyfile=/k&proxy=native",
                "qemu+ssh://[::1]/system?keyfile=/k&proxy=native&no_tty=1",
            ),
            ("qemu+tls://h1.lab/system?pkipath=/pki", "qemu+tls://h1.lab/system?pkipath=/pki"),
        ] {
            assert_eq!(Uri::parse(text).map(|uri| uri.to_libvirt()).as_deref(), Ok(opened));
        }
    }

    #[test]
    fn what_is_not_safe_is_refused_and_named() {
        for (text, word) in [
            ("qemu+ssh://h/system?no_verify=1", "no_verify"),
            ("qemu+tls://h/system?no_verify=1", "no_verify"),
            ("qemu+ssh://h/system?command=/tmp/x", "command"),
            ("qemu+ssh://-oProxyCommand=x/system", "host name"),
            ("qemu+ssh://-l@h/system", "host name"),
            ("qemu+ssh://h:0/system", "host name"),
            ("qemu+tcp://h/system", "unencrypted"),
            ("qemu+ext://h/system", "none of"),
            ("test:///default", "none of"),
            ("qemu:///session", "/session"),
            ("qemu://h/system", "names a host"),
            ("qemu+ssh:///system", "names no host"),
            ("qemu+unix:///system?socket=run/x", "absolute"),
            ("qemu+unix:///system?socket=/a%0ab", "absolute"),
            ("qemu+unix:///system?socket=%zz", "unreadable"),
            ("qemu+tls://h/system?keyfile=/x", "another transport"),
            ("qemu+ssh://h\u{1b}[2K/system", "host name"),
            ("kvm1", "no scheme"),
        ] {
            let error = Uri::parse(text).expect_err(text);
            assert!(error.contains(word), "{error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }
}
