//! The tables, as the steps from each version to the next, and what has to be so before they are
//! used.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::{Failure, PostgresError};
use super::session::Work;

/// One script for each version; the table `about` says how many of them were run. A script that
/// was released is never edited.
const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// The version that this tcloud writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// The oldest PostgreSQL that serves, as it numbers itself.
const OLDEST: i32 = 14;

/// Serialises the making of tables; held to the end of the transaction ("tcld").
const LOCK: i64 = 0x7463_6c64;

/// Looks at what is there.
pub(super) struct Check<'a> {
    pub(super) server: &'a str,
    pub(super) schema: &'a str,
}

/// What is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The version of the tables; 0 without any.
    pub(super) version: i64,
    /// The name of the deployment, if one was written.
    pub(super) deployment: Option<String>,
    /// Whether it can be written.
    pub(super) writable: bool,
}

impl Found {
    /// Whether tables have to be made first.
    pub(super) fn is_old(&self) -> bool {
        self.version < VERSION
    }
}

impl Work for Check<'_> {
    type Output = Found;
    const ACTION: &'static str = "open the state";
    const WRITES: bool = false;

    async fn run(&self, client: &Client, _: bool) -> Result<Found, Failure> {
        let sql = "SELECT current_setting('server_version_num')::int4 / 10000, \
                   current_setting('server_encoding'), \
                   pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool, \
                   to_regclass('about') IS NOT NULL, \
                   coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'USAGE'), true), \
                   current_user::text";
        let row = client.query_typed_one(sql, &[(&self.schema, Type::TEXT)]).await?;
        let server = || self.server.to_owned();
        let found: i32 = row.try_get(0)?;
        if found < OLDEST {
            return Err(PostgresError::TooOld { server: server(), found, oldest: OLDEST }.into());
        }
        let encoding: String = row.try_get(1)?;
        if encoding != "UTF8" {
            return Err(PostgresError::Encoding { server: server(), found: encoding }.into());
        }
        let (closed, made): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
        // Tables that cannot be seen must not be taken for tables that are not there.
        if !row.try_get::<_, bool>(4)? {
            return Err(PostgresError::Hidden { server: server(), user: row.try_get(5)? }.into());
        }
        let writable = !closed;
        if !made {
            return Ok(Found { version: 0, deployment: None, writable });
        }
        let row = client.query_typed_one("SELECT version, deployment FROM about", &[]).await?;
        let version = row.try_get(0)?;
        if version > VERSION {
            let (found, known) = (version, VERSION);
            return Err(PostgresError::Newer { server: server(), found, known }.into());
        }
        Ok(Found { version, deployment: row.try_get(1)?, writable })
    }
}

/// Makes the tables, or brings them to the newest version.
pub(super) struct Migrate<'a> {
    pub(super) schema: &'a str,
}

impl Work for Migrate<'_> {
    type Output = ();
    const ACTION: &'static str = "make the tables of the state";
    const WRITES: bool = true;

    async fn run(&self, client: &Client, _: bool) -> Result<(), Failure> {
        let lock = [(&LOCK as _, Type::INT8)];
        client.execute_typed("SELECT pg_advisory_xact_lock($1)", &lock).await?;
        // The catalog itself is read: what the server keeps of it in mind may be older than the
        // lock. Whoever may use a schema that is there need not be able to make one.
        let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
                   EXISTS (SELECT FROM pg_class WHERE relname = 'about' AND relnamespace IN \
                           (SELECT oid FROM pg_namespace WHERE nspname = $1))";
        let row = client.query_typed_one(sql, &[(&self.schema, Type::TEXT)]).await?;
        if !row.try_get::<_, bool>(0)? {
            client.batch_execute(&format!("CREATE SCHEMA \"{}\"", self.schema)).await?;
        }
        let version: i64 = match row.try_get(1)? {
            true => client.query_typed_one("SELECT version FROM about", &[]).await?.try_get(0)?,
            false => 0,
        };
        for script in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            client.batch_execute(script).await?;
        }
        let sql = "UPDATE about SET version = $1 WHERE version < $1";
        client.execute_typed(sql, &[(&VERSION, Type::INT8)]).await?;
        Ok(())
    }
}

/// Writes down whose state this is, when nobody has.
pub(super) struct Claim<'a> {
    pub(super) deployment: &'a str,
}

impl Work for Claim<'_> {
    /// Whose it is.
    type Output = String;
    const ACTION: &'static str = "open the state";
    const WRITES: bool = true;

    async fn run(&self, client: &Client, _: bool) -> Result<String, Failure> {
        let sql = "UPDATE about SET deployment = $1 WHERE deployment IS NULL";
        client.execute_typed(sql, &[(&self.deployment, Type::TEXT)]).await?;
        Ok(client.query_typed_one("SELECT deployment FROM about", &[]).await?.try_get(0)?)
    }
}
