//! Defines the order of precedence, in one function.

use std::fmt;

use super::facts::Facts;
use super::host::{Host, LoginBasis};
use super::reason::Reason;
use super::request::{Request, USERNAME};
use crate::account::Session;
use crate::environment::EnvironmentToken;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::store::Credential;
use crate::world::Timestamp;

/// What to return for a request, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'a> {
    /// What to return.
    pub(crate) verdict: Verdict<'a>,
    /// Why, in one sentence.
    pub(crate) reason: Reason<'a>,
    /// The user name to return with a token, if the binding sets one.
    pub(crate) username: Option<&'a str>,
    /// The key of the account that the host is bound to.
    pub(crate) account: Option<&'a str>,
}

/// What to return for a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict<'a> {
    /// Return the stored credential.
    Stored(&'a Credential),
    /// Return the environment's token.
    Environment(&'a EnvironmentToken),
    /// Return the token of the session, refreshed first if it is stale; if only a new login can fix it, log in.
    Session(&'a Session),
    /// Log in with the user at the terminal, if there is one.
    Login(LoginOffer<'a>),
    /// Report a variable that cannot be used: it may have been meant for this host.
    Broken(&'a Failure),
    /// Return nothing: the host is unknown.
    Nothing,
}

/// A login that would give the host a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoginOffer<'a> {
    /// The instance.
    pub(crate) instance: &'a Origin,
    /// Why this instance may be logged in to.
    pub(crate) basis: LoginBasis,
    /// The key of the account that the host is bound to; `None` if any account will do.
    pub(crate) account: Option<&'a str>,
}

/// Decides which credential the request gets.
pub(crate) fn decide<'a>(
    facts: &'a Facts<'_>,
    request: &'a Request<'_>,
    now: Timestamp,
) -> Decision<'a> {
    let stored = facts
        .credentials
        .iter()
        .find(|credential| request.accepts(credential, now));
    let is = |verdict, reason| Decision {
        verdict,
        reason,
        username: None,
        account: None,
    };
    let Some(host) = Host::of(facts, request) else {
        let reason = match (request.origin, stored) {
            (None, _) => Reason::NoOrigin,
            (Some(_), Some(_)) => Reason::OnlyStored,
            (Some(_), None) => Reason::Unknown,
        };
        return is(stored.map_or(Verdict::Nothing, Verdict::Stored), reason);
    };
    // docker has one login per registry: the one that the user chose last.
    if host.is_signed_out() {
        match stored {
            Some(stored) => return is(Verdict::Stored(stored), Reason::SignedOut(host.instance)),
            None if facts.signing_in => {}
            None => return is(Verdict::Nothing, Reason::SignedOut(host.instance)),
        }
    }
    let is = |verdict, reason| Decision {
        verdict,
        reason,
        username: host.binding.and_then(|binding| binding.username.as_deref()),
        account: host.account(),
    };
    if let (Some(stored), Some(name)) = (stored, request.username)
        && !host.serves_token_as(name)
    {
        return is(Verdict::Stored(stored), Reason::Named(name));
    }
    if let Err(failure) = &facts.environment.token {
        return is(Verdict::Broken(failure), Reason::Broken);
    }
    if let Some(found) = host.environment(facts) {
        let reason = Reason::Variable(found.variable, host.bound_to());
        return is(Verdict::Environment(found), reason);
    }
    if let Some(session) = host.session {
        let reason = Reason::Session(session, host.choice);
        return is(Verdict::Session(session), reason);
    }
    let reason = Reason::LoggedOut(host.instance, host.account());
    match stored {
        Some(stored) => is(Verdict::Stored(stored), reason),
        None => is(
            Verdict::Login(LoginOffer {
                instance: host.instance,
                basis: host.basis,
                account: host.account(),
            }),
            reason,
        ),
    }
}

impl Decision<'_> {
    /// Whether the decision returns a credential without a user at the terminal, as far as that is known before a
    /// refresh is attempted. `can_refresh`: whether an OAuth client id is known for an instance whose session has none.
    pub(crate) fn has_answer(&self, now: Timestamp, can_refresh: impl Fn(&Origin) -> bool) -> bool {
        match self.verdict {
            Verdict::Stored(_) | Verdict::Environment(_) => true,
            Verdict::Session(session) => {
                let Some(tokens) = &session.tokens else {
                    return false;
                };
                let has_client =
                    || session.refresh_state.client_id.is_some() || can_refresh(&session.origin);
                let can_be_refreshed =
                    || tokens.refresh.is_some() && session.paused_until(now).is_none();
                !tokens.is_expired(now) || (can_be_refreshed() && has_client())
            }
            Verdict::Login(_) | Verdict::Broken(_) | Verdict::Nothing => false,
        }
    }

    /// The user name of the answer, if the request names none.
    pub(crate) fn answered_username(&self) -> &str {
        match self.verdict {
            Verdict::Stored(stored) => stored.username.as_deref().unwrap_or_default(),
            _ => self.username.unwrap_or(USERNAME),
        }
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Stored(_) => f.write_str("a stored credential"),
            Verdict::Environment(found) => f.write_str(found.variable),
            Verdict::Session(session) => write!(f, "the session of {}", session.origin),
            Verdict::Login(login) => write!(f, "a login to {}", login.instance),
            Verdict::Broken(failure) => write!(f, "{failure}"),
            Verdict::Nothing => f.write_str("nothing"),
        }?;
        write!(f, " ({})", self.reason)
    }
}
