//! Name servers that do not answer, in a network namespace of the command's own.

use crate::environment::described;
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::service::tool;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const HOST: &str = "sentry.nowhere.example";

/// A caller's limit for a refresh, and the time that processes take to start.
const LIMIT: Duration = Duration::from_secs(14);

/// 127.0.0.1 accepts queries and does not answer; 127.0.0.2 resolves every name to 127.0.0.3.
const NETWORK: &str = "
import fcntl, socket, struct, subprocess, sys, threading
silent, talking = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
fcntl.ioctl(silent, 0x8914, struct.pack('16sh14x', b'lo', 0x49))
silent.bind(('127.0.0.1', 53))
talking.bind(('127.0.0.2', 53))
def talk():
    while True:
        question, client = talking.recvfrom(512)
        end = question.index(b'\\0', 12) + 5
        is_ipv4 = question[end - 3] == 1
        head = question[:2] + bytes([0x81, 0x80, 0, 1, 0, is_ipv4, 0, 0, 0, 0])
        found = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 3])
        talking.sendto(head + question[12:end] + found * is_ipv4, client)
threading.Thread(target=talk, daemon=True).start()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
";

/// A machine with a session of this age at an instance that only a name server can resolve.
fn machine(age: Age) -> Sandbox {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(&sentry, &sentry.issue(), age);
    machine.move_session(&format!("https://{HOST}"));
    machine
}

/// Runs the command with these name servers.
#[track_caller]
fn asking(machine: &Sandbox, servers: &[&str], cmd: Cmd) -> Output {
    let lines = servers
        .iter()
        .map(|server| format!("nameserver {server}\n"));
    fs::write(
        machine.root().join("resolv.conf"),
        lines.collect::<String>(),
    )
    .expect("a file");
    let script =
        "mount --bind \"$0/resolv.conf\" /etc/resolv.conf; python3 \"$0/network.py\" \"$@\"";
    fs::write(machine.root().join("network.py"), NETWORK).expect("a file");
    let root = machine.root().to_str().expect("a plain path");
    let apart = ["-Urmn", "sh", "-euc", script, root];
    let began = Instant::now();
    let output = cmd.under(tool("unshare"), &apart).run();
    let took = began.elapsed();
    assert!(took < LIMIT, "{took:?}: {}{}", output.stdout, output.stderr);
    output
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_silent_name_server_ends_every_command_in_time_and_is_named() {
    let why = format!("cannot find {HOST} (no name server answers)");
    type Asked = fn(&Sandbox) -> Cmd;
    let ask = |age: Age, code: i32, cmd: Asked| {
        let machine = machine(age);
        let told = asking(&machine, &["127.0.0.1"], cmd(&machine)).fails(code);
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(said.contains(&why), "{said}");
        assert!(machine.stored_tokens().is_some());
    };
    let asked: [(Age, i32, Asked); 7] = [
        (Age::EXPIRED, 1, |machine| {
            let get = machine.git_credential("get");
            get.stdin(described(&format!("https://{HOST}")))
        }),
        (Age::EXPIRED, 1, |machine| {
            machine.bind("docker r.example", &format!("https://{HOST}"), None);
            machine.docker_credential("get").stdin("r.example")
        }),
        (Age::EXPIRED, 0, |machine| {
            machine.sentry(&["auth", "status"])
        }),
        (Age::FRESH, 0, |machine| machine.sentry(&["auth", "status"])),
        (Age::EXPIRED, 1, |machine| {
            machine.sentry(&["auth", "refresh"])
        }),
        (Age::FRESH, 1, |machine| {
            machine.sentry(&["auth", "login", "--force"])
        }),
        (Age::FRESH, 1, |machine| machine.sentry(&["auth", "doctor"])),
    ];
    // All at once: they wait, and do nothing.
    thread::scope(|threads| {
        for (age, code, cmd) in asked {
            threads.spawn(move || ask(age, code, cmd));
        }
    });
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_second_name_server_is_waited_for() {
    let machine = machine(Age::EXPIRED);
    let get = machine.git_credential("get");
    let get = get.stdin(described(&format!("https://{HOST}")));
    let told = asking(&machine, &["127.0.0.1", "127.0.0.2"], get).fails(1);
    told.stderr_has("connection refused");
}
