//! Finds an account of an instance by name, by key, or by default.

use crate::account::Session;
use crate::origin::Origin;

fn accounts_at<'a>(
    sessions: &'a [Session],
    instance: &Origin,
) -> impl Iterator<Item = &'a Session> + Clone {
    sessions
        .iter()
        .filter(|session| instance.may_receive(&session.origin))
}

/// Finds the account of an instance that a user calls `name`.
pub(crate) fn account_called<'a>(
    sessions: &'a [Session],
    instance: &Origin,
    name: &str,
) -> Option<&'a Session> {
    accounts_at(sessions, instance).find(|session| session.user.is_called(name))
}

/// Finds the account of an instance that a binding names by its key.
pub(crate) fn account_of<'a>(
    sessions: &'a [Session],
    instance: &Origin,
    account: &str,
) -> Option<&'a Session> {
    accounts_at(sessions, instance).find(|session| session.has_key(account))
}

/// Finds the account of an instance to use when none is named: the active one, else one with exactly this origin, else
/// the one that was used last.
pub(crate) fn active_account<'a>(
    sessions: &'a [Session],
    instance: &Origin,
) -> Option<&'a Session> {
    let mut candidates = accounts_at(sessions, instance);
    let find =
        |wanted: &dyn Fn(&Session) -> bool| candidates.clone().find(|session| wanted(session));
    find(&|session| session.active)
        .or_else(|| find(&|session| session.origin == *instance))
        .or_else(|| candidates.next())
}
