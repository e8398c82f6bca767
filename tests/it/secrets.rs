//! Where each secret may be, and that it is nowhere else: streams, files, requests, and the arguments of system calls.
//!
//! Complete scenarios run under strace(1) with recognizable secrets: as they are, and in base64 at any alignment.
//! [`MAY_BE`] lists everything that is allowed; and all of it must have been seen, or the search would be blind.

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault, Request};
use crate::keyring::Keyring;
use crate::sandbox::{Cmd, Sandbox};
use crate::storage::{files, files_with};
use crate::terminal::TtyUser;
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Access,
    Refresh,
    DeviceCode,
    /// Of a login `--with-token`.
    Api,
    /// One that git or docker stored.
    Password,
    /// `SENTRY_AUTH_TOKEN`.
    Environment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Standard output of a program that should print it.
    Answer,
    Database,
    /// The header `Authorization` of a request.
    Header,
    /// The form field of a request that is named after it.
    Field,
    /// A connection over TCP, whatever it carries: `Header` and `Field`.
    Network,
    /// The environment that the program was started with, not that of a child.
    OwnEnvironment,
}

use Kind::{Access, Api, DeviceCode, Environment, Password, Refresh};
use Place::{Database, Field, Header, Network, OwnEnvironment};

const MAY_BE: &[(Kind, &[Place])] = &[
    (Access, &[Place::Answer, Database, Header, Network]),
    (Refresh, &[Database, Field, Network]),
    (DeviceCode, &[Field, Network]),
    (Api, &[Place::Answer, Database, Header, Network]),
    (Password, &[Place::Answer, Database]),
    (
        Environment,
        &[Place::Answer, Header, Network, OwnEnvironment],
    ),
];

/// The name of a command in a failure, its exit code, its output, and the command.
type Step = (&'static str, i32, &'static [Kind], fn(&Life) -> Cmd);

const LIFE: &[Step] = &[
    ("a login with a browser", 0, &[], |life| {
        life.sentry.approve_next();
        life.auth("login").env("DISPLAY", ":0")
    }),
    ("whoami", 0, &[], |life| life.auth("whoami")),
    ("whoami --json", 0, &[], |life| life.auth("whoami --json")),
    ("status", 0, &[], |life| life.auth("status")),
    ("status --json", 0, &[], |life| life.auth("status --json")),
    ("status --show-token", 0, &[Access], |life| {
        life.auth("status --show-token")
    }),
    ("list", 0, &[], |life| life.auth("list")),
    ("list --json", 0, &[], |life| life.auth("list --json")),
    ("token", 0, &[Access], |life| life.auth("token")),
    ("setup-git", 0, &[], |life| {
        life.auth("setup-git --host git.example")
    }),
    ("setup-docker", 0, &[], |life| {
        life.auth("setup-docker --registry r.example")
    }),
    ("setup-docker --podman", 0, &[], |life| {
        life.auth("setup-docker --podman --registry r.example")
    }),
    ("git get", 0, &[Access], |life| life.git("get", "")),
    ("git get, Bearer", 0, &[Access], |life| {
        let capable = "capability[]=authtype\nwwwauth[]=Bearer realm=x\n";
        life.git("get", capable)
    }),
    ("git get, Basic", 0, &[Access], |life| {
        let capable = "capability[]=authtype\nwwwauth[]=Basic realm=x\n";
        life.git("get", capable)
    }),
    ("git store of the token", 0, &[], |life| {
        life.git("store", &life.shown(Access))
    }),
    ("git erase of the token", 0, &[], |life| {
        life.git("erase", &life.shown(Access))
    }),
    ("git get of a token that the host refused", 0, &[], |life| {
        life.git("get", "")
    }),
    ("docker get", 0, &[Access], |life| {
        life.docker("get", "r.example")
    }),
    ("docker store of the token", 0, &[], |life| {
        life.docker_login("r.example", Access)
    }),
    ("docker list", 0, &[], |life| life.docker("list", "unused")),
    ("git store of a password", 0, &[], |life| {
        life.git_elsewhere("store", &life.shown(Password))
    }),
    ("git get of a password", 0, &[Password], |life| {
        life.git_elsewhere("get", "")
    }),
    ("docker store of a password", 0, &[], |life| {
        life.docker_login("other.example", Password)
    }),
    ("docker get of a password", 0, &[Password], |life| {
        life.docker("get", "other.example")
    }),
    ("docker list with a password", 0, &[], |life| {
        life.docker("list", "")
    }),
    ("refresh --force", 0, &[], |life| {
        life.auth("refresh --force")
    }),
    ("refresh --force --json", 0, &[], |life| {
        life.auth("refresh --force --json")
    }),
    ("git get that refreshes", 0, &[Access], |life| {
        life.expire();
        life.git("get", "")
    }),
    ("docker get that refreshes", 0, &[Access], |life| {
        life.expire();
        life.docker("get", "r.example")
    }),
    ("token of the environment", 0, &[Environment], |life| {
        life.with_token(life.auth("token"))
    }),
    ("its status", 0, &[], |life| {
        life.with_token(life.auth("status"))
    }),
    ("git get of it", 0, &[Environment], |life| {
        life.with_token(life.git("get", ""))
    }),
    ("docker get of it", 0, &[Environment], |life| {
        life.with_token(life.docker("get", "r.example"))
    }),
    ("setup-git with it", 0, &[], |life| {
        life.with_token(life.auth("setup-git --host git2.example"))
    }),
    (
        "a refresh elsewhere than where it belongs",
        0,
        &[Access],
        |life| {
            life.expire();
            let get = life.with_token(life.git("get", ""));
            get.env("SENTRY_URL", life.other.url())
        },
    ),
    ("a browser with it", 0, &[], |life| {
        life.sentry.approve_next();
        let login = life.with_token(life.auth("login --force"));
        login.env("DISPLAY", ":0")
    }),
    ("doctor with it", 0, &[], |life| {
        life.with_token(life.auth("doctor"))
    }),
    ("a login with a token", 0, &[], |life| {
        let login = life.auth("login --with-token --url").arg(life.other.url());
        login.stdin(life.latest(Api))
    }),
    ("the token of that login", 0, &[Api], |life| {
        life.auth("token --url").arg(life.other.url())
    }),
    ("switch", 0, &[], |life| {
        life.auth("switch").arg(life.sentry.url())
    }),
    ("doctor", 0, &[], |life| life.auth("doctor")),
    ("doctor --json", 0, &[], |life| life.auth("doctor --json")),
    ("git erase of the password", 0, &[], |life| {
        life.git_elsewhere("erase", &life.shown(Password))
    }),
    ("docker erase of the password", 0, &[], |life| {
        life.docker("erase", "other.example")
    }),
    ("docker erase of the registry", 0, &[], |life| {
        life.docker("erase", "r.example")
    }),
    ("logout", 0, &[], |life| life.auth("logout")),
    ("setup-git --undo", 0, &[], |life| {
        life.auth("setup-git --undo")
    }),
    ("logout --all", 0, &[], |life| life.auth("logout --all")),
];

/// Two instances and a machine; the second instance knows an API token only.
struct Life {
    sentry: FakeSentry,
    other: FakeSentry,
    machine: Sandbox,
    /// Where strace writes.
    sandbox: Sandbox,
    secrets: Vec<(Kind, String)>,
    seen: BTreeSet<(Kind, Place)>,
    /// What stands behind each command of `sentry auth`.
    options: &'static [&'static str],
}

impl Life {
    fn new(machine: Sandbox) -> Life {
        let (sentry, other) = (FakeSentry::start(), FakeSentry::start());
        sentry.set_interval(Some(1));
        let secrets = vec![
            (Api, "sntryu_needle-of-the-api".to_owned()),
            (Password, "needle-that-was-typed".to_owned()),
            (Environment, "sntryu_needle-of-the-environment".to_owned()),
        ];
        other.add_api_token(&secrets[0].1);
        sentry.add_api_token(&secrets[2].1);
        let browser = machine.root().join("browser");
        machine.copy("/bin/true", &browser);
        let tmp = machine.root().join("tmp");
        fs::create_dir(&tmp).expect("a new directory");
        let machine = machine
            .for_sentry(&sentry)
            .env("TMPDIR", tmp)
            .env("BROWSER", browser)
            .env("GIT_TRACE", "1")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        Life {
            sentry,
            other,
            machine,
            sandbox: Sandbox::new(),
            secrets,
            seen: BTreeSet::new(),
            options: &[],
        }
    }

    fn auth(&self, args: &str) -> Cmd {
        let auth = self.machine.sentry(&["auth"]).args(self.options);
        auth.args(args.split(' '))
    }

    fn git(&self, operation: &str, more: &str) -> Cmd {
        let host = self.sentry.address();
        let request = format!("protocol=http\nhost={host}\n{more}");
        self.machine.git_credential(operation).stdin(request)
    }

    fn git_elsewhere(&self, operation: &str, more: &str) -> Cmd {
        let request = format!("protocol=https\nhost=code.example\n{more}");
        self.machine.git_credential(operation).stdin(request)
    }

    fn docker(&self, action: &str, input: &str) -> Cmd {
        self.machine.docker_credential(action).stdin(input)
    }

    fn docker_login(&self, server: &str, kind: Kind) -> Cmd {
        let login = json!({"ServerURL": server, "Username": "oauth2", "Secret": self.latest(kind)});
        self.docker("store", &login.to_string())
    }

    fn with_token(&self, cmd: Cmd) -> Cmd {
        cmd.env("SENTRY_AUTH_TOKEN", self.latest(Environment))
    }

    fn latest(&self, kind: Kind) -> &str {
        let mut of_kind = self.secrets.iter().filter(|(found, _)| *found == kind);
        &of_kind.next_back().expect("one of each kind").1
    }

    /// As git shows it to a helper.
    fn shown(&self, kind: Kind) -> String {
        format!("username=oauth2\npassword={}\n", self.latest(kind))
    }

    fn expire(&self) {
        let store = self.machine.database().expect("a store");
        let sql = "UPDATE accounts SET expires_at = 1000 WHERE refresh_token IS NOT NULL";
        assert_eq!(store.execute(sql, []), Ok(1));
    }

    /// The tokens that the server has issued since.
    fn learn(&mut self) {
        let polls = self.sentry.requests_to(Endpoint::Poll);
        let codes = polls.iter().filter_map(|poll| poll.field("device_code"));
        let current = self.sentry.current();
        let mut found: Vec<_> = codes.map(|code| (DeviceCode, code.to_owned())).collect();
        found.extend([(Access, current.access), (Refresh, current.refresh)]);
        for secret in found {
            if !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        }
    }

    fn trace(&self) -> PathBuf {
        self.sandbox.root().join("trace")
    }

    /// Runs one command and searches everywhere.
    #[track_caller]
    fn step(&mut self, name: &str, code: i32, answers: &[Kind], cmd: Cmd) {
        let requests = (self.sentry.requests().len(), self.other.requests().len());
        let output = cmd.traced(CALLS, &self.trace()).run();
        assert_eq!(output.code, code, "{name}: {output:?}");
        self.learn();
        for &kind in answers {
            let answered = is_in(&output.stdout, self.latest(kind));
            assert!(answered, "{name} does not answer with the {kind:?}");
        }
        let stdout = [(output.stdout.clone(), Place::Answer)];
        self.look(name, &stdout, |_, kind, place| {
            answers.contains(&kind).then_some(place)
        });
        self.look(name, &[(output.stderr.clone(), "stderr")], |_, _, _| None);
        self.look_around(name, answers);
        let new = [
            &self.sentry.requests()[requests.0..],
            &self.other.requests()[requests.1..],
        ];
        let parts: Vec<_> = new.concat().into_iter().flat_map(parts).collect();
        self.look(name, &parts, |_, kind, part| match part.as_str() {
            "authorization" => Some(Header),
            "refresh_token" if kind == Refresh => Some(Field),
            "device_code" if kind == DeviceCode => Some(Field),
            _ => None,
        });
    }

    /// Searches all files of the machine, and the system calls of the last command.
    #[track_caller]
    fn look_around(&mut self, name: &str, answers: &[Kind]) {
        let texts: Vec<_> = files(self.machine.root())
            .into_iter()
            .map(|path| {
                let bytes = fs::read(&path).expect("a file");
                (String::from_utf8_lossy(&bytes).into_owned(), path)
            })
            .collect();
        self.look(name, &texts, |_, _, path| {
            is_database(&path).then_some(Database)
        });
        let calls = fs::read_to_string(self.trace()).expect("a trace");
        let (first, start) = process_and_call(&calls).expect("a call");
        assert!(start.starts_with("execve("), "{calls}");
        let lines: Vec<_> = calls
            .lines()
            .enumerate()
            .map(|(number, line)| (line.to_owned(), number))
            .collect();
        self.look(name, &lines, |line, kind, number| {
            let (process, call) = process_and_call(line)?;
            match target(call)? {
                Target::Program => (number == 0).then_some(OwnEnvironment),
                Target::Stdout => {
                    (process == first && answers.contains(&kind)).then_some(Place::Answer)
                }
                Target::File(path) => is_database(Path::new(path)).then_some(Database),
                Target::Tcp => Some(Network),
            }
        });
    }

    /// Searches each text for each secret; `place` is where that would be, `None` a forbidden place.
    #[track_caller]
    fn look<W: std::fmt::Debug + Clone>(
        &mut self,
        name: &str,
        texts: &[(String, W)],
        place: impl Fn(&str, Kind, W) -> Option<Place>,
    ) {
        for (kind, secret) in &self.secrets {
            for (text, whence) in texts.iter().filter(|(text, _)| is_in(text, secret)) {
                let place = place(text, *kind, whence.clone());
                let allowed = place.is_some_and(|place| may_be(*kind, place));
                assert!(
                    allowed,
                    "{name}: {kind:?} in {whence:?} ({place:?}):\n{text}"
                );
                self.seen.extend(place.map(|place| (*kind, place)));
            }
        }
    }

    #[track_caller]
    fn live(&mut self, steps: &[Step]) {
        for (name, code, answers, cmd) in steps {
            let cmd = cmd(self);
            self.step(name, *code, answers, cmd);
        }
    }

    /// No stored secret is left on the disk.
    #[track_caller]
    fn leaves_nothing(&self) {
        for (kind, secret) in &self.secrets {
            let left = files_with(self.machine.root(), secret);
            assert_eq!(left, Vec::<String>::new(), "{kind:?}");
        }
    }
}

fn may_be(kind: Kind, place: Place) -> bool {
    let mut rows = MAY_BE.iter();
    rows.any(|row| row.0 == kind && row.1.contains(&place))
}

/// Literally, or as the invariant part of its base64 at any offset.
fn is_in(text: &str, secret: &str) -> bool {
    let is_encoded = |before: usize| {
        let padded = format!("{}{secret}", "-".repeat(before));
        let whole = BASE64_STANDARD_NO_PAD.encode(&padded);
        text.contains(&whole[(before * 8).div_ceil(6)..padded.len() * 8 / 6])
    };
    text.contains(secret) || (0..3).any(is_encoded)
}

/// The database, or its sidecar files.
fn is_database(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    path.parent().is_some_and(|dir| dir.ends_with(".sentry"))
        && matches!(name, Some("cli.db" | "cli.db-wal" | "cli.db-journal"))
}

/// Each part of a request that could carry a secret, and its name.
fn parts(request: Request) -> Vec<(String, String)> {
    let mut parts = vec![(request.path, "path".to_owned())];
    for (name, value) in request.headers.into_iter().chain(request.form) {
        parts.push((name.clone(), "name".to_owned()));
        parts.push((value, name.to_lowercase()));
    }
    parts
}

/// Calls that pass data on: to a program, a file, a socket, a name.
const CALLS: &str = "%file,sendto,sendmsg,sendmmsg,write,writev,pwrite64,pwritev,pwritev2,sendfile,memfd_create,\
                     add_key,keyctl,ioctl,prctl,prlimit64";

enum Target<'a> {
    Program,
    Stdout,
    File(&'a str),
    Tcp,
}

/// A line of strace; the number of the process is padded.
fn process_and_call(line: &str) -> Option<(&str, &str)> {
    let (process, call) = line.split_once(' ')?;
    Some((process, call.trim_start()))
}

/// The destination of a call's data; `None` for calls that must not carry a secret.
fn target(call: &str) -> Option<Target<'_>> {
    let (name, arguments) = call.split_once('(')?;
    let writes = [
        "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg",
    ];
    if name == "execve" {
        return Some(Target::Program);
    }
    let (descriptor, rest) = arguments
        .split_once('<')
        .filter(|_| writes.contains(&name))?;
    let (target, _) = rest.split_once(">, ")?;
    Some(match (descriptor, target) {
        ("1", _) => Target::Stdout,
        (_, socket) if socket.starts_with("TCP:") => Target::Tcp,
        _ => Target::File(target),
    })
}

fn everything_is_where_it_belongs(machine: Sandbox) {
    lives(Life::new(machine));
}

#[track_caller]
fn lives(mut life: Life) {
    life.live(LIFE);
    life.leaves_nothing();
    let all = MAY_BE.iter();
    let all = all.flat_map(|(kind, places)| places.iter().map(|place| (*kind, *place)));
    assert_eq!(life.seen, all.collect(), "not all of it was seen");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn each_secret_is_where_the_protocols_want_it_and_nowhere_else() {
    everything_is_where_it_belongs(Sandbox::new());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_trace_on_standard_error_changes_nothing_about_that() {
    everything_is_where_it_belongs(Sandbox::new().env("SENTRY_CREDENTIAL_TRACE", "1"));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn verbose_commands_change_nothing_about_that() {
    lives(Life {
        options: &["--verbose"],
        ..Life::new(Sandbox::new())
    });
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_trace_in_a_file_changes_nothing_about_that() {
    let machine = Sandbox::new();
    let trace = machine.home().join("trace");
    everything_is_where_it_belongs(machine.env("SENTRY_CREDENTIAL_TRACE", trace));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring, strace(1)")]
fn nothing_goes_to_the_keyring_in_the_clear() {
    let keyring = Keyring::start();
    let machine = Sandbox::new()
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
        .env("SENTRY_CREDENTIAL_KEYRING", "mirror")
        .env("SENTRY_CREDENTIAL_TRACE", "1");
    let mut life = Life::new(machine);
    life.live(&[
        ("a login", 0, &[], |life| {
            life.sentry.approve_next();
            life.auth("login --keyring")
        }),
        ("refresh --force", 0, &[], |life| {
            life.auth("refresh --force")
        }),
        ("status", 0, &[], |life| life.auth("status")),
        ("doctor", 0, &[], |life| life.auth("doctor")),
        ("logout", 0, &[], |life| life.auth("logout")),
    ]);
    life.leaves_nothing();
}

/// Ways for a server to echo this text.
fn throwing_back(text: &str) -> Vec<(&'static str, Fault)> {
    let raw = |bytes: String| Fault::Raw(bytes.into_bytes());
    let json = |status, body| Fault::from(Answer::json(status, &body));
    vec![
        ("a failure", Answer::new(500, "text/html", text).into()),
        (
            "a description",
            json(
                400,
                json!({"error": "invalid_request", "error_description": text}),
            ),
        ),
        ("an error code", json(400, json!({ "error": text }))),
        ("a detail", json(401, json!({ "detail": text }))),
        ("an error as a success", json(200, json!({ "error": text }))),
        (
            "a token that is none",
            json(200, json!({ "access_token": format!("{text} {text}") })),
        ),
        (
            "a redirect",
            Answer::new(302, "text/html", "")
                .header("Location", &format!("https://evil.example/?{text}"))
                .into(),
        ),
        (
            "a Retry-After",
            Answer::new(503, text, "")
                .header("Retry-After", text)
                .into(),
        ),
        ("no HTTP", raw(format!("{text}\r\n\r\n"))),
        ("a status", raw(format!("HTTP/1.1 {text}\r\n\r\n"))),
        ("a version", raw(format!("HTTP/{text} 200 OK\r\n\r\n"))),
        (
            "a header",
            raw(format!("HTTP/1.1 200 OK\r\n{text}\x01: x\r\n\r\n")),
        ),
        (
            "a length",
            raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n")),
        ),
        (
            "a chunk",
            raw(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}\r\n"
            )),
        ),
        ("JSON", raw(format!("HTTP/1.1 200 OK\r\n\r\n{{{text}"))),
    ]
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn what_a_server_throws_back_is_not_repeated() {
    let mut life = Life::new(Sandbox::new().env("SENTRY_CREDENTIAL_TRACE", "1"));
    life.live(&LIFE[..1]);
    let current = life.sentry.current();
    for (what, fault) in throwing_back(&current.refresh) {
        // A request without a valid HTTP answer is repeated once.
        life.sentry.fault_always(Endpoint::Refresh, fault);
        life.expire();
        let get = life.git("get", "");
        life.step(what, 1, &[], get);
        life.sentry.fix();
        let sql = "UPDATE helper_session SET retry_at = NULL, intent = NULL, intent_at = NULL";
        let _reset = life.machine.database().unwrap().execute(sql, []);
    }
    life.auth("refresh --force").run().success();
    for (what, fault) in throwing_back(&life.sentry.current_access()) {
        for command in ["status", "whoami"] {
            life.sentry.fault_always(Endpoint::Api, fault.clone());
            let cmd = life.auth(command);
            let code = cmd.clone().run().code;
            life.step(what, code, &[], cmd);
            life.sentry.fix();
        }
    }
    for (what, fault) in throwing_back(life.latest(Api)) {
        life.other.fault(Endpoint::Api, fault);
        let login = life.auth("login --with-token --url").arg(life.other.url());
        let login = login.stdin(life.latest(Api));
        life.step(what, 1, &[], login);
    }
    // Codes that it sent are not among what it is asked to show either.
    for field in ["user_code", "verification_uri", "verification_uri_complete"] {
        life.sentry.rewrite(Endpoint::DeviceCode, move |answer| {
            answer[field] = answer["device_code"].clone();
        });
        let login = life.auth("login --force");
        life.step(field, 1, &[], login);
        life.sentry.fix();
    }
    let mut dead = json!({"error": "invalid_grant"});
    dead["error_description"] = life.sentry.current().refresh.into();
    life.sentry
        .fault(Endpoint::Refresh, Answer::json(400, &dead));
    let refresh = life.auth("refresh --force");
    life.step("invalid_grant", 1, &[], refresh);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_login_on_the_terminal_of_a_get_shows_no_secret() {
    let mut life = Life::new(Sandbox::new().env("SENTRY_CREDENTIAL_TRACE", "1"));
    life.live(&LIFE[..1]);
    life.sentry.revoke_family(life.latest(Access));
    life.expire();
    life.sentry.approve_next();
    let get = life.git("get", "").traced(CALLS, &life.trace());
    let request = format!("protocol=http\nhost={}\n", life.sentry.address());
    let mut user = TtyUser::start_piped(get, request);
    user.expect("[Y/n]").type_line("y");
    assert_eq!(user.wait(), 0, "{}", user.screen());
    life.learn();
    let answer = user.stdout();
    assert!(answer.contains(life.latest(Access)));
    life.look("get", &[(user.screen(), "screen")], |_, _, _| None);
    life.look("get", &[(answer, Place::Answer)], |_, kind, place| {
        (kind == Access).then_some(place)
    });
    life.look_around("get", &[Access]);
}
