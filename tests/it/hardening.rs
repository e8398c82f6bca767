//! What other processes can read from a process while it runs and when it crashes, and through the browser that it
//! starts.

use crate::fake_sentry::{Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::storage::{SOON, unprivileged};
use crate::support::strace::read_trace;
use rustix::process::{Pid, Signal};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every command that reads a token, each about to refresh it.
fn readers() -> Vec<(Machine, Cmd)> {
    let scenes = (0..3).map(|_| Machine::new().session(Age::EXPIRED));
    let reader = |(number, scene): (usize, Machine)| {
        let reader = scene.readers()[number].clone();
        (scene, reader)
    };
    scenes.enumerate().map(reader).collect()
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "PR_SET_DUMPABLE")]
fn each_process_shuts_itself_off_before_it_opens_the_database() {
    let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent().unwrap();
    let ours = format!("execve(\"{}/", programs.display());
    for (scene, reader) in readers() {
        let trace = scene.sandbox.root().join("trace");
        let calls = "execve,prctl,prlimit64,setrlimit,open,openat";
        reader.traced(calls, &trace).run().success();
        let trace = read_trace(&trace);
        let calls: Vec<(&str, &str)> = trace
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(process, call)| (process, call.trim_start()))
            .collect();
        let started = calls.iter().filter(|(_, call)| call.starts_with(&ours));
        let processes: BTreeSet<&str> = started.map(|(process, _)| *process).collect();
        assert!(!processes.is_empty(), "{trace}");
        for process in processes {
            let of_process = calls.iter().filter(|(found, _)| *found == process);
            let calls: Vec<&str> = of_process.map(|(_, call)| *call).collect();
            let at = |what: &dyn Fn(&str) -> bool| calls.iter().position(|call| what(call));
            let undumpable = at(&|call| call == "prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0");
            let coreless =
                at(&|call| call == "prlimit64(0, RLIMIT_CORE, {rlim_cur=0, rlim_max=0}, NULL) = 0");
            let opened = at(&|call| call.starts_with("open") && call.contains("/cli.db\""));
            assert!(undumpable.is_some() && undumpable < opened, "{trace}");
            assert!(coreless.is_some() && coreless < opened, "{trace}");
            let changes = calls.iter().filter(|call| call.contains("PR_SET_DUMPABLE"));
            assert_eq!(changes.count(), 1, "{trace}");
        }
    }
}

/// Inspects a process as another process of the same user.
fn look_into(machine: &Sandbox, process: Pid, file: &str) -> i32 {
    let path = format!("/proc/{}/{file}", process.as_raw_nonzero());
    let look = machine.command("head").args(["-c", "1", &path]);
    unprivileged(look).run().code
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "PR_SET_DUMPABLE")]
fn no_process_of_the_same_user_can_read_a_process_with_secrets() {
    for (scene, reader) in readers() {
        scene.sentry.fault(Endpoint::Refresh, Fault::Held);
        let reader = unprivileged(reader).spawn();
        scene.sentry.wait_for_held(SOON);
        let sleeper = scene.sandbox.command("sh");
        let sleeper = sleeper.args(["-c", "echo asleep >&2; exec sleep 1000"]);
        let sleeper = unprivileged(sleeper).spawn();
        // Until then it is the program that drops its privileges, which cannot be inspected either.
        sleeper.wait_for_stderr("asleep");
        for file in ["environ", "maps", "auxv"] {
            assert_eq!(look_into(&scene.sandbox, sleeper.pid(), file), 0, "{file}");
            assert_eq!(look_into(&scene.sandbox, reader.pid(), file), 1, "{file}");
        }
        scene.sentry.release();
        reader.wait().success();
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, prlimit(1)")]
fn a_process_that_crashes_leaves_no_core_dump() {
    for signal in [Signal::ABORT, Signal::SEGV, Signal::QUIT] {
        for (scene, reader) in readers() {
            scene.sentry.fault(Endpoint::Refresh, Fault::Held);
            let mut reader = reader.under("prlimit", &["--core=unlimited"]).spawn();
            scene.sentry.wait_for_held(SOON);
            let limits = format!("/proc/{}/limits", reader.pid().as_raw_nonzero());
            let limits = fs::read_to_string(limits).unwrap();
            let core = limits.lines().find(|line| line.contains("core file size"));
            let words: Vec<_> = core.unwrap().split_whitespace().collect();
            assert_eq!(words[4..6], ["0", "0"], "{limits}");
            reader.signal(signal);
            scene.sentry.release();
            let _dead = reader.wait();
            let names = crate::storage::names(&scene.sandbox.home());
            assert_eq!(names, [".sentry"]);
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, strace(1)")]
fn the_browser_gets_an_address_and_nothing_else() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.approve_next();
    sentry.rewrite(Endpoint::DeviceCode, |answer| {
        let url = answer["verification_uri"].as_str().unwrap();
        answer["verification_uri_complete"] = format!("{url}?$(id)`id`|;'\"\\<>").into();
    });
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_TOKEN", "sntryu_needle")
        .env("SENTRY_CUSTOM_HEADERS", "needle: 1")
        .env("DISPLAY", ":0");
    let browser = machine.root().join("browser");
    let script = "#!/bin/sh\n\
        env >\"$0.env\"\n\
        (ls -l /proc/$$/fd) >\"$0.fds\"\n\
        cut -d' ' -f1,6 /proc/$$/stat >\"$0.session\"\n\
        printf '%s\\n' \"$#\" \"$@\" >\"$0.args\"\n";
    let install = "cat >\"$0\"; chmod +x \"$0\"";
    let install = machine.command("sh").args(["-c", install]).arg(&browser);
    install.stdin(script).run().success();
    // strace waits for the browser too.
    let trace = machine.root().join("trace");
    // A script that has a lock.
    let script = "exec 7>\"$HOME/lock\"; exec sentry auth login";
    let login = machine.command("sh").args(["-c", script]);
    let login = login.env("BROWSER", &browser);
    login.traced("execve", &trace).run().success();
    let said = |what: &str| fs::read_to_string(browser.with_extension(what)).unwrap();

    let query = "%24%28id%29%60id%60%7C%3B%27%22%5C%3C%3E";
    let args = format!("1\n{}/oauth/device/?{query}\n", sentry.url());
    assert_eq!(said("args"), args);
    let env = said("env");
    assert!(
        !env.contains("SENTRY_") && env.contains("DISPLAY=:0\n"),
        "{env}"
    );
    for line in said("fds").lines().filter(|line| line.contains(" -> ")) {
        let (_, target) = line.rsplit_once(" -> ").unwrap();
        // The second one is what the shell reads.
        let harmless = [Path::new("/dev/null"), &browser];
        assert!(harmless.contains(&Path::new(target)), "{line}");
    }
    let session = said("session");
    let (process, session) = session.trim().split_once(' ').unwrap();
    assert_eq!(process, session);
}
