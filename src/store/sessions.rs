//! Reading sessions: the rows of `accounts` or `auth`, with our marks from `helper_session`.

use rusqlite::Row;

use super::View;
use super::layout::Sessions;
use super::session::{Marks, ONLY, Session, Tokens, User};
use crate::origin::Origin;
use crate::printable::printable;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

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
    // The official CLI stores what the server said as it was said.
    let shown = |index: usize| text(index).map(|text| text.as_deref().map(printable));
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
            id: shown(2)?,
            email: shown(3)?,
            username: shown(4)?,
            name: shown(5)?,
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
