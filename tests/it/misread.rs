//! Tokens and instances that a user entered in a form that means something else.
//!
//! Separate from `environment` and `instances`, which have valid variables, and variables that are not text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::environment::{docker, git};
use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry};
use crate::proxy_server::Socks4;
use crate::sandbox::{Age, Sandbox};
use crate::terminal::TtyUser;
use crate::tls::{Certificate, Tls};

const UTF_16: &str = "it is written in UTF-16; a token is plain text";
const MARKED: &str = "it begins with a byte order mark (BOM), which is not part of a token";
const QUOTED: &str = "it has quotes around it, which are not part of a token";
const HEADER: &str = "it begins with the name of a header, which is not part of a token";

/// The input, and the message about it.
fn badly_written() -> Vec<(Vec<u8>, &'static str)> {
    let utf_16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    vec![
        (b"\"sntryu_x\"".to_vec(), QUOTED),
        (b"'sntryu_x'".to_vec(), QUOTED),
        ("\u{201c}sntryu_x\u{201d}".as_bytes().to_vec(), QUOTED),
        (b"\xef\xbb\xbfsntryu_x\r\n".to_vec(), MARKED),
        (utf_16("sntryu_x\r\n"), UTF_16),
        (utf_16("sntryu_x").split_off(2), UTF_16),
        (b"Bearer sntryu_x".to_vec(), HEADER),
    ]
}

#[test]
fn a_token_that_is_written_badly_gets_a_sentence_of_its_own() {
    let sentry = FakeSentry::start();
    sentry.add_api_token("sntryu_x");
    for (bytes, why) in badly_written() {
        // No variable can contain a NUL; a shell omits them.
        let value: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
        let is_told = why != UTF_16 || value.starts_with(b"\xff\xfe");
        if is_told {
            for variable in ["SENTRY_AUTH_TOKEN", "SENTRY_TOKEN"] {
                let machine = Sandbox::new()
                    .env("SENTRY_URL", sentry.url())
                    .env(variable, OsStr::from_bytes(&value));
                let words = format!("cannot use the value of {variable}: {why}\n");
                let told = git(&machine, &sentry.url()).fails(1).stdout_is("");
                told.stderr_is(&format!("git-credential-sentry: {words}"));
                docker(&machine, &sentry.url()).fails(1).stdout_is(&words);
                let status = machine.sentry(&["auth", "status"]).run().fails(1);
                status.stderr_is(&format!("error: {words}"));
            }
        }
        let machine = Sandbox::new().env("SENTRY_URL", sentry.url());
        let login = machine.sentry(&["auth", "login", "--with-token"]);
        let told = login.stdin(&bytes).run().fails(1).stdout_is("");
        let told = told.stderr_has(&format!(
            "error: cannot use standard input as a token: {why}\n"
        ));
        assert_eq!(told.stderr.contains("hint: `iconv "), why == UTF_16);
        if let Ok(text) = String::from_utf8(value) {
            let login = machine.sentry(&["auth", "login", "--token", &text]);
            let told = login.run();
            assert!(
                !is_told || told.code == 2 && told.stderr.contains(why),
                "{told:?}"
            );
        }
    }
    assert_eq!(sentry.requests_to(Endpoint::DeviceCode).len(), 0);
}

#[test]
fn empty_standard_input_is_reported_as_empty() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    for nothing in ["", "\n", " \r\n"] {
        let login = machine.sentry(&["auth", "login", "--with-token"]);
        let told = login.stdin(nothing).run().fails(1).stdout_is("");
        told.stderr_is("error: there is no token: standard input is empty\n");
    }
    let mut user = TtyUser::start(machine.sentry(&["auth", "login", "--with-token"]));
    user.expect("token: ").type_line("'sntryu_x'");
    user.expect(&format!("cannot use the entered text as a token: {QUOTED}"));
    assert_eq!(user.wait(), 1);
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn an_organization_of_the_saas_is_explained() {
    let words = |variable: &str| {
        format!("cannot use the value of {variable}: that is an organization of https://sentry.io")
    };
    for (variable, value) in [
        ("SENTRY_URL", "https://acme.sentry.io"),
        ("SENTRY_URL", "acme.sentry.io/"),
        ("SENTRY_HOST", "https://Acme.Sentry.io"),
        ("SENTRY_URL", "https://o1.ingest.us.sentry.io"),
    ] {
        let machine = Sandbox::new().env(variable, value);
        let words = words(variable);
        for command in ["status", "login", "token", "refresh", "whoami"] {
            let told = machine
                .sentry(&["auth", command])
                .run()
                .fails(2)
                .stdout_is("");
            told.stderr_is(&format!(
                "error: {words}\nhint: `export {variable}=https://sentry.io`\n"
            ));
        }
        let machine = machine.env("SENTRY_TOKEN", "tok");
        let told = git(&machine, "https://sentry.io").fails(1).stdout_is("");
        told.stderr_is(&format!(
            "git-credential-sentry: {words} (hint: `export {variable}=https://sentry.io`)\n"
        ));
        // Following the hint is sufficient.
        let fixed = machine.env(variable, "https://sentry.io");
        git(&fixed, "https://sentry.io")
            .success()
            .stdout_has("password=tok\n");
    }
    let machine = Sandbox::new();
    let login = machine.sentry(&["auth", "login", "--url", "https://acme.sentry.io"]);
    let told = login.run().fails(2).stdout_is("");
    told.stderr_has("that is an organization of https://sentry.io");
}

#[test]
fn a_broken_variable_is_no_obstacle_for_a_login_to_another_instance() {
    for (variable, value) in [
        ("SENTRY_AUTH_TOKEN", "two words"),
        ("SENTRY_TOKEN", "\"quoted\""),
        ("SENTRY_URL", "https://s.example/path"),
        ("SENTRY_URL", "https://acme.sentry.io"),
        ("SENTRY_HOST", "http://s.example"),
    ] {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.approve_next();
        sentry.add_api_token("sntryu_known");
        let machine = Sandbox::new()
            .env("SENTRY_CLIENT_ID", CLIENT_ID)
            .env(variable, value);
        let url = sentry.url();
        let login = machine.sentry(&["auth", "login", "--no-browser", "--url", &url]);
        login.run().success();
        assert_eq!(
            machine.stored_tokens(),
            Some(sentry.current()),
            "{variable}"
        );
        let login = machine.sentry(&["auth", "login", "--with-token", "--url", &url]);
        login.stdin("sntryu_known").run().success();
    }
}

#[test]
fn a_client_id_belongs_to_the_instance_that_is_named_beside_it() {
    const BUILT_IN: &str = "1d673b81d60ef84c951359c36296972ca6fd41bd8f45acd2d3a783a3b3c28e41";
    let sentry = FakeSentry::start();
    let tls = Tls::with(Certificate::Of("sentry.io"), &sentry);
    let proxy = Socks4::to(tls.address());
    let machine = Sandbox::new()
        .env("SENTRY_CLIENT_ID", CLIENT_ID)
        .env("ALL_PROXY", format!("socks4a://{}", proxy.address()))
        .env("SSL_CERT_FILE", tls.authority());
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let store = machine.database().expect("a store");
    let moved = store.execute("UPDATE accounts SET host = 'https://sentry.io'", []);
    assert_eq!(moved, Ok(1));
    let first = |endpoint: Endpoint| {
        let requests = sentry.requests_to(endpoint);
        let first = requests.first().expect("a request");
        first.field("client_id").expect("an id").to_owned()
    };
    let login = |url: &[&str]| {
        let asked = sentry.device_codes();
        let login = machine.sentry(&["auth", "login", "--force", "--timeout", "1"]);
        login.args(url).run().fails(1);
        let requests = sentry.requests_to(Endpoint::DeviceCode);
        let id = requests[asked].field("client_id").expect("an id");
        id.to_owned()
    };
    // It may have been exported for another instance.
    git(&machine, "https://sentry.io").fails(1);
    assert_eq!(first(Endpoint::Refresh), BUILT_IN);
    assert_eq!(login(&[]), BUILT_IN);
    assert_eq!(login(&["--url", "https://sentry.io"]), CLIENT_ID);
    let get = machine
        .git_credential("get")
        .env("SENTRY_URL", "https://us.sentry.io");
    let get = get.stdin("protocol=https\nhost=sentry.io\n");
    let store = machine.database().expect("a store");
    let fixed = store.execute("UPDATE helper_session SET retry_at = NULL", []);
    assert!(fixed.is_ok());
    get.run().success().stdout_has(&sentry.current_access());
}
