//! The order of precedence. It stands here and nowhere else.

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

/// What is to be done, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'a> {
    /// What is to be done.
    pub(crate) verdict: Verdict<'a>,
    /// Why, in one sentence.
    pub(crate) reason: Reason<'a>,
    /// The user name that goes beside a token, where the binding wants one.
    pub(crate) username: Option<&'a str>,
    /// The key of the account that the host is bound to.
    pub(crate) account: Option<&'a str>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict<'a> {
    /// Hand out what was stored.
    Stored(&'a Credential),
    /// Hand out the environment's token.
    Environment(&'a EnvironmentToken),
    /// Hand out the token of a session, once it is looked after where it is stale; where that fails because only a new
    /// login helps, log in.
    Session(&'a Session),
    /// Log in with the user at the terminal, if there is one.
    Login(LoginOffer<'a>),
    /// Tell that a variable cannot be used: it may have been meant for this host.
    Broken(&'a Failure),
    /// Nothing is known about the host.
    Nothing,
}

/// What is known of an instance that has no session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoginOffer<'a> {
    /// The instance.
    pub(crate) instance: &'a Origin,
    /// Why it may be logged in to.
    pub(crate) known: LoginBasis,
    /// The key of the account that the host is bound to; `None`: any account serves it.
    pub(crate) account: Option<&'a str>,
}

/// Decides.
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
    // docker: one is in force, the one that the user chose last.
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
        && !host.answers_to(name)
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
                known: host.known,
                account: host.account(),
            }),
            reason,
        ),
    }
}

impl Decision<'_> {
    /// Whether it is an answer with nobody at the terminal, as far as one can know before a refresh is tried.
    /// `can_refresh`: whether the OAuth client for an instance is known, where the session does not say.
    pub(crate) fn is_answer(&self, now: Timestamp, can_refresh: impl Fn(&Origin) -> bool) -> bool {
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

    /// The user name of the answer, where the request names none.
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
