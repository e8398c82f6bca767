//! A real nginx in front of a git server or a registry, which alone decides about access.
//!
//! The test binds its port and passes it as an open socket, so that no two servers ever race for one. Only 401 answers
//! have the challenge, as with real servers: git passes the challenges of a successful answer on to `store`.

use crate::fake_sentry::FakeSentry;
use crate::sandbox::Sandbox;
use crate::service::{Service, tool};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// Which authentication schemes a server names in its answer 401; it accepts no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer,
    /// Bearer first.
    Both,
}

/// Who has access.
#[derive(Clone, Copy)]
pub enum Door<'a> {
    /// Clients with an access token that this Sentry accepts.
    Sentry(&'a FakeSentry, Challenge),
    /// Clients with this user name and password, by Basic.
    Password(&'a str, &'a str),
}

/// A running nginx. Its directory must outlive it.
pub struct Nginx {
    _service: Service,
    address: SocketAddr,
    log: PathBuf,
}

impl Nginx {
    /// Serves on a free port of the loopback what the directives of a `location` in `inside` say, with
    /// the `add_header` directives in `headers` on every answer. All files lie in the sandbox's root.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, door: Door<'_>, headers: &str, inside: &str) -> Self {
        let root = sandbox.root().display();
        if let Door::Password(user, password) = door {
            fs::write(
                sandbox.root().join("htpasswd"),
                format!("{user}:{{PLAIN}}{password}\n"),
            )
            .expect("a file");
        }
        let (outside, guard) = door.directives(headers);
        let (mut service, address) = serve(sandbox, "warn", |address| {
            format!(
                "log_format exchange '$scheme_used $status $request_method $request_uri';
                 access_log {root}/access.log exchange;
                 client_max_body_size 0;
                 map $http_authorization $scheme_used {{ default -; '~^(?<word>[A-Za-z]+) ' $word; }}
                 {outside}
                 server {{
                   listen {address};
                   {guard}
                   location / {{ {headers} {inside} }}
                 }}"
            )
        });
        service.wait_until(|| {
            get(&address.to_string(), "/", "")
                .ok()
                .filter(|answer| answer.starts_with("HTTP/1.1 "))
        });
        Self {
            _service: service,
            address,
            log: sandbox.root().join("access.log"),
        }
    }

    /// `127.0.0.1:<port>`
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The exchanges so far, one line each: scheme of the `Authorization` or `-`, status, method, path.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }
}

impl Door<'_> {
    /// The directives for the levels `http` and `server`.
    fn directives(self, headers: &str) -> (String, String) {
        let (sentry, challenge) = match self {
            Door::Sentry(sentry, challenge) => (sentry.url(), challenge),
            Door::Password(..) => {
                return (
                    String::new(),
                    "auth_basic other; auth_basic_user_file htpasswd;".to_owned(),
                );
            }
        };
        let (schemes, realms) = match challenge {
            Challenge::Basic => ("Basic", vec![r#"Basic realm="sentry""#]),
            Challenge::Bearer => ("Bearer", vec![r#"Bearer realm="sentry""#]),
            Challenge::Both => (
                "Bearer|Basic",
                vec![r#"Bearer realm="sentry""#, r#"Basic realm="sentry""#],
            ),
        };
        let challenges: String = realms
            .iter()
            .map(|realm| format!("add_header WWW-Authenticate '{realm}' always; "))
            .collect();
        let outside = format!(
            "map $http_authorization $shown {{ default ''; '~^({schemes}) ' $http_authorization; }}"
        );
        let guard = format!(
            "auth_request /__auth;
             error_page 401 @challenge;
             location = /__auth {{
               internal;
               proxy_pass {sentry};
               proxy_pass_request_body off;
               proxy_set_header Content-Length '';
               proxy_set_header Authorization $shown;
             }}
             location @challenge {{ auth_request off; {headers} {challenges} return 401; }}"
        );
        (outside, guard)
    }
}

/// Starts nginx on a free port of the loopback, with these directives in `http`. Not waited for.
#[track_caller]
pub fn serve(
    sandbox: &Sandbox,
    log_level: &str,
    directives: impl Fn(SocketAddr) -> String,
) -> (Service, SocketAddr) {
    serve_with(sandbox, "", log_level, directives)
}

/// The same with these directives before all others.
#[track_caller]
pub fn serve_with(
    sandbox: &Sandbox,
    modules: &str,
    log_level: &str,
    directives: impl Fn(SocketAddr) -> String,
) -> (Service, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let root = sandbox.root().display();
    let config = format!(
        "{modules}
         daemon off;
         user root;
         worker_processes 1;
         pid {root}/nginx.pid;
         error_log stderr {log_level};
         events {{ worker_connections 64; }}
         http {{
           client_body_temp_path {root}/body;
           proxy_temp_path {root}/proxy;
           fastcgi_temp_path {root}/fastcgi;
           uwsgi_temp_path {root}/uwsgi;
           scgi_temp_path {root}/scgi;
           {}
         }}",
        directives(address)
    );
    let config_file = sandbox.root().join("nginx.conf");
    fs::write(&config_file, config).expect("a file");
    let cmd = sandbox
        .command(tool("nginx"))
        .args(["-e", "stderr", "-p"])
        .arg(sandbox.root())
        .arg("-c")
        .arg(&config_file)
        .env("NGINX", "0;");
    let service = Service::start(cmd, OwnedFd::from(listener));
    (service, address)
}

/// The whole answer, head and body, to one GET.
pub fn get(host: &str, path: &str, authorization: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(host)?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
