//! Runs the commands that `doctor` suggests for git and docker, and checks that `doctor` then reports nothing more.

use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Cmd, Sandbox};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A machine with a session, or without; commands run in a repository.
struct Scene {
    sentry: FakeSentry,
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Scene {
        let sentry = FakeSentry::start();
        // Without a login the doctor asks https://sentry.io, which is not there.
        let sandbox = Sandbox::new().env("HTTPS_PROXY", "http://127.0.0.1:1");
        let machine = Scene { sentry, sandbox };
        machine.run("git init --quiet work");
        machine
    }

    fn logged_in() -> Scene {
        let machine = Scene::new();
        let pair = machine.sentry.issue();
        machine
            .sandbox
            .seed_session(&machine.sentry, &pair, Age::FRESH);
        machine
    }

    fn work(&self) -> PathBuf {
        let work = self.sandbox.home().join("work");
        if work.exists() {
            work
        } else {
            self.sandbox.home()
        }
    }

    fn shell(&self, script: &str) -> Cmd {
        let shell = self.sandbox.command("bash").args(["-euc", script]);
        shell.current_dir(self.work()).env("URL", self.sentry.url())
    }

    #[track_caller]
    fn run(&self, script: &str) {
        self.shell(script).run().success();
    }

    fn docker(&self, config: &Value) {
        let dir = self.sandbox.home().join(".docker");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("config.json"), config.to_string()).unwrap();
    }

    /// The problems of git and docker: each message, and its remedy.
    #[track_caller]
    fn troubles(&self, before: &str) -> Vec<(String, String)> {
        let script = format!("{before}sentry auth doctor --json || :");
        let report = self.shell(&script).run().success();
        let report: Value = serde_json::from_str(&report.stdout).expect("JSON");
        let checks = report["checks"].as_array().expect("an array").clone();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        checks
            .iter()
            .filter(|check| ["git", "docker"].contains(&text(&check["name"]).as_str()))
            .filter(|check| check["state"] != "ok")
            .map(|check| (text(&check["message"]), text(&check["hint"])))
            .collect()
    }

    /// Runs the remedies one after the other, until no problem is left.
    #[track_caller]
    fn closes(&self, expected: &str, before: &str) {
        let troubles = self.troubles(before);
        assert!(
            troubles
                .iter()
                .any(|(message, _)| message.contains(expected)),
            "{expected} is not among {troubles:?}"
        );
        for (message, hint) in &troubles {
            let command = hint
                .strip_prefix('`')
                .and_then(|hint| hint.strip_suffix('`'));
            let command = command.unwrap_or_else(|| panic!("{message}: cannot type {hint:?}"));
            // One remedy may fix two problems, and an exported variable ends with its shell.
            let alone = format!("{before}{command}\nsentry auth doctor --json || :");
            let report = self.shell(&alone).run().success();
            let report = report.stdout.replace("\\\"", "\"");
            assert!(
                !report.contains(message.as_str()),
                "`{command}` leaves {message}"
            );
        }
        if !troubles
            .iter()
            .any(|(_, hint)| hint.starts_with("`export "))
        {
            assert_eq!(self.troubles(before), []);
        }
    }
}

#[test]
fn the_remedies_for_git_fix_the_problem() {
    for (trouble, arrange) in [
        (
            "git does not call this program for https://g.example",
            "sentry auth setup-git --host g.example --username \"it's me\"; rm ~/.gitconfig",
        ),
        (
            "git does not call this program for https://g.example",
            "sentry auth setup-git --host g.example; git config credential.helper ''",
        ),
        (
            "for https://g.example git also calls `store`",
            "sentry auth setup-git --host g.example; git config --global credential.helper store",
        ),
        (
            "for https://g.example git also calls `store`",
            "sentry auth setup-git --host g.example; git config credential.helper store",
        ),
        (
            "for https://g.example git also calls `store`",
            "sentry auth setup-git --host g.example; printf '[credential]\\n\\thelper = store\\n' > .git/more; \
             git config include.path more",
        ),
        (
            "for https://g.example git also calls `cache`",
            "sentry auth setup-git --local --host g.example; git config extensions.worktreeConfig true; \
             git config --worktree credential.helper 'cache --timeout 9'",
        ),
        (
            "for https://g.example git also calls a shell command",
            "sentry auth setup-git --host g.example; git config extensions.worktreeConfig true; \
             git config --worktree credential.helper '!f() { echo password=x; }; f'",
        ),
        (
            "for https://g.example git also calls `store`",
            "sentry auth setup-git --host g.example; git config --global credential.https://jane@g.example.helper store",
        ),
        (
            "which is bound to no instance",
            "git config --global credential.https://g.example.helper sentry",
        ),
        (
            "which does not exist",
            "git config --global credential.helper '/opt/a b/git-credential-sentry'",
        ),
        (
            "which does not exist",
            "git config --global credential.helper '/opt/a\\ b/git-credential-sentry'",
        ),
        (
            "which does not exist",
            "git config credential.https://x.example.helper \"!'/opt/a.b/gh' auth\"",
        ),
        (
            "which does not exist",
            "sentry auth setup-git --host g.example; \
             git config --global --replace-all credential.https://g.example.helper /opt/git-credential-sentry",
        ),
        (
            "which cannot be executed",
            "sentry auth setup-git --host g.example; : > ~/git-credential-sentry; \
             git config --global --replace-all credential.https://g.example.helper ~/git-credential-sentry",
        ),
        (
            "with arguments, which it does not take",
            "sentry auth setup-git --host g.example; \
             git config --global --replace-all credential.https://g.example.helper 'sentry --verbose'",
        ),
        (
            "with arguments, which it does not take",
            "git config --global credential.helper 'sentry -v'",
        ),
        (
            "git does not call this program for https://g.example",
            "sentry auth setup-git --host g.example; \
             git config --global --replace-all credential.https://g.example.helper '\"/opt/git-credential-sentry\"'",
        ),
    ] {
        let machine = Scene::logged_in();
        machine.run(arrange);
        machine.closes(trouble, "");
    }
}

#[test]
fn the_remedies_for_unused_passwords_and_logins_fix_the_problem() {
    let store = |host: &str, more: &str| {
        format!(
            "sentry auth setup-git {host}; printf 'protocol=https\\nhost={host}\\n{more}' | \
             git credential-sentry store"
        )
    };
    for (trouble, more) in [
        (
            "the password of oauth2 that git stored for https://g.example is never used",
            "username=oauth2\\npassword=p\\n",
        ),
        (
            "the password of jane that git stored for https://g.example is never used",
            "username=jane\\npath=a b\\npassword=p\\n",
        ),
        (
            "the password of jane that git stored for https://g.example is never used",
            "username=jane\\npath=it\\047s\\npassword=p\\n",
        ),
    ] {
        let machine = Scene::logged_in();
        machine.run(&store("g.example", more));
        machine.closes(trouble, "");
        assert_eq!(machine.sandbox.stored_credentials(), 0);
    }
    // An earlier version stored it beside the session.
    let machine = Scene::logged_in();
    machine.run("sentry auth setup-docker r.example --username robot");
    let stored = "INSERT INTO helper_credential (server, seq, path, username, secret) \
                  VALUES ('docker r.example', 1, 'r.example', 'ann', 'p')";
    let database = machine.sandbox.database().unwrap();
    assert_eq!(database.execute(stored, []), Ok(1));
    machine.closes(
        "the login of ann that docker stored for r.example is never used",
        "",
    );
    assert_eq!(machine.sandbox.stored_credentials(), 0);
}

#[test]
fn the_remedies_for_git_without_a_login_fix_the_problem() {
    for arrange in [
        "git config --global credential.https://g.example.helper sentry",
        "git config credential.https://g.example.helper sentry",
        "git config --global credential.https://g.example.helper \"!'/opt/a b/git-credential-sentry'\"",
    ] {
        let machine = Scene::new();
        machine.run(arrange);
        machine.closes("which is bound to no instance", "");
    }
    let machine = Scene::new();
    machine.run("sentry auth setup-git --host g.example --url \"$URL\"; rm ~/.gitconfig");
    machine.closes("git does not call this program for https://g.example", "");
}

#[test]
fn the_remedies_for_the_environment_of_git_fix_the_problem() {
    let machine = Scene::logged_in();
    machine.run("sentry auth setup-git --host g.example");
    let before =
        "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=credential.helper GIT_CONFIG_VALUE_0=store\n";
    let troubles = machine.troubles(before);
    let [(message, hint)] = &troubles[..] else {
        panic!("{troubles:?}")
    };
    assert!(message.contains("also calls `store`"));
    let after = format!("{before}{}\n", hint.trim_matches('`'));
    assert_eq!(machine.troubles(&after), []);
}

#[test]
fn the_remedies_for_the_path_fix_the_problem() {
    let machine = Scene::logged_in();
    machine.run(
        "sentry auth setup-git --host g.example; sentry auth setup-docker --registry r.example",
    );
    let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent().unwrap();
    let sentry = format!(
        "PATH=/usr/local/bin:/usr/bin:/bin; sentry() {{ {}/sentry \"$@\"; }}\n",
        programs.display()
    );
    let troubles = machine.troubles(&sentry);
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    for (_, hint) in troubles {
        let after = format!("{sentry}{}\n", hint.trim_matches('`'));
        assert_eq!(machine.troubles(&after), []);
    }
}

#[test]
fn the_remedies_for_docker_fix_the_problem() {
    let arrange_by = |machine: &Scene, script: &str, config: Value| {
        machine.run(script);
        machine.docker(&config);
    };
    let set_up = "sentry auth setup-docker --registry r.example --username 'jo e'";
    let dead = json!({"credHelpers": {"https://r.example": "sentry"}});
    let other = json!({"credHelpers": {"r.example": "pass", "R.example": "pass"}});
    for (trouble, script, config) in [
        (
            "docker does not call this program for r.example",
            set_up,
            json!({}),
        ),
        (
            "docker does not call this program for r.example",
            set_up,
            other,
        ),
        (
            "docker never looks up `credHelpers.https://r.example`",
            set_up,
            dead.clone(),
        ),
        (
            "docker never looks up `credHelpers.https://r.example`",
            ":",
            dead,
        ),
        (
            "docker never looks up `credHelpers.r.example/team`",
            ":",
            json!({"credHelpers": {"r.example/team": "sentry"}}),
        ),
        (
            "which is bound to no instance",
            ":",
            json!({"credHelpers": {"R.example:443": "sentry"}}),
        ),
        (
            "r.example was signed out",
            "sentry auth setup-docker --registry r.example; echo r.example | docker-credential-sentry erase",
            json!({"credHelpers": {"R.example": "sentry"}}),
        ),
    ] {
        let machine = Scene::logged_in();
        arrange_by(&machine, script, config.clone());
        machine.closes(trouble, "");
    }
    for (trouble, config) in [
        (
            "which is bound to no instance",
            json!({"credHelpers": {"r.example": "sentry"}}),
        ),
        (
            "docker never looks up",
            json!({"credHelpers": {"http://r.example": "sentry"}}),
        ),
    ] {
        let machine = Scene::new();
        arrange_by(&machine, ":", config);
        machine.closes(trouble, "");
    }
}

#[test]
fn the_remedies_for_podmans_file_fix_the_problem() {
    for (trouble, logged_in, key) in [
        ("docker never looks up", true, "https://r.example"),
        ("docker never looks up", false, "https://r.example"),
        ("which is bound to no instance", true, "r.example"),
        ("which is bound to no instance", false, "r.example"),
    ] {
        let machine = match logged_in {
            true => Scene::logged_in(),
            false => Scene::new(),
        };
        let auth = machine.sandbox.root().join("auth.json");
        fs::write(&auth, json!({"credHelpers": {key: "sentry"}}).to_string()).unwrap();
        let before = format!("export REGISTRY_AUTH_FILE={}\n", auth.display());
        machine.closes(trouble, &before);
    }
}
