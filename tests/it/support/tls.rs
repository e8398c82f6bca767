//! A Sentry server behind TLS, with certificates of an untrusted authority.
//!
//! Separate from `nginx` because it controls no access: every request is passed on to the fake Sentry.

use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::nginx;
use crate::sandbox::{Age, Sandbox};
use crate::service::Service;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

/// A name that only [`crate::names`] can find.
pub const NAME: &str = "sentry.test";

/// A running server, and the directory of its authority.
pub struct Tls {
    _service: Service,
    address: SocketAddr,
    sandbox: Sandbox,
}

/// What the server shows.
#[derive(Clone, Copy, Debug)]
pub enum Certificate {
    Good,
    /// Valid, for a host of this name.
    Of(&'static str),
    OfAnotherHost,
    Expired,
    NotYetValid,
    /// Valid except that another authority signed it.
    SelfSigned,
    /// This, but signed with its own key and marked as an authority, as `openssl req -x509` does.
    Own(&'static Certificate),
}

impl Tls {
    #[track_caller]
    pub fn start(sentry: &FakeSentry) -> Self {
        Self::with(Certificate::Good, sentry)
    }

    #[track_caller]
    pub fn with(certificate: Certificate, sentry: &FakeSentry) -> Self {
        let sandbox = Sandbox::new();
        let root = sandbox.root().display().to_string();
        make_certificates(&sandbox, certificate);
        let (mut service, address) = nginx::serve(&sandbox, "crit", |address| {
            format!(
                "access_log off;
                 server {{
                   listen {address} ssl;
                   ssl_certificate {root}/server.pem;
                   ssl_certificate_key {root}/server.key;
                   location / {{ proxy_pass {}; }}
                 }}",
                sentry.url()
            )
        });
        service.wait_until(|| {
            let started = sandbox.root().join("nginx.pid").exists();
            (started && TcpStream::connect(address).is_ok()).then_some(())
        });
        Self {
            _service: service,
            address,
            sandbox,
        }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What the server shows.
    pub fn certificate(&self) -> PathBuf {
        self.sandbox.root().join("server.pem")
    }

    /// The key of its certificate.
    pub fn key(&self) -> PathBuf {
        self.sandbox.root().join("server.key")
    }

    /// `https://sentry.test:<port>`
    pub fn url_by_name(&self) -> String {
        format!("https://{NAME}:{}", self.address.port())
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.sandbox.root().join("ca.pem")
    }

    /// A directory that holds it under the name that OpenSSL looks for.
    pub fn authorities(&self) -> PathBuf {
        self.sandbox.root().join("authorities")
    }
}

/// A machine with an expired session at a server with this certificate.
pub fn expired_session_at(certificate: Certificate) -> (FakeSentry, Tls, Sandbox) {
    let sentry = FakeSentry::start();
    let tls = Tls::with(certificate, &sentry);
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.move_session(&tls.url());
    (sentry, tls, machine)
}

#[track_caller]
fn make_certificates(sandbox: &Sandbox, certificate: Certificate) {
    let (certificate, is_own) = match certificate {
        Certificate::Own(certificate) => (*certificate, true),
        certificate => (certificate, false),
    };
    let name = match certificate {
        Certificate::Of(host) => format!("DNS:{host}"),
        Certificate::OfAnotherHost => "IP:127.0.0.2".to_owned(),
        _ => "IP:127.0.0.1".to_owned(),
    };
    let (clock, ca) = match certificate {
        Certificate::Expired => ("-10d", "ca"),
        Certificate::NotYetValid => ("+10d", "ca"),
        Certificate::SelfSigned => ("+0", "server"),
        _ => ("+0", "ca"),
    };
    let ca = if is_own { "own" } else { ca };
    let script = "
        set -e
        new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj '/CN=untrusted' \
            -addext keyUsage=critical,keyCertSign
        openssl req $new -keyout server.key -out server.csr -subj /CN=127.0.0.1
        echo subjectAltName=$NAME >names
        case $CA in
            ca) sign='-CA ca.pem -CAkey ca.key -CAcreateserial' ;;
            own) sign='-signkey server.key'; echo basicConstraints=critical,CA:TRUE >>names ;;
            *) sign='-signkey server.key' ;;
        esac
        faketime -f \"$CLOCK\" openssl x509 -req -in server.csr $sign -days 2 -extfile names -out server.pem
        mkdir authorities
        cp ca.pem \"authorities/$(openssl x509 -hash -noout -in ca.pem).0\"";
    sandbox
        .command("/bin/sh")
        .args(["-c", script])
        .env("NAME", name)
        .env("CLOCK", clock)
        .env("CA", ca)
        .current_dir(sandbox.root())
        .run()
        .success();
}
