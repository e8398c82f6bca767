//! `SENTRY_CREDENTIAL_TRACE`: what is done, without a secret.

use crate::environment::{described, docker, git, serves};
use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Sandbox};
use crate::storage::mode;
use std::fs;

/// Time, process and what was done, one line each.
#[track_caller]
fn steps(trace: &str) -> Vec<String> {
    let step = |line: &str| {
        let (time, rest) = line.split_once(" [").expect("a time");
        assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
        let (pid, step) = rest.split_once("] ").expect("a process");
        assert!(pid.parse::<u32>().is_ok(), "{line}");
        step.to_owned()
    };
    trace.lines().map(step).collect()
}

#[test]
fn a_trace_tells_each_step_without_a_secret() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_TRACE", "1");
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let former = sentry.current();
    let said = git(&machine, &sentry.url()).success();
    let current = sentry.current();
    // The pairs have no names that a test could know.
    let named = |step: &str| match step.split_once(['(', '{']) {
        Some((what, _)) if step.starts_with("flow: ") => what.trim_end().to_owned(),
        _ => step.to_owned(),
    };
    let steps: Vec<String> = steps(&said.stderr).iter().map(|step| named(step)).collect();
    let url = sentry.url();
    assert_eq!(
        steps[..1],
        [format!("the token of {url} is stale: Expired")]
    );
    let flow = steps.iter().filter_map(|step| step.strip_prefix("flow: "));
    let done: Vec<&str> = flow
        .map(|step| step.split(" -> ").next().unwrap_or(step))
        .map(|step| step.split(" Usable").next().unwrap_or(step))
        .collect();
    assert_eq!(
        done,
        [
            "begin refresh",
            "TryLock",
            "Import",
            "Read",
            "begin worker",
            "Read",
            "Intend",
            "Post",
            "Swap",
            "End",
            "Delegate",
            "Look",
            "End",
        ]
    );
    let served = format!(
        "git {url}: the session of {url} (it is a Sentry instance, where jane is the active account)"
    );
    assert_eq!(steps.last(), Some(&served));
    for secret in [
        &former.access,
        &former.refresh,
        &current.access,
        &current.refresh,
    ] {
        assert!(!said.stderr.contains(secret));
    }
}

#[test]
fn a_trace_tells_where_a_credential_came_from() {
    let machine = Sandbox::new()
        .env("SENTRY_CREDENTIAL_TRACE", "1")
        .env("SENTRY_TOKEN", "token-of-the-environment");
    let store = || machine.git_credential("store");
    let _stored = store()
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=needle\n")
        .run()
        .success()
        .never_says("needle");
    for (origin, step) in [
        (
            "https://code.example",
            "git https://code.example: a stored credential (it belongs to no Sentry instance)",
        ),
        (
            "https://sentry.io",
            "git https://sentry.io: SENTRY_TOKEN (it is the instance of the token in SENTRY_TOKEN)",
        ),
        (
            "https://other.example",
            "git https://other.example: nothing \
             (it belongs to no Sentry instance, and nothing is stored for it)",
        ),
    ] {
        let said = git(&machine, origin).success();
        assert_eq!(steps(&said.stderr), [step]);
    }
    let said = git(&machine, "https://sentry.io\\.evil.com").success();
    assert_eq!(
        steps(&said.stderr),
        ["the host is outside the grammar of an origin"]
    );
    let said = docker(&machine, "https://sentry.io/v2/").success();
    assert_eq!(
        steps(&said.stderr),
        ["docker sentry.io/v2: SENTRY_TOKEN (it is the instance of the token in SENTRY_TOKEN)"]
    );
}

#[test]
fn a_trace_goes_to_a_file_of_ones_own() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", "token-of-the-environment");
    let file = machine.root().join("trace");
    let machine = machine.env("SENTRY_CREDENTIAL_TRACE", &file);
    let script = "umask 000; exec git-credential-sentry get";
    for _ in 0..2 {
        let _served = machine
            .command("/bin/sh")
            .args(["-c", script])
            .stdin(described("https://sentry.io"))
            .run()
            .success()
            .stderr_is("");
    }
    let trace = fs::read_to_string(&file).expect("a trace");
    let step =
        "git https://sentry.io: SENTRY_TOKEN (it is the instance of the token in SENTRY_TOKEN)";
    assert_eq!(steps(&trace), [step; 2]);
    assert!(!trace.contains("token-of-the-environment"));
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_trace_that_cannot_be_written_changes_nothing() {
    let plain = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let link = plain.root().join("link");
    let target = plain.root().join("target");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let absent = plain.root().join("absent/trace");
    let mut machine = plain;
    for place in [
        "0".to_owned(),
        "true".to_owned(),
        "relative".to_owned(),
        link.display().to_string(),
        absent.display().to_string(),
        machine.root().display().to_string(),
    ] {
        machine = machine.env("SENTRY_CREDENTIAL_TRACE", place);
        serves(&machine, "https://sentry.io", "tok");
    }
    assert!(!target.exists());
    assert!(!machine.home().join("relative").exists());
}
