//! The docker credential-helper protocol as docker, podman and skopeo use it, and malformed.
//!
//! Separate from `hosts`, which has registry names that imitate others, and from `helper_streams`, which has the
//! behaviour common to both helpers.

mod logins;
mod requests;
mod servers;
mod sessions;
mod signing_in;

use crate::sandbox::{Output, Sandbox};
use serde_json::{Value, json};

const NOT_FOUND: &str = "credentials not found in native keychain\n";

#[track_caller]
fn docker(machine: &Sandbox, action: &str, input: impl AsRef<[u8]>) -> Output {
    machine.docker_credential(action).stdin(input).run()
}

#[track_caller]
fn store(machine: &Sandbox, server: &str, username: &str, secret: &str) {
    let login = json!({ "ServerURL": server, "Username": username, "Secret": secret });
    docker(machine, "store", login.to_string())
        .success()
        .stdout_is("")
        .stderr_is("");
}

#[track_caller]
fn erase(machine: &Sandbox, server: &str) {
    docker(machine, "erase", server)
        .success()
        .stdout_is("")
        .stderr_is("");
}

/// The answer is exactly this, in the order of docker's own helpers.
#[track_caller]
fn gets(machine: &Sandbox, server: &str, username: &str, secret: &str) {
    let text = |text: &str| Value::from(text).to_string();
    docker(machine, "get", server)
        .success()
        .stderr_is("")
        .stdout_is(&format!(
            "{{\"ServerURL\":{},\"Username\":{},\"Secret\":{}}}\n",
            text(server),
            text(username),
            text(secret)
        ));
}

#[track_caller]
fn gets_nothing(machine: &Sandbox, server: &str) {
    docker(machine, "get", server)
        .fails(1)
        .stdout_is(NOT_FOUND)
        .stderr_is("");
}

#[track_caller]
fn lists(machine: &Sandbox, expected: &Value) {
    for input in ["", "unused"] {
        let listed = docker(machine, "list", input).success().stderr_is("");
        assert_eq!(
            &serde_json::from_str::<Value>(&listed.stdout).expect("JSON"),
            expected
        );
    }
}

/// Whatever the input, this is an error of one line, and nothing is stored.
#[track_caller]
fn refuses(machine: &Sandbox, action: &str, input: impl AsRef<[u8]>, words: &str) {
    docker(machine, action, input)
        .fails(1)
        .stdout_is(words)
        .stderr_is("");
    assert_eq!(machine.stored_credentials(), 0);
}
