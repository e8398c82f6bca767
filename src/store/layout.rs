//! Which tables a database has, and the ones that are ours to make.
//!
//! The version number does not tell: an old official CLI adds an empty `auth` beside `accounts`, a new one drops `auth`
//! while we run. So each transaction looks anew.

use std::path::Path;

use anyhow::bail;
use rusqlite::Connection;

/// What the official CLI's release 0.49.0 makes; a database of ours looks like one of its.
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

/// Our tables. Few and short: SQLite parses every definition before the first statement of each `get`.
///
/// `server` is `git <origin>` or `docker <host>[/<path>]`; a higher `seq` is newer; `account` is an `account_id`, or
/// `auth` where there is only one; `suspect`, `intent` and `digest` are SHA-256 of tokens; times are milliseconds.
const OURS: &str = "
CREATE TABLE IF NOT EXISTS helper_credential (server, seq, path, username, secret, authtype, expiry, refresh_token, PRIMARY KEY (server, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS helper_binding (server PRIMARY KEY, origin, username, signed_out) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS helper_session (account PRIMARY KEY, origin, client_id, suspect, retry_at, intent, intent_at) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS helper_former (digest PRIMARY KEY, at) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS helper_setting (key PRIMARY KEY, value) WITHOUT ROWID;";

const OUR_TABLES: usize = 5;

/// Tables that are there.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) sessions: Sessions,
    pub(super) user_info: bool,
    pub(super) helper: bool,
    pub(super) empty: bool,
    /// A view or a trigger where a table of ours or a used one should be alone.
    planted: Option<String>,
}

/// Where sessions live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sessions {
    /// Many, one of them active (schema 18 and later).
    Accounts,
    /// One (schema 16 and 17).
    Auth,
    /// Nowhere yet.
    #[default]
    None,
}

impl Layout {
    /// Looks.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Layout> {
        let mut layout = Layout {
            empty: true,
            ..Layout::default()
        };
        let mut ours = 0;
        // A table and a view are their own `tbl_name`.
        let mut statement = connection.prepare("SELECT type, tbl_name FROM sqlite_schema")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get_ref(index).map(|value| value.as_str().unwrap_or(""));
            let (kind, table) = (text(0)?, text(1)?);
            layout.empty = false;
            match kind {
                "table" if table == "accounts" => layout.sessions = Sessions::Accounts,
                "table" if table == "auth" && layout.sessions == Sessions::None => {
                    layout.sessions = Sessions::Auth
                }
                "table" if table == "user_info" => layout.user_info = true,
                "table" if table.starts_with("helper_") => ours += 1,
                "view" | "trigger" if is_used(table) => {
                    layout.planted = Some(format!("{kind} on `{table}`"));
                }
                _ => {}
            }
        }
        layout.helper = ours >= OUR_TABLES;
        Ok(layout)
    }

    /// Refuses a view or a trigger: either could copy tokens elsewhere or serve a planted one.
    pub(super) fn refuse_planted(&self, path: &Path) -> anyhow::Result<()> {
        match &self.planted {
            Some(planted) => bail!("refusing to use {}: it has a {planted}", path.display()),
            None => Ok(()),
        }
    }

    /// Looks, makes what is missing, and looks again.
    pub(super) fn completed(connection: &Connection, path: &Path) -> anyhow::Result<Layout> {
        let explain = |error| super::explain(path, error);
        let layout = Layout::of(connection).map_err(explain)?;
        layout.refuse_planted(path)?;
        let make = |sql: &str| connection.execute_batch(sql).map_err(explain);
        if layout.sessions == Sessions::None {
            if !layout.empty {
                bail!(
                    "{} has no table for logins that this version knows; a newer `sentry-credential` is needed",
                    path.display()
                );
            }
            make(OFFICIAL)?;
            make(&format!(
                "INSERT INTO schema_version (version) VALUES ({SCHEMA_VERSION})"
            ))?;
        }
        if !layout.helper {
            make(OURS)?;
        }
        let layout = Layout::of(connection).map_err(explain)?;
        // A column that is missed only when a granted pair is stored is missed too late.
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
    matches!(table, "accounts" | "auth" | "user_info") || table.starts_with("helper_")
}
