//! `invalid_grant` is also the answer for a token that was issued to another client (RFC 6749 section 5.2). The
//! official CLI records no client id, so a rejected guess proves nothing about the login.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry, Pair};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::tls::{Certificate, Tls};

const QUESTION: &str = "was this login made with another `SENTRY_CLIENT_ID`?";

/// The public client id of Sentry's open-source CLI at sentry.io.
const BUILT_IN: &str = "1d673b81d60ef84c951359c36296972ca6fd41bd8f45acd2d3a783a3b3c28e41";

/// The client ids of the refresh requests, in order.
fn asked(sentry: &FakeSentry) -> Vec<String> {
    let client = |request: &crate::fake_sentry::Request| {
        request.field("client_id").expect("a client").to_owned()
    };
    let requests = sentry.requests_to(Endpoint::Refresh);
    requests.iter().map(client).collect()
}

#[test]
fn a_refusal_of_a_guessed_client_costs_no_login() {
    // For a known client the server answers `invalid_grant`, for an unknown one `invalid_client`.
    for is_known in [true, false] {
        for age in [Age::EXPIRED, Age::STALE] {
            let scene = Machine::new().session(age);
            if is_known {
                scene.sentry.add_client("another-client");
            }
            let as_another = |cmd: Cmd| cmd.env("SENTRY_CLIENT_ID", "another-client");
            let before = scene.sandbox.stored_row();
            let told = as_another(scene.sandbox.sentry(&["auth", "refresh"])).run();
            told.fails(1).stdout_is("").stderr_has(QUESTION);
            assert_eq!(scene.sandbox.stored_row(), before);
            assert!(scene.sentry.is_refreshable(&scene.pair.refresh));
            let clients = asked(&scene.sentry);
            assert_eq!(clients[0], "another-client");
            assert!(
                clients.len() <= 2 && clients.get(1) != clients.first(),
                "{clients:?}"
            );
            // A valid token is served, an expired one is not, and neither is removed.
            let token = as_another(scene.token()).run();
            let _served = match age {
                Age::STALE => token
                    .success()
                    .stdout_is(&format!("{}\n", scene.pair.access)),
                _ => token.fails(1).stdout_is(""),
            };
            assert_eq!(scene.sandbox.stored_row(), before);
            // With the right client id the login still works.
            scene.sandbox.sentry(&["auth", "refresh"]).run().success();
            assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
        }
    }
}

#[test]
fn a_client_that_worked_is_remembered() {
    let scene = Machine::new().session(Age::EXPIRED);
    scene.sentry.add_client("another-client");
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    scene.token().run().success();
    assert_eq!(
        scene.sandbox.remembered_client().as_deref(),
        Some(CLIENT_ID)
    );
    let refresh = scene.refresh().env("SENTRY_CLIENT_ID", "another-client");
    refresh.run().success();
    assert_eq!(asked(&scene.sentry), [CLIENT_ID, CLIENT_ID]);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
}

/// A proxy that connects every request to one address; its URL.
fn tunnel(to: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            // Either side may close the connection early.
            thread::spawn(move || drop(connect(client, to)));
        }
    });
    format!("http://{address}")
}

fn connect(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let mut head = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    (&client).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut back, mut answers) = (client.try_clone()?, server.try_clone()?);
    let answering = thread::spawn(move || {
        let _gone = io::copy(&mut answers, &mut back);
        back.shutdown(Shutdown::Write)
    });
    let _gone = io::copy(&mut head, &mut &server);
    server.shutdown(Shutdown::Write)?;
    answering.join().expect("no panic")
}

/// A machine on which `https://sentry.io` is the fake one.
struct Saas {
    sentry: FakeSentry,
    machine: Sandbox,
    pair: Pair,
    _tls: Tls,
}

impl Saas {
    /// With an expired session that was issued to this client, as the official CLI stores it.
    fn new(client: &str) -> Saas {
        let sentry = FakeSentry::start();
        sentry.add_client(BUILT_IN);
        sentry.add_client("a-third-client");
        let tls = Tls::with(Certificate::Of("sentry.io"), &sentry);
        let machine = Sandbox::new()
            .env("HTTPS_PROXY", tunnel(tls.address()))
            .env("SSL_CERT_FILE", tls.authority());
        let pair = sentry.issue_to(client);
        machine.seed_session(&sentry, &pair, Age::EXPIRED);
        let moved = "UPDATE accounts SET host = 'https://sentry.io'";
        let store = machine.database().expect("a store");
        assert_eq!(store.execute(moved, []), Ok(1));
        Saas {
            sentry,
            machine,
            pair,
            _tls: tls,
        }
    }

    /// A request of git, with an instance and a client id in the environment.
    fn get(&self, instance: Option<&str>, client: &str) -> Cmd {
        let get = self.machine.git_credential("get");
        let get = get.stdin("protocol=https\nhost=sentry.io\n");
        let get = get.env("SENTRY_CLIENT_ID", client);
        match instance {
            Some(instance) => get.env("SENTRY_URL", instance),
            None => get,
        }
    }

    #[track_caller]
    fn expire(&self) {
        let expired = "UPDATE accounts SET expires_at = 1000";
        let store = self.machine.database().expect("a store");
        assert_eq!(store.execute(expired, []), Ok(1));
    }
}

const SAAS: Option<&str> = Some("https://sentry.io");

#[test]
fn where_two_clients_come_into_question_the_second_is_tried_once_and_remembered() {
    for first in [CLIENT_ID, "a-client-that-nobody-knows"] {
        let saas = Saas::new(BUILT_IN);
        saas.get(SAAS, first).run().success();
        assert_eq!(asked(&saas.sentry), [first, BUILT_IN]);
        assert_eq!(saas.machine.stored_tokens(), Some(saas.sentry.current()));
        assert_eq!(saas.machine.remembered_client().as_deref(), Some(BUILT_IN));
        saas.expire();
        saas.get(SAAS, first).run().success();
        assert_eq!(asked(&saas.sentry), [first, BUILT_IN, BUILT_IN]);
        assert_eq!(saas.machine.stored_tokens(), Some(saas.sentry.current()));
    }
}

#[test]
fn where_both_clients_are_wrong_the_login_is_kept() {
    let saas = Saas::new("a-third-client");
    let told = saas.get(SAAS, CLIENT_ID).run().fails(1).stdout_is("");
    told.stderr_has(QUESTION);
    assert_eq!(asked(&saas.sentry), [CLIENT_ID, BUILT_IN]);
    assert_eq!(saas.machine.stored_tokens(), Some(saas.pair.clone()));
    assert!(saas.sentry.is_refreshable(&saas.pair.refresh));
    let refresh = saas.machine.sentry(&["auth", "refresh"]);
    let refresh = refresh.env("SENTRY_URL", "https://sentry.io");
    let refresh = refresh.env("SENTRY_CLIENT_ID", "a-third-client");
    refresh.run().success();
    assert_eq!(saas.machine.stored_tokens(), Some(saas.sentry.current()));
}

#[test]
fn a_client_of_another_instance_is_not_tried_at_sentry_io() {
    // Alone in the environment it belongs to no instance; with another instance it belongs to that one.
    for instance in [None, Some("https://self.example")] {
        let saas = Saas::new(BUILT_IN);
        let get = saas.get(instance, "a-client-that-nobody-knows");
        get.run().success();
        assert_eq!(asked(&saas.sentry), [BUILT_IN], "{instance:?}");
        assert_eq!(saas.machine.stored_tokens(), Some(saas.sentry.current()));
    }
}
