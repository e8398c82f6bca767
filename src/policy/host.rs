//! A host of ours: which instance it stands for, by what, and whose session is served there.
//!
//! Separate from the order of precedence, because what programs store is judged by the same facts.

use super::accounts::{account_called, account_of, active_account};
use super::facts::Facts;
use super::request::{Request, USERNAME};
use crate::account::Session;
use crate::environment::EnvironmentToken;
use crate::origin::Origin;
use crate::store::Binding;

/// Why an instance may be logged in to without a command that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginBasis {
    /// Sentry's own.
    Saas,
    /// The user logged in to it, or bound a host to it.
    Before,
    /// Only `SENTRY_URL` names it: whoever set that may not be the user.
    ByEnvironment,
}

/// A host of ours: an instance, or bound to one.
pub(super) struct Host<'a> {
    pub(super) instance: &'a Origin,
    pub(super) binding: Option<&'a Binding>,
    pub(super) known: LoginBasis,
    pub(super) session: Option<&'a Session>,
    pub(super) choice: ChosenBy,
}

/// By what a session was chosen.
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
    /// `None` for a host that is not ours.
    pub(super) fn of(facts: &'a Facts<'_>, request: &'a Request<'_>) -> Option<Host<'a>> {
        let origin = request.origin?;
        let binding = facts
            .bindings
            .iter()
            .find(|binding| binding.server == request.host);
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
        let known = if instance.is_saas() {
            LoginBasis::Saas
        } else if binding.is_some() || session.is_some() {
            LoginBasis::Before
        } else if environment
            .named()
            .is_some_and(|named| instance.may_receive(named))
            // Even where nothing else names the instance: an organization token does so itself.
            || matches!(&environment.token, Ok(Some(found)) if by_token(found))
        {
            LoginBasis::ByEnvironment
        } else {
            return None;
        };
        Some(Host {
            instance,
            binding,
            known,
            session,
            choice: named.map_or(choice, |_| ChosenBy::Request),
        })
    }

    /// The environment's token, if it is of the instance.
    pub(super) fn environment(&self, facts: &'a Facts<'_>) -> Option<&'a EnvironmentToken> {
        let found = facts.environment.token.as_ref().ok()?.as_ref()?;
        self.instance.may_receive(&found.origin).then_some(found)
    }

    pub(super) fn is_signed_out(&self) -> bool {
        self.binding.is_some_and(|binding| binding.signed_out)
    }

    /// The user name that goes beside a token.
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

    /// Whether a token is answered under this user name: then the name names no other credential, because git repeats
    /// what it was answered, and a repository can write it into a URL.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        name == USERNAME
            || name == self.username()
            || self
                .session
                .is_some_and(|session| session.user.is_called(name))
    }
}
