//! How an account is named, and which one a command selects.

use serde_json::Value;

use super::{BOB, JANE, Scene, user};
use crate::sandbox::{Age, Layout};

#[test]
fn users_and_organizations_of_one_instance_live_side_by_side() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    let tokens = scene.with_four();
    let names = ["jane", "bob", "acme", "umbrella"];
    assert_eq!(
        scene.list(),
        [
            "* umbrella  (API token)",
            "  acme  (API token)",
            "  bob  (refreshed automatically)",
            "  jane  (refreshed automatically)",
        ]
    );
    for (name, token) in names.iter().zip(&tokens) {
        assert_eq!(scene.token(&["--account", name]), *token);
        scene
            .auth(&["whoami", "--account", name])
            .run()
            .success()
            .stdout_is(&format!("{name}\n"));
        scene
            .auth(&["status", "--account", name])
            .run()
            .success()
            .stdout_has(&format!("Authenticated as: {name}\n"));
        scene
            .auth(&["switch", name])
            .run()
            .success()
            .stderr_is(&format!(
                "the session of {name} at {url} is the active one now\n"
            ));
        assert_eq!(scene.token(&[]), *token);
        scene
            .auth(&["whoami"])
            .run()
            .success()
            .stdout_is(&format!("{name}\n"));
    }
    assert_eq!(
        scene.json(&["whoami", "--account", "acme"])["organization"],
        "acme"
    );
    assert_eq!(
        scene.json(&["whoami", "--account", "jane"])["organization"],
        Value::Null
    );
    // Only the selected account is refreshed.
    scene
        .auth(&["refresh", "--force", "--account", "bob@example.com"])
        .run()
        .success();
    assert_ne!(scene.token(&["--account", "bob"]), tokens[1]);
    assert_eq!(scene.token(&["--account", "jane"]), tokens[0]);
    // Logs out one by one; the account that was used last becomes active.
    let logout = |args: &[&str], told: &str| {
        scene
            .auth(&["logout"])
            .args(args)
            .run()
            .success()
            .stderr_has(told);
    };
    logout(
        &["--account", "acme"],
        &format!("logged out of {url} as acme\n"),
    );
    logout(
        &[],
        &format!(
            "logged out of {url} as umbrella\nthe session of bob at {url} is the active one now\n"
        ),
    );
    logout(
        &["--url", &url],
        &format!(
            "logged out of {url} as bob\nthe session of jane at {url} is the active one now\n"
        ),
    );
    logout(&[], &format!("logged out of {url}\n"));
    assert_eq!(scene.rows(), Vec::<String>::new());
}

#[test]
fn a_switch_to_an_instance_with_several_accounts_lists_them() {
    // getsentry/cli#426: it reported a switch, and bob stayed active.
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    let jane = scene.sentry.current_access();
    scene.login_of(BOB, &[]).success();
    let ids = [scene.id("bob"), scene.id("jane")];
    // Accounts that were made at once have ids that begin alike.
    let mut short = 8;
    while ids[0][..short] == ids[1][..short] {
        short += 1;
    }
    let [bob_id, jane_id] = ids.map(|id| id[..short].to_owned());
    scene.auth(&["switch", &url]).run().fails(1).stderr_is(&format!(
        "error: `{url}` matches several accounts:\n  {bob_id}  bob at {url}\n  {jane_id}  jane at {url}\n\
         hint: `sentry auth switch {bob_id}` selects the first of them\n"
    ));
    assert_eq!(scene.list()[0], "* bob  (refreshed automatically)");
    scene.auth(&["switch", &jane_id]).run().success();
    assert_eq!(scene.token(&[]), jane);
    // With one account there, the instance is enough.
    scene.auth(&["logout", "--account", "bob"]).run().success();
    scene.auth(&["switch", &url]).run().success();
}

#[test]
fn an_account_is_named_by_anything_that_distinguishes_it() {
    let scene = Scene::new();
    let other = Scene::new();
    let [jane, _, acme, _] = scene.with_four();
    // jane has an account at another instance too.
    other.sentry.set_user(user(JANE));
    other.sentry.approve_next();
    let elsewhere = other.sentry.url();
    let login = ["login", "--url", &elsewhere, "jane@example.com"];
    scene.auth(&login).run().success();
    let there = other.sentry.current_access();
    let here = scene.sentry.url();
    for (args, expected) in [
        (vec!["jane@example.com", "--url", &here], &jane),
        (vec!["JANE@Example.com", "--url", &here], &jane),
        (vec!["jane", "--url", &here], &jane),
        (vec!["jane doe", "--url", &here], &jane),
        (vec!["jane", "--url", &elsewhere], &there),
        (vec!["acme"], &acme),
        (vec![&scene.id("acme")], &acme),
        (vec!["ACME", "--url", &here], &acme),
    ] {
        assert_eq!(
            scene.token(&[&["--account"], &args[..]].concat()),
            *expected,
            "{args:?}"
        );
    }
    // The environment's instance decides between two, unless another one is named.
    let token = |name: &str| {
        scene
            .auth(&["token", "--account", name])
            .env("SENTRY_URL", &here)
            .run()
    };
    token("jane").success().stdout_is(&format!("{jane}\n"));
    let token = |name: &str| {
        let elsewhere = scene
            .auth(&["token", "--account", name])
            .env("SENTRY_URL", &elsewhere);
        elsewhere.run()
    };
    token("jane").success().stdout_is(&format!("{there}\n"));
    token("acme").success().stdout_is(&format!("{acme}\n"));
    // A token in the environment is no account.
    let token = scene
        .auth(&["token", "--account", "acme"])
        .env("SENTRY_AUTH_TOKEN", "other");
    token.run().success().stdout_is(&format!("{acme}\n"));
    let refresh = scene
        .auth(&["refresh", "--account", "bob"])
        .env("SENTRY_AUTH_TOKEN", "other");
    refresh.run().success();
    for command in ["token", "status", "whoami", "refresh", "logout"] {
        let told = scene
            .auth(&[command, "--account", "jane"])
            .run()
            .fails(1)
            .stdout_is("");
        told.stderr_has("error: `jane` matches several accounts:\n")
            .stderr_has(&format!("  jane at {here}\n"))
            .stderr_has(&format!("  jane at {elsewhere}\n"))
            .stderr_has("\nname one by its id, as in `--account ");
        let told = scene
            .auth(&[command, "--account", "eve"])
            .run()
            .fails(1)
            .stdout_is("");
        told.stderr_is("error: no account is called `eve`; `sentry auth list` shows them\n");
    }
    let told = scene
        .auth(&["token", "--account", "acme", "--url", &elsewhere])
        .run()
        .fails(1);
    told.stderr_has(&format!("no account at {elsewhere} is called `acme`"));
    assert_eq!(scene.rows().len(), 5);
}

#[test]
fn the_old_layout_has_one_account_and_knows_it_by_its_names() {
    let scene = Scene::new();
    let layout = Layout::Auth;
    scene.sentry.set_user(user(JANE));
    scene
        .machine
        .seed_session_in(layout, &scene.sentry, &scene.sentry.issue(), Age::FRESH);
    let jane = scene.sentry.current_access();
    for name in ["jane", "jane@example.com", "auth"] {
        assert_eq!(scene.token(&["--account", name]), jane);
    }
    scene.auth(&["token", "--account", "bob"]).run().fails(1);
    let told = scene.login_of(BOB, &["jane@example.com"]).fails(1);
    told.stderr_has("bob@example.com approved the login");
    assert_eq!(scene.token(&["--account", "jane"]), jane);
    scene.login_of(BOB, &[]).success();
    scene.auth(&["token", "--account", "jane"]).run().fails(1);
    assert_eq!(
        scene.token(&["--account", "bob"]),
        scene.sentry.current_access()
    );
}

#[test]
fn the_organizations_of_a_user_are_not_names_of_the_account() {
    let scene = Scene::new();
    scene.sentry.set_organizations(&["acme"]);
    scene.login_of(JANE, &[]).success();
    let told = scene.auth(&["token", "--account", "acme"]).run().fails(1);
    told.stderr_has("no account is called `acme`");
}
