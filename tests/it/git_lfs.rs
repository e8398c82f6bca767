//! git-lfs at a server that refuses everyone: it repeats its request after each refusal, for as long as it gets an
//! answer.

use crate::fake_sentry::{Endpoint, FakeSentry};
use crate::sandbox::{Age, Cmd, Sandbox};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A server that answers 401 to everything.
struct Refusing {
    address: SocketAddr,
    shown: Arc<AtomicUsize>,
}

impl Refusing {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let shown = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&shown);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                thread::spawn(move || refuse(connection, &counter));
            }
        });
        Self { address, shown }
    }

    /// How many requests came with a credential.
    fn shown(&self) -> usize {
        self.shown.load(Ordering::SeqCst)
    }
}

fn refuse(connection: TcpStream, shown: &AtomicUsize) {
    let mut reader = BufReader::new(connection);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("authorization:") {
            shown.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(number) = lower.strip_prefix("content-length:") {
            length = number.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = Vec::new();
    let mut connection = match reader.by_ref().take(length).read_to_end(&mut body) {
        Ok(_) => reader.into_inner(),
        Err(_) => return,
    };
    let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"lfs\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n";
    // A client that does not read it sends no credential again.
    let _not_read = connection.write_all(answer.as_bytes());
}

fn machine(sentry: &FakeSentry, server: &Refusing, variable: bool) -> Sandbox {
    let machine = Sandbox::new()
        .for_sentry(sentry)
        .env("GIT_TERMINAL_PROMPT", "0");
    let pair = sentry.issue();
    let machine = match variable {
        true => machine.env("SENTRY_AUTH_TOKEN", pair.access),
        false => {
            machine.seed_session(sentry, &pair, Age::FRESH);
            machine
        }
    };
    let host = server.address.to_string();
    let set_up = ["auth", "setup-git", "--host", &host];
    machine.sentry(&set_up).run().success();
    for args in [
        &["init", "--quiet", "--initial-branch=main", "work"][..],
        &[
            "-C",
            "work",
            "remote",
            "add",
            "origin",
            &format!("http://{host}/demo.git"),
        ],
    ] {
        machine.command("git").args(args).run().success();
    }
    machine
}

fn lfs(machine: &Sandbox, args: &[&str]) -> Cmd {
    let lfs = machine.command("git").arg("lfs").args(args);
    let work = machine.home().join("work");
    lfs.current_dir(work).limit(Duration::from_secs(30))
}

#[test]
fn git_lfs_ends_where_the_host_refuses_a_session() {
    let sentry = FakeSentry::start();
    let server = Refusing::start();
    let machine = machine(&sentry, &server, false);
    let token = sentry.current_access();
    let ended = lfs(&machine, &["locks"]).run().never_says(&token);
    assert_ne!(ended.code, 0, "{}", ended.stderr);
    let line = format!(
        "git-credential-sentry: {} refuses this login, although Sentry accepts it\n",
        server.address
    );
    assert!(ended.stderr.contains(&line), "{}", ended.stderr);
    assert!((1..=3).contains(&server.shown()), "{}", server.shown());
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
    assert_eq!(sentry.requests().len(), 1);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn git_lfs_ends_where_the_host_refuses_the_environments_token() {
    let sentry = FakeSentry::start();
    let server = Refusing::start();
    let machine = machine(&sentry, &server, true);
    let ended = lfs(&machine, &["locks"]).run();
    assert_ne!(ended.code, 0, "{}", ended.stderr);
    let line = format!("`SENTRY_AUTH_TOKEN` was refused by {}\n", server.address);
    assert!(ended.stderr.contains(&line), "{}", ended.stderr);
    assert!((1..=3).contains(&server.shown()), "{}", server.shown());
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn git_lfs_ends_while_sentry_is_out_of_order_too() {
    let sentry = FakeSentry::start();
    let server = Refusing::start();
    let machine = machine(&sentry, &server, false);
    sentry.fault(
        Endpoint::Api,
        crate::fake_sentry::Answer::new(502, "text/html", "<h1>no</h1>"),
    );
    let ended = lfs(&machine, &["locks"]).run();
    assert_ne!(ended.code, 0, "{}", ended.stderr);
    assert!((1..=4).contains(&server.shown()), "{}", server.shown());
    assert!(sentry.requests().len() <= 6, "{}", sentry.requests().len());
}

#[test]
fn a_push_with_an_lfs_file_ends_where_the_host_refuses_a_session() {
    let sentry = FakeSentry::start();
    let server = Refusing::start();
    let machine = machine(&sentry, &server, false);
    let work = machine.home().join("work");
    std::fs::write(work.join("big.bin"), "content").expect("a file");
    let script = "git lfs install --local && git lfs track '*.bin' && git add . &&
        git -c user.name=Jane -c user.email=jane@example.com commit --quiet -m lfs";
    let committed = machine.command("sh").args(["-c", script]);
    committed.current_dir(&work).run().success();
    let ended = lfs(&machine, &["push", "origin", "main"]).run();
    assert_ne!(ended.code, 0, "{}", ended.stderr);
    assert!((1..=6).contains(&server.shown()), "{}", server.shown());
    assert!(sentry.requests().len() <= 6, "{}", sentry.requests().len());
}
