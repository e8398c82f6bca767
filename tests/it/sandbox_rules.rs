//! Checks that the sandbox isolates the developer's machine, and that its assertions explain failures.

use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::sandbox::{Age, Layout, Sandbox};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn sh(sandbox: &Sandbox, script: &str) -> crate::sandbox::Cmd {
    sandbox.command("/bin/sh").args(["-c", script])
}

/// The message that a failing assertion prints.
fn complaint(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion fails");
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn nothing_of_the_developers_environment_comes_in() {
    let sentry = FakeSentry::start();
    let sandbox = Sandbox::new().for_sentry(&sentry);
    let output = sandbox.command("env").env_remove("PATH").run().success();
    let mut names: Vec<_> = output
        .stdout
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    names.sort_unstable();
    let expected = [
        "GIT_CONFIG_NOSYSTEM",
        "HOME",
        "LC_ALL",
        "SENTRY_CLIENT_ID",
        "SENTRY_URL",
        "TERM",
        "XDG_RUNTIME_DIR",
    ];
    assert_eq!(names, expected);
    let expected = format!(
        "{}\n{CLIENT_ID}\n{}\n",
        sentry.url(),
        sandbox.home().display()
    );
    sh(&sandbox, "echo $SENTRY_URL; echo $SENTRY_CLIENT_ID; pwd")
        .run()
        .success()
        .stdout_is(&expected);
}

#[test]
fn the_programs_under_test_come_first_on_the_path() {
    let found = sh(&Sandbox::new(), "command -v git-credential-sentry")
        .run()
        .success();
    found.stdout_is(concat!(env!("CARGO_BIN_EXE_git-credential-sentry"), "\n"));
}

#[test]
fn a_command_has_no_terminal() {
    sh(&Sandbox::new(), ": </dev/tty")
        .run()
        .fails(2)
        .stderr_has("/dev/tty");
}

#[test]
fn input_output_and_exit_code_are_carried() {
    let output = sh(&Sandbox::new(), "cat; echo no >&2; exit 3")
        .stdin("yes\n")
        .run();
    output
        .fails(3)
        .stdout_is("yes\n")
        .stderr_is("no\n")
        .never_says("maybe");
}

#[test]
fn unread_input_is_no_failure() {
    sh(&Sandbox::new(), "exit 0")
        .stdin(vec![b'x'; 1 << 20])
        .run()
        .success()
        .stdout_is("");
}

#[test]
fn a_signal_is_seen_as_a_negative_code() {
    let sandbox = Sandbox::new();
    let mut running = sh(&sandbox, "echo ready >&2; exec sleep 1000").spawn();
    running.wait_for_stderr("ready");
    running.signal(Signal::TERM);
    running.wait().fails(-15).stderr_is("ready\n");
}

#[test]
fn a_command_that_stays_too_long_is_killed_and_named() {
    let sandbox = Sandbox::new();
    let tardy = || sh(&sandbox, "echo begun; sleep 1000").limit(Duration::from_secs(2));
    let complaint = complaint(|| drop(tardy().run()));
    assert!(
        complaint.contains("`/bin/sh -c echo begun; sleep 1000` is still running after 2s"),
        "{complaint}"
    );
    assert!(complaint.contains("begun\n"), "{complaint}");
}

#[test]
fn a_child_that_keeps_the_output_open_is_a_failure() {
    let sandbox = Sandbox::new();
    let tardy = || sh(&sandbox, "sleep 1000 &").limit(Duration::from_millis(300));
    let complaint = complaint(|| drop(tardy().run()));
    assert!(complaint.contains("left a process behind"), "{complaint}");
}

#[test]
fn a_wrong_output_is_shown_whole() {
    let sandbox = Sandbox::new();
    let output = || {
        sh(&sandbox, "echo a; echo b; echo c; echo oops >&2")
            .run()
            .success()
    };
    let complaint = complaint(|| drop(output().stdout_is("a\nB\nc\n")));
    assert!(
        complaint.contains("  a\\n\n- B\\n\n+ b\\n\n  c\\n\n"),
        "{complaint}"
    );
    assert!(complaint.contains("oops"), "{complaint}");
}

#[test]
fn a_seeded_session_reads_back_in_both_layouts() {
    let sentry = FakeSentry::start();
    for layout in [Layout::Accounts, Layout::Auth] {
        let sandbox = Sandbox::new().for_sentry(&sentry);
        assert_eq!(sandbox.stored_tokens(), None);
        let pair = sentry.issue();
        sandbox.seed_session_in(layout, &sentry, &pair, Age::EXPIRED);
        assert_eq!(sandbox.stored_tokens(), Some(pair));
        let row = sandbox.stored_row().expect("a row");
        assert_eq!(
            (row.host, row.username),
            (Some(sentry.url()), Some("jane".to_owned()))
        );
        assert_eq!(
            row.expires_at
                .zip(row.issued_at)
                .map(|(end, start)| end - start),
            Some(2_588_400_000)
        );
        let mode = |path| {
            std::fs::metadata(path)
                .expect("it exists")
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!(
            (mode(sandbox.config_dir()), mode(sandbox.db())),
            (0o700, 0o600)
        );
    }
}

#[test]
fn the_session_seeded_last_is_the_active_one() {
    let (one, two) = (FakeSentry::start(), FakeSentry::start());
    let sandbox = Sandbox::new();
    sandbox.seed_session(&one, &one.issue(), Age::FRESH);
    sandbox.seed_session(&two, &two.issue(), Age::FRESH);
    assert_eq!(sandbox.stored_tokens(), Some(two.current()));
    let store = sandbox.database().expect("a store");
    let sessions: i64 = store
        .query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(sessions, 2);
}
