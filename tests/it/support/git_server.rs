//! A git server as hosting services run it: nginx, FastCGI, and git's own `http-backend`.
//!
//! It holds one repository, `demo.git`, whose branch `main` starts with one commit. Every authorized client may fetch
//! and push.

use crate::fake_sentry::FakeSentry;
pub use crate::nginx::Challenge;
use crate::nginx::{Door, Nginx, get};
use crate::sandbox::Sandbox;
use crate::service::{Service, tool};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// A running git server; dropping it ends its processes and removes its repository.
pub struct GitServer {
    nginx: Nginx,
    _backend: Service,
    sandbox: Sandbox,
}

impl GitServer {
    /// Grants access to clients with an access token that the Sentry accepts.
    #[track_caller]
    pub fn start(sentry: &FakeSentry, challenge: Challenge) -> Self {
        let sandbox = Sandbox::new();
        let socket = sandbox.root().join("fastcgi.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let backend = Service::start(sandbox.command(tool("fcgiwrap")), OwnedFd::from(listener));
        let nginx = Nginx::start(
            &sandbox,
            Door::Sentry(sentry, challenge),
            "",
            &hand_to_git(&sandbox),
        );
        fs::create_dir_all(repository(&sandbox)).expect("a directory");
        let server = Self {
            nginx,
            _backend: backend,
            sandbox,
        };
        server.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        server.git(&["config", "http.receivepack", "true"]);
        server.git(&["config", "uploadpack.allowFilter", "true"]);
        server.import("");
        server
    }

    /// The repository's URL.
    pub fn url(&self) -> String {
        format!("http://{}/demo.git", self.host())
    }

    /// `127.0.0.1:<port>`
    pub fn host(&self) -> String {
        self.nginx.host()
    }

    /// The commit that `main` points to.
    #[track_caller]
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "main"]).trim().to_owned()
    }

    /// Another user pushes a commit.
    #[track_caller]
    pub fn commit(&self) {
        self.import("from refs/heads/main^0\n");
    }

    /// The exchanges so far, one line each: scheme of the `Authorization` or `-`, status, method, path.
    pub fn log(&self) -> String {
        self.nginx.log()
    }

    #[track_caller]
    fn import(&self, parent: &str) {
        let commit = format!(
            "commit refs/heads/main\n\
             committer Jane Doe <jane@example.com> 1700000000 +0000\n\
             data 7\nchange\n{parent}\
             M 100644 inline README\n\
             data 6\nhello\n\n"
        );
        let import = self
            .sandbox
            .command("git")
            .args(["fast-import", "--quiet"])
            .stdin(commit);
        import.current_dir(self.repository()).run().success();
    }

    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        self.sandbox
            .command("git")
            .args(args)
            .current_dir(self.repository())
            .run()
            .success()
            .stdout
    }

    fn repository(&self) -> PathBuf {
        repository(&self.sandbox)
    }
}

fn repository(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("repositories/demo.git")
}

/// The directives that pass a request to `git http-backend`, as in its manual page.
#[track_caller]
fn hand_to_git(sandbox: &Sandbox) -> String {
    let root = sandbox.root().display();
    let programs = sandbox
        .command("git")
        .arg("--exec-path")
        .run()
        .success()
        .stdout;
    let programs = programs.trim();
    format!(
        "fastcgi_pass unix:{root}/fastcgi.sock;
         fastcgi_param SCRIPT_FILENAME {programs}/git-http-backend;
         fastcgi_param GIT_PROJECT_ROOT {root}/repositories;
         fastcgi_param GIT_HTTP_EXPORT_ALL 1;
         fastcgi_param GIT_PROTOCOL $http_git_protocol;
         fastcgi_param PATH_INFO $uri;
         fastcgi_param QUERY_STRING $query_string;
         fastcgi_param REQUEST_METHOD $request_method;
         fastcgi_param CONTENT_TYPE $content_type;
         fastcgi_param CONTENT_LENGTH $content_length;
         fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
         fastcgi_param REMOTE_ADDR $remote_addr;"
    )
}

#[test]
fn the_git_server_challenges_exactly_the_clients_without_a_valid_token() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Both);
    let ask = |token: &str| {
        let path = "/demo.git/info/refs?service=git-upload-pack";
        get(&server.host(), path, &format!("Bearer {token}")).expect("an answer")
    };
    let refused = ask("wrong");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert_eq!(
        refused.matches("\r\nWWW-Authenticate: ").count(),
        2,
        "{refused}"
    );
    let let_in = ask(&sentry.issue().access);
    assert!(let_in.starts_with("HTTP/1.1 200 "), "{let_in}");
    assert!(!let_in.contains("WWW-Authenticate"), "{let_in}");
}

#[test]
fn the_git_server_takes_no_scheme_that_it_does_not_offer() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let bearer = format!("Bearer {}", sentry.issue().access);
    let refused = get(&server.host(), "/demo.git/HEAD", &bearer).expect("an answer");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
}
