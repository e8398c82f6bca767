//! The life of a session: when it is refreshed, and what each answer of the token endpoint does to it.

use serde_json::{Value, json};

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault, Pair};
use crate::sandbox::{Age, Layout, Output, Sandbox};

struct Machine {
    sentry: FakeSentry,
    sandbox: Sandbox,
    pair: Pair,
}

impl Machine {
    fn with(age: Age) -> Machine {
        Machine::with_layout(Layout::Accounts, age)
    }

    fn with_layout(layout: Layout, age: Age) -> Machine {
        let sentry = FakeSentry::start();
        let sandbox = Sandbox::new().for_sentry(&sentry);
        let pair = sentry.issue();
        sandbox.seed_session_in(layout, &sentry, &pair, age);
        Machine {
            sentry,
            sandbox,
            pair,
        }
    }

    fn token(&self) -> Output {
        self.sandbox.sentry(&["auth", "token"]).run()
    }

    #[track_caller]
    fn serves(&self, access: &str) {
        let _token = self.token().success().stdout_is(&format!("{access}\n"));
    }
}

#[test]
fn a_fresh_token_costs_no_request_and_no_lock() {
    let machine = Machine::with(Age::FRESH);
    machine.serves(&machine.pair.access);
    assert_eq!(machine.sentry.requests().len(), 0);
    assert!(
        !machine
            .sandbox
            .config_dir()
            .join("credential.lock")
            .exists()
    );
}

#[test]
fn a_stale_token_is_refreshed_in_both_layouts() {
    for layout in [Layout::Accounts, Layout::Auth] {
        for age in [Age::STALE, Age::EXPIRED] {
            let machine = Machine::with_layout(layout, age);
            let _token = machine.token().success();
            machine.serves(&machine.sentry.current_access());
            assert_ne!(machine.sentry.current(), machine.pair);
            assert_eq!(
                machine.sandbox.stored_tokens(),
                Some(machine.sentry.current())
            );
            assert_eq!(machine.sentry.refreshes(), 1);
        }
    }
}

#[test]
fn a_refresh_sends_what_the_server_wants_and_no_scope() {
    let machine = Machine::with(Age::EXPIRED);
    let _token = machine.token().success();
    let refresh = &machine.sentry.requests_to(Endpoint::Refresh)[0];
    let mut fields: Vec<&str> = refresh.form.iter().map(|(name, _)| name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["client_id", "grant_type", "refresh_token"]);
    assert_eq!(
        refresh.field("refresh_token"),
        Some(machine.pair.refresh.as_str())
    );
}

/// Answers that say nothing about the login.
fn disturbances() -> Vec<(&'static str, Fault)> {
    let html = |status| Answer::new(status, "text/html", "<html><title>502</title>");
    vec![
        ("500", html(500).into()),
        ("502 html", html(502).into()),
        (
            "503 with Retry-After",
            html(503).header("Retry-After", "7").into(),
        ),
        ("429", Answer::error(429, "rate_limited").into()),
        (
            "invalid_client",
            Answer::error(401, "invalid_client").into(),
        ),
        (
            "invalid_request",
            Answer::error(400, "invalid_request").into(),
        ),
        ("a captive portal", html(200).into()),
        ("an empty object", Answer::json(200, &json!({})).into()),
        ("a list", Answer::json(200, &json!([])).into()),
        (
            "a redirect",
            html(302).header("Location", "http://127.0.0.1:1/").into(),
        ),
        (
            "a repost redirect",
            html(307).header("Location", "http://127.0.0.1:1/").into(),
        ),
        ("403 html", html(403).into()),
        ("a reset", Fault::ResetBefore),
        (
            "half a body",
            Fault::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_".to_vec()),
        ),
        ("no HTTP", Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
    ]
}

#[test]
fn no_disturbance_costs_the_session_and_a_live_token_is_still_served() {
    for (name, fault) in disturbances() {
        let machine = Machine::with(Age::STALE);
        machine.sentry.fault(Endpoint::Refresh, fault);
        machine.serves(&machine.pair.access);
        assert_eq!(
            machine.sandbox.stored_tokens(),
            Some(machine.pair.clone()),
            "{name}"
        );
        assert_eq!(machine.sentry.refresh_attempts(), 1, "{name}");
        // Not tried again at once.
        machine.serves(&machine.pair.access);
        assert_eq!(machine.sentry.refresh_attempts(), 1, "{name}");
        // Except when a person asks.
        let _refresh = machine.sandbox.sentry(&["auth", "refresh"]).run().success();
        assert_eq!(
            machine.sandbox.stored_tokens(),
            Some(machine.sentry.current()),
            "{name}"
        );
    }
}

#[test]
fn an_expired_token_with_a_disturbed_server_is_an_error_that_keeps_the_session() {
    for (name, fault) in disturbances() {
        let machine = Machine::with(Age::EXPIRED);
        machine.sentry.fault(Endpoint::Refresh, fault);

        let output = machine.token().fails(1).stdout_is("");
        assert!(
            output.stderr.starts_with("error: "),
            "{name}: {}",
            output.stderr
        );
        assert!(!output.stderr.contains('<'), "{name}: {}", output.stderr);
        assert_eq!(
            machine.sandbox.stored_tokens(),
            Some(machine.pair.clone()),
            "{name}"
        );
    }
}

#[test]
fn a_server_that_is_gone_keeps_the_session() {
    let machine = Machine::with(Age::EXPIRED);
    let sandbox = machine.sandbox;
    let url = machine.sentry.url();
    drop(machine.sentry);
    let token = sandbox.sentry(&["auth", "token"]).run().fails(1);
    let _token = token.stderr_has(&format!("error: cannot refresh the token of {url}: "));
    assert_eq!(sandbox.stored_tokens(), Some(machine.pair));
}

#[test]
fn only_invalid_grant_removes_the_tokens_and_the_rest_stays_known() {
    for layout in [Layout::Accounts, Layout::Auth] {
        let machine = Machine::with_layout(layout, Age::EXPIRED);
        machine.sentry.revoke_family(&machine.pair.refresh);
        let url = machine.sentry.url();
        let _token = machine.token().fails(1).stdout_is("").stderr_is(&format!(
            "error: the session at {url} has ended: Sentry no longer accepts its refresh token\n\
             hint: `sentry auth login --url {url}`\n"
        ));
        let row = machine.sandbox.stored_row().unwrap();
        assert_eq!((row.token, row.refresh_token), (None, None));
        assert_eq!(
            (row.host, row.email.as_deref()),
            (Some(url.clone()), Some("jane@example.com"))
        );
        let _again = machine.token().fails(1).stderr_is(&format!(
            "error: the session at {url} has ended\nhint: `sentry auth login --url {url}`\n"
        ));
        assert_eq!(machine.sentry.refresh_attempts(), 1);
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
        let machine = Machine::with(Age::EXPIRED);
        machine.sentry.rewrite(Endpoint::Refresh, rewrite);
        let _token = machine.token().success();
        machine.serves(&machine.sentry.current_access());
        assert_eq!(
            machine.sandbox.stored_tokens(),
            Some(machine.sentry.current()),
            "{name}"
        );
        assert_eq!(machine.sentry.refreshes(), 1, "{name}");
        machine.sentry.mend();
        let _refresh = machine
            .sandbox
            .sentry(&["auth", "refresh", "--force"])
            .run()
            .success();
        assert_eq!(
            machine.sandbox.stored_tokens(),
            Some(machine.sentry.current()),
            "{name}"
        );
    }
}

#[test]
fn a_token_that_breaks_the_grammar_is_not_stored() {
    for bad in ["tok\nhost=evil", "tok\r", "", "tok\u{1b}[31m"] {
        let machine = Machine::with(Age::EXPIRED);
        machine.sentry.rewrite(Endpoint::Refresh, move |answer| {
            answer["access_token"] = bad.into()
        });
        let _token = machine
            .token()
            .fails(1)
            .stdout_is("")
            .stderr_has("something that is not a token");
        assert_eq!(machine.sandbox.stored_tokens(), Some(machine.pair));
    }
}

#[test]
fn a_refresh_goes_to_the_instance_that_issued_the_session_whatever_the_environment_says() {
    let machine = Machine::with(Age::EXPIRED);
    let other = FakeSentry::start();
    let refresh = machine
        .sandbox
        .sentry(&["auth", "token", "--url", &machine.sentry.url()]);
    let _token = refresh.env("SENTRY_URL", other.url()).run().success();
    assert_eq!(machine.sentry.refreshes(), 1);
    let token = machine
        .sandbox
        .sentry(&["auth", "token"])
        .env("SENTRY_URL", other.url())
        .run();
    let _none = token.fails(1).stdout_is("");
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_lost_answer_is_told_when_the_session_is_found_lost() {
    let machine = Machine::with(Age::EXPIRED);
    machine.sentry.fault(Endpoint::Refresh, Fault::ResetAfter);
    let _lost = machine.token().fails(1);
    assert_eq!(machine.sandbox.stored_tokens(), Some(machine.pair.clone()));
    let refresh = machine.sandbox.sentry(&["auth", "refresh"]).run().fails(1);
    assert!(
        refresh
            .stderr
            .contains("was lost: a refresh that began at 20"),
        "{}",
        refresh.stderr
    );
    assert_eq!(machine.sentry.refresh_attempts(), 2);
    let _again = machine.token().fails(1);
    assert_eq!(machine.sentry.refresh_attempts(), 2);
}

#[test]
fn a_lost_request_is_made_good_by_the_next_run() {
    let machine = Machine::with(Age::EXPIRED);
    machine.sentry.fault(Endpoint::Refresh, Fault::ResetBefore);
    let _lost = machine.token().fails(1);
    let _refresh = machine.sandbox.sentry(&["auth", "refresh"]).run().success();
    machine.serves(&machine.sentry.current_access());
}

#[test]
fn an_api_token_is_never_refreshed() {
    let machine = Machine::with(Age::EXPIRED);
    let database = machine.sandbox.database().unwrap();
    database
        .execute("UPDATE accounts SET refresh_token = NULL", [])
        .unwrap();
    let _token = machine
        .token()
        .fails(1)
        .stderr_has("has an API token that has expired");
    assert_eq!(machine.sentry.requests().len(), 0);
}
