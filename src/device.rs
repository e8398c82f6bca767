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
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::account::User;
    use crate::oauth::DeviceCode;
    use crate::testing::VirtualClock;

    /// Returns the answers in turn, then `authorization_pending` indefinitely; records when it was polled.
    struct Script<'a> {
        clock: &'a VirtualClock,
        url: &'a str,
        answers: RefCell<Vec<PollAnswer>>,
        polled_at: RefCell<Vec<u64>>,
    }

    impl Endpoint for Script<'_> {
        fn device_code(&self, _: &str) -> DeviceAnswer {
            DeviceAnswer::Code(DeviceCode {
                device_code: Secret::new("device"),
                user_code: "BCDF-GHJK".into(),
                verification_uri: self.url.into(),
                verification_uri_complete: None,
                expires_in: Duration::from_secs(600),
                interval: Duration::from_secs(5),
            })
        }
        fn poll(&self, _: &Secret) -> PollAnswer {
            self.polled_at
                .borrow_mut()
                .push(self.clock.uptime().as_secs());
            let mut answers = self.answers.borrow_mut();
            if answers.is_empty() {
                PollAnswer::Pending
            } else {
                answers.remove(0)
            }
        }
    }

    fn granted() -> PollAnswer {
        PollAnswer::Granted(Grant {
            access: Secret::new("a"),
            refresh: None,
            expires_in: None,
            user: User::default(),
            scope: None,
        })
    }

    fn failed_poll(seconds: Option<u64>) -> PollAnswer {
        PollAnswer::Transient(PollFailure {
            why: "HTTP 502".into(),
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    fn refusal(status: u16, code: &str) -> ErrorAnswer {
        ErrorAnswer {
            status,
            code: Some(code.into()),
            description: None,
        }
    }

    fn run(answers: Vec<PollAnswer>, timeout: u64) -> (Result<Grant, DeviceFlowError>, Vec<u64>) {
        let clock = VirtualClock::default();
        let script = Script {
            clock: &clock,
            url: "https://sentry.io/oauth/device/",
            answers: answers.into(),
            polled_at: Default::default(),
        };
        let flow = DeviceFlow::begin(
            &script,
            &clock,
            &Origin::saas(),
            "org:read",
            Duration::from_secs(timeout),
        )
        .unwrap();
        let end = flow.wait(|_| ());
        (end, script.polled_at.take())
    }

    #[test]
    fn the_first_poll_comes_after_one_interval() {
        let (end, polled_at) = run(vec![PollAnswer::Pending, granted()], 900);
        assert!(end.is_ok());
        assert_eq!(polled_at, [5, 10]);
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good() {
        let slow = || PollAnswer::SlowDown;
        let (_, polled_at) = run(
            vec![slow(), slow(), slow(), PollAnswer::Pending, granted()],
            900,
        );
        assert_eq!(polled_at, [5, 15, 30, 50, 70]);
    }

    #[test]
    fn a_disturbance_slows_polling_down_and_is_forgotten() {
        let bad = || failed_poll(None);
        let (end, polled_at) = run(
            vec![
                bad(),
                bad(),
                bad(),
                bad(),
                bad(),
                PollAnswer::Pending,
                granted(),
            ],
            900,
        );
        assert!(end.is_ok());
        assert_eq!(polled_at, [5, 15, 35, 75, 135, 195, 200]);
    }

    #[test]
    fn retry_after_is_honoured() {
        let (_, polled_at) = run(vec![failed_poll(Some(90)), granted()], 900);
        assert_eq!(polled_at, [5, 95]);
    }

    #[test]
    fn time_runs_out() {
        let (end, polled_at) = run(Vec::new(), 12);
        assert!(matches!(end, Err(DeviceFlowError::TimedOut)));
        assert_eq!(polled_at, [5, 10]);
        assert!(matches!(
            run(Vec::new(), 900).0,
            Err(DeviceFlowError::Expired)
        ));
    }

    #[test]
    fn the_reason_of_the_last_failed_poll_is_reported() {
        let ended = |answers, timeout| match run(answers, timeout).0 {
            Err(DeviceFlowError::PollFailed(why)) => why,
            other => format!("{other:?}"),
        };
        assert_eq!(
            ended(vec![PollAnswer::Pending, failed_poll(None)], 12),
            "HTTP 502"
        );
        assert_eq!(ended(vec![failed_poll(Some(3600))], 900), "HTTP 502");
        let forgotten = ended(vec![failed_poll(None), PollAnswer::Pending], 16);
        assert_eq!(forgotten, "Err(TimedOut)");
    }

    #[test]
    fn definite_answers_stop() {
        assert!(matches!(
            run(vec![PollAnswer::Denied(refusal(400, "access_denied"))], 900).0,
            Err(DeviceFlowError::Denied(_))
        ));
        assert!(matches!(
            run(
                vec![PollAnswer::Expired(refusal(400, "expired_token"))],
                900
            )
            .0,
            Err(DeviceFlowError::CodeExpired(_))
        ));
        assert!(matches!(
            run(
                vec![PollAnswer::Refused(refusal(401, "invalid_client"))],
                900
            )
            .0,
            Err(DeviceFlowError::Refused(_))
        ));
    }

    #[test]
    fn only_the_instance_itself_is_opened() {
        let url = |text: &str| checked_url(&Origin::saas(), text).ok();
        for (text, expected) in [
            (
                "https://sentry.io/oauth/device/?user_code=AB-CD",
                "https://sentry.io/oauth/device/?user_code=AB-CD",
            ),
            (
                "https://us.sentry.io/x|y$(id)`'\"\\#",
                "https://us.sentry.io/x%7Cy%24%28id%29%60%27%22%5C%23",
            ),
            ("//sentry.io/", "https://sentry.io/"),
            ("-oProxyCommand=x", "https://sentry.io/-oProxyCommand=x"),
        ] {
            assert_eq!(url(text).as_deref(), Some(expected));
        }
        for bad in [
            "https://evil.com/",
            "http://evil.com/",
            "//evil.com/",
            "https:evil.com",
            "https:/evil.com",
            "https:///evil.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "javascript://sentry.io/%0aalert(1)",
            "mailto:x@sentry.io",
            "",
            "https://sentry.io@evil.com/",
            "//sentry.io@evil.com/",
            "https://sentry.io.evil.com/",
            "https://sentry.io:8443/",
            "https://sentry.io/a b",
            "https://sentry.io/\u{1b}[31m",
            "https://sentry.io/\u{202e}",
            "https://sentry.io\\@evil.com/",
            "https://sentry.io?x",
            "http://sentry.io.evil.com/",
        ] {
            assert_eq!(url(bad), None, "{bad:?}");
        }
        assert_eq!(
            url(&format!("https://sentry.io/{}", "x".repeat(2048))),
            None
        );
    }

    #[test]
    fn a_url_prefix_that_is_empty_or_behind_tls_is_the_instances_own() {
        let instance = Origin::parse("https://s.example:8443").unwrap();
        for (text, expected) in [
            ("/oauth/device/?user_code=A", "/oauth/device/?user_code=A"),
            ("oauth/device/", "/oauth/device/"),
            ("?user_code=A:B", "/?user_code=A:B"),
            ("/\\evil.com", "/%5Cevil.com"),
            ("\\\\evil.com", "/%5C%5Cevil.com"),
            ("http://s.example/oauth/device/", "/oauth/device/"),
            ("http://s.example:9000/x", "/x"),
            ("HTTP://S.EXAMPLE/x", "/x"),
            ("http://s.example", ""),
        ] {
            let expected = format!("https://s.example:8443{expected}");
            assert_eq!(checked_url(&instance, text).unwrap(), expected, "{text}");
        }
        for (text, named) in [
            ("https://s.example/x", "https://s.example"),
            ("https://Other.Example:443/x?y", "https://other.example"),
            ("http://other.example/x", "http://other.example"),
            ("//other.example/x", "https://other.example"),
        ] {
            match checked_url(&instance, text) {
                Err(DeviceFlowError::Foreign(name)) => assert_eq!(name, named),
                other => panic!("{text}: {other:?}"),
            }
        }
        // An instance reached by plain http is not rebuilt with https.
        let plain = Origin::parse("http://127.0.0.1:9000").unwrap();
        let other = checked_url(&plain, "http://127.0.0.1:9001/");
        assert!(matches!(other, Err(DeviceFlowError::Foreign(_))));
    }

    #[test]
    fn nothing_is_shown_that_could_be_more_than_a_code_and_an_address() {
        struct Odd(DeviceAnswer);

        impl Endpoint for Odd {
            fn device_code(&self, _: &str) -> DeviceAnswer {
                match &self.0 {
                    DeviceAnswer::Code(code) => DeviceAnswer::Code(DeviceCode {
                        device_code: code.device_code.clone(),
                        user_code: code.user_code.clone(),
                        verification_uri: code.verification_uri.clone(),
                        verification_uri_complete: code.verification_uri_complete.clone(),
                        ..*code
                    }),
                    _ => DeviceAnswer::NotOAuth(404),
                }
            }
            fn poll(&self, _: &Secret) -> PollAnswer {
                PollAnswer::Pending
            }
        }

        let begin = |user_code: &str, url: &str, complete: Option<&str>| {
            let clock = VirtualClock::default();
            let odd = Odd(DeviceAnswer::Code(DeviceCode {
                device_code: Secret::new("device-code-0123"),
                user_code: user_code.into(),
                verification_uri: url.into(),
                verification_uri_complete: complete.map(str::to_owned),
                expires_in: Duration::from_secs(600),
                interval: Duration::from_secs(5),
            }));
            let timeout = Duration::from_secs(900);
            DeviceFlow::begin(&odd, &clock, &Origin::saas(), "", timeout)
                .map(|flow| flow.prompt().clone())
        };
        let good = "https://sentry.io/oauth/device/";
        let prompt = begin("BCDF-GHJK", good, Some("/d?c=BCDF-GHJK")).unwrap();
        assert_eq!(
            (prompt.user_code.as_str(), prompt.url.as_str()),
            ("BCDF-GHJK", good)
        );
        let complete = prompt.url_complete.as_deref();
        assert_eq!(complete, Some("https://sentry.io/d?c=BCDF-GHJK"));
        for code in [
            "",
            "ABC",
            "A B C",
            "ABCD\u{1b}[31m",
            "\u{410}BCD",
            &"A".repeat(33),
        ] {
            let begun = begin(code, good, None);
            assert!(
                matches!(begun, Err(DeviceFlowError::BadPrompt(_))),
                "{code:?}"
            );
        }
        let secret = "https://sentry.io/x?c=device-code-0123";
        for (url, complete) in [
            (secret, None),
            (good, Some(secret)),
            (good, Some("https://evil.example/")),
        ] {
            assert!(begin("ABCD", url, complete).is_err(), "{url} {complete:?}");
        }
    }

    #[test]
    fn the_time_that_is_left_is_told_once_a_second() {
        let clock = VirtualClock::default();
        let script = Script {
            clock: &clock,
            url: "https://sentry.io/oauth/device/",
            answers: Vec::new().into(),
            polled_at: Default::default(),
        };
        let timeout = Duration::from_secs(3);
        let flow = DeviceFlow::begin(&script, &clock, &Origin::saas(), "", timeout).unwrap();
        let mut left = Vec::new();
        assert!(flow.wait(|span| left.push(span.as_secs())).is_err());
        assert_eq!(left, [3, 2, 1]);
        assert!(script.polled_at.take().is_empty());
    }
}
