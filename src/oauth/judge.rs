//! Classifies an HTTP answer by its status and its OAuth error code.
//!
//! Separate from [`super::parse`], which reads single fields.
//!
//! RFC 8628 section 3.5 (device flow), RFC 6749 section 5.2 (errors).

use super::answers::{DeviceAnswer, PollAnswer, PollFailure, RefreshAnswer, Transient};
use super::http::Answer;
use super::parse::{device_code, grant, has_error, is_bearer, refusal};
use crate::failure::Failure;

impl DeviceAnswer {
    /// Classifies the server's answer.
    pub(crate) fn of(answer: &Answer) -> DeviceAnswer {
        let refused = refusal(answer);
        match answer.status {
            200..=299 if !has_error(answer) => device_code(answer)
                .map_or(DeviceAnswer::NotOAuth(answer.status), DeviceAnswer::Code),
            _ if refused.code.is_some() => DeviceAnswer::Refused(refused),
            // A server error that the server reports itself.
            500..=599 if !answer.is_page => DeviceAnswer::Refused(refused),
            status => DeviceAnswer::NotOAuth(status),
        }
    }
}

impl PollAnswer {
    /// Classifies the server's answer.
    pub(crate) fn of(answer: &Answer) -> PollAnswer {
        let refused = refusal(answer);
        let grant = || grant(answer).filter(|_| (200..=299).contains(&answer.status));
        match refused.code.as_deref() {
            Some("authorization_pending") => PollAnswer::Pending,
            Some("slow_down") => PollAnswer::SlowDown,
            Some("access_denied") => PollAnswer::Denied(refused),
            Some("expired_token") => PollAnswer::Expired(refused),
            Some(_) if !is_inconclusive(answer.status) => PollAnswer::Refused(refused),
            _ => match grant() {
                Some(Ok(grant)) if is_bearer(answer) && !has_error(answer) => {
                    PollAnswer::Granted(grant)
                }
                // The code has been redeemed, so polling again is pointless.
                Some(_) => PollAnswer::Refused(refused),
                None => PollAnswer::Transient(PollFailure {
                    why: format!("the server answered {}", described(answer)),
                    retry_after: answer.retry_after,
                }),
            },
        }
    }
}

impl RefreshAnswer {
    /// Classifies the server's answer.
    pub(crate) fn of(answer: &Answer) -> RefreshAnswer {
        let refused = refusal(answer);
        let transient = |why: String| {
            RefreshAnswer::Transient(Transient {
                why: Failure::new(why),
                retry_after: answer.retry_after,
                sent: true,
                answered: true,
                acted: answer.status != 429,
            })
        };
        match (answer.status, refused.code.as_deref()) {
            (400 | 401, Some("invalid_grant")) => RefreshAnswer::InvalidGrant(refused),
            (400 | 401, Some("invalid_client")) => RefreshAnswer::InvalidClient(refused),
            (200..=299, None) if !has_error(answer) => match grant(answer) {
                Some(Ok(grant)) => RefreshAnswer::Granted(grant),
                Some(Err(_)) => RefreshAnswer::Unusable,
                None if answer.is_compressed => transient(
                    "the answer is not from Sentry: it is compressed, although compression was not requested".into(),
                ),
                None => transient(
                    "the answer is not from Sentry; this network may require a login first"
                        .into(),
                ),
            },
            (429 | 500..=599, _) => transient(format!("the server answered {refused}")),
            (400..=499, Some(_)) => RefreshAnswer::Refused(refused),
            _ => transient(format!("the server answered {}", described(answer))),
        }
    }
}

/// A status that says nothing about the request, whatever the body says.
fn is_inconclusive(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

/// Describes an answer that is not about the request.
fn described(answer: &Answer) -> String {
    let status = answer.status;
    let refused = refusal(answer);
    match status {
        300..=399 => format!("with a redirect (HTTP {status}), which is not followed"),
        _ if answer.is_page => format!("HTTP {status} with an HTML page"),
        _ if refused.code.is_some() => refused.to_string(),
        _ => format!("HTTP {status} without an OAuth error"),
    }
}
