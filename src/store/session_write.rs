//! Writes existing sessions: swaps of tokens, logouts, and the state of a refresh.
//!
//! Separate from [`super::login_write`], which decides which rows a login replaces.

use rusqlite::{OptionalExtension as _, ToSql, named_params, params};

use super::WriteTransaction;
use super::layout::Sessions;
use crate::account::{Session, Tokens};
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

/// Clears the refresh state of a pair that is no longer stored.
const CLEARED: &str = "suspect = NULL, checked_at = NULL, retry_at = NULL, retry_reason = NULL, intent = NULL, \
     intent_at = NULL, rejected = NULL, rejected_at = NULL";

impl WriteTransaction<'_> {
    /// The session as it is now, and the digest of its pair: of the refresh token, or of the access token if there is
    /// no other; `None` if both are NULL. Ignores the refresh state of the pair.
    pub(crate) fn stored_pair(
        &self,
        session: &Session,
    ) -> anyhow::Result<Option<(Session, Option<Digest>)>> {
        let Some(current) = self.session(session)? else {
            return Ok(None);
        };
        let (table, key) = self.row();
        let sql = format!("SELECT coalesce(refresh_token, token) FROM {table} WHERE {key}");
        let account = named_params! { ":account": current.account };
        let secret = self
            .transaction
            .query_row(&sql, account, |row| row.get::<_, Option<String>>(0))
            .map_err(|error| self.explain(error))?;
        Ok(Some((
            current,
            secret.map(|secret| Secret::new(secret).digest()),
        )))
    }

    /// Replaces the tokens of a session, records the OAuth client that they were granted to, and clears the refresh
    /// state of the old ones.
    pub(crate) fn replace_tokens(
        &self,
        session: &Session,
        old: &Tokens,
        new: &Tokens,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.set_tokens(session, new, now)?;
        self.remember_former(&old.access, now)?;
        self.note(
            session,
            "client_id = coalesce(?3, client_id), \
             login_at = CASE WHEN stored IS ?4 THEN login_at ELSE ?5 END, stored = ?6",
            &[
                &client_id,
                &old.digest().as_bytes(),
                &old.issued_at.map(Timestamp::millis),
                &new.digest().as_bytes(),
            ],
        )?;
        self.note(session, CLEARED, &[])
    }

    /// When the login was granted from which the pair of a session derives, however often it has been refreshed since.
    /// For a pair that another program stored, only its own age is known.
    pub(crate) fn login_at(&self, session: &Session) -> anyhow::Result<Option<Timestamp>> {
        let Some(tokens) = &session.tokens else {
            return Ok(None);
        };
        let sql = "SELECT login_at FROM helper_session WHERE account = ? AND stored = ?";
        let recorded = self
            .transaction
            .query_row(
                sql,
                params![session.account, tokens.digest().as_bytes()],
                |row| row.get::<_, Option<i64>>(0),
            )
            .optional()
            .map_err(|error| self.explain(error))?;
        Ok(recorded
            .flatten()
            .map(Timestamp::from_millis)
            .or(tokens.issued_at))
    }

    /// Marks the pair of a session as rejected by the server. The row is unchanged, because another program compares
    /// with it when its own answer arrives. Storing any other pair clears the mark.
    pub(crate) fn mark_rejected(
        &self,
        session: &Session,
        pair: &Digest,
        access: &Secret,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.remember_former(access, now)?;
        self.note(session, CLEARED, &[])?;
        self.note(
            session,
            "rejected = ?3, rejected_at = ?4",
            &[&pair.as_bytes(), &now.millis()],
        )
    }

    /// Records that a refresh token is about to be spent; the first record keeps its time.
    pub(crate) fn intend(
        &self,
        session: &Session,
        refresh: Digest,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.note(
            session,
            "intent_at = CASE WHEN intent IS ?3 THEN intent_at ELSE ?4 END, intent = ?3",
            &[&refresh.as_bytes(), &now.millis()],
        )
    }

    /// Withdraws the intent: nothing was spent.
    pub(crate) fn withdraw_intent(&self, session: &Session) -> anyhow::Result<()> {
        self.note(session, "intent = NULL, intent_at = NULL", &[])
    }

    /// Records that no refresh may be attempted before `until`, and why.
    pub(crate) fn pause(
        &self,
        session: &Session,
        until: Timestamp,
        why: Option<&str>,
    ) -> anyhow::Result<()> {
        self.note(
            session,
            "retry_at = ?3, retry_reason = ?4",
            &[&until.millis(), &why],
        )
    }

    /// Records that a host refused an access token.
    pub(crate) fn suspect(&self, session: &Session, access: Digest) -> anyhow::Result<()> {
        self.note(session, "suspect = ?3", &[&access.as_bytes()])
    }

    /// Records that the server accepts the access token.
    pub(crate) fn trust(&self, session: &Session, now: Timestamp) -> anyhow::Result<()> {
        self.note(session, "suspect = NULL, checked_at = ?3", &[&now.millis()])
    }

    /// Updates the refresh state of a session; `?3` and so on are `values`.
    fn note(&self, session: &Session, set: &str, values: &[&dyn ToSql]) -> anyhow::Result<()> {
        let origin = session.origin.to_string();
        self.execute(
            "INSERT INTO helper_session (account, origin) VALUES (?1, ?2) ON CONFLICT (account) DO UPDATE SET origin = ?2",
            params![session.account, origin],
        )?;
        let mut parameters: Vec<&dyn ToSql> = vec![&session.account, &origin];
        parameters.extend(values);
        let sql = format!("UPDATE helper_session SET {set} WHERE account = ?1 AND ?2 IS NOT NULL");
        self.execute(&sql, parameters.as_slice())?;
        Ok(())
    }

    /// Table and condition of a session's row; the account is `:account`.
    fn row(&self) -> (&'static str, &'static str) {
        match self.layout.sessions {
            Sessions::Accounts => ("accounts", "account_id = :account"),
            _ => ("auth", "id = 1 AND :account = 'auth'"),
        }
    }

    fn set_tokens(&self, session: &Session, tokens: &Tokens, now: Timestamp) -> anyhow::Result<()> {
        let (table, key) = self.row();
        self.execute(
            &format!(
                "UPDATE {table} SET token = :token, refresh_token = :refresh, expires_at = :expires, \
                 issued_at = :issued, updated_at = :now WHERE {key}"
            ),
            named_params! {
                ":account": session.account,
                ":token": tokens.access.expose(),
                ":refresh": tokens.refresh.as_ref().map(Secret::expose),
                ":expires": tokens.expires_at.map(Timestamp::millis),
                ":issued": tokens.issued_at.map(Timestamp::millis),
                ":now": now.millis(),
            },
        )?;
        Ok(())
    }

    /// Removes a session. If it was the active one, the most recently used of the others becomes active and is
    /// returned.
    pub(crate) fn log_out(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> anyhow::Result<Option<Session>> {
        if let Some(tokens) = &session.tokens {
            self.remember_former(&tokens.access, now)?;
        }
        self.remove(session)?;
        match self.sessions()?.into_iter().next() {
            Some(next) if session.active => {
                self.activate(&next, now)?;
                Ok(Some(next))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn remove(&self, session: &Session) -> anyhow::Result<()> {
        self.removes_secrets.set(true);
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
        Ok(())
    }

    /// Makes a session the active one.
    pub(crate) fn activate(&self, session: &Session, now: Timestamp) -> anyhow::Result<()> {
        self.set_default_instance(&session.origin)?;
        if self.layout.sessions == Sessions::Accounts {
            self.execute("UPDATE accounts SET is_active = 0 WHERE is_active <> 0", [])?;
            self.execute(
                "UPDATE accounts SET is_active = 1, last_used_at = ?2 WHERE account_id = ?1",
                params![session.account, now.millis()],
            )?;
        }
        Ok(())
    }
}
