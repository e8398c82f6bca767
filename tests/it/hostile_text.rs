//! Server text that could control a terminal, in every field, seen on a real pseudo-terminal.

use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault, User};
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::terminal::TtyUser;
use crate::tls::{Certificate, Tls};
use serde_json::json;

/// What a screen may show besides plain text: newlines, and the program's own emphasis and status line.
const OURS: [&str; 4] = ["\r\u{1b}[K", "\u{1b}[1m", "\u{1b}[0m", "\r\n"];

/// Each class of what moves a cursor, sets a title, writes to the clipboard, or reads differently from what it is.
fn texts() -> Vec<String> {
    let of = |range: std::ops::RangeInclusive<char>| {
        range
            .map(|character| format!("a{character}b"))
            .collect::<String>()
    };
    vec![
        of('\0'..='\u{1f}'),
        of('\u{7f}'..='\u{9f}'),
        of('\u{200b}'..='\u{200f}'),
        of('\u{2028}'..='\u{202e}'),
        of('\u{2060}'..='\u{206f}'),
        "\u{ad}\u{61c}\u{180e}\u{feff}\u{fff9}\u{fffa}\u{fffb}".to_owned(),
        of('\u{e0000}'..='\u{e007f}'),
        of('\u{fe00}'..='\u{fe0f}'),
        of('\u{e0100}'..='\u{e01ef}'),
        "a\u{34f}b\u{115f}c\u{1160}d\u{3164}e\u{2800}f\u{ffa0}g\u{17b4}h\u{180b}i\u{1d173}"
            .to_owned(),
        "x\rjane\u{8}\u{8}joe\nerror: forged".to_owned(),
        "\u{1b}[2J\u{1b}[31mred\u{9b}1m".to_owned(),
        "\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{1b}\\\u{9d}52;c;aGk=\u{9c}".to_owned(),
        "\u{1b}]8;;https://evil.example\u{1b}\\sentry.io\u{1b}]8;;\u{1b}\\".to_owned(),
        "\u{1b}P+q544e\u{1b}\\\u{90}$q\u{9c}\u{1b}c\u{1b}[6n".to_owned(),
        format!("{}\u{1b}[5m", "x".repeat(10_000)),
    ]
}

#[track_caller]
fn is_harmless(what: &str, screen: &[u8]) {
    let Ok(text) = str::from_utf8(screen) else {
        panic!("{what}: {}", screen.escape_ascii());
    };
    let rest = OURS
        .iter()
        .fold(text.to_owned(), |text, ours| text.replace(ours, ""));
    let bad = |character: char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
            || matches!(character, '\u{e0000}'..='\u{e0fff}' | '\u{fe00}'..='\u{fe0f}' | '\u{34f}' | '\u{2800}')
            || matches!(
                character,
                '\u{115f}'
                    | '\u{1160}'
                    | '\u{3164}'
                    | '\u{ffa0}'
                    | '\u{17b4}'
                    | '\u{180b}'
                    | '\u{1d173}'
            )
    };
    assert!(!rest.contains(bad), "{what}: {}", text.escape_debug());
    let longest = text.lines().map(str::len).max();
    assert!(longest < Some(1000), "{what}: {longest:?}");
}

/// A server and a machine for each text, all at the same time.
#[track_caller]
fn all_are_harmless(what: &str, attack: impl Fn(&FakeSentry, &Sandbox, &str) -> Option<Cmd>) {
    let begin = |text: String| {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        let machine = Sandbox::new().for_sentry(&sentry).env("TERM", "xterm");
        let cmd = attack(&sentry, &machine, &text)?;
        Some((text, TtyUser::start(cmd), machine, sentry))
    };
    let attacks: Vec<_> = texts().into_iter().filter_map(begin).collect();
    for (text, mut user, _machine, _sentry) in attacks {
        user.wait();
        is_harmless(
            &format!("{what}: {}", text.escape_debug()),
            &user.screen_bytes(),
        );
    }
}

fn auth(machine: &Sandbox, args: &str) -> Cmd {
    machine.sentry(&["auth"]).args(args.split(' '))
}

/// A user whose names all contain this text.
fn user(text: &str) -> User {
    User {
        id: text.to_owned(),
        name: text.to_owned(),
        username: text.to_owned(),
        email: text.to_owned(),
    }
}

#[test]
fn a_device_code_answer_cannot_steer_the_terminal() {
    for field in [
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "device_code",
        "error",
        "interval",
        "expires_in",
        "message",
    ] {
        for place in ["in place of it", "behind it"] {
            all_are_harmless(&format!("{field}, {place}"), |sentry, machine, text| {
                let text = text.to_owned();
                sentry.rewrite(Endpoint::DeviceCode, move |answer| {
                    let before = answer[field].as_str().unwrap_or_default().to_owned();
                    answer[field] = match place {
                        "behind it" => (before + &text).into(),
                        _ => text.clone().into(),
                    };
                });
                Some(auth(machine, "login --timeout 1"))
            });
        }
    }
}

#[test]
fn a_name_in_a_token_answer_cannot_steer_the_terminal() {
    all_are_harmless("login", |sentry, machine, text| {
        sentry.set_user(user(text));
        sentry.approve_next();
        Some(auth(machine, "login"))
    });
}

/// Every kind of refusal with this text.
fn refusals(text: &str) -> Vec<(&'static str, Fault)> {
    let json = |status, key: &str| {
        let mut body = json!({ "error": "invalid_request" });
        body[key] = text.into();
        Fault::from(Answer::json(status, &body))
    };
    let raw = |bytes: String| Fault::Raw(bytes.into_bytes());
    let not_utf_8 = b"HTTP/1.1 400 \x9b31m\r\n\r\n{\"error\":\"\x9b31m\"}";
    vec![
        ("an error", json(400, "error")),
        ("a description", json(400, "error_description")),
        ("a detail", json(401, "detail")),
        ("a page", Answer::new(502, "text/html", text).into()),
        ("a reason", raw(format!("HTTP/1.1 500 {text}\r\n\r\n"))),
        (
            "a redirect",
            raw(format!("HTTP/1.1 302 Found\r\nLocation: {text}\r\n\r\n")),
        ),
        ("no HTTP", raw(text.to_owned())),
        ("no UTF-8", Fault::Raw(not_utf_8.to_vec())),
    ]
}

#[test]
fn words_of_an_error_cannot_steer_the_terminal() {
    type Attack = fn(&FakeSentry, Fault) -> &'static str;
    let attacks: [(&str, Attack); 4] = [
        ("poll", |sentry, fault| {
            sentry.fault_always(Endpoint::Poll, fault);
            "login --force --timeout 2"
        }),
        ("device code", |sentry, fault| {
            sentry.fault(Endpoint::DeviceCode, fault);
            "login --force"
        }),
        ("refresh", |sentry, fault| {
            sentry.fault_always(Endpoint::Refresh, fault);
            "refresh --force"
        }),
        ("api", |sentry, fault| {
            sentry.fault_always(Endpoint::Api, fault);
            "status"
        }),
    ];
    for (what, attack) in attacks {
        for (number, (how, _)) in refusals("").into_iter().enumerate() {
            all_are_harmless(&format!("{what}: {how}"), |sentry, machine, text| {
                machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
                let (_, fault) = refusals(text).swap_remove(number);
                Some(auth(machine, attack(sentry, fault)))
            });
        }
    }
}

#[test]
fn text_from_the_api_cannot_control_the_terminal() {
    for command in [
        "status",
        "status --json",
        "whoami",
        "whoami --json",
        "list",
        "list --json",
        "doctor",
        "login --with-token --token",
    ] {
        all_are_harmless(command, |sentry, machine, text| {
            sentry.set_user(user(text));
            sentry.set_organizations(&[text]);
            let text = text.to_owned();
            sentry.rewrite(Endpoint::Api, move |answer| {
                if let Some(regions) = answer.get_mut("regions") {
                    regions[0]["name"] = text.as_str().into();
                }
            });
            sentry.add_api_token("sntryu_api");
            if let Some(login) = command.strip_prefix("login --with-token ") {
                return Some(auth(machine, &format!("login {login} sntryu_api")));
            }
            machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
            Some(auth(machine, command))
        });
    }
}

#[test]
fn what_the_official_cli_stored_unread_cannot_steer_the_terminal() {
    for command in [
        "status --offline",
        "list",
        "list --json",
        "doctor",
        "logout",
    ] {
        all_are_harmless(command, |sentry, machine, text| {
            sentry.set_user(user(text));
            machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
            sentry.fault_always(Endpoint::Api, Answer::new(403, "text/plain", ""));
            Some(auth(machine, command))
        });
    }
}

#[test]
fn a_helper_that_is_refused_cannot_steer_the_terminal() {
    for text in texts() {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry).env("TERM", "xterm");
        machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
        sentry.fault(Endpoint::Refresh, Answer::error(400, &text));
        let request = format!("protocol=http\nhost={}\n", sentry.address());
        let mut git = TtyUser::start_piped(machine.git_credential("get"), request);
        assert_eq!(git.wait(), 1);
        is_harmless("git", &git.screen_bytes());
        let mut docker = TtyUser::start_piped(machine.docker_credential("get"), sentry.url());
        assert_eq!(docker.wait(), 1);
        is_harmless("docker", docker.stdout().replace('\n', "\r\n").as_bytes());
        assert_eq!(docker.screen(), "");
    }
}

#[test]
fn a_name_in_a_certificate_cannot_steer_the_terminal() {
    let sentry = FakeSentry::start();
    // OpenSSL's configuration takes no more than this; DER does.
    let tls = Tls::with(
        Certificate::Of("\u{1b}[31mevil\u{1b}]0;x\u{7}.test"),
        &sentry,
    );
    let machine = Sandbox::new()
        .env("SENTRY_URL", tls.url())
        .env("SENTRY_CLIENT_ID", CLIENT_ID)
        .env("SSL_CERT_FILE", tls.authority())
        .env("TERM", "xterm");
    for command in ["login", "login --token sntryu_x"] {
        let mut user = TtyUser::start(auth(&machine, command));
        assert_eq!(user.wait(), 1);
        is_harmless(command, &user.screen_bytes());
        let is_told = user.screen().contains("31mevil]0;x.test");
        assert!(is_told, "{}", user.screen());
    }
    assert_eq!(sentry.requests().len(), 0);
}
