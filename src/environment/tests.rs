//! Which variable counts, for which instance, and what is wrong with a value.

use std::rc::Rc;

use base64::Engine as _;

use super::*;
use crate::world::SystemClock;

fn world(variables: &[(&str, &str)]) -> World {
    World::of(variables, Rc::new(SystemClock))
}

fn org_token(url: &str) -> String {
    let claims = base64::engine::general_purpose::STANDARD.encode(format!(r#"{{"url":"{url}"}}"#));
    format!("sntrys_{claims}_x")
}

#[test]
fn the_legacy_name_comes_first_and_blank_is_unset() {
    let of = |variables: &[(&str, &str)]| {
        token(&world(variables))
            .unwrap()
            .map(|found| found.variable)
    };
    assert_eq!(
        of(&[("SENTRY_TOKEN", "b"), ("SENTRY_AUTH_TOKEN", "a")]),
        Some("SENTRY_AUTH_TOKEN")
    );
    assert_eq!(
        of(&[("SENTRY_TOKEN", "b"), ("SENTRY_AUTH_TOKEN", " \t")]),
        Some("SENTRY_TOKEN")
    );
    assert_eq!(of(&[("SENTRY_TOKEN", "")]), None);
}

#[test]
fn a_token_with_a_line_break_is_no_token() {
    let failure = token(&world(&[("SENTRY_TOKEN", "a\nhost=evil")]))
        .unwrap_err()
        .to_string();
    assert!(failure.contains("SENTRY_TOKEN") && !failure.contains("evil"));
}

#[test]
fn a_claim_beats_the_default_and_a_contradiction_is_an_error() {
    let claimed = org_token("https://a.example");
    let of = |variables: &[(&str, &str)]| {
        token(&world(variables)).map(|found| found.unwrap().origin.to_string())
    };
    assert_eq!(
        of(&[("SENTRY_TOKEN", &claimed)]).unwrap(),
        "https://a.example"
    );
    assert!(
        of(&[
            ("SENTRY_TOKEN", &claimed),
            ("SENTRY_URL", "https://b.example")
        ])
        .is_err()
    );
    let empty = org_token("");
    assert_eq!(
        of(&[("SENTRY_TOKEN", &empty), ("SENTRY_URL", "b.example")]).unwrap(),
        "https://b.example"
    );
    assert_eq!(
        of(&[("SENTRY_TOKEN", "opaque")]).unwrap(),
        "https://sentry.io"
    );
}

#[test]
fn host_wins_over_url() {
    let world = world(&[
        ("SENTRY_URL", "https://a.example"),
        ("SENTRY_HOST", "b.example/"),
    ]);
    assert_eq!(
        instance(&world).unwrap().unwrap().to_string(),
        "https://b.example"
    );
}

#[test]
fn the_client_id_of_the_saas_is_not_for_others() {
    assert!(client_id(&world(&[]), &Origin::saas()).is_some());
    assert_eq!(
        client_id(&world(&[]), &Origin::parse("https://a.example").unwrap()),
        None
    );
}

#[test]
fn a_client_id_belongs_to_the_instance_that_is_named_beside_it() {
    let saas = Origin::saas();
    let own = Origin::parse("https://a.example").unwrap();
    let of = |url: Option<&str>, origin: &Origin| {
        let id = [("SENTRY_CLIENT_ID", "mine")];
        let url = url.map(|url| ("SENTRY_URL", url));
        let world = world(&[&id[..], url.as_slice()].concat());
        let found = client_id(&world, origin).unwrap();
        let by = |url| client_id_by(&world, origin, url).unwrap();
        assert_eq!(by(None), found);
        assert_eq!(by(Some(origin)), "mine");
        found
    };
    assert_eq!(of(None, &saas), BUILT_IN_CLIENT_ID);
    assert_eq!(of(Some("https://a.example"), &saas), BUILT_IN_CLIENT_ID);
    assert_eq!(
        of(Some("https://acme.sentry.io"), &saas),
        BUILT_IN_CLIENT_ID
    );
    assert_eq!(of(Some("https://us.sentry.io"), &saas), "mine");
    assert_eq!(of(None, &own), "mine");
    assert_eq!(of(Some("https://a.example"), &own), "mine");
}

#[test]
fn many_ways_to_say_never() {
    assert!(may_prompt(&world(&[
        ("GIT_TERMINAL_PROMPT", "1"),
        ("CI", "")
    ])));
    for (name, value) in [
        ("SENTRY_CREDENTIAL_INTERACTIVE", "never"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GCM_INTERACTIVE", "Never"),
        ("CI", "true"),
    ] {
        assert!(!may_prompt(&world(&[(name, value)])), "{name}");
    }
}

#[test]
fn what_usually_goes_wrong_with_a_variable_has_a_sentence_of_its_own() {
    for (value, said) in [
        ("\"sntryu_x\"", "quotes"),
        ("'sntryu_x", "quotes"),
        ("\u{201c}sntryu_x\u{201d}", "quotes"),
        ("\u{feff}sntryu_x", "byte order mark"),
        ("Bearer sntryu_x", "header"),
        ("two words", "printable ASCII"),
        ("t\u{f4}k", "printable ASCII"),
    ] {
        for variable in TOKENS {
            let told = token(&world(&[(variable, value)])).unwrap_err().to_string();
            assert!(told.contains(variable) && told.contains(said), "{told}");
            assert!(!told.contains("sntryu_x"), "{told}");
        }
    }
    // Only what editors and shells leave at the ends of a line.
    let found = token(&world(&[("SENTRY_TOKEN", " sntryu_x\r\n")])).unwrap();
    assert_eq!(found.unwrap().token.expose(), "sntryu_x");
}

#[test]
fn a_variable_that_cannot_be_used_hides_the_one_after_it() {
    let broken = [("SENTRY_AUTH_TOKEN", "two words"), ("SENTRY_TOKEN", "good")];
    assert!(token(&world(&broken)).is_err());
    let environment = Environment::of(&world(&broken));
    assert!(!environment.holds_a_token() && environment.named().is_none());
}

#[test]
fn a_token_without_a_claim_belongs_to_the_instance_that_is_named_or_to_no_instance() {
    let of = |variables: &[(&str, &str)]| {
        let found = token(&world(variables))?;
        Ok::<_, Failure>(found.unwrap().origin.to_string())
    };
    let opaque = ("SENTRY_TOKEN", "opaque");
    assert_eq!(
        of(&[opaque, ("SENTRY_HOST", "a.example")]).unwrap(),
        "https://a.example"
    );
    // A variable that names no instance must not send it to the SaaS.
    for odd in ["http://a.example", "https://a.example/path", "a b"] {
        assert!(of(&[opaque, ("SENTRY_URL", odd)]).is_err(), "{odd}");
    }
    let claimed = org_token("https://us.sentry.io");
    let both = [
        ("SENTRY_TOKEN", claimed.as_str()),
        ("SENTRY_URL", "https://sentry.io"),
    ];
    assert_eq!(of(&both).unwrap(), "https://us.sentry.io");
    let odd = org_token("http://a.example");
    assert!(of(&[("SENTRY_TOKEN", &odd)]).is_err());
}

#[test]
fn an_organization_of_the_saas_is_named_as_the_wrong_usage() {
    let failure = instance(&world(&[("SENTRY_HOST", "acme.sentry.io")])).unwrap_err();
    assert_eq!(
        failure.hint_text(),
        Some("`export SENTRY_HOST=https://sentry.io`")
    );
    assert!(crate::failure::is_usage(&failure.into()));
    let url = [("SENTRY_URL", "https://sentry.io/"), ("SENTRY_HOST", " ")];
    assert_eq!(instance(&world(&url)).unwrap(), Some(Origin::saas()));
}

#[test]
fn a_secret_of_the_environment_is_recognized_in_force_or_not() {
    let both = world(&[("SENTRY_AUTH_TOKEN", "a"), ("SENTRY_TOKEN", " b ")]);
    for (text, expected) in [("a", true), ("b", true), ("c", false), ("", false)] {
        assert_eq!(holds(&both, &Secret::new(text)), expected, "{text}");
    }
}
