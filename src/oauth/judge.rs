//! Which answer is which: what a status and a code of OAuth mean together.
//!
//! Separate from [`super::parse`], which reads fields one by one.
//!
//! RFC 8628 section 3.5 (device flow), RFC 6749 section 5.2 (errors).

use super::answers::{DeviceAnswer, Disturbance, PollAnswer, RefreshAnswer, Transient};
use super::http::Answer;
use super::parse::{device_code, grant, has_error, is_bearer, refusal};
use crate::failure::Failure;

impl DeviceAnswer {
    /// What the server answered.
    pub(crate) fn of(answer: &Answer) -> DeviceAnswer {
        let refused = refusal(answer);
        match answer.status {
            200..=299 if !has_error(answer) => device_code(answer)
                .map_or(DeviceAnswer::NotOAuth(answer.status), DeviceAnswer::Code),
            _ if refused.code.is_some() => DeviceAnswer::Refused(refused),
            // A server that has trouble, and says so itself.
            500..=599 if !answer.is_page => DeviceAnswer::Refused(refused),
            status => DeviceAnswer::NotOAuth(status),
        }
    }
}

impl PollAnswer {
    /// What the server answered.
    pub(crate) fn of(answer: &Answer) -> PollAnswer {
        let refused = refusal(answer);
        let grant = || grant(answer).filter(|_| (200..=299).contains(&answer.status));
        match refused.code.as_deref() {
            Some("authorization_pending") => PollAnswer::Pending,
            Some("slow_down") => PollAnswer::SlowDown,
            Some("access_denied") => PollAnswer::Denied(refused),
            Some("expired_token") => PollAnswer::Expired(refused),
            Some(_) if !is_trouble(answer.status) => PollAnswer::Refused(refused),
            _ => match grant() {
                Some(Ok(grant)) if is_bearer(answer) && !has_error(answer) => {
                    PollAnswer::Granted(grant)
                }
                // The code is redeemed: there is nothing to go on for.
                Some(_) => PollAnswer::Refused(refused),
                None => PollAnswer::Disturbed(Disturbance {
                    why: format!("the server answered {}", without_code(answer)),
                    retry_after: answer.retry_after,
                }),
            },
        }
    }
}

impl RefreshAnswer {
    /// What the server answered.
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
                    "the answer is not Sentry's: it is compressed, which nobody asked for".into(),
                ),
                None => transient(
                    "the answer is not Sentry's; is there a login page of the network in between?"
                        .into(),
                ),
            },
            (429 | 500..=599, _) => transient(format!("the server answered {refused}")),
            (400..=499, Some(_)) => RefreshAnswer::Refused(refused),
            _ => transient(format!("the server answered {}", without_code(answer))),
        }
    }
}

/// A status that says nothing about a request, whatever stands in the answer.
fn is_trouble(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

/// An answer without a code of OAuth, in a few words.
fn without_code(answer: &Answer) -> String {
    let status = answer.status;
    match status {
        300..=399 => format!("with a redirect (HTTP {status}), which is not followed"),
        _ if answer.is_page => format!("HTTP {status} with a page for people"),
        _ => format!("HTTP {status} without an OAuth error"),
    }
}
