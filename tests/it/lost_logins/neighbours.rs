//! The official CLI does not take our lock: while it and our worker post the same pair, the row may be empty for a
//! while, which does not mean that the session has ended.

use super::{SOON, waiting};
use crate::fake_sentry::{Endpoint, Fault, Replay};
use crate::machine::Machine;
use crate::official::CURRENT;
use crate::sandbox::{Age, Layout, Running};

/// A refresh by this program that the server has granted and not answered.
fn granted(layout: Layout) -> (Machine, Running) {
    let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
    scene.sentry.set_replay(Replay::Refused);
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let first = scene.token().spawn();
    scene.sentry.wait_for_held(SOON);
    (scene, first)
}

/// Every command that starts while the row is empty waits for the pair that the worker is about to store.
#[track_caller]
fn all_get_the_new_token(scene: &Machine, first: Running) {
    let row = scene.sandbox.stored_row().expect("a session");
    assert_eq!((row.token, row.refresh_token), (None, None));
    let status = scene.sandbox.sentry(&["auth", "status", "--show-token"]);
    let [token, git, docker] = scene.readers();
    let others = [token, git, docker, status].map(|reader| waiting(&scene.sandbox, reader));
    scene.sentry.release();
    let current = scene.sentry.current();
    for one in [first].into_iter().chain(others) {
        one.wait().success().stdout_has(&current.access);
    }
    assert_eq!(scene.sandbox.stored_tokens(), Some(current));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_row_that_a_neighbour_has_cleared_while_our_answer_is_under_way_is_waited_for() {
    for (layout, table) in [(Layout::Accounts, "accounts"), (Layout::Auth, "auth")] {
        let (scene, first) = granted(layout);
        let columns = "token = NULL, refresh_token = NULL, expires_at = NULL, issued_at = NULL";
        scene.sql(&format!("UPDATE {table} SET {columns}"));
        all_get_the_new_token(&scene, first);
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        scene.is_alive();
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_row_that_the_official_cli_has_cleared_while_our_answer_is_under_way_is_waited_for() {
    let (scene, first) = granted(Layout::Accounts);
    // It loses the race at the server, and clears the pair, which it considers invalid.
    let theirs = CURRENT.run(&scene.sandbox, &["auth", "refresh", "--force"]);
    assert_ne!(theirs.run().code, 0);
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    all_get_the_new_token(&scene, first);
    let theirs = CURRENT.run(&scene.sandbox, &["auth", "refresh", "--force"]);
    theirs.run().success();
    scene.is_alive();
}

#[test]
fn a_row_that_stays_empty_is_the_end_of_its_session() {
    let scene = Machine::new().session(Age::EXPIRED);
    scene.sql("UPDATE accounts SET token = NULL, refresh_token = NULL");
    let url = scene.sentry.url();
    scene.fails_with(&format!("the session at {url} has ended"));
    assert_eq!(scene.sentry.requests().len(), 0);
}
