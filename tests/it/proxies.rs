//! The route through a proxy: real proxies of every kind, and unusable settings.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt as _;
use std::thread;

use crate::environment::described;
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::names::Names;
use crate::proxy_server::{Proxy, Socks4};
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::tls::{Certificate, NAME, Tls};

/// The variables that name a proxy.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A machine with an expired session at an instance that it cannot resolve itself.
struct Scene {
    sentry: FakeSentry,
    tls: Tls,
    machine: Sandbox,
}

impl Scene {
    fn new() -> Self {
        Self::with(|machine| machine)
    }

    fn with(prepared: impl FnOnce(Sandbox) -> Sandbox) -> Self {
        let sentry = FakeSentry::start();
        let tls = Tls::with(Certificate::Of(NAME), &sentry);
        let machine = Sandbox::new()
            .env("SENTRY_CLIENT_ID", CLIENT_ID)
            .env("SSL_CERT_FILE", tls.authority());
        let machine = prepared(machine);
        machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
        machine.move_session(&tls.url_by_name());
        Self {
            sentry,
            tls,
            machine,
        }
    }

    fn get(&self) -> Cmd {
        let request = described(&self.tls.url_by_name());
        self.machine.git_credential("get").stdin(request)
    }

    /// The refresh goes through.
    #[track_caller]
    fn is_served(&self, cmd: Cmd) {
        let before = self.sentry.refreshes();
        self.expire();
        let served = cmd.run().success().stderr_is("");
        served.stdout_has(&self.sentry.current_access());
        assert_eq!(self.sentry.refreshes(), before + 1);
    }

    fn expire(&self) -> usize {
        let store = self.machine.database().expect("a store");
        let expired = "UPDATE accounts SET expires_at = (unixepoch() - 3600) * 1000";
        let pause = "UPDATE helper_session SET retry_at = NULL";
        store.execute(pause, []).unwrap_or(0) + store.execute(expired, []).expect("a session")
    }

    /// Nothing reaches the instance; the sentence begins like this.
    #[track_caller]
    fn is_told(&self, cmd: Cmd, why: &str) {
        let before = self.machine.stored_tokens();
        self.expire();
        let host = self.tls.url_by_name().replace("https://", "");
        let told = cmd.run().fails(1).stdout_is("");
        told.stderr_has(&format!("cannot connect to {host}: {why}"));
        assert_eq!(self.sentry.requests().len(), 0);
        assert_eq!(self.machine.stored_tokens(), before);
    }
}

#[test]
fn a_socks_proxy_finds_the_instance_and_carries_the_refresh() {
    let scene = Scene::new();
    let proxy = Proxy::socks5(None);
    for variable in VARIABLES {
        let setting = format!("socks5h://{}", proxy.address());
        scene.is_served(scene.get().env(variable, setting));
    }
    assert!(proxy.log().contains(NAME), "{}", proxy.log());
    scene.expire();
    scene.get().run().fails(1).stderr_has("cannot find ");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper")]
fn who_looks_the_name_up_is_as_in_curl() {
    let scene = Scene::new();
    let names = Names::new(&scene.machine, &format!("127.0.0.1 {NAME}\n"));
    let (socks4, socks5) = (Socks4::start(), Proxy::socks5(None));
    let logs: [&dyn Fn() -> String; 2] = [&|| socks4.log(), &|| socks5.log()];
    for (scheme, by_itself) in [
        ("socks4", true),
        ("socks4a", false),
        ("socks", true),
        ("socks5", true),
        ("socks5h", false),
    ] {
        let (address, log) = match scheme.contains('5') {
            false => (socks4.address(), logs[0]),
            true => (socks5.address(), logs[1]),
        };
        let through = || {
            let setting = format!("{scheme}://{address}");
            scene.get().env("ALL_PROXY", setting)
        };
        let seen = log().len();
        if by_itself {
            scene.expire();
            through().run().fails(1).stderr_has("cannot find ");
            assert_eq!(log().len(), seen, "{scheme}");
            scene.is_served(names.known_to(through()));
        } else {
            scene.is_served(through());
        }
        let log = log().split_off(seen);
        assert_eq!(log.contains(NAME), !by_itself, "{scheme}: {log}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper")]
fn every_address_of_the_instance_is_offered_to_a_proxy_that_gets_addresses() {
    let scene = Scene::new();
    // Nobody listens at the first one, and SOCKS4 cannot carry it.
    let names = Names::new(&scene.machine, &format!("::1 {NAME}\n127.0.0.1 {NAME}\n"));
    let (socks4, socks5) = (Socks4::start(), Proxy::socks5(None));
    for setting in [
        format!("socks5://{}", socks5.address()),
        format!("socks4://{}", socks4.address()),
    ] {
        scene.is_served(names.known_to(scene.get().env("ALL_PROXY", setting)));
    }
    let only_ipv6 = Names::new(&scene.machine, &format!("::1 {NAME}\n"));
    let get = scene.get().env("ALL_PROXY", "socks4://127.0.0.1:1");
    scene.expire();
    let told = only_ipv6.known_to(get).run().fails(1);
    told.stderr_has(
        "it has no IPv4 address, and SOCKS4 supports no other \
         (hint: `export ALL_PROXY=socks4a://127.0.0.1:1`, or `socks5h://` if it speaks that)",
    );
}

#[test]
fn user_name_and_password_go_to_the_proxy_and_nowhere_else() {
    const WORD: &str = "proxy%2Dword";
    let credentials = Some(("joe", "proxy-word"));
    let (socks, http) = (Proxy::socks5(credentials), Proxy::http(credentials));
    let scene = Scene::with(|machine| {
        let trace = machine.root().join("trace");
        machine.env("SENTRY_CREDENTIAL_TRACE", trace)
    });
    for (scheme, proxy) in [("socks5h", &socks), ("http", &http)] {
        let setting = |user: &str| format!("{scheme}://{user}{}", proxy.address());
        let through = |user: &str| scene.get().env("HTTPS_PROXY", setting(user));
        let host = scene.tls.url_by_name().replace("https://", "");
        let named = format!(
            "cannot connect to {host}: the proxy {} (HTTPS_PROXY) ",
            proxy.address()
        );
        let hint = format!(
            "(hint: `export HTTPS_PROXY={scheme}://USER:PASSWORD@{}`)",
            proxy.address()
        );
        for (user, why) in [
            (
                "",
                [
                    "requires a user name and a password (no acceptable auth methods)",
                    "requires a user name and a password (HTTP 407)",
                ],
            ),
            (
                "joe:wrong%2Dword@",
                [
                    "rejected the user name and password (password authentication failed)",
                    "rejected the user name and password (HTTP 401)",
                ],
            ),
        ] {
            scene.expire();
            let told = through(user).run().fails(1).stdout_is("");
            let why = why[usize::from(scheme == "http")];
            let told = told.stderr_has(&format!("{named}{why}"));
            let told = told.never_says("%2Dword").never_says("-word");
            told.stderr_has(&hint);
        }
        scene.is_served(through(&format!("joe:{WORD}@")));
    }
    let trace = fs::read_to_string(scene.machine.root().join("trace")).expect("a trace");
    assert!(!trace.contains("-word") && !trace.contains("%2Dword"));
}

#[test]
fn a_proxy_behind_tls_must_be_trusted() {
    let scene = Scene::new();
    let other = Tls::with(Certificate::Good, &scene.sentry);
    // The instance's authority vouches for neither of them.
    let proxy = Proxy::https(&other.certificate(), &other.key());
    let setting = format!("https://{}", proxy.address());
    let why = format!(
        "{} (HTTPS_PROXY): its certificate is signed by an unknown authority (",
        proxy.address()
    );
    scene.expire();
    let told = scene.get().env("HTTPS_PROXY", &setting).run().fails(1);
    told.stderr_has(&format!("cannot trust the proxy {why}"));
    assert_eq!(scene.sentry.requests().len(), 0);

    let both = scene.machine.root().join("both.pem");
    let pem = |tls: &Tls| fs::read_to_string(tls.authority()).expect("a certificate");
    fs::write(&both, pem(&scene.tls) + &pem(&other)).expect("a file");
    let get = scene.get().env("SSL_CERT_FILE", &both);
    scene.is_served(get.env("HTTPS_PROXY", &setting));
}

#[test]
fn what_fails_at_the_proxy_is_named_as_the_proxys() {
    let scene = Scene::new();
    let http = Proxy::http(None);
    let of = |proxy: &Proxy| format!("the proxy {} (all_proxy)", proxy.address());
    // The proxy is there, the instance is not.
    let closed = Sandbox::new().env("all_proxy", format!("http://{}", http.address()));
    closed.seed_session(&scene.sentry, &scene.sentry.issue(), Age::EXPIRED);
    let store = closed.database().expect("a store");
    let moved = store.execute("UPDATE accounts SET host = 'https://sentry.test:1'", []);
    assert_eq!(moved, Ok(1));
    let get = closed.git_credential("get").env("SENTRY_CLIENT_ID", "x");
    let told = get.stdin(described("https://sentry.test:1")).run().fails(1);
    told.stderr_has(&format!(
        "cannot connect to sentry.test:1: {} answered HTTP 5",
        of(&http)
    ));

    let gone = Proxy::socks5(None);
    let (named, address) = (of(&gone), gone.address());
    drop(gone);
    for scheme in ["http", "https", "socks5h", "socks4a"] {
        let cmd = scene
            .get()
            .env("all_proxy", format!("{scheme}://{address}"));
        scene.is_told(
            cmd,
            &format!("{named} cannot be reached (connection refused"),
        );
    }
    for scheme in ["http", "socks5h"] {
        let cmd = scene
            .get()
            .env("all_proxy", format!("{scheme}://no.invalid:1"));
        scene.is_told(cmd, "the proxy no.invalid:1 (all_proxy) cannot be found");
    }
    // What listens there is no proxy.
    let page = FakeSentry::start();
    for (scheme, why) in [
        ("http", "answered HTTP 404"),
        ("socks5h", "does not answer"),
    ] {
        let cmd = scene
            .get()
            .env("all_proxy", format!("{scheme}://{}", page.address()));
        scene.is_told(
            cmd,
            &format!("the proxy {} (all_proxy) {why}", page.address()),
        );
    }
}

/// A server that answers whatever it is asked with these bytes, for as long as the test runs.
pub fn answering(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let _read = connection.read(&mut [0; 4096]);
            let _written = connection.write_all(bytes);
            let _read_to_the_end = connection.read_to_end(&mut Vec::new());
        }
    });
    address
}

const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_proxy_of_another_kind_is_named_as_that() {
    let scene = Scene::new();
    for (scheme, bytes, why) in [
        (
            "socks4a",
            BAD,
            "did not answer like a socks4a proxy (invalid response version)",
        ),
        (
            "socks5h",
            BAD,
            "did not answer like a socks5h proxy (invalid response version)",
        ),
        ("https", BAD, "did not answer in TLS"),
        ("http", &b"\x05\x00SSH"[..], "did not answer like a proxy ("),
        // A page where a login is required comes from the network, behind a tunnel that is none.
        (
            "http",
            &b"HTTP/1.1 200 OK\r\n\r\n<html>log in</html>"[..],
            "",
        ),
    ] {
        let address = answering(bytes);
        let cmd = scene
            .get()
            .env("all_proxy", format!("{scheme}://{address}"));
        match why {
            "" => {
                let scene = Scene::new();
                let cmd = scene
                    .get()
                    .env("all_proxy", format!("{scheme}://{address}"));
                let told = cmd.run().fails(1);
                told.stderr_has(
                    "did not answer in TLS: it may speak plain http, or this network may",
                );
            }
            why => scene.is_told(cmd, &format!("the proxy {address} (all_proxy) {why}")),
        }
    }
}

#[test]
fn an_instance_without_tls_is_named_as_that() {
    let address = answering(BAD);
    let machine = Sandbox::new().env("SENTRY_URL", format!("https://{address}"));
    let login = machine.sentry(&["auth", "login", "--with-token"]);
    let told = login.stdin("a-token\n").run().fails(1);
    told.stderr_has(&format!(
        "{address} did not answer in TLS: it may speak plain http"
    ));
}

/// Settings that no proxy has.
fn unusable() -> Vec<OsString> {
    let text = [
        "ftp://127.0.0.1:3128",
        "socks6://127.0.0.1:3128",
        "http://",
        "http://:3128",
        "http://joe:proxy-word@:3128",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:port",
        "http://127.0.0.1:",
        "http://127.0.0.1 :3128",
        "http://pro xy:3128",
        " ",
        "http://[::1",
        "http://[fe80::1%eth0]:3128",
        ":::",
        "%%%",
        "garbage and more",
        "\u{1b}[31m",
        "http://joe:%ff@127.0.0.1:3128",
        "socks5h://",
    ];
    let bytes = [&b"http://127.0.0.1\xff:3128"[..], b"\xff"];
    let text = text.iter().map(OsString::from);
    text.chain(bytes.map(|bytes| OsStr::from_bytes(bytes).to_owned()))
        .collect()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, strace(1)")]
fn a_proxy_that_cannot_be_used_is_an_error_and_never_a_direct_connection() {
    let scene = Scene::new();
    let names = Names::new(&scene.machine, &format!("127.0.0.1 {NAME}\n"));
    let calls = scene.machine.root().join("calls");
    for variable in [&VARIABLES[..], &["HTTP_PROXY", "http_proxy"]].concat() {
        for setting in unusable() {
            scene.expire();
            // The way there is open: nothing but the setting stops it.
            let cmd = names.known_to(scene.get().env(variable, &setting));
            let told = cmd.traced("connect", &calls).run().fails(1).stdout_is("");
            let told = told.stderr_has(&format!("cannot use the value of {variable}: "));
            let told = told.never_says("proxy-word").never_says("\u{1b}");
            assert!(told.stderr.contains(&format!(
                "hint: `export {variable}=PROXY`, which looks like "
            )));
            let calls = fs::read_to_string(&calls).expect("a trace");
            assert!(!calls.contains("connect("), "{setting:?}: {calls}");
        }
    }
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, strace(1)")]
fn no_command_crashes_or_goes_past_a_proxy_that_cannot_be_used() {
    let scene = Scene::new();
    let url = scene.tls.url_by_name();
    scene.machine.bind("docker r.example", &url, None);
    let names = Names::new(&scene.machine, &format!("127.0.0.1 {NAME}\n"));
    let calls = scene.machine.root().join("calls");
    for setting in unusable().into_iter().step_by(2).take(10) {
        for variable in VARIABLES {
            for cmd in [
                scene.get(),
                scene.machine.docker_credential("get").stdin("r.example"),
                scene
                    .machine
                    .sentry(&["auth", "login", "--force", "--url", &url]),
                scene.machine.sentry(&["auth", "refresh"]),
                scene.machine.sentry(&["auth", "status"]),
            ] {
                scene.expire();
                let cmd = names.known_to(cmd.env(variable, &setting));
                let shown = cmd.to_string();
                let told = cmd.traced("connect", &calls).run().fails(1);
                let told = told.never_says("proxy-word").never_says("\u{1b}");
                let said = format!("{}{}", told.stdout, told.stderr);
                let why = format!("cannot use the value of {variable}: ");
                assert!(said.contains(&why), "{shown} {setting:?}: {said}");
                let calls = fs::read_to_string(&calls).expect("a trace");
                assert!(!calls.contains("connect("), "{shown} {setting:?}: {calls}");
            }
        }
    }
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
fn every_program_and_every_request_reports_an_unusable_proxy() {
    let sentence = "cannot use the value of ALL_PROXY: its scheme is not http, https, socks4, socks4a, socks5 or socks5h";
    let scene = Scene::with(|machine| machine.env("ALL_PROXY", "gopher://127.0.0.1:70"));
    let url = scene.tls.url_by_name();
    scene.machine.bind("docker r.example", &url, None);
    let docker = scene.machine.docker_credential("get").stdin("r.example");
    let docker = docker.run().fails(1).stderr_is("");
    assert!(docker.stdout.contains(sentence), "{}", docker.stdout);
    let with_token = scene.machine.sentry(&["auth", "login", "--with-token"]);
    let new = scene.machine.sentry(&["auth", "login", "--force"]);
    for cmd in [
        scene.machine.sentry(&["auth", "refresh"]),
        scene.machine.sentry(&["auth", "token"]),
        new.args(["--url", &url]),
        with_token.args(["--url", &url]).stdin("sntryu_x"),
    ] {
        scene.expire();
        cmd.run().fails(1).stdout_is("").stderr_has(sentence);
    }
    // What is still good needs no proxy.
    let store = scene.machine.database().expect("a store");
    let fresh = "UPDATE accounts SET expires_at = (unixepoch() + 600) * 1000";
    assert_eq!(store.execute(fresh, []), Ok(1));
    let pair = scene.machine.stored_tokens().expect("a session");
    scene.get().run().success().stdout_has(&pair.access);
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
fn gits_own_proxy_is_used_where_nothing_else_names_one() {
    let scene = Scene::new();
    let (proxy, other) = (Proxy::socks5(None), Proxy::http(None));
    let setting = format!("socks5h://{}", proxy.address());
    let git = |args: &[&str]| {
        let git = scene.machine.command("git").args(["config", "--global"]);
        git.args(args).run().success();
    };
    git(&["http.proxy", "http://127.0.0.1:1"]);
    git(&[
        &format!("http.https://{NAME}:{}.proxy", scene.tls.port()),
        &setting,
    ]);
    scene.is_served(scene.get());
    assert!(proxy.log().contains(NAME), "{}", proxy.log());
    // No other command of git than `git config` reads that file.
    let seen = proxy.log().len();
    scene.expire();
    scene.is_served(scene.get().env("GIT_CONFIG", "/dev/null"));
    assert!(proxy.log().len() > seen);
    // As git itself has it: the environment of this program comes first, and names exceptions.
    let seen = proxy.log().len();
    let named = format!("http://{}", other.address());
    scene.is_served(scene.get().env("HTTPS_PROXY", named));
    assert_eq!(proxy.log().len(), seen);
    scene.expire();
    let excepted = scene.get().env("NO_PROXY", ".test").run();
    excepted.fails(1).stderr_has("cannot find ");
    // A helper of `git -c http.proxy=… fetch` gets to know that too.
    let parameters = format!("'http.https://{NAME}:{}.proxy'=''", scene.tls.port());
    scene.expire();
    let without = scene.get().env("GIT_CONFIG_PARAMETERS", parameters).run();
    without.fails(1).stderr_has("cannot find ");

    git(&["--unset-all", "http.proxy"]);
    git(&[
        &format!("http.https://{NAME}:{}.proxy", scene.tls.port()),
        "ftp://joe:proxy-word@x",
    ]);
    scene.expire();
    let told = scene.get().run().fails(1).never_says("proxy-word");
    told.stderr_has("cannot use the value of git's `http.proxy`: its scheme is not ");
}

#[test]
fn a_directory_does_not_choose_the_proxy_but_the_repository_that_git_works_in_does() {
    let scene = Scene::new();
    let proxy = Proxy::socks5(None);
    let repository = scene.machine.root().join("repository");
    let git = |args: &[&str]| {
        scene.machine.command("git").args(args).run().success();
    };
    let path = repository.to_str().expect("a plain path");
    git(&["init", "-q", path]);
    let setting = format!("socks5h://{}", proxy.address());
    git(&["-C", path, "config", "http.proxy", &setting]);
    scene.expire();
    let inside = scene.get().current_dir(&repository);
    inside.clone().run().fails(1).stderr_has("cannot find ");
    for dir in [".git".into(), repository.join(".git")] {
        scene.is_served(inside.clone().env("GIT_DIR", dir));
    }
    assert!(proxy.log().contains(NAME), "{}", proxy.log());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn git_is_asked_without_tokens_and_never_for_what_is_cached() {
    let scene = Scene::with(|machine| machine.env("SENTRY_NEEDLE", "a-secret-word"));
    let calls = scene.machine.root().join("calls");
    let traced = |cmd: Cmd| {
        let _said = cmd.traced("execve", &calls).run();
        let calls = fs::read_to_string(&calls).expect("a trace");
        let started = calls.lines().filter(|line| line.contains("/git\", "));
        started.map(str::to_owned).collect::<Vec<_>>()
    };
    let asked = traced(scene.get());
    assert!(!asked.is_empty());
    for call in asked {
        assert!(call.contains("--get-urlmatch"), "{call}");
        assert!(!call.contains("a-secret-word"), "{call}");
    }
    let store = scene.machine.database().expect("a store");
    let fresh = "UPDATE accounts SET expires_at = (unixepoch() + 2592000) * 1000, issued_at = unixepoch() * 1000";
    assert_eq!(store.execute(fresh, []), Ok(1));
    drop(store);
    assert_eq!(traced(scene.get()), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper")]
fn a_git_that_does_not_answer_costs_five_seconds_and_no_refresh() {
    let scene = Scene::new();
    let names = Names::new(&scene.machine, &format!("127.0.0.1 {NAME}\n"));
    let bin = scene.machine.root().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let script = "#!/bin/sh\nexec sleep 1000\n";
    fs::write(bin.join("git.new"), script).expect("a file");
    scene.machine.copy(
        bin.join("git.new").to_str().expect("a plain path"),
        &bin.join("git"),
    );
    let chmod = scene
        .machine
        .command("chmod")
        .arg("755")
        .arg(bin.join("git"));
    chmod.run().success();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    scene.is_served(names.known_to(scene.get().env("PATH", path)));
}
