//! The git credential protocol as an adversary, a hurried caller and a real git speak it, and what the
//! helper does with a session.

use crate::fake_sentry::{Endpoint, FakeSentry, Pair};
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::terminal::Person;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rusqlite::ToSql;
use std::fs;
use std::time::Duration;

const ENVIRONMENT: &str = "token-of-the-environment";
const STORED: &str = "token-of-the-session";
const MALFORMED: &str = "git-credential-sentry: the request is malformed\n";

/// A machine with a token for https://sentry.io in its environment.
fn with_token() -> Sandbox {
    Sandbox::new().env("SENTRY_AUTH_TOKEN", ENVIRONMENT)
}

/// A machine with a fresh session at this instance, which is never asked.
fn with_session_of(instance: &str) -> Sandbox {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    let pair = Pair {
        access: STORED.to_owned(),
        refresh: "refresh-token-of-the-session".to_owned(),
    };
    machine.seed_session(&sentry, &pair, Age::FRESH);
    alter(&machine, "host", &instance);
    machine
}

/// A machine with a session of this age at a Sentry that runs.
fn with_session(sentry: &FakeSentry, age: Age) -> Sandbox {
    let machine = Sandbox::new().for_sentry(sentry);
    machine.seed_session(sentry, &sentry.issue(), age);
    machine
}

/// Sets a column of the one stored session.
#[track_caller]
fn alter(machine: &Sandbox, column: &str, value: &dyn ToSql) {
    let store = machine.database().expect("a store");
    let sql = format!("UPDATE accounts SET {column} = ?");
    assert_eq!(store.execute(&sql, [value]), Ok(1));
}

/// `protocol` and `host` of a Sentry that runs.
fn described(sentry: &FakeSentry) -> String {
    format!("protocol=http\nhost={}\n", sentry.address())
}

#[track_caller]
fn git(machine: &Sandbox, operation: &str, input: impl AsRef<[u8]>) -> Output {
    machine.git_credential(operation).stdin(input).run()
}

#[track_caller]
fn get(machine: &Sandbox, request: impl AsRef<[u8]>) -> Output {
    git(machine, "get", request)
}

/// `store` and `erase` say nothing and succeed.
#[track_caller]
fn tell(machine: &Sandbox, operation: &str, credential: &str) {
    let _quiet = git(machine, operation, credential)
        .success()
        .stdout_is("")
        .stderr_is("");
}

/// The request is nobody's business here.
#[track_caller]
fn gets_nothing(machine: &Sandbox, request: impl AsRef<[u8]>) {
    let _nothing = get(machine, request).success().stdout_is("").stderr_is("");
}

#[track_caller]
fn is_malformed(machine: &Sandbox, request: impl AsRef<[u8]>) {
    for operation in ["get", "store", "erase"] {
        let _refused = git(machine, operation, &request)
            .fails(1)
            .stdout_is("")
            .stderr_is(MALFORMED);
    }
}

/// Runs the helper's `get` in a shell, which sets up its streams: `$HELPER get …`.
fn through_shell(machine: &Sandbox, script: &str) -> Cmd {
    machine
        .command("/bin/sh")
        .args(["-c", script])
        .env("HELPER", env!("CARGO_BIN_EXE_git-credential-sentry"))
}

// Which host is meant.

#[test]
fn nobody_but_sentry_gets_the_token() {
    let hosts = [
        // Bytes that a URL library would take for the end of the host, or for a user name.
        "sentry.io#.evil.com",
        "sentry.io?.evil.com",
        "sentry.io/.evil.com",
        "sentry.io\\.evil.com",
        "sentry.io@evil.com",
        "evil.com\\@sentry.io",
        "evil.com?@sentry.io",
        "evil.com#@sentry.io",
        "user@sentry.io",
        "user:pw@sentry.io",
        "sentry.io ",
        " sentry.io",
        "sentry.io\t",
        "sentry.io/",
        "sentry.io%2f.evil.com",
        "%73entry.io",
        "sentry.io%00.evil.com",
        "evil.com%0ahost=sentry.io",
        // Other hosts with a similar name.
        "sentry.io.evil.com",
        "evil-sentry.io",
        "sentry.io-evil.com",
        "xsentry.io",
        "sentry.ioevil.com",
        "evil.sentry.io",
        "docs.sentry.io",
        "xus.sentry.io",
        "us.sentry.io.evil.com",
        ".sentry.io",
        "sentry..io",
        "sentry.io.",
        // Other ports, and ports that only look like one.
        "sentry.io:443.evil.com",
        "sentry.io:443@evil.com",
        "sentry.io:80",
        "sentry.io:8443",
        "sentry.io:0",
        "sentry.io:0443",
        "sentry.io:65536",
        "sentry.io:65979",
        "sentry.io:",
        "sentry.io:+443",
        "sentry.io: 443",
        "sentry.io:443:443",
        // Letters that look or fold alike.
        "ѕentry.io",
        "xn--entry-g2e.io",
        "ｓｅｎｔｒｙ．ｉｏ",
        "sentry。io",
        "se\u{ad}ntry.io",
        "sentry.io\u{200d}",
        "SENTRY.İO",
    ];
    for machine in [with_token(), with_session_of("https://sentry.io")] {
        for host in hosts {
            gets_nothing(&machine, format!("protocol=https\nhost={host}\n\n"));
        }
    }
}

#[test]
fn sentry_gets_the_token_by_each_of_its_names() {
    for (machine, token) in [
        (with_token(), ENVIRONMENT),
        (with_session_of("https://sentry.io"), STORED),
        (with_session_of("https://de.sentry.io"), STORED),
    ] {
        for host in [
            "sentry.io",
            "SENTRY.IO",
            "Sentry.Io",
            "sentry.io:443",
            "us.sentry.io",
            "de.sentry.io:443",
        ] {
            let _served = get(&machine, format!("protocol=https\nhost={host}\n\n"))
                .success()
                .stderr_is("")
                .stdout_has(&format!("username=oauth2\npassword={token}\n"));
        }
    }
}

#[test]
fn another_instance_is_one_host_and_one_port() {
    let machine = with_session_of("https://s.example:9000");
    let _served = get(&machine, "protocol=https\nhost=S.example:9000\n")
        .success()
        .stdout_has(STORED);
    for host in [
        "s.example",
        "s.example:443",
        "s.example:09000",
        "us.s.example:9000",
        "s.example.:9000",
    ] {
        gets_nothing(&machine, format!("protocol=https\nhost={host}\n"));
    }
}

#[test]
fn plain_http_and_other_protocols_get_nothing() {
    for machine in [with_token(), with_session_of("https://sentry.io")] {
        for protocol in [
            "http", "HTTP", "ssh", "ftp", "https ", " https", "httpsx", "https:",
        ] {
            gets_nothing(&machine, format!("protocol={protocol}\nhost=sentry.io\n"));
        }
    }
    for instance in ["http://sentry.example", "http://127.0.0.1.nip.io"] {
        let machine = with_session_of(instance);
        let host = instance.replace("http://", "");
        gets_nothing(&machine, format!("protocol=http\nhost={host}\n"));
    }
}

#[test]
fn an_address_has_one_spelling() {
    let machine = with_session_of("http://[::1]:9000");
    for host in ["[::1]:9000", "[0:0:0:0:0:0:0:1]:9000", "[0::1]:9000"] {
        let _served = get(&machine, format!("protocol=http\nhost={host}\n"))
            .success()
            .stdout_has(STORED);
    }
    for host in [
        "[::1]",
        "[::1]:9001",
        "[::ffff:127.0.0.1]:9000",
        "[::1%25lo]:9000",
        "[::1%lo]:9000",
        "::1:9000",
        "[::1]9000",
        "localhost:9000",
        "127.0.0.1:9000",
    ] {
        gets_nothing(&machine, format!("protocol=http\nhost={host}\n"));
    }
    let machine = with_session_of("http://127.0.0.1:9000");
    let _served = get(&machine, "protocol=http\nhost=127.0.0.1:9000\n")
        .success()
        .stdout_has(STORED);
    for host in [
        "127.1:9000",
        "0x7f000001:9000",
        "2130706433:9000",
        "0177.0.0.1:9000",
        "127.0.0.01:9000",
        "127.0.0.2:9000",
        "localhost:9000",
        "localhost.:9000",
    ] {
        gets_nothing(&machine, format!("protocol=http\nhost={host}\n"));
    }
}

#[test]
fn host_and_protocol_are_said_once_and_not_empty() {
    for machine in [with_token(), with_session_of("https://sentry.io")] {
        for request in [
            "",
            "\n",
            "\n\nprotocol=https\nhost=sentry.io\n",
            "protocol=https\n\nhost=sentry.io\n",
            "protocol=https\n",
            "host=sentry.io\n",
            "protocol=\nhost=\n",
            "protocol=\nhost=sentry.io\n",
            "protocol=https\nhost=\n",
            "protocol=https\nhost=evil.com\nhost=sentry.io\n",
            "protocol=https\nhost=sentry.io\nhost=evil.com\n",
            "protocol=https\nhost=sentry.io\nhost=\n",
            "protocol=http\nprotocol=https\nhost=sentry.io\n",
            "protocol=cert\nhost=\npath=x\n",
            "Protocol=https\nHost=sentry.io\n",
            "host =sentry.io\nprotocol =https\n",
            "host[]=sentry.io\nprotocol[]=https\n",
        ] {
            gets_nothing(&machine, request);
        }
    }
}

#[test]
fn a_url_names_the_host_that_git_would_see_in_it() {
    let machine = with_token();
    for request in [
        "url=https://sentry.io\n",
        "url=https://sentry.io/\n",
        "url=https://sentry.io/a/b.git\n",
        "url=https://oauth2@sentry.io/a/b.git\n",
        "url=https://sentry.io\nprotocol=https\nhost=sentry.io\n",
        "host=sentry.io\nurl=https://sentry.io\n",
    ] {
        let _served = get(&machine, request)
            .success()
            .stderr_is("")
            .stdout_is(&format!("username=oauth2\npassword={ENVIRONMENT}\n\n"));
    }
    for request in [
        "url=https://sentry.io@evil.com/\n",
        "url=https://evil.com?@sentry.io\n",
        "url=https://evil.com#@sentry.io\n",
        "url=https://evil.com\\@sentry.io\n",
        "url=https://evil.com/@sentry.io\n",
        "url=https://evil.com@evil.com@sentry.io\n",
        "url=https://evil.com:x@y@sentry.io\n",
        "url=https://sentry.io\\@evil.com\n",
        "url=https://sentry.io?.evil.com/\n",
        "url=https://sentry.io%23.evil.com/\n",
        "url=https://sentry.io%0ahost=evil.com/\n",
        "url=https://a%0ab@sentry.io/\n",
        "url=https:///sentry.io\n",
        "url=https://\n",
        "url=http://sentry.io\n",
        "url=sentry.io\n",
        "url=//sentry.io\n",
        "url=\n",
        "url=https:sentry.io\n",
        "url= https://sentry.io\n",
        "protocol=https\nhost=evil.com\nurl=https://sentry.io\n",
        "url=https://sentry.io\nprotocol=https\nhost=evil.com\n",
        "protocol=http\nurl=https://sentry.io\n",
        "url=https://evil.com\nurl=https://sentry.io\n",
    ] {
        gets_nothing(&machine, request);
    }
}

#[test]
fn what_the_server_says_does_not_name_a_host() {
    let machine = with_token();
    for line in [
        "wwwauth[]=Basic realm=\"https://sentry.io\"",
        "wwwauth[]=Bearer realm=\"https://sentry.io/oauth\", host=sentry.io",
        "state[]=sentry:session",
        "path=https://sentry.io",
        "username=sentry.io",
    ] {
        gets_nothing(
            &machine,
            format!(
                "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=evil.com\n{line}\n"
            ),
        );
    }
}

// What counts as a request.

#[test]
fn a_request_ends_with_a_blank_line_or_the_end() {
    let machine = with_token();
    for request in [
        "protocol=https\nhost=sentry.io\n\n",
        "protocol=https\nhost=sentry.io\n",
        "protocol=https\nhost=sentry.io",
        "protocol=https\nhost=sentry.io\n\nhost=evil.com\n",
        "host=sentry.io\nprotocol=https\n",
        "protocol=https\nprotocol=https\nhost=sentry.io\nhost=sentry.io\n",
    ] {
        let _served = get(&machine, request)
            .success()
            .stderr_is("")
            .stdout_is(&format!("username=oauth2\npassword={ENVIRONMENT}\n\n"));
    }
}

#[test]
fn what_is_not_understood_is_ignored() {
    let machine = with_token();
    for line in [
        "foo=bar",
        "foo[]=x",
        "foo[]=",
        "=",
        "=x",
        "capability[]=teleport",
        "capability[]=",
        "wwwauth[]=Basic realm=\"x=y\"",
        "state[]=other:1",
        "continue=1",
        "quit=1",
        "password=whatever",
        "password_expiry_utc=tomorrow",
        "ephemeral=maybe",
        "authtype=",
        "path=a=b=c",
        "path=",
        "key with spaces=$(id)`id`%n%s",
    ] {
        let _served = get(
            &machine,
            format!("protocol=https\nhost=sentry.io\n{line}\n"),
        )
        .success()
        .stderr_is("")
        .stdout_is(&format!("username=oauth2\npassword={ENVIRONMENT}\n\n"));
    }
}

#[test]
fn a_carriage_return_anywhere_is_malformed() {
    let machine = with_token();
    for request in [
        "protocol=https\nhost=evil.com\rhost=sentry.io\n",
        "protocol=https\r\nhost=sentry.io\r\n\r\n",
        "protocol=https\nhost=sentry.io\nfoo\r=x\n",
        "protocol=https\nhost=sentry.io\npassword=\r\n",
        "protocol=https\nhost=sentry.io\nwwwauth[]=Basic\r\n",
        "\rprotocol=https\nhost=sentry.io\n",
    ] {
        is_malformed(&machine, request);
    }
}

#[test]
fn a_nul_anywhere_is_malformed() {
    let machine = with_token();
    for request in [
        "protocol=https\nhost=sentry.io\0.evil.com\n",
        "protocol=https\nhost=sentry.io\nf\0o=x\n",
        "protocol=https\nhost=sentry.io\nfoo=\0\n",
        "\0",
    ] {
        is_malformed(&machine, request);
    }
}

#[test]
fn a_line_without_an_equals_sign_is_malformed() {
    let machine = with_token();
    for request in [
        "garbage\n",
        "protocol=https\nhost=sentry.io\nsecret-looking-garbage",
        "protocol=https\n \nhost=sentry.io\n",
    ] {
        is_malformed(&machine, request);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_no_ones_host() {
    let machine = with_token();
    for request in [
        &b"protocol=https\nhost=\xff\xfe.sentry.io\n"[..],
        b"protocol=https\nhost=sentry.io\xff\n",
        b"protocol=https\xc0\x80\nhost=sentry.io\n",
        b"url=https://sentry.io\xff\n",
        b"url=https://sentry.io%ff/\n",
    ] {
        gets_nothing(&machine, request);
    }
    for line in [
        &b"foo=\xff"[..],
        b"\xff=x",
        b"wwwauth[]=\xff",
        b"state[]=\xff",
    ] {
        let _served = get(
            &machine,
            [b"protocol=https\nhost=sentry.io\n", line, b"\n"].concat(),
        )
        .success()
        .stdout_has(ENVIRONMENT);
    }
    // Neither matters to a session; whichever answer, it is one.
    for line in [&b"path=\xff"[..], b"username=\xff", b"password=\xff"] {
        let _answered = get(
            &machine,
            [b"protocol=https\nhost=sentry.io\n", line, b"\n"].concat(),
        )
        .success()
        .stderr_is("");
    }
}

#[test]
fn a_line_has_65535_bytes_at_most() {
    let machine = with_token();
    let request = |length: usize| {
        let line = format!("path={}\n", "x".repeat(length - "path=\n".len()));
        format!("protocol=https\nhost=sentry.io\n{line}\n")
    };
    let _served = get(&machine, request(65535))
        .success()
        .stdout_has(ENVIRONMENT);
    is_malformed(&machine, request(65536));
}

#[test]
fn a_request_has_a_mebibyte_at_most() {
    let machine = with_token();
    let short_lines = |count: usize| {
        let lines = "foo[]=bar\n".repeat(count);
        format!("protocol=https\nhost=sentry.io\n{lines}\n")
    };
    let _served = get(&machine, short_lines(100_000))
        .success()
        .stdout_has(ENVIRONMENT);
    is_malformed(&machine, short_lines(110_000));
    is_malformed(&machine, "x".repeat(2 << 20));
}

#[test]
fn input_without_end_takes_little_memory() {
    let machine = with_token();
    let script = "ulimit -v 200000; exec \"$HELPER\" get </dev/zero";
    let _refused = through_shell(&machine, script)
        .run()
        .fails(1)
        .stdout_is("")
        .stderr_is(MALFORMED);
}

#[test]
fn a_caller_that_sends_nothing_is_not_waited_for_for_ever() {
    let machine = with_token();
    let script = "mkfifo pipe && exec \"$HELPER\" get <>pipe";
    let _gave_up = through_shell(&machine, script)
        .run()
        .fails(1)
        .stdout_is("")
        .stderr_is("git-credential-sentry: no request came in time\n");
}

#[test]
fn a_caller_that_keeps_its_end_open_is_answered_at_the_blank_line() {
    let machine = with_token();
    let script = "mkfifo pipe && exec 3<>pipe && \
                  printf 'protocol=https\\nhost=sentry.io\\n\\n' >&3 && exec \"$HELPER\" get <&3";
    let _served = through_shell(&machine, script)
        .run()
        .success()
        .stderr_is("")
        .stdout_is(&format!("username=oauth2\npassword={ENVIRONMENT}\n\n"));
}

// The streams.

#[test]
fn an_answer_that_nobody_takes_is_a_failure_without_words() {
    let machine = with_token().env("RUST_BACKTRACE", "full");
    for script in [
        "exec \"$HELPER\" get >/dev/full",
        "mkfifo pipe && exec 3<>pipe 4>pipe 3>&- && exec \"$HELPER\" get >&4 4>&-",
    ] {
        let _failed = through_shell(&machine, script)
            .stdin("protocol=https\nhost=sentry.io\n")
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_is("");
    }
}

#[test]
fn streams_that_are_closed_do_no_harm() {
    let machine = with_session_of("https://sentry.io").env("RUST_BACKTRACE", "full");
    let before = machine.stored_tokens();
    for script in [
        "exec \"$HELPER\" get >&-",
        "exec \"$HELPER\" get <&- >&-",
        "exec \"$HELPER\" get <&- >&- 2>&-",
        "exec \"$HELPER\" store >&-",
    ] {
        let said = through_shell(&machine, script)
            .stdin("protocol=https\nhost=sentry.io\n")
            .run();
        assert!((0..=1).contains(&said.code), "{}", said.code);
        let _nothing = said.stdout_is("").stderr_is("");
    }
    assert_eq!(machine.stored_tokens(), before);
    let _served = get(&machine, "protocol=https\nhost=sentry.io\n")
        .success()
        .stdout_has(STORED);
}

#[test]
fn talkative_surroundings_do_not_make_it_talk() {
    let machine = with_session_of("https://sentry.io")
        .env("GIT_TRACE", "1")
        .env("GIT_TRACE_CURL", "1")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    let _served = get(&machine, "protocol=https\nhost=sentry.io\n")
        .success()
        .stderr_is("")
        .stdout_has(STORED);
}

#[test]
fn nothing_in_the_current_directory_is_run() {
    let machine = with_token();
    let here = machine.root().join("here");
    fs::create_dir(&here).expect("a new directory");
    let trap = format!("#!/bin/sh\ntouch {}/sprung\n", machine.root().display());
    let made = ["git", "sh", "xdg-open", "docker", "sentry"].map(|name| {
        fs::write(here.join(name), &trap).expect("a file");
        format!("chmod +x {name}")
    });
    let _made = machine
        .command("/bin/sh")
        .args(["-c", &made.join(";")])
        .current_dir(&here)
        .run()
        .success();
    for path in [".:/usr/bin:/bin", "", ":"] {
        for operation in ["get", "store", "erase"] {
            let _said = machine
                .git_credential(operation)
                .env("PATH", path)
                .current_dir(&here)
                .stdin("protocol=https\nhost=sentry.io\nusername=u\npassword=p\n")
                .run()
                .success();
        }
    }
    assert!(!machine.root().join("sprung").exists());
}

// Operations.

#[test]
fn the_capabilities_are_named() {
    let _named = git(&Sandbox::new(), "capability", "")
        .success()
        .stdout_is("version 0\ncapability authtype\ncapability state\n")
        .stderr_is("");
}

#[test]
fn an_operation_that_is_not_known_is_ignored() {
    let machine = with_token();
    let request = "protocol=https\nhost=sentry.io\nusername=u\npassword=p\n";
    for operation in ["fill", "approve", "GET", "get ", "", "--help;id", "--get"] {
        let _ignored = git(&machine, operation, request)
            .success()
            .stdout_is("")
            .stderr_is("");
    }
    let bare = machine.command(env!("CARGO_BIN_EXE_git-credential-sentry"));
    let _ignored = bare
        .stdin(request)
        .run()
        .success()
        .stdout_is("")
        .stderr_is("");
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_token_that_would_break_the_protocol_is_not_used() {
    for bad in ["a\nhost=evil.com", "a b", "tok\u{1b}[31m", "tôk", "a\rb"] {
        let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", bad);
        let _refused = get(&machine, "protocol=https\nhost=sentry.io\n")
            .fails(1)
            .stdout_is("")
            .stderr_is(
                "git-credential-sentry: cannot use the value of SENTRY_AUTH_TOKEN: \
                 a token is 1 to 4096 printable ASCII characters without spaces\n",
            );
        gets_nothing(&machine, "protocol=https\nhost=other.example\n");
        let machine = with_session_of("https://sentry.io");
        alter(&machine, "token", &bad);
        let _refused = get(&machine, "protocol=https\nhost=sentry.io\n")
            .fails(1)
            .stdout_is("")
            .never_says(bad);
    }
    let long = "x".repeat(4096);
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &long);
    let _longest = get(&machine, "protocol=https\nhost=sentry.io\n")
        .success()
        .stdout_is(&format!("username=oauth2\npassword={long}\n\n"));
    let machine = machine.env("SENTRY_AUTH_TOKEN", format!("{long}x"));
    let _too_long = get(&machine, "protocol=https\nhost=sentry.io\n")
        .fails(1)
        .stdout_is("");
}

#[test]
fn a_server_that_answers_with_a_broken_token_changes_nothing() {
    for bad in ["a\nhost=evil.com\n", "a b", "", "tôk", "x\0"] {
        let sentry = FakeSentry::start();
        let machine = with_session(&sentry, Age::EXPIRED);
        let before = machine.stored_tokens();
        sentry.rewrite(Endpoint::Refresh, move |answer| {
            answer["access_token"] = bad.into();
        });
        let _refused = get(&machine, described(&sentry)).fails(1).stdout_is("");
        assert_eq!(machine.stored_tokens(), before);
    }
}

// How a session is answered.

#[test]
fn a_session_is_a_user_name_a_password_and_an_expiry() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::FRESH);
    let token = sentry.current_access();
    alter(&machine, "expires_at", &4_797_905_611_643_i64);
    let _served = get(&machine, described(&sentry))
        .success()
        .stderr_is("")
        .stdout_is(&format!(
            "username=oauth2\npassword={token}\npassword_expiry_utc=4797905611\n\n"
        ));
    alter(&machine, "expires_at", &None::<i64>);
    let _served = get(&machine, described(&sentry))
        .success()
        .stderr_is("")
        .stdout_is(&format!("username=oauth2\npassword={token}\n\n"));
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn the_user_name_is_the_one_asked_for_else_the_bindings_else_oauth2() {
    let machine = with_session_of("https://sentry.io");
    alter(&machine, "expires_at", &None::<i64>);
    machine.bind(
        "git https://code.example",
        "https://sentry.io",
        Some("robot"),
    );
    machine.bind("git https://plain.example:8443", "https://sentry.io", None);
    for (request, username) in [
        ("host=code.example\n", "robot"),
        ("host=code.example\nusername=ann\n", "ann"),
        ("host=plain.example:8443\n", "oauth2"),
        ("host=plain.example:8443\nusername=ann\n", "ann"),
        ("host=sentry.io\n", "oauth2"),
        ("host=sentry.io\nusername=jane\n", "jane"),
        ("host=sentry.io\nusername=\n", ""),
    ] {
        let _served = get(&machine, format!("protocol=https\n{request}"))
            .success()
            .stderr_is("")
            .stdout_is(&format!("username={username}\npassword={STORED}\n\n"));
    }
    gets_nothing(&machine, "protocol=https\nhost=plain.example\n");
    gets_nothing(&machine, "protocol=https\nhost=x.code.example\n");
    gets_nothing(&machine, "protocol=http\nhost=code.example\n");
}

#[test]
fn the_session_of_the_user_that_is_asked_for_is_served() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let jane = sentry.issue();
    machine.seed_session(&sentry, &jane, Age::FRESH);
    sentry.set_user(crate::fake_sentry::User {
        id: "43".to_owned(),
        name: "Joe".to_owned(),
        username: "joe".to_owned(),
        email: "joe@example.com".to_owned(),
    });
    let joe = sentry.issue();
    machine.seed_session(&sentry, &joe, Age::FRESH);
    for (username, token) in [
        ("jane", &jane.access),
        ("jane@example.com", &jane.access),
        ("joe", &joe.access),
        ("somebody", &joe.access),
    ] {
        let request = format!("{}username={username}\n", described(&sentry));
        let _served = get(&machine, request)
            .success()
            .stdout_has(&format!("username={username}\npassword={token}\n"));
    }
    let _active = get(&machine, described(&sentry))
        .success()
        .stdout_has(&joe.access);
}

#[test]
fn a_challenge_gets_an_answer_of_its_scheme_where_the_caller_knows_schemes() {
    let machine = with_session_of("https://sentry.io");
    alter(&machine, "expires_at", &4_000_000_000_000_i64);
    let bearer = format!(
        "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential={STORED}\n\
         password_expiry_utc=4000000000\nephemeral=1\nstate[]=sentry:session\n\n"
    );
    let encoded = BASE64_STANDARD.encode(format!("oauth2:{STORED}"));
    let basic = format!(
        "capability[]=authtype\ncapability[]=state\nauthtype=Basic\ncredential={encoded}\n\
         password_expiry_utc=4000000000\nephemeral=1\nstate[]=sentry:session\n\n"
    );
    let password = |username: &str| {
        format!(
            "capability[]=authtype\ncapability[]=state\nusername={username}\npassword={STORED}\n\
             password_expiry_utc=4000000000\nephemeral=1\nstate[]=sentry:session\n\n"
        )
    };
    let old = format!("username=oauth2\npassword={STORED}\npassword_expiry_utc=4000000000\n\n");
    let both = "capability[]=authtype\ncapability[]=state\n";
    for (said, answer) in [
        (
            format!("{both}wwwauth[]=Bearer realm=\"r\", scope=\"s\"\n"),
            &bearer,
        ),
        (format!("{both}wwwauth[]=bearer\n"), &bearer),
        (
            format!("{both}wwwauth[]=Basic realm=\"r\"\nwwwauth[]=Bearer realm=\"r\"\n"),
            &bearer,
        ),
        (format!("{both}wwwauth[]=Basic realm=\"Bearer\"\n"), &basic),
        (
            format!("{both}wwwauth[]=Bearer\nwwwauth[]=\nwwwauth[]=Basic\n"),
            &basic,
        ),
        (format!("{both}wwwauth[]=BearerX\n"), &password("oauth2")),
        (both.to_owned(), &password("oauth2")),
        // RFC 7617 section 2: no user name of this scheme has a colon.
        (
            format!("{both}wwwauth[]=Basic\nusername=a:b\n"),
            &password("a:b"),
        ),
        ("wwwauth[]=Bearer realm=\"r\"\n".to_owned(), &old),
        (String::new(), &old),
    ] {
        let _served = get(&machine, format!("{said}protocol=https\nhost=sentry.io\n"))
            .success()
            .stderr_is("")
            .stdout_is(answer);
    }
    let _without_state = get(
        &machine,
        "capability[]=authtype\nprotocol=https\nhost=sentry.io\nwwwauth[]=Bearer\n",
    )
    .success()
    .stdout_is(&format!(
        "capability[]=authtype\nauthtype=Bearer\ncredential={STORED}\n\
         password_expiry_utc=4000000000\nephemeral=1\n\n"
    ));
    let _without_authtype = get(
        &machine,
        "capability[]=state\nprotocol=https\nhost=sentry.io\nwwwauth[]=Bearer\n",
    )
    .success()
    .stdout_is(&format!(
        "capability[]=state\nusername=oauth2\npassword={STORED}\n\
         password_expiry_utc=4000000000\nstate[]=sentry:session\n\n"
    ));
}

#[test]
fn the_refresh_token_is_never_said() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    let former = sentry.current();
    for extra in [
        "",
        "capability[]=authtype\n",
        "capability[]=authtype\ncapability[]=state\nwwwauth[]=Bearer\n",
        "oauth_refresh_token=x\n",
    ] {
        let said = get(&machine, format!("{}{extra}", described(&sentry))).success();
        let _kept = said
            .stdout_has(&sentry.current_access())
            .never_says(&former.refresh)
            .never_says(&sentry.current().refresh)
            .never_says("refresh");
    }
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn a_path_does_not_matter_to_a_session() {
    let machine = with_session_of("https://sentry.io");
    let path = "$(id)`id`%n../".repeat(4000);
    let _served = get(
        &machine,
        format!("protocol=https\nhost=sentry.io\npath={path}\n"),
    )
    .success()
    .stderr_is("")
    .stdout_has(&format!("username=oauth2\npassword={STORED}\n"));
}

// What git gives back.

#[test]
fn the_token_of_a_session_is_not_stored_again() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::STALE);
    let former = sentry.current_access();
    let _refreshed = get(&machine, described(&sentry)).success();
    let current = sentry.current_access();
    assert_ne!(former, current);
    for token in [&former, &current] {
        let host = described(&sentry);
        tell(
            &machine,
            "store",
            &format!("{host}username=oauth2\npassword={token}\n"),
        );
        tell(
            &machine,
            "store",
            &format!("{host}username=oauth2\npassword={token}\npassword_expiry_utc=4000000000\n"),
        );
        tell(
            &machine,
            "store",
            &format!("capability[]=authtype\n{host}authtype=Bearer\ncredential={token}\n"),
        );
    }
    assert_eq!(machine.stored_credentials(), 0);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn the_token_of_the_environment_is_not_stored() {
    let machine = with_token();
    tell(
        &machine,
        "store",
        &format!("protocol=https\nhost=sentry.io\nusername=oauth2\npassword={ENVIRONMENT}\n"),
    );
    tell(
        &machine,
        "erase",
        &format!("protocol=https\nhost=sentry.io\nusername=oauth2\npassword={ENVIRONMENT}\n"),
    );
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_password_for_an_instance_is_kept_beside_the_session() {
    let machine = with_session_of("https://sentry.io");
    let host = "protocol=https\nhost=sentry.io\n";
    let before = machine.stored_tokens();
    tell(
        &machine,
        "store",
        &format!("{host}username=ann\npassword=secret\n"),
    );
    let _stored = get(&machine, host)
        .success()
        .stdout_is("username=ann\npassword=secret\n\n");
    tell(
        &machine,
        "erase",
        &format!("{host}username=ann\npassword=secret\n"),
    );
    let _session = get(&machine, host).success().stdout_has(STORED);
    assert_eq!(machine.stored_tokens(), before);
}

#[test]
fn a_token_that_a_git_host_refuses_is_checked_once() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::FRESH);
    let (host, pair) = (described(&sentry), sentry.current());
    for rejected in [
        format!("username=oauth2\npassword={}\n", pair.access),
        format!("authtype=Bearer\ncredential={}\n", pair.access),
        format!(
            "authtype=Basic\ncredential={}\n",
            BASE64_STANDARD.encode(format!("oauth2:{}", pair.access))
        ),
    ] {
        let before = sentry.requests_to(Endpoint::Api).len();
        tell(&machine, "erase", &format!("{host}{rejected}"));
        assert_eq!(sentry.requests_to(Endpoint::Api).len(), before);
        for _ in 0..2 {
            let _served = get(&machine, &host)
                .success()
                .stderr_is("")
                .stdout_has(&pair.access);
        }
        let asked = sentry.requests_to(Endpoint::Api);
        assert_eq!(asked.len(), before + 1);
        assert_eq!(asked[before].route(), "/api/0/");
        assert_eq!(asked[before].method, "GET");
    }
    assert_eq!(sentry.refresh_attempts(), 0);
    assert_eq!(machine.stored_tokens(), Some(pair));
}

#[test]
fn a_refused_token_that_sentry_refuses_too_is_replaced() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::FRESH);
    let (host, former) = (described(&sentry), sentry.current_access());
    sentry.expire(&former);
    tell(
        &machine,
        "erase",
        &format!("{host}username=oauth2\npassword={former}\n"),
    );
    for _ in 0..3 {
        let _served = get(&machine, &host)
            .success()
            .stderr_is("")
            .stdout_has(&sentry.current_access())
            .never_says(&former);
    }
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_refused_token_is_served_while_sentry_does_not_answer() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::FRESH);
    let (host, pair) = (described(&sentry), sentry.current());
    tell(
        &machine,
        "erase",
        &format!("{host}username=oauth2\npassword={}\n", pair.access),
    );
    sentry.fault(
        Endpoint::Api,
        crate::fake_sentry::Answer::new(502, "text/html", "<h1>no</h1>"),
    );
    let _served = get(&machine, &host).success().stdout_has(&pair.access);
    assert_eq!(sentry.refresh_attempts(), 0);
    assert_eq!(machine.stored_tokens(), Some(pair));
}

#[test]
fn erasing_anything_else_changes_nothing() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::STALE);
    let (host, former) = (described(&sentry), sentry.current_access());
    let _refreshed = get(&machine, &host).success();
    let pair = sentry.current();
    for rejected in [
        format!("{host}username=oauth2\npassword={former}\n"),
        format!("{host}authtype=Bearer\ncredential={former}\n"),
        format!("{host}username=oauth2\npassword=something-else\n"),
        format!("{host}username=oauth2\npassword={}\n", pair.refresh),
        format!("{host}username=oauth2\n"),
        host.clone(),
        "protocol=https\nhost=other.example\n".to_owned(),
    ] {
        tell(&machine, "erase", &rejected);
        let _served = get(&machine, &host)
            .success()
            .stderr_is("")
            .stdout_has(&pair.access);
    }
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 0);
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(machine.stored_tokens(), Some(pair));
}

// When there is nothing to serve.

#[test]
fn an_instance_without_a_login_says_what_to_run() {
    let machine = Sandbox::new();
    let _told = get(&machine, "protocol=https\nhost=sentry.io\n")
        .fails(1)
        .stdout_is("")
        .stderr_is(
            "git-credential-sentry: not logged in to https://sentry.io (hint: `sentry auth login`)\n",
        );
    let machine = machine.env("SENTRY_URL", "https://s.example");
    let _told = get(&machine, "protocol=https\nhost=s.example\n")
        .fails(1)
        .stdout_is("")
        .stderr_is(
            "git-credential-sentry: not logged in to https://s.example \
             (hint: `sentry auth login --url https://s.example`)\n",
        );
    gets_nothing(&machine, "protocol=https\nhost=other.example\n");
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_dead_session_says_what_to_run_and_is_kept_in_mind() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    for _ in 0..2 {
        let _told = get(&machine, described(&sentry))
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("the session at {} has ended", sentry.url()))
            .stderr_has(&format!("`sentry auth login --url {}`", sentry.url()));
    }
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(sentry.device_codes(), 0);
    let row = machine.stored_row().expect("the row is still there");
    assert_eq!((row.token, row.refresh_token), (None, None));
    assert_eq!(
        (row.host, row.username.as_deref()),
        (Some(sentry.url()), Some("jane"))
    );
}

#[test]
fn a_person_who_says_no_is_not_asked_for_a_password() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    let mut person = Person::start_piped(machine.git_credential("get"), described(&sentry));
    person.expect("[Y/n]").type_line("n");
    assert_eq!(person.wait(), 0);
    assert_eq!(person.stdout(), "quit=1\n\n");
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn a_login_that_is_denied_in_the_browser_is_not_followed_by_a_question() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = with_session(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    sentry.deny_next();
    let mut person = Person::start_piped(machine.git_credential("get"), described(&sentry));
    person.expect("[Y/n]").type_line("y");
    let code = sentry.wait_for_code(Duration::from_secs(10));
    person.expect(&code);
    assert_eq!(person.wait(), 0);
    assert_eq!(person.stdout(), "quit=1\n\n");
}

#[test]
fn a_login_in_between_answers_the_request() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = with_session(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    sentry.approve_next();
    let mut person = Person::start_piped(machine.git_credential("get"), described(&sentry));
    person.expect("[Y/n]").type_line("");
    assert_eq!(person.wait(), 0, "{}", person.screen());
    let answer = person.stdout();
    let expected = format!("username=oauth2\npassword={}\n", sentry.current_access());
    assert!(answer.starts_with(&expected), "{answer}");
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}
