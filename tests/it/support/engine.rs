//! A substitute for the docker engine: the part of its API that `docker login` and a build use, on a unix socket.
//!
//! The docker client has the engine verify a credential helper's answer, and no engine runs on a test machine. This one
//! queries the registry, like the real one; it has no images, a pull only asks whether the registry lets the client in, and
//! a build does nothing.

use crate::nginx::get;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;

/// A running engine; dropping it closes its socket.
pub struct Engine {
    directory: TempDir,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    logins: Mutex<Vec<Value>>,
    /// A registry that only this engine finds.
    known: Option<(&'static str, SocketAddr)>,
    stopped: AtomicBool,
}

impl Engine {
    pub fn start() -> Self {
        Self::with(Shared::default())
    }

    /// One that finds the registry of this name there, without TLS.
    pub fn that_knows(name: &'static str, address: SocketAddr) -> Self {
        Self::with(Shared {
            known: Some((name, address)),
            ..Shared::default()
        })
    }

    fn with(shared: Shared) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(directory.path().join("docker.sock")).expect("a socket");
        let shared = Arc::new(shared);
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve(&listener)
        });
        Self {
            directory,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The value of `DOCKER_HOST`.
    pub fn docker_host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The credentials that clients sent for verification, as in the engine's API.
    pub fn logins(&self) -> Vec<Value> {
        self.shared
            .logins
            .lock()
            .expect("no thread panicked")
            .clone()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _wakes_the_acceptor = UnixStream::connect(self.socket());
        let ended = self.acceptor.take().map(JoinHandle::join);
        assert!(
            thread::panicking() || matches!(ended, Some(Ok(()))),
            "the engine panicked, see above"
        );
    }
}

impl Shared {
    fn serve(&self, listener: &UnixListener) {
        thread::scope(|threads| {
            for connection in listener.incoming() {
                if self.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let connection = connection.expect("the listener accepts");
                threads.spawn(move || {
                    // The client may close the connection early.
                    let _gone = self.converse(&connection);
                });
            }
        });
    }

    /// One exchange; the client opens a new connection for the next.
    fn converse(&self, mut connection: &UnixStream) -> io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let (method, path, shown, body) = read_request(connection)?;
        let (status, answer) = match path.split_once("/images/create?") {
            Some((_, query)) => self.pull(query, &shown),
            None => self.answer(&path, &body),
        };
        let answer = answer.to_string();
        write!(
            connection,
            "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nOstype: linux\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            answer.len(),
            if method == "HEAD" { "" } else { &answer }
        )
    }

    fn answer(&self, path: &str, body: &[u8]) -> (&'static str, Value) {
        let path = path.split('?').next().unwrap_or_default();
        let endpoint = path.rsplit('/').next().unwrap_or_default();
        match endpoint {
            "_ping" => ("200 OK", json!("OK")),
            "version" => (
                "200 OK",
                json!({ "ApiVersion": "1.41", "Version": "20.10.0", "MinAPIVersion": "1.12", "Os": "linux" }),
            ),
            "info" => (
                "200 OK",
                json!({ "IndexServerAddress": "https://index.docker.io/v1/", "OSType": "linux" }),
            ),
            "build" => (
                "200 OK",
                json!({ "stream": "Successfully built 0123456789ab\n" }),
            ),
            "auth" => {
                let login: Value = serde_json::from_slice(body).expect("the client sends JSON");
                self.logins
                    .lock()
                    .expect("no thread panicked")
                    .push(login.clone());
                match self.registry_accepts(&login) {
                    Ok(true) => (
                        "200 OK",
                        json!({ "Status": "Login Succeeded", "IdentityToken": "" }),
                    ),
                    Ok(false) => (
                        "401 Unauthorized",
                        json!({ "message": "unauthorized: authentication required" }),
                    ),
                    Err(error) => (
                        "500 Internal Server Error",
                        json!({ "message": error.to_string() }),
                    ),
                }
            }
            _ => (
                "404 Not Found",
                json!({ "message": format!("the stand-in engine knows no {path}") }),
            ),
        }
    }

    /// Of a pull only what the client has to do with: the registry's answer to what it shows.
    fn pull(&self, query: &str, shown: &Value) -> (&'static str, Value) {
        let image = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("fromImage="));
        let image = image.unwrap_or_default().replace("%2F", "/");
        let mut login = shown.clone();
        if login.is_null() {
            login = json!({});
        }
        login["serveraddress"] = json!(image.split('/').next());
        match self.registry_accepts(&login) {
            Ok(true) => (
                "200 OK",
                json!({ "status": format!("Status: Downloaded newer image for {image}:latest") }),
            ),
            Ok(false) => (
                "500 Internal Server Error",
                json!({ "message": format!("Head \"https://{image}\": no basic auth credentials") }),
            ),
            Err(error) => (
                "500 Internal Server Error",
                json!({ "message": error.to_string() }),
            ),
        }
    }

    /// Queries the registry as the engine does; an identity token is sent as the password.
    fn registry_accepts(&self, login: &Value) -> io::Result<bool> {
        let text = |key: &str| login[key].as_str().unwrap_or_default();
        let (host, user) = (text("serveraddress"), text("username"));
        let secret = if text("identitytoken").is_empty() {
            text("password")
        } else {
            text("identitytoken")
        };
        let credential = BASE64_STANDARD.encode(format!("{user}:{secret}"));
        let host = match self.known {
            Some((name, address)) if name == host => address.to_string(),
            _ => host.to_owned(),
        };
        let answer = get(&host, "/v2/", &format!("Basic {credential}"))?;
        Ok(answer.starts_with("HTTP/1.1 200 "))
    }
}

/// Method, path, what is shown to a registry, and body.
fn read_request(connection: &UnixStream) -> io::Result<(String, String, Value, Vec<u8>)> {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let (mut length, mut shown) = (0, Value::Null);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(io::Error::other)?;
            }
            Some((name, value)) if name.eq_ignore_ascii_case("x-registry-auth") => {
                let value = value.trim_end_matches('=');
                let value = BASE64_URL_SAFE_NO_PAD.decode(value);
                shown = serde_json::from_slice(&value.map_err(io::Error::other)?)?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((method, path, shown, body))
}
