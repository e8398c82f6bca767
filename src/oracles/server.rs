//! Properties of server answers: what is shown of them, and what is stored.
//!
//! Separate from the protocols of git and docker because these bytes come from a server.

use std::time::Duration;

use serde_json::Value;

use super::INSTANCES;
use super::reference::{self, Place};
use crate::device::{DeviceFlow, DeviceFlowError, Endpoint};
use crate::oauth::{Answer, DeviceAnswer, ErrorAnswer, Grant, PollAnswer, RefreshAnswer};
use crate::origin::Origin;
use crate::printable;
use crate::secret::Secret;
use crate::world::SystemClock;

/// Server text: everything that could control a terminal is removed, the rest is unchanged.
pub fn printable(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let shown = printable::printable(&text);
    assert!(shown.chars().count() <= 200);
    assert_eq!(printable::printable(&shown), shown);
    let mut rest = text.chars();
    for character in shown.chars() {
        assert!(!steers(character), "{character:?} is shown");
        assert!(rest.any(|next| next == character), "{character:?} is new");
    }
    let plain = |it: &char| it.is_ascii_graphic() || *it == ' ';
    if text.chars().all(|it| plain(&it) || steers(it)) {
        let expected: String = text.chars().filter(plain).take(200).collect();
        assert_eq!(shown, expected);
    }
}

/// ECMA-48 controls (C0, DEL, C1); newlines and bidirectional controls of Unicode (UAX #9); tag characters.
fn steers(character: char) -> bool {
    let code = u32::from(character);
    let controls = [0x00..=0x1f, 0x7f..=0x9f];
    let unicode = [
        0x61c..=0x61c,
        0x200e..=0x200f,
        0x2028..=0x202e,
        0x2066..=0x2069,
        0xe0000..=0xe007f,
    ];
    controls
        .iter()
        .chain(&unicode)
        .any(|range| range.contains(&code))
}

/// The answer to a device code request: the user is shown only a code, and an address on the instance itself.
pub fn device(input: &[u8]) {
    struct Server<'a>(&'a [u8]);
    impl Endpoint for Server<'_> {
        fn device_code(&self, _: &str) -> DeviceAnswer {
            DeviceAnswer::of(&Answer::with(200, self.0))
        }
        fn poll(&self, _: &Secret) -> PollAnswer {
            PollAnswer::Pending
        }
    }
    let server = Server(input);
    for instance in INSTANCES {
        let origin = Origin::parse(instance).expect("an instance");
        let place = reference::origin(instance).expect("an instance");
        let begun = DeviceFlow::begin(&server, &SystemClock, &origin, "", Duration::from_secs(900));
        let expected = shown(input, &place);
        // A lenient parser may find a code where a strict one finds no JSON.
        let is_strict = serde_json::from_slice::<Value>(input).is_ok();
        if is_strict {
            assert_eq!(begun.is_ok(), expected.is_some(), "on {instance}");
        }
        match begun {
            Ok(flow) => {
                let prompt = flow.prompt();
                assert!(!is_strict || Some(&prompt.user_code) == expected.as_ref());
                for url in [Some(&prompt.url), prompt.url_complete.as_ref()]
                    .into_iter()
                    .flatten()
                {
                    assert!(may_open(url, &place, usize::MAX), "{url} on {instance}");
                    assert!(
                        !url.contains([
                            '"', '\'', '`', '$', ';', '|', '<', '>', '(', ')', '\\', '!'
                        ])
                    );
                }
            }
            Err(DeviceFlowError::Refused(refusal)) => drop(fit(refusal, "")),
            Err(DeviceFlowError::NotOAuth(200) | DeviceFlowError::BadPrompt(_)) => {}
            Err(DeviceFlowError::Foreign(name)) => {
                assert_eq!(printable::printable(&name), name);
                assert_ne!(reference::origin(&name), Some(place.clone()));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// The code that may be shown, if everything with it may be shown.
fn shown(body: &[u8], instance: &Place) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok().filter(Value::is_object)?;
    let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty());
    let code = text("user_code")?;
    let plain = (4..33).contains(&code.len())
        && code
            .chars()
            .all(|it| it == '-' || it.is_ascii_alphanumeric());
    let urls = [
        Some(text("verification_uri")?),
        text("verification_uri_complete"),
    ];
    let urls = urls
        .into_iter()
        .flatten()
        .all(|url| leads_to(url, instance));
    (plain && urls && reference::is_token(text("device_code")?)).then(|| code.to_owned())
}

/// RFC 3986 section 4.2, if it names the instance or nothing; plain http may stand for the instance's https.
fn leads_to(url: &str, instance: &Place) -> bool {
    let plain = |text: &str| text.chars().all(|it| it.is_ascii_graphic());
    if url.is_empty() || url.len() > 2048 || !plain(url) {
        return false;
    }
    let absolute = match url.strip_prefix("//") {
        Some(rest) if instance.is_tls() => format!("https://{rest}"),
        Some(rest) => format!("http://{rest}"),
        None => url.to_owned(),
    };
    let scheme: String = absolute
        .chars()
        .take_while(|it| !":/?#".contains(*it))
        .collect();
    if !absolute[scheme.len()..].starts_with(':') {
        return true;
    }
    let secured = match absolute.get(..5) {
        Some(start) if start.eq_ignore_ascii_case("http:") => format!("https{}", &absolute[4..]),
        _ => String::new(),
    };
    let same_host = || {
        let authority = secured.strip_prefix("https://")?;
        let authority = authority.split('/').next()?;
        reference::parts("https", authority).filter(|named| instance.is_secured(named))
    };
    may_open(&absolute, instance, usize::MAX) || same_host().is_some()
}

fn may_open(url: &str, instance: &Place, longest: usize) -> bool {
    let pieces: Vec<&str> = url.splitn(4, '/').collect();
    let path = pieces.get(3).unwrap_or(&"");
    let place = pieces[..pieces.len().min(3)].join("/");
    let place = reference::origin(&place).filter(|_| !place.ends_with('/'));
    url.len() <= longest
        && place.is_some_and(|place| reference::trusts(instance, &place))
        && path.chars().all(|it| it.is_ascii_graphic())
}

/// The answer to a poll and to a refresh; the first byte selects the status.
pub fn token(input: &[u8]) {
    const STATUS: [u16; 9] = [200, 201, 302, 400, 401, 403, 404, 429, 502];
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let status = STATUS[usize::from(*first) % STATUS.len()];
    let answer = Answer::with(status, body);
    let json = serde_json::from_slice(body).ok().filter(Value::is_object);
    let Some(json) = json else {
        return badly_written(&answer);
    };
    let code = json["error"].as_str().filter(|code| is_plain(code));
    let has_error = !json["error"].is_null();
    let issued = issued(&json).filter(|_| status / 100 == 2);
    let polled = match code {
        Some("authorization_pending") => "pending",
        Some("slow_down") => "slow down",
        Some("access_denied") => "denied",
        Some("expired_token") => "expired",
        Some(_) if status != 429 && status < 500 => "refused",
        _ => match issued {
            Some(true) if is_bearer(&json) && !has_error => "granted",
            Some(_) => "refused",
            None => "disturbed",
        },
    };
    let refreshed = match (status, code, issued) {
        (400 | 401, Some("invalid_grant"), _) => "invalid grant",
        (400 | 401, Some("invalid_client"), _) => "invalid client",
        (_, None, Some(true)) if !has_error => "granted",
        (_, None, Some(false)) if !has_error => "unusable",
        (429, ..) => "transient",
        (400..500, Some(_), _) => "refused",
        _ => "transient",
    };
    let poll = match PollAnswer::of(&answer) {
        PollAnswer::Pending => "pending",
        PollAnswer::SlowDown => "slow down",
        PollAnswer::Granted(grant) => sound(&grant, &json, "granted"),
        PollAnswer::Denied(refusal) => fit(refusal, "denied"),
        PollAnswer::Expired(refusal) => fit(refusal, "expired"),
        PollAnswer::Transient(failure) => {
            assert_eq!(printable::printable(&failure.why), failure.why);
            "disturbed"
        }
        PollAnswer::Refused(refusal) => fit(refusal, "refused"),
        PollAnswer::Untrusted(_) => "untrusted",
    };
    assert_eq!(poll, polled, "polling, HTTP {status}");
    let refresh = match RefreshAnswer::of(&answer) {
        RefreshAnswer::Granted(grant) => sound(&grant, &json, "granted"),
        RefreshAnswer::Unusable => "unusable",
        RefreshAnswer::InvalidGrant(refusal) => fit(refusal, "invalid grant"),
        RefreshAnswer::InvalidClient(refusal) => fit(refusal, "invalid client"),
        RefreshAnswer::Refused(refusal) => fit(refusal, "refused"),
        RefreshAnswer::Transient(transient) => {
            let why = transient.why.to_string();
            assert_eq!(printable::printable(&why), why);
            "transient"
        }
    };
    assert_eq!(refresh, refreshed, "refreshing, HTTP {status}");
}

/// The server text that is shown.
fn fit(refusal: ErrorAnswer, kind: &'static str) -> &'static str {
    assert!(refusal.code.is_none_or(|code| is_plain(&code)));
    let description = refusal.description.unwrap_or_default();
    assert_eq!(printable::printable(&description), description);
    kind
}

/// A lenient parser may find tokens where a strict one finds no JSON; they must still match the grammar.
fn badly_written(answer: &Answer) {
    let sound = |grant: Grant| {
        let refresh = grant
            .refresh
            .as_ref()
            .map_or("x", |refresh| refresh.expose());
        assert!(reference::is_token(grant.access.expose()) && reference::is_token(refresh));
        assert!((200..300).contains(&answer.status));
    };
    if let PollAnswer::Granted(grant) = PollAnswer::of(answer) {
        sound(grant);
    }
    match RefreshAnswer::of(answer) {
        RefreshAnswer::Granted(grant) => sound(grant),
        RefreshAnswer::InvalidGrant(refusal)
        | RefreshAnswer::InvalidClient(refusal)
        | RefreshAnswer::Refused(refusal) => drop(fit(refusal, "")),
        RefreshAnswer::Unusable | RefreshAnswer::Transient(_) => {}
    }
}

/// `None`: not a token answer. Otherwise whether its tokens match the grammar.
fn issued(json: &Value) -> Option<bool> {
    let access = json["access_token"].as_str()?;
    let refresh = json["refresh_token"].as_str().unwrap_or("");
    Some(reference::is_token(access) && (refresh.is_empty() || reference::is_token(refresh)))
}

fn is_bearer(json: &Value) -> bool {
    match &json["token_type"] {
        Value::Null => true,
        Value::String(kind) => kind.eq_ignore_ascii_case("bearer"),
        _ => false,
    }
}

fn sound(grant: &Grant, json: &Value, kind: &'static str) -> &'static str {
    assert_eq!(json["access_token"], grant.access.expose());
    match &grant.refresh {
        Some(refresh) => assert_eq!(json["refresh_token"], refresh.expose()),
        None => assert_eq!(json["refresh_token"].as_str().unwrap_or(""), ""),
    }
    let seconds = grant.expires_in.map_or(1, |span| span.as_secs());
    assert!((1..=400 * 24 * 3600).contains(&seconds));
    let user = &grant.user;
    for text in [&user.id, &user.email, &user.username, &user.name]
        .into_iter()
        .flatten()
    {
        assert_eq!(printable::printable(text), *text);
    }
    kind
}

fn is_plain(code: &str) -> bool {
    let plain = |it: char| it.is_ascii_lowercase() || it == '_';
    !code.is_empty() && code.len() <= 64 && code.chars().all(plain)
}
