//! Where the database is and how it is reached: the URL, and what the environment adds to it as
//! with any other client of PostgreSQL.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::error::PostgresError;
use super::password;

/// How long a server may take to accept a connection, unless the URL says something else.
const CONNECT: Duration = Duration::from_secs(10);

/// The schema that the tables are in, unless the URL names another one.
const SCHEMA: &str = "tcloud";

/// The parameters that a URL may have.
const KNOWN: &str = "sslmode, sslrootcert, sslcert, sslkey, passfile, connect_timeout, \
                     target_session_attrs, user, host, port, dbname and schema";

/// Reads a variable of the environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where the database is.
pub(super) struct Place {
    /// Host, user, password and database.
    pub(super) config: Config,
    /// What is demanded of the connection.
    pub(super) security: Security,
    /// The schema of the tables; a plain word.
    pub(super) schema: String,
    /// The server and the database, for messages.
    pub(super) server: String,
}

/// How much of the server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// All of it.
    Full,
    /// Who signed it, but not for which name.
    Authority,
    /// Nothing.
    Nothing,
}

/// What is demanded of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Security {
    /// Whether it is encrypted.
    pub(super) mode: SslMode,
    /// What is checked then.
    pub(super) trust: Trust,
    /// A file with the authorities to trust; the system's without one.
    pub(super) authorities: Option<PathBuf>,
    /// Files with a certificate and a key of the client's own.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// Parameters of the URL that the library does not know.
#[derive(Default)]
struct Own {
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    sslcert: Option<String>,
    sslkey: Option<String>,
    passfile: Option<String>,
    schema: Option<String>,
}

impl Place {
    /// Reads a URL. Nothing of it gets into an error, since any part may be a password in truth.
    pub(super) fn parse(url: &str, environment: Environment<'_>) -> Result<Place, PostgresError> {
        let (own, rest) = split(url)?;
        let mut config: Config = rest.parse().map_err(|_| {
            wrong("write postgres://USER@HOST:PORT/DATABASE, special characters as %40")
        })?;
        fill(&mut config, environment)?;
        let names = names(&config);
        if names.iter().any(|name| name.contains('@')) {
            return Err(wrong("an @ in a user or a password is written as %40"));
        }
        let database = config.get_dbname().unwrap_or_default();
        let server = format!("{}/{database}", names.join(","));
        let schema = own.schema.clone().unwrap_or_else(|| SCHEMA.to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if schema.is_empty() || !schema.chars().all(plain) || schema.starts_with("pg_") {
            return Err(wrong("a schema is written in lower-case letters, digits and _"));
        }
        let security = security(&own, &config, environment)?;
        config.ssl_mode(security.mode);
        password::find(&mut config, own.passfile.as_deref(), environment)?;
        Ok(Place { config, security, schema, server })
    }
}

/// A URL as it may be shown, in messages and in commands to run: whoever wants a password to be
/// kept keeps it elsewhere.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return url.to_owned() };
    // A password may hold any of the characters that end it.
    let (user, place) = match rest.rsplit_once('@') {
        Some((known, place)) => {
            let known = known.trim_start_matches('/');
            let user = known.split_once(':').map_or(known, |(user, _)| user);
            (format!("//{user}@"), place)
        }
        None => (String::new(), rest),
    };
    let (base, parameters) = place.split_once('?').unwrap_or((place, ""));
    let kept: Vec<&str> = parameters.split('&').filter(|p| !p.starts_with("password")).collect();
    let mark = if parameters.is_empty() || kept.is_empty() { "" } else { "?" };
    format!("{scheme}:{user}{base}{mark}{}", kept.join("&"))
}

fn wrong(help: &'static str) -> PostgresError {
    PostgresError::Url { help: help.to_owned() }
}

/// Takes the parameters that the library does not know out of the URL.
fn split(url: &str) -> Result<(Own, String), PostgresError> {
    let mut own = Own::default();
    // What stands before an @ may be a password with any character in it.
    let start = url.rfind('@').unwrap_or(0);
    let Some(mark) = url[start..].find('?').map(|at| start + at) else {
        return Ok((own, url.to_owned()));
    };
    let (base, parameters) = (&url[..mark], &url[mark + 1..]);
    let mut rest = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let slot = match key {
            "sslmode" => &mut own.sslmode,
            "sslrootcert" => &mut own.sslrootcert,
            "sslcert" => &mut own.sslcert,
            "sslkey" => &mut own.sslkey,
            "passfile" => &mut own.passfile,
            "schema" => &mut own.schema,
            "connect_timeout"
            | "target_session_attrs"
            | "user"
            | "password"
            | "host"
            | "port"
            | "dbname" => {
                rest.push(parameter);
                continue;
            }
            _ => return Err(PostgresError::Url { help: format!("it may have {KNOWN}") }),
        };
        let value = percent_encoding::percent_decode_str(value).decode_utf8();
        *slot = Some(value.map_err(|_| wrong("it is not UTF-8"))?.into_owned());
    }
    if rest.is_empty() {
        return Ok((own, base.to_owned()));
    }
    Ok((own, format!("{base}?{}", rest.join("&"))))
}

/// What the URL leaves open, from the environment or as every client of PostgreSQL does it.
fn fill(config: &mut Config, environment: Environment<'_>) -> Result<(), PostgresError> {
    let given = |name: &str| environment(name).filter(|value| !value.is_empty());
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let host = given("PGHOST").unwrap_or_else(|| "/var/run/postgresql".to_owned());
        for host in host.split(',') {
            config.host(host);
        }
    }
    if config.get_ports().is_empty()
        && let Some(port) = given("PGPORT")
    {
        let port = port.parse().map_err(|_| wrong("PGPORT is no port"))?;
        config.port(port);
    }
    if config.get_user().is_none() {
        let own = given("PGUSER").or_else(|| given("USER")).or_else(|| given("LOGNAME"));
        let user = own.ok_or_else(|| wrong("it names no user, and neither does PGUSER"))?;
        config.user(user);
    }
    if config.get_dbname().is_none() {
        let user = config.get_user().unwrap_or_default().to_owned();
        config.dbname(given("PGDATABASE").unwrap_or(user));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config.application_name("tcloud");
    config.keepalives_idle(Duration::from_secs(20)).keepalives_interval(Duration::from_secs(5));
    config.tcp_user_timeout(Duration::from_secs(20));
    Ok(())
}

/// The hosts with their ports.
fn names(config: &Config) -> Vec<String> {
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| match host {
        Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", port(at)),
        Host::Tcp(name) => format!("{name}:{}", port(at)),
        Host::Unix(path) => format!("{}:{}", path.display(), port(at)),
    });
    hosts.collect()
}

fn security(
    own: &Own,
    config: &Config,
    environment: Environment<'_>,
) -> Result<Security, PostgresError> {
    let or = |value: &Option<String>, name: &str| {
        value.clone().or_else(|| environment(name)).filter(|value| !value.is_empty())
    };
    let hosts = config.get_hosts();
    let socket = !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_)));
    let near = !hosts.is_empty() && hosts.iter().all(is_near);
    let word = or(&own.sslmode, "PGSSLMODE");
    let (mode, trust) = match word.as_deref() {
        // Nobody listens in on a socket, and its protocol has no TLS.
        _ if socket => (SslMode::Disable, Trust::Nothing),
        None if near => (SslMode::Prefer, Trust::Nothing),
        None | Some("verify-full") => (SslMode::Require, Trust::Full),
        Some("verify-ca") => (SslMode::Require, Trust::Authority),
        Some("require") => (SslMode::Require, Trust::Nothing),
        Some("prefer") => (SslMode::Prefer, Trust::Nothing),
        Some("disable") => (SslMode::Disable, Trust::Nothing),
        Some(_) => {
            let help = "sslmode is verify-full, verify-ca, require, prefer or disable";
            return Err(wrong(help));
        }
    };
    let home = environment("HOME").map(PathBuf::from);
    let usual = |name: &str| {
        let path = home.as_ref()?.join(".postgresql").join(name);
        path.is_file().then_some(path)
    };
    let authorities = match or(&own.sslrootcert, "PGSSLROOTCERT") {
        Some(word) if word == "system" => None,
        Some(path) => Some(PathBuf::from(path)),
        None => usual("root.crt"),
    };
    let certificate = or(&own.sslcert, "PGSSLCERT").map(PathBuf::from);
    let key = or(&own.sslkey, "PGSSLKEY").map(PathBuf::from);
    let identity = certificate
        .or_else(|| usual("postgresql.crt"))
        .zip(key.or_else(|| usual("postgresql.key")));
    // As with libpq: whoever names authorities wants them to be looked at.
    let trust = match trust {
        Trust::Nothing if mode == SslMode::Require && authorities.is_some() => Trust::Authority,
        trust => trust,
    };
    Ok(Security { mode, trust, authorities, identity })
}

/// Whether a host is this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str, environment: &[(&str, &str)]) -> Result<Place, String> {
        let find = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Place::parse(url, &find).map_err(|error| format!("{error} {error:?}"))
    }

    #[test]
    fn a_server_elsewhere_has_to_show_who_it_is_and_one_here_need_not() {
        let of = |url: &str, environment: &[(&str, &str)]| {
            let security = parse(url, environment).expect(url).security;
            (security.mode, security.trust)
        };
        use SslMode::{Disable, Prefer, Require};
        let here = (Prefer, Trust::Nothing);
        for (url, expected) in [
            ("postgres://a@db.example/x", (Require, Trust::Full)),
            ("postgres://a@10.0.0.1,127.0.0.1/x", (Require, Trust::Full)),
            ("postgresql://a@localhost/x", here),
            ("postgres://a@127.0.0.1:6432/x", here),
            ("postgres://a@[::1]/x", here),
            ("postgres://a@/x?host=/run/postgresql", (Disable, Trust::Nothing)),
            ("postgres://a@db.example/x?sslmode=disable", (Disable, Trust::Nothing)),
            ("postgres://a@db.example/x?sslmode=require", (Require, Trust::Nothing)),
            ("postgres://a@h/x?sslmode=require&sslrootcert=/r", (Require, Trust::Authority)),
            ("postgres://a@localhost/x?sslmode=verify-full", (Require, Trust::Full)),
        ] {
            assert_eq!(of(url, &[]), expected, "{url}");
        }
        let said = of("postgres://a@h/x", &[("PGSSLMODE", "verify-ca")]);
        assert_eq!(said, (Require, Trust::Authority));
    }

    #[test]
    fn the_environment_fills_what_the_url_leaves_open() {
        let environment = [("PGHOST", "db1,db2"), ("PGUSER", "erika"), ("PGDATABASE", "state")];
        let place = parse("postgres://", &environment).expect("complete");
        assert_eq!(place.server, "db1:5432,db2:5432/state");
        assert_eq!((place.config.get_user(), place.schema.as_str()), (Some("erika"), "tcloud"));
        let place = parse("postgres://karl@h:1/d?schema=town", &environment).expect("complete");
        assert_eq!((place.server.as_str(), place.schema.as_str()), ("h:1/d", "town"));
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://erika:hunter2@db:1/x?schema=a", "postgres://erika@db:1/x?schema=a"),
            ("postgres://erika:hun@ter2:/?@db/x", "postgres://erika@db/x"),
            ("postgres://erika@db/x?password=hunter2", "postgres://erika@db/x"),
            ("postgres://db/x?schema=a&password=hunter2", "postgres://db/x?schema=a"),
            ("postgre://erika:hunter2@db", "postgre://erika@db"),
            ("sqlite:a/b.db", "sqlite:a/b.db"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn no_error_repeats_any_part_of_a_url() {
        for url in [
            "postgres://erika:hunter2@db:port/x",
            "postgres://erika:hun@ter2@db/x",
            "postgres://erika@db/x?hunter2=1",
            "postgres://erika@db/x?sslmode=hunter2",
            "postgres://erika@db/x?schema=Hunter2",
            "postgres://erika@db/x?password=hunter2&port=hunter2",
            "postgres://erika@db/x?sslmode=%ff",
        ] {
            let error = parse(url, &[]).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(!error.to_lowercase().contains("ter2"), "{error}");
        }
        let place = parse("postgres://erika:hun%40ter2@db/x", &[]).expect("fine");
        assert_eq!(place.config.get_password(), Some(&b"hun@ter2"[..]));
        assert!(!place.server.contains("ter2"));
    }
}
