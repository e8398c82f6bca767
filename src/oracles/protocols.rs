//! Properties of the requests of git and docker, and of the answers that they read.
//!
//! Separate from the hosts because these inputs are whole requests.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::reference::{self, Place};
use super::{INSTANCES, TOKEN, nowhere, one_line, world};
use crate::broker::Broker;
use crate::world::World;
use crate::{docker, git};

/// A `get` of git with a token in the environment.
pub fn git(input: &[u8]) {
    for instance in INSTANCES {
        let world = nowhere(instance);
        let broker = Broker::new(&world);
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
        // Input that is not valid text is not compared: U+FFFD stands for several inputs.
        if str::from_utf8(input).is_err() || username.contains('\u{fffd}') {
            continue;
        }
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

/// A credential that git stores is returned unchanged, only for its own key, and until it is erased.
pub fn git_store(input: &[u8]) {
    let Ok(Some(asked)) = reference::git(input) else {
        return;
    };
    STORE.with(|dir| {
        let world = at_home(dir.path());
        let broker = Broker::new(&world);
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
        let given = input.split(|byte| *byte == b'\n');
        let given: Vec<_> = given.map(String::from_utf8_lossy).collect();
        // A `url=` line has its values in another form.
        let escaped = given.iter().any(|line| line.starts_with("url="));
        for (key, value) in found {
            let line = format!("{key}={value}");
            let ours = ["capability[]", "password_expiry_utc"].contains(&&*key);
            assert!(
                ours || escaped || given.iter().any(|given| *given == line),
                "{line:?}"
            );
        }
        git::serve("erase", asked.lines.as_bytes(), &broker).expect("an erasure");
        if let Ok(answer) = git::serve("get", request.as_bytes(), &broker) {
            assert_eq!(lines(&answer), []);
        }
    });
}

/// A `get` of docker with a token in the environment.
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

/// A credential that docker stores is returned, listed, and gone once it is erased.
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
        // Go accepts a key in any case.
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
        assert!(has("Secret", secret) && !secret.contains('\0'));
        assert!(!username.contains(char::is_control));
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

/// Parses an answer as git does (credential_read).
fn lines(answer: &[u8]) -> Vec<(String, String)> {
    if answer.is_empty() {
        return Vec::new();
    }
    // User input may be in any encoding.
    let text = String::from_utf8_lossy(answer);
    assert!(!text.contains(['\r', '\0']), "{text:?}");
    let lines = text.strip_suffix("\n\n").expect("a blank line at the end");
    let pair = |line: &str| {
        let (key, value) = line.split_once('=').expect("a key and a value");
        (key.to_owned(), value.to_owned())
    };
    lines.split('\n').map(pair).collect()
}

/// Parses one JSON document on one line.
fn document(answer: &str) -> Value {
    let line = answer.strip_suffix('\n').expect("a line");
    assert!(!line.contains(char::is_control), "{line:?}");
    serde_json::from_str(line).expect("one document")
}
