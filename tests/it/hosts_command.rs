//! `sentry auth hosts`: what each host would get, and how it is removed.

use crate::fake_sentry::FakeSentry;
use crate::helpers::{STORED, with_session, with_session_of};
use crate::sandbox::{Age, Output, Sandbox};
use serde_json::{Value, json};

fn hosts(machine: &Sandbox, args: &[&str]) -> Output {
    machine.sentry(&["auth", "hosts"]).args(args).run()
}

#[track_caller]
fn store(machine: &Sandbox, host: &str, username: &str) {
    let credential = format!("protocol=https\nhost={host}\nusername={username}\npassword=needle\n");
    machine
        .git_credential("store")
        .stdin(credential)
        .run()
        .success();
}

/// What `git get` and `docker get` answer for a server, by its user name.
fn answered(machine: &Sandbox, client: &str, host: &str) -> Option<String> {
    if client == "git" {
        let (protocol, host) = host.split_once("://").unwrap();
        let request = format!("protocol={protocol}\nhost={host}\n");
        let got = machine.git_credential("get").stdin(request).run();
        let line = got
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix("username="));
        return line.map(str::to_owned);
    }
    let got = machine.docker_credential("get").stdin(host).run();
    let answer: Value = serde_json::from_str(&got.stdout).ok()?;
    Some(answer["Username"].as_str().unwrap().to_owned())
}

#[test]
fn without_anything_there_is_nothing_to_show() {
    let machine = Sandbox::new();
    let shown = hosts(&machine, &[]).success().stdout_is("");
    shown.stderr_has("no host gets a credential\nhint: `sentry auth login`");
    hosts(&machine, &["--json"]).success().stdout_is("[]\n");
    let told = hosts(&machine, &["--forget", "code.example"]).fails(1);
    told.stderr_has(
        "error: nothing is known about code.example; `sentry auth hosts` lists what is\n",
    );
    assert!(!machine.config_dir().exists());
}

#[test]
fn each_host_is_shown_with_what_it_gets_and_why() {
    let machine = with_session_of("https://sentry.io");
    machine.bind(
        "git https://code.example",
        "https://sentry.io",
        Some("robot"),
    );
    machine.bind("docker r.example", "https://sentry.io", None);
    machine.bind("git https://other.example", "https://self.example", None);
    store(&machine, "code.example", "ann");
    store(&machine, "code.example", "oauth2");
    store(&machine, "x.example", "bob");
    store(&machine, "x.example", "ann");
    let shown = hosts(&machine, &[]).success().stderr_is("");
    let undated: String = shown
        .stdout
        .lines()
        .map(|line| format!("{}\n", line.split("; since ").next().unwrap()))
        .collect();
    assert_eq!(
        undated,
        "https://code.example (git): the token of jane as robot, because it is bound to https://sentry.io, \
         where jane is the active account\n\
         https://de.sentry.io, https://sentry.io, https://us.sentry.io (git, docker): the token of jane, because \
         it is a Sentry instance, where jane is the active account\n\
         https://other.example (git): nothing, because no account is logged in to https://self.example\n\
         https://x.example (git): the stored credential of ann, because it belongs to no Sentry instance\n\
         r.example (docker): the token of jane, because it is bound to https://sentry.io, \
         where jane is the active account\n\
         https://code.example (git): a stored password of oauth2 is never used\n\
         https://code.example (git): a stored password of ann is used only for requests that name the user\n\
         https://x.example (git): a stored password of bob is used only for requests that name the user\n"
    );
    assert_eq!(shown.stdout.matches("; since 20").count(), 3, "{shown:?}");
    shown.never_says("needle").never_says(STORED);
}

#[test]
fn what_is_shown_is_what_is_answered() {
    let sentry = FakeSentry::start();
    let plain = with_session(&sentry, Age::FRESH);
    plain.bind("git https://code.example", &sentry.url(), Some("robot"));
    plain.bind("docker r.example", &sentry.url(), None);
    plain.bind("docker s.example", &sentry.url(), None);
    let _out = plain.docker_credential("erase").stdin("s.example").run();
    store(&plain, "code.example", "ann");
    store(&plain, "x.example", "ann");
    let check = |machine: &Sandbox| {
        let shown = hosts(machine, &["--json"]).success();
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        let shown = shown.as_array().unwrap();
        assert!(shown.len() >= 5, "{shown:?}");
        for entry in shown {
            let text = |key: &str| entry[key].as_str().map(str::to_owned);
            let (client, host) = (text("client").unwrap(), text("host").unwrap());
            // docker means https where the instance of this test has http.
            let host = match entry["bound"] == json!(false) && client == "docker" {
                true => format!("http://{host}"),
                false => host,
            };
            let answer = answered(machine, &client, &host);
            assert_eq!(answer, text("username"), "{entry}");
            assert_eq!(
                entry["gets"] == json!("nothing"),
                answer.is_none(),
                "{entry}"
            );
        }
    };
    check(&plain);
    let machine = plain.env("SENTRY_AUTH_TOKEN", "of-the-environment");
    check(&machine);
    let machine = machine.env("SENTRY_AUTH_TOKEN", "two words");
    check(&machine);
    let machine = machine.env("SENTRY_AUTH_TOKEN", "");
    let sql = "UPDATE accounts SET token = NULL, refresh_token = NULL";
    assert_eq!(machine.database().unwrap().execute(sql, []), Ok(1));
    check(&machine);
    machine.sentry(&["auth", "logout", "--all"]).run().success();
    let shown = hosts(&machine, &["--json"]).success();
    for entry in serde_json::from_str::<Vec<Value>>(&shown.stdout).unwrap() {
        assert!(
            entry["gets"] == json!("nothing") || entry["host"] == json!("https://x.example"),
            "{entry}"
        );
    }
}

#[test]
fn an_entry_has_these_fields() {
    let machine = with_session_of("https://self.example");
    machine.bind("git https://code.example", "https://self.example", None);
    let credential =
        "protocol=https\nhost=code.example\npath=a.git\nusername=ann\npassword=needle\n";
    machine
        .git_credential("store")
        .stdin(credential)
        .run()
        .success();
    let shown = hosts(&machine, &["--json"]).success().never_says("needle");
    let mut shown: Vec<Value> = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown.len(), 3, "{shown:?}");
    let since = shown[0]["since"].take();
    assert!(
        since.as_str().is_some_and(|since| since.ends_with('Z')),
        "{since}"
    );
    assert_eq!(
        shown[0],
        json!({
            "client": "git", "host": "https://code.example", "bound": true,
        "administrator": false, "gets": "session",
            "instance": "https://self.example", "account": "jane", "username": "oauth2",
            "why": "it is bound to https://self.example, where jane is the active account", "since": null,
            "stored": [{ "username": "ann", "path": "a.git", "used": "when_named" }],
        })
    );
}

#[test]
fn a_host_that_is_forgotten_gets_nothing() {
    let machine = with_session_of("https://sentry.io");
    for name in ["code.example", "https://code.example", "CODE.example:443"] {
        machine.bind("git https://code.example", "https://sentry.io", None);
        machine.bind("docker code.example", "https://sentry.io", None);
        store(&machine, "code.example", "ann");
        let told = hosts(&machine, &["--forget", name]).success().stdout_is("");
        let told = told
            .stderr_has("removed the password that git had stored for https://code.example\n")
            .stderr_has("unbound https://code.example from https://sentry.io\n")
            .stderr_has("git still calls this program for https://code.example: `credential.https://code.example.helper` in file:")
            .stderr_has("docker still calls this program for code.example: `credHelpers` in ")
            .stderr_has("hint: `sentry auth setup-docker --undo --registry code.example`\n")
            .stderr_has("unbound code.example from https://sentry.io\n");
        assert_eq!(machine.bindings(), Vec::<String>::new());
        assert_eq!(machine.stored_credentials(), 0);
        assert_eq!(answered(&machine, "git", "https://code.example"), None);
        assert_eq!(answered(&machine, "docker", "code.example"), None);
        let hint = told
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("hint: `git ")?.strip_suffix('`'));
        let command = format!("git {}", hint.expect("a command"));
        machine.command("sh").args(["-c", &command]).run().success();
        let told = hosts(&machine, &["--forget", name]).fails(1);
        told.stderr_has("error: nothing is known about ");
    }
    // docker's paths belong to their host.
    let login = json!({ "ServerURL": "https://r.example/v1/", "Username": "ann", "Secret": "s" });
    let store = machine.docker_credential("store").stdin(login.to_string());
    store.run().success();
    hosts(&machine, &["--forget", "r.example"]).success();
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn a_login_is_not_ended_by_forgetting_its_host() {
    let machine = with_session_of("https://self.example");
    store(&machine, "self.example", "ann");
    let told = hosts(&machine, &["--forget", "self.example"]).fails(1);
    told.stderr_has("removed the password that git had stored for https://self.example\n")
        .stderr_has(
            "error: https://self.example still gets a token, because it is a Sentry instance",
        )
        .stderr_has("hint: `sentry auth logout --url https://self.example`\n");
    assert_eq!(machine.stored_credentials(), 0);
    let machine = Sandbox::new().env("SENTRY_TOKEN", "of-the-environment");
    let told = hosts(&machine, &["--forget", "sentry.io"]).fails(1);
    told.stderr_has("hint: `unset SENTRY_TOKEN`\n");
}
