//! Connections: the addresses that are tried, the headers of every request, and the timeouts.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::environment::described;
use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::names::Names;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::storage::SOON;
use crate::terminal::TtyUser;
use crate::tls::{Certificate, NAME, Tls};
use rustix::process::Signal;

/// Forwards connections from a port of `::1` to the server, for as long as the test's process runs.
fn on_ipv6(port: u16, server: SocketAddr) -> u16 {
    let listener = TcpListener::bind(("::1", port)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("the listener accepts");
            let server = TcpStream::connect(server).expect("the server listens");
            thread::spawn(move || {
                thread::scope(|threads| {
                    threads.spawn(|| {
                        let _ended = io::copy(&mut &client, &mut &server);
                        let _closed = server.shutdown(Shutdown::Write);
                    });
                    let _ended = io::copy(&mut &server, &mut &client);
                    let _closed = client.shutdown(Shutdown::Both);
                });
            });
        }
    });
    port
}

/// A `get` for an expired session of this instance.
fn get(machine: &Sandbox, sentry: &FakeSentry, url: &str) -> Cmd {
    if let Some(store) = machine.database() {
        let gone = store.execute("DELETE FROM accounts", []);
        assert!(gone.is_ok());
    }
    machine.seed_session(sentry, &sentry.issue(), Age::EXPIRED);
    machine.move_session(url);
    let get = machine.git_credential("get").stdin(described(url));
    get.env("SENTRY_CLIENT_ID", CLIENT_ID)
}

#[track_caller]
fn is_served(cmd: Cmd, sentry: &FakeSentry) {
    let before = sentry.refreshes();
    let served = cmd.run().success().stderr_is("");
    served.stdout_has(&sentry.current_access());
    assert_eq!(sentry.refreshes(), before + 1);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, strace(1)")]
fn localhost_is_this_machine_whatever_a_resolver_says() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    let url = format!("http://localhost:{}", sentry.address().port());
    let elsewhere = Names::new(&machine, "192.0.2.1 localhost\n");
    is_served(elsewhere.known_to(get(&machine, &sentry, &url)), &sentry);
    // No connection is attempted.
    let calls = machine.root().join("calls");
    let cmd = get(&machine, &sentry, &url).traced("openat,connect", &calls);
    is_served(cmd, &sentry);
    let calls = std::fs::read_to_string(calls).expect("a trace");
    for asked in ["/etc/hosts", "/etc/resolv.conf", "nscd", "htons(53)"] {
        assert!(!calls.contains(asked), "{calls}");
    }
}

#[test]
fn both_addresses_of_this_machine_are_tried() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    let port = on_ipv6(0, sentry.address());
    let url = format!("http://localhost:{port}");
    is_served(get(&machine, &sentry, &url), &sentry);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, strace(1)")]
fn any_error_of_one_family_leads_to_the_other() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    // EACCES is firewalld's adm-prohibited.
    let errors = [
        "EACCES",
        "EPERM",
        "ENETUNREACH",
        "EINVAL",
        "ENETDOWN",
        "ETIMEDOUT",
    ];
    let port = on_ipv6(0, sentry.address());
    let url = format!("http://localhost:{port}");
    let refused =
        |cmd: Cmd, error: &str| cmd.with_injected(&format!("connect:error={error}:when=1"));
    for error in errors {
        is_served(refused(get(&machine, &sentry, &url), error), &sentry);
    }
    let tls = Tls::with(Certificate::Of(NAME), &sentry);
    let names = Names::new(&machine, &format!("::1 {NAME}\n127.0.0.1 {NAME}\n"));
    let url = tls.url_by_name();
    for error in errors {
        let get = get(&machine, &sentry, &url).env("SSL_CERT_FILE", tls.authority());
        is_served(refused(names.known_to(get), error), &sentry);
    }
    // If all fail, the last error is reported.
    let get = get(&machine, &sentry, &format!("http://localhost:{port}"));
    let refused = get.with_injected("connect:error=EACCES:when=1+");
    refused.run().fails(1).stderr_has("permission denied");
}

#[test]
fn an_answer_that_came_while_the_process_was_stopped_is_read() {
    let scenes = [false, true].map(|has_tls| {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.approve_next();
        sentry.fault(Endpoint::DeviceCode, Fault::Held);
        // An instance that does not know its public name.
        sentry.rewrite(Endpoint::DeviceCode, |answer| {
            answer["verification_uri"] = "/oauth/device/".into();
            answer["verification_uri_complete"] = serde_json::Value::Null;
        });
        let tls = has_tls.then(|| Tls::start(&sentry));
        let mut machine = Sandbox::new().for_sentry(&sentry);
        if let Some(tls) = &tls {
            machine = machine
                .env("SENTRY_URL", tls.url())
                .env("SSL_CERT_FILE", tls.authority());
        }
        let user = TtyUser::start(machine.sentry(&["auth", "login", "--no-browser"]));
        sentry.wait_for_held(SOON);
        (sentry, tls, machine, user)
    });
    let mut scenes = scenes;
    for (sentry, _, _, user) in &mut scenes {
        user.running().signal(Signal::STOP);
        sentry.release();
    }
    // Longer than a request may take.
    thread::sleep(Duration::from_secs(13));
    for (sentry, _tls, _machine, mut user) in scenes {
        user.running().signal(Signal::CONT);
        user.expect("check  that it shows the code ");
        assert_eq!(user.wait(), 0, "{}", user.screen());
        assert_eq!(sentry.device_codes(), 1);
    }
}
