//! The one decision: which credential for which host, and why.
//!
//! Separate from [`crate::broker`], which carries it out, so that everything that asks (both helpers, docker's `list`,
//! the `auth` commands) gets the same answer. [`decide`] is a function of values: no clock, no disk, no network, and the
//! order of precedence stands in it and nowhere else. [`facts`] gathers what it needs in one read transaction.
//!
//! Rules:
//! 1. a token goes to its instance, or to a host that is bound to it; [`Origin::may_receive`] says which is which;
//! 2. nothing that git or a repository made us store outranks the environment, the login, or a logout;
//! 3. the account at a bound host never depends on the request;
//! 4. each decision has a reason that can be printed.

mod command;
mod facts;
mod hosts;
mod keep;
mod reason;

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod table;

use std::fmt;

use crate::account::Session;
use crate::environment::EnvironmentToken;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::store::{Binding, Client, Credential, Match};
use crate::world::Timestamp;

pub use command::{Wish, environment_token, session_of};
pub use facts::Facts;
pub use hosts::{Server, Use, servers};
pub use keep::{Keep, Provenance, kept_for_docker, kept_for_git, signed_out};
pub use reason::Reason;

/// User name beside an access token, where nobody wants another.
pub const USERNAME: &str = "oauth2";

/// What a program asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which protocol it speaks.
    pub client: Client,
    /// What stored credentials are found by, in our tables.
    pub server: &'a str,
    /// What a binding is found by, in our tables.
    pub host: &'a str,
    /// The host; `None` where no token could go, whatever it is bound to.
    pub origin: Option<&'a Origin>,
    /// The path, where it counts.
    pub path: Option<&'a str>,
    /// The user that is wanted.
    pub username: Option<&'a str>,
    /// Whether a credential with an `authtype` would be understood.
    pub authtype: bool,
}

/// What is to be done, and why.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// What is to be done.
    pub verdict: Verdict<'a>,
    /// Why, in one sentence.
    pub reason: Reason<'a>,
    /// The user name that goes beside a token, where the binding wants one.
    pub username: Option<&'a str>,
    /// The key of the account that the host is bound to.
    pub account: Option<&'a str>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// Hand out what was stored.
    Stored(&'a Credential),
    /// Hand out the environment's token.
    Environment(&'a EnvironmentToken),
    /// Hand out the token of a session, once it is looked after where it is stale; where that fails because only a new
    /// login helps, log in.
    Session(&'a Session),
    /// Log in with the user at the terminal, if there is one.
    Login(Login<'a>),
    /// Tell that a variable cannot be used: it may have been meant for this host.
    Broken(&'a Failure),
    /// Nothing is known about the host.
    Nothing,
}

/// What is known of an instance that has no session.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The instance.
    pub instance: &'a Origin,
    /// Why it may be logged in to.
    pub known: Known,
    /// The key of the account that the host is bound to; `None`: any account serves it.
    pub account: Option<&'a str>,
}

/// Why an instance may be logged in to without a command that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Sentry's own.
    Saas,
    /// The user logged in to it, or bound a host to it.
    Before,
    /// Only `SENTRY_URL` names it: whoever set that may not be the user.
    ByEnvironment,
}

/// Decides.
pub fn decide<'a>(facts: &'a Facts<'_>, request: &'a Request<'_>, now: Timestamp) -> Decision<'a> {
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
            Verdict::Login(Login {
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
    pub fn is_answer(&self, now: Timestamp, can_refresh: impl Fn(&Origin) -> bool) -> bool {
        match self.verdict {
            Verdict::Stored(_) | Verdict::Environment(_) => true,
            Verdict::Session(session) => {
                let Some(tokens) = &session.tokens else {
                    return false;
                };
                let has_client =
                    || session.marks.client_id.is_some() || can_refresh(&session.origin);
                let can_be_refreshed =
                    || tokens.refresh.is_some() && session.paused_until(now).is_none();
                !tokens.is_expired(now) || (can_be_refreshed() && has_client())
            }
            Verdict::Login(_) | Verdict::Broken(_) | Verdict::Nothing => false,
        }
    }

    /// The user name of the answer, where the request names none.
    pub fn answered_username(&self) -> &str {
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

impl Request<'_> {
    /// What a stored credential must have.
    pub fn wanted(&self) -> Match<'_> {
        Match {
            server: self.server,
            path: self.path,
            username: self.username,
            secret: None,
        }
    }

    fn accepts(&self, stored: &Credential, now: Timestamp) -> bool {
        self.wanted().covers(stored) && self.can_take(stored) && stored.is_alive(now)
    }

    /// Whether the caller would understand it.
    pub fn can_take(&self, stored: &Credential) -> bool {
        stored.authtype.is_none() || self.authtype
    }
}

/// A host of ours: an instance, or bound to one.
struct Host<'a> {
    instance: &'a Origin,
    binding: Option<&'a Binding>,
    known: Known,
    session: Option<&'a Session>,
    choice: Choice,
}

/// By what a session was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
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
    fn of(facts: &'a Facts<'_>, request: &'a Request<'_>) -> Option<Host<'a>> {
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
            }) => Choice::Account,
            _ if !is_itself => Choice::Bound,
            _ => Choice::Itself,
        };
        let named = request
            .username
            .filter(|_| choice == Choice::Itself)
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
            Known::Saas
        } else if binding.is_some() || session.is_some() {
            Known::Before
        } else if environment
            .named()
            .is_some_and(|named| instance.may_receive(named))
            // Even where nothing else names the instance: an organization token does so itself.
            || matches!(&environment.token, Ok(Some(found)) if by_token(found))
        {
            Known::ByEnvironment
        } else {
            return None;
        };
        Some(Host {
            instance,
            binding,
            known,
            session,
            choice: named.map_or(choice, |_| Choice::Request),
        })
    }

    /// The environment's token, if it is of the instance.
    fn environment(&self, facts: &'a Facts<'_>) -> Option<&'a EnvironmentToken> {
        let found = facts.environment.token.as_ref().ok()?.as_ref()?;
        self.instance.may_receive(&found.origin).then_some(found)
    }

    fn is_signed_out(&self) -> bool {
        self.binding.is_some_and(|binding| binding.signed_out)
    }

    /// The user name that goes beside a token.
    fn username(&self) -> &'a str {
        self.binding
            .and_then(|binding| binding.username.as_deref())
            .unwrap_or(USERNAME)
    }

    fn bound_to(&self) -> Option<&'a Origin> {
        self.binding.map(|binding| &binding.origin)
    }

    fn account(&self) -> Option<&'a str> {
        self.binding?.account.as_deref()
    }

    /// Whether a token is answered under this user name: then the name names no other credential, because git repeats
    /// what it was answered, and a repository can write it into a URL.
    fn answers_to(&self, name: &str) -> bool {
        name == USERNAME
            || name == self.username()
            || self
                .session
                .is_some_and(|session| session.user.is_called(name))
    }
}

fn accounts_at<'a>(
    sessions: &'a [Session],
    instance: &Origin,
) -> impl Iterator<Item = &'a Session> + Clone {
    sessions
        .iter()
        .filter(|session| instance.may_receive(&session.origin))
}

/// The account of an instance that somebody who types this name means.
pub fn account_called<'a>(
    sessions: &'a [Session],
    instance: &Origin,
    name: &str,
) -> Option<&'a Session> {
    accounts_at(sessions, instance).find(|session| session.user.is_called(name))
}

/// The account of an instance that a binding names, by its key.
pub fn account_of<'a>(
    sessions: &'a [Session],
    instance: &Origin,
    account: &str,
) -> Option<&'a Session> {
    accounts_at(sessions, instance).find(|session| session.has_key(account))
}

/// The account of an instance where none is named: the active one, else one of exactly this name of the instance, else
/// the one that was used last.
pub fn active_account<'a>(sessions: &'a [Session], instance: &Origin) -> Option<&'a Session> {
    let mut candidates = accounts_at(sessions, instance);
    let find =
        |wanted: &dyn Fn(&Session) -> bool| candidates.clone().find(|session| wanted(session));
    find(&|session| session.active)
        .or_else(|| find(&|session| session.origin == *instance))
        .or_else(|| candidates.next())
}
