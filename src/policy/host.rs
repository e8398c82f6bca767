//! A host that belongs to an instance: why it belongs there, and which session serves it.
//!
//! Separate from the order of precedence because [`super::storing`] judges credentials that clients store by the same
//! facts.

use super::accounts::{account_called, account_of, active_account};
use super::facts::{BoundBy, Facts};
use super::request::{Request, USERNAME};
use crate::account::Session;
use crate::environment::EnvironmentToken;
use crate::origin::Origin;
use crate::store::Binding;

/// Why a helper may log in to an instance that no command named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginBasis {
    /// It is Sentry's SaaS.
    Saas,
    /// The user logged in to it before, or bound a host to it.
    Before,
    /// The administrator's file names it.
    ByAdministrator,
    /// Only `SENTRY_URL` names it, which may have been set by someone else.
    ByEnvironment,
}

/// A host that is an instance, or is bound to one.
pub(super) struct Host<'a> {
    pub(super) instance: &'a Origin,
    pub(super) binding: Option<&'a Binding>,
    pub(super) basis: LoginBasis,
    pub(super) session: Option<&'a Session>,
    pub(super) choice: ChosenBy,
}

/// How a session was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChosenBy {
    /// The request names the account, at the instance itself.
    Request,
    /// The host is bound to the account.
    Account,
    /// The host is bound to the instance, and the account is the active one there.
    Bound,
    /// The host is the instance itself, and the account is the active one there.
    Itself,
}

impl<'a> Host<'a> {
    /// Returns `None` for a host that belongs to no instance.
    pub(super) fn of(facts: &'a Facts<'_>, request: &'a Request<'_>) -> Option<Host<'a>> {
        let origin = request.origin?;
        let bound = facts.binding(request.host, origin);
        let binding = bound.map(|(binding, _)| binding);
        let instance = binding.map_or(origin, |binding| &binding.origin);
        let is_itself = origin.may_receive(instance);
        let choice = match binding {
            Some(Binding {
                account: Some(_), ..
            }) => ChosenBy::Account,
            _ if !is_itself => ChosenBy::Bound,
            _ => ChosenBy::Itself,
        };
        let named = request
            .username
            .filter(|_| choice == ChosenBy::Itself)
            .and_then(|name| account_called(&facts.sessions, instance, name));
        let session =
            named.or_else(
                || match binding.and_then(|binding| binding.account.as_deref()) {
                    Some(account) => account_of(&facts.sessions, instance, account),
                    None => active_account(&facts.sessions, instance),
                },
            );
        let environment = facts.environment;
        let by_token = |found: &EnvironmentToken| instance.may_receive(&found.origin);
        let basis = if instance.is_saas() {
            LoginBasis::Saas
        } else if matches!(bound, Some((_, BoundBy::User))) || session.is_some() {
            LoginBasis::Before
        } else if facts
            .administrators
            .iter()
            .any(|line| instance.may_receive(&line.origin))
        {
            LoginBasis::ByAdministrator
        } else if environment
            .named()
            .is_some_and(|named| instance.may_receive(named))
            // An organization token names its instance itself.
            || matches!(&environment.token, Ok(Some(found)) if by_token(found))
        {
            LoginBasis::ByEnvironment
        } else {
            return None;
        };
        Some(Host {
            instance,
            binding,
            basis,
            session,
            choice: named.map_or(choice, |_| ChosenBy::Request),
        })
    }

    /// The environment's token, if it belongs to the instance.
    pub(super) fn environment(&self, facts: &'a Facts<'_>) -> Option<&'a EnvironmentToken> {
        let found = facts.environment.token.as_ref().ok()?.as_ref()?;
        self.instance.may_receive(&found.origin).then_some(found)
    }

    pub(super) fn is_signed_out(&self) -> bool {
        self.binding.is_some_and(|binding| binding.signed_out)
    }

    /// The user name returned with a token.
    pub(super) fn username(&self) -> &'a str {
        self.binding
            .and_then(|binding| binding.username.as_deref())
            .unwrap_or(USERNAME)
    }

    pub(super) fn bound_to(&self) -> Option<&'a Origin> {
        self.binding.map(|binding| &binding.origin)
    }

    pub(super) fn account(&self) -> Option<&'a str> {
        self.binding?.account.as_deref()
    }

    /// Whether a token is returned under this user name. Such a name selects no other credential: git repeats the name
    /// that it received, and a repository can put it into a URL.
    pub(super) fn serves_token_as(&self, name: &str) -> bool {
        name == USERNAME
            || name == self.username()
            || self
                .session
                .is_some_and(|session| session.user.is_called(name))
    }
}
