//! What must hold whatever bytes come in: a function for each fuzz target, which panics when it does not.
//!
//! Part of the library in its tests and under `cfg(fuzzing)` only, so that nothing is public for the sake of it.
//! Decisions about hosts and tokens are compared with [`reference`], which takes the long way; answers are read back
//! as their readers do.

mod reference;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::broker::Broker;
use crate::device::{DeviceFlow, Ended, Endpoint};
use crate::oauth::{Answer, DeviceAnswer, Grant, PollAnswer, RefreshAnswer};
use crate::origin::{NotAnOrigin, Origin};
use crate::secret::Secret;
use crate::world::{SystemClock, World};
use crate::{docker, environment, failure, git, printable};

use reference::Place;

/// Instances that the environment's token belongs to, one after the other.
const INSTANCES: [&str; 3] = [
    "https://sentry.io",
    "https://sentry.example:8443",
    "http://127.0.0.1:9000",
];

const TOKEN: &str = "sntryu_0123456789abcdef";

/// A host, or two with a line break between: the grammar, the one form, and trust.
pub fn origin(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let mut known = Vec::new();
    for line in text.split('\n') {
        let (origin, place) = (Origin::parse(line), reference::origin(line));
        agree(origin.as_ref().ok(), place.as_ref(), line);
        if origin == Err(NotAnOrigin::Insecure) {
            let secure = line.replacen(':', "s:", 1);
            assert!(
                reference::origin(&secure).is_some(),
                "{line:?} is malformed"
            );
        }
        known.extend(origin.ok().zip(place));
        let setting = Origin::from_setting(line).ok();
        agree(setting.as_ref(), reference::setting(line).as_ref(), line);
        let parts = Origin::from_parts("https", line).ok();
        agree(
            parts.as_ref(),
            reference::parts("https", line).as_ref(),
            line,
        );
    }
    for (token_of, its_place) in &known {
        for (host, place) in &known {
            assert_eq!(
                host.may_receive(token_of),
                reference::trusts(its_place, place),
                "{token_of} to {host}"
            );
            assert_eq!(host == token_of, place == its_place, "{token_of} is {host}");
        }
    }
}

/// An environment's token and, on a second line, instance: what the token claims, and whom it belongs to.
pub fn claim(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let (token, instance) = text.split_once('\n').unwrap_or((text, ""));
    let claims = reference::claims(token);
    let claimed = claims.as_ref().and_then(|claims| claims["url"].as_str());
    let found = Secret::new(token).claims();
    assert_eq!(found.is_some(), claims.is_some(), "{token:?}");
    let url = found.and_then(|claims| claims.url);
    assert_eq!(url.as_deref(), claimed.filter(|url| !url.is_empty()));

    let (token, instance) = (blankless(token), blankless(instance));
    let variables = [("SENTRY_AUTH_TOKEN", token), ("SENTRY_URL", instance)];
    let found = environment::token(&World::of(&variables, Rc::new(SystemClock)));
    match (found, token_place(token, instance)) {
        (Ok(None), Some(None)) | (Err(_), None) => {}
        (Ok(Some(found)), Some(Some(place))) => {
            assert_eq!(found.token.expose(), token);
            agree(Some(&found.origin), Some(&place), token);
        }
        (found, expected) => panic!("{token:?} of {instance:?}: {found:?}, not {expected:?}"),
    }
}

/// Whom the environment's token belongs to; the outer `None` is an error, the inner one no token.
fn token_place(token: &str, instance: &str) -> Option<Option<Place>> {
    if token.is_empty() {
        return Some(None);
    }
    let claims = reference::claims(token).unwrap_or_default();
    let claimed = match claims["url"].as_str().unwrap_or("") {
        "" => None,
        url => Some(reference::origin(url)?),
    };
    let named = match instance {
        "" => None,
        instance => Some(reference::setting(instance)?),
    };
    let contradicts = |claimed: &Place| {
        let named = named.as_ref();
        named.is_some_and(|named| !reference::trusts(claimed, named))
    };
    if !reference::is_token(token) || claimed.as_ref().is_some_and(contradicts) {
        return None;
    }
    Some(
        claimed
            .or(named)
            .or_else(|| reference::setting("sentry.io")),
    )
}

/// Text of a server: what may steer a terminal is gone, the rest is as it was.
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

/// ECMA-48 controls (C0, DEL, C1); line ends and bidirectional controls of Unicode (UAX #9); tag characters.
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

/// The answer to a device code request: what a person is shown is a code and an address on the instance itself.
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
        assert_eq!(begun.is_ok(), expected.is_some(), "on {instance}");
        match begun {
            Ok(flow) => {
                let prompt = flow.prompt();
                assert_eq!(Some(&prompt.user_code), expected.as_ref());
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
            Err(Ended::Refused(refusal)) => plain_code(refusal.code),
            Err(Ended::BadPrompt(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// The code that may be shown, if all that comes with it may be.
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
        .all(|url| may_open(url, instance, 2048));
    (plain && urls && reference::is_token(text("device_code")?)).then(|| code.to_owned())
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

/// The answer to a poll and to a refresh; its first byte chooses the status.
pub fn token(input: &[u8]) {
    const STATUS: [u16; 9] = [200, 201, 302, 400, 401, 403, 404, 429, 502];
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let status = STATUS[usize::from(*first) % STATUS.len()];
    let answer = Answer::with(status, body);
    let json = serde_json::from_slice(body).ok().filter(Value::is_object);
    let json = json.unwrap_or_default();
    let error = match &json["error"] {
        Value::Null => "none",
        Value::String(code) => code,
        _ => "unknown",
    };
    let (polled, refreshed) = match (status / 100, error) {
        (2, "none") => match issued(&json) {
            Some(true) if is_bearer(&json) => ("granted", "granted"),
            Some(true) => ("refused", "granted"),
            Some(false) => ("refused", "unusable"),
            None => ("disturbed", "transient"),
        },
        (_, "authorization_pending") => ("pending", "kept"),
        (_, "slow_down") => ("slow down", "kept"),
        (_, "access_denied") => ("denied", "kept"),
        (_, "expired_token") => ("expired", "kept"),
        _ if status == 429 || status >= 500 => ("disturbed", "transient"),
        (4, "invalid_grant") if status <= 401 => ("refused", "invalid grant"),
        (3, _) | (4, "none") => ("refused", "transient"),
        _ => ("refused", "kept"),
    };
    let poll = match PollAnswer::of(&answer) {
        PollAnswer::Pending => "pending",
        PollAnswer::SlowDown => "slow down",
        PollAnswer::Granted(grant) => sound(&grant, &json, "granted"),
        PollAnswer::Denied => "denied",
        PollAnswer::Expired => "expired",
        PollAnswer::Disturbed(_) => "disturbed",
        PollAnswer::Refused(refusal) => {
            plain_code(refusal.code);
            "refused"
        }
        PollAnswer::Untrusted(_) => "untrusted",
    };
    assert_eq!(poll, polled, "polling, HTTP {status}");
    let refresh = match RefreshAnswer::of(&answer) {
        RefreshAnswer::Granted(grant) => sound(&grant, &json, "granted"),
        RefreshAnswer::Unusable => "unusable",
        RefreshAnswer::InvalidGrant => "invalid grant",
        RefreshAnswer::Refused(refusal) => {
            plain_code(refusal.code);
            "refused"
        }
        RefreshAnswer::Transient(transient) => {
            assert_eq!(printable::printable(&transient.why), transient.why);
            "transient"
        }
    };
    // Both keep the tokens; which of them it is only changes the message.
    match refreshed {
        "kept" => assert!(["refused", "transient"].contains(&refresh), "HTTP {status}"),
        refreshed => assert_eq!(refresh, refreshed, "refreshing, HTTP {status}"),
    }
}

/// `None`: no token answer. Otherwise whether its tokens keep to the grammar.
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

fn plain_code(code: Option<String>) {
    let plain = |it: char| it.is_ascii_lowercase() || it == '_';
    assert!(code.is_none_or(|code| code.chars().all(plain)));
}

/// A `get` of git, with a token in the environment.
pub fn git(input: &[u8]) {
    for instance in INSTANCES {
        let world = nowhere(instance);
        let broker = Broker::new(&world).expect("a directory");
        let answer = git::serve("get", input, &broker);
        let asked = match reference::git(input) {
            Ok(asked) => asked,
            Err(()) => return assert!(answer.is_err(), "a malformed request"),
        };
        let lines = match answer {
            Ok(answer) => lines(&answer),
            Err(error) => {
                one_line(&error);
                Vec::new()
            }
        };
        let instance = reference::origin(instance).expect("an instance");
        let has = |place: &Place| reference::trusts(&instance, place);
        let Some(asked) = asked.filter(|asked| asked.place.as_ref().is_some_and(has)) else {
            assert_eq!(lines, [], "of {instance:?}");
            continue;
        };
        let value = |key: &str| {
            lines
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, value)| value.as_str())
        };
        let username = asked.username.as_deref().unwrap_or("oauth2");
        match value("authtype") {
            Some(authtype) => {
                let pair = BASE64.encode(format!("{username}:{TOKEN}"));
                let credential = match authtype {
                    "Basic" => &pair,
                    _ => TOKEN,
                };
                assert!(["Basic", "Bearer"].contains(&authtype), "{authtype}");
                assert_eq!(value("credential"), Some(credential));
                assert!(asked.authtype && value("password").is_none());
            }
            None => {
                assert_eq!(value("password"), Some(TOKEN), "of {instance:?}");
                assert_eq!(value("username"), Some(username));
            }
        }
        assert_eq!(value("ephemeral").is_some(), asked.authtype);
    }
}

/// What git stores comes back as it was given, only where it belongs, and until it is erased.
pub fn git_store(input: &[u8]) {
    let Ok(Some(asked)) = reference::git(input) else {
        return;
    };
    STORE.with(|dir| {
        let world = at_home(dir.path());
        let broker = Broker::new(&world).expect("a directory");
        if git::serve("store", input, &broker).is_err() {
            return;
        }
        let get = |host: &str| {
            let request = format!("capability[]=authtype\nprotocol=https\nhost={host}\n");
            git::serve("get", request.as_bytes(), &broker).map(|answer| lines(&answer))
        };
        assert_eq!(get("another.example").ok(), Some(Vec::new()));
        let request = format!("capability[]=authtype\n{}", asked.lines);
        let found = git::serve("get", request.as_bytes(), &broker)
            .map_or_else(|_| Vec::new(), |answer| lines(&answer));
        let given: Vec<_> = input.split(|byte| *byte == b'\n').collect();
        // A `url=` line has its values in another form.
        let escaped = given.iter().any(|line| line.starts_with(b"url="));
        for (key, value) in found {
            let line = format!("{key}={value}");
            let ours = ["capability[]", "password_expiry_utc"].contains(&&*key);
            assert!(
                ours || escaped || given.contains(&line.as_bytes()),
                "{line:?}"
            );
        }
        git::serve("erase", asked.lines.as_bytes(), &broker).expect("an erasure");
        if let Ok(answer) = git::serve("get", request.as_bytes(), &broker) {
            assert_eq!(lines(&answer), []);
        }
    });
}

/// A `get` of docker, with a token in the environment.
pub fn docker_get(input: &[u8]) {
    for instance in INSTANCES {
        let answer = docker::serve("get", &mut &*input, &nowhere(instance));
        let place = reference::origin(instance).expect("an instance");
        let url = str::from_utf8(input).unwrap_or("").trim_ascii();
        let is_line = !url.is_empty() && !url.contains(char::is_control);
        let has = |registry: &Place| reference::trusts(&place, registry);
        let expected = is_line && reference::registry(url).as_ref().is_some_and(has);
        assert_eq!(answer.is_ok(), expected, "{url:?} of {instance}");
        match answer {
            Ok(answer) => {
                let answer = document(&answer);
                assert_eq!(answer["ServerURL"], url);
                assert_eq!(answer["Username"], "oauth2");
                assert_eq!(answer["Secret"], TOKEN);
            }
            Err(error) => one_line(&error),
        }
    }
}

/// What docker stores is found again, listed, and gone when it is erased.
pub fn docker_store(input: &[u8]) {
    STORE.with(|dir| {
        let world = at_home(dir.path()).quietly();
        let serve = |action: &str, mut input: &[u8]| docker::serve(action, &mut input, &world);
        if let Err(error) = serve("store", input) {
            return one_line(&error);
        }
        let text = str::from_utf8(input)
            .expect("text")
            .trim_ascii()
            .trim_start_matches('\u{feff}');
        let login: Value = serde_json::from_str(text).expect("one document");
        let login = login.as_object().expect("an object");
        // Go takes a key in any case.
        let has = |name: &str, value: &str| {
            login.iter().any(|(key, known)| {
                key.eq_ignore_ascii_case(name)
                    && known.as_str().unwrap_or("").trim_ascii() == value.trim_ascii()
            }) || (value.is_empty() && name == "Secret")
        };
        let listed = document(&serve("list", b"").expect("a list"));
        let (server, username) = listed
            .as_object()
            .expect("an object")
            .iter()
            .next()
            .expect("one");
        let username = username.as_str().expect("text");
        assert!(has("ServerURL", server) && has("Username", username));
        let found = document(&serve("get", server.as_bytes()).expect("what was stored"));
        assert_eq!(found["ServerURL"], **server);
        assert_eq!(found["Username"], username);
        let secret = found["Secret"].as_str().expect("text");
        assert!(has("Secret", secret) && !format!("{username}{secret}").contains(char::is_control));
        serve("erase", server.as_bytes()).expect("an erasure");
        assert_eq!(
            document(&serve("list", b"").expect("a list")),
            serde_json::json!({})
        );
        one_line(&serve("get", server.as_bytes()).expect_err("what was erased"));
    });
}

thread_local! {
    static STORE: tempfile::TempDir = tempfile::tempdir().expect("a directory");
}

fn at_home(dir: &Path) -> World {
    world(dir.to_str().expect("a path"), &[])
}

/// A machine without a database, and with the token of an instance.
fn nowhere(instance: &str) -> World {
    world(
        "/nonexistent",
        &[("SENTRY_TOKEN", TOKEN), ("SENTRY_URL", instance)],
    )
    .quietly()
}

fn world(dir: &str, variables: &[(&str, &str)]) -> World {
    let home = [("HOME", dir), ("SENTRY_CONFIG_DIR", dir), ("CI", "true")];
    World::of(&[&home, variables].concat(), Rc::new(SystemClock))
}

/// Reads an answer as git does (credential_read).
fn lines(answer: &[u8]) -> Vec<(String, String)> {
    if answer.is_empty() {
        return Vec::new();
    }
    let text = str::from_utf8(answer).expect("text");
    assert!(!text.contains(['\r', '\0']), "{text:?}");
    let lines = text.strip_suffix("\n\n").expect("a blank line at the end");
    let pair = |line: &str| {
        let (key, value) = line.split_once('=').expect("a key and a value");
        (key.to_owned(), value.to_owned())
    };
    lines.split('\n').map(pair).collect()
}

/// Reads one JSON document on one line.
fn document(answer: &str) -> Value {
    let line = answer.strip_suffix('\n').expect("a line");
    assert!(!line.contains(char::is_control), "{line:?}");
    serde_json::from_str(line).expect("one document")
}

fn one_line(error: &anyhow::Error) {
    let line = failure::one_line(error);
    assert!(
        !line.is_empty() && !line.contains(char::is_control),
        "{line:?}"
    );
}

fn agree(origin: Option<&Origin>, place: Option<&Place>, text: &str) {
    assert_eq!(origin.is_some(), place.is_some(), "{text:?}");
    let Some(origin) = origin else {
        return;
    };
    let form = origin.to_string();
    assert_eq!(reference::origin(&form).as_ref(), place, "{text:?}");
    assert_eq!(form, form.to_ascii_lowercase());
    let default = match form.starts_with("https") {
        true => ":443",
        false => ":80",
    };
    assert!(form.ends_with(']') || !form.ends_with(default), "{form}");
    assert_eq!(form.matches("://").count(), 1);
}

/// As the variables of the environment are read.
fn blankless(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}
