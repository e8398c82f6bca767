//! A registry that was signed out, and the requests that sign it in again.

use super::{docker, refuses};
use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Output, Sandbox};
use crate::service::tool;

const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// The answer to a `get` from a program with this name and these arguments. The program is a shell, whose `-c` is an
/// option of docker and podman too.
fn asked_by(machine: &Sandbox, name: &str, arguments: &[&str]) -> Output {
    let get = "printf r.example | docker-credential-sentry get; exit ${PIPESTATUS[1]}";
    let as_name = r#"name=$1; shift; exec -a "$name" bash -c "$@""#;
    let shell = machine.command(tool("bash")).args(["-c", as_name, "bash"]);
    shell.args([name, get]).args(arguments).run()
}

/// A machine with a session, whose registry was signed out.
fn machine(sentry: &FakeSentry) -> Sandbox {
    let machine = Sandbox::new();
    machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
    machine.bind("docker r.example", &sentry.url(), None);
    docker(&machine, "erase", "r.example").success();
    machine
}

#[test]
#[cfg_attr(portable, ignore = "command lines")]
fn a_get_for_a_login_signs_a_registry_in() {
    let sentry = FakeSentry::start();
    for (name, arguments) in [
        ("docker", &["login", "r.example"][..]),
        (
            "/usr/bin/docker",
            &["--config", "/x", "-D", "login", "-u", "joe"],
        ),
        (
            "podman",
            &["--log-level=debug", "--root", "/x", "login", "r.example"],
        ),
    ] {
        let machine = machine(&sentry);
        let token = sentry.current_access();
        asked_by(&machine, name, arguments)
            .success()
            .stdout_has(&token);
        docker(&machine, "get", "r.example")
            .success()
            .stdout_has(&token);
    }
}

#[test]
fn a_get_for_anything_else_leaves_it_signed_out() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    for (name, arguments) in [
        ("docker", &["--config", "login", "pull", "r.example/x"][..]),
        ("docker", &["-H", "login", "pull", "r.example/x"]),
        ("docker", &["pull", "login"]),
        ("docker", &["build", "login"]),
        ("docker", &["run", "--rm", "r.example/x", "login"]),
        ("docker", &["compose", "pull", "login"]),
        ("docker-compose", &["pull", "login"]),
        ("docker-compose", &["login"]),
        ("podman", &["build", "-t", "login", "."]),
        ("podman", &["--unknown", "login"]),
        ("python3", &["login"]),
        ("login", &["login"]),
    ] {
        asked_by(&machine, name, arguments)
            .fails(1)
            .stdout_is(NOT_FOUND);
    }
    refuses(&machine, "get", "r.example", NOT_FOUND);
}

#[test]
#[cfg_attr(portable, ignore = "command lines")]
fn the_environments_token_signs_a_registry_in_too() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_AUTH_TOKEN", "t0ken");
    machine.bind("docker r.example", &sentry.url(), None);
    docker(&machine, "erase", "r.example").success();
    refuses(&machine, "get", "r.example", NOT_FOUND);
    asked_by(&machine, "podman", &["login", "r.example"])
        .success()
        .stdout_has("t0ken");
    docker(&machine, "get", "r.example")
        .success()
        .stdout_has("t0ken");
}
