//! Sessions: the rows of `accounts` or `auth`, with our marks from `helper_session`.

use rusqlite::{Row, named_params, params};

use super::layout::Sessions;
use super::{Change, View};
use crate::origin::Origin;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

/// The key in `helper_session` for the one row of `auth`.
const ONLY: &str = "auth";

/// One login to one instance.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its key in `helper_session`: the `account_id`, or `auth` in the old layout.
    pub account: String,
    /// The instance that issued it, the only one it is refreshed at.
    pub origin: Origin,
    /// Whose it is.
    pub user: User,
    /// `None` once the server rejected the refresh token, or another program cleared it.
    pub tokens: Option<Tokens>,
    /// The one that a command without `--url` means.
    pub active: bool,
    /// What we noted about it.
    pub marks: Marks,
}

/// Who logged in, as far as the server said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Sentry's id; tells accounts of one instance apart.
    pub id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Login name.
    pub username: Option<String>,
    /// Full name.
    pub name: Option<String>,
}

impl User {
    /// What to call them: user name, else e-mail, else full name.
    pub fn label(&self) -> Option<&str> {
        self.username
            .as_deref()
            .or(self.email.as_deref())
            .or(self.name.as_deref())
    }

    /// Whether somebody who types `name` means this user.
    pub fn is_called(&self, name: &str) -> bool {
        self.username.as_deref() == Some(name)
            || self
                .email
                .as_deref()
                .is_some_and(|email| email.eq_ignore_ascii_case(name))
    }
}

/// What the server issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Goes to git, docker and the API.
    pub access: Secret,
    /// Single-use; an API token has none.
    pub refresh: Option<Secret>,
    /// When they were issued, if known.
    pub issued_at: Option<Timestamp>,
    /// When the access token dies; `None`: never, or unknown.
    pub expires_at: Option<Timestamp>,
}

/// What we noted about a session.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// The OAuth client that the session was issued to.
    pub client_id: Option<String>,
    /// An access token that git reported as rejected.
    pub suspect: Option<Digest>,
    /// No refresh before this; the server failed or asked to wait.
    pub retry_at: Option<Timestamp>,
    /// The refresh token that was about to be spent, and since when. Left over only by a crash or a lost answer.
    pub intent: Option<(Digest, Timestamp)>,
}

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

impl View<'_> {
    /// All sessions: the active one first, then by last use. Rows without a usable host are passed over.
    ///
    /// # Errors
    /// SQLite's; a column that this version needs is not there.
    pub fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        let marks = match self.layout.helper {
            true => {
                "coalesce(h.client_id, (SELECT client_id FROM helper_session WHERE origin = s.host)), \
                 h.suspect, h.retry_at, h.intent, h.intent_at"
            }
            false => "NULL, NULL, NULL, NULL, NULL",
        };
        let join = |account: &str| match self.layout.helper {
            true => format!("LEFT JOIN helper_session h ON h.account = {account}"),
            false => String::new(),
        };
        let sql = match (self.layout.sessions, self.layout.user_info) {
            (Sessions::None, _) => return Ok(Vec::new()),
            (Sessions::Accounts, _) => format!(
                "SELECT s.account_id, s.host, s.user_id, s.email, s.username, s.name, s.token, s.refresh_token, \
                 s.issued_at, s.expires_at, s.is_active, {marks} FROM accounts s {} \
                 ORDER BY s.is_active DESC, s.last_used_at DESC, s.updated_at DESC",
                join("s.account_id")
            ),
            (Sessions::Auth, true) => format!(
                "SELECT '{ONLY}', s.host, u.user_id, u.email, u.username, u.name, s.token, s.refresh_token, \
                 s.issued_at, s.expires_at, 1, {marks} FROM auth s LEFT JOIN user_info u ON u.id = 1 {} \
                 WHERE s.id = 1",
                join("'auth'")
            ),
            (Sessions::Auth, false) => format!(
                "SELECT '{ONLY}', s.host, NULL, NULL, NULL, NULL, s.token, s.refresh_token, \
                 s.issued_at, s.expires_at, 1, {marks} FROM auth s {} \
                 WHERE s.id = 1",
                join("'auth'")
            ),
        };
        let mut statement = self
            .transaction
            .prepare(&sql)
            .map_err(|error| self.explain(error))?;
        let mut rows = statement.query([]).map_err(|error| self.explain(error))?;
        let mut sessions = Vec::new();
        while let Some(row) = rows.next().map_err(|error| self.explain(error))? {
            sessions.extend(session(row).map_err(|error| self.explain(error))?);
        }
        Ok(sessions)
    }

    /// Reads a session again: by its account, or by its pair when the official CLI gave the row a new key meanwhile.
    ///
    /// # Errors
    /// As [`View::sessions`].
    pub fn session(&self, known: &Session) -> anyhow::Result<Option<Session>> {
        let sessions = self.sessions()?;
        let same =
            |session: &Session| session.account == known.account && session.origin == known.origin;
        let moved =
            |session: &Session| session.tokens == known.tokens && session.origin == known.origin;
        let position = sessions
            .iter()
            .position(same)
            .or_else(|| sessions.iter().position(moved));
        Ok(position.and_then(|position| sessions.into_iter().nth(position)))
    }

    /// Whether a second session would replace the first: the old layout has room for one.
    pub fn holds_one_session(&self) -> bool {
        self.layout.sessions == Sessions::Auth
    }
}

fn session(row: &Row<'_>) -> rusqlite::Result<Option<Session>> {
    let text = |index: usize| {
        row.get_ref(index)
            .map(|value| value.as_str().ok().map(str::to_owned))
    };
    let time = |index: usize| {
        row.get_ref(index)
            .map(|value| value.as_i64().ok().map(Timestamp::from_millis))
    };
    let digest = |index: usize| {
        row.get_ref(index)
            .map(|value| value.as_blob().ok().and_then(Digest::from_bytes))
    };
    let token = |index: usize| {
        row.get_ref(index).map(|value| {
            value
                .as_str()
                .ok()
                .and_then(|text| Secret::token(text).ok())
        })
    };
    // Before hosts were stored there was only one instance.
    let origin = match text(1)? {
        Some(host) => Origin::parse(&host),
        None => Ok(Origin::saas()),
    };
    let (Some(account), Ok(origin)) = (text(0)?, origin) else {
        return Ok(None);
    };
    let (refresh, issued_at, expires_at) = (token(7)?, time(8)?, time(9)?);
    Ok(Some(Session {
        account,
        origin,
        user: User {
            id: text(2)?,
            email: text(3)?,
            username: text(4)?,
            name: text(5)?,
        },
        tokens: token(6)?.map(|access| Tokens {
            access,
            refresh,
            issued_at,
            expires_at,
        }),
        active: row.get_ref(10)?.as_i64() == Ok(1),
        marks: Marks {
            client_id: text(11)?,
            suspect: digest(12)?,
            retry_at: time(13)?,
            intent: digest(14)?.zip(time(15)?),
        },
    }))
}

impl Change<'_> {
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
        let cleared = current.tokens.is_none();
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

    fn set_tokens(
        &self,
        session: &Session,
        tokens: Option<&Tokens>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let (table, key) = match self.layout.sessions {
            Sessions::Accounts => ("accounts", "account_id = :account"),
            _ => ("auth", "id = 1 AND :account = 'auth'"),
        };
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
    pub fn mark(&self, session: &Session, marks: &Marks) -> anyhow::Result<()> {
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
