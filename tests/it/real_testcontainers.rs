//! testcontainers, which requests the credentials of each image's registry: the classes that do so, without an engine.
//! If the helper fails, it proceeds without a credential; if it cannot parse an answer, the test run ends.

use crate::engine::Engine;
use crate::fake_sentry::FakeSentry;
use crate::helpers::{with_login, with_session};
use crate::real_docker::docker;
use crate::sandbox::{Age, Sandbox};
use serde_json::{Value, json};
use std::path::Path;

/// What testcontainers would send for each of these registries.
#[track_caller]
fn resolved(machine: &Sandbox, registries: &[&str]) -> Vec<Value> {
    let above = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors();
    let peers = above
        .map(|dir| dir.join("tmp/peers"))
        .find(|dir| dir.join("testcontainers").exists())
        .expect("run tests/run");
    let modules = peers.join("testcontainers/node_modules");
    let script = "const [modules, ...registries] = process.argv.slice(1);
        const path = modules + '/testcontainers/build/container-runtime/auth/get-auth-config';
        const { getAuthConfig } = require(path);
        (async () => {
            for (const registry of registries) {
                console.log(JSON.stringify((await getAuthConfig(registry)) ?? null));
            }
        })();";
    let node = peers.join("node_modules/node-22/bin/node");
    let asked = machine
        .command(node)
        .args(["-e", script, "--"])
        .arg(modules)
        .args(registries)
        .env("DOCKER_CONFIG", machine.home().join(".docker"))
        .run();
    let answers = asked.success().stderr_is("").stdout;
    let read = |line| serde_json::from_str(line).expect("JSON");
    answers.lines().map(read).collect()
}

fn set_up(machine: &Sandbox, args: &[&str]) {
    let set_up = machine.sentry(&["auth", "setup-docker"]).args(args);
    set_up.run().success();
}

fn token(registry: &str, token: &str) -> Value {
    json!({"username": "oauth2", "password": token, "registryAddress": registry})
}

#[test]
fn a_session_and_the_environments_token_are_resolved() {
    let sentry = FakeSentry::start();
    for age in [Age::FRESH, Age::EXPIRED] {
        let machine = with_login(&sentry, age);
        set_up(&machine, &["r.example"]);
        let answers = resolved(&machine, &["r.example", "docker.io"]);
        let expected = token("r.example", &sentry.current_access());
        assert_eq!(answers, [expected, Value::Null]);
    }
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_AUTH_TOKEN", "of-the-environment");
    set_up(&machine, &["r.example"]);
    let answers = resolved(&machine, &["r.example", "docker.io"]);
    assert_eq!(
        answers,
        [token("r.example", "of-the-environment"), Value::Null]
    );
}

#[test]
fn an_ended_session_or_no_login_does_not_affect_other_registries() {
    let sentry = FakeSentry::start();
    let engine = Engine::start();
    let stored = json!({"username": "joe", "password": "p4ss", "registryAddress": "other.example"});
    for is_dead in [true, false] {
        let machine = with_login(&sentry, Age::EXPIRED);
        let machine = machine.env("DOCKER_HOST", engine.docker_host());
        set_up(&machine, &["--default", "--registry", "r.example"]);
        let secret = json!({"ServerURL": "other.example", "Username": "joe", "Secret": "p4ss"});
        let store = machine.docker_credential("store").stdin(secret.to_string());
        store.run().success();
        match is_dead {
            true => sentry.revoke_family(&sentry.current_access()),
            false => {
                machine.sentry(&["auth", "logout"]).run().success();
            }
        }
        let registries = ["r.example", "other.example", "docker.io", "r.example"];
        let answers = resolved(&machine, &registries);
        assert_eq!(
            answers,
            [Value::Null, stored.clone(), Value::Null, Value::Null]
        );
    }
}

#[test]
fn what_docker_stored_and_signed_out_is_resolved_as_docker_sees_it() {
    let sentry = FakeSentry::start();
    let engine = Engine::start();
    let machine = with_session(&sentry, Age::FRESH).env("DOCKER_HOST", engine.docker_host());
    set_up(&machine, &["r.example"]);
    docker(&machine, &["logout", "r.example"]).run().success();
    assert_eq!(resolved(&machine, &["r.example"]), [Value::Null]);
    set_up(&machine, &["r.example"]);
    let expected = token("r.example", &sentry.current_access());
    assert_eq!(resolved(&machine, &["r.example"]), [expected]);
    // An identity token is no password.
    let secret = json!({"ServerURL": "id.example", "Username": "<token>", "Secret": "i"});
    set_up(&machine, &["--default"]);
    let store = machine.docker_credential("store").stdin(secret.to_string());
    store.run().success();
    let identity = json!({"registryAddress": "id.example", "identityToken": "i"});
    assert_eq!(resolved(&machine, &["id.example"]), [identity]);
}
