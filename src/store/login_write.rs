//! Writes a login: which rows it replaces, and which user it belongs to.
//!
//! Separate from [`super::session_write`], which changes existing rows: this module decides which logins belong to the
//! same account.

use rusqlite::{named_params, params};

use super::WriteTransaction;
use super::layout::Sessions;
use crate::account::{Session, Tokens, User};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::world::Timestamp;

/// The key in `helper_session` of the single row of `auth`.
const ONLY: &str = "auth";

impl WriteTransaction<'_> {
    /// Stores a login as the active session. It replaces the same account of the same instance; in the old layout,
    /// whichever session is stored.
    pub(crate) fn log_in(
        &self,
        origin: &Origin,
        user: &User,
        tokens: &Tokens,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.forget_declined(origin)?;
        let same_account = self.same_account(origin, user, tokens)?;
        for former in same_account
            .iter()
            .filter_map(|session| session.tokens.as_ref())
        {
            self.remember_former(&former.access, now)?;
            // Sentry still accepts it, unlike the pair that a refresh replaces.
            self.removes_secrets.set(true);
        }
        let mut same_account = same_account.into_iter();
        let replaced = same_account.next();
        for session in same_account {
            self.remove(&session)?;
        }
        // The server may not repeat the user of a known token.
        let known = replaced
            .as_ref()
            .filter(|session| *user == User::default() && session.has_token(&tokens.access))
            .map(|session| session.user.clone());
        let user = known.as_ref().unwrap_or(user);
        let account = match self.layout.sessions {
            Sessions::Accounts => {
                let account = replaced.map_or_else(
                    || uuid::Uuid::now_v7().to_string(),
                    |session| session.account,
                );
                self.write_account(&account, origin, user, tokens, now)?;
                account
            }
            _ => {
                self.write_auth(origin, user, tokens, now)?;
                ONLY.to_owned()
            }
        };
        self.execute(
            "INSERT OR REPLACE INTO helper_session (account, origin, client_id, stored, login_at) VALUES (?, ?, ?, ?, ?)",
            params![
                account,
                origin.to_string(),
                client_id,
                tokens.digest().as_bytes(),
                tokens.issued_at.map(Timestamp::millis),
            ],
        )?;
        self.set_default_instance(origin)
    }

    /// Writes the active row of `accounts`.
    fn write_account(
        &self,
        account: &str,
        origin: &Origin,
        user: &User,
        tokens: &Tokens,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.execute("UPDATE accounts SET is_active = 0 WHERE is_active <> 0", [])?;
        self.execute(
            "INSERT INTO accounts (account_id, host, user_id, email, username, name, token, refresh_token, \
             expires_at, issued_at, is_active, created_at, updated_at, last_used_at)
             VALUES (:account, :host, :id, :email, :username, :name, :token, :refresh, :expires, :issued, 1, \
             :now, :now, :now)
             ON CONFLICT (account_id) DO UPDATE SET host = :host, user_id = :id, email = :email, username = :username, \
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
        Ok(())
    }

    /// Writes the single row of `auth`, and that of `user_info` if there is such a table.
    fn write_auth(
        &self,
        origin: &Origin,
        user: &User,
        tokens: &Tokens,
        now: Timestamp,
    ) -> anyhow::Result<()> {
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
        if !self.layout.user_info {
            return Ok(());
        }
        self.execute("DELETE FROM user_info", [])?;
        if let Some(id) = &user.id {
            self.execute(
                "INSERT INTO user_info (id, user_id, email, username, name, updated_at)
                 VALUES (1, ?, ?, ?, ?, ?)",
                params![id, user.email, user.username, user.name, now.millis()],
            )?;
        }
        Ok(())
    }

    /// The sessions that a login replaces: of the same account, or with the same token; in the old layout, whichever is
    /// stored.
    pub(crate) fn same_account(
        &self,
        origin: &Origin,
        user: &User,
        tokens: &Tokens,
    ) -> anyhow::Result<Vec<Session>> {
        let is_same_account = |session: &Session| {
            session.account == ONLY || session.is_login_of(origin, user, &tokens.access)
        };
        let mut sessions = self.sessions()?;
        sessions.retain(is_same_account);
        Ok(sessions)
    }

    /// Stores the user's names in the session with this access token, and the user's id if it was unknown. Tokens and
    /// `updated_at`, by which other programs detect a changed login, are unchanged. Does nothing if the token is no
    /// longer stored. Returns whether the names are stored.
    pub(crate) fn name_user(&self, access: &Secret, user: &User) -> anyhow::Result<bool> {
        let mut sessions = self.sessions()?.into_iter();
        let Some(named) = sessions.find(|session| session.has_token(access)) else {
            return Ok(false);
        };
        let names = named_params! {
            ":id": user.id, ":email": user.email, ":username": user.username, ":name": user.name,
            ":account": named.account,
        };
        match self.layout.sessions {
            Sessions::Accounts => self.execute(
                "UPDATE accounts SET user_id = coalesce(user_id, :id), email = :email, username = :username, \
                 name = :name WHERE account_id = :account",
                names,
            )?,
            _ if self.layout.user_info && user.id.is_some() => self.execute(
                "INSERT INTO user_info (id, user_id, email, username, name) \
                 SELECT 1, :id, :email, :username, :name WHERE :account = 'auth' \
                 ON CONFLICT (id) DO UPDATE SET email = :email, username = :username, name = :name",
                names,
            )?,
            _ => return Ok(false),
        };
        // Only the id reveals that the account was stored already.
        let same_account = match &named.tokens {
            Some(tokens) => self.same_account(&named.origin, user, tokens)?,
            None => Vec::new(),
        };
        for duplicate in same_account {
            if duplicate.account != named.account {
                self.remove(&duplicate)?;
            }
        }
        Ok(true)
    }
}
