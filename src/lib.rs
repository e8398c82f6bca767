//! One Sentry login for git, docker and scripts.
//!
//! Three executables share this library and one store. `sentry` is for a user (`sentry auth …`); git starts
//! `git-credential-sentry`, and docker, podman and their like start `docker-credential-sentry`, with a request on
//! standard input. Each process answers once and ends; there is no daemon. What keeps many of them from
//! harming each other is one file lock and one SQLite file, which Sentry's official CLI uses too.
//!
//! # A `get`
//!
//! 1. git or docker writes a request to standard input; [`git`] or [`docker`] reads bytes and knows its protocol.
//! 2. The host becomes an [`origin::Origin`], or gets no answer. No URL library has seen it before.
//! 3. [`broker::Broker::credential_for`] gathers what the environment and the store say ([`policy::Facts`]). A database
//!    that nobody uses is read without locks ([`store::Store::read_idle`]).
//! 4. [`policy::decide`] says which credential it is, and why. [`origin::Origin::may_receive`] says whether the host may
//!    have an instance's token; a host that is bound to an instance ([`store::Binding`]) stands for the instance.
//! 5. [`session::usable`] answers a fresh token at once: no lock, no network, no keyring. A stale one goes through a
//!    refresh.
//! 6. The answer is rendered into a buffer, checked, and written once.
//!
//! # A refresh
//!
//! Sentry's refresh tokens are single-use, so a pair that is sent twice, or sent and not stored, is a lost login. What to
//! do next is decided by a pure flow (`session/protocol/`), which a model checker (`tests/model/`) runs through every
//! interleaving, crash and lost answer of a small world; `session/perform/` does it. `docs/refresh-protocol.md` says what
//! may be promised.
//!
//! 1. [`lock::Lock::credential`] is taken. Whoever finds it contended looks at the row at each wake-up: for up to 5 s if
//!    the old token still works, for up to 20 s if there is no other.
//! 2. The recovery file is imported, and the row read again: another process may have been faster.
//! 3. A worker goes on with the lock, in a session of its own: whoever kills git or the helper now does not kill it. Its
//!    parent waits for 12 s, and then goes on without it; the worker listens for 60 s.
//! 4. A token that is only suspect is asked about. Sentry accepts it: nothing is to be done.
//! 5. The intent is committed. That proves that the disk takes a write before the refresh token is spent.
//! 6. [`oauth::OAuth::refresh`] sends what was read under the lock. Signals wait from here on. An answer that was lost is
//!    asked for once more at once: Sentry plans to repeat it for 30 s.
//! 7. The new pair is committed if the row still has the old one, or none, and only then judged. If the database refuses
//!    for a minute, it goes to a recovery file, which the next process imports.
//! 8. The [`mirror`] gets its copy, if it is on; the lock is released. `invalid_grant` marks the pair and removes
//!    nothing: another program may be about to store what it was granted.
//!
//! # A login
//!
//! 1. [`lock::Lock::login`] makes device flows single; a second one waits and uses what the first one gets.
//! 2. [`device::DeviceFlow::begin`] asks the instance for a code; what it answers is checked before it is shown.
//! 3. [`login::DeviceLogin`] shows address and code on the [`terminal`] and opens a browser. A helper does the same on
//!    `/dev/tty`, after it asked.
//! 4. [`device::DeviceFlow::wait`] polls as RFC 8628 wants it, until the user has approved or the time is over.
//! 5. [`session::record_login`] stores the session, under the credential lock, and makes it the active one.
//!
//! # The modules
//!
//! What a user reads and types:
//!
//! - [`cli`]: the command line, and its help; no behaviour
//! - `sentry`: parses the command line, dispatches, and chooses the exit code
//! - [`auth`]: `sentry auth`, one file per command
//! - [`doctor`]: `sentry auth doctor`, one file per subject
//! - [`terminal`]: `/dev/tty`, the browser, the QR code
//! - [`login`]: one device login with a user at a terminal
//! - `setup`: files of other programs: git's configuration, docker's `config.json`, podman's `auth.json`
//! - [`failure`]: errors that come with something to type
//! - [`printable`]: text from a server, made fit for a terminal
//!
//! What programs speak:
//!
//! - [`git`]: the git credential protocol
//! - [`docker`]: the docker credential-helper protocol
//! - [`policy`]: the one decision: which credential for which host, and why
//! - [`broker`]: carries the decision out; keeps what programs store
//!
//! What a login is:
//!
//! - [`account`]: whose login, its tokens, and whether they are fresh
//! - [`session`]: who refreshes a token that is not
//! - [`device`]: the device flow as a state machine; shows and stores nothing
//! - [`oauth`]: the OAuth endpoints and `/api/0/`: one request, one typed answer
//! - [`store`]: the database: sessions, credentials, bindings, settings
//! - [`lock`]: locks between processes
//! - [`mirror`]: the copy of the access token in the desktop's keyring
//!
//! What everything stands on:
//!
//! - [`origin`]: the grammar of a host, and the one decision about trust
//! - [`secret`]: values that no formatter prints, and what counts as a token
//! - [`environment`]: what the environment says about tokens and instances
//! - [`world`]: the environment itself, paths, streams, clocks, signals
//! - `memory`: the allocator

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "this page is for those who change the program: `cargo doc --document-private-items`"
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
mod git;
mod lock;
mod login;
// Fuzzing looks for what is used after it was freed, and sees that in the system's blocks only.
#[cfg(not(fuzzing))]
mod memory;
mod mirror;
mod oauth;
mod origin;
mod policy;
mod printable;
mod secret;
mod sentry;
mod session;
mod setup;
mod store;
mod terminal;
mod world;

/// What must hold whatever comes in: asked by the fuzz targets and, of their corpora, by `cargo test`.
#[cfg(any(test, fuzzing))]
pub mod oracles;

pub use docker::docker_main;
pub use git::git_main;
pub use sentry::sentry_main;
