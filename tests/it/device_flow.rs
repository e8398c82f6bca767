//! The device flow against failing servers, proxies and settings.
//!
//! Separate from `login`, which has what a user sees when everything works.

use std::time::Duration;

use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::sandbox::{Cmd, Sandbox};
use crate::terminal::TtyUser;
use crate::tls::{Certificate, Tls};
use serde_json::{Value, json};

fn sentry() -> FakeSentry {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry
}

fn login(machine: &Sandbox) -> Cmd {
    machine.sentry(&["auth", "login", "--no-browser"])
}

fn page(status: u16) -> Answer {
    Answer::new(
        status,
        "text/html",
        "<!doctype html><title>Forbidden</title>",
    )
}

/// Answers that say nothing about a login.
fn disturbances() -> Vec<(&'static str, Fault)> {
    let json = |status, body: Value| Fault::from(Answer::json(status, &body));
    let mut all: Vec<(&'static str, Fault)> = [
        200, 201, 400, 401, 403, 404, 405, 407, 408, 410, 413, 418, 421, 425, 429, 431, 451, 500,
        502, 503, 504, 511, 599,
    ]
    .map(|status| ("a page", page(status).into()))
    .into();
    for status in [301, 302, 303, 307, 308] {
        let to = page(status).header("Location", "https://portal.example/");
        all.push(("a redirect", to.into()));
    }
    all.extend([
        ("nothing", Answer::new(204, "text/plain", "").into()),
        (
            "a gateway",
            json(
                403,
                json!({"status": 403, "error": "Forbidden", "path": "/"}),
            ),
        ),
        (
            "an API",
            json(
                400,
                json!({"error": {"code": 400, "message": "invalid_grant"}}),
            ),
        ),
        (
            "a detail",
            json(
                401,
                json!({"detail": "Authentication credentials were not provided."}),
            ),
        ),
        ("escapes", json(400, json!({"error": "\u{1b}[31mred"}))),
        (
            "tokens as an error",
            json(400, json!({"access_token": "sntryu_x"})),
        ),
        (
            "trouble with a code",
            json(503, json!({"error": "temporarily_unavailable"})),
        ),
        (
            "too much with a code",
            json(429, json!({"error": "rate_limited"})),
        ),
        ("a reset", Fault::ResetBefore),
        (
            "no HTTP",
            Fault::Raw(b"220 smtp.example ESMTP\r\n".to_vec()),
        ),
    ]);
    all
}

/// A login polls again, more slowly, after each of these answers.
pub fn continues_polling(answers: Vec<(&'static str, Fault)>) {
    let begin = |(case, fault)| {
        let sentry = sentry();
        sentry.approve_next();
        sentry.fault(Endpoint::Poll, fault);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = login(&machine).spawn();
        (case, sentry, machine, login)
    };
    let logins: Vec<_> = answers.into_iter().map(begin).collect();
    for (case, sentry, machine, login) in logins {
        login.wait().success();
        assert_eq!(machine.stored_tokens(), Some(sentry.current()), "{case}");
        let polls = sentry.requests_to(Endpoint::Poll);
        assert_eq!(polls.len(), 2, "{case}");
        let pause = polls[1].at.duration_since(polls[0].at);
        assert!(pause >= Duration::from_millis(1900), "{case}: {pause:?}");
    }
}

#[test]
fn polling_ends_at_an_error_of_oauth_only() {
    continues_polling(disturbances());
}

#[test]
fn the_last_failure_before_the_deadline_is_reported() {
    let cases = [
        (
            page(403).into(),
            "the server answered HTTP 403 with an HTML page",
        ),
        (
            page(302).header("Location", "/login").into(),
            "the server answered with a redirect (HTTP 302), which is not followed",
        ),
        (
            Answer::json(400, &json!({})).into(),
            "the server answered HTTP 400 without an OAuth error",
        ),
        (Fault::ResetBefore, "the connection to "),
    ];
    let logins = cases.map(|(fault, why)| {
        let sentry = sentry();
        sentry.fault_always(Endpoint::Poll, fault);
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = login(&machine).args(["--timeout", "4"]).spawn();
        (sentry, machine, login, why)
    });
    for (sentry, machine, login, why) in logins {
        let url = sentry.url();
        login.wait().fails(1).stderr_has(&format!(
            "error: {url} gave no valid answer before the login timed out: {why}"
        ));
        assert_eq!(machine.stored_tokens(), None);
        // After one second, and two seconds later; the next poll would be too late.
        assert_eq!(sentry.polls(), 2, "{why}");
    }
}

#[test]
fn the_words_of_the_server_stand_in_brackets() {
    let cases = [
        (
            400,
            "access_denied",
            "the login was denied in the browser (not \u{1b}today); nothing was stored\n",
        ),
        (
            400,
            "expired_token",
            "the code expired before it was approved (not \u{1b}today)\n",
        ),
        (
            400,
            "invalid_scope",
            "refused the login: HTTP 400, `invalid_scope` (not \u{1b}today)\n",
        ),
        (
            401,
            "invalid_client",
            "refused the login: HTTP 401, `invalid_client` (not \u{1b}today)\n",
        ),
        (
            403,
            "org_policy",
            "refused the login: HTTP 403, `org_policy` (not \u{1b}today)\n",
        ),
    ];
    let logins = cases.map(|(status, code, words)| {
        let sentry = sentry();
        let body = json!({"error": code, "error_description": "not \u{1b}today\u{202e}\n"});
        sentry.fault_always(Endpoint::Poll, Answer::json(status, &body));
        let machine = Sandbox::new().for_sentry(&sentry);
        let login = login(&machine).spawn();
        (sentry, machine, login, words.replace('\u{1b}', ""))
    });
    for (sentry, _machine, login, words) in logins {
        login.wait().fails(1).stderr_has(&words);
        assert_eq!(sentry.polls(), 1);
    }
    // The same before the code, and for a refresh.
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let body = json!({"error": "invalid_scope", "error_description": "`x:y` is no scope"});
    let refused = Answer::json(400, &body);
    sentry.fault(Endpoint::DeviceCode, refused.clone());
    let url = sentry.url();
    login(&machine).run().fails(1).stderr_is(&format!(
        "error: {url} refused the login: HTTP 400, `invalid_scope` (`x:y` is no scope)\n\
         hint: `sentry auth login --url {url} --scope SCOPE` asks for others\n"
    ));
    machine.seed_session(&sentry, &sentry.issue(), crate::sandbox::Age::FRESH);
    sentry.fault(Endpoint::Refresh, refused);
    let refresh = machine.sentry(&["auth", "refresh", "--force"]);
    refresh.run().fails(1).stderr_has(&format!(
        "{url} refused to refresh the token: HTTP 400, `invalid_scope` (`x:y` is no scope)\n"
    ));
}

#[test]
fn a_missing_device_endpoint_differs_from_a_refusal_and_its_hint_works() {
    let sentry = sentry();
    sentry.add_api_token("sntryu_known");
    let machine = Sandbox::new().for_sentry(&sentry);
    let url = sentry.url();
    let json = |status, body: Value| Answer::json(status, &body);
    // Sentry before 26.1 answers the first of them, with its CSRF page.
    for answer in [
        page(403),
        page(404),
        page(200),
        page(302).header("Location", "/auth/login/"),
        page(405),
        page(407),
        page(502),
        Answer::new(404, "text/plain", ""),
        Answer::new(204, "text/plain", ""),
        json(200, json!({})),
        json(200, json!({"device_code": "x"})),
        json(401, json!({"detail": "no"})),
        json(403, json!({"error": "Forbidden"})),
        json(400, json!({"error": {"code": 1}})),
    ] {
        let status = answer.status;
        sentry.fault(Endpoint::DeviceCode, answer);
        login(&machine).run().fails(1).stderr_is(&format!(
            "error: {url} answered HTTP {status}: this is not the device endpoint of Sentry 26.1.0 or newer, \
             or something stands in between\n\
             hint: `sentry auth login --url {url} --with-token` takes an API token\n"
        ));
        assert_eq!(machine.stored_tokens(), None);
    }
    let busy = Answer::new(503, "text/plain", "");
    sentry.fault(Endpoint::DeviceCode, busy);
    let told = login(&machine).run().fails(1);
    told.stderr_is(&format!("error: {url} refused the login: HTTP 503\n"));
    let way_out = machine.sentry(&["auth", "login", "--url", &url, "--with-token"]);
    way_out.stdin("sntryu_known\n").run().success();
}

#[test]
fn a_url_prefix_that_is_empty_or_has_no_tls_is_written_on_the_instance() {
    let sentry = sentry();
    let tls = Tls::with(Certificate::Good, &sentry);
    let machine = Sandbox::new()
        .env("SENTRY_CLIENT_ID", CLIENT_ID)
        .env("SENTRY_URL", tls.url())
        .env("SSL_CERT_FILE", tls.authority());
    for (place, complete) in [
        ("/oauth/device/", "/oauth/device/?user_code=AB-CD"),
        (
            "http://127.0.0.1/oauth/device/",
            "http://127.0.0.1:9000/oauth/device/?user_code=AB-CD",
        ),
        (
            "//127.0.0.1/oauth/device/",
            "HTTP://127.0.0.1/oauth/device/?user_code=AB-CD",
        ),
    ] {
        let place = place.replace("//127.0.0.1/", &format!("//127.0.0.1:{}/", tls.port()));
        sentry.rewrite(Endpoint::DeviceCode, move |answer| {
            answer["verification_uri"] = place.clone().into();
            answer["verification_uri_complete"] = complete.into();
        });
        sentry.approve_next();
        let mut user = TtyUser::start(login(&machine).arg("--force"));
        user.expect(&format!(
            "open   {}/oauth/device/?user_code=AB-CD\n",
            tls.url()
        ));
        assert_eq!(user.wait(), 0, "{}", user.screen());
        sentry.fix();
    }
}

#[test]
fn an_instance_with_another_name_for_itself_is_reported_with_a_remedy() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let url = sentry.url();
    for (address, named, usable) in [
        (
            "https://sentry.acme.example/oauth/device/",
            "https://sentry.acme.example",
            "https://sentry.acme.example",
        ),
        (
            "http://sentry.acme.example/x",
            "http://sentry.acme.example",
            "https://sentry.acme.example",
        ),
        (
            "//sentry.acme.example:8443/x",
            "http://sentry.acme.example:8443",
            "https://sentry.acme.example:8443",
        ),
        (
            "http://127.0.0.1:1/x",
            "http://127.0.0.1:1",
            "http://127.0.0.1:1",
        ),
    ] {
        sentry.rewrite(Endpoint::DeviceCode, move |answer| {
            answer["verification_uri"] = address.into();
        });
        let told = login(&machine).run().fails(1);
        told.stderr_is(&format!(
            "error: {url} sent a verification address at {named}, which is not this instance\n\
             hint: `sentry auth login --url {usable}`, as the instance calls itself {named}; or correct system.url-prefix\n"
        ));
        sentry.fix();
    }
    assert_eq!(sentry.polls(), 0);
}

#[test]
fn a_login_that_gets_fewer_scopes_says_which_are_missing() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let said = |granted: Value| {
        sentry.rewrite(Endpoint::Poll, move |answer| {
            answer["scope"] = granted.clone()
        });
        sentry.approve_next();
        let login = login(&machine).args(["--force", "--scope", "org:read,org:write,event:read"]);
        let said = login.run().success().stderr;
        sentry.fix();
        let line = said.lines().find(|line| line.contains("did not grant"));
        line.unwrap_or_default().to_owned()
    };
    assert_eq!(
        said("event:read project:read".into()),
        format!(
            "{} did not grant all requested scopes; missing: `org:read`, `org:write`",
            sentry.url()
        )
    );
    assert_eq!(said("org:write event:read org:read team:read".into()), "");
    assert_eq!(said(Value::Null), "");
}

/// A program that records its arguments, and ends in this way.
fn program(machine: &Sandbox, name: &str, ending: &str) -> String {
    let file = machine.root().join(name);
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$0.args\"\n{ending}\n");
    let install = machine
        .command("sh")
        .args(["-c", "cat >\"$0\"; chmod +x \"$0\""]);
    install.arg(&file).stdin(script).run().success();
    file.to_str().expect("a plain path").to_owned()
}

#[test]
fn a_browser_is_claimed_to_be_opened_when_it_has_not_failed() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let (good, slow) = (
        program(&machine, "good", "exit 0"),
        program(&machine, "slow", "exec sleep 3"),
    );
    let bad = program(&machine, "bad", "exit 3");
    let opened = |browser: &str, more: &[(&str, &str)]| {
        sentry.approve_next();
        let mut login = machine
            .sentry(&["auth", "login", "--force"])
            .env("BROWSER", browser);
        for (name, value) in more {
            login = login.env(name, value);
        }
        let said = login.run().success().stderr;
        said.contains("a browser was opened")
    };
    let told = |program: &str| {
        let args = std::fs::read_to_string(format!("{program}.args")).unwrap_or_default();
        let _gone = std::fs::remove_file(format!("{program}.args"));
        args
    };
    let is_told = |program: &str| told(program).contains("/oauth/device/?user_code=");
    assert!(opened(&good, &[]) && is_told(&good));
    assert!(opened(&slow, &[]) && is_told(&slow));
    assert!(!opened(&bad, &[]) && is_told(&bad));
    // One after the other, until one succeeds; over SSH too, because they are an explicit choice.
    let list = format!("/no/such/program:{bad}:{good}:{slow}");
    assert!(opened(
        &list,
        &[("SSH_CONNECTION", "1"), ("SSH_TTY", "/dev/pts/0")]
    ));
    assert!(is_told(&bad) && is_told(&good) && !is_told(&slow));
    // A name on PATH, with arguments.
    let path = format!("{}:/usr/bin:/bin", machine.root().display());
    assert!(opened("good --new-window %s --quiet", &[("PATH", &path)]));
    let args = told(&good);
    assert!(
        args.starts_with("--new-window\nhttp://") && args.ends_with("\n--quiet\n"),
        "{args}"
    );
    assert!(!opened("./good", &[]) && told(&good).is_empty());
    // Without an explicit choice nothing is opened over SSH, nor without a display; WSL's counts as one.
    program(&machine, "wslview", "exit 0");
    let wslview = machine.root().join("wslview").display().to_string();
    assert!(!opened("", &[("PATH", &path)]) && !is_told(&wslview));
    assert!(opened("", &[("PATH", &path), ("WSL_DISTRO_NAME", "Debian")]) && is_told(&wslview));
    let remote = [
        ("PATH", path.as_str()),
        ("WSL_DISTRO_NAME", "Debian"),
        ("SSH_TTY", "x"),
    ];
    assert!(!opened("", &remote) && !is_told(&wslview));
    // The option that forbids a browser outranks any choice.
    sentry.approve_next();
    let never = login(&machine).arg("--force").env("BROWSER", &good);
    let said = never.run().success().stderr;
    assert!(!said.contains("a browser was opened") && told(&good).is_empty());
}
