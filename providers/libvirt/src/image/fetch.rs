//! Fetching images: from a file of this machine, or over https. What arrives goes to a temporary
//! file without a name, so that nothing is left of what was cut off or is not what it should be.

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256, Sha512};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::failure::{Failure, quoted};

/// The largest file that is fetched.
const LARGEST: u64 = 64 << 30;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// Where images may come from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sources {
    /// Whether servers with addresses that are not public may be asked.
    pub(crate) private: bool,
}

/// A digest that a file has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Sha256(String),
    Sha512(String),
}

impl Expected {
    /// Reads `sha256:…` or `sha512:…`.
    pub(super) fn parse(text: &str) -> Result<Expected, Failure> {
        let (digits, expected): (usize, fn(String) -> Expected) = match text.split_once(':') {
            Some(("sha256", _)) => (64, Expected::Sha256),
            Some(("sha512", _)) => (128, Expected::Sha512),
            _ => {
                return Failure::refused(format!(
                    "the digest {} is neither sha256:… nor sha512:…",
                    quoted(text)
                ));
            }
        };
        let hex = text.split_once(':').map(|(_, hex)| hex).unwrap_or_default();
        if hex.len() != digits || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Failure::refused(format!(
                "the digest {} does not have {digits} hexadecimal digits",
                quoted(text)
            ));
        }
        Ok(expected(hex.to_ascii_lowercase()))
    }

    /// Compares with what was read.
    fn check(&self, from: &mut Hashing<impl Read>, what: &str) -> Result<(), Failure> {
        let (wanted, found) = match self {
            Expected::Sha256(wanted) => (wanted, hex(&from.sha256.finalize_reset())),
            Expected::Sha512(wanted) => (wanted, hex(&from.sha512.finalize_reset())),
        };
        if *wanted == found {
            return Ok(());
        }
        Failure::refused(format!(
            "{what} is not what it should be: its digest is {found}, not {wanted}"
        ))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A reader that computes digests of what passes.
pub(super) struct Hashing<R> {
    from: R,
    sha256: Sha256,
    sha512: Sha512,
    only_512: bool,
}

impl<R: Read> Hashing<R> {
    pub(super) fn new(from: R, expected: &Expected) -> Hashing<R> {
        let only_512 = matches!(expected, Expected::Sha512(_));
        Hashing { from, sha256: Sha256::new(), sha512: Sha512::new(), only_512 }
    }

    /// Makes sure that what passed is what was expected.
    pub(super) fn check(&mut self, expected: &Expected, what: &str) -> Result<(), Failure> {
        expected.check(self, what)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.from.read(buffer)?;
        if self.only_512 {
            self.sha512.update(&buffer[..length]);
        } else {
            self.sha256.update(&buffer[..length]);
        }
        Ok(length)
    }
}

/// Fetches a file and makes sure that it is what was expected; the file stands at its beginning.
pub(super) fn fetch(
    source: &str,
    expected: &Expected,
    directory: &Path,
    sources: Sources,
) -> Result<File, Failure> {
    if let Some(path) = source.strip_prefix("file:") {
        return local(path, expected);
    }
    if !source.starts_with("https://") {
        return Failure::refused(format!(
            "images come from https://… or file:…, not from {}",
            quoted(source)
        ));
    }
    let file = temporary(directory)?;
    let (body, length) = request(source, &agent(sources, RootCerts::PlatformVerifier))?;
    if length.is_some_and(|length| length > LARGEST) {
        return Failure::refused(format!(
            "{} has {} bytes, and at most {LARGEST} are fetched",
            quoted(source),
            length.unwrap_or_default()
        ));
    }
    receive(body, length, LARGEST, expected, file, source)
}

fn local(path: &str, expected: &Expected) -> Result<File, Failure> {
    let path = path.strip_prefix("//").unwrap_or(path);
    let shown = quoted(path);
    if !path.starts_with('/') {
        return Failure::refused(format!("the file {shown} has no absolute path"));
    }
    let trouble = |error: std::io::Error| Failure::Refused(format!("{shown}: {error}"));
    // A pipe would keep whoever opens it waiting.
    if !std::fs::metadata(path).map_err(trouble)?.is_file() {
        return Failure::refused(format!("{shown} is not a regular file"));
    }
    let mut file = File::open(path).map_err(trouble)?;
    let mut from = Hashing::new(&file, expected);
    std::io::copy(&mut from, &mut std::io::sink()).map_err(trouble)?;
    expected.check(&mut from, &shown)?;
    file.rewind().map_err(trouble)?;
    Ok(file)
}

/// A file without a name; on a disk, since it may be large.
fn temporary(directory: &Path) -> Result<File, Failure> {
    let trouble = |error: std::io::Error| {
        Failure::Away(format!("no room to fetch an image to {}: {error}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(trouble)?;
    tempfile::tempfile_in(directory).map_err(trouble)
}

/// Receives what a server sends.
fn receive(
    body: impl Read,
    length: Option<u64>,
    most: u64,
    expected: &Expected,
    mut file: File,
    source: &str,
) -> Result<File, Failure> {
    let shown = quoted(source);
    let away = |error: std::io::Error| Failure::Away(format!("{shown}: it broke off: {error}"));
    let mut from = Hashing::new(body.take(most + 1), expected);
    let received = std::io::copy(&mut from, &mut file).map_err(away)?;
    if received > most {
        return Failure::refused(format!("{shown} has more than {most} bytes: it is not fetched"));
    }
    if let Some(length) = length
        && received < length
    {
        return Err(Failure::Away(format!(
            "{shown}: it broke off after {received} of {length} bytes"
        )));
    }
    expected.check(&mut from, &shown)?;
    file.flush().and_then(|()| file.rewind()).map_err(away)?;
    Ok(file)
}

/// What asks servers: only over TLS, also where one server leads to another.
pub(super) fn agent(sources: Sources, trusted: RootCerts) -> ureq::Agent {
    let config = Config::builder()
        .https_only(true)
        .max_redirects(5)
        .timeout_resolve(Some(SILENCE))
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("tcloud/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(trusted).build())
        .build();
    let resolver = Public { sources, inner: DefaultResolver::default() };
    ureq::Agent::with_parts(config, DefaultConnector::default(), resolver)
}

pub(super) fn request(
    source: &str,
    agent: &ureq::Agent,
) -> Result<(impl Read + use<>, Option<u64>), Failure> {
    let shown = quoted(source);
    let authority = source.trim_start_matches("https://").split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Failure::refused(format!(
            "the source of an image names an account, which everybody could read ({})",
            quoted(authority.rsplit('@').next().unwrap_or_default())
        ));
    }
    let answer = agent.get(source).call().map_err(|error| match error {
        ureq::Error::StatusCode(code) => {
            Failure::Refused(format!("{shown}: the server says {code}"))
        }
        ureq::Error::RequireHttpsOnly(to) => {
            Failure::Refused(format!("{shown} leads to {}, which is not encrypted", quoted(&to)))
        }
        ureq::Error::TooManyRedirects => {
            Failure::Refused(format!("{shown} leads from one place to the next without end"))
        }
        ureq::Error::Other(error) if error.is::<NotPublic>() => {
            Failure::Refused(format!("{shown}: {error}"))
        }
        error => Failure::Away(format!("{shown}: {}", error.to_string().escape_debug())),
    })?;
    let length = answer.headers().get("content-length");
    let length = length.and_then(|own| own.to_str().ok()).and_then(|own| own.parse().ok());
    Ok((answer.into_body().into_with_config().limit(LARGEST + 2).reader(), length))
}

/// Asks for addresses, and takes only those that are public.
#[derive(Debug)]
struct Public {
    sources: Sources,
    inner: DefaultResolver,
}

/// A server that is inside.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} has the address {1}, which is not public; images come from inside only where the \
     provider's settings allow it"
)]
struct NotPublic(String, IpAddr);

impl Resolver for Public {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.inner.resolve(uri, config, timeout)?;
        let inside = addresses.iter().find(|address| !is_public(address.ip()));
        match inside {
            Some(address) if !self.sources.private => {
                let host = uri.host().unwrap_or_default().escape_debug().to_string();
                Err(ureq::Error::Other(Box::new(NotPublic(host, address.ip()))))
            }
            _ => Ok(addresses),
        }
    }
}

/// Whether an address belongs to the Internet, by the registries of special addresses (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            let inner = v6.to_ipv4_mapped().or_else(|| match v6.segments() {
                // NAT64 leads to the IPv4 address at its end.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    Some((u32::from(high) << 16 | u32::from(low)).into())
                }
                _ => None,
            });
            match inner {
                Some(v4) => is_public(IpAddr::V4(v4)),
                None => {
                    (v6.segments()[0] & 0xe000) == 0x2000 && v6.segments()[..2] != [0x2001, 0xdb8]
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(bytes: &[u8]) -> Expected {
        Expected::Sha256(hex(&Sha256::digest(bytes)))
    }

    fn take(body: &[u8], length: Option<u64>, most: u64, of: &[u8]) -> Result<Vec<u8>, String> {
        let file = tempfile::tempfile().expect("a file");
        let file = receive(body, length, most, &expected(of), file, "https://a.example/x");
        let mut bytes = Vec::new();
        file.map_err(|failure| failure.to_string())?
            .read_to_end(&mut bytes)
            .expect("it can be read");
        Ok(bytes)
    }

    #[test]
    fn what_arrives_is_what_was_expected_or_nothing() {
        assert_eq!(take(b"image", Some(5), 9, b"image").as_deref(), Ok(b"image".as_slice()));
        assert_eq!(take(b"image", None, 5, b"image").as_deref(), Ok(b"image".as_slice()));
        let error = |result: Result<Vec<u8>, String>| result.expect_err("it is refused");
        assert!(error(take(b"imag", Some(5), 9, b"image")).contains("4 of 5"));
        assert!(error(take(b"imagine", None, 5, b"image")).contains("more than 5"));
        assert!(error(take(b"imagE", Some(5), 9, b"image")).contains("digest"));
        // A server that never ends is left after the last byte that is wanted.
        assert!(
            receive(
                std::io::repeat(0),
                None,
                1 << 20,
                &expected(b""),
                tempfile::tempfile().expect("a file"),
                "https://a.example/x"
            )
            .is_err()
        );
    }

    #[test]
    fn digests_are_mandatory_and_whole() {
        assert!(Expected::parse(&format!("sha256:{}", "aB".repeat(32))).is_ok());
        assert!(Expected::parse(&format!("sha512:{}", "0".repeat(128))).is_ok());
        for wrong in ["", "sha256:", "md5:00", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"] {
            assert!(Expected::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Expected::parse(&format!("sha256:{}", "g".repeat(64))).is_err());
    }

    #[test]
    fn only_files_and_https_are_fetched() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("image");
        std::fs::write(&path, b"image").expect("a file");
        let get =
            |source: &str| fetch(source, &expected(b"image"), directory.path(), Sources::default());
        assert!(get(&format!("file:{}", path.display())).is_ok());
        assert!(get(&format!("file://{}", path.display())).is_ok());
        for wrong in [
            "http://a.example/x",
            "ftp://a.example/x",
            "file:relative",
            "file:/dev/zero",
            "file://host/etc/passwd",
            "https://user:secret@a.example/x",
            "https://127.0.0.1:1/x",
            "https://169.254.169.254/latest",
            "https://[::1]/x",
            "https://localhost/x",
        ] {
            let error = get(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let inside = get("https://127.0.0.1:1/x").expect_err("it is inside").to_string();
        assert!(inside.contains("not public"), "{inside}");
        let left = std::fs::read_dir(directory.path()).expect("a directory").count();
        assert_eq!(left, 1, "something was left over");
    }

    #[test]
    fn addresses_of_the_inside_are_known() {
        for inside in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().expect(inside)), "{inside}");
        }
        for outside in ["9.9.9.9", "193.99.144.80", "2a00:1450:4001::1", "64:ff9b::909:909"] {
            assert!(is_public(outside.parse().expect(outside)), "{outside}");
        }
    }
}
