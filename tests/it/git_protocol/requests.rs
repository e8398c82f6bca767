//! Well-formed and malformed requests and operations.

use super::{get, gets_nothing, git};
use crate::helpers::{ENVIRONMENT, through_shell, with_token};
use crate::sandbox::Sandbox;
use std::time::Duration;

const MALFORMED: &str = "git-credential-sentry: the request is malformed\n";

#[track_caller]
fn is_malformed(machine: &Sandbox, request: impl AsRef<[u8]>) {
    for operation in ["get", "store", "erase"] {
        git(machine, operation, &request)
            .fails(1)
            .stdout_is("")
            .stderr_is(MALFORMED);
    }
}

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
        get(&machine, request)
            .success()
            .stderr_is("")
            .stdout_is(&format!("username=oauth2\npassword={ENVIRONMENT}\n\n"));
    }
}

#[test]
fn a_url_stands_for_its_parts() {
    let machine = with_token();
    for request in [
        "url=https://sentry.io\n",
        "url=https://sentry.io/a/b.git\n",
        "url=https://oauth2@sentry.io/a/b.git\n",
        "url=https://sentry.io\nprotocol=https\nhost=sentry.io\n",
    ] {
        get(&machine, request)
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
        get(
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
        get(
            &machine,
            [b"protocol=https\nhost=sentry.io\n", line, b"\n"].concat(),
        )
        .success()
        .stdout_has(ENVIRONMENT);
    }
    // Neither matters to a session: there is exactly one answer.
    for line in [&b"path=\xff"[..], b"username=\xff", b"password=\xff"] {
        get(
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
    get(&machine, request(65535))
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
    get(&machine, short_lines(100_000))
        .success()
        .stdout_has(ENVIRONMENT);
    is_malformed(&machine, short_lines(110_000));
    is_malformed(&machine, "x".repeat(2 << 20));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn monstrous_requests_cost_little_time_and_memory() {
    let machine = with_token();
    let fill = |unit: &str| unit.repeat(((1 << 20) - 200) / unit.len());
    let long = |key: &str, unit: &str| {
        let line = format!("{key}={}\n", unit.repeat(65_000 / unit.len()));
        line.repeat(((1 << 20) - 200) / line.len())
    };
    let get = |request: String| {
        let get = machine.git_credential("get").stdin(request);
        let limited = get.under("prlimit", &["--data=33554432", "--stack=1048576"]);
        let said = limited.limit(Duration::from_secs(20)).run();
        said.success().stderr_is("")
    };
    for filling in [
        fill("=\n"),
        fill("a=\n"),
        fill("host=sentry.io\n"),
        fill("url=https://sentry.io\n"),
        fill("capability[]=\n"),
        fill("wwwauth[]=Basic\n"),
        long("path", "a/"),
        long("password", "x"),
        long("wwwauth[]", "Basic "),
        long("wwwauth[]", ","),
        long("url=https://%41@sentry.io/", "%41"),
        long("url=https://sentry.io/", "/"),
    ] {
        let request = format!("protocol=https\nhost=sentry.io\n{filling}");
        get(request).stdout_has(&format!("password={ENVIRONMENT}\n"));
    }
    for filling in [
        fill("host=x\n"),
        long("host", "a."),
        long("protocol", "s"),
        long("url=https://", "sentry.io@"),
        long("url=https://", "sentry.io."),
        long("url=", "://"),
    ] {
        let request = format!("protocol=https\nhost=sentry.io\n{filling}");
        get(request).stdout_is("");
    }
}

#[test]
fn a_caller_that_keeps_its_end_open_is_answered_at_the_blank_line() {
    let machine = with_token();
    let script = "mkfifo pipe && exec 3<>pipe && \
                  printf 'protocol=https\\nhost=sentry.io\\n\\n' >&3 && exec \"$HELPER\" get <&3";
    through_shell(
        &machine,
        env!("CARGO_BIN_EXE_git-credential-sentry"),
        script,
    )
    .run()
    .success()
    .stderr_is("")
    .stdout_is(&format!("username=oauth2\npassword={ENVIRONMENT}\n\n"));
}

#[test]
fn the_capabilities_are_named() {
    git(&Sandbox::new(), "capability", "")
        .success()
        .stdout_is("version 0\ncapability authtype\ncapability state\n")
        .stderr_is("");
}

#[test]
fn an_operation_that_is_not_known_is_ignored() {
    let machine = with_token();
    let request = "protocol=https\nhost=sentry.io\nusername=u\npassword=p\n";
    for operation in ["fill", "approve", "GET", "get ", "", "--help;id", "--get"] {
        git(&machine, operation, request)
            .success()
            .stdout_is("")
            .stderr_is("");
    }
    let bare = machine.command(env!("CARGO_BIN_EXE_git-credential-sentry"));
    bare.stdin(request)
        .run()
        .success()
        .stdout_is("")
        .stderr_is("");
    assert!(!machine.config_dir().exists());
}
