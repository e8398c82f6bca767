//! A logout leaves no token behind, or reports that it failed.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::machine::Machine;
use crate::sandbox::{Age, Output};
use crate::storage::files_with;

/// Logs out while a recovery file has a granted pair and another program locks the database for this time.
fn log_out(args: &[&str], busy: Duration) -> (Machine, Output) {
    let scene = Machine::new().login(Age::EXPIRED);
    let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
    scene.keep_aside(&new);
    let writer = scene.database();
    writer
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the database");
    let logout = scene.sandbox.sentry(&["auth", "logout"]).args(args).spawn();
    thread::sleep(busy);
    writer.execute_batch("ROLLBACK").expect("the database");
    (scene, logout.wait())
}

#[test]
fn a_logout_while_the_database_is_busy_removes_the_pair_that_waits_or_fails() {
    // SQLite waits 5 s for a writer. Shorter; past the first wait and within a second one; longer than two.
    let cases = [2, 7, 12].map(Duration::from_secs);
    let cases = cases.into_iter().flat_map(|busy| {
        let ways: [&[&str]; 2] = [&[], &["--all"]];
        ways.map(|args| (args, busy))
    });
    let runs: Vec<_> = thread::scope(|threads| {
        let start = |(args, busy)| (args, busy, threads.spawn(move || log_out(args, busy)));
        let runs: Vec<_> = cases.map(start).collect();
        let end = |run: (_, _, thread::ScopedJoinHandle<'_, _>)| {
            (run.0, run.1, run.2.join().expect("a logout"))
        };
        runs.into_iter().map(end).collect()
    });
    for (args, busy, (scene, told)) in runs {
        let case = format!("{args:?}, busy for {busy:?}: {told:?}");
        let current = scene.sentry.current();
        let secrets = [&current.access, &current.refresh, &scene.pair.refresh];
        match told.code {
            0 => {
                assert_eq!(scene.sandbox.stored_row(), None, "{case}");
                assert!(!scene.file("credential.recovery").exists(), "{case}");
                for secret in secrets {
                    assert_eq!(
                        files_with(&scene.dir(), secret),
                        Vec::<String>::new(),
                        "{case}"
                    );
                }
            }
            1 => {
                assert!(told.stderr.starts_with("error: "), "{case}");
                // Still logged in, with the pair that the server accepts, and a second try ends it.
                scene.serves(&current.access);
                assert_eq!(
                    scene.sandbox.stored_tokens(),
                    Some(current.clone()),
                    "{case}"
                );
                scene.sandbox.sentry(&["auth", "logout"]).run().success();
                for secret in secrets {
                    assert_eq!(
                        files_with(&scene.dir(), secret),
                        Vec::<String>::new(),
                        "{case}"
                    );
                }
            }
            code => panic!("exit code {code}: {case}"),
        }
    }
}

#[test]
fn a_pending_pair_is_imported_by_the_next_command() {
    for index in 0..3 {
        let scene = Machine::new().login(Age::EXPIRED);
        let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
        let kept = scene.keep_aside(&new);
        let reader = scene.readers()[index].clone();
        reader.run().success().stdout_has(&new.access);
        assert_eq!(scene.sandbox.stored_tokens(), Some(new));
        assert!(!kept.exists());
        assert_eq!(scene.sentry.requests().len(), 0);
    }
}

#[test]
fn a_pair_that_a_newer_version_has_left_is_not_thrown_away() {
    let scene = Machine::new().login(Age::EXPIRED);
    let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
    let kept = scene.keep_aside(&new);
    let content = fs::read_to_string(&kept).expect("a file");
    let newer = content.replace("\"version\":1", "\"version\":1000");
    assert_ne!(newer, content);
    fs::write(&kept, &newer).expect("a file");
    for reader in scene.readers() {
        reader.run().fails(1).never_says(&new.access);
    }
    assert_eq!(fs::read_to_string(&kept).expect("a file"), newer);
    // The spent pair is not posted again: every command reads the valid one from the file.
    assert_eq!(scene.sentry.requests().len(), 0);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    // A logout leaves nothing, or fails.
    match scene.sandbox.sentry(&["auth", "logout"]).run().code {
        0 => assert!(!kept.exists()),
        _ => assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair)),
    }
}

#[test]
fn a_logout_removes_the_pair_that_waits_beside_an_idle_database() {
    let ways: [&[&str]; 2] = [&[], &["--all"]];
    for args in ways {
        let (scene, told) = log_out(args, Duration::ZERO);
        told.success();
        assert_eq!(scene.sandbox.stored_row(), None);
        assert_eq!(
            scene.names().iter().find(|name| name.contains("recovery")),
            None
        );
        for secret in [
            scene.sentry.current_access(),
            scene.sentry.current().refresh,
        ] {
            assert_eq!(
                files_with(&scene.dir(), &secret),
                Vec::<String>::new(),
                "{args:?}"
            );
        }
    }
}
