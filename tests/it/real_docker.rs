//! The docker client against a registry that checks access with Sentry.
//!
//! Only `manifest inspect` and `login` use a credential without an engine; for `login` a substitute engine verifies it
//! (see `engine`).

use crate::engine::Engine;
use crate::fake_sentry::FakeSentry;
use crate::registry::Registry;
use crate::sandbox::{Cmd, Running, Sandbox};
use crate::service::tool;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Configures the user's docker, podman and skopeo to call the helper for the registry.
#[track_caller]
pub fn configure(machine: &Sandbox, registry: &Registry) {
    machine
        .sentry(&["auth", "setup-docker", "--registry", &registry.host()])
        .run()
        .success();
}

/// A machine whose user has a token for the Sentry in the environment.
pub fn machine(sentry: &FakeSentry, token: &str) -> Sandbox {
    Sandbox::new()
        .for_sentry(sentry)
        .env("SENTRY_AUTH_TOKEN", token)
}

#[track_caller]
pub fn docker(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.command(tool("docker")).args(args)
}

#[test]
fn docker_reads_a_manifest() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = registry.push_image("feas/hello:1");
    let machine = machine(&sentry, &sentry.issue().access);
    let inspect = || docker(&machine, &["manifest", "inspect", "--insecure", &image]).run();
    inspect().fails(1).stderr_has("no basic auth credentials");
    configure(&machine, &registry);
    inspect()
        .success()
        .stdout_has("application/vnd.docker.image.rootfs.diff.tar");
}

#[test]
fn docker_login_without_a_password_succeeds() {
    let sentry = FakeSentry::start();
    let (registry, engine) = (Registry::start(&sentry), Engine::start());
    let token = sentry.issue().access;
    let machine = machine(&sentry, &token).env("DOCKER_HOST", engine.docker_host());
    configure(&machine, &registry);
    docker(&machine, &["login", &registry.host()])
        .run()
        .success()
        .stdout_has("Login Succeeded")
        .never_says(&token);
    let checked =
        json!({ "username": "oauth2", "password": token, "serveraddress": registry.host() });
    assert_eq!(engine.logins(), [checked]);
}

#[test]
fn docker_login_with_a_refused_token_fails() {
    let sentry = FakeSentry::start();
    let (registry, engine) = (Registry::start(&sentry), Engine::start());
    let token = sentry.issue().access;
    sentry.revoke_family(&token);
    let machine = machine(&sentry, &token).env("DOCKER_HOST", engine.docker_host());
    configure(&machine, &registry);
    docker(&machine, &["login", &registry.host()])
        .run()
        .fails(1)
        .never_says(&token);
    assert_eq!(engine.logins().len(), 1);
}

#[test]
fn the_engine_takes_a_password_of_another_registry() {
    let (registry, engine) = (
        Registry::start_with_password("joe", "p4ss"),
        Engine::start(),
    );
    let machine = Sandbox::new().env("DOCKER_HOST", engine.docker_host());
    // With nothing in it, the client would look for a helper of this machine's.
    let config = json!({"auths": {"unused.example": {"auth": "dTpw"}}});
    std::fs::create_dir(machine.home().join(".docker")).unwrap();
    std::fs::write(
        machine.home().join(".docker/config.json"),
        config.to_string(),
    )
    .unwrap();
    let login = |password: &str| {
        docker(
            &machine,
            &["login", "-u", "joe", "--password-stdin", &registry.host()],
        )
        .stdin(password)
        .run()
    };
    login("wrong").fails(1);
    login("p4ss").success().stdout_has("Login Succeeded");
}

/// How often a race is run: `SETUP_ROUNDS`, else once.
fn rounds() -> usize {
    let rounds = std::env::var("SETUP_ROUNDS").ok();
    rounds.map_or(1, |rounds| rounds.parse().expect("a number"))
}

/// docker's file as it is now.
fn config(machine: &Sandbox) -> Value {
    let text = fs::read_to_string(machine.home().join(".docker/config.json")).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// A machine with an engine, on which docker keeps passwords in its own file.
fn plain_machine(engine: &Engine) -> Sandbox {
    let machine = Sandbox::new()
        .env("DOCKER_HOST", engine.docker_host())
        .env("SENTRY_URL", "https://sentry.io");
    // With nothing in it, the client would look for a helper of this machine's.
    let text = json!({"auths": {"unused.example": {"auth": "dTpw"}}}).to_string();
    fs::create_dir(machine.home().join(".docker")).unwrap();
    fs::write(machine.home().join(".docker/config.json"), text).unwrap();
    machine
}

fn set_ups(machine: &Sandbox) -> Vec<Running> {
    let hosts = (0..8).map(|number| format!("r{number}.example"));
    let set_up = |host: String| {
        machine
            .sentry(&["auth", "setup-docker", "--registry", &host])
            .spawn()
    };
    hosts.map(set_up).collect()
}

#[track_caller]
fn all_nine_are_there(machine: &Sandbox, host: &str) {
    let config = config(machine);
    let helpers = config["credHelpers"].as_object().expect("helpers");
    assert_eq!(helpers.len(), 8, "{config}");
    assert!(helpers.values().all(|helper| helper == "sentry"));
    assert!(config["auths"][host]["auth"].is_string(), "{config}");
    assert!(
        config["auths"]["unused.example"]["auth"].is_string(),
        "{config}"
    );
    assert_eq!(machine.bindings().len(), 8);
}

#[test]
#[cfg_attr(portable, ignore = "other processes")]
fn eight_set_ups_and_a_login_at_once_lose_nothing() {
    let (registry, engine) = (
        Registry::start_with_password("joe", "p4ss"),
        Engine::start(),
    );
    let host = registry.host();
    for _ in 0..rounds() {
        let machine = plain_machine(&engine);
        let login = ["login", "-u", "joe", "--password-stdin", &host];
        let login = docker(&machine, &login).stdin("p4ss").spawn();
        let set_ups = set_ups(&machine);
        login.wait().success();
        for set_up in set_ups {
            set_up.wait().success();
        }
        all_nine_are_there(&machine, &host);
    }
}

#[test]
#[cfg_attr(portable, ignore = "other processes")]
fn a_login_that_writes_what_it_read_before_undoes_no_set_up() {
    let (registry, engine) = (
        Registry::start_with_password("joe", "p4ss"),
        Engine::start(),
    );
    let host = registry.host();
    let machine = plain_machine(&engine);
    let fifo = machine.root().join("password");
    machine.command("mkfifo").arg(&fifo).run().success();
    let script = format!(
        "exec '{}' login -u joe --password-stdin {host} < '{}'",
        tool("docker").display(),
        fifo.display()
    );
    let login = machine.command("sh").args(["-c", &script]).spawn();
    // Until it has the password, docker works with the file as it was when it started.
    let mut password = fs::File::options().write(true).open(&fifo).unwrap();
    let set_ups = set_ups(&machine);
    let are_there = || {
        let helpers = config(&machine)["credHelpers"].as_object().map(Map::len);
        helpers == Some(8)
    };
    while !are_there() {
        std::thread::sleep(Duration::from_millis(10));
    }
    password.write_all(b"p4ss").unwrap();
    drop(password);
    login.wait().success();
    for set_up in set_ups {
        set_up.wait().success();
    }
    all_nine_are_there(&machine, &host);
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "/proc")]
fn a_login_that_takes_its_time_is_named() {
    let engine = Engine::start();
    let machine = plain_machine(&engine);
    let fifo = machine.root().join("password");
    machine.command("mkfifo").arg(&fifo).run().success();
    let script = format!(
        "exec '{}' login -u joe --password-stdin r.example < '{}'",
        tool("docker").display(),
        fifo.display()
    );
    let login = machine.command("sh").args(["-c", &script]).spawn();
    let _password = fs::File::options().write(true).open(&fifo).unwrap();
    let pid = login.pid().as_raw_pid();
    // The shell becomes docker as soon as the other end is open.
    let is_docker = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        line.windows(6).any(|part| part == b"login\0")
    };
    while !is_docker() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let set_up = machine.sentry(&["auth", "setup-docker", "--registry", "r.example"]);
    set_up.run().success().stderr_has(&format!(
        "warning: `docker login` (process {pid}) is running and may overwrite {}/.docker/config.json with its old content; `sentry auth doctor` reports when it has exited\n",
        machine.home().display()
    ));
}

/// A registry without access control.
struct OpenRegistry {
    address: SocketAddr,
}

impl OpenRegistry {
    fn start() -> OpenRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut request = [0; 4096];
                let _read = connection.read(&mut request);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                let _gone = connection.write_all(answer);
            }
        });
        OpenRegistry { address }
    }
}

#[test]
fn docker_keeps_a_secret_of_several_lines_with_us() {
    let engine = Engine::start();
    let host = OpenRegistry::start().address.to_string();
    let machine = plain_machine(&engine);
    machine
        .sentry(&["auth", "setup-docker", "--default"])
        .run()
        .success();
    // Google's way: the whole key file.
    let key = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n\"\n}";
    let login = docker(
        &machine,
        &["login", "-u", "_json_key", "--password-stdin", &host],
    );
    login
        .stdin(key)
        .run()
        .success()
        .stdout_has("Login Succeeded");
    let get = machine
        .docker_credential("get")
        .stdin(&host)
        .run()
        .success();
    let found: Value = serde_json::from_str(&get.stdout).expect("JSON");
    assert_eq!(
        (&found["Username"], &found["Secret"]),
        (&json!("_json_key"), &json!(key))
    );
    assert_eq!(engine.logins()[0]["password"], key);
}
