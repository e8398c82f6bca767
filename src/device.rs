//! The device flow as a state machine: when to ask again, when to stop.
//!
//! Apart from [`crate::oauth`], which knows what one answer says, and from [`crate::login`], which shows things to a
//! person. Prints nothing; sleeps through the clock it is given.
//!
//! RFC 8628, sections 3.2 (prompt), 3.3 (what to show) and 3.5 (polling).

use std::time::Duration;

use crate::oauth::{DeviceAnswer, Grant, OAuth, PollAnswer, Refusal, TransportError};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::world::Clock;

/// RFC 8628 section 3.5: what `slow_down` adds, for good.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// Longest pause that we choose ourselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest verification URL.
const LONGEST_URL: usize = 2048;

/// The server's side of the flow.
pub trait Endpoint {
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

/// What to show to a person: checked, and written anew from what was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// `[A-Za-z0-9-]{4,32}`.
    pub user_code: String,
    /// Where to type it.
    pub url: String,
    /// The address with the code in it, if the server has one.
    pub url_complete: Option<String>,
}

/// Why there is no token.
#[derive(Debug)]
pub enum DeviceFlowError {
    /// The instance knows no device flow.
    NoDeviceFlow,
    /// The person said no in the browser.
    Denied,
    /// The code's time is over.
    Expired,
    /// Our own time is over.
    TimedOut,
    /// The server refused.
    Refused(Refusal),
    /// The server cannot be reached, or not be trusted.
    Transport(TransportError),
    /// The server wants something shown or opened that it must not.
    BadPrompt(&'static str),
}

/// A flow that waits for its person.
pub struct DeviceFlow<'a> {
    endpoint: &'a dyn Endpoint,
    clock: &'a dyn Clock,
    device_code: Secret,
    prompt: Prompt,
    interval: Duration,
    deadline: Duration,
    code_dies_first: bool,
}

impl<'a> DeviceFlow<'a> {
    /// Asks for a code.
    ///
    /// # Errors
    /// [`DeviceFlowError`]; `NoDeviceFlow`, `Refused`, `TransportError` or `BadPrompt`.
    pub fn begin(
        endpoint: &'a dyn Endpoint,
        clock: &'a dyn Clock,
        origin: &Origin,
        scope: &str,
        timeout: Duration,
    ) -> Result<DeviceFlow<'a>, DeviceFlowError> {
        let code = match endpoint.device_code(scope) {
            DeviceAnswer::Code(code) => code,
            DeviceAnswer::NoDeviceFlow => return Err(DeviceFlowError::NoDeviceFlow),
            DeviceAnswer::Refused(refusal) => return Err(DeviceFlowError::Refused(refusal)),
            DeviceAnswer::Transport(lost) => return Err(DeviceFlowError::Transport(lost)),
        };
        let user_code = code.user_code;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(4..=32).contains(&user_code.len()) || !user_code.bytes().all(plain) {
            return Err(DeviceFlowError::BadPrompt(
                "the code that it wants shown is not one",
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
            code_dies_first: code.expires_in <= timeout,
        })
    }

    /// What to show.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Polls until there is an end. `tick` hears about once a second how much time is left.
    ///
    /// # Errors
    /// [`DeviceFlowError`].
    pub fn wait(mut self, mut tick: impl FnMut(Duration)) -> Result<Grant, DeviceFlowError> {
        let mut pause = self.interval;
        loop {
            self.sleep(pause, &mut tick)?;
            match self.endpoint.poll(&self.device_code) {
                PollAnswer::Granted(grant) => return Ok(grant),
                PollAnswer::Pending => pause = self.interval,
                PollAnswer::SlowDown => {
                    self.interval += SLOW_DOWN;
                    pause = self.interval;
                }
                // RFC 8628 section 3.5: a client that is disturbed polls less often, exponentially.
                PollAnswer::Disturbed(asked) => {
                    let slower = (pause * 2).min(LONGEST_PAUSE);
                    pause = slower.max(self.interval).max(asked.unwrap_or_default());
                }
                PollAnswer::Denied => return Err(DeviceFlowError::Denied),
                PollAnswer::Expired => return Err(DeviceFlowError::Expired),
                PollAnswer::Refused(refusal) => return Err(DeviceFlowError::Refused(refusal)),
                PollAnswer::Untrusted(lost) => return Err(DeviceFlowError::Transport(lost)),
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
                return Err(if self.code_dies_first {
                    DeviceFlowError::Expired
                } else {
                    DeviceFlowError::TimedOut
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

/// Takes an address only on the instance itself, and writes it anew so that nothing in it means anything to a shell, a
/// terminal or an opener.
fn checked_url(origin: &Origin, url: &str) -> Result<String, DeviceFlowError> {
    const FOREIGN: DeviceFlowError =
        DeviceFlowError::BadPrompt("the address that it wants opened is not on this instance");
    let rest = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[rest..].find('/').map_or(url.len(), |path| rest + path);
    let (place, path) = url.split_at(end);
    let place = Origin::parse(place).map_err(|_| FOREIGN)?;
    if url.len() > LONGEST_URL || !place.may_receive(origin) {
        return Err(FOREIGN);
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(DeviceFlowError::BadPrompt(
            "the address that it wants opened has characters that no address has",
        ));
    }
    Ok(path.bytes().fold(place.to_string(), |mut url, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~/?=&%+:,@".contains(&byte) {
            true => url.push(char::from(byte)),
            false => url.push_str(&format!("%{byte:02X}")),
        }
        url
    }))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::account::User;
    use crate::oauth::DeviceCode;
    use crate::world::Timestamp;

    #[derive(Default)]
    struct VirtualClock(Cell<Duration>);

    impl Clock for VirtualClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
        fn uptime(&self) -> Duration {
            self.0.get()
        }
        fn sleep(&self, span: Duration) {
            self.0.set(self.0.get() + span);
        }
    }

    /// Gives the answers in turn, then `authorization_pending` for ever; notes when it was polled.
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
        })
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
        let bad = || PollAnswer::Disturbed(None);
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
        let (_, polled_at) = run(
            vec![
                PollAnswer::Disturbed(Some(Duration::from_secs(90))),
                granted(),
            ],
            900,
        );
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
    fn definite_answers_stop() {
        assert!(matches!(
            run(vec![PollAnswer::Denied], 900).0,
            Err(DeviceFlowError::Denied)
        ));
        assert!(matches!(
            run(vec![PollAnswer::Expired], 900).0,
            Err(DeviceFlowError::Expired)
        ));
        let refusal = Refusal {
            status: 401,
            code: Some("invalid_client".into()),
            description: None,
        };
        assert!(matches!(
            run(vec![PollAnswer::Refused(refusal)], 900).0,
            Err(DeviceFlowError::Refused(_))
        ));
    }

    #[test]
    fn only_the_instance_itself_is_opened() {
        let url = |text: &str| checked_url(&Origin::saas(), text).ok();
        assert_eq!(
            url("https://sentry.io/oauth/device/?user_code=AB-CD").unwrap(),
            "https://sentry.io/oauth/device/?user_code=AB-CD"
        );
        assert_eq!(
            url("https://us.sentry.io/x|y$(id)`'\"\\#").unwrap(),
            "https://us.sentry.io/x%7Cy%24%28id%29%60%27%22%5C%23"
        );
        for bad in [
            "https://evil.com/",
            "http://sentry.io/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "-oProxyCommand=x",
            "",
            "https://sentry.io@evil.com/",
            "https://sentry.io.evil.com/",
            "https://sentry.io/a b",
            "https://sentry.io/\u{1b}[31m",
            "https://sentry.io/\u{202e}",
            "//sentry.io/",
            "https://sentry.io\\@evil.com/",
            "https://sentry.io?x",
        ] {
            assert_eq!(url(bad), None, "{bad:?}");
        }
        assert_eq!(
            url(&format!("https://sentry.io/{}", "x".repeat(2048))),
            None
        );
    }
}
