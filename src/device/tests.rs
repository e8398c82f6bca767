//! The device flow with a virtual clock, answer by answer; and which addresses it shows.

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
fn the_remaining_time_is_reported_once_a_second() {
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
