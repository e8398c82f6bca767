//! Locks of other programs, SQLite's and the WASM driver's: before the request they stop a refresh, after it they are
//! outlasted.

use crate::fake_sentry::{Endpoint, Fault, Replay};
use crate::lost_logins::Stopped;
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Layout, Running};
use crate::service::tool;
use crate::storage::{SOON, files_with, mode};
use crate::support::strace::read_trace;
use rustix::process::{Signal, getsid, kill_process, kill_process_group};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A refresh with a trace, whose answer the server holds back.
fn held_refresh(scene: &Machine) -> Running {
    held(scene, scene.token())
}

fn held(scene: &Machine, refresh: Cmd) -> Running {
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let refresh = refresh.env("SENTRY_CREDENTIAL_TRACE", "1").spawn();
    scene.sentry.wait_for_held(SOON);
    refresh
}

#[track_caller]
fn gets_the_new_token(scene: &Machine, refresh: Running) {
    let current = scene.sentry.current();
    refresh
        .wait()
        .success()
        .stdout_is(&format!("{}\n", current.access));
    assert_eq!(scene.sandbox.stored_tokens(), Some(current));
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    assert!(!scene.file("credential.recovery").exists());
}

const BUSY: &str = "is in use by another program: database is locked";

#[test]
fn a_writer_that_does_not_let_go_keeps_the_token_from_being_spent() {
    for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
        let scene = Machine::new().session(age);
        let writer = scene.database();
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let token = scene.token().run();
        if age == Age::EXPIRED {
            token.fails(1).stdout_is("").stderr_is(&format!(
                "error: not refreshed, because the new token could not be stored: {} {BUSY}\n",
                scene.sandbox.db().display()
            ));
        } else {
            token
                .success()
                .stdout_is(&format!("{}\n", scene.pair.access))
                .stderr_is("");
        }
        assert_eq!(scene.sentry.requests().len(), 0);
        writer.execute_batch("ROLLBACK").unwrap();
        scene.is_alive();
    }
}

#[test]
fn a_writer_that_comes_between_request_and_commit_is_waited_for() {
    let scene = Machine::new().session(Age::EXPIRED);
    let refresh = held_refresh(&scene);
    let writer = scene.database();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    scene.sentry.release();
    refresh.wait_for_stderr(&format!(
        "the new pair cannot be stored yet: {} {BUSY}",
        scene.sandbox.db().display()
    ));
    writer
        .execute_batch("UPDATE accounts SET name = 'Ann'; COMMIT")
        .unwrap();
    gets_the_new_token(&scene, refresh);
}

/// A refresh that could not be stored for a minute; the database has the former pair.
fn kept_aside(scene: &Machine) -> PathBuf {
    let trace = scene.sandbox.root().join("trace");
    let calls = "open,openat,write,fsync,fallocate,renameat2";
    let refresh = held(scene, scene.token().traced(calls, &trace));
    let writer = scene.database();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    scene.sentry.release();
    let told = refresh.wait().fails(1).stdout_is("");
    let kept = scene.file("credential.recovery");
    // The parent does not wait for a whole minute; strace does.
    let told = told
        .stderr_has("error: a refresh that began at ")
        .stderr_has(" cannot store its token yet, pid ");
    let current = scene.sentry.current();
    told.never_says(&current.access)
        .never_says(&current.refresh);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    // Space before the request; then content, file, name and directory on the disk.
    let trace = read_trace(&trace);
    let mut rest = trace.as_str();
    for step in [
        "credential.reserve\", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600) = ".to_owned(),
        "credential.reserve>, 0, 0, 32768) = 0".to_owned(),
        "cli.db-wal>) = 0".to_owned(),
        "\"{\\\"version".to_owned(),
        "fsync(".to_owned(),
        "renameat2(".to_owned(),
        format!("\"{}\", RENAME_NOREPLACE) = 0", kept.display()),
        format!("<{}>) = 0", scene.dir().display()),
    ] {
        let at = rest
            .find(&step)
            .unwrap_or_else(|| panic!("no {step} in\n{rest}\nof\n{trace}"));
        rest = &rest[at..];
    }
    kept
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "fallocate(2)")]
fn what_a_writer_keeps_from_the_database_for_a_minute_waits_beside_it_and_is_imported_once() {
    let scene = Machine::new().session(Age::EXPIRED);
    let kept = kept_aside(&scene);
    let current = scene.sentry.current();
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(
        kept.metadata().unwrap().len(),
        fs::read(&kept).unwrap().len() as u64
    );
    let content = fs::read(&kept).unwrap();
    let said: Value = serde_json::from_slice(&content).expect("JSON and nothing else");
    assert_eq!(said["token"], current.access.as_str());
    assert_eq!(said["refresh_token"], current.refresh.as_str());
    assert_eq!(said["old_refresh_token"], scene.pair.refresh.as_str());

    // Restored for each of the cases below.
    let row = "SELECT token, refresh_token FROM accounts";
    let stored = || -> (Option<String>, Option<String>) {
        scene
            .database()
            .query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    };
    let again = |sql: &str| {
        let pair = &scene.pair;
        scene.sql(&format!(
            "UPDATE accounts SET token = '{}', refresh_token = '{}', expires_at = 1; {sql}",
            pair.access, pair.refresh
        ));
        fs::write(&kept, &content).unwrap();
    };
    let new = (Some(current.access.clone()), Some(current.refresh.clone()));

    // By the first command.
    for reader in scene.readers() {
        again("");
        reader.run().success().stdout_has(&current.access);
        assert!(!kept.exists());
        assert_eq!(stored(), new);
    }
    // Another program cleared the pair that was spent.
    again("UPDATE accounts SET token = NULL, refresh_token = NULL");
    scene.serves(&current.access);
    assert!(!kept.exists());
    assert_eq!(stored(), new);
    // The row has another key by now.
    again("UPDATE accounts SET account_id = 'another'");
    scene.serves(&current.access);
    assert_eq!(stored(), new);
    // Another login won.
    again(
        "UPDATE accounts SET token = 'other', refresh_token = 'other-refresh', expires_at = NULL",
    );
    scene.serves("other");
    scene
        .sandbox
        .sentry(&["auth", "switch", &scene.sentry.url()])
        .run()
        .success();
    assert!(!kept.exists());
    assert_eq!(
        stored(),
        (Some("other".into()), Some("other-refresh".into()))
    );
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    // A logout removes the valid pair.
    again("");
    scene.sandbox.sentry(&["auth", "logout"]).run().success();
    for secret in [
        &current.access,
        &current.refresh,
        &scene.pair.access,
        &scene.pair.refresh,
    ] {
        assert_eq!(files_with(&scene.dir(), secret), Vec::<String>::new());
    }
    // Nothing comes back.
    fs::write(&kept, &content).unwrap();
    scene.is_logged_out();
    scene
        .sandbox
        .git_credential("store")
        .stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n")
        .run()
        .success();
    let rows: i64 = scene
        .database()
        .query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_pair_that_waits_follows_its_row_through_a_migration() {
    // Written for the only row of `auth`, found in `accounts`.
    let scene = Machine::new().session(Age::EXPIRED);
    let new = scene.sentry.issue();
    scene.keep_aside_for("auth", &new);
    scene.serves(&new.access);
    assert_eq!(scene.sandbox.stored_tokens(), Some(new));
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
fn a_reader_that_stays_delays_nothing_and_former_secrets_go_with_the_next_change() {
    let scene = Machine::new().session(Age::EXPIRED);
    let reader = scene.database();
    reader.execute_batch("BEGIN").unwrap();
    let _reading: i64 = reader
        .query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))
        .unwrap();
    scene.token().run().success();
    scene.serves(&scene.sentry.current_access());
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
    drop(reader);
    scene.is_alive();
    for secret in [&scene.pair.access, &scene.pair.refresh] {
        assert_eq!(files_with(&scene.dir(), secret), Vec::<String>::new());
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_token_is_on_the_disk_before_it_is_returned() {
    for scene in [
        Machine::new().session(Age::EXPIRED),
        Machine::new().session(Age::EXPIRED).in_rollback_mode(),
    ] {
        let trace = scene.sandbox.root().join("trace");
        let calls = "pwrite64,fsync,fdatasync,write,sendto";
        let token = scene.token().traced(calls, &trace).run().success();
        token.stdout_is(&format!("{}\n", scene.sentry.current_access()));
        let trace = read_trace(&trace);
        let lines: Vec<&str> = trace.lines().collect();
        let last = |what: &dyn Fn(&str) -> bool| lines.iter().rposition(|line| what(line));
        let of_database = |line: &str| line.contains("/cli.db");
        let written =
            last(&|line| line.contains("pwrite64(") && of_database(line)).expect("a write");
        let synced = last(&|line| line.contains("sync(") && of_database(line)).expect("a sync");
        let said = last(&|line| line.contains("write(1<")).expect("an answer");
        assert!(written < synced && synced < said, "{trace}");
        // The intent, too: before the refresh token is sent.
        let sent = lines
            .iter()
            .position(|line| line.contains("sendto(") || line.contains("POST /oauth/token"))
            .expect("a request");
        let before = |what: &dyn Fn(&str) -> bool| {
            lines[..sent]
                .iter()
                .rposition(|line| what(line))
                .expect("before the request")
        };
        let written = before(&|line| line.contains("pwrite64(") && of_database(line));
        let synced = before(&|line| line.contains("sync(") && of_database(line));
        assert!(written < synced, "{trace}");
    }
}

// The directory `cli.db.lock`.

fn mutex(scene: &Machine) -> PathBuf {
    scene.file("cli.db.lock")
}

/// Sets its age to two minutes.
fn aged(scene: &Machine, path: &PathBuf) {
    let touch = scene.sandbox.command("touch").args(["-d", "2 minutes ago"]);
    touch.arg(path).run().success();
}

#[track_caller]
fn is_respected(scene: &Machine) {
    let db = scene.sandbox.db();
    let token = scene.token().run().fails(1).stdout_is("");
    token.stderr_is(&format!(
        "error: not refreshed, because the new token could not be stored: {0} is in use by another program: \
         {0}.lock exists\n",
        db.display()
    ));
    assert_eq!(scene.sentry.requests().len(), 0);
    assert!(mutex(scene).exists());
}

#[test]
fn a_database_without_a_log_is_not_written_while_the_wasm_driver_has_it() {
    let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
    fs::create_dir(mutex(&scene)).unwrap();
    is_respected(&scene);
    fs::remove_dir(mutex(&scene)).unwrap();
    scene.is_alive();
    assert!(!mutex(&scene).exists());

    for age in [Age::FRESH, Age::STALE] {
        let scene = Machine::new().session(age).in_rollback_mode();
        fs::create_dir(mutex(&scene)).unwrap();
        scene
            .token()
            .run()
            .success()
            .stdout_is(&format!("{}\n", scene.pair.access));
        assert_eq!(scene.sentry.requests().len(), 0);
    }
}

#[test]
fn the_wasm_driver_is_waited_for_when_it_comes_between_request_and_commit() {
    let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
    let refresh = held_refresh(&scene);
    // No lock of this kind is held across the network.
    fs::create_dir(mutex(&scene)).unwrap();
    scene.sentry.release();
    refresh.wait_for_stderr("the new pair cannot be stored yet: ");
    fs::remove_dir(mutex(&scene)).unwrap();
    gets_the_new_token(&scene, refresh);
    assert_eq!(scene.names(), ["cli.db", "credential.lock"]);
}

#[test]
fn with_a_log_the_directory_of_the_wasm_driver_means_nothing() {
    let scene = Machine::new().session(Age::EXPIRED);
    fs::create_dir(mutex(&scene)).unwrap();
    scene.is_alive();
    assert!(mutex(&scene).exists());
}

#[test]
fn a_lock_directory_of_a_dead_process_is_removed() {
    let dead = {
        let scene = Machine::new().session(Age::FRESH);
        let gone = scene.sandbox.command("true").spawn();
        let id = gone.pid().as_raw_nonzero();
        gone.wait().success();
        id.to_string()
    };
    for owner in [None, Some(dead.as_str()), Some("nonsense"), Some("")] {
        let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
        fs::create_dir(mutex(&scene)).unwrap();
        aged(&scene, &mutex(&scene));
        if let Some(owner) = owner {
            fs::write(scene.file("cli.db.lock.owner"), owner).unwrap();
        }
        scene.is_alive();
        assert!(!mutex(&scene).exists());
        // That file is not ours.
        assert_eq!(scene.file("cli.db.lock.owner").exists(), owner.is_some());
    }
}

#[test]
fn what_a_living_program_holds_or_what_is_no_mere_directory_stays() {
    let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
    fs::create_dir(mutex(&scene)).unwrap();
    aged(&scene, &mutex(&scene));
    fs::write(
        scene.file("cli.db.lock.owner"),
        std::process::id().to_string(),
    )
    .unwrap();
    is_respected(&scene);

    let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
    fs::create_dir(mutex(&scene)).unwrap();
    fs::write(mutex(&scene).join("precious"), "x").unwrap();
    aged(&scene, &mutex(&scene));
    is_respected(&scene);
    assert!(mutex(&scene).join("precious").exists());

    let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
    fs::write(mutex(&scene), "").unwrap();
    aged(&scene, &mutex(&scene));
    is_respected(&scene);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn each_write_to_a_database_without_a_log_lies_within_the_directory() {
    let scene = Machine::new().session(Age::EXPIRED).in_rollback_mode();
    let trace = scene.sandbox.root().join("trace");
    let calls = "mkdir,mkdirat,rmdir,unlinkat,pwrite64,sendto";
    scene.token().traced(calls, &trace).run().success();
    let mut inside = false;
    let (mut made, mut written) = (0, 0);
    for line in read_trace(&trace).lines() {
        let of_mutex = line.contains("cli.db.lock\"");
        if of_mutex && line.contains("mkdir") {
            assert!(!inside, "{line}");
            (inside, made) = (true, made + 1);
        } else if of_mutex {
            assert!(inside, "{line}");
            inside = false;
        } else if line.contains("pwrite64(") && line.contains("/cli.db") {
            assert!(inside, "{line}");
            written += 1;
        } else if line.contains("sendto(") {
            assert!(!inside, "{line}");
        }
    }
    assert!(!inside && made >= 2 && written >= 2);
}

// Our own lock.

#[test]
fn a_stopped_exchange_withholds_no_valid_token_and_continues_where_it_was() {
    let scene = Machine::new().session(Age::STALE);
    let refresh = held_refresh(&scene);
    let stopped = Stopped::stop(refresh.exchange());
    // At once: each waits for a few seconds, and the one that started it for 12.
    for reader in scene.readers().map(Cmd::spawn) {
        reader.wait().success().stdout_has(&scene.pair.access);
    }
    scene.sentry.release();
    drop(stopped);
    gets_the_new_token(&scene, refresh);
}

#[test]
fn an_exchange_that_is_stopped_for_ever_is_not_waited_for_for_ever() {
    let scene = Machine::new().session(Age::EXPIRED);
    let refresh = held_refresh(&scene);
    let exchange = refresh.exchange();
    let _stopped = Stopped::stop(exchange);
    let told = scene.token().run();
    kill_process(exchange, Signal::KILL).unwrap();
    let told = told.fails(1).stdout_is("");
    told.stderr_has(&format!(
        "error: the token for {} has expired and cannot be refreshed now: ",
        scene.sentry.url()
    ))
    .stderr_has("a refresh that began at 20")
    .stderr_has("pid ");
    assert_eq!(scene.sentry.refresh_attempts(), 1);
}

#[test]
fn an_exchange_that_is_killed_after_its_request_leaves_the_pair_to_be_tried_once_more() {
    let scene = Machine::new().login(Age::EXPIRED);
    let refresh = held_refresh(&scene);
    kill_process(refresh.exchange(), Signal::KILL).unwrap();
    refresh
        .wait()
        .fails(1)
        .stdout_is("")
        .stderr_has("error: the process that was refreshing the token was killed\n");
    scene.sentry.release();
    let told = scene.token().run().fails(1).stdout_is("");
    told.stderr_has("perhaps because a refresh that began at 20");
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    scene.token().run().fails(1);
    assert_eq!(scene.sentry.refresh_attempts(), 2);
}

#[test]
fn a_get_that_is_killed_or_stopped_after_its_request_loses_nothing() {
    for signal in [Signal::KILL, Signal::STOP] {
        let scene = Machine::new().session(Age::EXPIRED);
        let mut refresh = held_refresh(&scene);
        refresh.signal(signal);
        let waiting = scene.token().spawn();
        scene.sentry.release();
        gets_the_new_token(&scene, waiting);
        // Nor does any process wait for the stopped one.
        scene.sandbox.sentry(&["auth", "logout"]).run().success();
    }
}

#[test]
fn a_process_group_that_is_killed_after_its_request_loses_nothing() {
    let scene = Machine::new().session(Age::EXPIRED);
    let refresh = held_refresh(&scene);
    let exchange = refresh.exchange();
    kill_process_group(refresh.pid(), Signal::KILL).unwrap();
    let waiting = scene.token().spawn();
    // It receives no signal: not from the closed terminal, not from the shell.
    assert_eq!(getsid(Some(exchange)).unwrap(), exchange);
    scene.sentry.release();
    gets_the_new_token(&scene, waiting);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn where_no_process_can_be_started_the_caller_does_the_exchange() {
    let scene = Machine::new().session(Age::EXPIRED);
    let trace = scene.sandbox.root().join("trace");
    let strace = [
        "-qq",
        "-f",
        "-o",
        trace.to_str().unwrap(),
        "-e",
        "trace=clone,clone3,vfork,execve",
        "-e",
        "inject=clone,clone3,vfork:error=EAGAIN:when=1",
    ];
    let refresh = scene.token().under(tool("strace"), &strace);
    let served = refresh.run().success();
    served.stdout_is(&format!("{}\n", scene.sentry.current_access()));
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    let trace = read_trace(&trace);
    assert!(trace.contains("(INJECTED)"), "{trace}");
    assert_eq!(trace.matches("execve(").count(), 1, "{trace}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn where_there_are_no_locks_a_living_token_is_served_and_a_signal_is_no_error() {
    let scene = Machine::new().session(Age::STALE);
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EIO"] {
        let injected = format!("flock:error={error}:when=1+");
        scene.serves_to(&scene.pair.access, |cmd| cmd.with_injected(&injected));
    }
    assert_eq!(scene.sentry.requests().len(), 0);
    scene
        .token()
        .with_injected("flock:error=EINTR:when=1..5")
        .run()
        .success();
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
}

// Two directories.

#[test]
fn of_two_copies_of_a_directory_the_later_one_reports_that_its_session_ended() {
    let scene = Machine::new().login(Age::EXPIRED);
    scene.sentry.set_replay(Replay::Refused);
    let copy = scene.sandbox.root().join("copy");
    let copied = scene
        .sandbox
        .command("cp")
        .arg("-r")
        .args([&scene.dir(), &copy]);
    copied.run().success();
    let theirs = |cmd: Cmd| cmd.env("SENTRY_CONFIG_DIR", &copy);
    scene.token().run().success();
    let url = scene.sentry.url();
    let second = theirs(scene.token()).run().fails(1).stdout_is("");
    second.stderr_is(&format!(
        "error: the session at {url} has ended: Sentry no longer accepts its refresh token\n\
         hint: `sentry auth login --url {url}`\n"
    ));
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    scene.fails_to(&format!("the session at {url} has ended"), theirs);
    scene.fails_to(&format!("the session at {url} has ended"), theirs);
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    scene.serves(&scene.sentry.current_access());
    assert!(scene.sentry.is_valid(&scene.sentry.current_access()));
}

#[test]
fn two_directories_know_nothing_of_each_other() {
    let (one, two) = (
        Machine::new().session(Age::EXPIRED),
        Machine::new().in_layout(Layout::Auth).session(Age::EXPIRED),
    );
    let before = fs::read(two.sandbox.db()).unwrap();
    let in_one = |cmd: Cmd| cmd.env("SENTRY_CONFIG_DIR", one.dir());
    // With the other's home directory.
    let token = in_one(
        two.sandbox
            .sentry(&["auth", "token", "--url", &one.sentry.url()]),
    );
    token
        .run()
        .success()
        .stdout_is(&format!("{}\n", one.sentry.current_access()));
    assert_eq!(fs::read(two.sandbox.db()).unwrap(), before);
    assert_eq!(two.names(), ["cli.db"]);
    assert_eq!(
        (one.sentry.refreshes(), two.sentry.requests().len()),
        (1, 0)
    );
    two.is_alive();
}

#[test]
fn what_a_killed_refresh_left_of_its_reserve_goes_with_the_next_refresh_or_logout() {
    for operation in ["refresh", "logout"] {
        let scene = Machine::new().login(Age::EXPIRED);
        let left = scene.file("credential.reserve");
        fs::write(&left, "a token").unwrap();
        let ended = scene.sandbox.sentry(&["auth", operation]).run();
        ended.success();
        assert!(!left.exists(), "{operation}");
    }
}

#[test]
fn a_file_in_place_of_the_reserve_is_not_written_and_prevents_no_refresh() {
    let plant: [fn(&Path, &Path); 2] = [
        |victim, reserve| symlink(victim, reserve).unwrap(),
        |_, reserve| fs::create_dir(reserve).unwrap(),
    ];
    for plant in plant {
        let scene = Machine::new().session(Age::EXPIRED);
        let victim = scene.sandbox.root().join("victim");
        fs::write(&victim, "precious").unwrap();
        plant(&victim, &scene.file("credential.reserve"));
        scene.token().run().success();
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
