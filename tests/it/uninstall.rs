//! `sentry auth uninstall`: everything that this program did is undone, and everything that others did is preserved.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::storage::{names, set_mode};

fn uninstall(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.sentry(&["auth", "uninstall"]).args(args)
}

const GIT: &str = "[user]\n\tname = jane\n[credential]\n\thelper = cache\n";
const DOCKER: &str =
    "{\n\t\"auths\": {},\n\t\"credHelpers\": {\n\t\t\"other.example\": \"pass\"\n\t}\n}";

/// A machine on which everything was set up: git, docker, podman, a login, and a password that git stored.
fn set_up() -> (FakeSentry, Sandbox) {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let home = machine.home();
    fs::write(home.join(".gitconfig"), GIT).unwrap();
    fs::create_dir(home.join(".docker")).unwrap();
    fs::write(home.join(".docker/config.json"), DOCKER).unwrap();
    let pair = sentry.issue();
    machine.seed_session(&sentry, &pair, Age::FRESH);
    for args in [
        &["setup-git", "g.example"][..],
        &["setup-docker", "r.example"],
        &["setup-docker", "--podman", "r.example"],
    ] {
        machine.sentry(&["auth"]).args(args).run().success();
    }
    let password = "protocol=https\nhost=h.example\nusername=u\npassword=p4ssword\n";
    let store = machine.git_credential("store").stdin(password);
    store.run().success();
    (sentry, machine)
}

/// All files below a directory with their content, except the database and its sidecar files.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false if name.contains("/cli.db") => all.push((name, Vec::new())),
            false => all.push((name, fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

fn read(machine: &Sandbox, name: &str) -> String {
    fs::read_to_string(machine.home().join(name)).unwrap()
}

#[test]
fn everything_is_undone_and_what_others_have_stays() {
    let (sentry, machine) = set_up();
    let told = uninstall(&machine, &[]).run().success().stdout_is("");
    let removed = format!("removed {}\n", machine.db().display());
    let dir = machine.config_dir();
    let told = told.stderr_has(&removed).never_says("p4ssword");
    let told = told.stderr_has(&format!("logged out of {}\n", sentry.url()));
    told.stderr_has(&format!(
        "hint: `rm -r {}` removes the lock files, too\n",
        dir.display()
    ));
    assert_eq!(read(&machine, ".gitconfig"), GIT);
    assert_eq!(read(&machine, ".docker/config.json"), DOCKER);
    // Empty, and another process may be waiting for them.
    assert_eq!(names(&dir), ["credential.lock"]);
    let podman = machine.root().join("run/containers/auth.json");
    let podman = fs::read_to_string(podman).unwrap();
    assert!(!podman.contains("sentry"), "{podman}");
    // A second time there is nothing to do.
    let again = uninstall(&machine, &[]).run().success();
    again.stdout_is("").never_says("removed");
    assert_eq!(names(&dir), ["credential.lock"]);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn a_dry_run_names_all_of_it_and_changes_nothing() {
    let (sentry, machine) = set_up();
    let before = files(machine.root());
    let told = uninstall(&machine, &["--dry-run"]).run().success();
    let told = told.stdout_is("").never_says("p4ssword");
    told.stderr_has("would remove `credential.https://g.example.helper=sentry`")
        .stderr_has("would unbind https://g.example")
        .stderr_has("credHelpers.r.example")
        .stderr_has(&format!("would log out of {}\n", sentry.url()))
        .stderr_has("would remove 1 credentials that git or docker stored\n")
        .stderr_has(&format!("would remove {}\n", machine.db().display()));
    assert_eq!(files(machine.root()), before);
    assert!(machine.stored_tokens().is_some());
}

#[test]
fn a_database_that_the_official_cli_uses_stays_without_what_is_ours() {
    let (_sentry, machine) = set_up();
    let store = machine.database().unwrap();
    let others = "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
        INSERT INTO metadata VALUES ('defaults.org', 'my-org');";
    store.execute_batch(others).unwrap();
    drop(store);
    let dry = uninstall(&machine, &["--dry-run"]).run().success();
    let path = machine.db().display().to_string();
    dry.stderr_has(&format!("would remove this program's tables from {path}\n"));
    let told = uninstall(&machine, &[]).run().success();
    let Output { stderr, .. } = told.stderr_has(&format!(
        "removed this program's tables from {path}, which Sentry's official CLI uses\n"
    ));
    assert!(!stderr.contains("rm -r"), "{stderr}");
    let store = machine.database().unwrap();
    let tables = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)";
    let tables: String = store.query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, "accounts,metadata,schema_version");
    let org: String = store
        .query_row("SELECT value FROM metadata", [], |row| row.get(0))
        .unwrap();
    assert_eq!(org, "my-org");
    assert_eq!(machine.stored_row().map(|row| row.token), None);
    let bytes = fs::read(machine.db()).unwrap();
    assert!(!bytes.windows(8).any(|part| part == b"p4ssword"));
    // The next login creates our tables again.
    let store = machine.git_credential("store");
    let password = "protocol=https\nhost=h.example\nusername=u\npassword=p\n";
    store.stdin(password).run().success();
}

#[test]
fn nothing_that_may_hold_tokens_stays_beside_the_database() {
    // With a database, and without one that the files could belong to.
    for has_database in [true, false] {
        let (_sentry, machine) = set_up();
        let dir = machine.config_dir();
        if !has_database {
            fs::remove_file(machine.db()).unwrap();
        }
        for name in [
            "cli.db.corrupt-1",
            "cli.db-wal.corrupt-1",
            "credential.recovery.2",
        ] {
            fs::write(dir.join(name), "garbage with a token").unwrap();
            set_mode(&dir.join(name), 0o600);
        }
        let copy = dir.join("cli.db.corrupt-1").display().to_string();
        let dry = uninstall(&machine, &["--dry-run"]).run().success();
        dry.stderr_has(&format!("would remove {copy}\n"));
        let told = uninstall(&machine, &[]).run();
        told.stderr_has(&format!("removed {copy}\n"));
        assert_eq!(names(&dir), ["credential.lock"], "{has_database}");
    }
}

#[test]
fn the_symlink_that_link_made_goes_too_and_no_other() {
    let machine = Sandbox::new();
    let bin = machine.root().join("bin");
    let elsewhere = machine.root().join("elsewhere");
    let theirs = machine.root().join("theirs");
    for dir in [&bin, &elsewhere, &theirs] {
        fs::create_dir(dir).unwrap();
    }
    let program = bin.join("sentry-credential");
    machine.copy(env!("CARGO_BIN_EXE_sentry"), &program);
    symlink("/opt/theirs/sentry", theirs.join("sentry")).unwrap();
    let dirs = [&theirs, &bin, &elsewhere].map(|dir| dir.display().to_string());
    let path = format!("{}:/usr/bin:/bin", dirs.join(":"));
    let run = |args: &[&str]| {
        let run = machine
            .command(&program)
            .args(args)
            .env("PATH", &path)
            .run();
        run.success()
    };
    run(&["link"]);
    run(&["link", elsewhere.to_str().unwrap()]);
    let links = [bin.join("sentry"), elsewhere.join("sentry")];
    let dry = run(&["uninstall", "--dry-run"]);
    for link in &links {
        let line = format!(
            "would remove {}, a symlink to this program\n",
            link.display()
        );
        dry.clone().stderr_has(&line);
        assert!(link.is_symlink());
    }
    let told = run(&["uninstall"]);
    for link in &links {
        let line = format!("removed {}, a symlink to this program\n", link.display());
        told.clone().stderr_has(&line);
        assert!(!link.is_symlink());
    }
    assert_eq!(names(&bin), ["sentry-credential"]);
    assert!(theirs.join("sentry").is_symlink());
    run(&["uninstall"]).never_says("a symlink");
}

#[test]
fn where_nothing_was_done_there_is_nothing_to_undo_and_nothing_is_made() {
    let machine = Sandbox::new();
    for args in [&[][..], &["--dry-run"]] {
        uninstall(&machine, args).run().success().stdout_is("");
        assert_eq!(names(&machine.home()), Vec::<String>::new());
    }
}

#[test]
fn what_cannot_be_undone_is_reported_and_the_rest_is_undone() {
    let (_sentry, machine) = set_up();
    fs::write(machine.home().join(".docker/config.json"), "{ broken").unwrap();
    let told = uninstall(&machine, &[]).run().fails(1);
    told.stderr_has("error: docker: ");
    assert_eq!(read(&machine, ".gitconfig"), GIT);
    assert!(!machine.db().exists());
}
