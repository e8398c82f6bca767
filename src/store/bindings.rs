//! Bindings and settings that a user made, and digests of former tokens.
//!
//! Separate from [`super::credentials`], which clients store.

use rusqlite::{OptionalExtension as _, params};

use super::layout::Table;
use super::row::{number, select, text};
use super::{ReadTransaction, WriteTransaction};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::world::Timestamp;

/// How long a former token is recognized, in milliseconds: 400 days.
const FORMER_RETENTION: i64 = 400 * 24 * 3600 * 1000;

/// The protocol of a binding. A host that is bound for git is not bound for docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// `sentry auth setup-git`.
    Git,
    /// `sentry auth setup-docker`.
    Docker,
}

impl Client {
    /// The name of the client.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Client::Git => "git",
            Client::Docker => "docker",
        }
    }

    /// The key of a host in our tables.
    pub(crate) fn server(self, host: &str) -> String {
        format!("{} {host}", self.name())
    }
}

/// A host that a user bound to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// `git <origin>` or `docker <host>[/<path>]`.
    pub(crate) server: String,
    /// The instance whose session serves the host.
    pub(crate) origin: Origin,
    /// The user name to return, if not the default.
    pub(crate) username: Option<String>,
    /// `docker logout` was run for it: nothing is served until it is signed in again.
    pub(crate) signed_out: bool,
    /// The account that serves the host, by its [key](crate::account::Session::key); `None`: the active one of the
    /// instance.
    pub(crate) account: Option<String>,
}

/// A binding, and when it was made; unknown for a binding of an earlier version.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// The binding.
    pub(crate) binding: Binding,
    /// When it was made, or changed to another instance or account.
    pub(crate) since: Option<Timestamp>,
}

/// Whether our tables have rows for a server.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// [`ReadTransaction::credential`] may find one.
    pub(crate) credential: bool,
    /// [`ReadTransaction::binding`] finds one.
    pub(crate) binding: bool,
}

impl ReadTransaction<'_> {
    /// Checks which rows exist for a server and a host: one statement instead of two that seldom find anything.
    pub(crate) fn known(&self, server: &str, host: &str) -> anyhow::Result<Known> {
        let explain = |error| self.explain(error);
        let mut known = Known::default();
        let sql = match (
            self.layout.has(Table::Binding),
            self.layout.has(Table::Credential),
        ) {
            (true, true) => {
                "SELECT 1 FROM helper_binding WHERE server = ?2 \
                 UNION ALL SELECT 0 FROM helper_credential WHERE server = ?1"
            }
            (true, false) => "SELECT 1 FROM helper_binding WHERE server = ?2 AND ?1 IS NOT NULL",
            (false, true) => "SELECT 0 FROM helper_credential WHERE server = ?1 AND ?2 IS NOT NULL",
            (false, false) => return Ok(known),
        };
        let mut statement = self.transaction.prepare(sql).map_err(explain)?;
        let mut rows = statement.query([server, host]).map_err(explain)?;
        while let Some(row) = rows.next().map_err(explain)?
            && !known.credential
        {
            match row.get(0).map_err(explain)? {
                true => known.binding = true,
                false => known.credential = true,
            }
        }
        Ok(known)
    }

    /// The binding of a server.
    pub(crate) fn binding(&self, server: &str) -> anyhow::Result<Option<Binding>> {
        Ok(self.bindings_where(" WHERE server = ?", server)?.pop())
    }

    /// All bindings for a client.
    pub(crate) fn bindings(&self, client: Client) -> anyhow::Result<Vec<Binding>> {
        self.bindings_where(
            " WHERE substr(server, 1, length(?1)) = ?1",
            &client.server(""),
        )
    }

    /// All bindings of the clients that this version knows, git's first.
    pub(crate) fn bound(&self) -> anyhow::Result<Vec<Bound>> {
        let mut bound = Vec::new();
        for client in [Client::Git, Client::Docker] {
            bound.extend(self.bound_where(
                " WHERE substr(server, 1, length(?1)) = ?1 ORDER BY server",
                &client.server(""),
            )?);
        }
        Ok(bound)
    }

    fn bindings_where(&self, rest: &str, parameter: &str) -> anyhow::Result<Vec<Binding>> {
        let bound = self.bound_where(rest, parameter)?;
        Ok(bound.into_iter().map(|bound| bound.binding).collect())
    }

    fn bound_where(&self, rest: &str, parameter: &str) -> anyhow::Result<Vec<Bound>> {
        let explain = |error| self.explain(error);
        if !self.layout.has(Table::Binding) {
            return Ok(Vec::new());
        }
        let columns = [
            "server",
            "origin",
            "username",
            "signed_out",
            "account",
            "created_at",
        ];
        let (mut statement, at) =
            select(&self.transaction, columns, "helper_binding", rest).map_err(explain)?;
        let mut rows = statement.query([parameter]).map_err(explain)?;
        let mut bindings = Vec::new();
        while let Some(row) = rows.next().map_err(explain)? {
            let [server, origin, username, signed_out, account, since] = at;
            let text = |index| text(row, index).map_err(explain);
            let number = |index| number(row, index).map_err(explain);
            let (Some(server), Some(origin)) = (text(server)?, text(origin)?) else {
                continue;
            };
            if let Ok(origin) = Origin::parse(&origin) {
                bindings.push(Bound {
                    binding: Binding {
                        server,
                        origin,
                        username: text(username)?,
                        signed_out: number(signed_out)?.unwrap_or(0) != 0,
                        account: text(account)?,
                    },
                    since: number(since)?.map(Timestamp::from_millis),
                });
            }
        }
        Ok(bindings)
    }

    /// A setting.
    pub(crate) fn setting(&self, key: &str) -> anyhow::Result<Option<String>> {
        if !self.layout.has(Table::Setting) {
            return Ok(None);
        }
        let sql = "SELECT value FROM helper_setting WHERE key = ?";
        self.transaction
            .query_row(sql, [key], |row| row.get(0))
            .optional()
            .map_err(|error| self.explain(error))
    }

    /// The settings whose keys begin with `prefix`, in order: the rest of the key, and the value.
    pub(crate) fn settings(&self, prefix: &str) -> anyhow::Result<Vec<(String, String)>> {
        if !self.layout.has(Table::Setting) {
            return Ok(Vec::new());
        }
        let explain = |error| self.explain(error);
        let sql = "SELECT substr(key, length(?1) + 1), value FROM helper_setting \
                   WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key";
        let mut statement = self.transaction.prepare(sql).map_err(explain)?;
        let rows = statement
            .query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(explain)?;
        rows.map(|row| row.map_err(explain)).collect()
    }

    /// Whether this is a former access token of a session.
    pub(crate) fn is_former(&self, token: &Secret) -> anyhow::Result<bool> {
        if !self.layout.has(Table::Former) {
            return Ok(false);
        }
        let sql = "SELECT count(*) FROM helper_former WHERE digest = ?";
        let found: rusqlite::Result<bool> =
            self.transaction
                .query_row(sql, [token.digest().as_bytes()], |row| row.get(0));
        found.map_err(|error| self.explain(error))
    }
}

impl WriteTransaction<'_> {
    /// Binds a server, or changes its binding.
    pub(crate) fn bind(&self, binding: &Binding) -> anyhow::Result<()> {
        // Columns that a newer version added keep their values.
        self.execute(
            "INSERT INTO helper_binding (server, origin, username, signed_out, account, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, unixepoch() * 1000)
             ON CONFLICT (server) DO UPDATE SET origin = ?2, username = ?3, signed_out = ?4, account = ?5, \
             created_at = CASE WHEN origin IS ?2 AND account IS ?5 THEN created_at ELSE unixepoch() * 1000 END",
            params![
                binding.server,
                binding.origin.to_string(),
                binding.username,
                binding.signed_out,
                binding.account,
            ],
        )?;
        Ok(())
    }

    /// Removes a binding.
    pub(crate) fn unbind(&self, server: &str) -> anyhow::Result<()> {
        self.execute("DELETE FROM helper_binding WHERE server = ?", [server])?;
        Ok(())
    }

    /// Changes a setting; `None` removes it.
    pub(crate) fn set(&self, key: &str, value: Option<&str>) -> anyhow::Result<()> {
        match value {
            Some(value) => self.execute(
                "INSERT OR REPLACE INTO helper_setting (key, value) VALUES (?, ?)",
                [key, value],
            )?,
            None => self.execute("DELETE FROM helper_setting WHERE key = ?", [key])?,
        };
        Ok(())
    }

    /// Records the digest of a former token, which git may still `store` or `erase`.
    pub(crate) fn remember_former(&self, token: &Secret, now: Timestamp) -> anyhow::Result<()> {
        self.execute(
            "DELETE FROM helper_former WHERE at < ?",
            [now.millis() - FORMER_RETENTION],
        )?;
        self.execute(
            "INSERT OR REPLACE INTO helper_former (digest, at) VALUES (?, ?)",
            params![token.digest().as_bytes(), now.millis()],
        )?;
        Ok(())
    }
}
