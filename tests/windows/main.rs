//! Black-box tests of the programs for Windows, on Linux: Wine runs the programs, the fake Sentry runs natively.
//!
//! Separate from `tests/it/`, which starts programs of its own system, and not run by `cargo test`: `.ci/windows` builds what
//! they need, names it in two variables, and runs `cargo test --test windows`.

#![cfg(unix)]
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a crate of tests has no reader outside, and a failed unwrap is a failed test"
)]

mod console;
mod machine;
mod other_programs;
mod places;
mod programs;
mod refresh;
mod shells;

#[path = "../it/support/fake_sentry/mod.rs"]
mod fake_sentry;
#[path = "../it/support/processes.rs"]
mod processes;
#[path = "../../src/session/protocol/mod.rs"]
#[allow(unused_imports, reason = "a replay takes part of it")]
mod protocol;
#[path = "../model/replay/mod.rs"]
mod replay;
#[path = "../it/support/sandbox/mod.rs"]
mod sandbox;
#[path = "../it/support/terminal/mod.rs"]
mod terminal;
#[path = "../it/support/transcript.rs"]
mod transcript;
