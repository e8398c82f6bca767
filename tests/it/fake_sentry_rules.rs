//! Checks the rules of the fake Sentry in plain bytes, without code that the programs under test might share.

use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault, Replay};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    #[track_caller]
    fn is_error(&self, status: u16, error: &str) {
        assert_eq!(
            (self.status, &self.json()["error"]),
            (status, &Value::from(error))
        );
    }
}

/// One request, the connection read to its end.
fn exchange(sentry: &FakeSentry, head: &str, body: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(sentry.address())?;
    connection.set_read_timeout(Some(SOON))?;
    write!(
        connection,
        "{head}\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
        sentry.address(),
        body.len()
    )?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    Ok(text)
}

fn reply(text: &str) -> Reply {
    let (head, body) = text.split_once("\r\n\r\n").expect(text);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect(head);
    Reply {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn try_post(sentry: &FakeSentry, path: &str, form: &[(&str, &str)]) -> io::Result<String> {
    let escape = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let body: Vec<_> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded");
    exchange(sentry, &head, &body.join("&"))
}

fn post(sentry: &FakeSentry, path: &str, form: &[(&str, &str)]) -> Reply {
    reply(&try_post(sentry, path, form).expect("an answer"))
}

fn get(sentry: &FakeSentry, path: &str, authorization: &str) -> Reply {
    let head = format!("GET {path} HTTP/1.1\r\nAuthorization: {authorization}");
    reply(&exchange(sentry, &head, "").expect("an answer"))
}

fn request_code(sentry: &FakeSentry) -> Value {
    post(
        sentry,
        "/oauth/device/code/",
        &[("client_id", CLIENT_ID), ("scope", "org:read team:read")],
    )
    .json()
}

fn poll(sentry: &FakeSentry, code: &Value) -> Reply {
    let device_code = code["device_code"].as_str().expect("a device code");
    let form = [
        ("client_id", CLIENT_ID),
        ("device_code", device_code),
        ("grant_type", DEVICE_GRANT),
    ];
    post(sentry, "/oauth/token/", &form)
}

fn try_refresh(sentry: &FakeSentry, token: &str) -> io::Result<String> {
    let form = [
        ("client_id", CLIENT_ID),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    try_post(sentry, "/oauth/token/", &form)
}

fn refresh(sentry: &FakeSentry, token: &str) -> Reply {
    reply(&try_refresh(sentry, token).expect("an answer"))
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body[key].as_str().expect(key)
}

#[test]
fn a_device_code_is_answered_as_sentry_does() {
    let sentry = FakeSentry::start();
    let code = request_code(&sentry);
    let user_code = text(&code, "user_code");
    assert_eq!(user_code, sentry.wait_for_code(SOON));
    assert!(
        user_code.len() == 9 && user_code.as_bytes()[4] == b'-',
        "{user_code}"
    );
    assert_eq!(
        text(&code, "verification_uri"),
        format!("{}/oauth/device/", sentry.url())
    );
    let complete = format!("{}/oauth/device/?user_code={user_code}", sentry.url());
    assert_eq!(text(&code, "verification_uri_complete"), complete);
    assert_eq!(
        (&code["expires_in"], &code["interval"]),
        (&600.into(), &5.into())
    );
}

#[test]
fn an_interval_can_be_left_out() {
    let sentry = FakeSentry::start();
    sentry.set_interval(None);
    assert_eq!(request_code(&sentry).get("interval"), None);
}

#[test]
fn an_unknown_client_is_refused() {
    let sentry = FakeSentry::start();
    post(&sentry, "/oauth/device/code/", &[("client_id", "stranger")])
        .is_error(401, "invalid_client");
    post(&sentry, "/oauth/token/", &[("grant_type", "refresh_token")])
        .is_error(401, "invalid_client");
}

#[test]
fn a_missing_trailing_slash_is_not_found() {
    let sentry = FakeSentry::start();
    assert_eq!(
        post(&sentry, "/oauth/device/code", &[("client_id", CLIENT_ID)]).status,
        404
    );
    assert_eq!(
        post(&sentry, "/oauth/token", &[("client_id", CLIENT_ID)]).status,
        404
    );
}

#[test]
fn polling_too_fast_is_slowed_down() {
    let sentry = FakeSentry::start();
    let code = request_code(&sentry);
    poll(&sentry, &code).is_error(400, "authorization_pending");
    sentry.approve(text(&code, "user_code"));
    poll(&sentry, &code).is_error(400, "slow_down");
}

#[test]
fn an_approved_code_is_redeemed_exactly_once() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(0));
    let code = request_code(&sentry);
    poll(&sentry, &code).is_error(400, "authorization_pending");
    sentry.approve(text(&code, "user_code"));
    let granted = poll(&sentry, &code).json();
    assert!(sentry.is_valid(text(&granted, "access_token")));
    assert_eq!(text(&granted, "token_type"), "Bearer");
    assert_eq!(text(&granted, "scope"), "org:read team:read");
    assert_eq!(granted["expires_in"], 30 * 24 * 3600);
    assert_eq!(granted["user"]["email"], "jane@example.com");
    poll(&sentry, &code).is_error(400, "invalid_grant");
    assert!(sentry.is_valid(text(&granted, "access_token")));
    assert_eq!(sentry.polls(), 3);
}

#[test]
fn a_verdict_can_come_before_the_code() {
    let sentry = FakeSentry::start();
    sentry.approve_next();
    sentry.deny_next();
    assert_eq!(poll(&sentry, &request_code(&sentry)).status, 200);
    poll(&sentry, &request_code(&sentry)).is_error(400, "access_denied");
    poll(&sentry, &request_code(&sentry)).is_error(400, "authorization_pending");
}

#[test]
fn an_expired_code_says_so() {
    let sentry = FakeSentry::start();
    let code = request_code(&sentry);
    sentry.expire_code(text(&code, "user_code"));
    poll(&sentry, &code).is_error(400, "expired_token");
}

#[test]
fn a_refresh_replaces_both_tokens_at_once() {
    let sentry = FakeSentry::start();
    let old = sentry.issue();
    let new = refresh(&sentry, &old.refresh).json();
    assert!(!sentry.is_valid(&old.access) && !sentry.is_refreshable(&old.refresh));
    assert!(
        sentry.is_valid(text(&new, "access_token"))
            && sentry.is_refreshable(text(&new, "refresh_token"))
    );
    assert_eq!((sentry.refreshes(), sentry.refresh_attempts()), (1, 1));
}

#[test]
fn a_replayed_refresh_token_revokes_the_family() {
    let sentry = FakeSentry::start();
    let old = sentry.issue();
    assert_eq!(refresh(&sentry, &old.refresh).status, 200);
    let new = sentry.current();
    refresh(&sentry, &old.refresh).is_error(400, "invalid_grant");
    assert!(!sentry.is_valid(&new.access));
    refresh(&sentry, &new.refresh).is_error(400, "invalid_grant");
}

#[test]
fn a_replay_may_do_no_further_harm() {
    let sentry = FakeSentry::start();
    sentry.set_replay(Replay::Refused);
    let old = sentry.issue();
    assert_eq!(refresh(&sentry, &old.refresh).status, 200);
    refresh(&sentry, &old.refresh).is_error(400, "invalid_grant");
    assert!(sentry.is_valid(&sentry.current_access()));
}

#[test]
fn within_the_grace_a_replay_is_answered_with_the_same_pair_and_after_it_revokes_the_family() {
    let sentry = FakeSentry::start();
    let grace = Duration::from_millis(500);
    sentry.set_replay(Replay::Grace(grace));
    let old = sentry.issue();
    let new = refresh(&sentry, &old.refresh).json();
    let again = refresh(&sentry, &old.refresh).json();
    assert_eq!(again["access_token"], new["access_token"]);
    assert_eq!(again["refresh_token"], new["refresh_token"]);
    assert_eq!((sentry.refreshes(), sentry.grace_answers()), (1, 1));
    assert!(sentry.is_valid(text(&new, "access_token")));
    thread::sleep(grace);
    refresh(&sentry, &old.refresh).is_error(400, "invalid_grant");
    assert!(!sentry.is_valid(text(&new, "access_token")));
    refresh(&sentry, text(&new, "refresh_token")).is_error(400, "invalid_grant");
}

#[test]
fn the_grace_is_for_the_token_that_was_spent_last() {
    let sentry = FakeSentry::start();
    sentry.set_replay(Replay::Grace(SOON));
    let first = sentry.issue();
    let second = sentry.refresh_elsewhere(&first.refresh);
    let third = sentry.refresh_elsewhere(&second.refresh);
    refresh(&sentry, &first.refresh).is_error(400, "invalid_grant");
    assert!(!sentry.is_refreshable(&third.refresh));
}

#[test]
fn a_refresh_token_is_valid_for_the_client_that_it_was_issued_to() {
    let sentry = FakeSentry::start();
    sentry.add_client("another-client");
    let pair = sentry.issue_to("another-client");
    refresh(&sentry, &pair.refresh).is_error(400, "invalid_grant");
    assert!(sentry.is_refreshable(&pair.refresh) && sentry.is_valid(&pair.access));
    let mut form = [
        ("client_id", "a-third-client"),
        ("grant_type", "refresh_token"),
        ("refresh_token", &pair.refresh),
    ];
    post(&sentry, "/oauth/token/", &form).is_error(401, "invalid_client");
    form[0].1 = "another-client";
    assert_eq!(post(&sentry, "/oauth/token/", &form).status, 200);
}

#[test]
fn a_grant_can_be_answered_in_other_words() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    let alter = |answer: Answer| Answer::new(answer.status, "text/plain", "granted");
    sentry.fault_always(Endpoint::Refresh, Fault::Altered(alter));
    assert_eq!(refresh(&sentry, &pair.refresh).body, "granted");
    refresh(&sentry, &pair.refresh).is_error(400, "invalid_grant");
}

#[test]
fn a_refresh_with_a_scope_is_invalid() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    let form = [
        ("client_id", CLIENT_ID),
        ("grant_type", "refresh_token"),
        ("refresh_token", &pair.refresh),
        ("scope", "org:read"),
    ];
    post(&sentry, "/oauth/token/", &form).is_error(400, "invalid_request");
    assert!(sentry.is_refreshable(&pair.refresh));
}

#[test]
fn an_expired_access_token_can_be_refreshed() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    sentry.expire(&pair.access);
    assert_eq!(
        get(&sentry, "/api/0/", &format!("Bearer {}", pair.access)).status,
        401
    );
    assert_eq!(refresh(&sentry, &pair.refresh).status, 200);
}

#[test]
fn a_token_without_a_lifetime_never_expires() {
    let sentry = FakeSentry::start();
    sentry.set_lifetime(None);
    let answer = refresh(&sentry, &sentry.issue().refresh).json();
    assert_eq!(
        (&answer["expires_in"], &answer["expires_at"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn the_api_distinguishes_users_organizations_and_no_token() {
    let sentry = FakeSentry::start();
    sentry.add_org_token("sntrys_org");
    let bearer = format!("Bearer {}", sentry.issue().access);
    assert_eq!(
        get(&sentry, "/api/0/", &bearer).json()["user"]["username"],
        "jane"
    );
    assert_eq!(
        get(&sentry, "/api/0/", "Bearer sntrys_org").json()["user"],
        Value::Null
    );
    assert_eq!(
        get(&sentry, "/api/0/", "Bearer nonsense").json()["detail"],
        "Invalid token"
    );
    assert_eq!(
        get(&sentry, "/api/0/organizations/", &bearer).json()[0]["slug"],
        "my-org"
    );
    assert_eq!(
        get(&sentry, "/api/0/users/me/regions/", &bearer).json()["regions"][0]["url"],
        sentry.url()
    );
    sentry.set_regions(false);
    assert_eq!(
        get(&sentry, "/api/0/users/me/regions/", &bearer).status,
        404
    );
}

#[test]
fn a_proxy_may_ask_whether_a_credential_is_good() {
    let sentry = FakeSentry::start();
    sentry.add_api_token("sntryu_api");
    let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
    assert_eq!(
        get(&sentry, "/__auth", &basic("anyone:sntryu_api")).status,
        204
    );
    assert_eq!(get(&sentry, "/__auth", "Bearer sntryu_api").status, 204);
    assert_eq!(get(&sentry, "/__auth", &basic("sntryu_api:")).status, 401);
    assert_eq!(
        reply(&exchange(&sentry, "GET /__auth HTTP/1.0", "").expect("an answer")).status,
        401
    );
}

#[test]
fn faults_come_once_and_in_order() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    sentry.fault(
        Endpoint::Token,
        Answer::new(502, "text/html", "<h1>Bad Gateway</h1>"),
    );
    sentry.fault(
        Endpoint::Refresh,
        Answer::error(429, "slow").header("Retry-After", "7"),
    );
    assert_eq!(refresh(&sentry, &pair.refresh).status, 502);
    assert!(
        refresh(&sentry, &pair.refresh)
            .head
            .contains("\r\nRetry-After: 7\r\n")
    );
    assert_eq!(refresh(&sentry, &pair.refresh).status, 200);
    assert_eq!((sentry.refreshes(), sentry.refresh_attempts()), (1, 3));
}

#[test]
fn a_reset_before_the_work_spends_nothing_and_one_after_it_spends_the_token() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    sentry.fault(Endpoint::Refresh, Fault::ResetBefore);
    let error = try_refresh(&sentry, &pair.refresh).expect_err("no answer");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(sentry.is_refreshable(&pair.refresh));
    sentry.fault(Endpoint::Refresh, Fault::ResetAfter);
    try_refresh(&sentry, &pair.refresh).expect_err("no answer");
    assert!(!sentry.is_refreshable(&pair.refresh));
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn half_a_body_is_sent_under_the_length_of_the_whole() {
    let sentry = FakeSentry::start();
    sentry.fault(Endpoint::Refresh, Fault::Truncate);
    let half = refresh(&sentry, &sentry.issue().refresh);
    let promised = half
        .head
        .split_once("Content-Length: ")
        .and_then(|(_, rest)| rest.lines().next());
    let promised: usize = promised
        .and_then(|length| length.parse().ok())
        .expect(&half.head);
    assert_eq!(half.body.len(), promised / 2);
}

#[test]
fn a_hanging_server_still_stops() {
    let sentry = FakeSentry::start();
    sentry.fault_always(Endpoint::Api, Fault::Hang);
    let mut connection = TcpStream::connect(sentry.address()).expect("a connection");
    connection
        .write_all(b"GET /api/0/ HTTP/1.1\r\n\r\n")
        .expect("a request");
    sentry.wait_for_requests(Endpoint::Api, 1, SOON);
    drop(sentry);
    assert_eq!(connection.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn a_held_answer_has_been_processed() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    sentry.fault(Endpoint::Refresh, Fault::Held);
    thread::scope(|threads| {
        let answer = threads.spawn(|| refresh(&sentry, &pair.refresh));
        sentry.wait_for_held(SOON);
        assert!(!sentry.is_valid(&pair.access) && !answer.is_finished());
        sentry.release();
        assert_eq!(answer.join().expect("an answer").status, 200);
    });
}

#[test]
fn a_refresh_that_names_no_new_refresh_token_keeps_the_old_one() {
    let sentry = FakeSentry::start();
    let pair = sentry.issue();
    sentry.rewrite(Endpoint::Refresh, |answer| {
        answer["refresh_token"] = "".into()
    });
    let answer = refresh(&sentry, &pair.refresh).json();
    assert!(sentry.is_valid(text(&answer, "access_token")) && !sentry.is_valid(&pair.access));
    assert!(sentry.is_refreshable(&pair.refresh));
}

#[test]
fn requests_are_remembered_decoded() {
    let sentry = FakeSentry::start();
    request_code(&sentry);
    let requests = sentry.requests();
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path.as_str()),
        ("POST", "/oauth/device/code/")
    );
    assert_eq!(requests[0].field("scope"), Some("org:read team:read"));
}
