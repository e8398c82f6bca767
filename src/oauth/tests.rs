//! What is sent, and which answer is which: statuses and bodies as tables, and a server on this machine.

use std::time::Duration;

use super::*;
use crate::testing::{Canned, Machine, SAAS, Server, access, origin};

fn answer(status: u16, body: &str) -> Answer {
    Answer::with(status, body.as_bytes())
}

const PAGE: &str = "<!doctype html><title>log in to the network</title>";

const GRANT: &str = r#"{"access_token":"a","token_type":"bearer"}"#;

/// The name of a variant.
fn name(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

#[test]
fn each_answer_to_a_refresh_has_one_meaning() {
    for (status, body, expected) in [
        (200, GRANT, "Granted"),
        (201, r#"{"access_token":"a"}"#, "Granted"),
        // What a refresh brings is of the type of what it replaces.
        (200, r#"{"access_token":"a","token_type":"mac"}"#, "Granted"),
        (200, r#"{"access_token":"a b"}"#, "Unusable"),
        (
            200,
            r#"{"access_token":"a","refresh_token":"\n"}"#,
            "Unusable",
        ),
        (200, r#"{"access_token":"a","error":"x"}"#, "Transient"),
        (200, r#"{"access_token":7}"#, "Transient"),
        (200, PAGE, "Transient"),
        (200, "", "Transient"),
        (400, r#"{"error":"invalid_grant"}"#, "InvalidGrant"),
        (401, r#"{"error":"invalid_grant"}"#, "InvalidGrant"),
        (401, r#"{"error":"invalid_client"}"#, "InvalidClient"),
        (400, r#"{"error":"unauthorized_client"}"#, "Refused"),
        (403, r#"{"error":"access_denied"}"#, "Refused"),
        // Only a whole error of OAuth says something about the pair.
        (403, r#"{"error":"invalid_grant"}"#, "Refused"),
        (500, r#"{"error":"invalid_grant"}"#, "Transient"),
        (429, r#"{"error":"invalid_grant"}"#, "Transient"),
        (400, r#"{"error":"Invalid Grant"}"#, "Transient"),
        (400, r#"{"detail":"invalid_grant"}"#, "Transient"),
        (400, PAGE, "Transient"),
        (302, r#"{"error":"invalid_grant"}"#, "Transient"),
        (404, "", "Transient"),
    ] {
        let found = RefreshAnswer::of(&answer(status, body));
        assert_eq!(name(&found), expected, "{status} {body}");
    }
}

#[test]
fn only_too_many_requests_are_known_not_to_have_been_acted_on() {
    for (status, acted) in [
        (429, false),
        (500, true),
        (503, true),
        (302, true),
        (404, true),
    ] {
        let RefreshAnswer::Transient(failed) = RefreshAnswer::of(&answer(status, "")) else {
            panic!("{status}")
        };
        assert!(failed.sent && failed.answered, "{status}");
        assert_eq!(failed.acted, acted, "{status}");
    }
}

#[test]
fn each_answer_to_a_poll_has_one_meaning() {
    let error = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    for (status, body, expected) in [
        (400, error("authorization_pending"), "Pending"),
        (403, error("authorization_pending"), "Pending"),
        (400, error("slow_down"), "SlowDown"),
        (400, error("access_denied"), "Denied"),
        (400, error("expired_token"), "Expired"),
        (400, error("invalid_client"), "Refused"),
        (503, error("server_error"), "Transient"),
        (429, error("rate_limited"), "Transient"),
        (200, GRANT.to_owned(), "Granted"),
        (200, r#"{"access_token":"a"}"#.to_owned(), "Granted"),
        // The code is redeemed: there is nothing to go on for.
        (
            200,
            r#"{"access_token":"a","token_type":"mac"}"#.to_owned(),
            "Refused",
        ),
        (200, r#"{"access_token":"a b"}"#.to_owned(), "Refused"),
        (500, GRANT.to_owned(), "Transient"),
        (200, PAGE.to_owned(), "Transient"),
        (502, PAGE.to_owned(), "Transient"),
        (302, String::new(), "Transient"),
    ] {
        let found = PollAnswer::of(&answer(status, &body));
        assert_eq!(name(&found), expected, "{status} {body}");
    }
}

#[test]
fn each_answer_to_a_request_for_a_code_has_one_meaning() {
    let code = r#"{"device_code":"d","user_code":"AB-CD","verification_uri":"v"}"#;
    for (status, body, expected) in [
        (200, code, "Code"),
        (400, code, "NotOAuth"),
        (
            200,
            r#"{"device_code":"d","user_code":"","verification_uri":"v"}"#,
            "NotOAuth",
        ),
        (
            200,
            r#"{"device_code":"d e","user_code":"U","verification_uri":"v"}"#,
            "NotOAuth",
        ),
        (200, PAGE, "NotOAuth"),
        (404, "", "NotOAuth"),
        (302, "", "NotOAuth"),
        (503, PAGE, "NotOAuth"),
        (503, "", "Refused"),
        (401, r#"{"error":"invalid_client"}"#, "Refused"),
        (400, r#"{"error":"invalid_scope"}"#, "Refused"),
    ] {
        let found = DeviceAnswer::of(&answer(status, body));
        assert_eq!(name(&found), expected, "{status} {body}");
    }
}

#[test]
fn an_error_is_reported_with_its_status_code_and_printable_text() {
    let body = r#"{"error":"invalid_scope","error_description":"no \u001b[31m such scope"}"#;
    let RefreshAnswer::Refused(refusal) = RefreshAnswer::of(&answer(400, body)) else {
        panic!("it is refused")
    };
    let expected = "HTTP 400, `invalid_scope` (no [31m such scope)";
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn a_server_that_throws_the_secret_back_is_not_repeated() {
    let thrown_back = r#"{"error":"invalid_grant","error_description":"refresh-of-jane is spent"}"#;
    let server = Server::start(vec![Canned::json(400, thrown_back)]);
    let machine = Machine::new();
    let oauth = OAuth::new(&machine.world(), &origin(&server.origin), "client");
    let refresh = crate::testing::refresh("jane");
    match oauth.refresh(&refresh, REQUEST) {
        RefreshAnswer::InvalidGrant(refusal) => assert_eq!(refusal.description, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_requests_are_those_of_the_documentation() {
    let error = || Canned::error(400, "x");
    let server = Server::start(vec![error(), error(), error(), Canned::accepted()]);
    let machine = Machine::new();
    let oauth = OAuth::new(&machine.world(), &origin(&server.origin), "a client");
    drop(oauth.device_code("org:read team:read"));
    drop(oauth.poll(&Secret::new("device+code")));
    drop(oauth.refresh(&Secret::new("r"), Duration::from_secs(5)));
    assert!(matches!(oauth.check(&access("jane")), Check::Accepted(_)));
    assert_eq!(
        server.requests(),
        [
            "POST /oauth/device/code/ client_id=a+client&scope=org%3Aread+team%3Aread",
            "POST /oauth/token/ client_id=a+client&device_code=device%2Bcode\
             &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code",
            "POST /oauth/token/ client_id=a+client&grant_type=refresh_token&refresh_token=r",
            "GET /api/0/ Bearer access-of-jane",
        ]
    );
}

#[test]
fn a_redirect_is_not_followed_whatever_it_names() {
    let elsewhere = Server::start(vec![Canned::accepted()]);
    for status in [301, 302, 303, 307, 308] {
        let location: &'static str = format!("Location: {}/api/0/\r\n", elsewhere.origin).leak();
        let server = Server::start(vec![
            Canned::Says(status, location, String::new()),
            Canned::Says(status, location, String::new()),
        ]);
        let machine = Machine::new();
        let oauth = OAuth::new(&machine.world(), &origin(&server.origin), "client");
        let check = oauth.check(&access("jane"));
        assert!(matches!(check, Check::Unknown(_)), "{status} {check:?}");
        let answer = oauth.refresh(&access("jane"), REQUEST);
        assert!(matches!(answer, RefreshAnswer::Transient(_)), "{status}");
    }
    assert_eq!(elsewhere.requests(), [""; 0]);
}

#[test]
fn an_answer_that_is_too_long_is_no_answer_and_the_pair_may_be_spent() {
    let long = format!(r#"{{"access_token":"a","x":"{}"}}"#, "y".repeat(64 * 1024));
    let server = Server::start(vec![Canned::json(200, &long)]);
    let machine = Machine::new();
    let oauth = OAuth::new(&machine.world(), &origin(&server.origin), "client");
    match oauth.refresh(&access("jane"), REQUEST) {
        RefreshAnswer::Transient(failed) => {
            assert!(failed.sent && failed.acted && !failed.answered);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_answer_about_a_token_has_one_meaning() {
    for (status, body, expected) in [
        (200, r#"{"auth":{"scopes":[]},"user":null}"#, "Accepted"),
        (200, r#"{"auth":{},"user":{"id":7}}"#, "Accepted"),
        // Sentry answers 200 to a request without a token too.
        (200, r#"{"auth":null,"user":null}"#, "Unknown"),
        (200, r#"{"version":"0"}"#, "Unknown"),
        (200, PAGE, "Unknown"),
        (401, "", "Rejected"),
        (401, PAGE, "Rejected"),
        (403, "", "Forbidden"),
        (404, "", "Unknown"),
        (429, "", "Unknown"),
        (500, "", "Unknown"),
    ] {
        let server = Server::start(vec![Canned::json(status, body)]);
        let machine = Machine::new();
        let oauth = OAuth::new(&machine.world(), &origin(&server.origin), "");
        let check = oauth.check(&access("jane"));
        assert_eq!(name(&check), expected, "{status} {body}");
    }
}

#[test]
fn organizations_are_asked_for_at_the_instance_and_never_at_a_region_of_another() {
    let regions = r#"{"regions":[{"url":"https://evil.example"},{"url":"http://127.0.0.1:9"}]}"#;
    let slugs = r#"[{"slug":"acme"},{"slug":"acme"},{"name":"nameless"},{"slug":"b\u0007c"}]"#;
    let server = Server::start(vec![Canned::json(200, regions), Canned::json(200, slugs)]);
    let machine = Machine::new();
    let instance = origin(&server.origin);
    let oauth = OAuth::new(&machine.world(), &instance, "");
    match oauth.organizations(&instance, &access("jane")) {
        Organizations::Known(slugs) => assert_eq!(slugs, ["acme", "bc"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        server.requests()[1],
        "GET /api/0/organizations/ Bearer access-of-jane"
    );
    let server = Server::start(vec![Canned::json(404, ""), Canned::json(403, "")]);
    let instance = origin(&server.origin);
    let oauth = OAuth::new(&machine.world(), &instance, "");
    let found = oauth.organizations(&instance, &access("jane"));
    assert!(matches!(found, Organizations::Unknown));
}

#[test]
fn scopes_are_what_the_instance_says() {
    let body = r#"{"auth":{"scopes":["org:read",7,"team:read"]}}"#;
    let server = Server::start(vec![Canned::json(200, body), Canned::json(200, "{}")]);
    let machine = Machine::new();
    let oauth = OAuth::new(&machine.world(), &origin(&server.origin), "");
    let scopes = || oauth.check_with_scopes(&access("jane")).1;
    let known = ["org:read", "team:read"].map(str::to_owned);
    assert_eq!(scopes(), Some(known.to_vec()));
    assert_eq!(scopes(), None);
}

#[test]
fn a_setting_of_the_way_that_cannot_be_used_keeps_every_request_from_being_sent() {
    let missing = "/nonexistent/authorities.pem";
    for (variable, value) in [
        ("HTTPS_PROXY", "ftp://proxy"),
        ("all_proxy", "http://user:hunter2@"),
        ("HTTP_PROXY", "http://proxy:0"),
        ("SSL_CERT_FILE", missing),
        ("SSL_CERT_DIR", missing),
        ("NODE_EXTRA_CA_CERTS", missing),
    ] {
        let machine = Machine::new().variable(variable, value);
        let told = describe_route(&machine.world(), &origin(SAAS))
            .unwrap_err()
            .to_string();
        assert!(
            told.contains(variable) && !told.contains("hunter2"),
            "{told}"
        );
        let oauth = OAuth::new(&machine.world(), &origin(SAAS), "client");
        match oauth.refresh(&access("jane"), REQUEST) {
            RefreshAnswer::Transient(failed) => assert!(!failed.acted, "{variable}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_route_is_reported_with_its_source_and_without_passwords() {
    let to =
        |machine: &Machine, place: &str| describe_route(&machine.world(), &origin(place)).unwrap();
    let machine = Machine::new();
    assert_eq!(to(&machine, SAAS), "no proxy; the system's authorities");
    assert_eq!(to(&machine, "http://127.0.0.1:9000"), "this machine itself");
    let machine = machine.variable("ALL_PROXY", "socks5h://127.0.0.1");
    let machine = machine.variable("https_proxy", "u:hunter2@proxy.example:3128");
    let is_through = |way: &str| {
        assert!(!way.contains("hunter2"), "{way}");
        way.starts_with("http://proxy.example:3128 ") && way.contains("https_proxy")
    };
    assert!(is_through(&to(&machine, SAAS)));
    let machine = machine.variable("NO_PROXY", "sentry.io");
    assert!(to(&machine, SAAS).starts_with("no proxy"));
    assert!(is_through(&to(&machine, "https://self.example")));
}

#[test]
fn a_file_without_a_certificate_stands_for_no_authority() {
    let machine = Machine::new();
    let empty = machine.home().join("empty.pem");
    std::fs::write(&empty, "-----BEGIN NOTHING-----\n").unwrap();
    for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let machine = Machine::new().variable(variable, empty.to_str().unwrap());
        let told = describe_route(&machine.world(), &origin(SAAS))
            .unwrap_err()
            .to_string();
        assert!(told.contains("no certificate"), "{told}");
    }
    // A directory is not a file; opening a FIFO waits for its writer.
    let home = machine.home().to_str().unwrap().to_owned();
    let machine = machine.variable("SSL_CERT_FILE", &home);
    assert!(describe_route(&machine.world(), &origin(SAAS)).is_err());
}
