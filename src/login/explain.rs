//! The messages of a device login that failed.
//!
//! Separate from the login because it is a function of values: an error becomes a text and a command to type.

use crate::device::DeviceFlowError;
use crate::failure::Failure;
use crate::oauth::ErrorAnswer;
use crate::origin::Origin;

/// The command that logs in to an instance.
pub(super) fn login_at(instance: &Origin) -> String {
    match instance.is_saas() {
        true => "sentry auth login".to_owned(),
        false => format!("sentry auth login --url {instance}"),
    }
}

/// Explains why there is no login; `again` is the command that tries once more, in backticks.
pub(super) fn explain(error: DeviceFlowError, origin: &Origin, again: &str) -> Failure {
    let failed = |what: String| Failure::new(what).hint(again);
    let detail = |refusal: ErrorAnswer| match refusal.description {
        Some(description) => format!(" ({description})"),
        None => String::new(),
    };
    match error {
        DeviceFlowError::Denied(refusal) => {
            Failure::new(format!(
                "the login was denied in the browser{}; nothing was stored",
                detail(refusal)
            ))
        }
        DeviceFlowError::NotOAuth(status) => Failure::new(format!(
            "{origin} answered HTTP {status}: this is not the device endpoint of Sentry 26.1.0 or newer, \
             or something stands in between"
        ))
        .hint(format!(
            "`sentry auth login --url {origin} --with-token` takes an API token"
        )),
        DeviceFlowError::CodeExpired(refusal) => failed(format!(
            "the code expired before it was approved{}",
            detail(refusal)
        )),
        DeviceFlowError::Expired => {
            failed("the code expired before it was approved".to_owned())
        }
        DeviceFlowError::TimedOut => failed("the login was not approved in time".to_owned()),
        DeviceFlowError::PollFailed(why) => failed(format!(
            "{origin} gave no valid answer before the login timed out: {why}"
        )),
        DeviceFlowError::Refused(refusal) => {
            let failure = Failure::new(format!("{origin} refused the login: {refusal}"));
            match refusal.code.as_deref() {
                Some("invalid_client" | "unauthorized_client") => failure.hint(
                    "`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance",
                ),
                Some("invalid_scope") => {
                    failure.hint(format!("`{} --scope SCOPE` asks for others", login_at(origin)))
                }
                _ => failure,
            }
        }
        DeviceFlowError::Transport(error) => {
            let what = format!("cannot log in to {origin}: {}", error.why);
            error.why.with_text(what)
        }
        DeviceFlowError::BadPrompt(what) => Failure::new(format!(
            "{origin} sent a prompt that cannot be shown: {what}"
        )),
        DeviceFlowError::Foreign(named) => {
            let usable = match Origin::parse(&named) {
                Ok(_) => named.clone(),
                Err(_) => named.replace("http://", "https://"),
            };
            let failure = Failure::new(format!(
                "{origin} sent a verification address at {named}, which is not this instance"
            ));
            match Origin::parse(&usable) {
                Ok(usable) => failure.hint(format!(
                    "`sentry auth login --url {usable}`, as the instance calls itself {named}; \
                     or correct system.url-prefix"
                )),
                Err(_) => failure,
            }
        }
    }
}
