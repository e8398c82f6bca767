//! A database that a git repository contains: with umask 077 it is checked out as private as one of the user's own.

use crate::environment::git;
use crate::fake_sentry::FakeSentry;
use crate::sandbox::Sandbox;
use crate::service::tools;
use crate::storage::mode;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const TOKEN: &str = "token-of-the-environment";

/// Runs a script in `repo`, with the umask of a careful user.
#[track_caller]
fn script(machine: &Sandbox, git: &Path, text: &str) {
    let text = format!(
        "set -e; umask 077; git() {{ command \"$GIT\" -c protocol.file.allow=always \"$@\"; }}; {text}"
    );
    machine
        .command("sh")
        .args(["-c", &text])
        .env("GIT", git)
        .env("GIT_AUTHOR_NAME", "a")
        .env("GIT_AUTHOR_EMAIL", "a@example.com")
        .env("GIT_COMMITTER_NAME", "a")
        .env("GIT_COMMITTER_EMAIL", "a@example.com")
        .current_dir(machine.root())
        .run()
        .success();
}

/// A machine with the directory `evil` of an attacker, which binds a host of theirs, and a token in the environment.
fn machine_with_evil_directory() -> Sandbox {
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", TOKEN);
    let directory = machine.root().join("evil/sentry");
    let theirs = machine.env("SENTRY_CONFIG_DIR", &directory);
    theirs.create_store();
    for server in ["git https://evil.example", "docker evil.example"] {
        theirs.bind(server, "https://sentry.io", None);
    }
    theirs.env("SENTRY_CONFIG_DIR", "")
}

#[track_caller]
fn is_refused(machine: Sandbox, variable: &str, value: impl AsRef<OsStr>, tree: &Path) -> Sandbox {
    let machine = machine.env(variable, value);
    let tree = fs::canonicalize(tree).expect("a work tree");
    let words = format!(
        "/cli.db, which {variable} selects: files of it are part of the git repository in {}",
        tree.display()
    );
    let refused = git(&machine, "https://evil.example").fails(1).stdout_is("");
    refused
        .stderr_has("refusing to use ")
        .stderr_has(&words)
        .stderr_has(&format!("(hint: `unset {variable}`)"));
    let docker = machine.docker_credential("get").stdin("evil.example");
    let refused = docker.run().fails(1).stderr_is("");
    refused.never_says(TOKEN).stdout_has(&words);
    for command in [
        &["auth", "list"][..],
        &["auth", "hosts"],
        &["auth", "doctor"],
        &[
            "auth",
            "setup-git",
            "x.example",
            "--url",
            "https://sentry.io",
        ],
    ] {
        let refused = machine.sentry(command).run().fails(1).never_says(TOKEN);
        assert!(
            format!("{}{}", refused.stdout, refused.stderr).contains(&words),
            "{command:?}"
        );
    }
    // The environment's own instance needs no store, and without the variable there is no binding.
    git(&machine, "https://sentry.io")
        .success()
        .stdout_has(TOKEN);
    let machine = machine.env(variable, "");
    git(&machine, "https://evil.example")
        .success()
        .stdout_is("")
        .stderr_is("");
    machine
}

#[test]
fn a_database_that_a_repository_contains_is_refused_however_private_it_is() {
    for program in tools("git") {
        let machine = machine_with_evil_directory();
        script(
            &machine,
            &program,
            "cd evil; git init -q; git add -f .; git commit -qm x; cd ..; git clone -q evil clone; \
             git -C clone worktree add -q ../linked HEAD~0; \
             git init -q outer; cd outer; git submodule --quiet add ../evil inner; git commit -qm x; cd ..; \
             git clone -q --recurse-submodules outer both",
        );
        let root = machine.root().to_owned();
        let at = |path: &str| root.join(path);
        let (directory, file) = (mode(&at("clone/sentry")), mode(&at("clone/sentry/cli.db")));
        assert_eq!((directory, file), (0o700, 0o600));
        symlink(at("clone/sentry"), at("symlink")).expect("a symlink");
        let around = at("clone/../clone/./sentry");
        let places: [(PathBuf, &str); 5] = [
            (at("clone/sentry"), "clone"),
            (around, "clone"),
            (at("symlink"), "clone"),
            (at("linked/sentry"), "linked"),
            (at("both/inner/sentry"), "both/inner"),
        ];
        let mut machine = machine;
        for (directory, tree) in places {
            machine = is_refused(machine, "SENTRY_CONFIG_DIR", directory, &at(tree));
        }
        is_refused(machine, "XDG_CONFIG_HOME", at("clone"), &at("clone"));
    }
}

#[test]
fn a_login_that_a_repository_contains_is_not_imported() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    let (token, refresh) = (&pair.access, &pair.refresh);
    let login = format!(
        r#"{{"version":1,"origin":"{}","account":null,"old_token":null,"old_refresh_token":null,"old_issued_at":null,"token":"{token}","refresh_token":"{refresh}","issued_at":null,"expires_at":null,"client_id":null,"user":{{"id":"9","username":"eve","email":null,"name":null}}}}"#,
        sentry.url()
    );
    let machine = Sandbox::new().for_sentry(&sentry);
    script(
        &machine,
        Path::new("git"),
        &format!(
            "mkdir -p evil/sentry; cd evil; printf %s '{login}' > sentry/credential.recovery; git init -q; \
             git add -f .; git commit -qm x; cd ..; git clone -q evil clone"
        ),
    );
    let directory = machine.root().join("clone/sentry");
    let machine = machine.env("SENTRY_CONFIG_DIR", &directory);
    let words =
        "/cli.db, which SENTRY_CONFIG_DIR selects: files of it are part of the git repository in ";
    let set_up = machine.sentry(&["auth", "setup-git", "code.example"]).run();
    set_up.fails(1).stderr_has(words);
    assert!(!machine.db().exists());
    // The same file elsewhere is a login.
    let copy = machine.root().join("copy");
    fs::rename(&directory, &copy).expect("our own");
    let machine = machine.env("SENTRY_CONFIG_DIR", &copy);
    machine
        .sentry(&["auth", "setup-git", "code.example"])
        .run()
        .success();
    let list = machine.sentry(&["auth", "list"]).run().success();
    list.stdout_has("eve");
}

#[test]
fn variables_and_settings_of_git_hide_no_repository() {
    let machine = machine_with_evil_directory();
    // A directory that looks like a repository of its own, which git would find first.
    script(
        &machine,
        Path::new("git"),
        "cd evil/sentry; mkdir objects refs; touch objects/x refs/x; echo ref: refs/heads/x > HEAD; \
         printf '[core]\\n\\tbare = true\\n' > config; cd ..; git init -q; git add -f .; git commit -qm x; cd ..; \
         git clone -q evil clone; printf '#!/bin/sh\\ntouch started\\n' > monitor; chmod +x monitor; \
         git -C clone config core.fsmonitor \"$PWD/monitor\"; mkdir clone/sentry/.git; \
         cp -r clone/.git .git; chown -R 65534 .git || rm -r .git",
    );
    let (root, clone) = (machine.root().to_owned(), machine.root().join("clone"));
    let machine = machine
        .env("GIT_DIR", root.join("nowhere"))
        .env("GIT_INDEX_FILE", root.join("no-index"))
        .env("GIT_WORK_TREE", &root)
        .env("GIT_LITERAL_PATHSPECS", "1");
    is_refused(machine, "SENTRY_CONFIG_DIR", clone.join("sentry"), &clone);
    assert!(!root.join("started").exists() && !clone.join("started").exists());
}

#[test]
fn a_database_that_the_user_made_inside_a_work_tree_is_used() {
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", TOKEN);
    script(
        &machine,
        Path::new("git"),
        "git init -q work; cd work; mkdir tracked; touch tracked/file; git add -A; git commit -qm x; chmod 700 tracked",
    );
    for directory in ["work/tracked", "work/new"] {
        let directory = machine.root().join(directory);
        let sentry = |args: &[&str]| machine.sentry(args).env("SENTRY_CONFIG_DIR", &directory);
        let set_up = [
            "auth",
            "setup-git",
            "code.example",
            "--url",
            "https://sentry.io",
        ];
        sentry(&set_up).run().success();
        let hosts = sentry(&["auth", "hosts"]).run().success();
        hosts.stdout_has("https://code.example (git): the token in SENTRY_AUTH_TOKEN");
        let helper = machine
            .git_credential("get")
            .env("SENTRY_CONFIG_DIR", &directory);
        let served = helper.stdin("protocol=https\nhost=code.example\n").run();
        served.success().stdout_has(TOKEN);
    }
}
