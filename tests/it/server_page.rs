//! The servers of `docs/server.md`: the configuration that the page shows, run by real nginx and used by real clients.
//!
//! Separate from `git_server` and `registry`, whose nginx asks the fake Sentry what no real one answers. Of the page only
//! places, names and ports are replaced, and certificates are left out.

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault, User};
use crate::nginx::{get, serve_with};
use crate::real_git::machine;
use crate::real_podman_skopeo::{podman, skopeo};
use crate::sandbox::{Cmd, Sandbox};
use crate::service::{Service, tool, tools};
use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

const PAGE: &str = include_str!("../../docs/server.md");
const MODULE: &str = "load_module /usr/lib/nginx/modules/ngx_http_js_module.so;";
const BOTH: [&str; 2] = [r#"Bearer realm="Sentry""#, r#"Basic realm="Sentry""#];

/// A file that a page shows, by the path in its first line.
#[track_caller]
pub fn shown(page: &str, path: &str) -> String {
    let mut blocks = page.split("\n```").skip(1).step_by(2);
    let is_it = |block: &&str| {
        let first = block.lines().nth(1).unwrap_or_default();
        first.split_once(' ').is_some_and(|(_, name)| name == path)
    };
    let block = blocks.find(is_it).expect(path);
    block
        .split_once('\n')
        .expect("a block has lines")
        .1
        .to_owned()
}

/// Replaces what must be there.
#[track_caller]
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in:\n{text}");
    text.replace(from, to)
}

/// One of the page's servers.
struct Server {
    nginx: Service,
    address: SocketAddr,
    _backend: Service,
    sandbox: Sandbox,
    log: &'static str,
}

impl Server {
    #[track_caller]
    fn git(sentry: &str, organization: &str) -> Server {
        let sandbox = Sandbox::new();
        let socket = sandbox.root().join("fcgiwrap.socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let backend = Service::start(sandbox.command(tool("fcgiwrap")), OwnedFd::from(listener));
        let repository = sandbox.root().join("git/demo.git");
        fs::create_dir_all(&repository).expect("a directory");
        let root = sandbox.root().display().to_string();
        let site = shown(PAGE, "/etc/nginx/sites-enabled/git");
        let site = replaced(
            &site,
            "/run/fcgiwrap.socket",
            &format!("{root}/fcgiwrap.socket"),
        );
        let site = replaced(&site, "/srv/git", &format!("{root}/git"));
        let server = Server::start(sandbox, backend, "git.log", &site, sentry, organization);
        let init = ["init", "--quiet", "--bare", "--initial-branch=main", "."];
        server.in_repository(&init);
        let hook = repository.join("hooks/pre-receive");
        fs::write(&hook, format!("#!/bin/sh\nenv >{root}/hook\n")).expect("a hook");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("a mode");
        server
    }

    #[track_caller]
    fn registry(sentry: &str) -> Server {
        let sandbox = Sandbox::new();
        let root = sandbox.root().display().to_string();
        let socket = format!("{root}/registry.sock");
        let config = shown(PAGE, "/etc/docker/registry/config.yml");
        let config = replaced(
            &config,
            "/var/lib/docker-registry",
            &format!("{root}/images"),
        );
        let listen = format!("  net: unix\n  addr: {socket}\n");
        let config = replaced(&config, "  addr: 127.0.0.1:5000\n", &listen);
        let file = sandbox.root().join("registry.yml");
        fs::write(&file, config).expect("a file");
        let serve = sandbox
            .command(tool("docker-registry"))
            .arg("serve")
            .arg(&file);
        let mut backend = Service::start(serve, Stdio::null());
        backend.wait_until(|| UnixStream::connect(&socket).ok());
        let site = shown(PAGE, "/etc/nginx/sites-enabled/registry");
        let site = replaced(
            &site,
            "http://127.0.0.1:5000",
            &format!("http://unix:{socket}"),
        );
        Server::start(sandbox, backend, "registry.log", &site, sentry, "my-org")
    }

    #[track_caller]
    fn start(
        sandbox: Sandbox,
        backend: Service,
        log: &'static str,
        site: &str,
        sentry: &str,
        organization: &str,
    ) -> Server {
        let root = sandbox.root().display().to_string();
        let script = shown(PAGE, "/etc/nginx/sentry.js");
        fs::write(sandbox.root().join("sentry.js"), script).expect("a file");
        let snippet = shown(PAGE, "/etc/nginx/snippets/sentry.conf");
        let snippet = replaced(&snippet, "https://sentry.io/", &format!("{sentry}/"));
        let snippet = replaced(&snippet, "/ORG/", &format!("/{organization}/"));
        fs::write(sandbox.root().join("snippet.conf"), snippet).expect("a file");
        let http = shown(PAGE, "/etc/nginx/conf.d/sentry.conf");
        let http = replaced(&http, "/etc/nginx/sentry.js", &format!("{root}/sentry.js"));
        let http = replaced(&http, "/var/lib/nginx/sentry", &format!("{root}/cache"));
        let include = format!("{root}/snippet.conf");
        let site = replaced(site, "/etc/nginx/snippets/sentry.conf", &include);
        let site = replaced(&site, "/var/log/nginx/", &format!("{root}/"));
        let is_kept = |line: &&str| !line.trim_start().starts_with("ssl_certificate");
        let site: Vec<&str> = site.lines().filter(is_kept).collect();
        let site = site.join("\n");
        let (mut nginx, address) = serve_with(&sandbox, MODULE, "info", |address| {
            let site = replaced(&site, "listen 443 ssl;", &format!("listen {address};"));
            format!("{http}\n{site}")
        });
        nginx.wait_until(|| {
            let answer = get(&address.to_string(), "/", "").ok()?;
            answer.starts_with("HTTP/1.1 ").then_some(())
        });
        Server {
            nginx,
            address,
            _backend: backend,
            sandbox,
            log,
        }
    }

    fn host(&self) -> String {
        self.address.to_string()
    }

    fn url(&self) -> String {
        format!("http://{}/demo.git", self.address)
    }

    #[track_caller]
    fn in_repository(&self, args: &[&str]) -> String {
        let git = self.sandbox.command("git").args(args);
        let run = git
            .current_dir(self.sandbox.root().join("git/demo.git"))
            .run();
        run.success().stdout.trim().to_owned()
    }

    /// What both of nginx's logs have.
    fn logs(&self) -> String {
        let log = fs::read_to_string(self.sandbox.root().join(self.log)).expect("a log");
        log + &self.nginx.said()
    }

    /// Status and challenges of the answer to a request with this header.
    #[track_caller]
    fn asked(&self, authorization: &str) -> (u16, Vec<String>, String) {
        let path = match self.log {
            "git.log" => "/demo.git/info/refs?service=git-upload-pack",
            _ => "/v2/",
        };
        let answer = get(&self.host(), path, authorization).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let challenges = head
            .lines()
            .filter_map(|line| line.strip_prefix("WWW-Authenticate: "))
            .map(str::to_owned);
        (
            status.expect("a status"),
            challenges.collect(),
            body.to_owned(),
        )
    }
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{password}");
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair))
}

/// A user who can log in to the Sentry but is not a member.
fn stranger(sentry: &FakeSentry) -> String {
    let stranger = User {
        id: "666".to_owned(),
        name: "Mallory".to_owned(),
        username: "mallory".to_owned(),
        email: "mallory@example.com".to_owned(),
    };
    let member = sentry.user();
    sentry.expel(&stranger);
    sentry.set_user(stranger);
    let token = sentry.issue().access;
    sentry.set_user(member);
    token
}

/// Commits 2 MiB that do not compress, and pushes them.
#[track_caller]
fn commit_and_push(machine: &Sandbox, git: &dyn Fn(&[&str]) -> Cmd, work: &Path) {
    let noise = "head -c 2097152 /dev/urandom >noise";
    let made = machine.command("/bin/sh").args(["-c", noise]);
    let _made = made.current_dir(work).run().success();
    let run = |args: &[&str]| {
        let _done = git(args).current_dir(work).run().success();
    };
    run(&["add", "noise"]);
    run(&["commit", "--quiet", "-m", "noise"]);
    run(&["push", "--quiet", "origin", "HEAD:main"]);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nginx's njs")]
fn members_clone_and_push_two_mebibytes_with_every_git() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        let server = Server::git(&sentry.url(), "my-org");
        let token = sentry.issue().access;
        let machine = machine(&sentry, &token);
        let set_up = ["auth", "setup-git", "--host", &server.host()];
        let _set_up = machine.sentry(&set_up).run().success();
        let bearer = format!("http.extraHeader=Authorization: Bearer {token}");
        // As a helper answers, and the header that other clients send.
        for (way, options) in [("helper", vec![]), ("header", vec!["-c", bearer.as_str()])] {
            let git = |args: &[&str]| {
                let name = ["-c", "user.name=J", "-c", "user.email=j@example.com"];
                let git = machine.command(&git).args(name);
                git.args(&options).args(args)
            };
            let work = machine.home().join(way);
            let cloned = git(&["clone", "--quiet", &server.url(), way]).run();
            let _cloned = cloned.success().never_says(&token);
            commit_and_push(&machine, &git, &work);
            let head = git(&["rev-parse", "HEAD"]).current_dir(&work).run();
            let head = head.success().stdout;
            assert_eq!(server.in_repository(&["rev-parse", "main"]), head.trim());
        }
        let hook = fs::read_to_string(server.sandbox.root().join("hook")).expect("the hook ran");
        assert!(hook.contains("\nREMOTE_USER=jane\n"), "{hook}");
        assert!(!hook.contains(&token), "a hook has the token");
        let logs = server.logs();
        assert!(logs.contains(r#"- jane ["#), "{logs}");
        assert!(
            logs.contains(r#""POST /demo.git/git-receive-pack HTTP/1.1" 200 "#),
            "{logs}"
        );
        assert!(!logs.contains(&token), "a token is in a log");
        // All of that within a minute: one question about the organization, one about the user.
        let asked = sentry.requests_to(Endpoint::Api);
        let paths: Vec<&str> = asked.iter().map(|request| request.path.as_str()).collect();
        assert_eq!(
            paths,
            ["/api/0/organizations/my-org/?detailed=0", "/api/0/"]
        );
        for request in &asked {
            assert_eq!(request.authorization, Some(format!("Bearer {token}")));
            assert_eq!(request.header("content-length"), None);
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nginx's njs")]
fn a_refusal_has_the_right_status() {
    let sentry = FakeSentry::start();
    let (stranger, member) = (stranger(&sentry), sentry.issue().access);
    let revoked = sentry.issue().access;
    sentry.revoke_family(&revoked);
    let organization = "sntrys_e30_organization";
    sentry.add_org_token(organization);
    let (git, registry) = (
        Server::git(&sentry.url(), "my-org"),
        Server::registry(&sentry.url()),
    );
    let another = Server::git(&sentry.url(), "another-org");
    let bearer = |token: &str| format!("Bearer {token}");
    // More than a header takes, and what no header may have.
    let (long, broken) = ("x".repeat(5000), "a\r\nHost: evil");
    let nobody = [
        String::new(),
        "Bearer".to_owned(),
        "Basic !!!".to_owned(),
        "Digest username=x".to_owned(),
        bearer("wrong"),
        bearer(&revoked),
        bearer("wrong words"),
        basic("oauth2", "wrong"),
        basic("oauth2", ""),
        basic("oauth2", &long),
        basic("oauth2", broken),
        basic(&member, ""),
    ];
    for shown in &nobody {
        for (server, challenges) in [(&git, &BOTH[..]), (&registry, &BOTH[1..])] {
            let (status, found, body) = server.asked(shown);
            assert_eq!(status, 401, "{shown}: {body}");
            assert_eq!(found, challenges, "{shown}");
        }
    }
    for shown in [bearer(&stranger), basic("oauth2", &stranger)] {
        for server in [&git, &registry] {
            let (status, challenges, body) = server.asked(&shown);
            assert_eq!((status, challenges), (403, vec![]), "{body}");
            assert!(body.contains("not a member of the organization"), "{body}");
        }
    }
    for token in [&member, organization] {
        for shown in [
            bearer(token),
            basic("oauth2", token),
            format!("bearer {token}"),
        ] {
            for server in [&git, &registry] {
                let (status, challenges, body) = server.asked(&shown);
                assert_eq!((status, challenges), (200, vec![]), "{body}");
            }
            // There is no organization of that name, or the token may not read it.
            assert_eq!(another.asked(&shown).0, 403);
        }
    }
    for server in [&git, &registry] {
        let logs = server.logs();
        for name in ["- jane [", "- organization [", "- - ["] {
            assert!(logs.contains(name), "{name}: {logs}");
        }
        for secret in [&member, &stranger, &revoked, organization, "wrong"] {
            assert!(!logs.contains(secret), "{secret} is in a log: {logs}");
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nginx's njs")]
fn a_sentry_that_fails_is_distinguished_from_a_token_that_is_refused() {
    let answers = [
        (429, 503),
        (500, 502),
        (502, 502),
        (503, 503),
        (504, 502),
        (302, 502),
        (418, 502),
        (401, 401),
        (403, 403),
        (404, 403),
    ];
    let sentry = FakeSentry::start();
    let servers = [
        Server::git(&sentry.url(), "my-org"),
        Server::registry(&sentry.url()),
    ];
    let token = sentry.issue().access;
    let shown = format!("Bearer {token}");
    for (answer, expected) in answers {
        let fault =
            Answer::new(answer, "text/html", "<h1>no</h1>").header("Location", "/auth/login/");
        sentry.fault_always(Endpoint::Api, fault);
        for server in &servers {
            assert_eq!(server.asked(&shown).0, expected, "{answer}");
        }
    }
    sentry.fault_always(Endpoint::Api, Fault::ResetBefore);
    for server in &servers {
        assert_eq!(server.asked(&shown).0, 502);
    }
    // None of these answers is cached.
    sentry.fix();
    for server in &servers {
        assert_eq!(server.asked(&shown).0, 200);
    }
    let other = format!("Bearer {}", sentry.issue().access);
    drop(sentry);
    for server in &servers {
        assert_eq!(server.asked(&other).0, 502);
        // This is, for a minute.
        assert_eq!(server.asked(&shown).0, 200);
        assert_eq!(server.asked("").0, 401);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nginx's njs")]
fn members_push_and_pull_images() {
    let sentry = FakeSentry::start();
    let server = Server::registry(&sentry.url());
    let token = sentry.issue().access;
    let machine = machine(&sentry, &token);
    let image = write_image(&machine);
    let (first, second) = (
        format!("{}/team/a:1", server.host()),
        format!("{}/team/b:1", server.host()),
    );
    let push = || {
        let push = ["--insecure-policy", "copy", "--dest-tls-verify=false"];
        let to = format!("docker://{first}");
        skopeo(&machine, &push).args([&image, &to]).run()
    };
    let _refused = push().fails(1);
    let set_up = ["auth", "setup-docker", "--registry", &server.host()];
    let _set_up = machine.sentry(&set_up).run().success();
    let _pushed = push().success();
    let inspected = machine.command(tool("docker"));
    let inspected = inspected.args(["manifest", "inspect", "--insecure", &first]);
    let _manifest = inspected.run().success().stdout_has("rootfs.diff.tar");
    let pull = ["pull", "--quiet", "--tls-verify=false", &first];
    let _pulled = podman(&machine, &pull).run().success();
    let push = ["push", "--quiet", "--tls-verify=false", &first, &second];
    let _pushed = podman(&machine, &push).run().success();
    let inspect = [
        "inspect",
        "--tls-verify=false",
        &format!("docker://{second}"),
    ];
    let _there = skopeo(&machine, &inspect).run().success();
    let logs = server.logs();
    assert!(logs.contains("- jane ["), "{logs}");
    assert!(!logs.contains(&token), "a token is in a log");

    let stranger = stranger(&sentry);
    let other = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_AUTH_TOKEN", &stranger);
    let _set_up = other.sentry(&set_up).run().success();
    let denied = skopeo(
        &other,
        &[
            "inspect",
            "--tls-verify=false",
            &format!("docker://{first}"),
        ],
    );
    let _denied = denied.run().fails(1).never_says(&stranger);
}

/// An image with one layer of 2 MiB, as `dir:…`.
#[track_caller]
fn write_image(machine: &Sandbox) -> String {
    let dir = machine.root().join("image");
    fs::create_dir(&dir).expect("a directory");
    // The end of a tar archive is zeros; noise behind it is not read.
    let layer = "{ head -c 1024 /dev/zero; head -c 2097152 /dev/urandom; } >layer";
    let made = machine.command("/bin/sh").args(["-c", layer]);
    let _made = made.current_dir(&dir).run().success();
    let add = |name: &str| {
        let sum = machine.command("sha256sum").arg(dir.join(name)).run();
        let digest = sum.success().stdout[..64].to_owned();
        let size = fs::metadata(dir.join(name)).expect("a file").len();
        fs::rename(dir.join(name), dir.join(&digest)).expect("a file");
        (format!("sha256:{digest}"), size)
    };
    let (layer, layer_size) = add("layer");
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    });
    fs::write(dir.join("config"), config.to_string()).expect("a file");
    let (config, config_size) = add("config");
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": config, "size": config_size,
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "digest": layer, "size": layer_size,
        }],
    });
    fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a file");
    format!("dir:{}", dir.display())
}
