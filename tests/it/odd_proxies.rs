//! Proxies that open a tunnel, or refuse one, in other words than most.

use crate::environment::described;
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::proxies::answering;
use crate::proxy_server::opening;
use crate::sandbox::{Age, Output, Sandbox};
use crate::tls::{Certificate, NAME, Tls};

/// A `get` of a machine with an expired session, behind this proxy.
fn get(tls: &Tls, sentry: &FakeSentry, proxy: &str) -> Output {
    let machine = Sandbox::new()
        .env("SENTRY_CLIENT_ID", CLIENT_ID)
        .env("SSL_CERT_FILE", tls.authority())
        .env("HTTPS_PROXY", proxy);
    machine.seed_session(sentry, &sentry.issue(), Age::EXPIRED);
    machine.move_session(&tls.url_by_name());
    let request = described(&tls.url_by_name());
    machine.git_credential("get").stdin(request).run()
}

#[test]
fn a_tunnel_is_opened_by_any_success() {
    let sentry = FakeSentry::start();
    let tls = Tls::with(Certificate::Of(NAME), &sentry);
    let many: String = (0..40).map(|n| format!("X-{n}: y\r\n")).collect();
    for (case, consent) in [
        (
            "plain",
            "HTTP/1.1 200 Connection established\r\n\r\n".to_owned(),
        ),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n".to_owned()),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("201", "HTTP/1.1 201 Created\r\nVia: x\r\n\r\n".to_owned()),
        ("no reason", "HTTP/1.1 200\r\n\r\n".to_owned()),
        ("40 fields", format!("HTTP/1.1 200 OK\r\n{many}\r\n")),
        (
            "a folded field",
            "HTTP/1.1 200 OK\r\nVia: a\r\n b\r\n\r\n".to_owned(),
        ),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        ),
        (
            "a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned(),
        ),
        (
            "100 before",
            "HTTP/1.1 100 Continue\r\nVia: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(),
        ),
    ] {
        let before = sentry.refreshes();
        let proxy = format!("http://{}", opening(tls.address(), consent));
        let output = get(&tls, &sentry, &proxy);
        assert_eq!(output.code, 0, "{case}: {}", output.stderr);
        output.stdout_has(&sentry.current_access());
        assert_eq!(sentry.refreshes(), before + 1, "{case}");
    }
}

#[test]
fn a_proxy_that_takes_no_password_is_named_with_what_it_takes() {
    let sentry = FakeSentry::start();
    let tls = Tls::with(Certificate::Of(NAME), &sentry);
    let refusing = |fields: &str| -> String {
        let refusal = format!("HTTP/1.1 407 Who\r\n{fields}Content-Length: 0\r\n\r\n");
        let bytes: &'static [u8] = refusal.leak().as_bytes();
        format!("http://{}", answering(bytes))
    };
    for (fields, expected) in [
        (
            "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n",
            "requires a login by ntlm or negotiate, which this program does not support \
             (hint: `export HTTPS_PROXY=PROXY` names one that logs in there, such as cntlm or Px)\n",
        ),
        (
            "Proxy-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n",
            "requires a login by digest, which this program does not support \
             (hint: `export HTTPS_PROXY=PROXY` names one that logs in there, such as cntlm or Px)\n",
        ),
        (
            "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"a\"\r\n",
            "requires a user name and a password (HTTP 407) (hint: `export HTTPS_PROXY=http://USER:",
        ),
        (
            "",
            "requires a user name and a password (HTTP 407) (hint: `export HTTPS_PROXY=http://USER:",
        ),
    ] {
        let told = get(&tls, &sentry, &refusing(fields));
        told.fails(1).stdout_is("").stderr_has(expected);
    }
    assert_eq!(sentry.requests().len(), 0);
}
