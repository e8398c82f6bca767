//! Proxies and certificates.

use crate::environment::git;
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::sandbox::{Age, Sandbox};
use crate::tls::{Certificate, Tls};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::net::TcpListener;

/// A proxy address without a listener.
fn closed_proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[test]
fn this_machine_itself_is_never_behind_a_proxy() {
    let proxy = closed_proxy();
    for variable in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry).env(variable, &proxy);
        machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
        git(&machine, &sentry.url()).success().stderr_is("");
        assert_eq!(sentry.refreshes(), 1, "{variable}");
    }
}

/// A machine with an expired session at https://sentry.invalid, which only a proxy could resolve.
fn behind_a_proxy() -> Sandbox {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let store = machine.database().expect("a store");
    let moved = store.execute("UPDATE accounts SET host = 'https://sentry.invalid'", []);
    assert_eq!(moved, Ok(1));
    machine
}

#[test]
fn another_machine_is_reached_through_the_proxy() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = FakeSentry::start();
        let address = format!("http://joe:proxy-word@{}", proxy.address());
        let machine = behind_a_proxy().env(variable, address);
        git(&machine, "https://sentry.invalid")
            .fails(1)
            .stdout_is("")
            .stderr_has("cannot connect to sentry.invalid")
            .never_says("proxy-word");
        let asked = proxy.requests();
        assert!(!asked.is_empty(), "{variable}");
        for request in asked {
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("CONNECT", "sentry.invalid:443")
            );
            let credentials = BASE64_STANDARD.encode("joe:proxy-word");
            assert_eq!(
                request.header("proxy-authorization"),
                Some(format!("Basic {credentials}").as_str())
            );
        }
    }
}

#[test]
fn the_specific_proxy_wins_over_the_general_one() {
    let (specific, other) = (FakeSentry::start(), FakeSentry::start());
    let machine = behind_a_proxy()
        .env("HTTPS_PROXY", specific.url())
        .env("ALL_PROXY", other.url())
        .env("HTTP_PROXY", other.url());
    git(&machine, "https://sentry.invalid").fails(1);
    assert!(!specific.requests().is_empty());
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_machine_that_is_excepted_is_not_reached_through_the_proxy() {
    for variable in ["NO_PROXY", "no_proxy"] {
        for exceptions in ["sentry.invalid", "other.example,.invalid", "*"] {
            let proxy = FakeSentry::start();
            let machine = behind_a_proxy()
                .env("HTTPS_PROXY", proxy.url())
                .env(variable, exceptions);
            git(&machine, "https://sentry.invalid")
                .fails(1)
                .stdout_is("")
                .stderr_has("sentry.invalid");
            assert_eq!(proxy.requests().len(), 0, "{variable}={exceptions}");
        }
    }
}

/// A machine with an expired session at a server in front of the Sentry.
fn behind_tls(tls: &Tls, sentry: &FakeSentry) -> Sandbox {
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(sentry, &sentry.issue(), Age::EXPIRED);
    machine.move_session(&tls.url());
    machine
}

/// Nothing is sent, and nothing is lost.
#[track_caller]
fn is_not_trusted(machine: &Sandbox, tls: &Tls, sentry: &FakeSentry) {
    let before = machine.stored_tokens();
    let address = tls.url().replace("https://", "");
    git(machine, &tls.url())
        .fails(1)
        .stdout_is("")
        .stderr_has(&format!("cannot trust {address}"));
    assert_eq!(machine.stored_tokens(), before);
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn a_certificate_of_a_known_authority_is_not_trusted_when_it_is_not_good() {
    for certificate in [
        Certificate::OfAnotherHost,
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::SelfSigned,
    ] {
        let sentry = FakeSentry::start();
        let tls = Tls::with(certificate, &sentry);
        let machine = behind_tls(&tls, &sentry).env("SSL_CERT_FILE", tls.authority());
        is_not_trusted(&machine, &tls, &sentry);
        let login = machine.sentry(&["auth", "login", "--url", &tls.url()]);
        login.run().fails(1).stderr_has("cannot trust ");
        assert_eq!(sentry.requests().len(), 0, "{certificate:?}");
    }
}

#[test]
fn a_certificate_is_trusted_only_by_an_authority_that_is_known_or_named() {
    let sentry = FakeSentry::start();
    let (tls, other) = (Tls::start(&sentry), Tls::start(&sentry));
    let machine = || behind_tls(&tls, &sentry);
    for strange in [
        machine(),
        machine().env("SSL_CERT_FILE", other.authority()),
        machine().env("SSL_CERT_DIR", other.authorities()),
        machine()
            .env("SSLKEYLOGFILE", other.authority().with_file_name("keys"))
            .env("GIT_SSL_NO_VERIFY", "1"),
    ] {
        is_not_trusted(&strange, &tls, &sentry);
    }
    for (variable, value) in [
        ("SSL_CERT_FILE", tls.authority()),
        ("SSL_CERT_DIR", tls.authorities()),
    ] {
        let before = sentry.refreshes();
        let machine = machine()
            .env(variable, value)
            .env("SSLKEYLOGFILE", other.authority().with_file_name("keys"));
        let served = git(&machine, &tls.url()).success().stderr_is("");
        served.stdout_has(&sentry.current_access());
        assert_eq!(sentry.refreshes(), before + 1);
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    }
    assert!(!other.authority().with_file_name("keys").exists());
}
