//! A misbehaving token endpoint: endless answers, meaningless answers, and `Retry-After`.
//!
//! Separate from `refresh`, which has the answers of a working server or proxy.

use std::time::Duration;

use serde_json::{Value, json};

use crate::device_flow::continues_polling;
use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault, Pair};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Layout, Output, Running, Sandbox};
use crate::storage::SOON;

/// A caller waits for 12 s; the rest is a margin for a busy machine.
const LIMIT: Duration = Duration::from_secs(18);

/// Half a gigabyte of address space: unbounded reading fails early. Only Linux enforces that.
fn token(scene: &Machine) -> Cmd {
    let token = match cfg!(target_os = "linux") {
        true => scene.token().under("prlimit", &["--as=536870912"]),
        false => scene.token(),
    };
    token.limit(LIMIT)
}

#[track_caller]
fn keeps_its_session(scene: &Machine, case: &str) {
    let stored = scene.sandbox.stored_tokens();
    assert_eq!(stored.as_ref(), Some(&scene.pair), "{case}");
}

/// Another program overwrites the stored pair with its own.
fn overwrite(scene: &Machine, layout: Layout, pair: &Pair) {
    let table = match layout {
        Layout::Accounts => "accounts",
        Layout::Auth => "auth",
    };
    let values = [&pair.access, &pair.refresh];
    let sql = format!(
        "UPDATE {table} SET token = ?, refresh_token = ?, issued_at = unixepoch() * 1000, \
         expires_at = (unixepoch() + 86400) * 1000"
    );
    assert_eq!(scene.database().execute(&sql, values).unwrap(), 1);
}

fn endless(head: &str, again: impl Into<Vec<u8>>, pause: Duration) -> Fault {
    Fault::Endless {
        head: head.into(),
        again: again.into(),
        pause,
    }
}

/// One machine for each fault, all at the same time.
fn at_once(
    age: Age,
    faults: impl IntoIterator<Item = (&'static str, Fault)>,
) -> Vec<(&'static str, Machine, Running)> {
    let scene = |(case, fault)| {
        let scene = Machine::new().session(age);
        scene.sentry.fault_always(Endpoint::Refresh, fault);
        let running = token(&scene).spawn();
        (case, scene, running)
    };
    faults.into_iter().map(scene).collect()
}

#[test]
fn a_server_that_takes_for_ever_costs_twelve_seconds_and_not_the_session() {
    const SECOND: Duration = Duration::from_secs(1);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let whole = format!("{head}Content-Length: 300\r\n\r\n{{\"access_token\":\"");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let faults = || {
        [
            ("silence", Fault::Hang),
            ("a byte of the body a second", endless(&whole, "x", SECOND)),
            ("a byte of the head a second", endless(head, "x", SECOND)),
            ("a header a second", endless(head, "X: y\r\n", SECOND)),
            ("a chunk a second", endless(&chunked, "1\r\nx\r\n", SECOND)),
        ]
    };
    let expired = at_once(Age::EXPIRED, faults());
    let stale = at_once(Age::STALE, faults());
    for (case, scene, running) in expired {
        let output = running.wait().fails(1).stdout_is("");
        output.stderr_has("error: a refresh that began at ");
        keeps_its_session(&scene, case);
        // The answer may still arrive: the worker keeps waiting, and repeats nothing before it is lost.
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{case}");
    }
    for (case, scene, running) in stale {
        let served = format!("{}\n", scene.pair.access);
        running.wait().success().stdout_is(&served);
        keeps_its_session(&scene, case);
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{case}");
    }
}

#[test]
fn an_answer_without_measure_is_cut_off_and_costs_no_session() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let tokens =
        json!({"access_token": "sntryu_other", "refresh_token": "sntryr_other"}).to_string();
    let gzip = Sandbox::new()
        .command("gzip")
        .stdin(&tokens)
        .run()
        .success()
        .stdout_bytes;
    let raw = |head_and_body: String| Fault::Raw(head_and_body.into_bytes());
    let faults = [
        (
            "chunks without end",
            endless(
                &format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
                chunk,
                Duration::ZERO,
            ),
        ),
        (
            "a body without end",
            endless(&format!("{head}\r\n"), "x".repeat(0x10000), Duration::ZERO),
        ),
        (
            "headers without end",
            endless(head, "X-More: and more\r\n", Duration::ZERO),
        ),
        (
            "100 Continue without end",
            endless("", "HTTP/1.1 100 Continue\r\n\r\n", Duration::ZERO),
        ),
        (
            "a header of a mebibyte",
            raw(format!("{head}X-Long: {}\r\n\r\n", "x".repeat(1 << 20))),
        ),
        (
            "ten mebibytes",
            Answer::new(200, "application/json", vec![b' '; 10 << 20]).into(),
        ),
        (
            "tokens behind 64 KiB",
            Answer::new(
                200,
                "application/json",
                format!("{}{tokens}", " ".repeat(64 * 1024)),
            )
            .into(),
        ),
        (
            "compressed without being asked",
            Answer::new(200, "application/json", gzip)
                .header("Content-Encoding", "gzip")
                .into(),
        ),
        (
            "lists in lists",
            Answer::new(200, "application/json", "[".repeat(60_000)).into(),
        ),
        (
            "objects in objects",
            Answer::new(200, "application/json", "{\"a\":".repeat(12_000)).into(),
        ),
        (
            "tokens, cut short, by a server that names no length",
            raw(format!("{head}\r\n{}", &tokens[..tokens.len() - 1])),
        ),
        (
            "chunks, cut short",
            raw(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
                &tokens[..tokens.len() - 1]
            )),
        ),
        (
            "a length, cut short",
            raw(format!(
                "{head}Content-Length: 500\r\n\r\n{}",
                &tokens[..tokens.len() - 1]
            )),
        ),
        (
            "an empty body",
            Answer::new(200, "application/json", "").into(),
        ),
        ("nothing", Answer::new(204, "application/json", "").into()),
        ("null", Answer::json(200, &Value::Null).into()),
        ("a string", Answer::json(200, &json!("sntryu_x")).into()),
        (
            "tokens as an error",
            Answer::new(400, "application/json", tokens.clone()).into(),
        ),
        (
            "an error as a success",
            Answer::json(
                200,
                &json!({"error": "invalid_grant", "access_token": "sntryu_x"}),
            )
            .into(),
        ),
        (
            "an error that is none",
            Answer::json(400, &json!({"error": {"invalid_grant": 1}})).into(),
        ),
        (
            "invalid_grant from something that fails",
            Answer::error(503, "invalid_grant").into(),
        ),
    ];
    for (case, scene, running) in at_once(Age::STALE, faults) {
        let served = format!("{}\n", scene.pair.access);
        running.wait().success().stdout_is(&served);
        keeps_its_session(&scene, case);
        // An answer that is cut off or is not HTTP counts as lost, and the request is repeated once.
        let asked = scene.sentry.requests_to(Endpoint::Refresh);
        assert!((1..=2).contains(&asked.len()), "{case}: {}", asked.len());
        for request in asked {
            let encoding = request.header("accept-encoding");
            assert_eq!(encoding, Some("identity"), "{case}");
        }
    }
}

/// Seconds until the next try.
fn pause(scene: &Machine) -> i64 {
    let sql = "SELECT retry_at / 1000 - unixepoch() FROM helper_session";
    scene
        .database()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn of_a_key_that_is_said_twice_the_last_counts_in_all_that_follows() {
    let body = |text: &str| Fault::from(Answer::new(200, "application/json", text));
    let scene = Machine::new().session(Age::EXPIRED);
    let pairs =
        r#"{"access_token":"a1","refresh_token":"r1","access_token":"a2","refresh_token":"r2"}"#;
    scene.sentry.fault(Endpoint::Refresh, body(pairs));
    token(&scene).run().success().stdout_is("a2\n");
    let last = Pair {
        access: "a2".to_owned(),
        refresh: "r2".to_owned(),
    };
    assert_eq!(scene.sandbox.stored_tokens(), Some(last));

    let scene = Machine::new().session(Age::EXPIRED);
    let broken = r#"{"access_token":"a1","access_token":"a2\nhost=evil"}"#;
    scene.sentry.fault(Endpoint::Refresh, body(broken));
    token(&scene).run().fails(1).stdout_is("");
    keeps_its_session(&scene, "the last one is no token");

    // What was checked is what is shown.
    let here = scene.sentry.url();
    let evil = "https://evil.example/";
    for (first, last) in [(here.as_str(), evil), (evil, &here)] {
        let code = format!(
            r#"{{"device_code":"d","user_code":"\u001b[31m","user_code":"BCDF-GHJK","interval":9,"interval":1,
                "verification_uri":"{first}","verification_uri":"{last}"}}"#
        );
        scene.sentry.fault(Endpoint::DeviceCode, body(&code));
        let login = scene.sandbox.sentry(&["auth", "login", "--timeout", "1"]);
        let told = login.run().fails(1).never_says("https://evil.example/");
        assert_eq!(told.stderr.contains("BCDF-GHJK"), last == here);
    }
}

#[test]
fn a_failed_refresh_is_not_tried_again_before_the_server_wants_it() {
    let cases = [
        (Some("120"), 120),
        (None, 30),
        (Some("-5"), 30),
        (Some("soon"), 30),
        (Some("99999999999"), 3600),
    ];
    for status in [429, 503] {
        for (retry_after, seconds) in cases {
            let scene = Machine::new().session(Age::STALE);
            let mut answer = Answer::new(status, "text/plain", "later");
            if let Some(retry_after) = retry_after {
                answer = answer.header("Retry-After", retry_after);
            }
            scene.sentry.fault_always(Endpoint::Refresh, answer);
            for _ in 0..3 {
                token(&scene).run().success();
            }
            assert_eq!(scene.sentry.refresh_attempts(), 1, "{retry_after:?}");
            let found = pause(&scene);
            assert!(
                (seconds - 15..=seconds).contains(&found),
                "{found}, not {seconds}"
            );
            // The pause is over.
            let past = "UPDATE helper_session SET retry_at = (unixepoch() - 1) * 1000";
            scene.database().execute(past, []).unwrap();
            scene.sentry.fix();
            token(&scene).run().success();
            assert_eq!(scene.sentry.refreshes(), 1, "{retry_after:?}");
        }
    }
}

#[test]
fn a_user_who_asks_for_a_refresh_gets_a_try_every_time() {
    let scene = Machine::new().session(Age::EXPIRED);
    let refresh = || scene.sandbox.sentry(&["auth", "refresh"]);
    let busy = Answer::new(503, "text/plain", "").header("Retry-After", "3000");
    scene.sentry.fault_always(Endpoint::Refresh, busy);
    for attempt in 1..=3 {
        refresh().run().fails(1);
        assert_eq!(scene.sentry.refresh_attempts(), attempt);
        let told = token(&scene).run().fails(1);
        told.stderr_has("hint: `sentry auth refresh --url ");
    }
    keeps_its_session(&scene, "refused three times");
    scene.sentry.fix();
    refresh().run().success();
    let fresh = format!("{}\n", scene.sentry.current_access());
    token(&scene).run().success().stdout_is(&fresh);
}

#[test]
fn twenty_callers_cost_a_failing_server_one_request() {
    for age in [Age::STALE, Age::EXPIRED] {
        let scene = Machine::new().session(age);
        scene
            .sandbox
            .bind("docker r.example", &scene.sentry.url(), None);
        scene
            .sentry
            .fault_always(Endpoint::Refresh, Answer::new(502, "text/html", "<html>"));
        let host = format!("protocol=http\nhost={}\n", scene.sentry.address());
        let one = |index: usize| match index % 2 {
            0 => scene.sandbox.git_credential("get").stdin(&host).spawn(),
            _ => scene
                .sandbox
                .docker_credential("get")
                .stdin("r.example")
                .spawn(),
        };
        let crowd: Vec<Running> = (0..20).map(one).collect();
        let answers: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
        let served = |answer: &&Output| answer.stdout.contains(&scene.pair.access);
        let expected = if age == Age::STALE { 20 } else { 0 };
        assert_eq!(
            answers.iter().filter(served).count(),
            expected,
            "{answers:?}"
        );
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        keeps_its_session(&scene, "a failing server");
    }
}

#[test]
fn a_pair_that_appears_after_invalid_grant_is_adopted() {
    for layout in [Layout::Accounts, Layout::Auth] {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        scene.sandbox.remember_client(CLIENT_ID);
        scene
            .sentry
            .fault(Endpoint::Refresh, Answer::error(400, "invalid_grant"));
        let token = token(&scene).spawn();
        scene.sentry.wait_for_requests(Endpoint::Refresh, 1, SOON);
        // Another program was earlier at the server and later at the disk.
        let theirs = scene.sentry.issue();
        overwrite(&scene, layout, &theirs);
        let served = format!("{}\n", theirs.access);
        token.wait().success().stdout_is(&served).stderr_is("");
        assert_eq!(scene.sandbox.stored_tokens(), Some(theirs));
        assert_eq!(scene.sentry.refresh_attempts(), 1);
    }
}

#[test]
fn a_pair_that_another_program_clears_after_invalid_grant_is_reported() {
    let cases = [
        (
            "UPDATE accounts SET token = NULL, refresh_token = NULL",
            "has ended",
        ),
        ("DELETE FROM accounts", "was logged out"),
    ];
    for (theirs, how) in cases {
        let scene = Machine::new().login(Age::EXPIRED);
        let url = scene.sentry.url();
        scene
            .sentry
            .fault(Endpoint::Refresh, Answer::error(400, "invalid_grant"));
        let token = token(&scene).spawn();
        scene.sentry.wait_for_requests(Endpoint::Refresh, 1, SOON);
        scene.database().execute(theirs, []).unwrap();
        token.wait().fails(1).stdout_is("").stderr_is(&format!(
            "error: the session at {url} {how}\nhint: `sentry auth login --url {url}`\n"
        ));
        assert_eq!(scene.sandbox.stored_tokens(), None);
    }
}

#[test]
fn a_refresh_whose_token_type_is_odd_is_stored_and_used() {
    let kinds = [
        json!("BEARER"),
        json!("mac"),
        json!(""),
        Value::Null,
        json!(7),
    ];
    for kind in kinds {
        let scene = Machine::new().session(Age::EXPIRED);
        let name = kind.to_string();
        scene.sentry.rewrite(Endpoint::Refresh, move |answer| {
            answer["token_type"] = kind.clone()
        });
        let token = token(&scene).run().success();
        token.stdout_is(&format!("{}\n", scene.sentry.current_access()));
        // Both old tokens are invalid: only the new ones remain.
        assert_eq!(
            scene.sandbox.stored_tokens(),
            Some(scene.sentry.current()),
            "{name}"
        );
    }
}

fn odd_bodies() -> Vec<(&'static str, Fault)> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let json = |body: Value| Fault::from(Answer::json(200, &body));
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    vec![
        (
            "a captive portal",
            Answer::new(200, "text/html", "<title>Wi-Fi</title>").into(),
        ),
        ("a list", json(json!([]))),
        ("a string", json(json!(""))),
        ("null", json(Value::Null)),
        (
            "an empty body",
            Answer::new(200, "application/json", "").into(),
        ),
        (
            "half a body",
            Fault::Raw(format!("{head}Content-Length: 500\r\n\r\n{{\"device_code\":\"x").into()),
        ),
        (
            "chunks without end",
            endless(
                &format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
                chunk,
                Duration::ZERO,
            ),
        ),
        ("silence", Fault::Hang),
        ("a reset", Fault::ResetBefore),
    ]
}

#[test]
fn an_invalid_device_code_ends_the_login() {
    let logins = odd_bodies().into_iter().map(|(case, fault)| {
        let sentry = FakeSentry::start();
        sentry.fault(Endpoint::DeviceCode, fault);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = machine.sentry(&["auth", "login"]).limit(LIMIT).spawn();
        (case, sentry, machine, login)
    });
    for (case, sentry, machine, login) in logins.collect::<Vec<_>>() {
        let told = login.wait().fails(1).stdout_is("");
        assert!(
            told.stderr.starts_with("error: "),
            "{case}: {}",
            told.stderr
        );
        assert!(!told.stderr.contains('<'), "{case}: {}", told.stderr);
        assert_eq!(sentry.polls(), 0, "{case}");
        assert_eq!(machine.stored_tokens(), None, "{case}");
    }
}

#[test]
fn polling_continues_after_anything_that_is_not_an_answer() {
    continues_polling(odd_bodies());
}

#[test]
fn polling_waits_as_long_as_the_server_wants() {
    let logins = [429, 503].map(|status| {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.approve_next();
        let busy = Answer::new(status, "text/plain", "").header("Retry-After", "5");
        sentry.fault(Endpoint::Poll, busy);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = machine.sentry(&["auth", "login"]).spawn();
        (sentry, machine, login)
    });
    for (sentry, machine, login) in logins {
        login.wait().success();
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
        let polls = sentry.requests_to(Endpoint::Poll);
        let pause = polls[1].at.duration_since(polls[0].at);
        assert!(pause >= Duration::from_millis(4900), "{pause:?}");
    }
}

#[test]
fn a_poll_that_says_two_things_is_not_a_login() {
    let tokens = |error: Value| json!({"error": error, "access_token": "sntryu_x", "refresh_token": "sntryr_x", "token_type": "Bearer"});
    let mut mac = tokens(Value::Null);
    mac["token_type"] = "mac".into();
    let cases = [
        (200, tokens("access_denied".into()), "was denied"),
        (
            200,
            tokens("expired_token".into()),
            "the code expired before it was approved",
        ),
        (400, tokens("invalid_grant".into()), "`invalid_grant`"),
        (200, tokens(json!(123)), "HTTP 200"),
        (200, tokens("\u{1b}[31mred".into()), "HTTP 200"),
        (418, json!({"error": "teapot"}), "HTTP 418, `teapot`"),
        (200, mac, "HTTP 200"),
    ];
    let logins = cases.map(|(status, body, told)| {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.fault_always(Endpoint::Poll, Answer::json(status, &body));
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = machine.sentry(&["auth", "login"]).spawn();
        (sentry, machine, login, told)
    });
    for (sentry, machine, login, told) in logins {
        login
            .wait()
            .fails(1)
            .stderr_has(told)
            .never_says("sntryu_x");
        assert_eq!(machine.stored_tokens(), None, "{told}");
        assert_eq!(sentry.polls(), 1, "{told}");
    }
}

/// Bodies that a strict parser rejects, with a user's only tokens.
fn badly_written() -> [(&'static str, Vec<u8>); 9] {
    let with = |field: &str| {
        let tokens =
            r#""access_token":"sntryu_new","refresh_token":"sntryr_new","token_type":"Bearer""#;
        format!("{{{tokens},{field}}}").into_bytes()
    };
    let not_utf_8 = [&with(r#""user":{"id":"1","name":""#)[..], b"\xff\xfe\"}}"].concat();
    [
        ("a number without measure", with(r#""expires_in":1e400"#)),
        ("no number", with(r#""expires_in":NaN"#)),
        ("no UTF-8", {
            // The brace that `with` adds belongs behind the name.
            let mut body = not_utf_8;
            let at = body.iter().position(|byte| *byte == 0xff).unwrap() - 1;
            body.remove(at);
            body
        }),
        (
            "half a character",
            with(r#""user":{"id":"1","name":"\ud83d"}"#),
        ),
        (
            "a newline",
            with("\"user\":{\"id\":\"1\",\"name\":\"a\nb\"}"),
        ),
        (
            "a mark in front",
            [b"\xef\xbb\xbf", &with(r#""expires_in":3600"#)[..]].concat(),
        ),
        (
            "depth",
            with(&format!(
                r#""user":{}1{}"#,
                "[".repeat(200),
                "]".repeat(200)
            )),
        ),
        (
            "a name twice",
            with(r#""access_token":"sntryu_new","expires_in":-1e999"#),
        ),
        ("space", {
            let mut body = with(r#""expires_in":+3"#);
            body.splice(0..0, b" \r\n\t".iter().copied());
            body.extend(b"\n\n");
            body
        }),
    ]
}

#[test]
fn a_field_that_cannot_be_read_costs_no_login() {
    let new = Pair {
        access: "sntryu_new".to_owned(),
        refresh: "sntryr_new".to_owned(),
    };
    for (case, body) in badly_written() {
        let body = Answer::new(200, "application/json", body);
        let scene = Machine::new().session(Age::EXPIRED);
        scene.sentry.fault(Endpoint::Refresh, body.clone());
        token(&scene).run().success().stdout_is("sntryu_new\n");
        assert_eq!(scene.sandbox.stored_tokens().as_ref(), Some(&new), "{case}");

        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.fault(Endpoint::Poll, body);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = machine.sentry(&["auth", "login", "--no-browser"]);
        login.run().success();
        assert_eq!(machine.stored_tokens().as_ref(), Some(&new), "{case}");
    }
}

/// What proxies and servers put around an answer (RFC 9112), and the tokens that were granted with it.
#[test]
fn an_answer_in_any_form_that_http_allows_is_stored() {
    let pair = |name: &str| Pair {
        access: format!("sntryu_{name}"),
        refresh: format!("sntryr_{name}"),
    };
    let new = pair("new");
    let body =
        json!({"access_token": new.access, "refresh_token": new.refresh, "expires_in": 3600});
    let body = body.to_string();
    let length = body.len();
    let json = "Content-Type: application/json\r\n";
    let plain = format!("HTTP/1.1 200 OK\r\n{json}Content-Length: {length}\r\n\r\n{body}");
    let (first, second) = body.split_at(20);
    let chunks = |extension: &str, trailers: &str| {
        format!(
            "HTTP/1.1 200 OK\r\n{json}Transfer-Encoding: chunked\r\n\r\n\
             {:X}{extension}\r\n{first}\r\n{:x}\r\n{second}\r\n0{extension}\r\n{trailers}\r\n",
            first.len(),
            second.len()
        )
    };
    let with = |more: &str| plain.replacen(json, &format!("{json}{more}"), 1);
    let many: String = (0..90).map(|number| format!("X-{number}: y\r\n")).collect();
    let cookies = format!("Set-Cookie: a={}\r\n", "c".repeat(7000)).repeat(4);
    let answers = [
        ("plain", plain.clone()),
        ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{json}\r\n{body}")),
        (
            "until the end",
            format!("HTTP/1.1 200 OK\r\n{json}Connection: close\r\n\r\n{body}"),
        ),
        ("no reason", plain.replacen("200 OK", "200 ", 1)),
        ("no space for a reason", plain.replacen("200 OK", "200", 1)),
        (
            "Latin-1 reason",
            plain.replacen("200 OK", "200 Tr\u{e8}s bien", 1),
        ),
        ("201", plain.replacen("200 OK", "201 Created", 1)),
        (
            "early hints",
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n{plain}"),
        ),
        (
            "processing",
            format!("HTTP/1.1 102 Processing\r\n\r\n{plain}"),
        ),
        ("continue", format!("HTTP/1.1 100 Continue\r\n\r\n{plain}")),
        (
            "several of them",
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n{plain}"
            ),
        ),
        ("chunks", chunks("", "")),
        ("chunks with extensions", chunks(";name=value", "")),
        ("chunks with quoted extensions", chunks(" ; name=\"v\"", "")),
        (
            "chunks with trailers",
            chunks("", "X-Sum: 1\r\nServer-Timing: db;dur=1\r\n"),
        ),
        ("no space after the colon", plain.replace(": ", ":")),
        (
            "spaces around values",
            plain
                .replace(": ", ": \t ")
                .replace("json\r\n", "json \t\r\n"),
        ),
        ("lower case", plain.replace("Content-", "content-")),
        (
            "the length twice",
            with(&format!("Content-Length: {length}\r\n")),
        ),
        (
            "the length as a list",
            plain.replace(
                &format!("Content-Length: {length}"),
                &format!("Content-Length: {length}, {length}"),
            ),
        ),
        ("90 headers", with(&many)),
        ("28 KB of cookies", with(&cookies)),
        ("an empty header", with("X-Empty:\r\n")),
        ("Latin-1 in a header", with("X-Name: Zo\u{eb}\r\n")),
        (
            "lines without a carriage return",
            plain.replace("\r\n", "\n"),
        ),
        ("an empty line before it", format!("\r\n{plain}")),
        ("identity", with("Content-Encoding: identity\r\n")),
        ("no type", plain.replacen(json, "", 1)),
        (
            "another type",
            plain.replacen("application/json", "text/html; charset=utf-8", 1),
        ),
        (
            "keep-alive",
            with("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
        ),
        (
            "an upgrade that is offered",
            with("Upgrade: h2,h2c\r\nConnection: Upgrade\r\n"),
        ),
        ("more than announced", format!("{plain}\r\nrest")),
    ];
    let latin = |text: &str| -> Vec<u8> {
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect()
    };
    let faults = answers.map(|(case, answer)| (case, Fault::Raw(latin(&answer))));
    let mut wrong = Vec::new();
    for (case, scene, running) in at_once(Age::EXPIRED, faults) {
        let output = running.wait();
        let asked = scene.sentry.refresh_attempts();
        if scene.sandbox.stored_tokens().as_ref() != Some(&new) || asked != 1 {
            wrong.push(format!("{case}: {asked}: {}", output.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
