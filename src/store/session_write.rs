//! Writing sessions: a login, a swap of tokens, a logout, and our marks.

use rusqlite::{named_params, params};

use super::WriteTransaction;
use super::layout::Sessions;
use crate::account::{RefreshState, Session, Tokens, User};
use crate::origin::Origin;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

/// The key in `helper_session` for the one row of `auth`.
const ONLY: &str = "auth";

/// What a swap of tokens met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The new pair is stored.
    Done,
    /// The row is gone: a logout won. Discard the new pair.
    Gone,
    /// Another pair is stored: another login or refresh won. Use that one.
    Superseded,
}

impl WriteTransaction<'_> {
    /// Stores a login and makes it the active one. The same user of the same instance is replaced, in the old layout
    /// whoever was there.
    ///
    /// # Errors
    /// SQLite's.
    pub fn log_in(
        &self,
        origin: &Origin,
        user: &User,
        tokens: &Tokens,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let replaced = self.sessions()?.into_iter().find(|session| {
            session.account == ONLY || (session.origin == *origin && session.user.id == user.id)
        });
        if let Some(Session {
            tokens: Some(former),
            ..
        }) = &replaced
        {
            self.remember_former(&former.access, now)?;
        }
        let account = match self.layout.sessions {
            Sessions::Accounts => {
                let account = replaced.map_or_else(
                    || uuid::Uuid::now_v7().to_string(),
                    |session| session.account,
                );
                self.execute("UPDATE accounts SET is_active = 0 WHERE is_active <> 0", [])?;
                self.execute(
                    "INSERT INTO accounts (account_id, host, user_id, email, username, name, token, refresh_token, \
                     expires_at, issued_at, is_active, created_at, updated_at, last_used_at)
                     VALUES (:account, :host, :id, :email, :username, :name, :token, :refresh, :expires, :issued, 1, \
                     :now, :now, :now)
                     ON CONFLICT (account_id) DO UPDATE SET host = :host, email = :email, username = :username, \
                     name = :name, token = :token, refresh_token = :refresh, expires_at = :expires, \
                     issued_at = :issued, is_active = 1, updated_at = :now, last_used_at = :now",
                    named_params! {
                        ":account": account, ":host": origin.to_string(), ":id": user.id, ":email": user.email,
                        ":username": user.username, ":name": user.name, ":token": tokens.access.expose(),
                        ":refresh": tokens.refresh.as_ref().map(Secret::expose),
                        ":expires": tokens.expires_at.map(Timestamp::millis),
                        ":issued": tokens.issued_at.map(Timestamp::millis), ":now": now.millis(),
                    },
                )?;
                account
            }
            _ => {
                self.execute(
                    "INSERT OR REPLACE INTO auth (id, token, refresh_token, expires_at, issued_at, updated_at, host)
                     VALUES (1, ?, ?, ?, ?, ?, ?)",
                    params![
                        tokens.access.expose(),
                        tokens.refresh.as_ref().map(Secret::expose),
                        tokens.expires_at.map(Timestamp::millis),
                        tokens.issued_at.map(Timestamp::millis),
                        now.millis(),
                        origin.to_string(),
                    ],
                )?;
                if self.layout.user_info {
                    self.execute("DELETE FROM user_info", [])?;
                    if let Some(id) = &user.id {
                        self.execute(
                            "INSERT INTO user_info (id, user_id, email, username, name, updated_at)
                             VALUES (1, ?, ?, ?, ?, ?)",
                            params![id, user.email, user.username, user.name, now.millis()],
                        )?;
                    }
                }
                ONLY.to_owned()
            }
        };
        self.execute(
            "INSERT OR REPLACE INTO helper_session (account, origin, client_id) VALUES (?, ?, ?)",
            params![account, origin.to_string(), client_id],
        )?;
        Ok(())
    }

    /// Writes what the server calls the user of the session that has this access token. Tokens and `updated_at`, by which
    /// other programs see that a login changed, stay as they are; nothing happens when the token is no longer there.
    ///
    /// # Errors
    /// SQLite's.
    pub fn name_user(&self, access: &Secret, user: &User) -> anyhow::Result<()> {
        let sql = match self.layout.sessions {
            Sessions::Accounts => {
                "UPDATE accounts SET email = :email, username = :username, name = :name WHERE token = :token"
            }
            _ if self.layout.user_info => {
                "UPDATE user_info SET email = :email, username = :username, name = :name \
                 WHERE id = 1 AND EXISTS (SELECT 1 FROM auth WHERE id = 1 AND token = :token)"
            }
            _ => return Ok(()),
        };
        self.execute(
            sql,
            named_params! {
                ":email": user.email, ":username": user.username, ":name": user.name, ":token": access.expose(),
            },
        )?;
        Ok(())
    }

    /// Replaces the pair `old` of a session by `new`, if `old` is still there or was merely cleared.
    ///
    /// # Errors
    /// SQLite's.
    pub fn swap(
        &self,
        session: &Session,
        old: &Tokens,
        new: &Tokens,
        now: Timestamp,
    ) -> anyhow::Result<Swap> {
        let Some(current) = self.session(session)? else {
            return Ok(Swap::Gone);
        };
        // A program that lost a race clears the spent pair; the pair we hold is still the only live one.
        let cleared = self.is_cleared(&current)?;
        let unchanged = current
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.refresh == old.refresh);
        if !cleared && !unchanged {
            return Ok(Swap::Superseded);
        }
        self.set_tokens(&current, Some(new), now)?;
        self.remember_former(&old.access, now)?;
        self.execute(
            "UPDATE helper_session SET suspect = NULL, retry_at = NULL, intent = NULL, intent_at = NULL WHERE account = ?",
            [&current.account],
        )?;
        Ok(Swap::Done)
    }

    /// Removes the pair of a session that the server rejected, if it is still there. Instance and user stay known.
    ///
    /// # Errors
    /// SQLite's.
    pub fn clear(
        &self,
        session: &Session,
        rejected: &Tokens,
        now: Timestamp,
    ) -> anyhow::Result<Swap> {
        let Some(current) = self.session(session)? else {
            return Ok(Swap::Gone);
        };
        if current.tokens.as_ref() != Some(rejected) {
            return Ok(Swap::Superseded);
        }
        self.set_tokens(&current, None, now)?;
        self.remember_former(&rejected.access, now)?;
        self.execute(
            "UPDATE helper_session SET suspect = NULL, retry_at = NULL WHERE account = ?",
            [&current.account],
        )?;
        Ok(Swap::Done)
    }

    /// Table and condition of a session's row; the account is `:account`.
    fn row(&self) -> (&'static str, &'static str) {
        match self.layout.sessions {
            Sessions::Accounts => ("accounts", "account_id = :account"),
            _ => ("auth", "id = 1 AND :account = 'auth'"),
        }
    }

    fn is_cleared(&self, session: &Session) -> anyhow::Result<bool> {
        let (table, key) = self.row();
        let sql =
            format!("SELECT token IS NULL AND refresh_token IS NULL FROM {table} WHERE {key}");
        let account = named_params! { ":account": session.account };
        let cleared = self.transaction.query_row(&sql, account, |row| row.get(0));
        cleared.map_err(|error| self.explain(error))
    }

    fn set_tokens(
        &self,
        session: &Session,
        tokens: Option<&Tokens>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let (table, key) = self.row();
        self.execute(
            &format!(
                "UPDATE {table} SET token = :token, refresh_token = :refresh, expires_at = :expires, \
                 issued_at = :issued, updated_at = :now WHERE {key}"
            ),
            named_params! {
                ":account": session.account,
                ":token": tokens.map(|tokens| tokens.access.expose()),
                ":refresh": tokens.and_then(|tokens| tokens.refresh.as_ref()).map(Secret::expose),
                ":expires": tokens.and_then(|tokens| tokens.expires_at).map(Timestamp::millis),
                ":issued": tokens.and_then(|tokens| tokens.issued_at).map(Timestamp::millis),
                ":now": now.millis(),
            },
        )?;
        Ok(())
    }

    /// Removes a session. If it was the active one, the last used of the others becomes active and is returned.
    ///
    /// # Errors
    /// SQLite's.
    pub fn log_out(&self, session: &Session, now: Timestamp) -> anyhow::Result<Option<Session>> {
        if let Some(tokens) = &session.tokens {
            self.remember_former(&tokens.access, now)?;
        }
        self.execute(
            "DELETE FROM helper_session WHERE account = ?",
            [&session.account],
        )?;
        match self.layout.sessions {
            Sessions::Accounts => self.execute(
                "DELETE FROM accounts WHERE account_id = ?",
                [&session.account],
            )?,
            _ => self.execute("DELETE FROM auth", [])?,
        };
        if self.layout.user_info && self.holds_one_session() {
            self.execute("DELETE FROM user_info", [])?;
        }
        match self.sessions()?.into_iter().next() {
            Some(next) if session.active => {
                self.activate(&next, now)?;
                Ok(Some(next))
            }
            _ => Ok(None),
        }
    }

    /// Makes a session the active one.
    ///
    /// # Errors
    /// SQLite's.
    pub fn activate(&self, session: &Session, now: Timestamp) -> anyhow::Result<()> {
        if self.layout.sessions == Sessions::Accounts {
            self.execute("UPDATE accounts SET is_active = 0 WHERE is_active <> 0", [])?;
            self.execute(
                "UPDATE accounts SET is_active = 1, last_used_at = ?2 WHERE account_id = ?1",
                params![session.account, now.millis()],
            )?;
        }
        Ok(())
    }

    /// Writes our notes about a session.
    ///
    /// # Errors
    /// SQLite's.
    pub fn mark(&self, session: &Session, marks: &RefreshState) -> anyhow::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO helper_session (account, origin, client_id, suspect, retry_at, intent, intent_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                session.account,
                session.origin.to_string(),
                marks.client_id,
                marks.suspect.as_ref().map(Digest::as_bytes),
                marks.retry_at.map(Timestamp::millis),
                marks.intent.as_ref().map(|(digest, _)| digest.as_bytes()),
                marks.intent.as_ref().map(|(_, at)| at.millis()),
            ],
        )?;
        Ok(())
    }
}
