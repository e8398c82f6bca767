//! A server's certificate that is trusted itself, without its authority: the usual one of a self-hosted instance signs
//! itself. git and curl accept it, whatever it says about authorities.

use crate::sandbox::Sandbox;
use crate::tls::{Certificate, Tls, expired_session_at};

/// What curl makes of it; with OpenSSL, and not with the libraries of other systems.
#[track_caller]
fn curl_ends(machine: &Sandbox, tls: &Tls, code: i32) {
    if cfg!(target_os = "linux") {
        let url = format!("{}/api/0/", tls.url());
        let curl = machine.command("curl").args(["-sS", "-o", "/dev/null"]);
        let curl = curl.arg(url).env("SSL_CERT_FILE", tls.certificate());
        assert_eq!(curl.run().code, code);
    }
}

#[test]
fn a_certificate_that_is_named_itself_is_trusted() {
    for certificate in [
        Certificate::Own(&Certificate::Good),
        Certificate::SelfSigned,
        // Its authority is unknown.
        Certificate::Good,
    ] {
        for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            let (sentry, tls, machine) = expired_session_at(certificate);
            let token = machine.sentry(&["auth", "token"]);
            let token = token.env(variable, tls.certificate()).run().success();
            let expected = format!("{}\n", sentry.current_access());
            token.stdout_is(&expected);
            curl_ends(&machine, &tls, 0);
        }
    }
    let (sentry, tls, machine) = expired_session_at(Certificate::Own(&Certificate::Good));
    let git = machine.command("git");
    let git = git.args(["config", "--global", "http.sslCAInfo"]);
    git.arg(tls.certificate()).run().success();
    machine.sentry(&["auth", "token"]).run().success();
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn a_certificate_that_is_named_itself_is_valid_for_its_host_and_its_time_only() {
    for (certificate, why) in [
        (Certificate::OfAnotherHost, "certificate not valid for name"),
        (Certificate::Expired, "its certificate has expired"),
        (Certificate::NotYetValid, "its certificate is not valid yet"),
    ] {
        let own = match certificate {
            Certificate::OfAnotherHost => Certificate::Own(&Certificate::OfAnotherHost),
            Certificate::Expired => Certificate::Own(&Certificate::Expired),
            _ => Certificate::Own(&Certificate::NotYetValid),
        };
        for certificate in [certificate, own] {
            let (sentry, tls, machine) = expired_session_at(certificate);
            let token = machine.sentry(&["auth", "token"]);
            let token = token.env("SSL_CERT_FILE", tls.certificate()).run();
            token.fails(1).stdout_is("").stderr_has(why);
            assert_eq!(sentry.requests().len(), 0, "{certificate:?}");
            curl_ends(&machine, &tls, 60);
        }
    }
}

#[test]
fn a_certificate_that_only_looks_like_the_trusted_one_is_not_trusted() {
    let (sentry, tls, machine) = expired_session_at(Certificate::Own(&Certificate::Good));
    // The same names and marks, another key.
    let other = Tls::with(Certificate::Own(&Certificate::Good), &sentry);
    let token = machine.sentry(&["auth", "token"]);
    let token = token.env("SSL_CERT_FILE", other.certificate()).run();
    let told = token.fails(1).stdout_is("");
    let told = told.stderr_has("its certificate is that of an authority (CaUsedAsEndEntity)");
    told.stderr_has("hint: `export SSL_CERT_FILE=FILE` with that certificate itself\n");
    // The remedy.
    let refresh = machine.sentry(&["auth", "refresh"]);
    refresh
        .env("SSL_CERT_FILE", tls.certificate())
        .run()
        .success();
}
