//! The restrictions of a worker before it connects, and that a refresh works within them.

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::names::Names;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::tool;
use crate::storage::SOON;
use crate::support::strace::read_trace;
use crate::tls::{NAME, Tls};
use rustix::process::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The kernel's version of Landlock; 0 without it.
fn landlock() -> Option<i32> {
    let library = "import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))";
    let machine = Sandbox::new();
    let asked = machine.command(tool("python3")).args(["-c", library]);
    let version = asked.run().success().stdout.trim().parse().unwrap();
    Some(version).filter(|version| *version > 0)
}

/// `NoNewPrivs` of a process.
fn gains_no_privileges(process: Pid) -> bool {
    let status = format!("/proc/{}/status", process.as_raw_pid());
    let status = fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("NoNewPrivs:"));
    line.unwrap().ends_with('1')
}

/// The calls of one process, in order.
fn calls_of<'a>(trace: &'a str, process: &str) -> Vec<&'a str> {
    let calls = trace.lines().filter_map(|line| line.split_once(' '));
    calls
        .filter(|(found, _)| *found == process)
        .map(|(_, call)| call.trim_start())
        .collect()
}

const CALLS: &str = "execve,prctl,landlock_restrict_self,connect,open,openat";

/// The one process of the trace that was confined, with its calls before and after.
#[track_caller]
fn confined(trace: &str) -> (Vec<&str>, Vec<&str>) {
    let processes: BTreeSet<&str> = trace
        .lines()
        .filter(|line| line.contains("PR_SET_NO_NEW_PRIVS"))
        .map(|line| line.split_once(' ').unwrap().0)
        .collect();
    assert_eq!(processes.len(), 1, "{trace}");
    let calls = calls_of(trace, processes.first().unwrap());
    let at = calls
        .iter()
        .position(|call| call.contains("PR_SET_NO_NEW_PRIVS"));
    let (before, after) = calls.split_at(at.unwrap());
    assert!(after[0].ends_with(" = 0"), "{trace}");
    (before.to_vec(), after.to_vec())
}

/// From then on it starts nothing, and opens nothing but the store; what a library tries for itself is refused.
#[track_caller]
fn reaches_only(after: &[&str], store: &Path) {
    let inside = format!("\"{}", store.display());
    let refused = match landlock() {
        Some(_) => " = -1 EACCES (Permission denied)",
        None => "",
    };
    for call in after {
        let is_open = call.starts_with("open") && !call.contains(&inside);
        let is_refused = call.contains("\"/dev/urandom\"") || call.ends_with(refused);
        assert!(!is_open || is_refused, "{call}");
        assert!(!call.starts_with("execve"), "{call}");
    }
    let is_enforced =
        |call: &&str| call.starts_with("landlock_restrict_self(") && call.ends_with(" = 0");
    assert_eq!(
        after.iter().any(is_enforced),
        landlock().is_some(),
        "{after:?}"
    );
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "Landlock")]
fn only_a_worker_is_confined_while_it_waits_for_sentry() {
    for reader in 0..3 {
        let scene = Machine::new().session(Age::EXPIRED);
        scene.sentry.fault(Endpoint::Refresh, Fault::Held);
        let reader = scene.readers()[reader].clone().spawn();
        scene.sentry.wait_for_held(SOON);
        assert!(gains_no_privileges(reader.exchange()));
        assert!(!gains_no_privileges(reader.pid()));
        scene.sentry.release();
        reader.wait().success();
        scene.is_alive();
    }
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "Landlock")]
fn a_worker_opens_its_store_only_and_its_callers_are_not_confined() {
    for scene in [
        Machine::new().session(Age::EXPIRED),
        Machine::new().session(Age::EXPIRED).in_rollback_mode(),
    ] {
        let trace = scene.sandbox.root().join("trace");
        scene.token().traced(CALLS, &trace).run().success();
        let trace = read_trace(trace);
        let (before, after) = confined(&trace);
        reaches_only(&after, &scene.dir());
        let connects = |call: &&str| call.starts_with("connect(");
        assert!(!before.iter().any(connects), "{trace}");
        assert!(after.iter().any(connects), "{trace}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Landlock")]
fn a_fresh_token_costs_no_confinement() {
    let scene = Machine::new().session(Age::FRESH);
    for reader in scene.readers() {
        let trace = scene.sandbox.root().join("trace");
        let traced = "prctl,landlock_create_ruleset,landlock_restrict_self";
        reader.traced(traced, &trace).run().success();
        let trace = read_trace(trace);
        assert!(!trace.contains("landlock"), "{trace}");
        assert!(!trace.contains("PR_SET_NO_NEW_PRIVS"), "{trace}");
    }
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "Landlock")]
fn git_is_asked_and_names_and_authorities_are_read_before() {
    let sentry = FakeSentry::start();
    let tls = Tls::with(crate::tls::Certificate::Of(NAME), &sentry);
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.move_session(&tls.url_by_name());
    // Beside the store, where the worker cannot read later.
    let authority = machine.root().join("authority.pem");
    fs::copy(tls.authority(), &authority).unwrap();
    let key = format!("http.{}.sslCAInfo", tls.url_by_name());
    let set = machine
        .command(tool("git"))
        .args(["config", "--global", &key]);
    set.arg(&authority).run().success();

    let names = Names::new(&machine, &format!("127.0.0.1 {NAME}\n"));
    let trace = machine.root().join("trace");
    let token = names.known_to(machine.sentry(&["auth", "token"]));
    let token = token.traced(CALLS, &trace).run().success();
    token.stdout_is(&format!("{}\n", sentry.current_access()));
    let trace = read_trace(trace);
    let (before, after) = confined(&trace);
    let opens = |path: &Path| {
        let path = format!("\"{}\"", path.display());
        before.iter().any(|call| call.contains(&path))
    };
    assert!(opens(&authority), "{trace}");
    reaches_only(&after, &machine.config_dir());
    // git is one of the processes that are not confined.
    let started = |line: &&str| line.contains("execve(") && line.contains("\"--get-urlmatch\"");
    let git = trace
        .lines()
        .find(started)
        .unwrap()
        .split_once(' ')
        .unwrap()
        .0;
    let calls = calls_of(&trace, git);
    assert!(
        !calls.iter().any(|call| call.contains("NO_NEW_PRIVS")),
        "{trace}"
    );
    let at = |what: &dyn Fn(&&str) -> bool| trace.lines().position(|line| what(&line));
    let restricts = |line: &&str| line.contains("PR_SET_NO_NEW_PRIVS");
    assert!(at(&started) < at(&restricts), "{trace}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_name_that_this_machines_own_files_tell_is_found() {
    let sentry = FakeSentry::start();
    let tls = Tls::with(crate::tls::Certificate::Of(NAME), &sentry);
    let authority = fs::read_to_string(tls.authority()).unwrap();
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.move_session(&tls.url_by_name());
    // As with systemd: the file in /etc is a symlink to another directory.
    let script = "set -eu
        mount -t tmpfs tmpfs /run
        mkdir /run/certificates
        echo \"127.0.0.1 $NAME\" >/run/hosts
        echo 'hosts: files' >/run/nsswitch.conf
        printf %s \"$AUTHORITY\" >/run/certificates/authority.pem
        mount --bind /run/hosts /etc/hosts
        mount --bind /run/nsswitch.conf /etc/nsswitch.conf
        mount --bind /run/certificates /etc/ssl/certs
        exec sentry auth token";
    let token = machine
        .command(tool("unshare"))
        .args(["-Urm", "sh", "-c", script]);
    let token = token.env("NAME", NAME).env("AUTHORITY", authority).run();
    let token = token.success().stderr_is("");
    token.stdout_is(&format!("{}\n", sentry.current_access()));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Landlock")]
fn a_refresh_works_with_every_version_of_landlock_and_with_none() {
    let falsified = [
        "landlock_create_ruleset:error=ENOSYS",
        "landlock_create_ruleset:error=EOPNOTSUPP",
        "landlock_create_ruleset:error=EPERM",
        "landlock_restrict_self:error=EPERM",
        "landlock_restrict_self:error=E2BIG",
        "landlock_add_rule:error=EINVAL",
    ];
    let versions = (1..=landlock().unwrap_or(0))
        .map(|version| format!("landlock_create_ruleset:retval={version}:when=1"));
    for what in falsified.map(str::to_owned).into_iter().chain(versions) {
        let scene = Machine::new().session(Age::EXPIRED);
        scene.sentry.fault(Endpoint::Refresh, Fault::Held);
        let reader = scene.token().with_injected(&what).spawn();
        scene.sentry.wait_for_held(SOON);
        scene.sentry.release();
        reader.wait().success();
        scene.is_alive();
    }
}

#[test]
fn the_store_may_be_anywhere() {
    let scene = Machine::new().session(Age::EXPIRED);
    let elsewhere = scene.sandbox.root().join("else where");
    fs::rename(scene.dir(), &elsewhere).unwrap();
    let link = scene.sandbox.root().join("link");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    for dir in [&elsewhere, &link] {
        let refresh = |cmd: Cmd| cmd.env("SENTRY_CONFIG_DIR", dir).run().success();
        let before = scene.sentry.refreshes();
        refresh(scene.refresh());
        assert_eq!(scene.sentry.refreshes(), before + 1);
        let token = refresh(scene.token());
        token.stdout_is(&format!("{}\n", scene.sentry.current_access()));
    }
}
