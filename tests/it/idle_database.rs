//! An idle database is read without locks; one that another process begins to use meanwhile is read again.
//!
//! Some tests exist only with the feature `fast`: without it, or with `SENTRY_CREDENTIAL_FAST=off`, every database is read
//! with locks.

use crate::machine::Machine;
use crate::sandbox::{Age, Layout};
#[cfg(feature = "fast")]
use crate::service::tool;
use crate::storage::SIDES;
use std::fs;

fn scenes(age: Age) -> [Machine; 3] {
    [
        Machine::new().session(age),
        Machine::new().session(age).in_rollback_mode(),
        Machine::new().in_layout(Layout::Auth).session(age),
    ]
}

#[test]
#[cfg(feature = "fast")]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "local file systems")]
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
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn the_environment_turns_the_read_without_locks_off() {
    for scene in scenes(Age::FRESH) {
        scene.settle();
        for get in [scene.git_get(), scene.docker_get()] {
            let get = get.env("SENTRY_CREDENTIAL_FAST", "off");
            let calls = scene.sandbox.root().join("calls");
            let got = get.traced("fcntl", &calls).run().success();
            got.stdout_has(&scene.pair.access);
            let calls = fs::read_to_string(&calls).unwrap();
            assert!(calls.contains("F_SETLK"), "{calls}");
        }
    }
}

#[test]
#[cfg(feature = "fast")]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn the_environment_turns_the_allocator_off() {
    let scene = Machine::new().session(Age::FRESH);
    scene.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO accounts (account_id, host, token)
         SELECT 'account' || i, 'https://host' || i || '.example', 'sntryu_other' FROM n",
    );
    let requests = |value: &str| {
        let calls = scene.sandbox.root().join("calls");
        let get = scene.git_get().env("SENTRY_CREDENTIAL_FAST", value);
        let got = get.traced("brk,mmap", &calls).run().success();
        got.stdout_has(&scene.pair.access);
        fs::read_to_string(&calls).unwrap().lines().count()
    };
    // The system's allocator asks the kernel for memory; the arena is part of the program.
    let (on, off) = (requests("on"), requests("off"));
    assert!(off > on, "{off} with the system's allocator, {on} without");
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

/// Only with the feature: a lock keeps writers away from any other reading.
#[test]
#[cfg(feature = "fast")]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn what_is_written_in_the_middle_of_a_reading_is_read() {
    use rustix::process::{Signal, kill_process_group};
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
