//! Answers beyond all measure, at every endpoint: little memory, an end in time, and no harm.
//!
//! Apart from `token_endpoint`, where the same befalls a refresh, because here it is memory that counts. The kernel
//! counts it: beyond `RLIMIT_DATA`, which covers all that a process does not share, there is none to be had.

use std::time::{Duration, Instant};

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault};
use crate::sandbox::{Age, Cmd, Running, Sandbox};
use crate::storage::Scene;

/// 16 MiB; one of the answers below unpacks to 60.
const MEMORY: &str = "--data=16777216";

/// A request may take 12 s; the rest is for a machine with much to do.
const LIMIT: Duration = Duration::from_secs(18);

/// What is promised of an answer, and what comes for ever.
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
    let room = Sandbox::new();
    let gzip = room.command("gzip").stdin(inside);
    let packed = gzip.run().success().stdout_bytes;
    assert!(packed.len() < 64 * 1024);
    packed
}

fn floods(bomb: &[u8]) -> [(&'static str, Fault); 6] {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let packed = |coding: &str| {
        let answer = Answer::new(200, "application/json", bomb);
        Fault::from(answer.header("Content-Encoding", coding))
    };
    [
        ("a bomb", packed("gzip")),
        (
            "a bomb that is said to be a bomb twice",
            packed("gzip, gzip"),
        ),
        (
            "a body without an end",
            endless("\r\n", "x".repeat(0x10000)),
        ),
        (
            "chunks without an end",
            endless("Transfer-Encoding: chunked\r\n\r\n", chunk),
        ),
        (
            "headers without an end",
            endless("", "X-More: and more\r\n"),
        ),
        (
            "a body of an exbibyte",
            endless(
                "Content-Length: 1152921504606846976\r\n\r\n",
                "x".repeat(0x10000),
            ),
        ),
    ]
}

fn limited(cmd: Cmd) -> Running {
    cmd.under("prlimit", &[MEMORY]).limit(LIMIT).spawn()
}

#[test]
fn the_token_endpoint_cannot_fill_the_memory() {
    let runs = floods(&bomb("access_token")).map(|(case, flood)| {
        let scene = Scene::new(Age::STALE);
        scene.sentry.fault_always(Endpoint::Token, flood);
        let start = Instant::now();
        // Two at once: a poll and a refresh.
        let poll = Sandbox::new().for_sentry(&scene.sentry);
        scene.sentry.set_interval(Some(1));
        let login = limited(poll.sentry(&["auth", "login", "--timeout", "3"]));
        let token = limited(scene.token());
        (case, scene, poll, login, token, start)
    });
    for (case, scene, poll, login, token, start) in runs {
        let served = format!("{}\n", scene.pair.access);
        let _served = token.wait().success().stdout_is(&served);
        assert_eq!(scene.machine.stored_tokens(), Some(scene.pair), "{case}");
        let _patient = login
            .wait()
            .fails(1)
            .stderr_has("nobody approved the login in time");
        assert_eq!(poll.stored_tokens(), None, "{case}");
        assert!(start.elapsed() < LIMIT, "{case}");
    }
}

#[test]
fn the_device_endpoint_cannot_fill_the_memory() {
    let runs = floods(&bomb("device_code")).map(|(case, flood)| {
        let sentry = FakeSentry::start();
        sentry.fault(Endpoint::DeviceCode, flood);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = limited(machine.sentry(&["auth", "login"]));
        (case, sentry, machine, login)
    });
    for (case, sentry, machine, login) in runs {
        let told = login.wait().fails(1).stdout_is("");
        assert!(told.stderr.starts_with("error: "), "{case}: {told:?}");
        assert_eq!(
            (sentry.polls(), machine.stored_tokens()),
            (0, None),
            "{case}"
        );
    }
}

#[test]
fn the_api_cannot_fill_the_memory() {
    let runs = floods(&bomb("user")).map(|(case, flood)| {
        let scene = Scene::new(Age::FRESH);
        scene.sentry.fault_always(Endpoint::Api, flood);
        let commands = [
            (0, scene.machine.sentry(&["auth", "status"])),
            (1, scene.machine.sentry(&["auth", "whoami"])),
            (
                1,
                scene
                    .machine
                    .sentry(&["auth", "login", "--with-token"])
                    .stdin("sntryu_api"),
            ),
        ];
        let running = commands.map(|(code, cmd)| (code, limited(cmd)));
        (case, scene, running)
    });
    for (case, scene, running) in runs {
        for (code, command) in running {
            let told = command.wait().fails(code);
            assert!(!told.stderr.contains("internal"), "{case}: {told:?}");
        }
        assert_eq!(scene.machine.stored_tokens(), Some(scene.pair), "{case}");
    }
}
