//! The one decision: which credential for which host, and why.
//!
//! Separate from [`crate::broker`], which carries it out, so that everything that asks (both helpers, docker's `list`,
//! the `auth` commands) gets the same answer. [`decide()`] is a function of values: no clock, no disk, no network, and the
//! order of precedence stands in it and nowhere else. [`Facts`] are gathered in one read transaction.
//!
//! Rules:
//! 1. a token goes to its instance, or to a host that is bound to it; [`crate::origin::Origin::may_receive`] says which
//!    is which;
//! 2. nothing that git or a repository made us store outranks the environment, the login, or a logout;
//! 3. the account at a bound host never depends on the request;
//! 4. each decision has a reason that can be printed.

mod accounts;
mod command;
mod decide;
mod facts;
mod host;
mod hosts;
mod keep;
mod reason;
mod request;

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod table;

pub(crate) use accounts::{account_called, account_of, active_account};
pub(crate) use command::{Wish, environment_token, session_of};
pub(crate) use decide::{Decision, LoginOffer, Verdict, decide};
pub(crate) use facts::Facts;
pub(crate) use host::LoginBasis;
pub(crate) use hosts::{Server, Use, servers};
pub(crate) use keep::{Keep, Provenance, kept_for_docker, kept_for_git, signed_out};
pub(crate) use request::{Request, USERNAME};
