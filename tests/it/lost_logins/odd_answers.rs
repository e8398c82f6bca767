//! A malformed grant: both old tokens are invalid, so everything that can be found of the new ones is stored first.

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Sandbox};

type Alter = fn(Answer) -> Answer;

/// The answer with another text for one that occurs in it once.
fn replaced(answer: Answer, old: &str, new: &[u8]) -> Answer {
    let position = answer
        .body
        .windows(old.len())
        .position(|window| window == old.as_bytes())
        .expect("a text of the answer");
    let (before, after) = (
        &answer.body[..position],
        &answer.body[position + old.len()..],
    );
    let body = [before, new, after].concat();
    Answer { body, ..answer }
}

/// Answers whose tokens can be found, although another part is malformed.
fn readable() -> [(&'static str, Alter); 8] {
    [
        ("a number beyond all numbers", |answer| {
            replaced(answer, "\"expires_in\":2592000", b"\"expires_in\":1e400")
        }),
        ("a number below all numbers", |answer| {
            replaced(answer, "\"expires_in\":2592000", b"\"expires_in\":-1e400")
        }),
        ("invalid UTF-8 in a name", |answer| {
            replaced(answer, "Jane Doe", b"Jane \xff\xc3")
        }),
        ("a lone surrogate in a name", |answer| {
            replaced(answer, "Jane Doe", b"Jane \\ud83d")
        }),
        ("a lone surrogate in the scope", |answer| {
            replaced(answer, "project:read ", b"\\udc00 ")
        }),
        ("a newline in a name", |answer| {
            replaced(answer, "Jane Doe", b"Jane\nDoe")
        }),
        ("a name as deep as a well", |answer| {
            let well = ["[".repeat(500), "]".repeat(500)].concat();
            replaced(answer, "\"Jane Doe\"", well.as_bytes())
        }),
        ("a byte order mark", |answer| {
            replaced(answer, "{", b"\xef\xbb\xbf{")
        }),
    ]
}

#[test]
fn a_refresh_is_stored_when_something_beside_its_tokens_cannot_be_read() {
    for (case, alter) in readable() {
        let scene = Machine::new().login(Age::EXPIRED);
        scene.sentry.fault(Endpoint::Refresh, Fault::Altered(alter));
        let token = scene.token().run();
        let current = scene.sentry.current();
        assert_eq!(token.code, 0, "{case}: {token:?}");
        token.stdout_is(&format!("{}\n", current.access));
        assert_eq!(scene.sandbox.stored_tokens(), Some(current), "{case}");
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{case}");
        scene.is_alive();
    }
}

#[test]
fn a_login_is_stored_when_something_beside_its_tokens_cannot_be_read() {
    let logins = readable().map(|(case, alter)| {
        let (sentry, machine) = Machine::new().parts();
        let login = machine.sentry(&["auth", "login"]).spawn();
        let code = sentry.wait_for_code(super::SOON);
        sentry.fault(Endpoint::Poll, Fault::Altered(alter));
        sentry.approve(&code);
        (case, sentry, machine, login)
    });
    for (case, sentry, machine, login) in logins {
        let ended = login.wait();
        assert_eq!(ended.code, 0, "{case}: {ended:?}");
        assert_eq!(machine.stored_tokens(), Some(sentry.current()), "{case}");
        let refresh = machine.sentry(&["auth", "refresh", "--force"]);
        refresh.run().success();
    }
}

#[test]
fn every_request_asks_for_an_answer_as_it_is() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let machine = Sandbox::new().for_sentry(&sentry);
    let auth = |args: &[&str]| machine.sentry(&["auth"]).args(args).run().success();
    auth(&["login"]);
    auth(&["status"]);
    auth(&["refresh", "--force"]);
    let _report = machine.sentry(&["auth", "doctor"]).run();
    let asked = sentry.requests();
    for endpoint in [
        Endpoint::DeviceCode,
        Endpoint::Poll,
        Endpoint::Refresh,
        Endpoint::Api,
    ] {
        assert!(!sentry.requests_to(endpoint).is_empty(), "{endpoint:?}");
    }
    for request in asked {
        let encoding = request.header("accept-encoding");
        assert_eq!(encoding, Some("identity"), "{}", request.path);
    }
}

/// Compressed, although that was not requested.
fn gzip(answer: Answer) -> Answer {
    let sandbox = Sandbox::new();
    let gzip = sandbox.command("gzip").stdin(&answer.body).run().success();
    let body = gzip.stdout_bytes;
    Answer { body, ..answer }.header("Content-Encoding", "gzip")
}

#[test]
fn a_grant_that_comes_compressed_is_not_lost_in_silence() {
    let scene = Machine::new().login(Age::EXPIRED);
    scene.sentry.fault(Endpoint::Refresh, Fault::Altered(gzip));
    let token = scene.token().run();
    if token.code == 0 {
        // Unpacked.
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
        return;
    }
    let told = token.fails(1).stdout_is("");
    assert!(told.stderr.starts_with("error: "), "{told:?}");
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    // The request whose answer could not be stored is still recorded.
    let told = scene.sandbox.sentry(&["auth", "refresh"]).run().fails(1);
    told.stderr_has("perhaps because a refresh that began at 20");
}
