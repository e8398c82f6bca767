//! What `credential.recovery` says: a versioned wire format.
//!
//! Separate from [`recovery`](super::recovery), which knows files but not what is in them.

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

/// Raised when an older program could not import what a newer one writes.
const VERSION: u32 = 1;

/// Granted tokens and what they replace; times in milliseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// The first programs wrote none.
    #[serde(default = "first_version")]
    version: u32,
    origin: String,
    /// The key of the session; a login has none yet.
    account: Option<String>,
    /// Absent for a login.
    old_token: Option<Zeroizing<String>>,
    old_refresh_token: Option<Zeroizing<String>>,
    token: Zeroizing<String>,
    refresh_token: Option<Zeroizing<String>>,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
    client_id: Option<String>,
    /// Of a login.
    user: Option<RecordedUser>,
}

fn first_version() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
struct RecordedUser {
    id: Option<String>,
    email: Option<String>,
    username: Option<String>,
    name: Option<String>,
}

impl Record {
    /// What a refresh was granted.
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
            client_id: client_id.map(str::to_owned),
            ..Record::of(&session.origin, new)
        }
    }

    /// What a login was granted.
    pub(super) fn of_login(login: &NewLogin) -> Record {
        let User {
            id,
            email,
            username,
            name,
        } = login.user.clone();
        Record {
            client_id: login.client_id.clone(),
            user: Some(RecordedUser {
                id,
                email,
                username,
                name,
            }),
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
            token: exposed(&new.access),
            refresh_token: new.refresh.as_ref().map(exposed),
            issued_at: new.issued_at.map(Timestamp::millis),
            expires_at: new.expires_at.map(Timestamp::millis),
            client_id: None,
            user: None,
        }
    }

    /// Who issued the tokens.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The bytes of the file.
    pub(super) fn render(&self) -> anyhow::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(serde_json::to_string(self)?))
    }

    /// `None` for what was not written to its end.
    ///
    /// # Errors
    /// A newer program wrote it, and can import it.
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

    /// Whether a session would be, or was, the one that these tokens belong to.
    pub(super) fn is_of(&self, session: &Session) -> bool {
        let Ok(origin) = Origin::parse(&self.origin) else {
            return false;
        };
        // The official CLI may have moved the row to another table, under another key.
        let has_old = || {
            let refresh = session
                .tokens
                .as_ref()
                .map(|tokens| tokens.refresh.as_ref());
            refresh == Some(secret(&self.old_refresh_token).as_ref())
        };
        let same_user = |user: &RecordedUser| user.id.is_some() && user.id == session.user.id;
        session.origin == origin
            && match &self.user {
                Some(user) => same_user(user),
                None => self.account.as_ref() == Some(&session.account) || has_old(),
            }
    }

    /// Stores the tokens where they belong, in a transaction of the caller's; says what became of them.
    pub(super) fn import(
        &self,
        change: &WriteTransaction<'_>,
        now: Timestamp,
    ) -> anyhow::Result<&'static str> {
        let (Ok(origin), Some(new)) = (Origin::parse(&self.origin), self.new_tokens()) else {
            return Ok("not usable");
        };
        let session = change
            .sessions()?
            .into_iter()
            .find(|session| self.is_of(session));
        match (&self.user, session) {
            (None, None) => Ok("logged out meanwhile"),
            (None, Some(session)) => {
                let Some(old) = self.old_tokens() else {
                    return Ok("not usable");
                };
                let client_id = self.client_id.as_deref();
                let swap = swap(change, &session, &old, &new, client_id, now)?;
                Ok(match swap {
                    Swap::Stored => "stored",
                    Swap::Gone => "logged out meanwhile",
                    Swap::Superseded => "superseded",
                })
            }
            (Some(_), Some(session)) if is_newer(&session, &new) => Ok("superseded"),
            (Some(user), _) => {
                let login = NewLogin {
                    origin,
                    user: User {
                        id: user.id.clone(),
                        email: user.email.clone(),
                        username: user.username.clone(),
                        name: user.name.clone(),
                    },
                    tokens: new,
                    client_id: self.client_id.clone(),
                };
                login.store(change, now)?;
                Ok("stored")
            }
        }
    }

    fn new_tokens(&self) -> Option<Tokens> {
        let time = |time: Option<i64>| time.map(Timestamp::from_millis);
        Some(Tokens {
            access: Secret::token(&self.token).ok()?,
            refresh: secret(&self.refresh_token),
            issued_at: time(self.issued_at),
            expires_at: time(self.expires_at),
        })
    }

    fn old_tokens(&self) -> Option<Tokens> {
        Some(Tokens {
            access: secret(&self.old_token)?,
            refresh: secret(&self.old_refresh_token),
            issued_at: None,
            expires_at: None,
        })
    }
}

/// Whether a session was logged in to, or refreshed, since these tokens were issued, or has these very tokens.
fn is_newer(session: &Session, new: &Tokens) -> bool {
    let stored = session.tokens.as_ref().and_then(|tokens| tokens.issued_at);
    stored >= new.issued_at
}

fn exposed(secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(secret.expose().to_owned())
}

fn secret(text: &Option<Zeroizing<String>>) -> Option<Secret> {
    Secret::token(text.as_ref()?).ok()
}
