//! Reads sessions: the rows of `accounts` or `auth`, with the refresh state from `helper_session`.
//!
//! Separate from [`super::session_write`] because every `get` needs it.

use std::cmp::Reverse;

use rusqlite::Row;

use super::ReadTransaction;
use super::layout::{Sessions, Table};
use super::row::{digest, select, text, time};
use crate::account::{OAuthClient, RefreshState, Session, Tokens, User};
use crate::origin::Origin;
use crate::printable::printable;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

impl ReadTransaction<'_> {
    /// All sessions: the active one first, then by last use. Rows without a usable host are skipped.
    ///
    /// # Errors
    /// A column that this version needs is missing.
    pub(crate) fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        self.read_sessions().map_err(|error| self.explain(error))
    }

    // Two simple statements, joined and sorted here: SQLite takes longer to plan one join than to run both.
    fn read_sessions(&self) -> rusqlite::Result<Vec<Session>> {
        let sql = match (self.layout.sessions, self.layout.user_info) {
            (Sessions::None, _) => return Ok(Vec::new()),
            (Sessions::Accounts, _) => {
                "SELECT account_id, host, user_id, email, username, name, token, refresh_token, issued_at, \
                 expires_at, is_active, last_used_at, updated_at FROM accounts"
            }
            (Sessions::Auth, true) => {
                "SELECT 'auth', host, user_id, email, username, name, token, refresh_token, issued_at, expires_at, \
                 1, 0, 0 FROM auth s LEFT JOIN user_info u ON u.id = 1 WHERE s.id = 1"
            }
            (Sessions::Auth, false) => {
                "SELECT 'auth', host, NULL, NULL, NULL, NULL, token, refresh_token, issued_at, expires_at, 1, 0, 0 \
                 FROM auth WHERE id = 1"
            }
        };
        let notes = self.notes()?;
        let mut statement = self.transaction.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut sessions = Vec::new();
        while let Some(row) = rows.next()? {
            let number = |index| row.get_ref(index).map(|value| value.as_i64().ok());
            let order = Reverse((number(10)?, number(11)?, number(12)?));
            sessions.extend(session(row, &notes)?.map(|session| (order, session)));
        }
        sessions.sort_by_key(|(order, _)| *order);
        Ok(sessions.into_iter().map(|(_, session)| session).collect())
    }

    fn notes(&self) -> rusqlite::Result<Vec<Note>> {
        if !self.layout.has(Table::Session) {
            return Ok(Vec::new());
        }
        let columns = [
            "account",
            "origin",
            "client_id",
            "suspect",
            "retry_at",
            "intent",
            "intent_at",
            "rejected",
            "rejected_at",
            "checked_at",
            "retry_reason",
        ];
        let (mut statement, at) = select(&self.transaction, columns, "helper_session", "")?;
        let [
            account,
            origin,
            client_id,
            suspect,
            retry_at,
            intent,
            intent_at,
            rejected,
            rejected_at,
            checked_at,
            retry_reason,
        ] = at;
        let mut rows = statement.query([])?;
        let mut notes = Vec::new();
        while let Some(row) = rows.next()? {
            notes.push(Note {
                account: text(row, account)?,
                origin: text(row, origin)?,
                state: RefreshState {
                    client_id: None,
                    suspect: digest(row, suspect)?,
                    retry_at: time(row, retry_at)?,
                    checked_at: time(row, checked_at)?,
                    retry_reason: text(row, retry_reason)?,
                    intent: digest(row, intent)?.zip(time(row, intent_at)?),
                    rejected_at: None,
                },
                client_id: text(row, client_id)?,
                rejected: digest(row, rejected)?.zip(time(row, rejected_at)?),
            });
        }
        Ok(notes)
    }

    /// Reads a session again: by its account, or by its pair if the official CLI gave the row a new key meanwhile.
    ///
    /// # Errors
    /// As [`ReadTransaction::sessions`].
    pub(crate) fn session(&self, known: &Session) -> anyhow::Result<Option<Session>> {
        let sessions = self.sessions()?;
        let same =
            |session: &Session| session.account == known.account && session.origin == known.origin;
        let same_pair =
            |session: &Session| session.tokens == known.tokens && session.origin == known.origin;
        let position = sessions
            .iter()
            .position(same)
            .or_else(|| sessions.iter().position(same_pair));
        Ok(position.and_then(|position| sessions.into_iter().nth(position)))
    }

    /// Whether a second session would replace the first: the old layout stores only one.
    pub(crate) fn holds_one_session(&self) -> bool {
        self.layout.sessions == Sessions::Auth
    }
}

/// A row of `helper_session`.
struct Note {
    account: Option<String>,
    origin: Option<String>,
    state: RefreshState,
    client_id: Option<String>,
    /// A refresh token that the server rejected, and when.
    rejected: Option<(Digest, Timestamp)>,
}

/// The refresh state of an account. A client id recorded for another session at the same host is only a guess.
fn refresh_state(
    notes: &[Note],
    account: &str,
    host: Option<&str>,
    pair: Option<&Secret>,
) -> RefreshState {
    let own = notes
        .iter()
        .find(|note| note.account.as_deref() == Some(account));
    let mut state = own.map(|note| note.state.clone()).unwrap_or_default();
    if let (Some((rejected, at)), Some(pair)) = (own.and_then(|note| note.rejected), pair)
        && rejected == pair.digest()
    {
        state.rejected_at = Some(at);
    }
    let guessed = || {
        let is_at_host = |note: &&Note| host.is_some() && note.origin.as_deref() == host;
        let mut at_host = notes.iter().filter(is_at_host);
        at_host.find_map(|note| note.client_id.clone())
    };
    let recorded = own.and_then(|note| note.client_id.clone());
    state.client_id = recorded
        .map(OAuthClient::Recorded)
        .or_else(|| guessed().map(OAuthClient::Guessed));
    state
}

fn session(row: &Row<'_>, notes: &[Note]) -> rusqlite::Result<Option<Session>> {
    // The official CLI stores server text as received.
    let shown = |index| text(row, Some(index)).map(|text| text.as_deref().map(printable));
    let token = |index: usize| {
        row.get_ref(index).map(|value| {
            value
                .as_str()
                .ok()
                .and_then(|text| Secret::token(text).ok())
        })
    };
    // Before hosts were stored, there was only one instance.
    let host = text(row, Some(1))?;
    let origin = match &host {
        Some(host) => Origin::parse(host),
        None => Ok(Origin::saas()),
    };
    let (Some(account), Ok(origin)) = (text(row, Some(0))?, origin) else {
        return Ok(None);
    };
    let (refresh, issued_at, expires_at) = (token(7)?, time(row, Some(8))?, time(row, Some(9))?);
    let access = token(6)?;
    let refresh_state = refresh_state(
        notes,
        &account,
        host.as_deref(),
        refresh.as_ref().or(access.as_ref()),
    );
    // A rejected pair stays in the row, and counts as none.
    let access = access.filter(|_| refresh_state.rejected_at.is_none());
    Ok(Some(Session {
        refresh_state,
        account,
        origin,
        user: User {
            id: shown(2)?,
            email: shown(3)?,
            username: shown(4)?,
            name: shown(5)?,
        },
        tokens: access.map(|access| Tokens {
            access,
            refresh,
            issued_at,
            expires_at,
        }),
        active: row.get_ref(10)?.as_i64() == Ok(1),
    }))
}
