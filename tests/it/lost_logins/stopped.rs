//! Stopped processes: no command waits for one indefinitely, and no process that a terminal can stop holds a lock.

use std::time::Duration;

use rustix::process::Signal;

use super::{SOON, Stopped, stores};
use crate::fake_sentry::{Endpoint, Fault};
use crate::machine::Machine;
use crate::sandbox::Age;
use crate::terminal::TtyUser;

/// A waiting process gives up after 20 s; the rest is a margin for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(26);

#[test]
fn a_worker_that_is_stopped_is_waited_for_no_longer_than_any_other() {
    let scenes = [Age::EXPIRED, Age::STALE].map(|age| {
        let scene = Machine::new().login(age);
        scene.sentry.fault(Endpoint::Refresh, Fault::Held);
        let first = scene.token().limit(GIVEN_UP).spawn();
        scene.sentry.wait_for_held(SOON);
        let exchange = Stopped::stop(first.exchange());
        scene.sentry.release();
        let second = scene.git_get().limit(GIVEN_UP).spawn();
        (age, scene, first, second, exchange)
    });
    for (age, scene, first, second, exchange) in scenes {
        for waiting in [first, second] {
            let told = waiting.wait();
            match age {
                Age::STALE => {
                    told.success().stdout_has(&scene.pair.access);
                }
                _ => {
                    let told = told.fails(1).stdout_is("");
                    assert_ne!(told.stderr, "");
                }
            }
        }
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
        drop(exchange);
        stores(&scene.sandbox, &scene.sentry.current());
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        scene.is_alive();
    }
}

/// git has reported the token as refused, and Sentry does not answer the check.
fn suspect() -> Machine {
    let scene = Machine::new().login(Age::FRESH);
    scene.reports_refused(&scene.pair.access);
    scene.sentry.fault(Endpoint::Api, Fault::Held);
    scene
}

#[test]
fn a_get_that_is_stopped_while_its_token_is_asked_about_keeps_no_lock() {
    let scene = suspect();
    let get = scene.token().spawn();
    scene.sentry.wait_for_held(SOON);
    let _get = Stopped::stop(get.pid());
    let logout = scene.sandbox.sentry(&["auth", "logout"]).spawn();
    scene.sentry.release();
    logout.wait().success();
    assert_eq!(scene.sandbox.stored_row(), None);
}

#[test]
fn ctrl_z_while_a_token_is_asked_about_keeps_no_lock() {
    let scene = suspect();
    // A shell that continues with the next command when the first one is stopped.
    let script = "set -m; sentry auth token; echo stopped: $?; sentry auth logout; echo ended: $?; kill -KILL %1";
    let bash = scene.sandbox.command("bash").args(["-c", script]);
    let mut user = TtyUser::start(bash);
    scene.sentry.wait_for_held(SOON);
    user.press(b"\x1a");
    let stopped = 128 + Signal::TSTP.as_raw();
    user.expect(&format!("stopped: {stopped}"));
    scene.sentry.release();
    user.expect("ended: 0");
    assert_eq!(scene.sandbox.stored_row(), None);
    let _ended = user.wait();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_token_whose_check_is_slow_is_still_returned_in_time() {
    // The worker keeps waiting; the caller has a token that has not expired.
    let scene = suspect();
    let get = scene.git_get().limit(GIVEN_UP).spawn();
    scene.sentry.wait_for_held(SOON);
    get.wait().success().stdout_has(&scene.pair.access);
    scene.sentry.release();
    // The lock is free as soon as the worker has its answer.
    scene.is_alive();
}
