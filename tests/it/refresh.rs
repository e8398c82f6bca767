//! The life of a session: when it is refreshed, and the effect of each answer of the token endpoint.

use serde_json::{Value, json};

use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Layout};

#[test]
fn a_fresh_token_costs_no_request_and_no_lock() {
    let scene = Machine::new().session(Age::FRESH);
    scene.serves(&scene.pair.access);
    assert_eq!(scene.sentry.requests().len(), 0);
    assert!(!scene.file("credential.lock").exists());
}

#[test]
fn a_stale_token_is_refreshed_in_both_layouts() {
    for layout in [Layout::Accounts, Layout::Auth] {
        for age in [Age::STALE, Age::EXPIRED] {
            let scene = Machine::new().in_layout(layout).session(age);
            scene.token().run().success();
            scene.serves(&scene.sentry.current_access());
            assert_ne!(scene.sentry.current(), scene.pair);
            assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
            assert_eq!(scene.sentry.refreshes(), 1);
        }
    }
}

#[test]
fn a_refresh_sends_what_the_server_wants_and_no_scope() {
    let scene = Machine::new().session(Age::EXPIRED);
    scene.token().run().success();
    let refresh = &scene.sentry.requests_to(Endpoint::Refresh)[0];
    let mut fields: Vec<&str> = refresh.form.iter().map(|(name, _)| name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["client_id", "grant_type", "refresh_token"]);
    assert_eq!(
        refresh.field("refresh_token"),
        Some(scene.pair.refresh.as_str())
    );
}

/// The requests of one refresh: after a lost answer it is repeated once.
type Asked = std::ops::RangeInclusive<usize>;

const ONCE: Asked = 1..=1;
const TWICE: Asked = 2..=2;

/// Answers that say nothing about the login, and the number of requests for each.
fn disturbances() -> Vec<(&'static str, Asked, Fault)> {
    let html = |status| Answer::new(status, "text/html", "<html><title>502</title>");
    vec![
        ("500", ONCE, html(500).into()),
        ("502 html", ONCE, html(502).into()),
        (
            "503 with Retry-After",
            ONCE,
            html(503).header("Retry-After", "7").into(),
        ),
        ("429", ONCE, Answer::error(429, "rate_limited").into()),
        (
            "invalid_client",
            ONCE,
            Answer::error(401, "invalid_client").into(),
        ),
        (
            "invalid_request",
            ONCE,
            Answer::error(400, "invalid_request").into(),
        ),
        ("a captive portal", ONCE, html(200).into()),
        (
            "an empty object",
            ONCE,
            Answer::json(200, &json!({})).into(),
        ),
        ("a list", ONCE, Answer::json(200, &json!([])).into()),
        (
            "a redirect",
            ONCE,
            html(302).header("Location", "http://127.0.0.1:1/").into(),
        ),
        (
            "a repost redirect",
            ONCE,
            html(307).header("Location", "http://127.0.0.1:1/").into(),
        ),
        ("403 html", ONCE, html(403).into()),
        ("a reset", TWICE, Fault::ResetBefore),
        (
            "half a body",
            TWICE,
            Fault::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_".to_vec()),
        ),
        // Not the server's answer, which may therefore be lost as well.
        (
            "no HTTP",
            1..=2,
            Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ),
    ]
}

#[test]
fn no_disturbance_costs_the_session_and_a_live_token_is_still_served() {
    for (name, asked, fault) in disturbances() {
        let scene = Machine::new().login(Age::STALE);
        scene.sentry.fault_always(Endpoint::Refresh, fault);
        // No later command retries at once.
        scene.serves(&scene.pair.access);
        assert_eq!(
            scene.sandbox.stored_tokens(),
            Some(scene.pair.clone()),
            "{name}"
        );
        let attempts = scene.sentry.refresh_attempts();
        assert!(asked.contains(&attempts), "{name}: {attempts}");
        // Except for an explicit command of a user.
        scene.sentry.fix();
        scene.sandbox.sentry(&["auth", "refresh"]).run().success();
        assert_eq!(
            scene.sandbox.stored_tokens(),
            Some(scene.sentry.current()),
            "{name}"
        );
    }
}

#[test]
fn an_expired_token_with_a_disturbed_server_is_an_error_that_keeps_the_session() {
    for (name, _, fault) in disturbances() {
        let scene = Machine::new().login(Age::EXPIRED);
        scene.sentry.fault_always(Endpoint::Refresh, fault);

        let output = scene.token().run().fails(1).stdout_is("");
        assert!(
            output.stderr.starts_with("error: "),
            "{name}: {}",
            output.stderr
        );
        assert!(!output.stderr.contains('<'), "{name}: {}", output.stderr);
        assert_eq!(
            scene.sandbox.stored_tokens(),
            Some(scene.pair.clone()),
            "{name}"
        );
    }
}

#[test]
fn a_server_that_is_gone_keeps_the_session() {
    let scene = Machine::new().session(Age::EXPIRED);
    let machine = scene.sandbox;
    let url = scene.sentry.url();
    drop(scene.sentry);
    let token = machine.sentry(&["auth", "token"]).run().fails(1);
    token.stderr_has(&format!("error: cannot refresh the token of {url}: "));
    assert_eq!(machine.stored_tokens(), Some(scene.pair));
}

#[test]
fn invalid_grant_ends_a_session_and_removes_nothing() {
    for layout in [Layout::Accounts, Layout::Auth] {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        scene.sandbox.remember_client(CLIENT_ID);
        scene.sentry.revoke_family(&scene.pair.refresh);
        let url = scene.sentry.url();
        let before = scene.sandbox.stored_row();
        scene.token().run().fails(1).stdout_is("").stderr_is(&format!(
            "error: the session at {url} has ended: Sentry no longer accepts its refresh token\n\
             hint: `sentry auth login --url {url}`\n"
        ));
        assert_eq!(scene.sandbox.stored_row(), before);
        let again = scene.token().run().fails(1).stdout_is("");
        again
            .stderr_has(&format!("error: the session at {url} has ended"))
            .stderr_has(&format!("\nhint: `sentry auth login --url {url}`\n"));
        assert_eq!(scene.sentry.refresh_attempts(), 1);
    }
}

#[test]
fn odd_success_answers_are_stored_first() {
    type Rewrite = (&'static str, fn(&mut Value));
    let rewrites: [Rewrite; 9] = [
        ("no refresh_token", |answer| {
            drop(answer.as_object_mut().unwrap().remove("refresh_token"))
        }),
        ("empty refresh_token", |answer| {
            answer["refresh_token"] = "".into()
        }),
        ("expires_in null", |answer| {
            answer["expires_in"] = Value::Null
        }),
        ("no expires_in", |answer| {
            drop(answer.as_object_mut().unwrap().remove("expires_in"))
        }),
        ("negative expires_in", |answer| {
            answer["expires_in"] = (-5).into()
        }),
        ("huge expires_in", |answer| {
            answer["expires_in"] = 1e18.into()
        }),
        ("text expires_in", |answer| {
            answer["expires_in"] = "3600".into()
        }),
        ("no user", |answer| answer["user"] = Value::Null),
        ("token_type in capitals", |answer| {
            answer["token_type"] = "BEARER".into()
        }),
    ];
    for (name, rewrite) in rewrites {
        let scene = Machine::new().session(Age::EXPIRED);
        scene.sentry.rewrite(Endpoint::Refresh, rewrite);
        scene.token().run().success();
        scene.serves(&scene.sentry.current_access());
        assert_eq!(
            scene.sandbox.stored_tokens(),
            Some(scene.sentry.current()),
            "{name}"
        );
        assert_eq!(scene.sentry.refreshes(), 1, "{name}");
        scene.sentry.fix();
        scene
            .sandbox
            .sentry(&["auth", "refresh", "--force"])
            .run()
            .success();
        assert_eq!(
            scene.sandbox.stored_tokens(),
            Some(scene.sentry.current()),
            "{name}"
        );
    }
}

#[test]
fn a_token_that_breaks_the_grammar_is_not_stored() {
    for bad in ["tok\nhost=evil", "tok\r", "", "tok\u{1b}[31m"] {
        let scene = Machine::new().session(Age::EXPIRED);
        scene.sentry.rewrite(Endpoint::Refresh, move |answer| {
            answer["access_token"] = bad.into()
        });
        scene
            .token()
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_has("something that is not a valid token");
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair));
    }
}

#[test]
fn a_refresh_goes_to_the_instance_that_issued_the_session_whatever_the_environment_says() {
    let scene = Machine::new().session(Age::EXPIRED);
    let other = FakeSentry::start();
    let refresh = scene
        .sandbox
        .sentry(&["auth", "token", "--url", &scene.sentry.url()]);
    refresh.env("SENTRY_URL", other.url()).run().success();
    assert_eq!(scene.sentry.refreshes(), 1);
    let token = scene
        .sandbox
        .sentry(&["auth", "token"])
        .env("SENTRY_URL", other.url())
        .run();
    token.fails(1).stdout_is("");
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_lost_answer_is_reported_when_the_session_is_found_lost() {
    let scene = Machine::new().login(Age::EXPIRED);
    // Without a grace period at the server the session is lost: the server refuses the repeated request.
    scene.sentry.fault(Endpoint::Refresh, Fault::ResetAfter);
    let lost = scene.token().run().fails(1).stdout_is("");
    lost.stderr_has("perhaps because a refresh that began at 20");
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    scene.token().run().fails(1);
    assert_eq!(scene.sentry.refresh_attempts(), 2);
}

#[test]
fn a_request_that_is_lost_twice_is_made_good_by_the_next_run() {
    let scene = Machine::new().session(Age::EXPIRED);
    for _ in 0..2 {
        scene.sentry.fault(Endpoint::Refresh, Fault::ResetBefore);
    }
    scene.token().run().fails(1);
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    scene.sandbox.sentry(&["auth", "refresh"]).run().success();
    scene.serves(&scene.sentry.current_access());
}

#[test]
fn an_api_token_is_never_refreshed() {
    let scene = Machine::new().session(Age::EXPIRED);
    let database = scene.sandbox.database().unwrap();
    database
        .execute("UPDATE accounts SET refresh_token = NULL", [])
        .unwrap();
    scene
        .token()
        .run()
        .fails(1)
        .stderr_has("has an API token that has expired");
    assert_eq!(scene.sentry.requests().len(), 0);
}
