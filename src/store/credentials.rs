//! Credentials that git and docker store: passwords, and tokens that are not a session's.
//!
//! Separate from [`super::bindings`], which a user makes.

use rusqlite::params;

use super::layout::Table;
use super::{Client, ReadTransaction, WriteTransaction};
use crate::secret::Secret;
use crate::world::Timestamp;

/// A stored credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// `git <origin>` or `docker <host>[/<path>]`.
    pub(crate) server: String,
    /// git: the path, if the request has one (`credential.useHttpPath`). docker: the server URL as given.
    pub(crate) path: Option<String>,
    /// May be present and empty.
    pub(crate) username: Option<String>,
    /// The password; with `authtype`, the `credential`.
    pub(crate) secret: Secret,
    /// HTTP authentication scheme of a pre-encoded credential, such as `Bearer`.
    pub(crate) authtype: Option<String>,
    /// When the password expires.
    pub(crate) expiry: Option<Timestamp>,
    /// git's `oauth_refresh_token` of the stored credential, never a session's.
    pub(crate) refresh_token: Option<Secret>,
}

/// A pattern that matches credentials.
#[derive(Debug, Clone, Default)]
pub(crate) struct Match<'a> {
    /// The server.
    pub(crate) server: &'a str,
    /// Any when `None`.
    pub(crate) path: Option<&'a str>,
    /// Any when `None`.
    pub(crate) username: Option<&'a str>,
    /// Any when `None`.
    pub(crate) secret: Option<&'a Secret>,
}

impl Credential {
    /// Whether its password has expired at `now`.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Whether there is anything to return at `now`: a refresh token outlives an expired password.
    pub(crate) fn is_running(&self, now: Timestamp) -> bool {
        !self.is_expired(now) || self.refresh_token.is_some()
    }
}

impl Match<'_> {
    /// Whether the pattern matches a credential.
    pub(crate) fn covers(&self, credential: &Credential) -> bool {
        let same =
            |pattern: Option<&str>, found: Option<&str>| pattern.is_none() || pattern == found;
        self.server == credential.server
            && same(self.path, credential.path.as_deref())
            && same(self.username, credential.username.as_deref())
            && self
                .secret
                .is_none_or(|secret| *secret == credential.secret)
    }
}

impl ReadTransaction<'_> {
    /// The newest credential that matches, has not expired, and suits the caller; else the newest with a refresh token.
    pub(crate) fn credential(
        &self,
        pattern: &Match<'_>,
        now: Timestamp,
        suits: impl Fn(&Credential) -> bool,
    ) -> anyhow::Result<Option<Credential>> {
        let mut found = None;
        self.each_credential(pattern.server, |_, credential| {
            if !(pattern.covers(&credential) && credential.is_running(now) && suits(&credential)) {
                return true;
            }
            let is_last = !credential.is_expired(now);
            if is_last || found.is_none() {
                found = Some(credential);
            }
            !is_last
        })?;
        Ok(found)
    }

    /// All credentials of a client, of each server the newest first.
    pub(crate) fn credentials(&self, client: Client) -> anyhow::Result<Vec<Credential>> {
        let mut all = Vec::new();
        if self.layout.has(Table::Credential) {
            // `!` is the byte after the space.
            let sql = "SELECT seq, server, path, username, secret, authtype, expiry, refresh_token \
                       FROM helper_credential WHERE server >= ?1 || ' ' AND server < ?1 || '!' \
                       ORDER BY server, seq DESC";
            self.each_row(sql, [client.name()], |_, credential| {
                all.push(credential);
                true
            })?;
        }
        Ok(all)
    }

    /// Passes the credentials of a server to `take`, newest first, until it returns false.
    fn each_credential(
        &self,
        server: &str,
        take: impl FnMut(i64, Credential) -> bool,
    ) -> anyhow::Result<()> {
        if !self.layout.has(Table::Credential) {
            return Ok(());
        }
        let sql = "SELECT seq, server, path, username, secret, authtype, expiry, refresh_token \
                   FROM helper_credential WHERE server = ? ORDER BY seq DESC";
        self.each_row(sql, [server], take)
    }

    fn each_row(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        mut take: impl FnMut(i64, Credential) -> bool,
    ) -> anyhow::Result<()> {
        let explain = |error| self.explain(error);
        let mut statement = self.transaction.prepare(sql).map_err(explain)?;
        let mut rows = statement.query(parameters).map_err(explain)?;
        while let Some(row) = rows.next().map_err(explain)? {
            let read = || -> rusqlite::Result<_> {
                let credential = Credential {
                    server: row.get(1)?,
                    path: row.get(2)?,
                    username: row.get(3)?,
                    secret: Secret::new(row.get::<_, String>(4)?),
                    authtype: row.get(5)?,
                    expiry: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
                    refresh_token: row.get::<_, Option<String>>(7)?.map(Secret::new),
                };
                Ok((row.get(0)?, credential))
            };
            let (seq, credential) = read().map_err(explain)?;
            if !take(seq, credential) {
                break;
            }
        }
        Ok(())
    }
}

impl WriteTransaction<'_> {
    /// Stores a credential as the newest of its server; replaces the one with the same path, user name and kind.
    pub(crate) fn put_credential(&self, new: &Credential) -> anyhow::Result<()> {
        self.execute(
            "DELETE FROM helper_credential
             WHERE server = ? AND path IS ? AND username IS ? AND (authtype IS NULL) = ?",
            params![new.server, new.path, new.username, new.authtype.is_none()],
        )?;
        self.execute(
            "INSERT INTO helper_credential (server, seq, path, username, secret, authtype, expiry, refresh_token)
             VALUES (?1, 1 + coalesce((SELECT max(seq) FROM helper_credential WHERE server = ?1), 0), \
             ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                new.server,
                new.path,
                new.username,
                new.secret.expose(),
                new.authtype,
                new.expiry.map(Timestamp::millis),
                new.refresh_token.as_ref().map(Secret::expose),
            ],
        )?;
        Ok(())
    }

    /// Removes expired credentials without a refresh token.
    pub(crate) fn remove_expired(&self, now: Timestamp) -> anyhow::Result<usize> {
        let sql = "DELETE FROM helper_credential \
                   WHERE typeof(expiry) = 'integer' AND expiry <= ?1 AND refresh_token IS NULL";
        self.execute(sql, [now.millis()])
    }

    /// Removes all matching credentials, including expired ones; returns how many.
    pub(crate) fn erase_credentials(&self, pattern: &Match<'_>) -> anyhow::Result<usize> {
        let mut matching = Vec::new();
        self.each_credential(pattern.server, |seq, credential| {
            if pattern.covers(&credential) {
                matching.push(seq);
            }
            true
        })?;
        for seq in &matching {
            self.execute(
                "DELETE FROM helper_credential WHERE server = ? AND seq = ?",
                params![pattern.server, seq],
            )?;
            self.removes_secrets.set(true);
        }
        Ok(matching.len())
    }

    /// Removes all credentials of a host, including those with a path; returns how many.
    pub(crate) fn forget_credentials(&self, host: &str) -> anyhow::Result<usize> {
        // `0` is the byte after the slash.
        let sql = "DELETE FROM helper_credential \
                   WHERE server = ?1 OR (server >= ?1 || '/' AND server < ?1 || '0')";
        let removed = self.execute(sql, [host])?;
        if removed > 0 {
            self.removes_secrets.set(true);
        }
        Ok(removed)
    }
}
