//! The system's authorities, with and without additional ones, on a machine that trusts the test's authority.

use std::path::Path;

use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Cmd, Sandbox};
use crate::tls::{Certificate, Tls, expired_session_at};

/// `sentry auth token` where this is the system's only authority.
fn token(machine: &Sandbox, authority: &Path) -> Cmd {
    let script = "mount --bind \"$CA\" /etc/ssl/certs/ca-certificates.crt; exec sentry auth token";
    let unshare = machine
        .command("unshare")
        .args(["-Urm", "sh", "-euc", script]);
    unshare.env("CA", authority)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn additional_authorities_count_beside_the_systems_for_a_refresh() {
    let other = Tls::start(&FakeSentry::start());
    for setting in ["NODE_EXTRA_CA_CERTS", "git", "official", ""] {
        let (sentry, tls, machine) = expired_session_at(Certificate::Good);
        let mut token = token(&machine, &tls.authority());
        match setting {
            "" => {}
            "git" => {
                let git = machine
                    .command("git")
                    .args(["config", "--global", "http.sslCAInfo"]);
                git.arg(other.authority()).run().success();
            }
            "official" => {
                let store = machine.database().expect("a store");
                let table = "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL)";
                store.execute_batch(table).expect("a table");
                let file = other.authority().display().to_string();
                let set = "INSERT INTO metadata VALUES ('defaults.ca-cert', ?)";
                assert_eq!(store.execute(set, [file]), Ok(1));
            }
            variable => token = token.env(variable, other.authority()),
        }
        let output = token.run();
        assert_eq!(output.code, 0, "{setting}: {}", output.stderr);
        output.stdout_is(&format!("{}\n", sentry.current_access()));
        assert_eq!(sentry.refreshes(), 1, "{setting}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_certificate_that_the_system_trusts_itself_is_trusted() {
    let (sentry, tls, machine) = expired_session_at(Certificate::Own(&Certificate::Good));
    token(&machine, &tls.certificate()).run().success();
    assert_eq!(sentry.refreshes(), 1);
}
