//! The report of `sentry auth doctor` about the route to an instance: proxies, authorities, and git's own settings.

use std::fs;

use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::sandbox::{Age, Output, Sandbox};
use crate::tls::Tls;

/// A machine with a session at this instance.
fn machine_at(sentry: &FakeSentry, url: &str) -> Sandbox {
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
    machine.move_session(url);
    machine
}

fn doctor(machine: &Sandbox) -> Output {
    let report = machine.sentry(&["auth", "doctor"]).run();
    report.never_says("proxy-word").never_says("header-word")
}

/// The lines about the network route.
fn lines(report: &Output) -> String {
    let mut shown = String::new();
    let mut is_ours = false;
    for line in report.stdout.lines() {
        let name = line.get(9..).unwrap_or_default();
        is_ours = name.starts_with("network:")
            || name.starts_with("git http:")
            || (is_ours && name.starts_with("hint:"));
        if is_ours {
            shown += line;
            shown += "\n";
        }
    }
    shown
}

#[test]
fn this_machine_itself_has_no_way() {
    let sentry = FakeSentry::start();
    let machine = machine_at(&sentry, &sentry.url()).env("HTTPS_PROXY", "http://127.0.0.1:1");
    let report = doctor(&machine);
    let expected = format!(
        "ok       network: to {}: this machine itself\n",
        sentry.url()
    );
    assert_eq!(lines(&report), expected);
}

#[test]
fn the_proxy_in_force_is_named_with_what_names_it_and_without_its_password() {
    let sentry = FakeSentry::start();
    let instance = "https://sentry.invalid";
    let shown = |machine: Sandbox| {
        let report = doctor(&machine).fails(1);
        let trusted = "; the system's authorities\n";
        let line = lines(&report);
        let line = line.lines().find(|line| line.contains("network:"));
        let line = format!("{}\n", line.expect("a line"));
        let start = format!("ok       network: to {instance}: ");
        let way = line
            .strip_prefix(&start)
            .and_then(|line| line.strip_suffix(trusted));
        way.unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let machine = || machine_at(&sentry, instance);
    assert_eq!(shown(machine()), "no proxy");
    let with = |name: &str, value: &str| shown(machine().env(name, value));
    assert_eq!(
        with("HTTPS_PROXY", "http://joe:proxy-word@127.0.0.1:1"),
        "http://127.0.0.1:1 with a user name, from HTTPS_PROXY"
    );
    assert_eq!(
        with("all_proxy", "socks5h://127.0.0.1:1/x"),
        "socks5h://127.0.0.1:1, from all_proxy"
    );
    let excepted = machine()
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "invalid");
    assert_eq!(shown(excepted), "no proxy");
    let of_git = machine();
    let config = "[http]\n\tproxy = http://joe:proxy-word@127.0.0.1:1\n";
    fs::write(of_git.home().join(".gitconfig"), config).expect("a file");
    assert_eq!(
        shown(of_git),
        "http://127.0.0.1:1 with a user name, from git's `http.proxy`"
    );
}

#[test]
fn a_proxy_or_authorities_that_cannot_be_used_are_a_problem() {
    let sentry = FakeSentry::start();
    for (variable, value, told) in [
        (
            "HTTPS_PROXY",
            "gopher://joe:proxy-word@x",
            "cannot use the value of HTTPS_PROXY: its scheme is not http, https, socks4, socks4a, socks5 or socks5h\n         \
             hint: `export HTTPS_PROXY=PROXY`, which looks like `http://proxy.example.com:3128` or `socks5h://127.0.0.1:1080`\n",
        ),
        (
            "SSL_CERT_FILE",
            "/nowhere",
            "cannot use /nowhere, which SSL_CERT_FILE names: no such file or directory\n         \
             hint: `unset SSL_CERT_FILE`, or name one with certificates (PEM)\n",
        ),
    ] {
        let machine = machine_at(&sentry, "https://sentry.invalid").env(variable, value);
        let report = doctor(&machine).fails(1);
        assert_eq!(lines(&report), format!("problem  network: {told}"));
    }
    // Without a session the report is about the route to the instance of the next login.
    let machine = Sandbox::new().env("ALL_PROXY", "gopher://x");
    let report = doctor(&machine).fails(1);
    assert!(lines(&report).starts_with("problem  network: cannot use the value of ALL_PROXY: "));
}

#[test]
fn authorities_in_force_are_named_and_one_that_is_missing_has_a_remedy_that_works() {
    let sentry = FakeSentry::start();
    let tls = Tls::start(&sentry);
    let machine = machine_at(&sentry, &tls.url());
    let report = doctor(&machine).fails(1);
    report.stdout_has(
        "         hint: `export SSL_CERT_FILE=FILE` with the certificate of that authority, \
         or NODE_EXTRA_CA_CERTS to add it to the system's\n",
    );
    let file = tls.authority().display().to_string();
    let fixed = machine.env("SSL_CERT_FILE", &file);
    let report = doctor(&fixed).success();
    let url = tls.url();
    let expected = format!("ok       network: to {url}: no proxy; {file}, from SSL_CERT_FILE\n");
    assert_eq!(lines(&report), expected);
    let more = fixed
        .env("SSL_CERT_FILE", "")
        .env("NODE_EXTRA_CA_CERTS", &file);
    let report = doctor(&more).success();
    let expected = format!(
        "ok       network: to {url}: no proxy; the system's authorities; {file}, from NODE_EXTRA_CA_CERTS\n"
    );
    assert_eq!(lines(&report), expected);
}

#[test]
fn gits_own_settings_in_force_are_shown_for_instances_and_for_bound_hosts() {
    let sentry = FakeSentry::start();
    let machine = machine_at(&sentry, "https://sentry.invalid");
    let config = "[http]\n\tproxy = http://joe:proxy-word@127.0.0.1:1\n\textraHeader = header-word: 1\n\
         \tcookieFile = header-word\n\
         [http \"https://git.example\"]\n\tproxy = \n\tsslVerify = false\n\tpostBuffer = 524288000\n";
    fs::write(machine.home().join(".gitconfig"), config).expect("a file");
    machine.bind("git https://git.example", "https://sentry.invalid", None);
    let report = doctor(&machine).fails(1);
    let shown = lines(&report);
    let of_git: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("git http:"))
        .collect();
    assert_eq!(
        of_git,
        [
            "ok       git http: git, to https://sentry.invalid: http.proxy=http://127.0.0.1:1, \
             http.cookiefile=(not shown), http.extraheader=(not shown)",
            "ok       git http: git, to https://git.example: http.sslVerify=false, http.postBuffer=524288000, \
             http.cookiefile=(not shown), http.extraheader=(not shown)",
        ]
    );
}
