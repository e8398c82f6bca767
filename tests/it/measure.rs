//! Oversized answers at every endpoint: little memory, a bounded time, and no damage.
//!
//! Separate from `token_endpoint`, which has such answers to a refresh, because these tests limit memory. The kernel
//! enforces the limit: `RLIMIT_DATA` covers all memory that a process does not share.

use std::time::Duration;

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Output, Running, Sandbox};

/// 16 MiB; one of the answers below unpacks to 60.
const MEMORY: &str = "--data=16777216";

/// A request may take 12 s; the rest is a margin for a busy machine.
const LIMIT: Duration = Duration::from_secs(18);

/// The head of an answer, and the part that repeats endlessly.
fn endless(head: &str, again: impl Into<Vec<u8>>) -> Fault {
    Fault::Endless {
        head: format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}").into(),
        again: again.into(),
        pause: Duration::ZERO,
    }
}

/// 60 MiB in 60 KiB.
fn bomb(field: &str) -> Vec<u8> {
    let inside = format!("{{\"{field}\":\"{}\"}}", "x".repeat(60 << 20));
    let sandbox = Sandbox::new();
    let gzip = sandbox.command("gzip").stdin(inside);
    let packed = gzip.run().success().stdout_bytes;
    assert!(packed.len() < 64 * 1024);
    packed
}

/// A description, the outcome for a client that limits the size, and the answer.
type Flood = (&'static str, End, Fault);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Read completely and not decompressed.
    Understood,
    TooLong,
    NoHttp,
}

impl End {
    /// Any other reason, such as a lack of memory, would mean that the limit applied too late.
    #[track_caller]
    fn is_told_in(self, told: &Output, understood: &str, case: &str) {
        let words = match self {
            End::Understood => understood,
            End::TooLong => "is too long",
            End::NoHttp => "did not answer in HTTP",
        };
        assert!(told.stderr.contains(words), "{case}: {told:?}");
    }
}

fn floods(bomb: &[u8]) -> [Flood; 6] {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let packed = |coding: &str| {
        let answer = Answer::new(200, "application/json", bomb);
        Fault::from(answer.header("Content-Encoding", coding))
    };
    let body = "x".repeat(0x10000);
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let exbibyte = "Content-Length: 1152921504606846976\r\n\r\n";
    [
        ("a bomb", End::Understood, packed("gzip")),
        ("a bomb in a bomb", End::Understood, packed("gzip, gzip")),
        ("a body without end", End::TooLong, endless("\r\n", &*body)),
        ("chunks without end", End::TooLong, endless(chunked, chunk)),
        ("an exbibyte", End::TooLong, endless(exbibyte, &*body)),
        (
            "headers without end",
            End::NoHttp,
            endless("", "X-More: and more\r\n"),
        ),
    ]
}

fn limited(cmd: Cmd) -> Running {
    cmd.under("prlimit", &[MEMORY]).limit(LIMIT).spawn()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn the_token_endpoint_cannot_fill_the_memory() {
    let runs = floods(&bomb("access_token")).map(|(case, end, flood)| {
        let scene = Machine::new().session(Age::EXPIRED);
        scene.sentry.fault_always(Endpoint::Token, flood);
        // Two at once: a poll and a refresh.
        let other = Sandbox::new().for_sentry(&scene.sentry);
        scene.sentry.set_interval(Some(1));
        let login = limited(other.sentry(&["auth", "login", "--timeout", "3"]));
        let token = limited(scene.token());
        (case, end, scene, other, login, token)
    });
    for (case, end, scene, other, login, token) in runs {
        let told = token.wait().fails(1).stdout_is("");
        end.is_told_in(&told, "the answer is not from Sentry", case);
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair), "{case}");
        let told = login.wait().fails(1);
        told.stderr_has("gave no valid answer before the login timed out");
        assert_eq!(other.stored_tokens(), None, "{case}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn an_answer_in_drops_ends_in_time() {
    let drops = |endpoint| {
        let sentry = FakeSentry::start();
        let drop = Fault::Endless {
            head: b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n{".to_vec(),
            again: b" ".to_vec(),
            pause: Duration::from_secs(1),
        };
        sentry.fault_always(endpoint, drop);
        let machine = Sandbox::new().for_sentry(&sentry);
        (sentry, machine)
    };
    let (device, api) = (drops(Endpoint::DeviceCode), drops(Endpoint::Api));
    let login = limited(device.1.sentry(&["auth", "login"]));
    let with_token = api.1.sentry(&["auth", "login", "--with-token"]);
    let with_token = limited(with_token.stdin("sntryu_api"));
    for command in [login, with_token] {
        let told = command.wait().fails(1).stdout_is("");
        told.stderr_has("did not answer in time");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn the_device_endpoint_cannot_fill_the_memory() {
    let runs = floods(&bomb("device_code")).map(|(case, end, flood)| {
        let sentry = FakeSentry::start();
        sentry.fault(Endpoint::DeviceCode, flood);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = limited(machine.sentry(&["auth", "login"]));
        (case, end, sentry, machine, login)
    });
    for (case, end, sentry, machine, login) in runs {
        let told = login.wait().fails(1).stdout_is("");
        end.is_told_in(
            &told,
            "answered HTTP 200: this is not the device endpoint",
            case,
        );
        assert_eq!((sentry.polls(), machine.stored_tokens()), (0, None));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn the_api_cannot_fill_the_memory() {
    let runs = floods(&bomb("user")).map(|(case, end, flood)| {
        let scene = Machine::new().session(Age::FRESH);
        scene.sentry.fault_always(Endpoint::Api, flood);
        let auth = |args: &[&str]| scene.sandbox.sentry(&["auth"]).args(args);
        let running = [
            auth(&["whoami"]),
            auth(&["login", "--with-token"]).stdin("sntryu_api"),
        ]
        .map(limited);
        (case, end, scene, running)
    });
    for (case, end, scene, running) in runs {
        for command in running {
            let told = command.wait().fails(1).stdout_is("");
            end.is_told_in(&told, "the answer is not from Sentry", case);
        }
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair), "{case}");
    }
}
