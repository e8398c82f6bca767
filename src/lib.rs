//! One Sentry login for git, docker and scripts.
//!
//! Three executables share this library and one store: `sentry` for users (`sentry auth …`), `git-credential-sentry`
//! for git, and `docker-credential-sentry` for docker, podman, skopeo and buildah. The helpers read one request from
//! standard input, answer it, and exit; there is no daemon. Concurrent processes are coordinated by one file lock and
//! one SQLite database, both of which Sentry's official CLI uses too.
//!
//! # A `get`
//!
//! 1. git or docker writes a request to standard input; [`git`] or [`docker`] parses the bytes of its protocol.
//! 2. The host is parsed into an [`origin::Origin`], before any URL library sees it. A host outside the grammar never
//!    receives a token.
//! 3. [`broker::Broker::credential_for`] gathers the [`policy::Facts`] from the environment and the store, in one
//!    transaction or of an idle database without locks ([`store::Store::gather`]).
//! 4. [`policy::decide`] selects the credential and gives the reason. [`origin::Origin::may_receive`] decides whether
//!    the host may receive a token of an instance; a host that is bound to an instance ([`store::Binding`]) counts as
//!    that instance.
//! 5. [`session::usable`] returns a fresh token at once: no lock, no network, no keyring. A stale token is refreshed
//!    first.
//! 6. The answer is rendered into a buffer, checked, and written once.
//!
//! # A refresh
//!
//! Sentry's refresh tokens are single-use: a token that is sent twice, or whose replacement is not stored, loses the
//! login. A pure state machine (`session/protocol/`) decides each step, and a model checker (`tests/model/`) runs it
//! through every interleaving, crash and lost answer of a small world; `session/perform/` carries the steps out.
//! `docs/refresh-protocol.md` lists what is guaranteed.
//!
//! 1. [`lock::Lock::credential`] is acquired. If it is contended, the row is read again at each wake-up, for up to 5 s
//!    if the old token still works and for up to 20 s if it does not.
//! 2. The recovery file is imported and the row is read again: another process may have refreshed it.
//! 3. A refresh worker inherits the lock in a session of its own, so that killing git or the helper does not kill it.
//!    The parent waits for 12 s and continues without it; the worker waits for the server for 60 s.
//! 4. A token that is merely suspect is checked with Sentry. If Sentry accepts it, there is nothing to refresh.
//! 5. The intent is committed, which proves that the disk accepts a write before the refresh token is spent.
//! 6. [`oauth::OAuth::refresh`] sends the token that was read under the lock. Signals are deferred from here on. If the
//!    answer is lost, the request is repeated once, at once: Sentry plans to repeat its answer for 30 s.
//! 7. The new pair is committed if the row still has the old pair or none, and is validated only afterwards. If the
//!    database fails for a minute, the pair is written to a recovery file, which the next process imports.
//! 8. The [`mirror`] is updated if it is on, and the lock is released. `invalid_grant` marks the pair as rejected and
//!    removes nothing: another program may be about to store the tokens it was granted.
//!
//! # A login
//!
//! 1. [`lock::Lock::login`] allows one device flow at a time; a second one waits and uses the result of the first.
//! 2. [`device::DeviceFlow::begin`] requests a code from the instance and validates the answer before it is shown.
//! 3. [`login::DeviceLogin`] shows the address and the code on the [`terminal`] and opens a browser. A helper does the
//!    same on `/dev/tty`, after the user has agreed.
//! 4. [`device::DeviceFlow::wait`] polls as RFC 8628 prescribes, until the user approves or the code expires.
//! 5. [`session::record_login`] stores the session under the credential lock and makes it the active one.
//!
//! # The modules
//!
//! User interface:
//!
//! - [`cli`]: the command line, and its help; no behaviour
//! - `sentry`: `sentry` and `sentry-credential`: dispatches, and chooses the exit code; what is not ours goes to the next
//!   `sentry` on `PATH`
//! - `git_credential`: a request of git, or `git credential-sentry COMMAND` of a user
//! - [`auth`]: `sentry auth`, one file per command
//! - [`doctor`]: `sentry auth doctor`, one file per subject
//! - [`terminal`]: `/dev/tty`, the browser, the QR code
//! - [`login`]: one device login with a user at a terminal
//! - `setup`: the configuration of other programs: git's, docker's `config.json`, podman's `auth.json`
//! - [`failure`]: errors with a hint that the user can paste
//! - [`printable`]: sanitizes untrusted text for a terminal, and words the errors of the operating system
//!
//! Protocols and policy:
//!
//! - [`git`]: the git credential protocol
//! - [`docker`]: the docker credential-helper protocol
//! - [`policy`]: decides which credential a host gets, and why
//! - [`broker`]: carries the decision out; stores and erases what clients ask it to
//!
//! Logins:
//!
//! - [`account`]: the account of a login, its tokens, and whether they are fresh
//! - [`session`]: refreshes stale tokens, and records logins and logouts
//! - [`device`]: the device flow as a state machine; shows and stores nothing
//! - [`oauth`]: the OAuth endpoints and `/api/0/`: one request, one typed answer
//! - [`store`]: the database: sessions, credentials, bindings, settings
//! - [`lock`]: locks between processes
//! - [`mirror`]: the copy of the access token in the desktop's keyring
//!
//! Foundations:
//!
//! - [`origin`]: the grammar of a host, and which origin may receive which token
//! - [`secret`]: values that no formatter prints, and the token grammar
//! - [`environment`]: tokens and instances named by environment variables
//! - [`platform`]: what differs between operating systems
//! - `rollout`: what an administrator arranged for every user of the machine
//! - [`world`]: environment variables, paths, streams, clocks, signals
//! - `fast`: the allocator, and idle databases that are read without locks; can be left out of a build, and turned off

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "these pages document the internals: `cargo doc --document-private-items`"
)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")
)]

mod account;
mod auth;
mod broker;
mod cli;
mod device;
mod docker;
mod doctor;
mod environment;
mod failure;
mod fast;
mod git;
mod git_credential;
mod lock;
mod login;
mod mirror;
mod oauth;
mod origin;
mod platform;
mod policy;
mod printable;
mod rollout;
mod secret;
mod sentry;
mod session;
mod setup;
mod store;
mod terminal;
#[cfg(test)]
mod testing;
mod world;

/// Properties that hold for any input: run by the fuzz targets, and by `cargo test` on their corpora.
#[cfg(any(test, fuzzing))]
pub mod oracles;

pub use docker::docker_main;
pub use git_credential::git_main;
pub use sentry::sentry_main;
