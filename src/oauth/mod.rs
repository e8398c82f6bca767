//! Sentry's two OAuth endpoints, one request and one typed answer at a time.
//!
//! Apart from [`crate::device`] and [`crate::session`] because it decides nothing: no retry, no clock, no storage. What
//! an answer means for a login stands in those two; what bytes mean stands here.
//!
//! Rules: ureq is used in this room only; redirects are never followed; bodies end at 64 KiB; text from the server
//! leaves this room only as a token, as an error code, or through [`printable`](crate::printable::printable).
//!
//! RFC 8628 (device flow), RFC 6749 sections 5 and 6 (token answers, refresh).

mod api;
mod http;

use std::time::Duration;

use serde_json::Value;

use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::User;

pub use api::{Check, Organizations};
pub use http::{Answer, Lost};

use http::Http;

/// Longest a request to open a connection may take.
pub const CONNECT: Duration = Duration::from_secs(5);

/// Longest a whole request may take, connection included.
pub const REQUEST: Duration = Duration::from_secs(12);

/// RFC 8628 section 3.2: the pause between two polls when the server names none.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Longest access token lifetime that is believed, in seconds: 400 days.
const LONGEST_LIFETIME: u64 = 400 * 24 * 3600;

/// One instance, seen as one OAuth client.
pub struct OAuth {
    http: Http,
    client_id: String,
}

/// RFC 8628 section 3.2: what a person needs to approve a login.
#[derive(Debug)]
pub struct DeviceCode {
    /// Stays between us and the server.
    pub device_code: Secret,
    /// What the person types; not yet checked.
    pub user_code: String,
    /// Where; not yet checked.
    pub verification_uri: String,
    /// The same with the code in it, if the server gave one; not yet checked.
    pub verification_uri_complete: Option<String>,
    /// How long the code lives.
    pub expires_in: Duration,
    /// Shortest pause between two polls.
    pub interval: Duration,
}

/// RFC 6749 section 5.1: tokens that were issued.
#[derive(Debug)]
pub struct Grant {
    /// The access token.
    pub access: Secret,
    /// Absent when the server keeps the old one valid.
    pub refresh: Option<Secret>,
    /// Lifetime of the access token; `None` when the server names none, or nonsense.
    pub expires_in: Option<Duration>,
    /// Whose they are.
    pub user: User,
}

/// What a device code request came to.
#[derive(Debug)]
pub enum DeviceAnswer {
    /// Show it.
    Code(DeviceCode),
    /// The instance has no device flow (before Sentry 26.1.0): say so.
    NoDeviceFlow,
    /// The server said no, or nothing that we understand: give up with its words.
    Refused(Refusal),
    /// No answer: give up.
    Lost(Lost),
}

/// What a poll came to (RFC 8628 section 3.5).
#[derive(Debug)]
pub enum PollAnswer {
    /// `authorization_pending`: go on.
    Pending,
    /// `slow_down`: go on, five seconds slower from now on.
    SlowDown,
    /// Approved.
    Granted(Grant),
    /// `access_denied`: stop.
    Denied,
    /// `expired_token`: stop.
    Expired,
    /// Something in between failed: go on, slower, and not before the pause that was asked for.
    Disturbed(Option<Duration>),
    /// Any other answer: stop with its words.
    Refused(Refusal),
    /// The server's certificate is not trusted: stop.
    Untrusted(Lost),
}

/// What a refresh came to.
#[derive(Debug)]
pub enum RefreshAnswer {
    /// Commit it first, then look at it.
    Granted(Grant),
    /// The server issued something that is no token: keep what is stored, say so.
    Unusable,
    /// `invalid_grant`: the refresh token is spent.
    InvalidGrant,
    /// Another 4xx: keep the tokens, give the server's code.
    Refused(Refusal),
    /// Keep the tokens, try later.
    Transient(Transient),
}

/// A failure that says nothing about the login.
#[derive(Debug)]
pub struct Transient {
    /// In a few words, for a person.
    pub why: String,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the request left this machine; if not, it can be sent again at once.
    pub sent: bool,
    /// Whether the server may have acted on it: the refresh token may be spent.
    pub acted: bool,
}

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The `error` code, if the body has a plain one.
    pub code: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.code {
            Some(code) => write!(f, "HTTP {}, `{code}`", self.status),
            None => write!(f, "HTTP {}", self.status),
        }
    }
}

impl OAuth {
    /// A client of an instance. Nothing is sent yet.
    pub fn new(origin: &Origin, client_id: &str) -> OAuth {
        OAuth {
            http: Http::new(origin),
            client_id: client_id.to_owned(),
        }
    }

    /// `POST /oauth/device/code/` (RFC 8628 section 3.1).
    pub fn device_code(&self, scope: &str) -> DeviceAnswer {
        let form = [("client_id", self.client_id.as_str()), ("scope", scope)];
        let answer = match self.http.post("/oauth/device/code/", &form) {
            Ok(answer) => answer,
            Err(lost) => return DeviceAnswer::Lost(lost),
        };
        match answer.status {
            404 => DeviceAnswer::NoDeviceFlow,
            200..=299 => device_code(&answer).map_or_else(
                || DeviceAnswer::Refused(refusal(&answer)),
                DeviceAnswer::Code,
            ),
            _ => DeviceAnswer::Refused(refusal(&answer)),
        }
    }

    /// `POST /oauth/token/` for a device code (RFC 8628 section 3.4).
    pub fn poll(&self, device_code: &Secret) -> PollAnswer {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("device_code", device_code.expose()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        let answer = match self.http.post("/oauth/token/", &form) {
            Ok(answer) => answer,
            Err(lost) if lost.untrusted => return PollAnswer::Untrusted(lost),
            Err(_) => return PollAnswer::Disturbed(None),
        };
        let refused = refusal(&answer);
        match (answer.status, refused.code.as_deref()) {
            (_, Some("authorization_pending")) => PollAnswer::Pending,
            (_, Some("slow_down")) => PollAnswer::SlowDown,
            (_, Some("access_denied")) => PollAnswer::Denied,
            (_, Some("expired_token")) => PollAnswer::Expired,
            (200..=299, None) => match grant(&answer) {
                Some(Ok(grant)) if is_bearer(&answer) => PollAnswer::Granted(grant),
                // The code is redeemed: there is nothing to go on for.
                Some(_) => PollAnswer::Refused(refused),
                // Not Sentry's: a captive portal, say.
                None => PollAnswer::Disturbed(answer.retry_after),
            },
            (429 | 500..=599, _) => PollAnswer::Disturbed(answer.retry_after),
            _ => PollAnswer::Refused(refused),
        }
    }

    /// `POST /oauth/token/` for a refresh token (RFC 6749 section 6). Sent at most once.
    pub fn refresh(&self, refresh_token: &Secret) -> RefreshAnswer {
        // No `scope`: Sentry answers `invalid_request` to one.
        let form = [
            ("client_id", self.client_id.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        let answer = match self.http.post("/oauth/token/", &form) {
            Ok(answer) => answer,
            Err(lost) => {
                return RefreshAnswer::Transient(Transient {
                    sent: lost.sent,
                    acted: lost.sent,
                    why: lost.why,
                    retry_after: None,
                });
            }
        };
        let refused = refusal(&answer);
        let transient = |why: String| {
            RefreshAnswer::Transient(Transient {
                why,
                retry_after: answer.retry_after,
                sent: true,
                acted: answer.status != 429,
            })
        };
        match (answer.status, refused.code.as_deref()) {
            (400 | 401, Some("invalid_grant")) => RefreshAnswer::InvalidGrant,
            (200..=299, None) => match grant(&answer) {
                Some(Ok(grant)) => RefreshAnswer::Granted(grant),
                Some(Err(_)) => RefreshAnswer::Unusable,
                None => transient(
                    "the answer is not Sentry's; is there a login page of the network in between?"
                        .into(),
                ),
            },
            (429 | 500..=599, _) => transient(format!("the server answered {refused}")),
            (300..=399, _) => transient(format!(
                "the server answered with a redirect ({refused}), which is not followed"
            )),
            (400..=499, Some(_)) => RefreshAnswer::Refused(refused),
            _ => transient(format!(
                "the server answered {refused} without an OAuth error"
            )),
        }
    }
}

fn device_code(answer: &Answer) -> Option<DeviceCode> {
    let body = answer.json()?;
    let text = |key: &str| body.get(key)?.as_str().filter(|text| !text.is_empty());
    Some(DeviceCode {
        device_code: Secret::token(text("device_code")?).ok()?,
        user_code: text("user_code")?.to_owned(),
        verification_uri: text("verification_uri")?.to_owned(),
        verification_uri_complete: text("verification_uri_complete").map(str::to_owned),
        expires_in: Duration::from_secs(
            seconds(&body["expires_in"]).unwrap_or(600).clamp(60, 1800),
        ),
        interval: match seconds(&body["interval"]) {
            None | Some(0) => DEFAULT_INTERVAL,
            Some(interval) => Duration::from_secs(interval.clamp(1, 60)),
        },
    })
}

/// `None`: not a token answer. `Err`: one whose token breaks the grammar.
fn grant(answer: &Answer) -> Option<Result<Grant, crate::secret::NotAToken>> {
    let body = answer.json()?;
    let access = body.get("access_token")?.as_str()?;
    let refresh = body
        .get("refresh_token")
        .and_then(Value::as_str)
        .filter(|refresh| !refresh.is_empty());
    let tokens = Secret::token(access)
        .and_then(|access| Ok((access, refresh.map(Secret::token).transpose()?)));
    Some(tokens.map(|(access, refresh)| {
        Grant {
            access,
            refresh,
            expires_in: seconds(&body["expires_in"])
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.min(LONGEST_LIFETIME))),
            user: user(&body["user"]),
        }
    }))
}

/// RFC 6749 section 7.1: a token of a type that we do not know is not for us. Any case will do, and no type at all.
///
/// For a login only: what a refresh brings replaces tokens that are dead by then, and is of their type whatever it says.
fn is_bearer(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    body["token_type"].is_null()
        || body["token_type"]
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
}

/// A whole, non-negative number of seconds; a server may write it as text or as a float.
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            number
                .as_f64()
                .filter(|seconds| *seconds >= 0.0)
                .map(|seconds| seconds as u64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn user(value: &Value) -> User {
    let text = |key: &str| match value.get(key)? {
        Value::String(text) => {
            Some(crate::printable::printable(text)).filter(|text| !text.is_empty())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    User {
        id: text("id"),
        email: text("email"),
        username: text("username"),
        name: text("name"),
    }
}

fn refusal(answer: &Answer) -> Refusal {
    let body = answer.json();
    // RFC 6749 section 5.2 allows more; every code that exists is of this form.
    let plain = |code: &&str| {
        (1..=64).contains(&code.len())
            && code
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let code = body
        .as_ref()
        .and_then(|body| body.get("error")?.as_str())
        .filter(plain)
        .map(str::to_owned);
    // An error that we cannot read is an error still, not a success.
    let unreadable = body
        .as_ref()
        .is_some_and(|body| body.get("error").is_some_and(|error| !error.is_null()));
    Refusal {
        status: answer.status,
        code: code.or_else(|| unreadable.then(|| "unreadable_error".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec().into(),
        }
    }

    #[test]
    fn odd_intervals_are_the_default_or_clamped() {
        for (interval, expected) in [
            ("null", 5),
            ("0", 5),
            ("-5", 5),
            ("0.5", 5),
            ("\"7\"", 7),
            ("1", 1),
            ("1e9", 60),
            ("\"x\"", 5),
            ("[]", 5),
        ] {
            let body = format!(
                r#"{{"device_code":"d","user_code":"U","verification_uri":"v","interval":{interval}}}"#
            );
            let code = device_code(&answer(200, &body)).unwrap();
            assert_eq!(code.interval, Duration::from_secs(expected), "{interval}");
            assert_eq!(code.expires_in, Duration::from_secs(600));
        }
    }

    #[test]
    fn odd_lifetimes_are_unknown_or_clamped() {
        for (expires_in, expected) in [
            ("3600", Some(3600)),
            ("null", None),
            ("-1", None),
            ("0", None),
            ("\"3600\"", Some(3600)),
            ("1e18", Some(LONGEST_LIFETIME)),
            ("\"soon\"", None),
            ("{}", None),
        ] {
            let body = format!(r#"{{"access_token":"a","expires_in":{expires_in}}}"#);
            let grant = grant(&answer(200, &body)).unwrap().unwrap();
            assert_eq!(
                grant.expires_in,
                expected.map(Duration::from_secs),
                "{expires_in}"
            );
        }
    }

    #[test]
    fn tokens_that_would_break_a_line_are_not_tokens() {
        for body in [
            r#"{"access_token":"a\nhost=evil"}"#,
            r#"{"access_token":"a","refresh_token":"r\r"}"#,
            r#"{"access_token":""}"#,
        ] {
            assert!(grant(&answer(200, body)).unwrap().is_err(), "{body}");
        }
        let no_refresh = r#"{"access_token":"a","refresh_token":""}"#;
        let grant = grant(&answer(200, no_refresh)).unwrap().unwrap();
        assert!(grant.refresh.is_none());
    }

    #[test]
    fn bearer_tokens_are_told_from_others() {
        let of = |kind: &str| is_bearer(&answer(200, &format!(r#"{{"token_type":{kind}}}"#)));
        assert!(of(r#""BEARER""#) && of("null") && is_bearer(&answer(200, "{}")));
        assert!(!of(r#""mac""#) && !of("7") && !of(r#""""#));
    }

    #[test]
    fn an_error_code_is_a_plain_word_or_nothing() {
        assert_eq!(
            refusal(&answer(400, r#"{"error":"invalid_grant"}"#))
                .code
                .as_deref(),
            Some("invalid_grant")
        );
        for body in [r#"{"error":123}"#, r#"{"error":"\u001b[31m"}"#] {
            assert_eq!(
                refusal(&answer(200, body)).code.as_deref(),
                Some("unreadable_error"),
                "{body}"
            );
        }
        for body in ["", "null", "[]", "<html>", r#"{"error":null}"#] {
            assert_eq!(refusal(&answer(200, body)).code, None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_a_panic(body in ".{0,200}") {
            let answer = answer(200, &body);
            drop((device_code(&answer), grant(&answer), refusal(&answer)));
        }
    }
}
