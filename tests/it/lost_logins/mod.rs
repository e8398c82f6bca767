//! Logins that could be lost although a client could have kept them: the counterexamples that a model checker found
//! against the refresh protocol, each as a schedule of the real programs.
//!
//! Separate from `refresh`, `refresh_races` and `storage_locks`, which have the rules of one refresh, because each test
//! here begins with a schedule and ends with one question: does the store have the pair that the server accepts?
//! Assertions are about rows, requests and exit codes; messages are compared only where the message is the promise.

mod client_ids;
mod dead_access;
mod holders;
mod login;
mod logout;
mod lost_answers;
mod near_expiry;
mod neighbours;
mod odd_answers;
mod odd_framing;
mod recovery;
mod rejected;
mod slow_answers;
mod stopped;
mod suspects;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fake_sentry::Pair;
use crate::processes::is_stopped;
use crate::sandbox::{Cmd, Running, Sandbox};

/// Longer than any step takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Waits, by polling, until a condition holds.
#[track_caller]
fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the row has the pair.
#[track_caller]
fn stores(machine: &Sandbox, pair: &Pair) {
    until("the pair of the server is in the row", SOON, || {
        machine.stored_tokens().as_ref() == Some(pair)
    });
}

/// Starts a command and waits until it has found the credential lock contended.
#[track_caller]
fn waiting(machine: &Sandbox, cmd: Cmd) -> Running {
    let trace = tempfile::Builder::new()
        .tempfile_in(machine.root())
        .expect("a file");
    let (_file, trace) = trace.keep().expect("a file");
    let mut running = cmd.traced("flock", &trace).spawn();
    until("it has found the lock contended", SOON, || {
        let is_contended = fs::read_to_string(&trace).is_ok_and(|calls| calls.contains("EAGAIN"));
        assert!(
            is_contended || running.is_running(),
            "it ended without waiting for the lock:\n{}{}",
            running.stdout(),
            running.stderr()
        );
        is_contended
    });
    running
}

/// A stopped process; it continues when this is dropped, so that no failed test leaves one behind.
pub struct Stopped(Pid);

impl Stopped {
    #[track_caller]
    pub fn stop(process: Pid) -> Stopped {
        kill_process(process, Signal::STOP).expect("a process of ours");
        let stopped = Stopped(process);
        // It may wake up for another reason first.
        until("it is stopped", SOON, || is_stopped(process));
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Fails if the process was killed.
        let _gone = kill_process(self.0, Signal::CONT);
    }
}
