//! Every host and URL of `tests/corpus/hosts.txt`, given to the three programs and to git's own URL parser.
//!
//! A wrong decision shows as a token or as a connection: neither the running instance nor a listener beside it, which
//! is also the proxy of all requests, may receive one.

mod careless;
mod corpus;

use crate::fake_sentry::{CLIENT_ID, FakeSentry, Pair};
use crate::helpers::ENVIRONMENT;
use crate::sandbox::{Age, Output, Sandbox};
use corpus::{Answer, Kind, Line, os};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const MALFORMED: &str = "git-credential-sentry: the request is malformed\n";
const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// A machine with all sessions of the corpus, and every server that it might connect to.
struct Scene {
    sentry: FakeSentry,
    trap: Trap,
    machine: Sandbox,
    sessions: BTreeMap<&'static str, Pair>,
    lines: Vec<Line>,
}

impl Scene {
    fn new() -> Self {
        let (sentry, trap) = (FakeSentry::start(), Trap::new());
        let proxy = format!("http://127.0.0.1:{}", trap.port());
        let machine = Sandbox::new()
            .env("SENTRY_CLIENT_ID", CLIENT_ID)
            .env("HTTPS_PROXY", &proxy)
            .env("HTTP_PROXY", &proxy)
            .env("ALL_PROXY", &proxy);
        let sessions = [
            ("fake", sentry.url()),
            ("saas", "https://sentry.io".to_owned()),
            ("port", "https://s.example:9000".to_owned()),
            ("six", "http://[::1]:9000".to_owned()),
            ("name", "http://localhost:9000".to_owned()),
            ("puny", "https://xn--bcher-kva.example".to_owned()),
        ];
        let sessions = sessions.map(|(name, instance)| {
            let pair = sentry.issue();
            machine.seed_session(&sentry, &pair, Age::FRESH);
            let store = machine.database().expect("a store");
            let moved = store.execute(
                "UPDATE accounts SET host = ? WHERE token = ?",
                [&instance, &pair.access],
            );
            assert_eq!(moved, Ok(1));
            (name, pair)
        });
        for host in ["code.example", "code.example:8443"] {
            machine.bind(&format!("git https://{host}"), "https://sentry.io", None);
            machine.bind(&format!("docker {host}"), "https://sentry.io", None);
        }
        let lines = corpus::lines(sentry.address().port(), trap.port());
        Self {
            sentry,
            trap,
            machine,
            sessions: sessions.into(),
            lines,
        }
    }

    /// The same machine with a token for sentry.io in its environment, which is what `saas` gets.
    fn with_environment(mut self) -> Self {
        self.machine = self.machine.env("SENTRY_AUTH_TOKEN", ENVIRONMENT);
        let saas = self.sessions.get_mut("saas").expect("a session");
        saas.access = ENVIRONMENT.to_owned();
        self
    }

    /// Runs a test for every line, several at once, and reports all that fail.
    #[track_caller]
    fn each(&self, test: impl Fn(&Line) -> Result<(), String> + Sync) {
        let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(line) = self.lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(complaint) = test(line) {
                            let place =
                                format!("{} ({}): {}", line.number, line.class, line.written);
                            let mut complaints = complaints.lock().expect("no thread panicked");
                            complaints.push(format!("hosts.txt:{place}: {complaint}"));
                        }
                    }
                });
            }
        });
        let mut complaints = complaints.into_inner().expect("no thread panicked");
        complaints.sort();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        assert_eq!(self.sentry.requests().len(), 0, "the instance was asked");
        assert_eq!(self.trap.visitors(), 0, "another server was connected to");
    }

    /// Checks which token was returned: this session's and no other, or none.
    fn says_only(&self, said: &Output, expected: Option<&str>) -> Result<(), String> {
        for (name, pair) in &self.sessions {
            let says = |token: &str| said.stdout.contains(token) || said.stderr.contains(token);
            if says(&pair.refresh) {
                return Err(format!("says the refresh token of `{name}`"));
            }
            match (says(&pair.access), expected == Some(*name)) {
                (true, false) => return Err(format!("says the token of `{name}`")),
                (false, true) => {
                    return Err(format!("lacks the token of `{name}`, {}", story(said)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn git(&self, request: &[u8], expected: Answer) -> Result<(), String> {
        let said = self.machine.git_credential("get").stdin(request).run();
        let (code, stderr) = match expected {
            Answer::Refused => (1, MALFORMED),
            _ => (0, ""),
        };
        let silent = said.stdout.is_empty() || matches!(expected, Answer::Token(_));
        let as_expected = silent && (said.code, said.stderr.as_str()) == (code, stderr);
        self.check(&said, expected, as_expected)
    }

    fn docker(&self, server: &[u8], expected: Answer) -> Result<(), String> {
        let said = self.machine.docker_credential("get").stdin(server).run();
        let as_expected = match expected {
            Answer::Token(name) => {
                let token = &self.sessions[name].access;
                let server = String::from_utf8_lossy(server);
                let answer = json!({ "ServerURL": server, "Username": "oauth2", "Secret": token });
                said.code == 0 && said.stdout == format!("{answer}\n")
            }
            Answer::Refused => {
                let words = [
                    "the server URL has more than one line\n",
                    "the request is not UTF-8\n",
                    "no credentials server URL\n",
                ];
                said.code == 1 && words.contains(&said.stdout.as_str())
            }
            _ => said.code == 1 && said.stdout == NOT_FOUND,
        };
        self.check(&said, expected, as_expected && said.stderr.is_empty())
    }

    /// A command of the user's: `how` names the instance.
    fn user(&self, args: &[&str], how: How<'_>, expected: Answer) -> Result<(), String> {
        let cmd = self.machine.sentry(args);
        let said = match how {
            How::Variable(url) => cmd.env("SENTRY_URL", os(url)),
            How::Option(url) => cmd.arg(os(&[b"--url=", url].concat())),
        }
        .run();
        let as_expected = match expected {
            Answer::Token(_) => said.code == 0,
            Answer::Refused => {
                let words = [
                    "an instance looks like",
                    "plain http is for this machine only",
                    "invalid UTF-8",
                ];
                let told = words.iter().any(|words| said.stderr.contains(words));
                told && [1, 2].contains(&said.code) && said.stdout.is_empty()
            }
            // A name below sentry.io is explained as what it is.
            _ if said.code == 2 => {
                said.stdout.is_empty()
                    && said
                        .stderr
                        .contains("that is an organization of https://sentry.io")
            }
            _ => {
                said.code == 1
                    && said.stdout.is_empty()
                    && said.stderr.contains("not logged in to ")
            }
        };
        self.check(&said, expected, as_expected)
    }

    fn check(&self, said: &Output, expected: Answer, as_expected: bool) -> Result<(), String> {
        match expected {
            Answer::Token(name) => self.says_only(said, Some(name))?,
            _ => self.says_only(said, None)?,
        }
        match as_expected {
            true => Ok(()),
            false => Err(format!("expected {expected:?}, {}", story(said))),
        }
    }
}

#[derive(Clone, Copy)]
enum How<'a> {
    Variable(&'a [u8]),
    Option(&'a [u8]),
}

fn story(said: &Output) -> String {
    format!("got {} {:?} {:?}", said.code, said.stdout, said.stderr)
}

/// A listener on both addresses of the loopback that must not be connected to.
struct Trap(TcpListener, TcpListener);

impl Trap {
    fn new() -> Self {
        loop {
            let four = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = four.local_addr().expect("an address").port();
            match TcpListener::bind(("::1", port)) {
                Ok(six) => return Self(four, six),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => panic!("no address on the loopback: {error}"),
            }
        }
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// A connection waits to be accepted, even if its other end is closed.
    fn visitors(&self) -> usize {
        let waiting = |listener: &TcpListener| {
            listener.set_nonblocking(true).expect("our own listener");
            std::iter::from_fn(|| listener.accept().ok()).count()
        };
        waiting(&self.0) + waiting(&self.1)
    }
}

#[test]
fn the_trap_remembers_who_has_gone() {
    let trap = Trap::new();
    assert_eq!(trap.visitors(), 0);
    for address in ["127.0.0.1", "::1"] {
        drop(TcpStream::connect((address, trap.port())).expect("a connection"));
    }
    assert_eq!(trap.visitors(), 2);
}

#[test]
fn git_gets_what_the_corpus_says() {
    let scene = Scene::new();
    scene.each(|line| {
        if let Some(request) = line.as_request() {
            scene.git(&request, line.host)?;
        }
        match line.as_url() {
            Some(url) => scene.git(&[b"url=", &url[..], b"\n\n"].concat(), line.url),
            None => Ok(()),
        }
    });
}

#[test]
fn docker_gets_what_the_corpus_says() {
    let scene = Scene::new();
    scene.each(|line| {
        let mut servers = line.as_servers().into_iter();
        servers.try_for_each(|server| scene.docker(&server, line.docker))
    });
}

#[test]
fn an_instance_is_what_the_corpus_says() {
    let scene = Scene::new();
    scene.each(|line| {
        if line.setting == Answer::Untold {
            return Ok(());
        }
        for setting in line.as_settings() {
            for how in [How::Variable(&setting), How::Option(&setting)] {
                scene.user(&["auth", "token"], how, line.setting)?;
                // If that is a session's instance, it would receive a request.
                if !matches!(line.setting, Answer::Token(_)) {
                    scene.user(&["auth", "refresh", "--force"], how, line.setting)?;
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_host_that_the_environment_names_gets_no_token_of_another() {
    let scene = Scene::new();
    scene.each(|line| {
        let (Some(request), Kind::Host(scheme), false) =
            (line.as_request(), line.kind, line.setting == Answer::Untold)
        else {
            return Ok(());
        };
        let said = scene
            .machine
            .git_credential("get")
            .env("SENTRY_URL", os(&line.within(&format!("{scheme}://"), "")))
            .stdin(request)
            .run();
        match line.host {
            Answer::Token(name) => scene.says_only(&said, Some(name)),
            _ => scene.says_only(&said, None),
        }
    });
}

#[test]
fn a_token_of_the_environment_gets_where_the_corpus_says() {
    let scene = Scene::new().with_environment();
    scene.each(|line| {
        if let Some(request) = line.as_request() {
            scene.git(&request, line.host)?;
        }
        if let (Some(server), false) = (line.as_url(), line.docker == Answer::Untold) {
            scene.docker(&server, line.docker)?;
        }
        match line.as_settings().last() {
            Some(setting) if line.setting != Answer::Untold => {
                scene.user(&["auth", "token"], How::Option(setting), line.setting)
            }
            _ => Ok(()),
        }
    });
}

/// git parses the URL, calls this helper, and calls another one if there is no answer. This helper must understand the
/// URL as git does, or not answer; and an answer must be for a host that the corpus marks as good.
#[test]
fn a_url_is_read_as_git_reads_it_or_not_at_all() {
    let scene = Scene::new();
    let good: Vec<(Answer, String)> = scene
        .lines
        .iter()
        .filter_map(|line| match (line.kind, line.host) {
            (Kind::Host(scheme), token @ Answer::Token(_)) => {
                let host = String::from_utf8_lossy(&line.text).into_owned();
                let host = host.to_lowercase();
                Some((token, format!("protocol={scheme}\nhost={host}\n")))
            }
            _ => None,
        })
        .collect();
    let helpers = [
        "credential.helper=".to_owned(),
        format!(
            "credential.helper={}",
            env!("CARGO_BIN_EXE_git-credential-sentry")
        ),
        "credential.helper=!f() { cat >/dev/null; printf 'username=u\\npassword=nobody\\n'; }; f"
            .to_owned(),
    ];
    let agreed = AtomicUsize::new(0);
    scene.each(|line| {
        let Some(url) = line.as_url() else {
            return Ok(());
        };
        let mut git = scene.machine.command("git");
        for helper in &helpers {
            git = git.arg("-c").arg(helper);
        }
        let said = git
            .args(["credential", "fill"])
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin([b"url=", &url[..], b"\n\n"].concat())
            .run();
        let from_git = scene
            .sessions
            .iter()
            .find(|(_, pair)| said.stdout.contains(&pair.access))
            .map_or(Answer::Nothing, |(name, _)| Answer::Token(name));
        if let Answer::Token(_) = from_git {
            let asked = said.stdout.to_lowercase();
            let known = good
                .iter()
                .any(|(token, host)| *token == from_git && asked.starts_with(host));
            if !known {
                return Err(format!("{from_git:?} is answered, {}", story(&said)));
            }
        }
        // With a password in the URL, git calls no helper.
        let anybody_else = said.stdout.contains("\npassword=nobody\n");
        let asks = said.code != 0 || from_git != Answer::Nothing || anybody_else;
        match line.url {
            Answer::Token(_) if asks && line.url != from_git => {
                Err(format!("git gets {from_git:?}, {}", story(&said)))
            }
            Answer::Token(_) => {
                agreed.fetch_add(usize::from(asks), Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    });
    let agreed = agreed.into_inner();
    assert!(agreed >= 40, "git and we agree on {agreed} URLs only");
}

/// The corpus can tell: in every class there are lines that readers without a grammar answer, and we do not.
#[test]
fn comparisons_without_a_grammar_fail_in_every_class() {
    let instances = [
        "sentry.io",
        "127.0.0.1:1111",
        "s.example:9000",
        "[::1]:9000",
        "localhost:9000",
        "xn--bcher-kva.example",
        "code.example",
    ]
    .map(str::to_owned);
    let (mut of_class, mut of_reader) = (BTreeMap::new(), BTreeMap::new());
    for line in corpus::lines(1111, 2222) {
        let told_apart = of_class.entry(line.class).or_insert(0);
        if line
            .answers()
            .iter()
            .any(|answer| matches!(answer, Answer::Token(_)))
        {
            continue;
        }
        let fooled: Vec<_> = careless::fooled(&line, &instances).collect();
        *told_apart += usize::from(!fooled.is_empty());
        for reader in fooled {
            *of_reader.entry(reader).or_insert(0) += 1;
        }
    }
    assert_eq!(of_class.remove("good"), Some(0), "what is good is answered");
    let few: Vec<_> = of_class.iter().filter(|(_, count)| **count < 3).collect();
    assert!(few.is_empty(), "too few lines tell: {few:?}");
    assert_eq!(of_reader.len(), careless::READERS.len());
    assert!(
        of_reader.values().all(|count| *count >= 20),
        "{of_reader:?}"
    );
}
