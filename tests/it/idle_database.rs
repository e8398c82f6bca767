//! An idle database is read without locks; one that another process begins to use meanwhile is read again.

use crate::machine::Machine;
use crate::sandbox::{Age, Layout};
use crate::service::tool;
use crate::storage::SIDES;
use rustix::process::{Signal, kill_process_group};
use std::fs;

fn scenes(age: Age) -> [Machine; 3] {
    [
        Machine::new().session(age),
        Machine::new().session(age).in_rollback_mode(),
        Machine::new().in_layout(Layout::Auth).session(age),
    ]
}

#[test]
fn a_get_at_rest_takes_no_lock_and_makes_no_file() {
    for scene in scenes(Age::FRESH) {
        scene.settle();
        let before = scene.names();
        for get in [scene.git_get(), scene.docker_get()] {
            let calls = scene.sandbox.root().join("calls");
            let got = get.traced("fcntl,open,openat,unlink,ftruncate", &calls);
            got.run().success().stdout_has(&scene.pair.access);
            let calls = fs::read_to_string(&calls).unwrap();
            assert!(calls.contains("cli.db\""), "{calls}");
            let is_used = ["F_SETLK", "O_CREAT", "unlink", "ftruncate"]
                .iter()
                .any(|word| calls.contains(word));
            assert!(!is_used, "{calls}");
        }
        assert_eq!(scene.names(), before);
    }
}

#[test]
fn what_is_only_in_the_log_counts_however_old_the_file_is() {
    let scene = Machine::new().session(Age::FRESH);
    scene.killed_after("UPDATE accounts SET token = 'only-in-the-log'");
    scene.settle();
    assert!(scene.names().contains(&SIDES[0].to_owned()));
    scene.serves("only-in-the-log");
}

#[test]
fn a_stale_token_at_rest_is_refreshed_once() {
    for scene in scenes(Age::EXPIRED) {
        scene.settle();
        scene.git_get().run().success();
        let current = scene.sentry.current();
        assert_eq!(scene.sandbox.stored_tokens(), Some(current));
        assert_eq!(scene.sentry.refresh_attempts(), 1);
    }
}

#[test]
fn a_view_in_place_of_a_table_is_refused_at_rest_too() {
    let scene = Machine::new().session(Age::FRESH);
    scene.sql(
        "ALTER TABLE accounts RENAME TO planted; CREATE VIEW accounts AS SELECT * FROM planted",
    );
    scene.settle();
    scene.fails_with("it has a view on `accounts`");
}

#[test]
fn what_is_written_in_the_middle_of_a_reading_is_read() {
    for scene in scenes(Age::FRESH) {
        scene.settle();
        // Some pages are read already: from here on, those of two states would be mixed.
        let inject = "inject=pread64:signal=SIGSTOP:when=3";
        let strace = ["-e", "trace=pread64", "-e", inject];
        let get = scene.git_get().under(tool("strace"), &strace).spawn();
        get.wait_for_stderr("stopped by SIGSTOP");
        let table = match scene.database().table_exists(None, "accounts") {
            Ok(true) => "accounts",
            _ => "auth",
        };
        scene.sql(&format!(
            "UPDATE {table} SET token = 'written-in-the-middle'"
        ));
        kill_process_group(get.pid(), Signal::CONT).unwrap();
        get.wait()
            .success()
            .stdout_has("password=written-in-the-middle\n");
    }
}
