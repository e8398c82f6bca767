//! The location of the store: `SENTRY_CONFIG_DIR`, `XDG_CONFIG_HOME`, `HOME`, and the official CLI's directories.

use crate::environment::git;
use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Sandbox};
use crate::storage::{files, files_with, mode};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Stores a credential; returns the `cli.db` files below the sandbox's root that have it now.
#[track_caller]
fn databases_after_a_store(machine: &Sandbox) -> Vec<String> {
    machine
        .git_credential("store")
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=needle-in-the-store\n")
        .run()
        .success();
    git(machine, "https://code.example")
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
            machine
                .git_credential(operation)
                .current_dir(machine.root())
                .stdin("protocol=https\nhost=code.example\nusername=u\npassword=p\n")
                .run()
                .fails(1)
                .stdout_is("")
                .stderr_is(&format!("git-credential-sentry: {words}"));
        }
        machine
            .docker_credential("list")
            .current_dir(machine.root())
            .run()
            .fails(1)
            .stdout_is(&words)
            .stderr_is("");
        machine
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
        store.stdin(credential).run().success().stderr_is("");
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
        let _of_an_idle_database = get();
    }
}

/// A store as a repository contains it: with git's file modes, and a binding of an attacker's host.
fn planted(variable: &str, directory_mode: u32, file_mode: u32) -> (Sandbox, PathBuf) {
    let repository = Sandbox::new();
    let directory = repository.root().join("repo/sentry");
    let value = match variable {
        "XDG_CONFIG_HOME" => repository.root().join("repo"),
        _ => directory.clone(),
    };
    let machine = repository
        .env("SENTRY_CONFIG_DIR", &directory)
        .env("SENTRY_AUTH_TOKEN", "token-of-the-environment");
    machine.create_store();
    for server in ["git https://evil.example", "docker evil.example"] {
        machine.bind(server, "https://sentry.io", None);
    }
    for file in fs::read_dir(&directory).expect("a directory") {
        let file = file.expect("an entry").path();
        fs::set_permissions(file, Permissions::from_mode(file_mode)).expect("our own file");
    }
    fs::set_permissions(&directory, Permissions::from_mode(directory_mode)).expect("our own");
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    let file = File::options().write(true).open(machine.db()).unwrap();
    file.set_modified(long_ago).unwrap();
    let machine = machine.env("SENTRY_CONFIG_DIR", "").env(variable, value);
    (machine, directory)
}

#[test]
fn a_directory_that_a_variable_selects_is_private_or_refused() {
    for variable in ["SENTRY_CONFIG_DIR", "XDG_CONFIG_HOME"] {
        for (directory_mode, file_mode) in [
            (0o755, 0o644),
            (0o750, 0o600),
            (0o711, 0o600),
            (0o700, 0o640),
            (0o700, 0o604),
            (0o777, 0o666),
        ] {
            let (machine, directory) = planted(variable, directory_mode, file_mode);
            let refused = git(&machine, "https://evil.example").fails(1).stdout_is("");
            let told = refused.stderr_has(&format!(
                "refusing to use {}/cli.db, which {variable} selects: ",
                directory.display()
            ));
            let docker = machine.docker_credential("get").stdin("evil.example");
            let refused = docker.run().fails(1).stderr_is("");
            refused
                .never_says("token-of-the-environment")
                .stdout_has(" selects: ");
            assert_eq!(
                (mode(&directory), mode(&directory.join("cli.db"))),
                (directory_mode, file_mode)
            );
            // The environment's own instance needs no store.
            git(&machine, "https://sentry.io")
                .success()
                .stdout_has("token-of-the-environment");

            let (_, remedy) = told.stderr.split_once("(hint: `").expect("a hint");
            let (remedy, _) = remedy.split_once('`').expect("a command");
            machine.command("sh").args(["-c", remedy]).run().success();
            git(&machine, "https://evil.example")
                .success()
                .stderr_is("")
                .stdout_has("token-of-the-environment");
        }
    }
}

#[test]
fn a_directory_that_others_could_look_into_gets_no_store_where_a_variable_selects_it() {
    let machine = Sandbox::new();
    let directory = machine.root().join("shared");
    fs::create_dir(&directory).expect("a directory");
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("our own");
    let machine = machine.env("SENTRY_CONFIG_DIR", &directory);
    let store = machine.git_credential("store");
    let credential = "protocol=https\nhost=code.example\nusername=ann\npassword=needle\n";
    let refused = store.stdin(credential).run().fails(1);
    refused.stderr_has("the directory has mode 0755, not 0700");
    assert!(files(&directory).is_empty());
}

#[test]
fn the_default_place_is_repaired_whatever_variable_names_it() {
    for variable in ["HOME", "SENTRY_CONFIG_DIR", "XDG_CONFIG_HOME"] {
        let place = match variable {
            "XDG_CONFIG_HOME" => "home/.config/sentry",
            _ => "home/.sentry",
        };
        let machine = seed_store(Sandbox::new(), place);
        let database = machine.root().join(place).join("cli.db");
        fs::set_permissions(&database, Permissions::from_mode(0o644)).expect("our own file");
        let machine = match variable {
            "HOME" => machine,
            "XDG_CONFIG_HOME" => {
                let around = machine.home().join(".config");
                machine.env(variable, around)
            }
            _ => {
                let directory = machine.root().join(place);
                machine.env(variable, directory)
            }
        };
        git(&machine, "https://code.example")
            .success()
            .stderr_has("its mode is 0600 now");
        assert_eq!(mode(&database), 0o600);
    }
}

#[test]
fn a_place_that_is_another_for_each_process_is_refused() {
    let (machine, _) = planted("SENTRY_CONFIG_DIR", 0o700, 0o600);
    let repository = machine.root().join("repo");
    let link = machine.root().join("link");
    symlink("/proc/self/cwd", &link).expect("a symlink");
    let behind_link = link.join("sentry").display().to_string();
    let words = "must not name a directory below /proc or /dev/fd\n";
    let mut values = vec![
        "/proc/self/cwd/sentry",
        "/proc/self/../self/cwd/sentry",
        "//proc/./thread-self/cwd/sentry",
        "/tmp/../proc/self/cwd/sentry",
        // The parent of a symlink's target.
        "/dev/fd/../cwd/sentry",
        "/proc/self/cwd/../repo/sentry",
        // Another machine's, as in a container that watches its host.
        "/host/proc/self/cwd/sentry",
        "/srv/proc/thread-self/root/sentry",
        "/dev/fd/3/sentry",
        "/proc",
    ];
    // By any name; only Linux has such symlinks.
    if cfg!(all(target_os = "linux", not(portable))) {
        values.push(&behind_link);
    }
    for value in values {
        let helper = machine.git_credential("get").current_dir(&repository);
        let helper = helper.env("SENTRY_CONFIG_DIR", value);
        let refused = helper.stdin("protocol=https\nhost=evil.example\n").run();
        refused
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("git-credential-sentry: SENTRY_CONFIG_DIR {words}"));
    }
    let helper = machine.git_credential("get").current_dir(&repository);
    let helper = helper
        .env_remove("SENTRY_CONFIG_DIR")
        .env("XDG_CONFIG_HOME", "/proc/self/cwd");
    let refused = helper.stdin("protocol=https\nhost=evil.example\n").run();
    let told = refused.fails(1).stdout_is("");
    told.stderr_is(&format!("git-credential-sentry: XDG_CONFIG_HOME {words}"));
    let helper = machine.git_credential("get").current_dir(&repository);
    let helper = helper.env_remove("SENTRY_CONFIG_DIR");
    let helper = helper.env("HOME", "/proc/self/cwd");
    let refused = helper.stdin("protocol=https\nhost=evil.example\n").run();
    let told = refused.fails(1).stdout_is("");
    told.stderr_is(&format!("git-credential-sentry: HOME {words}"));
    // Without a file there, nothing is selected.
    let helper = machine
        .git_credential("get")
        .env_remove("SENTRY_CONFIG_DIR");
    let helper = helper.env("XDG_CONFIG_HOME", "/proc/self/fdinfo");
    let served = helper.stdin("protocol=https\nhost=sentry.io\n").run();
    served.success().stdout_has("token-of-the-environment");
}
