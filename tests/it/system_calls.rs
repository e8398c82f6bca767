//! System calls that an older kernel does not know, and that the filters of older container runtimes refuse: the programs do
//! without them.
//!
//! Separate from the tests of the features, which run on the kernel of the machine. ENOSYS is what a kernel answers, gVisor,
//! and qemu; EPERM what a filter answers that was written before the call.

use crate::environment::git;
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::tool;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

const ERRORS: [&str; 2] = ["ENOSYS", "EPERM"];

/// Calls that were added since Linux 3.2, the oldest that Rust supports, and those that containers refuse.
const CALLS: &str = "openat2,statx,faccessat2,close_range,getrandom,renameat2,fallocate,landlock_create_ruleset,\
                     landlock_add_rule,landlock_restrict_self,prctl,memfd_create,copy_file_range,pidfd_open,rseq,membarrier,\
                     statfs,fstatfs,prlimit64,sched_getaffinity,sendmmsg,preadv2,pwritev2,setsid";

fn without(calls: &str, error: &str) -> impl Fn(Cmd) -> Cmd {
    let what = format!("{calls}:error={error}:when=1+");
    move |cmd| cmd.with_injected(&what)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn tokens_are_served_and_refreshed_without_newer_calls() {
    for error in ERRORS {
        let without = without(CALLS, error);
        for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
            let scene = Machine::new().session(age);
            scene.settle();
            for reader in scene.readers() {
                let served = without(reader).run().success();
                served
                    .stderr_is("")
                    .stdout_has(&scene.sentry.current().access);
            }
            scene.is_alive();
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn commands_work_without_newer_calls() {
    for error in ERRORS {
        let without = without(CALLS, error);
        let scene = Machine::new().session(Age::FRESH);
        let docker = scene.sandbox.home().join(".docker");
        fs::create_dir(&docker).unwrap();
        fs::write(docker.join("config.json"), "{}\n").unwrap();
        for args in [
            &["status"][..],
            &["list"],
            &["setup-git", "--host", "https://code.example"],
            &["setup-docker", "--registry", "r.example"],
            &["hosts"],
            &["exec", "--", "true"],
            &["uninstall"],
        ] {
            let args = [&["auth"], args].concat();
            without(scene.sandbox.sentry(&args)).run().success();
        }
    }
}

/// A directory that a repository contains, with a binding of an attacker's host, and its name in the current directory of
/// each process.
fn planted() -> (Sandbox, std::path::PathBuf) {
    let machine = Sandbox::new();
    let directory = machine.root().join("repo/sentry");
    let machine = machine
        .env("SENTRY_CONFIG_DIR", &directory)
        .env("SENTRY_AUTH_TOKEN", "token-of-the-environment");
    machine.create_store();
    machine.bind("git https://evil.example", "https://sentry.io", None);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    symlink("/proc/self/cwd", machine.root().join("link")).unwrap();
    (machine, directory)
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "/proc/self/cwd")]
fn a_directory_that_is_another_for_each_process_is_refused_without_openat2() {
    let (machine, directory) = planted();
    let link = machine.root().join("link");
    // By its own name it is the user's.
    git(&machine, "https://evil.example")
        .success()
        .stdout_has("token-of-the-environment");
    for error in ERRORS {
        for (variable, value) in [
            ("SENTRY_CONFIG_DIR", link.join("sentry")),
            ("XDG_CONFIG_HOME", link.clone()),
        ] {
            let get = machine
                .git_credential("get")
                .current_dir(directory.parent().unwrap())
                .env_remove("SENTRY_CONFIG_DIR")
                .env(variable, value)
                .stdin("protocol=https\nhost=evil.example\n");
            let refused = without("openat2", error)(get).run().fails(1);
            refused.stdout_is("").stderr_is(&format!(
                "git-credential-sentry: {variable} must not name a directory below /proc or /dev/fd\n"
            ));
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn tokens_are_served_and_refreshed_without_proc_and_temporary_files() {
    let hidden = "mount -t tmpfs none /proc; exec \"$@\"";
    for age in [Age::FRESH, Age::EXPIRED] {
        let scene = Machine::new().session(age);
        for reader in scene.readers() {
            let reader = reader.env("TMPDIR", "/nonexistent");
            let served = reader.under(tool("unshare"), &["-Urm", "sh", "-euc", hidden, "sh"]);
            let served = served.run().success().stderr_is("");
            served.stdout_has(&scene.sentry.current().access);
        }
        scene.is_alive();
    }
}
