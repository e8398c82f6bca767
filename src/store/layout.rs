//! Determines which tables a database has.
//!
//! Separate from [`super::migrations`], which creates ours. The version number is not sufficient: an old official CLI
//! adds an empty `auth` beside `accounts`, a new one drops `auth` while this program runs, and our own tables may be
//! those of another version. Each transaction therefore reads the schema and judges every table by itself. Names are
//! compared as in SQLite, ignoring the case of ASCII letters.

use std::path::Path;

use anyhow::bail;
use rusqlite::Connection;

use super::migrations;

/// The schema that the official CLI's release 0.49.0 creates; a new database of ours looks like one of its.
const SCHEMA_VERSION: i64 = 21;

const OFFICIAL: &str = "
CREATE TABLE schema_version (version INTEGER PRIMARY KEY);
CREATE TABLE accounts (
  account_id TEXT PRIMARY KEY, host TEXT, user_id TEXT, email TEXT, username TEXT, name TEXT,
  token TEXT, refresh_token TEXT, expires_at INTEGER, issued_at INTEGER,
  is_active INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
  updated_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
  last_used_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000));";

const ACCOUNTS_COLUMNS: &str = "SELECT account_id, host, user_id, email, username, name, token, refresh_token, \
    expires_at, issued_at, is_active, created_at, updated_at, last_used_at FROM accounts";

const AUTH_COLUMNS: &str =
    "SELECT id, token, refresh_token, expires_at, issued_at, updated_at, host FROM auth";

/// The tables that exist.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) sessions: Sessions,
    pub(super) user_info: bool,
    pub(super) empty: bool,
    /// The existing tables of [`Table`], as bits.
    ours: u8,
    /// A view, trigger or virtual table in place of a table that is used.
    planted: Option<String>,
}

/// A table of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Credential,
    Binding,
    Session,
    Former,
    Setting,
}

impl Table {
    fn named(name: &str) -> Option<Table> {
        let name = after_prefix(name)?;
        let known = [
            ("credential", Table::Credential),
            ("binding", Table::Binding),
            ("session", Table::Session),
            ("former", Table::Former),
            ("setting", Table::Setting),
        ];
        let mut known = known.into_iter();
        known
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, table)| table)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The suffix of the name of a table of ours, of any version.
fn after_prefix(name: &str) -> Option<&str> {
    const PREFIX: &str = "helper_";
    let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

/// Where sessions are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sessions {
    /// Several sessions, one of them active (schema 18 and later).
    Accounts,
    /// One session (schema 16 and 17).
    Auth,
    /// No table yet.
    #[default]
    None,
}

impl Layout {
    /// Reads the schema.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Layout> {
        let mut layout = Layout {
            empty: true,
            ..Layout::default()
        };
        // For a table and a view, `tbl_name` is their own name.
        let mut statement = connection.prepare("SELECT type, tbl_name FROM sqlite_schema")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get_ref(index).map(|value| value.as_str().unwrap_or(""));
            let (kind, name) = (text(0)?, text(1)?);
            layout.empty = false;
            match kind {
                "table" => layout.note(name),
                "view" | "trigger" if is_used(name) => {
                    layout.planted = Some(format!("{kind} on `{name}`"));
                }
                _ => {}
            }
        }
        Ok(layout)
    }

    fn note(&mut self, table: &str) {
        if let Some(ours) = Table::named(table) {
            self.ours |= ours.bit();
        } else if table.eq_ignore_ascii_case("accounts") {
            self.sessions = Sessions::Accounts;
        } else if table.eq_ignore_ascii_case("auth") && self.sessions == Sessions::None {
            self.sessions = Sessions::Auth;
        } else if table.eq_ignore_ascii_case("user_info") {
            self.user_info = true;
        }
    }

    /// Whether a table of ours exists.
    pub(super) fn has(&self, table: Table) -> bool {
        self.ours & table.bit() != 0
    }

    /// Refuses a view or a trigger: it could copy tokens elsewhere, or serve a planted token.
    pub(super) fn refuse_planted(&self, path: &Path) -> anyhow::Result<()> {
        match &self.planted {
            Some(planted) => bail!("refusing to use {}: it has a {planted}", path.display()),
            None => Ok(()),
        }
    }

    /// Refuses a database with tables of which none is for logins: those may be in one that this version does not know.
    pub(super) fn check_known(&self, path: &Path) -> anyhow::Result<()> {
        if self.sessions == Sessions::None && !self.empty {
            bail!(
                "{} has no table for logins that this version knows; a newer `sentry-credential` is needed",
                path.display()
            );
        }
        Ok(())
    }

    /// Reads the schema, creates what is missing, and reads it again.
    pub(super) fn complete(connection: &Connection, path: &Path) -> anyhow::Result<Layout> {
        let explain = |error| super::error::explain(path, error);
        let mut layout = Layout::of(connection).map_err(explain)?;
        layout.planted = match layout.planted {
            None => virtual_table(connection).map_err(explain)?,
            planted => planted,
        };
        layout.refuse_planted(path)?;
        let create = |sql: &str| connection.execute_batch(sql).map_err(explain);
        layout.check_known(path)?;
        if layout.sessions == Sessions::None {
            create(OFFICIAL)?;
            create(&format!(
                "INSERT INTO schema_version (version) VALUES ({SCHEMA_VERSION})"
            ))?;
        }
        migrations::migrate(connection, path)?;
        let layout = Layout::of(connection).map_err(explain)?;
        // A missing column must be detected before a refresh token is spent.
        connection
            .prepare(match layout.sessions {
                Sessions::Accounts => ACCOUNTS_COLUMNS,
                _ => AUTH_COLUMNS,
            })
            .map_err(explain)?;
        Ok(layout)
    }
}

fn is_used(table: &str) -> bool {
    let shared = [
        "accounts",
        "auth",
        "metadata",
        "schema_version",
        "user_info",
    ];
    shared.iter().any(|name| table.eq_ignore_ascii_case(name)) || after_prefix(table).is_some()
}

/// A virtual table in place of one that is used. It could copy only what is written to it, so readers do not check.
fn virtual_table(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if is_used(&name) {
            return Ok(Some(format!("virtual table called `{name}`")));
        }
    }
    Ok(None)
}
