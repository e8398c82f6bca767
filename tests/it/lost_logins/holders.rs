//! The lock is held by the worker, which inherits nothing else from its caller; a process that times out reports the
//! holder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, test_kill_process};

use super::{SOON, stores};
use crate::fake_sentry::{Endpoint, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Output, Running};
use crate::service::tool;
use crate::storage::holder_of;
use crate::terminal::TtyUser;

/// A command whose refresh is granted and not answered.
fn held(scene: &Machine, command: Cmd) -> Running {
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let running = command.spawn();
    scene.sentry.wait_for_held(SOON);
    running
}

/// What a process has open, by descriptor.
fn open_files(process: Pid) -> Vec<(String, PathBuf)> {
    let process = process.as_raw_pid();
    let entries = fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
    let open = |entry: fs::DirEntry| {
        let descriptor = entry.file_name().into_string().expect("a number");
        Some((descriptor, fs::read_link(entry.path()).ok()?))
    };
    entries.filter_map(|entry| open(entry.ok()?)).collect()
}

fn has_open(process: Pid, file: &Path) -> bool {
    open_files(process).iter().any(|(_, open)| open == file)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn a_lock_of_the_caller_ends_with_the_caller_and_not_with_the_worker() {
    type Input = fn(&Machine) -> String;
    let programs: [(&str, Input); 3] = [
        ("sentry auth token", |_| String::new()),
        ("git-credential-sentry get", |scene| {
            format!("protocol=http\nhost={}\n", scene.sentry.address())
        }),
        ("docker-credential-sentry get", |scene| scene.sentry.url()),
    ];
    for (program, input) in programs {
        let scene = Machine::new().session(Age::EXPIRED);
        let input = input(&scene);
        a_lock_ends_with_its_holder(&scene, program, |shell| shell.stdin(input));
    }
}

/// As on FreeBSD, whose `/dev/fd` has the standard streams only.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, unshare(1)")]
fn a_lock_of_the_caller_ends_with_it_where_the_system_lists_no_descriptors() {
    let scene = Machine::new().session(Age::EXPIRED);
    let devices = scene.sandbox.root().join("dev");
    fs::create_dir_all(devices.join("fd")).unwrap();
    for name in ["null", "urandom", "fd/0", "fd/1", "fd/2"] {
        fs::write(devices.join(name), "").unwrap();
    }
    let other_devices = r#"
        for name in null urandom; do mount --bind /dev/$name "$0/$name"; done
        mount --rbind "$0" /dev
        exec "$@""#;
    let apart = [
        "-Urm",
        "sh",
        "-euc",
        other_devices,
        devices.to_str().unwrap(),
    ];
    a_lock_ends_with_its_holder(&scene, "sentry auth token", |shell| {
        shell.under(tool("unshare"), &apart)
    });
}

/// A program whose caller holds a lock is killed while it refreshes.
#[track_caller]
fn a_lock_ends_with_its_holder(scene: &Machine, program: &str, how: impl FnOnce(Cmd) -> Cmd) {
    let lock = scene.sandbox.root().join("script.lock");
    let script = format!("exec 9>\"$LOCK\"; flock 9; exec {program}");
    let shell = scene.sandbox.command("sh").args(["-c", &script]);
    let mut caller = held(scene, how(shell.env("LOCK", &lock)));
    let worker = caller.exchange();
    assert!(has_open(caller.pid(), &lock));
    // Its own streams and files, and the inherited lock: nothing else is shared.
    let of_worker: BTreeSet<PathBuf> = open_files(worker)
        .into_iter()
        .map(|(_, open)| open)
        .collect();
    for (descriptor, open) in open_files(caller.pid()) {
        let is_the_callers = ["1", "2", "9"].contains(&descriptor.as_str());
        assert!(
            !is_the_callers || !of_worker.contains(&open),
            "{program}: the worker has descriptor {descriptor} of its caller: {open:?}"
        );
    }
    caller.signal(Signal::KILL);
    caller.wait().fails(-9);
    let flock = scene.sandbox.command("flock").arg("--nonblock").arg(&lock);
    flock.arg("true").run().success();
    assert_eq!(test_kill_process(worker), Ok(()), "the worker lives on");
    scene.sentry.release();
    stores(&scene.sandbox, &scene.sentry.current());
}

/// The process that an error names as the holder of the lock.
#[track_caller]
fn named(told: &Output) -> Pid {
    let said = format!("{}{}", told.stdout, told.stderr);
    let number = said.split_once("pid ").map(|(_, rest)| rest);
    let number = number.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        &rest[..end.unwrap_or(rest.len())]
    });
    let pid = number.and_then(|number| number.parse().ok());
    pid.and_then(Pid::from_raw)
        .unwrap_or_else(|| panic!("no process is named: {said}"))
}

/// The commands that cannot work without the lock.
fn needing_the_lock(scene: &Machine) -> Vec<Running> {
    let password = "protocol=https\nhost=code.example\nusername=ann\npassword=secret\n";
    let store = scene.sandbox.git_credential("store").stdin(password);
    let logout = scene.sandbox.sentry(&["auth", "logout"]);
    let all = scene.readers().into_iter().chain([store, logout]);
    all.map(Cmd::spawn).collect()
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "/proc/locks")]
fn a_timeout_of_the_lock_reports_its_holder() {
    let ours = Machine::new().login(Age::EXPIRED);
    let first = held(&ours, ours.token());
    let theirs = Machine::new().login(Age::EXPIRED);
    let holder = holder_of(&theirs.sandbox, "credential.lock");
    let (at_ours, at_theirs) = (needing_the_lock(&ours), needing_the_lock(&theirs));
    let lock = ours.file("credential.lock").canonicalize().expect("a lock");
    for waiting in at_ours {
        let told = waiting.wait().fails(1);
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(said.contains("a refresh that began at 20"), "{said}");
        let holder = named(&told);
        assert!(has_open(holder, &lock), "{holder:?} has no lock: {said}");
    }
    for waiting in at_theirs {
        let told = waiting.wait().fails(1);
        assert_eq!(named(&told), holder.pid(), "{told:?}");
    }
    assert_eq!(theirs.sentry.requests().len(), 0);
    assert_eq!(theirs.sandbox.stored_tokens(), Some(theirs.pair.clone()));
    ours.sentry.release();
    let _given_up = first.wait();
    stores(&ours.sandbox, &ours.sentry.current());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn a_worker_that_another_program_starts_fails_and_does_nothing() {
    let scene = Machine::new().login(Age::EXPIRED);
    // The name of a real one.
    let token = held(&scene, scene.token());
    let worker = token.exchange().as_raw_pid();
    let line = fs::read(format!("/proc/{worker}/cmdline")).expect("a process");
    let line = String::from_utf8(line).expect("text");
    let real: Vec<&str> = line.split_terminator('\0').skip(1).collect();
    scene.sentry.release();
    token.wait().success();
    let before = (scene.sandbox.stored_tokens(), scene.sentry.requests().len());

    let arguments = [vec![real[0]], real.clone(), vec![real[0], "nonsense"]];
    let programs = [
        "sentry",
        "git-credential-sentry",
        "docker-credential-sentry",
    ];
    for program in programs {
        for arguments in &arguments {
            let cmd = || scene.sandbox.command(program).args(arguments);
            let told = cmd().run().fails(2).stdout_is("");
            assert_eq!(told.stderr.lines().count(), 1, "{told:?}");
            cmd().stdin("{}\n").run().fails(2).stdout_is("");
            let mut user = TtyUser::start(cmd());
            assert_eq!(user.wait(), 2, "{}", user.screen());
            assert_eq!(user.screen().lines().count(), 1, "{}", user.screen());
        }
    }
    let after = (scene.sandbox.stored_tokens(), scene.sentry.requests().len());
    assert_eq!(after, before);
}
