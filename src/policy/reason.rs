//! Explains a decision in one sentence that a user understands.

use std::fmt;

use super::host::ChosenBy;
use crate::account::Session;
use crate::origin::Origin;

/// The reason for a decision. Prints as a sentence in which "it" is the host; holds no secret.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reason<'a> {
    /// The request names the user of a stored credential.
    Named(&'a str),
    /// A variable holds a token of the instance; the origin is the host's binding, if it has one.
    Variable(&'static str, Option<&'a Origin>),
    /// A variable that should hold a token cannot be used.
    Broken,
    /// An account is logged in, and how it was chosen.
    Session(&'a Session, ChosenBy),
    /// No account is logged in to the instance, or not the one that the host is bound to.
    LoggedOut(&'a Origin, Option<&'a str>),
    /// docker logged out of the registry, or logged in to it with another credential.
    SignedOut(&'a Origin),
    /// The host belongs to no instance; a stored credential matches.
    OnlyStored,
    /// The host belongs to no instance, and nothing is stored for it.
    Unknown,
    /// Plain http to another machine, or a name outside the grammar of hosts.
    NoOrigin,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Named(name) => write!(
                f,
                "the request names the user {name:?}, for whom a credential is stored"
            ),
            Reason::Variable(variable, None) => {
                write!(f, "it is the instance of the token in {variable}")
            }
            Reason::Variable(variable, Some(instance)) => write!(
                f,
                "it is bound to {instance}, the instance of the token in {variable}"
            ),
            Reason::Broken => f.write_str("a variable that should hold a token cannot be used"),
            Reason::Session(session, choice) => {
                let origin = &session.origin;
                let who = session.label();
                match choice {
                    ChosenBy::Request => {
                        write!(f, "the request names {who}, an account at {origin}")
                    }
                    ChosenBy::Account => write!(f, "it is bound to the account {who} at {origin}"),
                    ChosenBy::Bound => {
                        write!(
                            f,
                            "it is bound to {origin}, where {who} is the active account"
                        )
                    }
                    ChosenBy::Itself => {
                        write!(
                            f,
                            "it is a Sentry instance, where {who} is the active account"
                        )
                    }
                }
            }
            Reason::LoggedOut(instance, None) => write!(f, "no account is logged in to {instance}"),
            Reason::LoggedOut(instance, Some(_)) => write!(
                f,
                "the account at {instance} that it is bound to is not logged in"
            ),
            Reason::SignedOut(instance) => {
                write!(
                    f,
                    "docker is logged out of it, so it gets no token of {instance}"
                )
            }
            Reason::OnlyStored => f.write_str("it belongs to no Sentry instance"),
            Reason::NoOrigin => f.write_str(
                "no token is sent to such an address (not https, or an ambiguous host name)",
            ),
            Reason::Unknown => {
                f.write_str("it belongs to no Sentry instance, and nothing is stored for it")
            }
        }
    }
}
