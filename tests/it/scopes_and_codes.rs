//! Logins other than by a user at a browser, and those for other scopes.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use crate::accounts::{BOB, user};
use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::terminal::TtyUser;

const READ_ONLY: &str = "project:read org:read event:read member:read team:read alerts:read";

/// A machine that knows no instance, but the client id of one.
fn machine() -> Sandbox {
    Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID)
}

fn with_code(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine
        .sentry(&["auth", "login", "--setup-code"])
        .args(args)
}

#[test]
fn a_setup_code_logs_in_without_a_browser_and_names_its_instance() {
    for by_variable in [true, false] {
        let (sentry, machine) = (FakeSentry::start(), machine());
        let code = sentry.setup_code();
        let cmd = match by_variable {
            true => with_code(&machine, &[]).env("SENTRY_SETUP_CODE", &code),
            false => with_code(&machine, &[]).stdin(format!("{code}\n")),
        };
        let told = cmd.run().success().stdout_is("").never_says(&code);
        told.stderr_has(&format!("logged in to {} as jane\n", sentry.url()));
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
        assert_eq!(machine.remembered_client().as_deref(), Some(CLIENT_ID));
        let asked = &sentry.requests_to(Endpoint::Token)[0];
        let mut fields: Vec<&str> = asked.form.iter().map(|(name, _)| name.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["client_id", "grant_type", "setup_code"]);
        // It is an ordinary session.
        let refresh = machine.sentry(&["auth", "refresh", "--force"]);
        refresh.run().success();
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    }
}

#[test]
fn a_setup_code_works_once_and_is_not_shown_while_it_is_typed() {
    let (sentry, machine) = (FakeSentry::start(), machine());
    let code = sentry.setup_code();
    let mut at_terminal = TtyUser::start(with_code(&machine, &[]));
    at_terminal.expect("setup code: ").type_line(&code);
    at_terminal.expect("logged in to ");
    assert_eq!(at_terminal.wait(), 0);
    assert!(!at_terminal.screen().contains(&code));
    let before = machine.stored_tokens();
    let again = with_code(&machine, &[]).stdin(&code).run().fails(1);
    again
        .never_says(&code)
        .stderr_has("refused the setup code: HTTP 400, `invalid_grant`");
    assert_eq!(machine.stored_tokens(), before);
}

#[test]
fn a_setup_code_of_another_instance_or_of_another_form_is_sent_nowhere() {
    let (sentry, machine) = (FakeSentry::start(), machine());
    let code = sentry.setup_code();
    let other = with_code(&machine, &["--url", "https://other.example"]).stdin(&code);
    let other = other.run().fails(2).never_says(&code);
    let words = format!("belongs to {}, not to https://other.example", sentry.url());
    other.stderr_has(&words);
    let claims = BASE64_STANDARD.encode(r#"{"url":"http://plain.example"}"#);
    let plain = format!("sntryc_{claims}_{}", "s".repeat(43));
    for (code, words) in [
        ("", "there is no setup code: standard input is empty"),
        ("sntryu_x", "this is no setup code"),
        (&code[..code.len() - 1], "this is no setup code"),
        (&format!("'{code}'"), "it has quotes around it"),
        (&plain, "plain http is for this machine only"),
    ] {
        let refused = with_code(&machine, &[]).stdin(code).run().fails(1);
        let refused = refused.stderr_has(words);
        let _secret = (code.len() > 10).then(|| refused.never_says(code));
    }
    for clash in [
        "--token=x",
        "--with-token",
        "--read-only",
        "--scope=org:read",
    ] {
        with_code(&machine, &[clash]).run().fails(2);
    }
    assert_eq!(sentry.requests().len(), 0);
    assert!(!machine.db().exists());
}

#[test]
fn a_setup_code_that_is_refused_or_not_answered_stores_nothing() {
    let html = Answer::new(502, "text/html", "<html>");
    let faults: [(Fault, &str); 4] = [
        (
            Answer::error(401, "invalid_client").into(),
            "; is SENTRY_CLIENT_ID that of a public OAuth application there?",
        ),
        (html.into(), "said nothing about the setup code: "),
        (Fault::ResetAfter, "said nothing about the setup code: "),
        (
            Answer::json(200, &serde_json::json!({"access_token": "a\nb"})).into(),
            "refused the setup code: HTTP 200",
        ),
    ];
    for (fault, words) in faults {
        let (sentry, machine) = (FakeSentry::start(), machine());
        sentry.fault(Endpoint::Token, fault);
        let code = sentry.setup_code();
        let refused = with_code(&machine, &[]).stdin(&code).run().fails(1);
        refused.stderr_has(words).never_says(&code);
        assert_eq!(machine.stored_row().map(|row| row.token), None);
    }
    // Another user's.
    let (sentry, machine) = (FakeSentry::start(), machine());
    sentry.set_user(user(BOB));
    let code = sentry.setup_code();
    let refused = with_code(&machine, &["jane@example.com"])
        .stdin(&code)
        .run();
    refused
        .fails(1)
        .stderr_has("the setup code is one of bob, not of jane@example.com; nothing was stored");
    assert_eq!(machine.stored_row().map(|row| row.token), None);
}

/// A session whose user requests other scopes.
fn scene() -> Machine {
    let scene = Machine::new().login(Age::FRESH);
    scene.sentry.set_interval(Some(1));
    scene
}

fn status(scene: &Machine) -> Value {
    let status = scene.sandbox.sentry(&["auth", "status", "--json"]);
    serde_json::from_str(&status.run().success().stdout).expect("JSON")
}

#[test]
fn a_refresh_with_scopes_is_a_new_login_that_replaces_the_session() {
    for (args, scopes) in [
        (&["--read-only"][..], READ_ONLY),
        (
            &["--scope", "org:read,project:releases"],
            "org:read project:releases",
        ),
        (
            &["--scope", "org:ci", "--scope", "org:read"],
            "org:ci org:read",
        ),
    ] {
        let scene = scene();
        scene.sentry.approve_next();
        let refresh = scene.sandbox.sentry(&["auth", "refresh"]).args(args);
        refresh.run().success();
        let asked = &scene.sentry.requests_to(Endpoint::DeviceCode)[0];
        assert_eq!(asked.field("scope"), Some(scopes));
        let rows = "SELECT count(*) FROM accounts";
        let rows: i64 = scene
            .database()
            .query_row(rows, [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
        let scopes: Vec<&str> = scopes.split(' ').collect();
        assert_eq!(status(&scene)["scopes"], serde_json::json!(scopes));
    }
    let scene = scene();
    scene.sentry.approve_next();
    let json = scene
        .sandbox
        .sentry(&["auth", "refresh", "--read-only", "--json"]);
    let told: Value = serde_json::from_str(&json.run().success().stdout).expect("JSON");
    assert_eq!(told["refreshed"], true);
    assert_eq!(told["instance"], scene.sentry.url());
}

#[test]
fn the_session_stays_if_the_new_login_is_denied_or_approved_by_another_user() {
    let scene = scene();
    let refresh = || scene.sandbox.sentry(&["auth", "refresh", "--read-only"]);
    scene.sentry.deny_next();
    refresh().run().fails(1);
    scene.serves(&scene.pair.access);
    scene.sentry.set_user(user(BOB));
    scene.sentry.approve_next();
    let other = refresh().run().fails(1);
    other.stderr_has("bob@example.com approved the login, not jane@example.com");
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    scene.serves(&scene.pair.access);
    assert_eq!(scene.sentry.refreshes(), 0);
}

#[test]
fn scopes_are_for_sessions_that_a_login_can_replace() {
    let scene = scene();
    let refresh = |args: &[&str]| scene.sandbox.sentry(&["auth", "refresh"]).args(args);
    refresh(&["--read-only", "--scope", "org:read"])
        .run()
        .fails(2);
    refresh(&["--scope", "two words"]).run().fails(2);
    let variable = refresh(&["--read-only"]).env("SENTRY_TOKEN", "x");
    variable.run().fails(1).stderr_has("is used as it is");
    crate::helpers::alter(&scene.sandbox, "refresh_token", &None::<String>);
    refresh(&["--read-only"])
        .run()
        .fails(1)
        .stderr_has("is an API token");
    assert_eq!(scene.sentry.device_codes(), 0);
}

#[test]
fn status_says_what_a_token_may_do_as_far_as_it_is_known() {
    let scene = scene();
    let told = scene.sandbox.sentry(&["auth", "status"]).run().success();
    let scopes = scene.sentry.current_scope().replace(' ', ", ");
    told.stdout_has(&format!("\nScopes: {scopes}\n"));
    // By the one request that is sent anyway.
    let index = |request: &crate::fake_sentry::Request| request.route() == "/api/0/";
    let asked = scene
        .sentry
        .requests()
        .iter()
        .filter(|one| index(one))
        .count();
    assert_eq!(asked, 1);
    let offline = scene.sandbox.sentry(&["auth", "status", "--offline"]);
    let told = offline.run().success();
    assert!(!told.stdout.contains("Scopes"), "{}", told.stdout);
}
