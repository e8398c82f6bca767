//! The access token is invalid at the server before it expires, and the refresh token is valid: one 401 leads to one
//! refresh, not to advice to log in again.

use crate::fake_sentry::{Answer, Endpoint};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd};

/// A session whose lifetime the server has shortened.
fn scene() -> Machine {
    let scene = Machine::new().login(Age::FRESH);
    scene.sentry.expire(&scene.pair.access);
    scene
}

/// The commands that check the token with Sentry.
fn asking(scene: &Machine) -> [(&'static str, Cmd); 4] {
    [
        ("status", &["status"][..]),
        ("status --json", &["status", "--json"]),
        ("whoami", &["whoami"]),
        ("refresh", &["refresh"]),
    ]
    .map(|(name, args)| (name, scene.sandbox.sentry(&["auth"]).args(args)))
}

#[test]
fn a_command_that_gets_a_401_refreshes_once_and_continues() {
    for index in 0..4 {
        let scene = scene();
        let (name, command) = asking(&scene)[index].clone();
        let ended = command.run();
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        assert!(!ended.stderr.contains("error"), "{name}: {ended:?}");
        let expected = match name {
            "status" => "Authenticated as: jane",
            "status --json" => "\"authenticated\": true",
            "whoami" => "jane\n",
            _ => "",
        };
        ended.stdout_has(expected);
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{name}");
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
        // All other commands get the new token without a request.
        let asked = scene.sentry.requests().len();
        scene.serves(&scene.sentry.current_access());
        assert_eq!(scene.sentry.requests().len(), asked, "{name}");
    }
}

#[test]
fn a_token_that_git_reports_as_refused_is_replaced_for_a_script() {
    let scene = scene();
    scene.reports_refused(&scene.pair.access);
    let token = scene.token().run().success().stderr_is("");
    token.stdout_is(&format!("{}\n", scene.sentry.current_access()));
    assert_eq!(scene.sentry.refresh_attempts(), 1);
}

#[test]
fn a_401_for_an_ended_session_is_one_refresh_and_an_error() {
    for index in 0..4 {
        let scene = scene();
        scene.sentry.revoke_family(&scene.pair.refresh);
        let (name, command) = asking(&scene)[index].clone();
        let told = command.run().fails(1).never_says("Authenticated as");
        told.stderr_has("sentry auth login");
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{name}");
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
        // Recorded from now on.
        let (_, again) = asking(&scene)[index].clone();
        again.run().fails(1);
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{name}");
    }
}

#[test]
fn a_401_while_nothing_can_be_refreshed_is_an_error_and_respects_the_pause() {
    let scene = scene();
    let busy = Answer::new(503, "text/plain", "later");
    scene.sentry.fault_always(Endpoint::Refresh, busy);
    let status = || scene.sandbox.sentry(&["auth", "status"]).run().fails(1);
    for _ in 0..2 {
        status().never_says("Authenticated as");
        assert_eq!(scene.sentry.refresh_attempts(), 1);
    }
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    scene.sentry.fix();
    scene.is_alive();
}

#[test]
fn a_command_that_is_not_to_ask_sentry_refreshes_nothing() {
    let scene = scene();
    let status = scene.sandbox.sentry(&["auth", "status", "--offline"]);
    status.run().success();
    assert_eq!(scene.sentry.requests().len(), 0);
}
