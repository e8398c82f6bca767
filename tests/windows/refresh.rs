//! Refreshes, whose lock does not pass to a child: the worker acquires it, and everything else is as on Unix.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::fake_sentry::{Endpoint, Fault};
use crate::machine::{SOON, Windows};

const RACERS: usize = 20;
const ROUNDS: usize = 10;

#[test]
fn racers_refresh_once_and_all_get_the_new_token() {
    let windows = Windows::new().logged_in();
    for round in 1..=ROUNDS {
        windows.expires();
        let token = || windows.sentry(&["auth", "token"]).spawn();
        let racers: Vec<_> = (0..RACERS).map(|_| token()).collect();
        let told: Vec<_> = racers.into_iter().map(|racer| racer.wait()).collect();
        let expected = format!("{}\n", windows.sentry.current_access());
        for told in told {
            told.success().stdout_is(&expected);
        }
        assert_eq!(windows.sentry.refreshes(), round);
        windows.stores_the_current_pair();
    }
}

#[test]
fn a_caller_that_is_killed_during_the_exchange_keeps_the_login() {
    let windows = Windows::new().logged_in();
    windows.expires();
    windows.sentry.fault(Endpoint::Refresh, Fault::Held);
    let mut token = windows.sentry(&["auth", "token"]).spawn();
    windows.sentry.wait_for_held(SOON);
    token.signal(Signal::KILL);
    windows.sentry.release();
    windows.stores_the_current_pair();
    let token = windows.sentry(&["auth", "token"]).run().success();
    token.stdout_is(&format!("{}\n", windows.sentry.current_access()));
    assert_eq!(windows.sentry.refresh_attempts(), 1);
}

#[test]
fn the_pipe_of_git_ends_with_the_helper_while_the_worker_goes_on() {
    let windows = Windows::new().logged_in();
    windows.expires();
    windows.sentry.fault(Endpoint::Refresh, Fault::Held);
    // Wine leaves standard error to every process that it starts.
    let silent = ["-c", "exec \"$@\" 2>/dev/null", "sh"];
    let mut get = windows.git_get().under("sh", &silent).spawn();
    windows.sentry.wait_for_held(SOON);
    get.signal(Signal::KILL);
    let deadline = Instant::now() + Duration::from_secs(5);
    assert!(get.falls_silent_by(deadline), "the worker has git's pipe");
    windows.sentry.release();
    windows.stores_the_current_pair();
}

#[test]
fn tokens_that_a_locked_database_does_not_take_are_recovered() {
    let windows = Windows::new().logged_in();
    windows.expires();
    windows.sentry.fault(Endpoint::Refresh, Fault::Held);
    let token = windows.sentry(&["auth", "token"]).spawn();
    windows.sentry.wait_for_held(SOON);
    let database = windows.sandbox.database().unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    windows.sentry.release();
    let recovery = windows.sandbox.config_dir().join("credential.recovery");
    let deadline = Instant::now() + Duration::from_secs(110);
    while !recovery.exists() {
        assert!(Instant::now() < deadline, "there is no recovery file");
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = token.wait();
    assert!(!told.stderr.contains("os error"), "{}", told.stderr);
    database.execute_batch("ROLLBACK").unwrap();
    drop(database);
    let token = windows.sentry(&["auth", "token"]).run().success();
    token.stdout_is(&format!("{}\n", windows.sentry.current_access()));
    assert!(!recovery.exists());
    windows.stores_the_current_pair();
    assert_eq!(windows.sentry.refresh_attempts(), 1);
}
