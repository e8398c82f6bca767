//! API requests that identify the owner of a token and check whether it is valid.
//!
//! Separate from the OAuth endpoints because they send the access token, not a device code or refresh token.

use serde_json::Value;

use super::OAuth;
use super::answers::{DeviceAnswer, ErrorAnswer};
use super::http::{Answer, REQUEST};
use super::parse::{refusal, user};
use super::transport_error::TransportError;
use crate::account::User;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::printable::printable;
use crate::secret::Secret;
use crate::world::Timestamp;

/// Most regions and organizations that are evaluated.
const MOST: usize = 100;

/// What answers at an origin, as far as it can be known without a token.
#[derive(Debug)]
pub(crate) enum Probe {
    /// Sentry, with an endpoint for device codes.
    DeviceLogin,
    /// Sentry, without one.
    NoDeviceLogin,
    /// Something else, which answered this.
    NotSentry(String),
    /// No answer.
    Unreachable(Failure),
}

/// The outcome of `GET /api/0/` with a token.
#[derive(Debug)]
pub(crate) enum Check {
    /// The token is valid and belongs to this user.
    Accepted(User),
    /// 401: the token is not valid.
    Rejected,
    /// 403: the token is valid, but lacks the permission.
    Forbidden,
    /// Inconclusive: a redirect, a failure, no answer.
    Unknown(Failure),
}

/// Slugs of the organizations that a token can access.
#[derive(Debug)]
pub(crate) enum Organizations {
    /// In the server's order.
    Known(Vec<String>),
    /// The token may not list them, or the server did not answer.
    Unknown,
}

impl OAuth {
    /// `GET /api/0/`.
    pub(crate) fn check(&self, token: &Secret) -> Check {
        judge(self.http.get("/api/0/", token))
    }

    /// `GET /api/0/`, and the server's clock.
    pub(crate) fn check_with_date(&self, token: &Secret) -> (Check, Option<Timestamp>) {
        let answer = self.http.get("/api/0/", token);
        let date = answer.as_ref().ok().and_then(|answer| answer.date);
        (judge(answer), date)
    }

    /// Whether the origin is an instance of Sentry that a user can log in to, and its time. Begins nothing there.
    pub(crate) fn probe(&self) -> (Probe, Option<Timestamp>) {
        let answer = match self.http.get_without_token("/api/0/") {
            Ok(answer) => answer,
            Err(TransportError { why, .. }) => return (Probe::Unreachable(why), None),
        };
        let date = answer.date;
        if !is_of_sentry(&answer) {
            let status = answer.status;
            let what = match answer.is_page {
                true => format!("a web page (HTTP {status})"),
                false => format!("HTTP {status}"),
            };
            let what = match status {
                300..=399 => {
                    format!("{what}, which sends browsers elsewhere, as a sign-on in front does")
                }
                _ => what,
            };
            return (Probe::NotSentry(what), date);
        }
        let form = [("client_id", ""), ("scope", "")];
        let answer = self.http.post("/oauth/device/code/", &form, None, REQUEST);
        let probe = match answer.map(|answer| DeviceAnswer::of(&answer)) {
            Ok(DeviceAnswer::NotOAuth(_)) => Probe::NoDeviceLogin,
            Ok(_) => Probe::DeviceLogin,
            Err(TransportError { why, .. }) => Probe::Unreachable(why),
        };
        (probe, date)
    }

    /// The same, and the scopes of the token; `None` if the instance does not report them.
    pub(crate) fn check_with_scopes(&self, token: &Secret) -> (Check, Option<Vec<String>>) {
        let answer = self.http.get("/api/0/", token);
        let scopes = answer.as_ref().ok().and_then(scopes);
        (judge(answer), scopes)
    }

    /// The organizations in each region of the instance. A region's server receives the token only if it belongs to the
    /// instance.
    pub(crate) fn organizations(&self, instance: &Origin, token: &Secret) -> Organizations {
        let regions: Vec<Origin> = match self.http.get("/api/0/users/me/regions/", token) {
            Ok(answer @ Answer { status: 200, .. }) => {
                let body = answer.json().unwrap_or_default();
                let regions = body["regions"].as_array().map_or(&[][..], Vec::as_slice);
                let origins = regions
                    .iter()
                    .filter_map(|region| Origin::parse(region["url"].as_str()?).ok());
                origins
                    .filter(|region| region.may_receive(instance))
                    .take(MOST)
                    .collect()
            }
            _ => Vec::new(),
        };
        let regions = if regions.is_empty() {
            vec![instance.clone()]
        } else {
            regions
        };
        let mut slugs = Vec::new();
        for region in regions {
            match self
                .http
                .sibling(&region)
                .get("/api/0/organizations/", token)
            {
                Ok(answer @ Answer { status: 200, .. }) => {
                    let body = answer.any_json().unwrap_or_default();
                    let organizations = body.as_array().map_or(&[][..], Vec::as_slice);
                    slugs.extend(
                        organizations
                            .iter()
                            .filter_map(|one| one["slug"].as_str())
                            .map(printable)
                            .take(MOST),
                    );
                }
                _ => return Organizations::Unknown,
            }
        }
        slugs.dedup();
        Organizations::Known(slugs)
    }
}

/// Whether an answer to `GET /api/0/` without a token is Sentry's: 200 with nulls, or a refusal in its words.
fn is_of_sentry(answer: &Answer) -> bool {
    let Some(body) = answer.json() else {
        return false;
    };
    match answer.status {
        200 => body.get("auth").is_some() && body.get("version").is_some(),
        401 | 403 => body.get("detail").is_some(),
        _ => false,
    }
}

fn scopes(answer: &Answer) -> Option<Vec<String>> {
    let body = answer.json()?;
    let scopes = body["auth"]["scopes"].as_array()?;
    let scopes = scopes.iter().filter_map(|scope| scope.as_str());
    Some(scopes.take(MOST).map(printable).collect())
}

fn judge(answer: Result<Answer, TransportError>) -> Check {
    match answer {
        Ok(
            answer @ Answer {
                status: 200..=299, ..
            },
        ) => match answer.json() {
            Some(body) if body["auth"].is_object() => Check::Accepted(user(&body["user"])),
            // Sentry also answers 200 to a request without a token; a proxy may have removed ours.
            Some(body) if body.get("auth").is_some_and(Value::is_null) => {
                Check::Unknown(Failure::new("the server did not receive the token"))
            }
            // A captive portal also answers 200.
            _ => Check::Unknown(Failure::new("the answer is not from Sentry")),
        },
        Ok(Answer { status: 401, .. }) => Check::Rejected,
        Ok(Answer { status: 403, .. }) => Check::Forbidden,
        Ok(answer) => {
            let ErrorAnswer { status, .. } = refusal(&answer);
            Check::Unknown(Failure::new(format!("the server answered HTTP {status}")))
        }
        Err(TransportError { why, .. }) => Check::Unknown(why),
    }
}
