//! Creates our own tables, and migrates those of earlier versions.
//!
//! Separate from [`super::layout`], which only reads the schema: a reader accepts each table and column as it is, so
//! that a file of any version is served before anything is written to it.
//!
//! Rules: a released migration is never changed, a new one is appended; a file of a newer version is left as it is. The
//! version is in `helper_setting`, not in `user_version`, which belongs to the official CLI.

use std::path::Path;

use anyhow::bail;
use rusqlite::{Connection, OptionalExtension as _};

/// The setting with the number of migrations applied to the file. Version 1 did not write it.
const VERSION: &str = "schema";

/// In order. Few tables with short definitions: SQLite parses all of them before the first statement of each `get`.
///
/// `server` is `git <origin>` or `docker <host>[/<path>]`; a higher `seq` is newer; `account` is an `account_id`, or
/// `auth` in the old layout; `suspect`, `intent`, `rejected`, `stored` and `digest` are SHA-256 of tokens; times are
/// milliseconds. Refusals by hosts are settings, `refused <server>`.
const MIGRATIONS: [&[Step]; 2] = [
    &[
        Step::Table(
            "helper_credential",
            "server, seq, path, username, secret, authtype, expiry, refresh_token, PRIMARY KEY (server, seq)",
        ),
        Step::Table(
            "helper_binding",
            "server PRIMARY KEY, origin, username, signed_out",
        ),
        Step::Table(
            "helper_session",
            "account PRIMARY KEY, origin, client_id, suspect, retry_at, intent, intent_at",
        ),
        Step::Table("helper_former", "digest PRIMARY KEY, at"),
        Step::Table("helper_setting", "key PRIMARY KEY, value"),
    ],
    &[
        // The key of the account that serves the host; NULL is the active one.
        Step::Column("helper_binding", "account"),
        Step::Column("helper_binding", "created_at"),
        // The refresh token that the server rejected, and when.
        Step::Column("helper_session", "rejected"),
        Step::Column("helper_session", "rejected_at"),
        // When a suspect token was last checked with the server.
        Step::Column("helper_session", "checked_at"),
        // The reason for `retry_at`.
        Step::Column("helper_session", "retry_reason"),
        // The pair that this program stored last, and when its login was granted.
        Step::Column("helper_session", "stored"),
        Step::Column("helper_session", "login_at"),
    ],
];

/// Every table that was ever ours.
pub(super) const OUR_TABLES: [&str; 5] = [
    "helper_credential",
    "helper_binding",
    "helper_session",
    "helper_former",
    "helper_setting",
];

const NEWEST: i64 = MIGRATIONS.len() as i64;

/// A table or column that a migration adds.
#[derive(Clone, Copy)]
enum Step {
    /// A table: its name, and its columns.
    Table(&'static str, &'static str),
    /// A column: its table, and its name.
    Column(&'static str, &'static str),
}

impl Step {
    fn is_done(self, connection: &Connection) -> rusqlite::Result<bool> {
        match self {
            Step::Table(table, _) => connection.table_exists(None, table),
            Step::Column(table, column) => connection.column_exists(None, table, column),
        }
    }

    fn sql(self) -> String {
        match self {
            Step::Table(table, columns) => {
                format!("CREATE TABLE {table} ({columns}) WITHOUT ROWID")
            }
            Step::Column(table, column) => format!("ALTER TABLE {table} ADD COLUMN {column}"),
        }
    }
}

/// Adds what is missing, whatever the version and the state of the file. The caller has read the schema in a write
/// transaction.
///
/// # Errors
/// A newer version dropped something that this version writes; detected before anything is spent.
pub(super) fn migrate(connection: &Connection, path: &Path) -> anyhow::Result<()> {
    let explain = |error| super::error::explain(path, error);
    let version = version(connection).map_err(explain)?;
    for step in MIGRATIONS.iter().flat_map(|steps| steps.iter()) {
        if step.is_done(connection).map_err(explain)? {
            continue;
        }
        if version > NEWEST {
            bail!(
                "{} was written by a newer version; a newer `sentry-credential` is needed",
                path.display()
            );
        }
        connection.execute_batch(&step.sql()).map_err(explain)?;
    }
    if version < NEWEST {
        let sql = "INSERT OR REPLACE INTO helper_setting (key, value) VALUES (?, ?)";
        connection
            .execute(sql, (VERSION, NEWEST))
            .map_err(explain)?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    if !connection.table_exists(None, "helper_setting")? {
        return Ok(0);
    }
    let sql = "SELECT CAST(value AS INTEGER) FROM helper_setting WHERE key = ?";
    let version = connection.query_row(sql, [VERSION], |row| row.get(0));
    Ok(version.optional()?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_a_migration_is_known_to_be_ours() {
        for step in MIGRATIONS.iter().flat_map(|steps| steps.iter()) {
            let (Step::Table(table, _) | Step::Column(table, _)) = step;
            assert!(OUR_TABLES.contains(table), "{table}");
        }
    }
}
