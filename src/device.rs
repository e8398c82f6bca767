//! The device flow as a state machine: when to poll again, and when to stop.
//!
//! Separate from [`crate::oauth`], which interprets a single answer, and from [`crate::login`], which shows things to a
//! user. Prints nothing; sleeps through the clock it is given.
//!
//! RFC 8628, sections 3.2 (prompt), 3.3 (what to show) and 3.5 (polling).

use std::time::Duration;

use crate::oauth::{
    DeviceAnswer, ErrorAnswer, Grant, OAuth, PollAnswer, PollFailure, TransportError,
};
use crate::origin::{Origin, Scheme};
use crate::secret::Secret;
use crate::world::Clock;

/// RFC 8628 section 3.5: `slow_down` adds this to the interval permanently.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// Longest pause that the back-off chooses by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest verification URL.
const LONGEST_URL: usize = 2048;

/// The server's side of the flow.
pub(crate) trait Endpoint {
    /// RFC 8628 section 3.1.
    fn device_code(&self, scope: &str) -> DeviceAnswer;
    /// RFC 8628 section 3.4.
    fn poll(&self, device_code: &Secret) -> PollAnswer;
}

impl Endpoint for OAuth {
    fn device_code(&self, scope: &str) -> DeviceAnswer {
        OAuth::device_code(self, scope)
    }

    fn poll(&self, device_code: &Secret) -> PollAnswer {
        OAuth::poll(self, device_code)
    }
}

/// What to show to the user: validated, and rebuilt from the validated parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// `[A-Za-z0-9-]{4,32}`.
    pub(crate) user_code: String,
    /// Where the user enters it.
    pub(crate) url: String,
    /// The address that includes the code, if the server sent one.
    pub(crate) url_complete: Option<String>,
}

/// Why the flow ended without a token.
#[derive(Debug)]
pub(crate) enum DeviceFlowError {
    /// The endpoint answered with this status, and not in OAuth.
    NotOAuth(u16),
    /// The user denied the login in the browser.
    Denied(ErrorAnswer),
    /// The server reports that the code has expired.
    CodeExpired(ErrorAnswer),
    /// The code has expired by our clock.
    Expired,
    /// The caller's timeout has passed.
    TimedOut,
    /// The time is over, and the last poll had failed for this reason.
    PollFailed(String),
    /// The server refused with an OAuth error.
    Refused(ErrorAnswer),
    /// The server cannot be reached, or its certificate is not trusted.
    Transport(TransportError),
    /// The prompt must not be shown.
    BadPrompt(&'static str),
    /// The verification address is on another origin, which is this one.
    Foreign(String),
}

/// A flow that waits for the user's approval.
pub(crate) struct DeviceFlow<'a> {
    endpoint: &'a dyn Endpoint,
    clock: &'a dyn Clock,
    device_code: Secret,
    prompt: Prompt,
    interval: Duration,
    deadline: Duration,
    code_expires_first: bool,
    /// Why the last poll failed, if it did.
    poll_failure: Option<String>,
}

impl<'a> DeviceFlow<'a> {
    /// Requests a code.
    ///
    /// # Errors
    /// [`DeviceFlowError`], except those about time.
    pub(crate) fn begin(
        endpoint: &'a dyn Endpoint,
        clock: &'a dyn Clock,
        origin: &Origin,
        scope: &str,
        timeout: Duration,
    ) -> Result<DeviceFlow<'a>, DeviceFlowError> {
        let code = match endpoint.device_code(scope) {
            DeviceAnswer::Code(code) => code,
            DeviceAnswer::NotOAuth(status) => return Err(DeviceFlowError::NotOAuth(status)),
            DeviceAnswer::Refused(refusal) => return Err(DeviceFlowError::Refused(refusal)),
            DeviceAnswer::Transport(error) => return Err(DeviceFlowError::Transport(error)),
        };
        let user_code = code.user_code;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(4..=32).contains(&user_code.len()) || !user_code.bytes().all(plain) {
            return Err(DeviceFlowError::BadPrompt(
                "the user code is not a valid code",
            ));
        }
        // A shorter device code could be guessed, and could occur in any text by chance.
        let secret = Some(code.device_code.expose()).filter(|secret| secret.len() >= 8);
        let has_secret = |url: &String| secret.is_some_and(|secret| url.contains(secret));
        if has_secret(&code.verification_uri)
            || code
                .verification_uri_complete
                .as_ref()
                .is_some_and(has_secret)
        {
            return Err(DeviceFlowError::BadPrompt(
                "the verification address contains a secret",
            ));
        }
        let url = checked_url(origin, &code.verification_uri)?;
        let url_complete = code
            .verification_uri_complete
            .map(|url| checked_url(origin, &url))
            .transpose()?;
        Ok(DeviceFlow {
            endpoint,
            clock,
            device_code: code.device_code,
            prompt: Prompt {
                user_code,
                url,
                url_complete,
            },
            interval: code.interval,
            deadline: clock.uptime() + timeout.min(code.expires_in),
            code_expires_first: code.expires_in <= timeout,
            poll_failure: None,
        })
    }

    /// What to show.
    pub(crate) fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Polls until the flow ends. `tick` is called about once a second with the time that remains.
    ///
    /// # Errors
    /// [`DeviceFlowError`].
    pub(crate) fn wait(mut self, mut tick: impl FnMut(Duration)) -> Result<Grant, DeviceFlowError> {
        let mut pause = self.interval;
        loop {
            self.sleep(pause, &mut tick)?;
            let answer = self.endpoint.poll(&self.device_code);
            self.poll_failure = None;
            match answer {
                PollAnswer::Granted(grant) => return Ok(grant),
                PollAnswer::Pending => pause = self.interval,
                PollAnswer::SlowDown => {
                    self.interval += SLOW_DOWN;
                    pause = self.interval;
                }
                // RFC 8628 section 3.5: after a failed poll, back off exponentially.
                PollAnswer::Transient(PollFailure { why, retry_after }) => {
                    let slower = (pause * 2).min(LONGEST_PAUSE);
                    pause = slower
                        .max(self.interval)
                        .max(retry_after.unwrap_or_default());
                    self.poll_failure = Some(why);
                }
                PollAnswer::Denied(refusal) => return Err(DeviceFlowError::Denied(refusal)),
                PollAnswer::Expired(refusal) => return Err(DeviceFlowError::CodeExpired(refusal)),
                PollAnswer::Refused(refusal) => return Err(DeviceFlowError::Refused(refusal)),
                PollAnswer::Untrusted(error) => return Err(DeviceFlowError::Transport(error)),
            }
        }
    }

    fn sleep(
        &self,
        pause: Duration,
        tick: &mut impl FnMut(Duration),
    ) -> Result<(), DeviceFlowError> {
        let until = self.clock.uptime() + pause;
        loop {
            let now = self.clock.uptime();
            if now >= self.deadline {
                return Err(match &self.poll_failure {
                    Some(why) => DeviceFlowError::PollFailed(why.clone()),
                    None if self.code_expires_first => DeviceFlowError::Expired,
                    None => DeviceFlowError::TimedOut,
                });
            }
            tick(self.deadline - now);
            if now >= until {
                return Ok(());
            }
            self.clock.sleep(
                (until - now)
                    .min(self.deadline - now)
                    .min(Duration::from_secs(1)),
            );
        }
    }
}

/// Accepts an address only on the instance itself, and rebuilds it so that no character is special to a shell, a
/// terminal or an opener.
///
/// Sentry builds the address from its `system.url-prefix`, which is often empty, or has `http` where a proxy adds TLS.
/// An address with the instance's own host, or with none, is rebuilt on the instance's own origin.
fn checked_url(origin: &Origin, url: &str) -> Result<String, DeviceFlowError> {
    const NO_ADDRESS: DeviceFlowError =
        DeviceFlowError::BadPrompt("the verification address is not a valid address");
    if url.is_empty() || url.len() > LONGEST_URL {
        return Err(NO_ADDRESS);
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(DeviceFlowError::BadPrompt(
            "the verification address contains invalid characters",
        ));
    }
    // RFC 3986 section 4.2: a scheme comes before any other delimiter.
    let first = url.find([':', '/', '?', '#']);
    let (scheme, rest) = match first.map(|at| url.split_at(at)) {
        Some((scheme, rest)) if rest.starts_with("://") => (scheme, &rest[3..]),
        Some((_, rest)) if rest.starts_with(':') => return Err(NO_ADDRESS),
        Some(("", rest)) if rest.starts_with("//") => (origin.scheme().as_str(), &rest[2..]),
        _ => return Ok(rebuilt(origin, url)),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match Origin::from_parts(scheme, authority) {
        Ok(target) if target.may_receive(origin) => return Ok(rebuilt(&target, path)),
        _ => {}
    }
    let is_plain = scheme.eq_ignore_ascii_case(Scheme::Http.as_str());
    let (true, Ok(target)) = (
        is_plain || scheme.eq_ignore_ascii_case(Scheme::Https.as_str()),
        Origin::from_parts(Scheme::Https.as_str(), authority),
    ) else {
        return Err(NO_ADDRESS);
    };
    let is_ours = is_plain && origin.scheme() == Scheme::Https && target.host() == origin.host();
    match is_ours {
        true => Ok(rebuilt(origin, path)),
        false => Err(DeviceFlowError::Foreign(format!(
            "{}://{}",
            scheme.to_ascii_lowercase(),
            target.authority()
        ))),
    }
}

fn rebuilt(target: &Origin, path: &str) -> String {
    let mut url = target.to_string();
    if !path.is_empty() && !path.starts_with('/') {
        url.push('/');
    }
    path.bytes().fold(url, |mut url, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~/?=&%+:,@".contains(&byte) {
            true => url.push(char::from(byte)),
            false => url.push_str(&format!("%{byte:02X}")),
        }
        url
    })
}

#[cfg(test)]
mod tests;
