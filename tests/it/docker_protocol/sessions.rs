//! What docker gets from a session, and that it cannot change one.

use super::{NOT_FOUND, docker, erase, gets, gets_nothing, lists, store};
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::helpers::{ENVIRONMENT, STORED, with_login, with_session_of, with_token};
use crate::sandbox::{Age, Sandbox};
use crate::terminal::TtyUser;
use serde_json::{Value, json};

/// A machine with a fresh session at https://sentry.io, and one registry bound to it.
fn with_registry(host: &str, username: Option<&str>) -> Sandbox {
    let machine = with_session_of("https://sentry.io");
    machine.bind(&format!("docker {host}"), "https://sentry.io", username);
    machine
}

/// A machine with a session of this age at a running Sentry, and `r.example` bound to it.
fn with_registry_at(sentry: &FakeSentry, age: Age) -> Sandbox {
    let machine = with_login(sentry, age);
    machine.bind("docker r.example", &sentry.url(), None);
    machine
}

/// The client gets the reason why this is not stored.
#[track_caller]
fn does_not_store(machine: &Sandbox, server: &str, username: &str, secret: &str, words: &str) {
    let login = json!({ "ServerURL": server, "Username": username, "Secret": secret });
    let told = docker(machine, "store", login.to_string());
    told.fails(1).stdout_is(words).stderr_is("");
}

#[test]
fn a_bound_registry_gets_the_session() {
    let machine = with_registry("r.example:5000", None);
    for name in [
        "r.example:5000",
        "https://r.example:5000",
        "https://R.example:5000/",
        "https://r.example:5000/v1/",
        "https://r.example:5000/v2/",
    ] {
        gets(&machine, name, "oauth2", STORED);
    }
    for other in [
        "r.example",
        "r.example:5001",
        "x.r.example:5000",
        "http://r.example:5000",
    ] {
        gets_nothing(&machine, other);
    }
    lists(&machine, &json!({ "r.example:5000": "oauth2" }));
}

#[test]
fn a_binding_has_its_own_user_name() {
    let machine = with_registry("r.example", Some("robot"));
    gets(&machine, "r.example", "robot", STORED);
    lists(&machine, &json!({ "r.example": "robot" }));
}

#[test]
fn a_registry_that_is_bound_for_git_is_not_bound_for_docker() {
    let machine = with_session_of("https://sentry.io");
    machine.bind("git https://r.example", "https://sentry.io", None);
    gets_nothing(&machine, "r.example");
    gets_nothing(&machine, "https://r.example");
    lists(&machine, &json!({}));
}

#[test]
fn of_a_password_and_the_session_the_one_is_in_force_that_was_chosen_last() {
    let machine = with_registry("r.example", None);
    store(&machine, "r.example", "ann", "secret");
    gets(&machine, "r.example", "ann", "secret");
    lists(&machine, &json!({ "r.example": "ann" }));

    machine.bind("docker r.example", "https://sentry.io", None);
    gets(&machine, "r.example", "oauth2", STORED);
    lists(&machine, &json!({ "r.example": "oauth2" }));

    store(&machine, "https://r.example/v1/", "ann", "secret");
    gets_nothing(&machine, "r.example");
    gets(&machine, "https://r.example/v1/", "ann", "secret");
    lists(&machine, &json!({ "https://r.example/v1/": "ann" }));

    // What `docker login` stores after `get` and a check.
    store(&machine, "r.example", "oauth2", STORED);
    gets(&machine, "r.example", "oauth2", STORED);
    gets(&machine, "https://r.example/v1/", "oauth2", STORED);
    lists(&machine, &json!({ "r.example": "oauth2" }));
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn the_token_of_a_session_or_of_the_environment_is_not_stored() {
    let machine = with_registry("r.example", None);
    store(&machine, "r.example", "oauth2", STORED);
    store(&machine, "sentry.io", "oauth2", STORED);
    assert_eq!(machine.stored_credentials(), 0);
    does_not_store(
        &machine,
        "other.example",
        "oauth2",
        STORED,
        "this is the token of jane at https://sentry.io; \
         `sentry auth setup-docker --registry other.example` lets other.example use it\n",
    );
    gets_nothing(&machine, "other.example");

    let machine = with_token();
    store(&machine, "sentry.io", "oauth2", ENVIRONMENT);
    lists(&machine, &json!({}));
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_logout_signs_the_registry_out_and_leaves_the_session() {
    let machine = with_registry("r.example", None);
    // What `docker logout r.example` calls.
    for name in [
        "r.example",
        "r.example",
        "http://r.example",
        "https://r.example",
    ] {
        erase(&machine, name);
    }
    gets_nothing(&machine, "r.example");
    gets_nothing(&machine, "https://r.example/v2/");
    lists(&machine, &json!({}));
    machine
        .sentry(&["auth", "token"])
        .run()
        .success()
        .stdout_is(&format!("{STORED}\n"));

    // What `docker login` stores after a check: the same token.
    store(&machine, "r.example", "oauth2", STORED);
    gets(&machine, "r.example", "oauth2", STORED);
    lists(&machine, &json!({ "r.example": "oauth2" }));
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn a_signed_out_registry_can_have_a_password_of_its_own() {
    let machine = with_registry("r.example", None);
    erase(&machine, "r.example");
    store(&machine, "r.example", "ann", "secret");
    gets(&machine, "r.example", "ann", "secret");
    lists(&machine, &json!({ "r.example": "ann" }));
    erase(&machine, "r.example");
    gets_nothing(&machine, "r.example");
    lists(&machine, &json!({}));
}

#[test]
fn a_signed_out_registry_gets_no_token_of_the_environment() {
    let machine = with_registry("r.example", None).env("SENTRY_AUTH_TOKEN", ENVIRONMENT);
    gets(&machine, "r.example", "oauth2", ENVIRONMENT);
    erase(&machine, "r.example");
    gets_nothing(&machine, "r.example");
    store(&machine, "r.example", "oauth2", ENVIRONMENT);
    gets(&machine, "r.example", "oauth2", ENVIRONMENT);
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn an_expired_token_is_refreshed_for_docker() {
    let sentry = FakeSentry::start();
    let machine = with_registry_at(&sentry, Age::EXPIRED);
    for _ in 0..3 {
        let current = docker(&machine, "get", "r.example").success().stderr_is("");
        let answer: Value = serde_json::from_str(&current.stdout).expect("JSON");
        assert_eq!(
            answer,
            json!({ "ServerURL": "r.example", "Username": "oauth2", "Secret": sentry.current_access() })
        );
        current.never_says(&sentry.current().refresh);
    }
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn an_ended_session_is_reported_in_one_sentence() {
    let sentry = FakeSentry::start();
    let machine = with_registry_at(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    let first = docker(&machine, "get", "r.example").fails(1).stderr_is("");
    first.stdout_is(&format!(
        "the session at {0} has ended: Sentry no longer accepts its refresh token \
         (hint: `sentry auth login --url {0}`)\n",
        sentry.url()
    ));
    let second = docker(&machine, "get", "r.example").fails(1).stderr_is("");
    assert_eq!(second.stdout.lines().count(), 1, "{second:?}");
    second
        .stdout_has(&format!("the session at {} has ended", sentry.url()))
        .stdout_has(&format!(
            "(hint: `sentry auth login --url {}`)\n",
            sentry.url()
        ));
    lists(&machine, &json!({}));
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn an_instance_without_a_login_is_not_found() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    gets_nothing(&machine, "https://sentry.io");
    machine.bind("docker r.example", &sentry.url(), None);
    gets_nothing(&machine, "r.example");
    lists(&machine, &json!({}));
    // At a terminal a user may log in, and goes on without if they do not.
    let mut user = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    user.expect("[Y/n]").type_line("n");
    assert_eq!(user.wait(), 1);
    assert_eq!(user.stdout(), NOT_FOUND);
    let mut user = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    assert_eq!(user.wait(), 1);
    assert_eq!(
        (user.stdout(), user.screen()),
        (NOT_FOUND.to_owned(), String::new())
    );
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn a_user_who_says_no_is_not_asked_again_by_the_next_get() {
    let sentry = FakeSentry::start();
    let machine = with_registry_at(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    let mut user = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    user.expect("[Y/n]").type_line("n");
    assert_eq!(user.wait(), 1);
    let sentence = format!("the session at {} has ended", sentry.url());
    assert!(user.stdout().starts_with(&sentence), "{}", user.stdout());
    let mut user = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    assert_eq!(user.wait(), 1);
    assert_eq!(user.screen(), "");
    assert!(user.stdout().starts_with(&sentence), "{}", user.stdout());
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn a_login_in_between_answers_the_request() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = with_registry_at(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    sentry.approve_next();
    let mut user = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    user.expect("[Y/n]").type_line("y");
    assert_eq!(user.wait(), 0, "{}", user.screen());
    let answer: Value = serde_json::from_str(&user.stdout()).expect("JSON");
    assert_eq!(
        answer,
        json!({ "ServerURL": "r.example", "Username": "oauth2", "Secret": sentry.current_access() })
    );
}
