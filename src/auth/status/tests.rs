use super::*;
use crate::testing::{Age, SAAS, SELF, access, origin, user};

fn json(status: &Status, show_token: bool) -> serde_json::Value {
    serde_json::to_value(status.to_json(show_token)).unwrap()
}

fn of(age: Age) -> Status {
    let tokens = age.tokens("jane");
    Status {
        instance: origin(SAAS),
        user: user("jane"),
        organizations: Some(vec!["acme".into(), "beta".into()]),
        scopes: None,
        token: tokens.access,
        expires_at: tokens.expires_at,
        source: SESSION,
        session: None,
        shadows: None,
        storage: Some("/home/jane/.sentry/cli.db".into()),
        is_refreshed: tokens.refresh.is_some(),
        keyring: Keyring::Off,
        verified: Verified::Yes,
    }
}

#[test]
fn the_first_three_lines_are_those_that_are_documented() {
    let text = of(Age::FRESH).to_text(false);
    let expected = "Authenticated as: jane\nOrganization: acme, beta\nToken expires: 2033-06-17\n\n\
         Instance: https://sentry.io\nSource: stored session\nStorage: /home/jane/.sentry/cli.db\n\
         Refresh: automatic\nKeyring: off";
    assert_eq!(text, expected);
    let unknown = Status {
        user: User::default(),
        organizations: None,
        ..of(Age::API_TOKEN)
    };
    let text = unknown.to_text(false);
    let expected = "Authenticated as: unknown\nOrganization: unknown\nToken expires: never\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_token_is_shown_only_where_it_is_asked_for() {
    for shown in [false, true] {
        let status = of(Age::FRESH);
        let is_there = |text: &str| text.contains(access("jane").expose());
        assert_eq!(is_there(&status.to_text(shown)), shown);
        assert_eq!(is_there(&json(&status, shown).to_string()), shown);
    }
}

#[test]
fn unverified_and_rejected_are_different_states() {
    for (verified, authenticated, is_verified) in [
        (Verified::Yes, true, true),
        (Verified::No("no network".into()), true, false),
        (Verified::Rejected, false, false),
    ] {
        let is_unsure = matches!(verified, Verified::No(_));
        let status = Status {
            verified,
            ..of(Age::FRESH)
        };
        let json = json(&status, false);
        assert_eq!(json["authenticated"], authenticated);
        assert_eq!(json["verified"], is_verified);
        let text = status.to_text(false);
        let first = match authenticated {
            true => "Authenticated as: jane\n",
            false => "Not authenticated: https://sentry.io does not accept the token\n\nInstance: ",
        };
        assert!(text.starts_with(first), "{text}");
        let line = "Verified: no (no network)";
        assert_eq!(status.to_text(false).contains(line), is_unsure);
    }
}

#[test]
fn a_variable_is_named_with_the_session_that_it_comes_before() {
    let machine = crate::testing::Machine::new().session(Age::FRESH);
    let found = |name: &'static str| EnvironmentToken {
        token: Secret::new("x"),
        origin: origin(SELF),
        variable: name,
    };
    let status = of_environment(found("SENTRY_TOKEN"), Some(&machine.active()));
    let text = status.to_text(false);
    let expected = "Source: SENTRY_TOKEN (before the stored session of https://sentry.io)";
    assert!(text.contains(expected), "{text}");
    assert_eq!(json(&status, false)["shadows"], SAAS);
    let status = of_environment(found("SENTRY_AUTH_TOKEN"), None);
    let text = status.to_text(false);
    assert!(text.contains("Source: SENTRY_AUTH_TOKEN\n"));
    assert!(text.contains("Token expires: unknown\n"));
}
