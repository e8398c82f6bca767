//! A user's password is stored for exactly the key that git requested; the grammar of hosts protects only tokens. An
//! `oauth_refresh_token` outlives its expired password.

use crate::helpers::{ENVIRONMENT, STORED, with_session_of};
use crate::sandbox::{Cmd, Sandbox};
use crate::service::tools;
use std::path::Path;

/// Keys to which no token goes, each distinct from all others.
const KEYS: [(&str, &str); 12] = [
    ("smtp", "m.example:587"),
    ("imap", "m.example"),
    ("http", "git.lan"),
    ("http", "Git.lan"),
    ("https", "my_git.corp"),
    ("https", "my_git.corp:8443"),
    ("http", "sentry.io"),
    ("https", "sentry.io."),
    ("https", "sentry.io#.evil.com"),
    ("https", "k\u{f6}ln.example"),
    ("ftp", "sentry.io"),
    ("https", "127.1"),
];

fn helper(machine: &Sandbox, operation: &str, input: impl AsRef<[u8]>) -> Cmd {
    machine.git_credential(operation).stdin(input)
}

#[track_caller]
fn gets(machine: &Sandbox, request: impl AsRef<[u8]>, answer: &[u8]) {
    let said = helper(machine, "get", request)
        .run()
        .success()
        .stderr_is("");
    assert_eq!(
        said.stdout_bytes.escape_ascii().to_string(),
        answer.escape_ascii().to_string()
    );
}

#[track_caller]
fn tells(machine: &Sandbox, operation: &str, input: impl AsRef<[u8]>) {
    let said = helper(machine, operation, input).run().success();
    said.stdout_is("").stderr_is("");
}

#[test]
fn what_a_user_typed_is_kept_for_exactly_its_key() {
    let machine = with_session_of("https://sentry.io");
    let described = |(protocol, host): (&str, &str)| format!("protocol={protocol}\nhost={host}\n");
    let password = |at: usize| format!("username=ann\npassword=typed-{at}\n");
    for key in KEYS {
        gets(&machine, described(key), b"");
    }
    for (at, key) in KEYS.into_iter().enumerate() {
        tells(
            &machine,
            "store",
            format!("{}{}", described(key), password(at)),
        );
    }
    for (at, key) in KEYS.into_iter().enumerate() {
        gets(
            &machine,
            described(key),
            format!("{}\n", password(at)).as_bytes(),
        );
    }
    for (at, key) in KEYS.into_iter().enumerate() {
        tells(
            &machine,
            "erase",
            format!("{}username=ann\npassword=other\n", described(key)),
        );
        gets(
            &machine,
            described(key),
            format!("{}\n", password(at)).as_bytes(),
        );
        tells(
            &machine,
            "erase",
            format!("{}{}", described(key), password(at)),
        );
        gets(&machine, described(key), b"");
    }
    // The session was not used.
    let host = "protocol=https\nhost=sentry.io\n";
    helper(&machine, "get", host)
        .run()
        .success()
        .stdout_has(STORED);
}

#[test]
fn no_token_is_kept_for_such_a_key() {
    let machine = with_session_of("https://sentry.io").env("SENTRY_TOKEN", ENVIRONMENT);
    for (protocol, host) in KEYS {
        for token in [STORED, ENVIRONMENT] {
            let host = format!("protocol={protocol}\nhost={host}\n");
            tells(
                &machine,
                "store",
                format!("{host}username=oauth2\npassword={token}\n"),
            );
            gets(&machine, host, b"");
        }
    }
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn a_key_that_would_be_parsed_as_another_is_refused() {
    let machine = Sandbox::new();
    for (protocol, host) in [("a", "b://c"), ("a://b", "c"), ("https", "x.example/")] {
        let host = format!("protocol={protocol}\nhost={host}\n");
        tells(&machine, "store", format!("{host}username=u\npassword=p\n"));
    }
    gets(
        &machine,
        "protocol=a\nhost=b://c\n",
        b"username=u\npassword=p\n\n",
    );
    for request in [
        "protocol=a://b\nhost=c\n",
        "protocol=https\nhost=x.example/\n",
        "protocol=https\nhost=x.example\n",
    ] {
        gets(&machine, request, b"");
    }
}

#[test]
fn a_password_comes_back_byte_by_byte() {
    let machine = Sandbox::new();
    for (host, password) in [
        ("latin.example", &b"p\xe4\xdfw\xf6rd"[..]),
        (
            "any.example",
            &[0xff, 0xfe, 0x80, 0xc3, b' ', 0xe4, 0xb8, b'x'],
        ),
        ("utf8.example", "p\u{e4}ss \u{10ffe4}".as_bytes()),
    ] {
        let host = format!("protocol=https\nhost={host}\n");
        let typed = [b"username=J\xfcrgen\npassword=", password, b"\n"].concat();
        tells(&machine, "store", [host.as_bytes(), &typed].concat());
        gets(&machine, &host, &[&typed[..], b"\n"].concat());
        gets(
            &machine,
            [host.as_bytes(), b"username=Juergen\n"].concat(),
            b"",
        );
        let other = [host.as_bytes(), b"username=J\xfcrgen\npassword=p\n"].concat();
        tells(&machine, "erase", other);
        gets(
            &machine,
            [host.as_bytes(), b"username=J\xfcrgen\n"].concat(),
            &[&typed[..], b"\n"].concat(),
        );
        tells(&machine, "erase", [host.as_bytes(), &typed].concat());
        gets(&machine, &host, b"");
    }
}

#[test]
fn git_fills_in_what_it_approved() {
    for git in tools("git") {
        let machine = Sandbox::new().env("GIT_TERMINAL_PROMPT", "0");
        let configure = ["config", "--global", "credential.helper", "sentry"];
        machine.command("git").args(configure).run().success();
        let credential = |word: &str, input: &[u8], git: &Path| {
            let git = machine.command(git).args(["credential", word]);
            git.stdin(input).run().success().stdout_bytes
        };
        for key in [
            &b"protocol=smtp\nhost=m.example:587\n"[..],
            b"protocol=http\nhost=git.lan\n",
            b"protocol=https\nhost=my_git.corp\n",
        ] {
            let typed = [key, b"username=ann\npassword=p\xe4ss\n"].concat();
            let nothing = credential("approve", &typed, &git);
            assert_eq!(nothing, b"");
            assert_eq!(credential("fill", key, &git), typed);
        }
    }
}

#[test]
fn the_password_of_a_client_certificate_is_kept_for_its_file() {
    let key = |path: &str| format!("protocol=cert\nhost=\npath={path}\nusername=\n");
    let (ours, other) = (key("/home/ann/a.p12"), key("/home/ann/b.p12"));
    for git in tools("git") {
        let machine = Sandbox::new().env("GIT_TERMINAL_PROMPT", "0");
        let configure = ["config", "--global", "credential.helper", "sentry"];
        machine.command("git").args(configure).run().success();
        let credential = |word: &str, input: &str| {
            let git = machine.command(&git).args(["credential", word]);
            git.stdin(input).run()
        };
        let typed = format!("{ours}password=typed\n");
        credential("approve", &typed).success().stdout_is("");
        credential("fill", &ours).success().stdout_is(&typed);
        credential("fill", &other).fails(128).stdout_is("");
        for request in [
            "protocol=cert\nhost=\n",
            "protocol=cert\npath=\n",
            "protocol=cert\nhost=a.example\npath=/home/ann/a.p12\n",
            "protocol=https\nhost=\npath=/home/ann/a.p12\n",
            "protocol=http\npath=/home/ann/a.p12\n",
        ] {
            gets(&machine, request, b"");
        }
        let hosts = machine.sentry(&["auth", "hosts"]).run().success();
        hosts.stdout_has(
            "cert:// (git): the stored credential, because no token is sent to such an address (not https, ",
        );
        // The file is part of the key: nothing is removed for another one, or for none.
        tells(&machine, "erase", "protocol=cert\nhost=\n");
        credential("reject", &format!("{other}password=typed\n")).success();
        credential("fill", &ours).success().stdout_is(&typed);
        credential("reject", &typed).success();
        credential("fill", &ours).fails(128).stdout_is("");
        assert_eq!(machine.stored_credentials(), 0);
    }
}

#[test]
fn the_refresh_token_of_an_expired_password_is_returned_without_it() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    let expired = "password=old\npassword_expiry_utc=1000\n";
    tells(
        &machine,
        "store",
        format!("{host}username=ann\n{expired}oauth_refresh_token=R\n"),
    );
    tells(&machine, "store", format!("{host}username=bob\n{expired}"));
    gets(&machine, host, b"username=ann\noauth_refresh_token=R\n\n");
    gets(&machine, format!("{host}username=bob\n"), b"");
    // A valid password comes before one that must be refreshed first.
    tells(
        &machine,
        "store",
        format!("{host}username=joe\npassword=p\n"),
    );
    tells(
        &machine,
        "store",
        format!("{host}username=ann\n{expired}oauth_refresh_token=R2\n"),
    );
    gets(&machine, host, b"username=joe\npassword=p\n\n");
    gets(
        &machine,
        format!("{host}username=ann\n"),
        b"username=ann\noauth_refresh_token=R2\n\n",
    );
    // The refreshed one replaces it.
    tells(
        &machine,
        "store",
        format!("{host}username=ann\npassword=new\noauth_refresh_token=R3\n"),
    );
    gets(
        &machine,
        host,
        b"username=ann\npassword=new\noauth_refresh_token=R3\n\n",
    );
    tells(&machine, "erase", format!("{host}username=ann\n"));
    gets(&machine, format!("{host}username=ann\n"), b"");
}

#[test]
fn an_expired_bearer_credential_leaves_its_refresh_token() {
    let machine = Sandbox::new();
    let asked = "capability[]=authtype\nprotocol=https\nhost=code.example\n";
    tells(
        &machine,
        "store",
        format!(
            "{asked}authtype=Bearer\ncredential=old\nusername=ann\npassword_expiry_utc=1000\noauth_refresh_token=R\n"
        ),
    );
    gets(&machine, asked, b"username=ann\noauth_refresh_token=R\n\n");
}

#[test]
fn an_expired_password_without_a_refresh_token_is_removed_by_the_next_write() {
    let machine = Sandbox::new();
    let expired = "protocol=https\nhost=old.example\nusername=u\npassword=needle\n";
    tells(
        &machine,
        "store",
        format!("{expired}password_expiry_utc=9999999999\n"),
    );
    let store = machine.database().expect("a store");
    let past = "UPDATE helper_credential SET expiry = 1000";
    assert_eq!(store.execute(past, []), Ok(1));
    drop(store);
    gets(&machine, "protocol=https\nhost=old.example\n", b"");
    assert_eq!(machine.stored_credentials(), 1);
    tells(
        &machine,
        "store",
        "protocol=https\nhost=new.example\nusername=u\npassword=p\n",
    );
    assert_eq!(machine.stored_credentials(), 1);
    let content = std::fs::read(machine.db()).expect("a database");
    assert!(!content.windows(6).any(|bytes| bytes == b"needle"));
}
