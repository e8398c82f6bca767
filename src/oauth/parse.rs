//! Reads the fields of an answer. Every field may be missing, of another type, or hostile.
//!
//! Separate from [`super::judge`], which classifies the answer as a whole.

use std::time::Duration;

use serde_json::Value;

use super::answers::{DeviceCode, ErrorAnswer, Grant};
use super::http::Answer;
use crate::account::User;
use crate::printable::printable;
use crate::secret::{NotAToken, Secret};
use crate::world::Timestamp;

/// RFC 8628 section 3.2: the interval if the server sends none.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Longest accepted lifetime of an access token, in seconds: 400 days.
const LONGEST_LIFETIME: u64 = 400 * 24 * 3600;

pub(super) fn device_code(answer: &Answer) -> Option<DeviceCode> {
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

/// `None`: not a token answer. `Err`: a token answer whose token violates the grammar.
pub(super) fn grant(answer: &Answer) -> Option<Result<Grant, NotAToken>> {
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
                .or_else(|| until(&body["expires_at"], answer.date?))
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.min(LONGEST_LIFETIME))),
            user: user(&body["user"]),
            scope: body["scope"].as_str().map(str::to_owned),
        }
    }))
}

/// RFC 6749 section 7.1: a client must not use a token of a type that it does not understand. Any case is accepted, and
/// a missing type.
///
/// Applies to logins only: a refresh replaces tokens that are invalid from then on, so its tokens are taken whatever
/// their type says.
pub(super) fn is_bearer(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    body["token_type"].is_null()
        || body["token_type"]
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
}

/// A non-negative number of whole seconds; a server may send it as text or as a float.
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            number
                .as_f64()
                .filter(|seconds| *seconds >= 0.0)
                .map(|seconds| seconds as u64)
        }),
        Value::String(text) => {
            let seconds = text.trim().parse::<f64>().ok()?;
            (seconds >= 0.0).then_some(seconds as u64)
        }
        _ => None,
    }
}

/// The seconds from the server's time until a time: RFC 3339, or seconds or milliseconds since the epoch.
fn until(time: &Value, now: Timestamp) -> Option<u64> {
    /// Larger numbers are milliseconds: the seconds of the year 5138.
    const LARGEST: i64 = 100_000_000_000;

    let time = match time {
        Value::String(text) => Timestamp::from_rfc3339(text)?,
        Value::Number(number) => match number.as_f64()? as i64 {
            millis if millis > LARGEST => Timestamp::from_millis(millis),
            seconds => Timestamp::from_millis(seconds.saturating_mul(1000)),
        },
        _ => return None,
    };
    Some(now.until(time).as_secs())
}

pub(super) fn user(value: &Value) -> User {
    let text = |key: &str| match value.get(key)? {
        Value::String(text) => Some(printable(text)).filter(|text| !text.is_empty()),
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

pub(super) fn refusal(answer: &Answer) -> ErrorAnswer {
    let body = answer.json();
    // RFC 6749 section 5.2 allows other characters; all registered codes have this form.
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
    let description = body
        .as_ref()
        .and_then(|body| body.get("error_description")?.as_str())
        .filter(|description| {
            let sent = answer.sent.as_ref().map(Secret::expose);
            sent.is_none_or(|sent| !description.contains(sent))
        })
        .map(printable)
        .filter(|description| !description.trim().is_empty());
    ErrorAnswer {
        status: answer.status,
        code,
        description,
    }
}

/// Whether an answer contains an error in any form, and is therefore not a success.
pub(super) fn has_error(answer: &Answer) -> bool {
    let body = answer.json();
    // Servers that send every field they know send an empty one.
    body.is_some_and(|body| match body.get("error") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(error)) => !error.is_empty(),
        Some(Value::Number(error)) => error.as_f64() != Some(0.0),
        Some(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer::with(status, body.as_bytes())
    }

    fn code_with(field: &str) -> DeviceCode {
        let body =
            format!(r#"{{"device_code":"d","user_code":"U","verification_uri":"v",{field}}}"#);
        device_code(&answer(200, &body)).unwrap()
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
            let code = code_with(&format!("\"interval\":{interval}"));
            assert_eq!(code.interval, Duration::from_secs(expected), "{interval}");
            assert_eq!(code.expires_in, Duration::from_secs(600));
        }
    }

    #[test]
    fn odd_lifetimes_of_a_code_are_the_default_or_clamped() {
        for (expires_in, expected) in [
            ("null", 600),
            ("0", 60),
            ("-1", 600),
            ("\"900\"", 900),
            ("1e18", 1800),
            ("[]", 600),
        ] {
            let code = code_with(&format!("\"expires_in\":{expires_in}"));
            assert_eq!(
                code.expires_in,
                Duration::from_secs(expected),
                "{expires_in}"
            );
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
            ("\" 3600.0 \"", Some(3600)),
            ("\"NaN\"", None),
            ("\"-1\"", None),
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
    fn a_time_of_expiry_counts_where_the_server_tells_its_time_and_no_lifetime() {
        for (fields, expected) in [
            (r#""expires_at":"1994-11-06T09:49:37Z""#, Some(3600)),
            (r#""expires_at":"1994-11-06T10:49:37.5+01:00""#, Some(3600)),
            (r#""expires_at":784115377"#, Some(3600)),
            (r#""expires_at":784115377000.0"#, Some(3600)),
            (r#""expires_in":60,"expires_at":784115377"#, Some(60)),
            (
                r#""expires_in":null,"expires_at":"1994-11-06T09:49:37Z""#,
                Some(3600),
            ),
            (r#""expires_at":"1994-11-06T07:49:37Z""#, None),
            (r#""expires_at":"tomorrow""#, None),
            (r#""expires_at":null"#, None),
        ] {
            let body = format!(r#"{{"access_token":"a",{fields}}}"#);
            let date = Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
            for (date, expected) in [(date, expected), (None, None)] {
                let answer = Answer {
                    date,
                    ..answer(200, &body)
                };
                let expires_in = grant(&answer).unwrap().unwrap().expires_in;
                let expected = match fields.contains(":60") {
                    true => Some(60),
                    false => expected,
                };
                assert_eq!(expires_in, expected.map(Duration::from_secs), "{fields}");
            }
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
    fn bearer_tokens_are_distinguished_from_others() {
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
        let body = r#"{"error":"invalid_scope","error_description":"\u001b[31mno `x`\n"}"#;
        let refusal = refusal(&answer(400, body));
        assert_eq!(
            refusal.to_string(),
            "HTTP 400, `invalid_scope` ([31mno `x`)"
        );
        for body in [r#"{"error":123}"#, r#"{"error":"\u001b[31m"}"#] {
            let answer = answer(200, body);
            assert!(has_error(&answer), "{body}");
            assert_eq!(super::refusal(&answer).code, None, "{body}");
        }
        for body in [
            "",
            "null",
            "[]",
            "<html>",
            r#"{"error":null}"#,
            r#"{"error":""}"#,
            r#"{"error":false}"#,
            r#"{"error":0}"#,
        ] {
            let answer = answer(200, body);
            assert!(!has_error(&answer), "{body}");
            assert_eq!(super::refusal(&answer).code, None, "{body}");
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
