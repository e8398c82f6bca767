//! Which account a login replaces, refuses or makes active.

use serde_json::Value;

use super::{BOB, JANE, Scene, organization_token, user};
use crate::fake_sentry::{Endpoint, User};

#[test]
fn a_login_replaces_the_session_of_the_same_account_only() {
    let scene = Scene::new();
    let tokens = scene.with_four();
    let ids = ["jane", "bob", "acme", "umbrella"].map(|name| scene.id(name));
    // The same user under other names.
    scene.sentry.set_user(User {
        id: JANE.0.to_owned(),
        ..user(("", "jane-of-marketing"))
    });
    scene.sentry.approve_next();
    scene
        .auth(&["login", "--url", &scene.sentry.url(), "--force"])
        .run()
        .success()
        .stderr_has("as jane-of-marketing\n");
    let jane = scene.sentry.current_access();
    let acme = scene.login_of_organization("acme", 2);
    let left = ["jane-of-marketing", "bob", "acme", "umbrella"];
    assert_eq!(left.map(|name| scene.id(name)), ids);
    assert_eq!(scene.rows().len(), 4);
    for (name, token) in left.iter().zip([&jane, &tokens[1], &acme, &tokens[3]]) {
        assert_eq!(scene.token(&["--account", name]), *token, "{name}");
    }
}

#[test]
fn an_unknown_user_replaces_no_account() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    scene
        .sentry
        .rewrite(Endpoint::Api, |answer| answer["user"] = Value::Null);
    let login = |token: &str| {
        scene.sentry.add_api_token(token);
        let login = scene.auth(&["login", "--url", &scene.sentry.url(), "--with-token"]);
        login.stdin(token).run().success();
    };
    login("first");
    login("second");
    // The same token is the same login.
    login("first");
    assert_eq!(scene.rows().len(), 3);
    let listed = scene.json(&["list"]);
    let unknown = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|account| account["user"].is_null());
    let ids: Vec<&str> = unknown
        .map(|account| account["account"].as_str().unwrap())
        .collect();
    let tokens: Vec<String> = ids
        .iter()
        .map(|id| scene.token(&["--account", id]))
        .collect();
    assert_eq!(tokens, ["first", "second"]);
    // Nor does the account that was named before become active.
    for line in &scene.list()[..2] {
        assert!(
            line.contains(&ids[0][..8]) && !line.contains("jane"),
            "{line}"
        );
    }
}

#[test]
fn a_user_that_the_token_answer_does_not_name_is_found_again() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    let id = scene.id("jane");
    scene.sentry.rewrite(Endpoint::Poll, |answer| {
        answer.as_object_mut().unwrap().remove("user");
    });
    scene.login_of(JANE, &[]).success();
    assert_eq!(scene.list(), ["* jane  (refreshed automatically)"]);
    assert_eq!(
        scene.token(&["--account", "jane"]),
        scene.sentry.current_access()
    );
    assert_ne!(
        scene.id("jane"),
        id,
        "until the server was asked it was another account"
    );
}

#[test]
fn a_login_that_another_user_approves_is_refused() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    let before = scene.rows();
    let url = scene.sentry.url();
    let hint = format!(
        "hint: `sentry auth login --url {url} jane@example.com`, signed in as jane@example.com in the browser\n"
    );
    let told = scene
        .login_of(BOB, &["jane@example.com"])
        .fails(1)
        .stdout_is("");
    told.stderr_has(&format!(
        "error: bob@example.com approved the login, not jane@example.com; nothing was stored\n{hint}"
    ));
    assert_eq!(scene.rows(), before);
    assert!(
        !scene
            .machine
            .config_dir()
            .join("credential.recovery")
            .exists()
    );
    // If the token answer has no e-mail address, the server is queried.
    scene.sentry.rewrite(Endpoint::Poll, |answer| {
        answer["user"].as_object_mut().unwrap().remove("email");
    });
    let told = scene.login_of(BOB, &["jane@example.com"]).fails(1);
    told.stderr_has("bob@example.com approved the login");
    scene.login_of(JANE, &["Jane@Example.com"]).success();
    assert_eq!(scene.token(&[]), scene.sentry.current_access());
    let before = scene.rows();
    // An approval without an identity is refused too.
    scene
        .sentry
        .rewrite(Endpoint::Api, |answer| answer["user"] = Value::Null);
    let told = scene.login_of(JANE, &["jane@example.com"]).fails(1);
    told.stderr_has(&format!(
        "error: {url} did not report who approved the login; nothing was stored\n{hint}"
    ));
    assert_eq!(scene.rows(), before);
    scene.sentry.fix();
    // The same for a token.
    scene.sentry.set_user(user(BOB));
    scene.sentry.add_api_token("of-bob");
    let organization = organization_token(&url, "acme", 1);
    scene.sentry.add_org_token(&organization);
    for (token, whose) in [("of-bob", "bob"), (&*organization, "acme")] {
        let login = scene.auth(&["login", "jane@example.com", "--url", &url, "--with-token"]);
        let told = login.stdin(token).run().fails(1);
        told.stderr_is(&format!(
            "error: this token is one of {whose}, not of jane@example.com; nothing was stored\n"
        ));
    }
    assert_eq!(scene.rows(), before);
    let login = scene.auth(&["login", "bob@example.com", "--url", &url, "--with-token"]);
    login.stdin("of-bob").run().success();
    assert_eq!(scene.rows().len(), 2);
    let usage = scene.auth(&["login", "jane"]).run().fails(2);
    usage.stderr_has("an e-mail address looks like `jane@example.com`");
}

#[test]
fn a_login_of_a_logged_in_user_makes_that_account_the_active_one() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    let jane = scene.sentry.current_access();
    scene.login_of(BOB, &[]).success();
    let codes = scene.sentry.device_codes();
    let login = scene.auth(&["login", "jane@example.com", "--url", &url]);
    login.run().success().stderr_is(&format!(
        "already logged in to {url} as jane@example.com\n\
         hint: `sentry auth login --url {url} jane@example.com --force` logs in again\n\
         the session of jane at {url} is the active one now\n"
    ));
    assert_eq!(scene.token(&[]), jane);
    // One whose session has ended logs in.
    scene.sentry.revoke_family(&jane);
    scene.sentry.set_user(user(JANE));
    scene.sentry.approve_next();
    let login = scene.auth(&["login", "jane@example.com", "--url", &url]);
    login
        .run()
        .success()
        .stderr_has(&format!("logged in to {url} as jane\n"));
    assert_eq!(scene.sentry.device_codes(), codes + 1);
    assert_eq!(scene.rows().len(), 2);
}
