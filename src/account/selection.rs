//! Which account a name selects, and how a command names an account.

use super::{Identity, SHORT, Session, User};
use crate::printable::{printable, quoted};

/// Finds the accounts that a user calls `name`: by e-mail address, user name, full name, or organization; if none
/// matches, by the first characters of the id.
pub(crate) fn called<'a>(sessions: &'a [Session], name: &str) -> Vec<&'a Session> {
    let named: Vec<_> = sessions
        .iter()
        .filter(|session| session.is_called(name))
        .collect();
    match named.is_empty() && !name.is_empty() {
        true => sessions
            .iter()
            .filter(|session| session.account.starts_with(name))
            .collect(),
        false => named,
    }
}

/// The options that make a command refer to this session.
pub(crate) fn options_for(session: &Session, sessions: &[Session]) -> String {
    let account = match is_alone(session, sessions) {
        true => String::new(),
        false => {
            let id = printable(short_id(session, sessions));
            format!(" --account {}", quoted(&id))
        }
    };
    format!(" --url {}{account}", session.origin)
}

/// The command that restores a session that has ended.
pub(crate) fn login_command(session: &Session, sessions: &[Session]) -> String {
    let email = session.user.email.as_deref().map(printable);
    let email = email.filter(|_| !is_alone(session, sessions));
    let email = email.map_or_else(String::new, |email| format!(" {}", quoted(&email)));
    format!("sentry auth login{email} --url {}", session.origin)
}

/// Whether it is the only session of its instance.
pub(crate) fn is_alone(session: &Session, sessions: &[Session]) -> bool {
    let is_another = |other: &Session| {
        other.account != session.account && other.origin.may_receive(&session.origin)
    };
    !sessions.iter().any(is_another)
}

/// The shortest prefix of an account's id that no other account has.
pub(crate) fn short_id<'a>(session: &'a Session, sessions: &[Session]) -> &'a str {
    let id = session.account.as_str();
    let others = || {
        sessions
            .iter()
            .filter(|other| other.account != session.account)
    };
    let is_enough = |end: &usize| {
        let start = id.get(..*end);
        start.is_some_and(|start| !others().any(|other| other.account.starts_with(start)))
    };
    let end = (SHORT..id.len()).find(is_enough).unwrap_or(id.len());
    &id[..end]
}

impl Session {
    /// Whether a user who types `name` refers to this account.
    fn is_called(&self, name: &str) -> bool {
        let User {
            email,
            username,
            name: full_name,
            ..
        } = &self.user;
        let organization = match self.identity() {
            Some(Identity::Organization(slug)) => Some(slug),
            _ => None,
        };
        [email, username, full_name, &organization]
            .into_iter()
            .flatten()
            .any(|known| known.to_lowercase() == name.to_lowercase())
    }
}
