//! The content of a recovery file: a versioned wire format.
//!
//! Separate from [`recovery`](super::recovery), which handles the files but not their content.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::new_login::NewLogin;
use super::protocol::Swap;
use super::swap::swap;
use crate::account::{Session, Tokens, User};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::WriteTransaction;
use crate::world::Timestamp;

/// Incremented when older programs could not import what newer ones write.
const VERSION: u32 = 1;

/// Granted tokens and the tokens that they replace; times in milliseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// Absent in files of the first version.
    #[serde(default = "first_version")]
    version: u32,
    origin: String,
    /// The key of the session; `None` for a login.
    account: Option<String>,
    /// `None` for a login.
    old_token: Option<Zeroizing<String>>,
    old_refresh_token: Option<Zeroizing<String>>,
    /// Absent in files of the first version.
    old_issued_at: Option<i64>,
    token: Zeroizing<String>,
    refresh_token: Option<Zeroizing<String>>,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
    client_id: Option<String>,
    /// The user of a login.
    user: Option<User>,
}

fn first_version() -> u32 {
    1
}

impl Record {
    /// The tokens that a refresh was granted.
    pub(super) fn of_refresh(
        session: &Session,
        old: &Tokens,
        new: &Tokens,
        client_id: Option<&str>,
    ) -> Record {
        Record {
            account: Some(session.account.clone()),
            old_token: Some(exposed(&old.access)),
            old_refresh_token: old.refresh.as_ref().map(exposed),
            old_issued_at: old.issued_at.map(Timestamp::millis),
            client_id: client_id.map(str::to_owned),
            ..Record::of(&session.origin, new)
        }
    }

    /// The tokens that a login was granted.
    pub(super) fn of_login(login: &NewLogin) -> Record {
        Record {
            client_id: login.client_id.clone(),
            user: Some(login.user.clone()),
            ..Record::of(&login.origin, &login.tokens)
        }
    }

    fn of(origin: &Origin, new: &Tokens) -> Record {
        Record {
            version: VERSION,
            origin: origin.to_string(),
            account: None,
            old_token: None,
            old_refresh_token: None,
            old_issued_at: None,
            token: exposed(&new.access),
            refresh_token: new.refresh.as_ref().map(exposed),
            issued_at: new.issued_at.map(Timestamp::millis),
            expires_at: new.expires_at.map(Timestamp::millis),
            client_id: None,
            user: None,
        }
    }

    /// The instance that issued the tokens.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The bytes of the file.
    pub(super) fn render(&self) -> anyhow::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(serde_json::to_string(self)?))
    }

    /// Parses the bytes of the file; `None` if they are truncated.
    ///
    /// # Errors
    /// A newer version of this program wrote it, and has to import it.
    pub(super) fn parse(content: &[u8]) -> anyhow::Result<Option<Record>> {
        #[derive(Deserialize)]
        struct Versioned {
            #[serde(default = "first_version")]
            version: u32,
        }
        match serde_json::from_slice(content) {
            Ok(Versioned { version }) if version > VERSION => {
                anyhow::bail!("a newer version of this program wrote credential.recovery")
            }
            Ok(_) => Ok(serde_json::from_slice(content).ok()),
            Err(_) => Ok(None),
        }
    }

    /// Whether these tokens belong to a session: they were granted for its pair, or by a login to it.
    pub(super) fn is_of(&self, session: &Session) -> bool {
        let (Ok(origin), Some(new)) = (Origin::parse(&self.origin), self.new_tokens()) else {
            return false;
        };
        if let Some(user) = &self.user {
            return session.is_login_of(&origin, user, &new.access);
        }
        // The official CLI may have moved the row to another table, under another key.
        let old = secret(self.old_refresh_token.as_ref());
        let tokens = session.tokens.as_ref();
        let has_old = old.is_some() && tokens.is_some_and(|tokens| tokens.refresh == old);
        session.origin == origin && (self.account.as_ref() == Some(&session.account) || has_old)
    }

    /// Whether these tokens were stored before and have been replaced or logged out since.
    pub(super) fn is_former(&self, change: &WriteTransaction<'_>) -> anyhow::Result<bool> {
        match Secret::token(&self.token) {
            Ok(access) => change.is_former(&access),
            Err(_) => Ok(false),
        }
    }

    /// Stores the tokens in the caller's transaction; returns the outcome for the trace.
    pub(super) fn import(
        &self,
        change: &WriteTransaction<'_>,
        now: Timestamp,
    ) -> anyhow::Result<&'static str> {
        let (Ok(origin), Some(tokens)) = (Origin::parse(&self.origin), self.new_tokens()) else {
            return Ok("not usable");
        };
        let Some(user) = self.user.clone() else {
            return self.import_refresh(change, &tokens, now);
        };
        let login = NewLogin {
            origin,
            user,
            tokens,
            client_id: self.client_id.clone(),
        };
        if self.is_former(change)? || is_superseded(change, &login)? {
            return Ok("superseded");
        }
        login.store(change, now)?;
        Ok("stored")
    }

    fn import_refresh(
        &self,
        change: &WriteTransaction<'_>,
        new: &Tokens,
        now: Timestamp,
    ) -> anyhow::Result<&'static str> {
        let Some(old) = self.old_tokens() else {
            return Ok("not usable");
        };
        let mut sessions = change.sessions()?.into_iter();
        let Some(session) = sessions.find(|session| self.is_of(session)) else {
            return Ok("logged out meanwhile");
        };
        let client_id = self.client_id.as_deref();
        Ok(match swap(change, &session, &old, new, client_id, now)? {
            Swap::Stored => "stored",
            Swap::Gone => "logged out meanwhile",
            Swap::Superseded => "superseded",
        })
    }

    fn new_tokens(&self) -> Option<Tokens> {
        Some(Tokens {
            access: Secret::token(&self.token).ok()?,
            refresh: secret(self.refresh_token.as_ref()),
            issued_at: self.issued_at.map(Timestamp::from_millis),
            expires_at: self.expires_at.map(Timestamp::from_millis),
        })
    }

    fn old_tokens(&self) -> Option<Tokens> {
        Some(Tokens {
            access: secret(self.old_token.as_ref())?,
            refresh: secret(self.old_refresh_token.as_ref()),
            issued_at: self.old_issued_at.map(Timestamp::from_millis),
            expires_at: None,
        })
    }
}

/// Whether the user has logged in again since, or this login is stored already. A refresh of an earlier login does not
/// count, however late it was stored.
fn is_superseded(change: &WriteTransaction<'_>, login: &NewLogin) -> anyhow::Result<bool> {
    for session in change.same_account(&login.origin, &login.user, &login.tokens)? {
        if session.tokens.is_some() && change.login_at(&session)? >= login.tokens.issued_at {
            return Ok(true);
        }
    }
    Ok(false)
}

fn exposed(secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(secret.expose().to_owned())
}

fn secret(text: Option<&Zeroizing<String>>) -> Option<Secret> {
    Secret::token(text?).ok()
}
