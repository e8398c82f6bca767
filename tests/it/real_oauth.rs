//! Logins and refreshes at real OAuth servers: npm's oidc-provider, which revokes a login when a refresh token is used
//! twice, with a real Chromium as its user; and PyPI's django-oauth-toolkit, which does so only if configured.
//!
//! `tests/run` installs them; `tests/oauth_servers/` serves them at Sentry's addresses.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::fake_sentry::{CLIENT_ID, Pair};
use crate::nginx::get;
use crate::sandbox::{Cmd, Running, Sandbox};
use crate::service::{Service, tool};

/// The directory of the peers that `tests/run` installs.
fn peers() -> PathBuf {
    // Of a build for another target, that is a directory further up.
    let above = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors();
    let mut peers = above.map(|dir| dir.join("tmp/peers"));
    peers
        .find(|dir| dir.join("oauth").exists() && dir.join("django").exists())
        .expect("run tests/run")
}

fn script(name: &str) -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth_servers");
    scripts.join(name)
}

/// A running server, and a machine that knows it.
struct Server {
    service: Service,
    address: SocketAddr,
    machine: Sandbox,
}

impl Server {
    fn oidc() -> Self {
        Self::start(|machine, port| {
            let node = peers().join("node_modules/node-22/bin/node");
            machine
                .command(node)
                .arg(script("oidc.mjs"))
                .arg(peers().join("oauth"))
                .arg(port.to_string())
        })
    }

    fn django(reuse: &str) -> Self {
        Self::start(|machine, port| {
            machine
                .command("python3")
                .arg(script("dot.py"))
                .arg(machine.root().join("db"))
                .args([&port.to_string(), reuse])
                .env("PYTHONPATH", peers().join("django"))
                .env("PYTHONDONTWRITEBYTECODE", "1")
        })
    }

    fn start(cmd: impl Fn(&Sandbox, u16) -> Cmd) -> Self {
        let machine = Sandbox::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let cmd = cmd(&machine, address.port());
        let mut service = Service::start(cmd, OwnedFd::from(listener));
        service.wait_until(|| {
            let answer = get(&address.to_string(), "/api/0/", "").ok()?;
            answer.contains(" 401 ").then_some(())
        });
        Self {
            service,
            address,
            machine: machine
                .env("SENTRY_URL", format!("http://{address}"))
                .env("SENTRY_CLIENT_ID", CLIENT_ID),
        }
    }

    fn login(&self) -> Running {
        let scopes = ["--scope", "org:read,event:read"];
        let login = self
            .machine
            .sentry(&["auth", "login", "--no-browser", "--force"]);
        login.args(scopes).spawn()
    }

    fn refresh(&self) -> Cmd {
        self.machine.sentry(&["auth", "refresh", "--force"])
    }

    fn stored(&self) -> Pair {
        self.machine.stored_tokens().expect("a session")
    }

    /// The server accepts this access token.
    fn takes(&self, access: &str) -> bool {
        let authorization = format!("Bearer {access}");
        let answer = get(&self.address.to_string(), "/api/0/", &authorization);
        answer.expect("an answer").contains(" 200 ")
    }

    /// How often the server's output has this text.
    fn count(&self, words: &str) -> usize {
        self.service.said().matches(words).count()
    }

    /// Ages the stored access token.
    fn expire(&self) {
        let store = self.machine.database().expect("a store");
        let expired = "UPDATE accounts SET expires_at = (unixepoch() - 60) * 1000";
        assert_eq!(store.execute(expired, []), Ok(1));
    }

    /// Ten at once get the same new token for one refresh.
    fn ten_at_once(&self) -> Pair {
        self.expire();
        let token = || self.machine.sentry(&["auth", "token"]).spawn();
        let crowd: Vec<Running> = (0..10).map(|_| token()).collect();
        let answers = crowd.into_iter().map(|one| one.wait().success().stdout);
        let answers: Vec<String> = answers.collect();
        let pair = self.stored();
        for answer in answers {
            assert_eq!(answer.trim_end(), pair.access);
        }
        pair
    }
}

/// The address that a login shows.
fn address(login: &Running) -> String {
    login.wait_for_stderr("check  that it shows the code ");
    let said = login.stderr();
    let (_, rest) = said.split_once("  open   ").expect("an address");
    rest.lines().next().expect("a line").to_owned()
}

/// A user in a browser.
fn decide(server: &Server, login: &Running, decision: &str) -> String {
    let modules = peers().join("oauth");
    let node = peers().join("node_modules/node-22/bin/node");
    let browser = server.machine.command(node).arg(script("approve.mjs"));
    let browser = browser.arg(modules).arg(tool("chromium"));
    let said = browser.args([&address(login), decision]).run().success();
    said.stdout
}

#[test]
fn a_user_in_chromium_approves_a_login_that_is_refreshed_from_then_on() {
    let server = Server::oidc();
    let login = server.login();
    let shown = decide(&server, &login, "approve");
    assert!(shown.contains("Sign-in Success"), "{shown}");
    login.wait().success().stderr_has(" as jane\n");
    let first = server.stored();
    assert!(server.takes(&first.access));

    let mut before = first;
    for _ in 0..3 {
        server.refresh().run().success();
        let pair = server.stored();
        assert!(pair.access != before.access && pair.refresh != before.refresh);
        assert!(server.takes(&pair.access));
        before = pair;
    }
    assert_eq!(server.count("refresh_token.consumed"), 3);
    let pair = server.ten_at_once();
    assert!(server.takes(&pair.access));
    assert_eq!(server.count("refresh_token.consumed"), 4);
    // Sending one twice loses the login there.
    assert_eq!(server.count("grant.revoked"), 0);
    assert_eq!(server.count("server_error"), 0);
    let store = server.machine.database().expect("a store");
    let copied = "UPDATE accounts SET token = ?, refresh_token = ?";
    let copied = store.execute(copied, [&before.access, &before.refresh]);
    assert_eq!(copied, Ok(1));
    let ended = server.refresh().run().fails(1);
    ended.stderr_has("sentry auth login");
    assert!(server.count("grant.revoked") >= 1);
    assert!(!server.takes(&pair.access));
}

#[test]
fn a_user_in_chromium_denies_a_login() {
    let server = Server::oidc();
    let login = server.login();
    decide(&server, &login, "deny");
    let denied = login.wait().fails(1);
    denied.stderr_has("error: the login was denied in the browser");
    assert_eq!(server.machine.stored_tokens(), None);
}

#[test]
fn another_server_logs_in_and_refreshes_too() {
    for reuse in ["0", "1"] {
        let server = Server::django(reuse);
        let code = |login: &Running| {
            let address = address(login);
            let (_, code) = address.split_once("user_code=").expect("a code");
            code.to_owned()
        };
        let decide = |login: &Running, decision: &str| {
            let path = format!("/decide/{}/{decision}", code(login));
            let answer = get(&server.address.to_string(), &path, "");
            assert!(answer.expect("an answer").contains(" 200 "));
        };
        let login = server.login();
        decide(&login, "denied");
        let denied = login.wait().fails(1);
        denied.stderr_has("error: the login was denied in the browser");

        let login = server.login();
        decide(&login, "authorized");
        login.wait().success().stderr_has(" as jane\n");
        let first = server.stored();
        assert!(server.takes(&first.access));
        server.refresh().run().success();
        let second = server.stored();
        assert!(second.access != first.access && server.takes(&second.access));
        let asked = || server.count("\"/oauth/token/\", \"200\"");
        let before = asked();
        let third = server.ten_at_once();
        assert!(third.access != second.access && server.takes(&third.access));
        assert_eq!(asked(), before + 1);
    }
}

#[test]
fn a_client_id_that_was_guessed_wrong_costs_no_login() {
    let server = Server::django("1");
    let login = server.login();
    let address = address(&login);
    let (_, code) = address.split_once("user_code=").expect("a code");
    let path = format!("/decide/{code}/authorized");
    let answer = get(&server.address.to_string(), &path, "");
    assert!(answer.expect("an answer").contains(" 200 "));
    login.wait().success();
    // As the official CLI leaves it, which stores no id.
    let store = server.machine.database().expect("a store");
    let forgotten = store.execute("UPDATE helper_session SET client_id = NULL", []);
    assert_eq!(forgotten, Ok(1));
    let pair = server.stored();
    for id in ["another-client-id", "no-client-id"] {
        let refused = server.refresh().env("SENTRY_CLIENT_ID", id).run().fails(1);
        refused.stderr_has("SENTRY_CLIENT_ID");
        assert_eq!(server.stored(), pair, "{id}");
    }
    server.refresh().run().success();
    assert!(server.takes(&server.stored().access));
}
