//! A full or read-only disk: what can be read is served, and no refresh token is spent without being stored.
//!
//! The disk is a tmpfs in a mount namespace of the test, which needs no root.

use crate::fake_sentry::{Endpoint, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd};
use crate::service::tool;
use crate::storage::{SOON, mode};
use crate::support::strace::read_trace;
use std::fs;
use std::path::PathBuf;

const FILL: &str = "dd if=/dev/zero of=\"$DISK/fill\" bs=1k 2>/dev/null || :";

fn disk(scene: &Machine) -> PathBuf {
    scene.sandbox.root().join("disk")
}

/// A script on a machine whose store is on a small disk: `$DISK`.
fn on_a_disk(scene: &Machine, script: &str) -> Cmd {
    let disk = disk(scene);
    fs::create_dir_all(&disk).unwrap();
    let prepared = format!(
        "set -eu; mount -t tmpfs -o size=256k,mode=700 tmpfs \"$DISK\"; cp -a \"$STORE\"/. \"$DISK\"; {script}"
    );
    scene
        .sandbox
        .command(tool("unshare"))
        .args(["-Urm", "sh", "-c", &prepared])
        .env("STORE", scene.dir())
        .env("SENTRY_CONFIG_DIR", &disk)
        .env("DISK", &disk)
        .env("URL", scene.sentry.url())
        .env("ADDRESS", scene.sentry.address().to_string())
}

const READERS: [&str; 3] = [
    "sentry auth token",
    "printf 'protocol=http\\nhost=%s\\n' \"$ADDRESS\" | git-credential-sentry get",
    "printf %s \"$URL\" | docker-credential-sentry get",
];

/// All commands return the stored token, with the disk in this state, and no refresh token is spent.
#[track_caller]
fn is_served_and_none_is_spent(state: &str) {
    for age in [Age::FRESH, Age::STALE] {
        for reader in READERS {
            let scene = Machine::new().session(age);
            let served = on_a_disk(&scene, &format!("{state}; {reader}")).run();
            served
                .success()
                .stdout_has(&scene.pair.access)
                .stderr_is("");
            assert_eq!(scene.sentry.requests().len(), 0, "{reader}");
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn on_a_full_disk_a_valid_token_is_served_and_none_is_spent() {
    is_served_and_none_is_spent(FILL);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn on_a_full_disk_an_expired_token_is_an_error_and_is_not_spent() {
    let scene = Machine::new().session(Age::EXPIRED);
    let token = on_a_disk(&scene, &format!("{FILL}; sentry auth token")).run();
    token.fails(1).stdout_is("").stderr_is(&format!(
        "error: not refreshed, because the new token could not be stored: cannot write {}/credential.recovery: \
         no space left on device\n",
        disk(&scene).display()
    ));
    assert_eq!(scene.sentry.requests().len(), 0);
    scene.is_alive();
}

/// Resumes the script that reads from `$GATE`.
fn open_gate(scene: &Machine) {
    fs::write(scene.sandbox.root().join("gate"), "\n").unwrap();
}

/// A refresh on a disk that fills up while the server answers; `then` follows in the script.
fn filled_meanwhile(scene: &Machine, then: &str) -> Cmd {
    let gate = scene.sandbox.root().join("gate");
    scene.sandbox.command("mkfifo").arg(&gate).run().success();
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let script = format!(
        "sentry auth token & job=$!; read _ <\"$GATE\"; {FILL}; echo full >&2; {then}; \
         code=0; wait $job || code=$?; rm -f \"$DISK/fill\"; cp -a \"$DISK\"/. \"$STORE\"; exit $code"
    );
    on_a_disk(scene, &script)
        .env("GATE", &gate)
        .env("SENTRY_CREDENTIAL_TRACE", "1")
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_disk_that_fills_up_during_a_refresh_and_gets_room_again_costs_nothing() {
    let scene = Machine::new().session(Age::EXPIRED);
    let running = filled_meanwhile(&scene, "read _ <\"$GATE\"; rm \"$DISK/fill\"").spawn();
    scene.sentry.wait_for_held(SOON);
    open_gate(&scene);
    running.wait_for_stderr("full");
    scene.sentry.release();
    running.wait_for_stderr("the new pair cannot be stored yet: no space left to write ");
    open_gate(&scene);
    let access = scene.sentry.current_access();
    running.wait().success().stdout_is(&format!("{access}\n"));
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
    assert!(!scene.file("credential.recovery").exists());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_pair_that_a_full_disk_does_not_take_is_kept_beside_the_database_and_imported() {
    let scene = Machine::new().session(Age::EXPIRED);
    // A minute of attempts, for which only this script waits.
    let kept = "until [ -e \"$DISK/credential.recovery\" ]; do sleep 0.1; done";
    let running = filled_meanwhile(&scene, kept).spawn();
    scene.sentry.wait_for_held(SOON);
    open_gate(&scene);
    running.wait_for_stderr("full");
    scene.sentry.release();
    let told = running.wait().fails(1).stdout_is("");
    let told = told
        .stderr_has("error: a refresh that began at ")
        .stderr_has(" cannot store its token yet, pid ");
    let current = scene.sentry.current();
    told.never_says(&current.access)
        .never_says(&current.refresh);
    let kept = scene.file("credential.recovery");
    assert_eq!(mode(&kept), 0o600);
    let kept_content = fs::read_to_string(&kept).unwrap();
    assert!(kept_content.contains(&current.refresh));
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    scene.serves(&current.access);
    assert!(!kept.exists());
    assert_eq!(scene.sandbox.stored_tokens(), Some(current));
    assert_eq!(scene.sentry.refresh_attempts(), 1);
}

const READ_ONLY: &str = "mount -o remount,ro \"$DISK\"";

#[test]
fn on_a_read_only_disk_a_valid_token_is_served_and_none_is_spent() {
    is_served_and_none_is_spent(READ_ONLY);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn on_a_read_only_disk_nothing_can_be_changed() {
    let scene = Machine::new().session(Age::EXPIRED);
    let disk = disk(&scene);
    let shown = disk.display();
    let lock = format!("cannot use the lock file {shown}/credential.lock: read-only file system\n");
    for (command, told) in [
        (
            "sentry auth token",
            format!(
                "error: the token for {} has expired and cannot be refreshed now: {lock}",
                scene.sentry.url()
            ),
        ),
        ("sentry auth logout", format!("error: {lock}")),
        (
            "printf 'protocol=https\\nhost=h.example\\nusername=u\\npassword=p\\n' | git-credential-sentry store",
            format!("git-credential-sentry: {lock}"),
        ),
    ] {
        let said = on_a_disk(&scene, &format!("{READ_ONLY}; {command}")).run();
        said.fails(1).stdout_is("").stderr_is(&told);
    }
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn on_a_full_disk_what_cannot_be_changed_names_the_cause() {
    let scene = Machine::new().session(Age::FRESH);
    let disk = disk(&scene);
    let told = format!(
        "cannot write {}/cli.db: no space left on device\n",
        disk.display()
    );
    for (command, program) in [
        ("sentry auth logout", "error"),
        (
            "printf 'protocol=https\\nhost=h.example\\nusername=u\\npassword=p\\n' | git-credential-sentry store",
            "git-credential-sentry",
        ),
    ] {
        let said = on_a_disk(&scene, &format!("{FILL}; {command}")).run();
        said.fails(1)
            .stdout_is("")
            .stderr_is(&format!("{program}: {told}"));
    }
    scene.serves(&scene.pair.access);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn the_doctor_names_a_disk_that_takes_nothing_and_no_mode_that_would_not_help() {
    let scene = Machine::new().session(Age::FRESH);
    let disk = disk(&scene);
    for (state, cause) in [
        (FILL, "no space left on device"),
        (READ_ONLY, "read-only file system"),
    ] {
        let doctor = format!("{state}; sentry auth doctor || ls -A \"$DISK\"");
        let said = on_a_disk(&scene, &doctor).run().success();
        assert!(!said.stdout.contains("chmod"), "{}", said.stdout);
        assert!(!said.stdout.contains("probe"), "{}", said.stdout);
        said.stdout_has(&format!(
            "problem  directory: {} cannot be written ({cause}): a token that is still valid is served, none is refreshed\n",
            disk.display()
        ));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_log_that_waits_to_be_read_is_read_where_nothing_can_be_written() {
    for nothing in [READ_ONLY, FILL] {
        let scene = Machine::new().session(Age::FRESH);
        scene.killed_after("UPDATE accounts SET token = 'from-the-log'");
        let sum = "$(cat \"$DISK/cli.db\" \"$DISK/cli.db-wal\" | cksum)";
        let without = format!("rm \"$DISK/cli.db-shm\"; before={sum}");
        let after = format!("test \"$before\" = \"{sum}\"");
        for reader in READERS {
            let script = format!("{without}; {nothing}; {reader}; {after}");
            let served = on_a_disk(&scene, &script).run().success();
            served.stdout_has("from-the-log").stderr_is("");
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_database_that_is_half_written_is_not_read_where_it_cannot_be_fixed() {
    let scene = Machine::new().session(Age::FRESH).in_rollback_mode();
    half_written(&scene);
    let said = on_a_disk(&scene, &format!("{READ_ONLY}; sentry auth token")).run();
    said.fails(1).stdout_is("").stderr_is(&format!(
        "error: cannot write {}/cli.db: read-only file system\n",
        disk(&scene).display()
    ));
    // It is stored as soon as that is possible.
    scene.serves(&scene.pair.access);
    assert_eq!(scene.names(), ["cli.db"]);
}

/// A transaction that was cut short after some of its pages had reached the file.
fn half_written(scene: &Machine) {
    scene.sql("CREATE TABLE filler (text); INSERT INTO filler VALUES (zeroblob(100000))");
    scene.killed_after(
        "PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE accounts SET token = 'never-committed'; \
         UPDATE filler SET text = randomblob(100000)",
    );
    let token = "never-committed".as_bytes();
    let bytes = fs::read(scene.sandbox.db()).unwrap();
    assert!(bytes.windows(token.len()).any(|window| window == token));
    assert!(scene.file("cli.db-journal").metadata().unwrap().len() > 512);
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "fallocate(2)")]
fn a_quota_is_as_good_as_a_full_disk() {
    let scene = Machine::new().session(Age::STALE);
    for injected in [
        "pwrite64:error=EDQUOT:when=1+",
        "fallocate:error=EDQUOT:when=1+",
    ] {
        scene.serves_to(&scene.pair.access, |cmd| cmd.with_injected(injected));
    }
    assert_eq!(scene.sentry.requests().len(), 0);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_new_pair_is_on_the_disk_before_it_is_returned() {
    let scene = Machine::new().session(Age::EXPIRED);
    // While another process reads, closing a connection does not sync the WAL to the disk: only the commit does.
    let reader = scene.database();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM accounts")
        .unwrap();
    let trace = scene.sandbox.root().join("trace");
    let calls = "sendto,recvfrom,pwrite64,fsync,fdatasync,write";
    scene.token().traced(calls, &trace).run().success();
    let trace = read_trace(&trace);
    let answer = scene.sentry.current_access();
    let answered = trace.find(&answer).expect("an answer of the server");
    let told = trace.find("\\\"refreshed\\\":true").expect("a report");
    let between = &trace[answered..told];
    let written = between.rfind("pwrite64(").expect("a commit");
    let synced = &between[written..];
    assert!(
        synced.contains("sync(") && synced.contains("/cli.db-wal>"),
        "{between}"
    );
}
