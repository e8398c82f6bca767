//! `SENTRY_CUSTOM_HEADERS`: an instance behind a proxy that requires a header, as identity-aware proxies do.

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry};
use crate::machine::Machine;
use crate::nginx::serve;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::Service;

const KEY: &str = "k3y-of-the-proxy";

/// A Sentry behind nginx, which requires two headers.
struct Guarded {
    sentry: FakeSentry,
    machine: Sandbox,
    _nginx: Service,
}

impl Guarded {
    fn new() -> Guarded {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        let machine = Sandbox::new();
        let behind = sentry.url();
        let (mut nginx, address) = serve(&machine, "warn", |address| {
            format!(
                "server {{
                   listen {address};
                   if ($http_x_proxy_key != '{KEY}') {{ return 403; }}
                   if ($http_x_team != 'core team') {{ return 403; }}
                   location / {{ proxy_pass {behind}; proxy_set_header Host $http_host; }}
                 }}"
            )
        });
        let host = address.to_string();
        nginx.wait_until(|| {
            let answer = crate::nginx::get(&host, "/", "").ok()?;
            answer.starts_with("HTTP/1.1 403").then_some(())
        });
        let url = format!("http://{host}");
        // Sentry calls itself as it is reached.
        let (inner, outer) = (sentry.url(), url.clone());
        sentry.rewrite(Endpoint::DeviceCode, move |body| {
            for name in ["verification_uri", "verification_uri_complete"] {
                let address = body[name].as_str().unwrap().replace(&inner, &outer);
                body[name] = address.into();
            }
        });
        sentry.set_regions(false);
        let machine = machine
            .env("SENTRY_URL", &url)
            .env("SENTRY_CLIENT_ID", CLIENT_ID);
        Guarded {
            sentry,
            machine,
            _nginx: nginx,
        }
    }

    fn auth(&self, args: &[&str]) -> Cmd {
        self.machine.sentry(&["auth"]).args(args)
    }
}

fn headers() -> String {
    format!("X-Proxy-Key: {KEY}; X-Team: core team")
}

#[test]
fn login_status_and_refresh_go_through_a_proxy_that_demands_headers() {
    let guarded = Guarded::new();
    let with = |args: &[&str]| guarded.auth(args).env("SENTRY_CUSTOM_HEADERS", headers());
    guarded.sentry.approve_next();
    with(&["login", "--no-browser"])
        .run()
        .success()
        .never_says(KEY);
    let status = with(&["status"]).run().success().never_says(KEY);
    status.stdout_has("Authenticated as: jane\nOrganization: my-org\n");
    // By a worker.
    with(&["refresh", "--force"])
        .run()
        .success()
        .never_says(KEY);
    assert_eq!(guarded.sentry.refreshes(), 1);
    for request in guarded.sentry.requests() {
        assert_eq!(request.header("X-Proxy-Key"), Some(KEY), "{}", request.path);
        assert_eq!(request.header("X-Team"), Some("core team"));
    }
    // Without them the proxy answers, and nothing is lost.
    let asked = guarded.sentry.requests().len();
    guarded.auth(&["refresh", "--force"]).run().fails(1);
    assert_eq!(guarded.sentry.requests().len(), asked);
    let token = guarded.auth(&["token"]).run().success();
    token.stdout_has(&guarded.sentry.current_access());
}

#[test]
fn what_the_official_cli_stored_is_used_where_no_variable_says_anything() {
    let guarded = Guarded::new();
    guarded.sentry.approve_next();
    let login = guarded.auth(&["login", "--no-browser"]);
    let login = login.env("SENTRY_CUSTOM_HEADERS", headers());
    login.run().success();
    let store = guarded.machine.database().unwrap();
    let metadata =
        "CREATE TABLE IF NOT EXISTS metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL)";
    store.execute_batch(metadata).unwrap();
    let set = "INSERT OR REPLACE INTO metadata VALUES ('defaults.headers', ?)";
    store.execute(set, [headers()]).unwrap();
    let refreshed = guarded.auth(&["refresh", "--force"]).run().success();
    refreshed.never_says(KEY);
    assert_eq!(guarded.sentry.refreshes(), 1);
    // The variable outranks the stored headers, and each is reported with its source.
    let other = guarded.auth(&["refresh", "--force"]);
    let other = other.env("SENTRY_CUSTOM_HEADERS", "X-Proxy-Key: other");
    other.run().fails(1).never_says(KEY);
    store.execute(set, ["X-Proxy-Key"]).unwrap();
    guarded
        .auth(&["refresh", "--force"])
        .run()
        .fails(1)
        .stderr_has("cannot use the value of `sentry cli defaults headers`: ");
}

#[test]
fn a_malformed_value_is_an_error_that_names_the_variable_and_sends_nothing() {
    let scene = Machine::new().login(Age::FRESH);
    for value in [
        KEY,
        "X-Key k3y-of-the-proxy",
        "X-Key: k3y-of-the-proxy\rHost: evil.example",
        "X Key: k3y-of-the-proxy",
        "Authorization: k3y-of-the-proxy",
        "HOST: k3y-of-the-proxy",
        "Content-Length: 0; X: k3y-of-the-proxy",
        "Transfer-Encoding: k3y-of-the-proxy",
        "X: k3y-of-the-proxy; Connection: close",
        "X: k3y-of-the-pr\u{f6}xy",
    ] {
        for args in [&["refresh", "--force"][..], &["login", "--force"]] {
            let cmd = scene.sandbox.sentry(&["auth"]).args(args);
            let cmd = cmd.env("SENTRY_CUSTOM_HEADERS", value);
            let refused = cmd.env("SENTRY_CREDENTIAL_TRACE", "1").run().fails(1);
            let refused = refused.stderr_has("cannot use the value of SENTRY_CUSTOM_HEADERS: ");
            refused.never_says("k3y").never_says("evil");
        }
    }
    assert_eq!(scene.sentry.requests().len(), 0);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
}

#[test]
fn a_newline_separates_headers_and_can_begin_no_line_of_a_request() {
    let scene = Machine::new().login(Age::FRESH);
    let value = "X-One: 1\r\nX-Two: 2\n\nX-Three: 3";
    let refresh = scene.refresh().env("SENTRY_CUSTOM_HEADERS", value);
    refresh.run().success();
    let asked = &scene.sentry.requests_to(Endpoint::Refresh)[0];
    for (name, value) in [("X-One", "1"), ("X-Two", "2"), ("X-Three", "3")] {
        assert_eq!(asked.header(name), Some(value));
    }
    assert_eq!(asked.field("grant_type"), Some("refresh_token"));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn they_show_in_no_trace_no_argument_and_no_child_but_the_worker() {
    let scene = Machine::new().login(Age::EXPIRED);
    let calls = scene.sandbox.root().join("calls");
    let refresh = scene.refresh().env("SENTRY_CUSTOM_HEADERS", headers());
    let refresh = refresh.env("SENTRY_CREDENTIAL_TRACE", "1");
    let traced = refresh.traced("execve", &calls).run().success();
    let traced = traced.stderr_has("with the headers `X-Proxy-Key`, `X-Team`");
    traced.never_says(KEY).never_says("core team");
    let calls = std::fs::read_to_string(calls).unwrap();
    for call in calls.lines().filter(|line| line.contains("execve(")) {
        let is_ours = call.contains(env!("CARGO_BIN_EXE_sentry"));
        let (arguments, environment) = call.split_once("], [").unwrap();
        assert!(!arguments.contains(KEY), "{call}");
        assert!(is_ours || !environment.contains(KEY), "{call}");
    }
}

#[test]
fn a_cached_get_does_not_read_them() {
    let scene = Machine::new().session(Age::FRESH);
    for reader in scene.readers() {
        let cmd = reader.env("SENTRY_CUSTOM_HEADERS", "malformed");
        cmd.run().success().stdout_has(&scene.pair.access);
    }
}
