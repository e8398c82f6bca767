//! `sentry auth token`: each form is read by the program that it is for; `--min-validity` for it and for `exec`.

use serde_json::{Value, json};

use crate::fake_sentry::{Answer, Endpoint};
use crate::helpers::{alter, with_token};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd};

/// Issued ten days ago, for 30 days.
const YOUNG: Age = Age {
    issued_ago_secs: 10 * 24 * 3600,
    expires_in_secs: 20 * 24 * 3600,
};

/// Every command that returns a token, with this minimum validity.
fn commands(scene: &Machine, min_validity: &str) -> [Cmd; 2] {
    let exec = ["auth", "exec", "--min-validity", min_validity, "--"];
    [
        scene.token().args(["--min-validity", min_validity]),
        scene
            .sandbox
            .sentry(&exec)
            .args(["printenv", "SENTRY_AUTH_TOKEN"]),
    ]
}

#[test]
fn a_token_that_lives_long_enough_costs_no_request() {
    let scene = Machine::new().session(YOUNG);
    for min_validity in ["0", "90s", "10m", "19d"] {
        for cmd in commands(&scene, min_validity) {
            cmd.run()
                .success()
                .stdout_is(&format!("{}\n", scene.pair.access));
        }
    }
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
fn a_token_that_lives_shorter_is_refreshed() {
    for command in [0, 1] {
        let scene = Machine::new().session(YOUNG);
        let [token, exec] = commands(&scene, "21d");
        let cmd = [token, exec].into_iter().nth(command).unwrap();
        let new = cmd.run().success();
        let new = new.stdout_is(&format!("{}\n", scene.sentry.current_access()));
        new.never_says(&scene.pair.access);
        assert_eq!(scene.sentry.refreshes(), 1);
        scene.serves(&scene.sentry.current_access());
    }
}

#[test]
fn many_that_want_a_longer_life_cost_one_refresh() {
    let scene = Machine::new().session(YOUNG);
    let all: Vec<_> = (0..5)
        .flat_map(|_| commands(&scene, "21d"))
        .map(Cmd::spawn)
        .collect();
    for running in all {
        let new = running.wait().success();
        new.stdout_is(&format!("{}\n", scene.sentry.current_access()));
    }
    assert_eq!(scene.sentry.refreshes(), 1);
}

#[test]
fn what_no_token_can_give_is_an_error_and_the_token_stays() {
    let scene = Machine::new().session(YOUNG);
    for (cmd, code) in commands(&scene, "30d").into_iter().zip([1, 125]) {
        let refused = cmd.run().fails(code).stdout_is("");
        refused.stderr_has("gives none that lives longer");
    }
    assert_eq!(scene.sentry.requests().len(), 0);
    scene.serves(&scene.pair.access);

    // The server has shortened the lifetime: the new token is stored, and still too short.
    let hour = std::time::Duration::from_secs(3600);
    scene.sentry.set_lifetime(Some(hour));
    for (cmd, code) in commands(&scene, "21d").into_iter().zip([1, 125]) {
        let refused = cmd.run().fails(code).stdout_is("");
        refused.stderr_has("sooner than `--min-validity` allows");
    }
    assert_eq!(scene.sentry.refreshes(), 1);
    scene.serves(&scene.sentry.current_access());

    // An API token is never refreshed; one without an expiry is valid for long enough.
    let scene = Machine::new().session(YOUNG);
    alter(&scene.sandbox, "refresh_token", &None::<String>);
    scene
        .token()
        .args(["--min-validity", "21d"])
        .run()
        .fails(1)
        .stderr_has("is an API token, which is never refreshed");
    alter(&scene.sandbox, "expires_at", &None::<i64>);
    for cmd in commands(&scene, "21d") {
        cmd.run().success().stdout_has(&scene.pair.access);
    }
    let machine = with_token();
    let token = machine.sentry(&["auth", "token", "--min-validity", "21d"]);
    token.run().success();
}

#[test]
fn a_refresh_that_fails_is_an_error_only_for_who_wants_a_longer_life() {
    let scene = Machine::new().session(YOUNG);
    let down = Answer::new(503, "text/html", "<html>");
    scene.sentry.fault_always(Endpoint::Refresh, down);
    for (cmd, code) in commands(&scene, "21d").into_iter().zip([1, 125]) {
        let refused = cmd.run().fails(code).stdout_is("");
        refused.stderr_has("it was not refreshed: ");
    }
    // The second command respects the pause.
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    scene.serves(&scene.pair.access);
}

#[test]
fn an_invalid_duration_is_a_usage_error() {
    let machine = with_token();
    for text in ["", "soon", "-1s", "1h90", "1w"] {
        let token = machine.sentry(&["auth", "token", "--min-validity", text]);
        token.run().fails(2).stdout_is("");
    }
}

#[test]
fn curl_takes_the_token_from_standard_input() {
    let scene = Machine::new().session(Age::EXPIRED);
    let script = r#"sentry auth token --format curl | curl -sS -K - "$SENTRY_URL/api/0/""#;
    let told = scene.sandbox.command("sh").args(["-c", script]);
    let told = told.run().success().stderr_is("");
    assert!(told.stdout.contains("jane@example.com"), "{}", told.stdout);
    let asked = scene.sentry.requests_to(Endpoint::Api);
    let bearer = format!("Bearer {}", scene.sentry.current_access());
    assert_eq!(asked[0].authorization, Some(bearer));

    // Characters that are special to curl arrive unchanged.
    let odd = r#"a"b\c\"d#'e"#;
    scene.sentry.add_api_token(odd);
    let told = scene.sandbox.command("sh").args(["-c", script]);
    told.env("SENTRY_AUTH_TOKEN", odd).run().success();
    let asked = scene.sentry.requests_to(Endpoint::Api);
    let bearer = format!("Bearer {odd}");
    assert_eq!(asked[1].authorization, Some(bearer));
}

#[test]
fn a_header_is_what_a_client_sends() {
    let scene = Machine::new().session(Age::FRESH);
    let header = scene.token().args(["--format", "header"]).run().success();
    header.stdout_is(&format!("Authorization: Bearer {}\n", scene.pair.access));
}

#[test]
fn a_shell_takes_the_variables() {
    let scene = Machine::new().session(Age::FRESH);
    let script = r#"set -a; eval "$(sentry auth token --format env)"; printenv SENTRY_AUTH_TOKEN SENTRY_URL"#;
    let told = scene.sandbox.command("sh").args(["-c", script]);
    let expected = format!("{}\n{}\n", scene.pair.access, scene.sentry.url());
    told.run().success().stdout_is(&expected);
    let odd = scene.token().args(["--format", "env"]);
    let odd = odd.env("SENTRY_AUTH_TOKEN", "a;reboot");
    odd.run()
        .fails(1)
        .stdout_is("")
        .never_says("reboot")
        .stderr_has("hint: `sentry auth token --format json`\n");
}

#[test]
fn json_says_whose_token_it_is_and_until_when() {
    let scene = Machine::new().session(Age::FRESH);
    let json = |cmd: Cmd| -> Value {
        let told = cmd.args(["--format", "json"]).run().success();
        serde_json::from_str(&told.stdout).expect("JSON")
    };
    let told = json(scene.token());
    let expires_at = told["expires_at"].as_str().unwrap().to_owned();
    assert!(
        expires_at.starts_with("20") && expires_at.ends_with('Z'),
        "{expires_at}"
    );
    assert_eq!(
        told,
        json!({
            "token": scene.pair.access, "instance": scene.sentry.url(), "account": "jane",
            "source": "session", "expires_at": expires_at,
        })
    );
    let organization = "sntrys_eyJpYXQiOjEsInVybCI6IiIsIm9yZyI6ImFjbWUifQ==_secret";
    assert_eq!(
        json(scene.token().env("SENTRY_TOKEN", organization)),
        json!({
            "token": organization, "instance": scene.sentry.url(), "account": "acme",
            "source": "SENTRY_TOKEN", "expires_at": null,
        })
    );
}
