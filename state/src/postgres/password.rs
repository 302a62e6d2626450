//! Where a password comes from that the URL does not hold: PGPASSWORD, or a password file as every
//! client of PostgreSQL reads it.

use std::fs;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::error::PostgresError;
use super::place::Environment;

/// Gives the configuration a password, if there is one for it.
pub(super) fn find(
    config: &mut Config,
    passfile: Option<&str>,
    environment: Environment<'_>,
) -> Result<(), PostgresError> {
    if config.get_password().is_some() {
        return Ok(());
    }
    if let Some(password) = environment("PGPASSWORD") {
        config.password(password);
        return Ok(());
    }
    let named = passfile.map(str::to_owned).or_else(|| environment("PGPASSFILE"));
    let path = match &named {
        Some(path) => PathBuf::from(path),
        None => match environment("HOME") {
            Some(home) => Path::new(&home).join(".pgpass"),
            None => return Ok(()),
        },
    };
    // Nobody has to have such a file.
    let Ok(metadata) = fs::metadata(&path) else { return Ok(()) };
    if is_open(&metadata) {
        return Err(PostgresError::OpenPasswordFile { path });
    }
    let text = fs::read_to_string(&path)
        .map_err(|source| PostgresError::File { path: path.clone(), source })?;
    if let Some(password) = entry(&text, config) {
        config.password(password);
    }
    Ok(())
}

/// Whether others may read the file, which other clients then leave alone.
#[cfg(unix)]
fn is_open(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.is_file() && metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &fs::Metadata) -> bool {
    false
}

/// The password of the first line that fits: `host:port:database:user:password`.
fn entry(text: &str, config: &Config) -> Option<String> {
    let host = match config.get_hosts().first()? {
        Host::Tcp(name) => name.clone(),
        // The usual directory of sockets goes by this name in password files.
        Host::Unix(path) if path == Path::new("/var/run/postgresql") => "localhost".to_owned(),
        Host::Unix(path) => path.display().to_string(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let wanted = [&host, &port, config.get_dbname()?, config.get_user()?];
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(fields).find_map(|fields| {
        let [password, keys @ ..] = fields.as_slice() else { return None };
        let fits = keys.len() == wanted.len()
            && keys.iter().rev().zip(wanted).all(|(key, wanted)| key == "*" || key == wanted);
        fits.then(|| password.clone())
    })
}

/// The five fields of a line, the last one first. A colon in a field has a backslash before it.
fn fields(line: &str) -> Vec<String> {
    let (mut before, mut field) = (Vec::new(), String::new());
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ':' if before.len() < 4 => before.push(std::mem::take(&mut field)),
            '\\' => field.extend(characters.next()),
            c => field.push(c),
        }
    }
    before.push(field);
    before.reverse();
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = "# db:*:*:*:comment\ndb:5432:other:*:wrong\n*:5432:x:erika:a\\:b\\\\c:d\n\
                    db:*:*:*:late\nshort:line\n";
        let of = |url: &str| entry(file, &url.parse().expect(url));
        assert_eq!(of("postgres://erika@db/x"), Some("a:b\\c:d".to_owned()));
        assert_eq!(of("postgres://karl@db/x"), Some("late".to_owned()));
        assert_eq!(of("postgres://karl@elsewhere/x"), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pass");
        fs::write(&path, "*:*:*:*:secret\n").expect("written");
        let find = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            let mut config: Config = "postgres://erika@db/x".parse().expect("a URL");
            let named = path.to_string_lossy().into_owned();
            super::find(&mut config, Some(&named), &|_| None).map(|()| config)
        };
        assert!(matches!(find(0o644), Err(PostgresError::OpenPasswordFile { .. })));
        assert_eq!(find(0o600).expect("fine").get_password(), Some(&b"secret"[..]));
    }
}
