//! A grant in an answer that is not as RFC 9112 and RFC 8259 prescribe: servers, balancers and appliances send such
//! answers, curl reads them, and the tokens in them are the only ones there are.

use crate::fake_sentry::{Endpoint, Fault, Pair};
use crate::machine::Machine;
use crate::sandbox::{Age, Running};

const ACCESS: &str = "sntryu_new";
const BODY: &str =
    r#"{"access_token":"sntryu_new","refresh_token":"sntryr_new","expires_in":3600}"#;

fn new() -> Pair {
    Pair {
        access: ACCESS.to_owned(),
        refresh: "sntryr_new".to_owned(),
    }
}

/// One machine for each answer, all at the same time: each stores the grant after one request.
#[track_caller]
fn each_is_stored(answers: impl IntoIterator<Item = (&'static str, Vec<u8>)>) {
    let begun: Vec<(&str, Machine, Running)> = answers
        .into_iter()
        .map(|(case, answer)| {
            let scene = Machine::new().session(Age::EXPIRED);
            scene.sentry.fault(Endpoint::Refresh, Fault::Raw(answer));
            let running = scene.token().spawn();
            (case, scene, running)
        })
        .collect();
    let mut wrong = Vec::new();
    for (case, scene, running) in begun {
        let output = running.wait();
        let asked = scene.sentry.refresh_attempts();
        let is_stored = scene.sandbox.stored_tokens().as_ref() == Some(&new());
        if !is_stored || asked != 1 || output.stdout != format!("{ACCESS}\n") {
            wrong.push(format!("{case}: {asked}: {}", output.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_grant_behind_a_head_that_curl_reads_is_stored() {
    let length = format!("Content-Length: {}\r\n", BODY.len());
    let plain = format!("HTTP/1.1 200 OK\r\n{length}\r\n{BODY}");
    let with = |more: &str| plain.replacen("\r\n", &format!("\r\n{more}\r\n"), 1);
    let line = |line: &str| plain.replacen("HTTP/1.1 200 OK", line, 1);
    let many: String = (0..2000).map(|n| format!("X-{n}: y\r\n")).collect();
    let cookie = format!("Set-Cookie: a={}", "c".repeat(60 * 1024));
    let answers = [
        (
            "100 with fields",
            format!("HTTP/1.1 100 Continue\r\nServer: x\r\nDate: y\r\n\r\n{plain}"),
        ),
        ("2000 fields", with(many.trim_end())),
        ("a folded field", with("X: a\r\n b\r\n\tc")),
        ("a space before the colon", with("X-A : b")),
        ("a field without a colon", with("a proxy was here")),
        ("a field without a name", with(": b")),
        ("a name that is none", with("X(a)@: b")),
        ("a control character", with("X: a\u{1}b\u{7f}")),
        ("a carriage return", with("X: a\rb\r")),
        ("180 KiB of cookies", with(&[&*cookie; 3].join("\r\n"))),
        ("two spaces", line("HTTP/1.1  200  OK")),
        ("tabs", line("HTTP/1.1\t200\tOK")),
        (
            "a reason with a control character",
            line("HTTP/1.1 200 O\u{1}K"),
        ),
        ("lower case", line("http/1.1 200 OK")),
        ("another version", line("HTTP/2 200")),
        (
            "a reason of 100 KiB",
            line(&format!("HTTP/1.1 200 {}", "k".repeat(100 * 1024))),
        ),
    ];
    each_is_stored(answers.map(|(case, answer)| (case, answer.into_bytes())));
}

#[test]
fn a_grant_whose_length_is_wrong_is_stored() {
    let with = |fields: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}");
    let chunk = format!("{:x}\r\n{BODY}\r\n", BODY.len());
    let chunked = "Transfer-Encoding: chunked";
    let too_long = format!("Content-Length: {}", BODY.len() + 10);
    let answers = [
        (
            "a sign",
            with(&format!("Content-Length: +{}", BODY.len()), BODY),
        ),
        ("no number", with("Content-Length: many", BODY)),
        ("nothing", with("Content-Length:", BODY)),
        (
            "beyond all numbers",
            with("Content-Length: 99999999999999999999", BODY),
        ),
        (
            "two lengths",
            with("Content-Length: 5\r\nContent-Length: 500", BODY),
        ),
        ("more than there is", with(&too_long, BODY)),
        (
            "chunks of HTTP/1.0",
            with(chunked, &format!("{chunk}0\r\n\r\n")).replacen("1.1", "1.0", 1),
        ),
        (
            "chunks without carriage returns",
            with(chunked, &format!("{chunk}0\r\n\r\n").replace('\r', "")),
        ),
        (
            "a long extension",
            with(
                chunked,
                &format!(
                    "{:x};a={}\r\n{BODY}\r\n0\r\n\r\n",
                    BODY.len(),
                    "x".repeat(5000)
                ),
            ),
        ),
        ("no last chunk", with(chunked, &chunk)),
        (
            "a chunk that is cut short",
            with(chunked, &format!("fff\r\n{BODY}")),
        ),
    ];
    each_is_stored(answers.map(|(case, answer)| (case, answer.into_bytes())));
}

#[test]
fn a_grant_with_something_around_it_is_stored() {
    let utf_16: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let form = "access_token=sntryu_new&refresh_token=sntryr_new&expires_in=3600&token_type=bearer";
    let empty_error = BODY.replacen('{', r#"{"error":"","error_description":"","#, 1);
    let bodies: [(&str, Vec<u8>); 9] = [
        (
            "a comment of a proxy",
            format!("{BODY}<!-- web1 -->").into(),
        ),
        ("a NUL", format!("{BODY}\0").into()),
        ("two answers", format!("{BODY}{BODY}").into()),
        (
            "a prefix against inclusion",
            format!(")]}}',\n{BODY}").into(),
        ),
        (
            "two byte order marks",
            format!("\u{feff}\u{feff}{BODY}").into(),
        ),
        ("a comma too many", BODY.replace('}', ",}").into()),
        ("UTF-16", utf_16),
        ("a form", form.into()),
        ("an error that is empty", empty_error.into()),
    ];
    each_is_stored(bodies.map(|(case, body)| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        (case, [head, body.as_slice()].concat())
    }));
}
