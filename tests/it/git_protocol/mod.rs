//! The git credential protocol as used by an adversary, a careless caller and a real git, and the effect on a session.
//!
//! Separate from `hosts`, which has the hosts and URLs; from `git_store`, which has what git stored; and from
//! `helper_streams`, which has the behaviour common to both helpers.

mod answers;
mod given_back;
mod refused;
mod requests;
mod unanswered;

use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Output, Sandbox};

/// `protocol` and `host` of a running Sentry.
fn described(sentry: &FakeSentry) -> String {
    format!("protocol=http\nhost={}\n", sentry.address())
}

#[track_caller]
fn git(machine: &Sandbox, operation: &str, input: impl AsRef<[u8]>) -> Output {
    machine.git_credential(operation).stdin(input).run()
}

#[track_caller]
fn get(machine: &Sandbox, request: impl AsRef<[u8]>) -> Output {
    git(machine, "get", request)
}

/// `store` and `erase` succeed without output.
#[track_caller]
fn tell(machine: &Sandbox, operation: &str, credential: &str) {
    git(machine, operation, credential)
        .success()
        .stdout_is("")
        .stderr_is("");
}

/// The request is not for this helper.
#[track_caller]
fn gets_nothing(machine: &Sandbox, request: impl AsRef<[u8]>) {
    get(machine, request).success().stdout_is("").stderr_is("");
}
