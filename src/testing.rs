//! Fixtures for unit tests: a machine with a store in a temporary directory, a clock that only the test moves, and a
//! server with canned answers.
//!
//! Separate from the tested modules so that each test describes its machine in one line:
//! `Machine::new().session(Age::STALE).bound_to("r.example")`.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::account::{Session, Tokens, User};
use crate::lock::{Lock, LockGuard};
use crate::origin::Origin;
use crate::platform::files::HOME;
use crate::secret::Secret;
use crate::store::{Binding, Client, Credential, ReadTransaction, Store, WriteTransaction};
use crate::world::{Clock, SystemClock, Timestamp, World};

/// The time of day at which a machine begins: 2033-05-18T03:33:20Z.
pub(crate) const NOW: i64 = 2_000_000_000_000;

pub(crate) const SAAS: &str = "https://sentry.io";

pub(crate) const SELF: &str = "https://self.example";

/// The OAuth client that sessions are issued to.
pub(crate) const CLIENT: &str = "recorded-client";

const DAY: i64 = 24 * 3600 * 1000;

/// A clock that advances only when the code sleeps or a test moves it.
pub(crate) struct VirtualClock {
    now: Cell<i64>,
    uptime: Cell<Duration>,
}

impl Default for VirtualClock {
    fn default() -> VirtualClock {
        VirtualClock {
            now: Cell::new(NOW),
            uptime: Cell::default(),
        }
    }
}

impl VirtualClock {
    /// Advances the clock.
    pub(crate) fn pass(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap();
        self.now.set(self.now.get() + millis);
        self.uptime.set(self.uptime.get() + span);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.get())
    }

    fn uptime(&self) -> Duration {
        self.uptime.get()
    }

    fn sleep(&self, span: Duration) {
        self.pass(span);
        // For a moment, a child that another test starts has our files open, and with them our locks.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The lock of a directory that this test alone uses.
pub(crate) fn credential_lock(dir: &Path) -> LockGuard {
    let lock = Lock::credential(dir).acquire(&SystemClock, Duration::from_secs(10));
    lock.expect("nobody else holds it")
}

/// When a token was issued and when it expires, in milliseconds from the machine's beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Age {
    issued: i64,
    expires: Option<i64>,
    refreshable: bool,
}

impl Age {
    /// Far from its expiry.
    pub(crate) const FRESH: Age = Age::between(-DAY, 30 * DAY);
    /// Valid, and due for a refresh.
    pub(crate) const EXPIRES_SOON: Age = Age::between(-30 * DAY, 60_000);
    /// It has expired.
    pub(crate) const STALE: Age = Age::between(-30 * DAY, -1000);
    /// An API token, which does not expire.
    pub(crate) const API_TOKEN: Age = Age {
        issued: -DAY,
        expires: None,
        refreshable: false,
    };
    /// An API token that has expired.
    pub(crate) const EXPIRED_API_TOKEN: Age = Age {
        refreshable: false,
        ..Age::STALE
    };

    const fn between(issued: i64, expires: i64) -> Age {
        Age {
            issued,
            expires: Some(expires),
            refreshable: true,
        }
    }

    /// The tokens of this age of a user: `access-of-jane`, `refresh-of-jane`.
    pub(crate) fn tokens(self, name: &str) -> Tokens {
        Tokens {
            access: access(name),
            refresh: self.refreshable.then(|| refresh(name)),
            issued_at: Some(Timestamp::from_millis(NOW + self.issued)),
            expires_at: self.expires.map(|at| Timestamp::from_millis(NOW + at)),
        }
    }
}

/// The access token of a user.
pub(crate) fn access(name: &str) -> Secret {
    Secret::new(format!("access-of-{name}"))
}

/// The refresh token of a user.
pub(crate) fn refresh(name: &str) -> Secret {
    Secret::new(format!("refresh-of-{name}"))
}

/// A user with this name.
pub(crate) fn user(name: &str) -> User {
    User {
        id: Some(format!("id-of-{name}")),
        email: Some(format!("{name}@mail.example")),
        username: Some(name.to_owned()),
        name: None,
    }
}

pub(crate) fn origin(text: &str) -> Origin {
    Origin::parse(text).unwrap()
}

/// A machine: a home directory, variables, a clock. It has no user at a terminal.
pub(crate) struct Machine {
    home: TempDir,
    clock: Rc<VirtualClock>,
    variables: Vec<(String, String)>,
    instance: Origin,
}

impl Machine {
    /// A machine without a store.
    pub(crate) fn new() -> Machine {
        #[cfg(unix)]
        let home = {
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            tempfile::Builder::new().permissions(private).tempdir()
        };
        // In the user's profile, which is private.
        #[cfg(windows)]
        let home = tempfile::tempdir();
        let home = home.unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        Machine {
            home,
            clock: Rc::default(),
            variables: vec![(HOME.into(), path), ("CI".into(), "true".into())],
            instance: Origin::saas(),
        }
    }

    /// Sessions and bindings that follow are of this instance.
    pub(crate) fn at(mut self, instance: &str) -> Machine {
        self.instance = origin(instance);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Machine {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Machine {
        self.variables.retain(|(other, _)| other != name);
        self
    }

    /// jane logs in, with tokens of this age.
    pub(crate) fn session(self, age: Age) -> Machine {
        self.account("jane", age)
    }

    /// Another user logs in and becomes the active account.
    pub(crate) fn account(self, name: &str, age: Age) -> Machine {
        let now = Timestamp::from_millis(NOW + age.issued);
        self.change(|change| {
            change
                .log_in(
                    &self.instance,
                    &user(name),
                    &age.tokens(name),
                    age.refreshable.then_some(CLIENT),
                    now,
                )
                .unwrap();
        });
        self
    }

    /// A host is bound to the instance, for git and for docker.
    pub(crate) fn bound_to(self, host: &str) -> Machine {
        let bindings = [Client::Git, Client::Docker].map(|client| self.binding(client, host));
        self.change(|change| bindings.iter().for_each(|one| change.bind(one).unwrap()));
        self
    }

    /// A binding of a host to the instance.
    pub(crate) fn binding(&self, client: Client, host: &str) -> Binding {
        Binding {
            server: client.server(&match client {
                Client::Git => format!("https://{host}"),
                Client::Docker => host.to_owned(),
            }),
            origin: self.instance.clone(),
            username: None,
            signed_out: false,
            account: None,
        }
    }

    /// Adds a binding.
    pub(crate) fn bind(self, binding: &Binding) -> Machine {
        self.change(|change| change.bind(binding).unwrap());
        self
    }

    /// A program stored a credential.
    pub(crate) fn stored(self, credential: &Credential) -> Machine {
        self.change(|change| change.put_credential(credential).unwrap());
        self
    }

    /// The environment with the clock; warnings are kept off standard error.
    pub(crate) fn world(&self) -> World {
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        World::of(&variables, self.clock.clone()).quietly()
    }

    /// The same for a refresh: no worker is started, because its order cannot hold such an uptime.
    pub(crate) fn without_worker(self) -> Machine {
        let longest = Duration::from_millis(u64::MAX);
        self.clock.uptime.set(longest + Duration::from_secs(1));
        self
    }

    pub(crate) fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory of the store.
    pub(crate) fn dir(&self) -> PathBuf {
        self.world().config_dir().unwrap()
    }

    /// The store; created if there is none.
    pub(crate) fn store(&self) -> Store {
        Store::open_or_create(&self.world(), &self.dir()).unwrap()
    }

    pub(crate) fn has_store(&self) -> bool {
        self.dir().join("cli.db").exists()
    }

    /// Changes the store.
    pub(crate) fn change(&self, write: impl FnOnce(&WriteTransaction<'_>)) {
        let store = self.store();
        let held = credential_lock(store.directory());
        let change = store.change(&held, &*self.clock).unwrap();
        write(&change);
        change.commit().unwrap();
    }

    /// Reads the store.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&ReadTransaction<'_>) -> T) -> T {
        let store = self.store();
        let view = store.read().unwrap();
        read(&view)
    }

    /// The sessions, the active one first.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.read(|view| view.sessions().unwrap())
    }

    /// The active session.
    pub(crate) fn active(&self) -> Session {
        self.sessions().remove(0)
    }

    /// What is stored for docker or git.
    pub(crate) fn credentials(&self, client: Client) -> Vec<Credential> {
        self.read(|view| view.credentials(client).unwrap())
    }

    /// Changes the database as another program may, by SQL.
    pub(crate) fn sql(&self, sql: &str) {
        let path = self.store().path().to_owned();
        let database = rusqlite::Connection::open(path).unwrap();
        database.execute_batch(sql).unwrap();
    }
}

/// A credential that a program stored for a key of our tables, without optional fields.
pub(crate) fn credential(server: &str, username: &str, secret: &str) -> Credential {
    Credential {
        server: server.to_owned(),
        path: None,
        username: Some(username.to_owned()),
        secret: Secret::new(secret),
        authtype: None,
        expiry: None,
        refresh_token: None,
    }
}

/// The reaction of a server to one request.
pub(crate) enum Canned {
    /// Answers with this status, header lines, and body.
    Says(u16, &'static str, String),
    /// Reads the request, and closes the connection.
    HangsUp,
}

impl Canned {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Canned {
        Canned::Says(status, "", body.to_owned())
    }

    /// New tokens for a user, valid for 30 days.
    pub(crate) fn grant(name: &str) -> Canned {
        let (access, refresh) = (access(name), refresh(name));
        let body = serde_json::json!({
            "access_token": access.expose(), "refresh_token": refresh.expose(),
            "expires_in": 30 * 24 * 3600, "token_type": "Bearer",
        });
        Canned::json(200, &body.to_string())
    }

    /// An error of OAuth.
    pub(crate) fn error(status: u16, code: &str) -> Canned {
        Canned::json(status, &format!(r#"{{"error":"{code}"}}"#))
    }

    /// Sentry's answer to a token that it accepts.
    pub(crate) fn accepted() -> Canned {
        Canned::json(200, r#"{"auth":{"scopes":[]},"user":{"username":"jane"}}"#)
    }
}

/// A server on this machine: gives its answers in order, one to each connection, and then stops listening.
pub(crate) struct Server {
    pub(crate) origin: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(answers: Vec<Canned>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = requests.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let request = request(&mut stream);
                recorded.lock().unwrap().push(request);
                if let Canned::Says(status, headers, body) = answer {
                    let head = format!(
                        "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
                        body.len()
                    );
                    // The client may have closed the connection early.
                    stream.write_all((head + &body).as_bytes()).ok();
                }
            }
        });
        Server { origin, requests }
    }

    /// The requests: method and path, the token, the form.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let length = stream.read(&mut chunk).unwrap();
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert_ne!(length, 0, "half a request: {text}");
            continue;
        };
        let header = |wanted: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let line = lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            line.map_or("", |(_, value)| value)
        };
        if body.len() < header("content-length").parse().unwrap_or(0) {
            continue;
        }
        let first = head.lines().next().unwrap_or_default();
        let line = first.trim_end_matches(" HTTP/1.1");
        let words = [line, header("authorization"), body];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        return words.join(" ");
    }
}
