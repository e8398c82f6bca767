//! Where the store is: `SENTRY_CONFIG_DIR`, `XDG_CONFIG_HOME`, `HOME`, and what the official CLI has there.

use crate::environment::git;
use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Sandbox};
use crate::storage::{files, files_with, mode};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

/// Stores a credential and says which `cli.db` below the sandbox's root hold it now.
#[track_caller]
fn databases_after_a_store(machine: &Sandbox) -> Vec<String> {
    let _stored = machine
        .git_credential("store")
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=needle-in-the-store\n")
        .run()
        .success();
    let _found = git(machine, "https://code.example")
        .success()
        .stdout_has("needle-in-the-store");
    let mut holders: Vec<_> = files_with(machine.root(), "needle-in-the-store")
        .iter()
        .map(|file| file.rsplit_once('/').expect("a directory").0.to_owned())
        .collect();
    holders.dedup();
    holders
}

/// Puts an official CLI's store there.
fn seed_store(sandbox: Sandbox, directory: &str) -> Sandbox {
    let directory = sandbox.root().join(directory);
    let elsewhere = sandbox.env("SENTRY_CONFIG_DIR", directory);
    let sentry = FakeSentry::start();
    elsewhere.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    elsewhere.env("SENTRY_CONFIG_DIR", "")
}

#[test]
fn the_store_is_where_the_official_cli_has_one_else_in_home() {
    for (stores, xdg, expected) in [
        (&[][..], "", "home/.sentry"),
        (&[], "xdg", "home/.sentry"),
        (&["home/.config/sentry"], "", "home/.config/sentry"),
        (&["xdg/sentry"], "xdg", "xdg/sentry"),
        (&["xdg/sentry"], "", "home/.sentry"),
        (&["home/.config/sentry"], "xdg", "home/.sentry"),
        (&["home/.sentry", "xdg/sentry"], "xdg", "home/.sentry"),
        (&["home/.sentry", "home/.config/sentry"], "", "home/.sentry"),
    ] {
        let mut machine = Sandbox::new();
        for directory in stores {
            machine = seed_store(machine, directory);
        }
        if !xdg.is_empty() {
            let directory = machine.root().join(xdg);
            machine = machine.env("XDG_CONFIG_HOME", directory);
        }
        assert_eq!(
            databases_after_a_store(&machine),
            [expected],
            "with {stores:?} and {xdg:?}"
        );
        let home_store = machine.home().join(".sentry");
        assert_eq!(home_store.exists(), expected == "home/.sentry");
    }
}

#[test]
fn a_directory_without_a_store_does_not_count() {
    let machine = seed_store(Sandbox::new(), "home/.config/sentry");
    fs::create_dir(machine.home().join(".sentry")).expect("a new directory");
    fs::write(machine.home().join(".sentry/other.json"), "{}").expect("a file");
    assert_eq!(databases_after_a_store(&machine), ["home/.config/sentry"]);
}

#[test]
fn a_relative_xdg_directory_does_not_count() {
    let machine = seed_store(Sandbox::new(), "home/xdg/sentry").env("XDG_CONFIG_HOME", "xdg");
    assert_eq!(databases_after_a_store(&machine), ["home/.sentry"]);
}

#[test]
fn a_directory_that_is_named_beats_all_others() {
    let machine = seed_store(
        seed_store(Sandbox::new(), "home/.sentry"),
        "home/.config/sentry",
    );
    let directory = machine.root().join("a/b c/ü");
    let machine = machine.env("SENTRY_CONFIG_DIR", &directory);
    assert_eq!(databases_after_a_store(&machine), ["a/b c/ü"]);
    assert_eq!((mode(&directory), mode(&machine.db())), (0o700, 0o600));
}

#[test]
fn a_place_that_depends_on_the_current_directory_is_refused() {
    for (variable, value) in [
        ("SENTRY_CONFIG_DIR", "here"),
        ("SENTRY_CONFIG_DIR", "./here"),
        ("HOME", "here"),
        ("HOME", "."),
    ] {
        let machine = Sandbox::new().env(variable, value);
        let words = format!("{variable} must be an absolute path\n");
        for operation in ["get", "store"] {
            let _told = machine
                .git_credential(operation)
                .current_dir(machine.root())
                .stdin("protocol=https\nhost=code.example\nusername=u\npassword=p\n")
                .run()
                .fails(1)
                .stdout_is("")
                .stderr_is(&format!("git-credential-sentry: {words}"));
        }
        let _told = machine
            .docker_credential("list")
            .current_dir(machine.root())
            .run()
            .fails(1)
            .stdout_is(&words)
            .stderr_is("");
        let _told = machine
            .sentry(&["auth", "status"])
            .current_dir(machine.root())
            .run()
            .fails(1)
            .stderr_is(&format!("error: {words}"));
        assert!(files(machine.root()).is_empty());
    }
}

#[test]
fn a_directory_may_have_a_name_of_any_bytes() {
    for (variable, below) in [("HOME", ".sentry"), ("SENTRY_CONFIG_DIR", "")] {
        let machine = Sandbox::new();
        let directory = machine.root().join(OsStr::from_bytes(b"caf\xe9 %41?#"));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        let machine = machine.env(variable, &directory);
        let store = machine.git_credential("store");
        let credential = "protocol=https\nhost=code.example\nusername=ann\npassword=needle\n";
        let _stored = store.stdin(credential).run().success().stderr_is("");
        let database = directory.join(below).join("cli.db");
        let get = || {
            git(&machine, "https://code.example")
                .success()
                .stdout_has("needle")
        };
        let _in_use = get();
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        let file = File::options().write(true).open(database).unwrap();
        file.set_modified(long_ago).unwrap();
        let _at_rest = get();
    }
}
