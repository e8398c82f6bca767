//! The credential store as Sentry's official CLI would have written it, and its content afterwards.

use super::Sandbox;
use crate::fake_sentry::{FakeSentry, Pair};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, ToSql, params};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::time::{SystemTime, UNIX_EPOCH};

/// Which generation of the official CLI has written the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 0.49.0, schema 21: many sessions, one active.
    Accounts,
    /// Up to 0.45, schema 16: one session.
    Auth,
}

/// The age and the remaining lifetime of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    pub issued_ago_secs: i64,
    /// Negative when it has expired.
    pub expires_in_secs: i64,
}

impl Age {
    /// Issued a minute ago for 30 days.
    pub const FRESH: Self = Self {
        issued_ago_secs: 60,
        expires_in_secs: 30 * 24 * 3600,
    };
    /// Expired an hour ago, after 30 days.
    pub const EXPIRED: Self = Self {
        issued_ago_secs: 30 * 24 * 3600,
        expires_in_secs: -3600,
    };
    /// Ten minutes left of 30 days: due for a refresh, and still valid.
    pub const STALE: Self = Self {
        issued_ago_secs: 30 * 24 * 3600,
        expires_in_secs: 600,
    };
}

/// One session as it is stored, in either layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    pub host: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub token: Option<String>,
    pub refresh_token: Option<String>,
    /// Milliseconds since 1970.
    pub expires_at: Option<i64>,
    /// Milliseconds since 1970.
    pub issued_at: Option<i64>,
}

const ACCOUNTS: &str = "
    CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY);
    INSERT OR IGNORE INTO schema_version VALUES (21);
    CREATE TABLE IF NOT EXISTS accounts (
        account_id TEXT PRIMARY KEY,
        host TEXT,
        user_id TEXT,
        email TEXT,
        username TEXT,
        name TEXT,
        token TEXT,
        refresh_token TEXT,
        expires_at INTEGER,
        issued_at INTEGER,
        is_active INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
        updated_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
        last_used_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000)
    );";

const AUTH: &str = "
    CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY);
    INSERT OR IGNORE INTO schema_version VALUES (16);
    CREATE TABLE IF NOT EXISTS auth (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        token TEXT,
        refresh_token TEXT,
        expires_at INTEGER,
        issued_at INTEGER,
        updated_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
        host TEXT
    );
    CREATE TABLE IF NOT EXISTS user_info (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        user_id TEXT NOT NULL,
        email TEXT,
        username TEXT,
        name TEXT,
        updated_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000)
    );";

impl Sandbox {
    /// Stores a session in the current layout and makes it the active one.
    pub fn seed_session(&self, sentry: &FakeSentry, pair: &Pair, age: Age) {
        self.seed_session_in(Layout::Accounts, sentry, pair, age);
    }

    pub fn seed_session_in(&self, layout: Layout, sentry: &FakeSentry, pair: &Pair, age: Age) {
        let store = self.create_store();
        let (now, user, host) = (now_ms(), sentry.user(), sentry.url());
        let (issued_at, expires_at) = (
            now - age.issued_ago_secs * 1000,
            now + age.expires_in_secs * 1000,
        );
        let insert = |sql, values: &[&dyn ToSql]| store.execute(sql, values).expect("a new row");
        match layout {
            Layout::Accounts => {
                store.execute_batch(ACCOUNTS).expect("the schema");
                let others = store
                    .execute("UPDATE accounts SET is_active = 0", [])
                    .expect("an update");
                insert(
                    "INSERT INTO accounts (account_id, host, user_id, email, username, name, token, refresh_token, \
                     expires_at, issued_at, is_active) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)",
                    params![
                        uuid_v7(now, others),
                        host,
                        user.id,
                        user.email,
                        user.username,
                        user.name,
                        pair.access,
                        pair.refresh,
                        expires_at,
                        issued_at,
                    ],
                );
            }
            Layout::Auth => {
                store.execute_batch(AUTH).expect("the schema");
                insert(
                    "INSERT OR REPLACE INTO auth (id, token, refresh_token, expires_at, issued_at, host) \
                     VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                    params![pair.access, pair.refresh, expires_at, issued_at, host],
                );
                insert(
                    "INSERT OR REPLACE INTO user_info (id, user_id, email, username, name) \
                     VALUES (1, ?1, ?2, ?3, ?4)",
                    params![user.id, user.email, user.username, user.name],
                );
            }
        }
    }

    /// Records the OAuth client of the active session, as a login by this program does. The official CLI records none:
    /// without this the client of a seeded session is only guessed.
    pub fn remember_client(&self, client_id: &str) {
        // Writing anything makes the helpers' tables.
        let dummy = "protocol=https\nhost=nowhere.example\nusername=u\npassword=p\n";
        for operation in ["store", "erase"] {
            self.git_credential(operation).stdin(dummy).run().success();
        }
        let store = self.database().expect("a store");
        let source = match has_accounts(&store) {
            true => "SELECT account_id, host, ?1 FROM accounts WHERE is_active = 1",
            false => "SELECT 'auth', host, ?1 FROM auth",
        };
        let sql =
            format!("INSERT OR REPLACE INTO helper_session (account, origin, client_id) {source}");
        assert_eq!(store.execute(&sql, [client_id]), Ok(1));
    }

    /// The recorded OAuth client of the active session.
    pub fn remembered_client(&self) -> Option<String> {
        let store = self.database()?;
        let sql = "SELECT client_id FROM helper_session JOIN accounts ON account = account_id WHERE is_active = 1";
        let client = store.query_row(sql, [], |row| row.get(0)).optional();
        client.expect("the helpers' tables").flatten()
    }

    /// Both tokens of the active session, when it has both.
    pub fn stored_tokens(&self) -> Option<Pair> {
        let row = self.stored_row()?;
        Some(Pair {
            access: row.token?,
            refresh: row.refresh_token?,
        })
    }

    /// The active session; `None` without a store, or without a login.
    pub fn stored_row(&self) -> Option<StoredRow> {
        let store = self.database()?;
        let query = if has_accounts(&store) {
            "SELECT * FROM accounts WHERE is_active = 1"
        } else {
            "SELECT * FROM auth LEFT JOIN user_info USING (id)"
        };
        store
            .query_row(query, [], StoredRow::read)
            .optional()
            .expect("a readable row")
    }

    /// The database as it is, for any other question; `None` when there is none.
    pub fn database(&self) -> Option<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        self.db()
            .exists()
            .then(|| Connection::open_with_flags(self.db(), flags).expect("a database"))
    }

    /// Makes the only session one of another instance.
    #[track_caller]
    pub fn move_session(&self, instance: &str) {
        let store = self.database().expect("a store");
        let moved = store.execute("UPDATE accounts SET host = ?", [instance]);
        assert_eq!(moved, Ok(1));
    }

    /// An empty database in WAL mode with the modes of the official CLI, or the one that is there.
    pub fn create_store(&self) -> Connection {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.config_dir())
            .expect("a directory");
        if !self.db().exists() {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(self.db())
                .expect("a file");
        }
        let store = Connection::open(self.db()).expect("a database");
        store
            .pragma_update(None, "journal_mode", "WAL")
            .expect("WAL mode");
        store
    }
}

impl StoredRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            host: row.get("host")?,
            username: row.get("username")?,
            email: row.get("email")?,
            token: row.get("token")?,
            refresh_token: row.get("refresh_token")?,
            expires_at: row.get("expires_at")?,
            issued_at: row.get("issued_at")?,
        })
    }
}

fn has_accounts(store: &Connection) -> bool {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'accounts'";
    let found = store.query_row(sql, [], |_| Ok(())).optional();
    found.expect("a readable schema").is_some()
}

fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    now.as_millis().try_into().expect("this era")
}

/// RFC 9562 section 5.7, with a counter for its random bits.
fn uuid_v7(ms: i64, count: usize) -> String {
    format!(
        "{:08x}-{:04x}-7000-8000-{count:012x}",
        ms >> 16,
        ms & 0xffff
    )
}
