//! The hosts that the documents name: `sentry.io`, `sentry.example.com`, `git.example.com`, `registry.example.com`; and
//! `other.example.com`, where `sentry.example.com` answers too.
//!
//! A block of a document is run as it stands, so its hosts must exist. One nginx serves all of them by TLS; a machine of
//! this world reaches it through a proxy, for every name, and trusts its authority.

use super::CLIENT;
use crate::engine::Engine;
use crate::fake_sentry::{Endpoint, FakeSentry, SAAS_CLIENT};
use crate::git_server::{Challenge, GitServer};
use crate::nginx;
use crate::official::peers;
use crate::proxy_server::always_to;
use crate::registry::Registry;
use crate::sandbox::Sandbox;
use crate::service::Service;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

/// An API token that `sentry.io` accepts.
pub const API_TOKEN: &str = "sntryu_of_the_ci";

pub struct World {
    /// `sentry.io`
    pub saas: FakeSentry,
    /// `sentry.example.com`
    pub own: FakeSentry,
    _registry: Registry,
    engine: Engine,
    _git: GitServer,
    _tls: Service,
    proxy: SocketAddr,
    sandbox: Sandbox,
}

impl World {
    #[track_caller]
    pub fn new() -> World {
        let (saas, own) = (
            sentry("https://sentry.io"),
            sentry("https://sentry.example.com"),
        );
        saas.add_client(SAAS_CLIENT);
        saas.add_api_token(API_TOKEN);
        own.add_client(CLIENT);
        own.add_api_token(API_TOKEN);
        let git = GitServer::start(&saas, Challenge::Both);
        let registry = Registry::start(&saas);
        let _image = registry.push_image("team/image:latest");
        let sandbox = Sandbox::new();
        make_certificate(&sandbox);
        let (mut tls, address) = nginx::serve(&sandbox, "crit", |address| {
            let host = |name: &str, location: &str| {
                format!(
                    "server {{
                       listen {address} ssl; server_name {name};
                       ssl_certificate server.pem; ssl_certificate_key server.key;
                       {location}
                     }}"
                )
            };
            let pass = |to: &str| format!("proxy_pass {to}; proxy_set_header Host $http_host;");
            let hosts = [
                host(
                    "sentry.io us.sentry.io",
                    &format!("location / {{ proxy_pass {}; }}", saas.url()),
                ),
                host(
                    "sentry.example.com other.example.com",
                    &format!("location / {{ proxy_pass {}; }}", own.url()),
                ),
                host(
                    "git.example.com",
                    &format!(
                        "location /demo.git/ {{ {0} }} location /team/repository.git/ {{ {0} }}",
                        pass(&format!("{}/", git.url()))
                    ),
                ),
                host(
                    "registry.example.com",
                    &format!(
                        "location / {{ {} }}",
                        pass(&format!("http://{}", registry.host()))
                    ),
                ),
            ];
            format!("access_log off; client_max_body_size 0; {}", hosts.concat())
        });
        tls.wait_until(|| {
            let started = sandbox.root().join("nginx.pid").exists();
            (started && TcpStream::connect(address).is_ok()).then_some(())
        });
        let engine = registry.host().parse().expect("an address");
        programs(&sandbox);
        World {
            engine: Engine::that_knows("registry.example.com", engine),
            proxy: always_to(address),
            _tls: tls,
            _git: git,
            saas,
            own,
            _registry: registry,
            sandbox,
        }
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.sandbox.root().join("ca.pem")
    }

    /// A machine with nothing but the programs, as after the first step of any installation.
    pub fn machine(&self) -> Sandbox {
        let machine = Sandbox::new();
        let bin = self.sandbox.root().join("bin");
        let mut path = OsString::from(bin);
        path.push(":/usr/local/bin:/usr/bin:/bin");
        let ca = self.authority();
        let runtime = machine.root().to_owned();
        machine
            .env("PATH", path)
            .env("XDG_RUNTIME_DIR", runtime)
            .env("HTTPS_PROXY", format!("http://{}", self.proxy))
            .env("SSL_CERT_FILE", &ca)
            .env("GIT_SSL_CAINFO", &ca)
            .env("DOCKER_HOST", self.engine.docker_host())
            .env("SENTRY_CLI_NO_TELEMETRY", "1")
            .env("SENTRY_CLI_NO_UPDATE_CHECK", "1")
            .env("BROWSER", "true")
            // Of the tests, not of the documents.
            .env("CA", &ca)
            .env("API_TOKEN", API_TOKEN)
            .env("BIN", self.sandbox.root().join("bin"))
            .env("PROJECT", env!("CARGO_MANIFEST_DIR"))
    }
}

/// A Sentry that calls itself by this name, approves each login, and wants to be asked each second.
fn sentry(name: &'static str) -> FakeSentry {
    let sentry = FakeSentry::start();
    let own = sentry.url();
    sentry.set_interval(Some(1));
    sentry.rewrite(Endpoint::DeviceCode, move |answer| {
        for field in ["verification_uri", "verification_uri_complete"] {
            let uri = answer[field].as_str().unwrap_or_default();
            answer[field] = uri.replace(&own, name).into();
        }
    });
    sentry
}

#[track_caller]
fn make_certificate(sandbox: &Sandbox) {
    let script = "
        set -e
        new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj '/CN=Example authority' \
            -addext keyUsage=critical,keyCertSign
        openssl req $new -keyout server.key -out server.csr -subj /CN=example.com
        echo 'subjectAltName=DNS:sentry.io,DNS:*.sentry.io,DNS:*.example.com' >names
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem";
    let made = sandbox.command("/bin/sh").args(["-c", script]);
    made.current_dir(sandbox.root()).run().success();
}

/// The directory that comes first on `PATH`: the programs as a package has them, `sentry` as cargo does, and `sentry-cli`.
#[track_caller]
fn programs(sandbox: &Sandbox) {
    let bin = sandbox.root().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let link = |program: &str, name: &str| symlink(program, bin.join(name)).expect("a link");
    link(env!("CARGO_BIN_EXE_sentry"), "sentry");
    link(env!("CARGO_BIN_EXE_sentry"), "sentry-credential");
    link(
        env!("CARGO_BIN_EXE_git-credential-sentry"),
        "git-credential-sentry",
    );
    link(
        env!("CARGO_BIN_EXE_docker-credential-sentry"),
        "docker-credential-sentry",
    );
    let cli = peers().with_file_name("sentry-cli/node_modules/@sentry/cli/bin/sentry-cli");
    link(cli.to_str().expect("a path"), "sentry-cli");
}

/// Makes a program of a script, first on the machine's `PATH` of `bin`.
#[track_caller]
pub fn stand_in(machine: &Sandbox, name: &str, script: &str) {
    let bin = machine.home().join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    let written = bin.join("new");
    fs::write(&written, format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(&written, fs::Permissions::from_mode(0o755)).expect("a mode");
    // By a process of its own: what this one has open for writing cannot be executed.
    machine.copy(written.to_str().expect("a path"), &bin.join(name));
}
