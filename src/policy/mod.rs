//! Decides which credential a host gets, and why.
//!
//! Separate from [`crate::broker`], which carries the decision out, so that both helpers, docker's `list` and the
//! `auth` commands agree. [`decide()`] is a pure function: no clock, no disk, no network. It alone defines the order of
//! precedence. [`Facts`] are gathered in one read transaction.
//!
//! Rules:
//! 1. a token is sent only to its instance or to a host bound to it; [`crate::origin::Origin::may_receive`] decides
//!    which;
//! 2. a credential that git or a repository caused to be stored never outranks the environment, the login, or a logout;
//! 3. the account used at a bound host never depends on the request;
//! 4. every decision has a printable reason.

mod accounts;
mod command;
mod decide;
mod facts;
mod host;
mod hosts;
mod reason;
mod request;
mod storing;

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod storing_tests;
#[cfg(test)]
mod table;

pub(crate) use accounts::{account_called, account_of, active_account};
pub(crate) use command::{Selection, environment_token, session_of};
pub(crate) use decide::{Decision, LoginOffer, Verdict, decide};
pub(crate) use facts::{BoundBy, Facts, administrators};
pub(crate) use host::LoginBasis;
pub(crate) use hosts::{Server, Use, bindings_in_force, servers};
pub(crate) use request::{Request, USERNAME};
pub(crate) use storing::{
    KnownFrom, Provenance, StoreVerdict, decide_docker_store, decide_git_store, signed_out_binding,
};
