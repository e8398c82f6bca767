//! The actions, and the messages that clients compare.

use super::{docker, erase, gets, gets_nothing, lists, refuses, store};
use crate::sandbox::Sandbox;
use serde_json::json;
use std::fs;

const NO_SERVER: &str = "no credentials server URL\n";
const NO_USERNAME: &str = "no credentials username\n";
const USAGE: &str = "usage: docker-credential-sentry <get|store|erase|list|version>\n";

#[test]
fn what_is_not_there_is_not_found() {
    let machine = Sandbox::new();
    for server in [
        "https://nothing.example",
        "nothing.example",
        "https://index.docker.io/v1/",
        "garbage",
        "localhost:5000",
    ] {
        gets_nothing(&machine, server);
    }
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_request_without_a_server_is_an_error() {
    let machine = Sandbox::new();
    for input in ["", "\n", " \t\r\n"] {
        refuses(&machine, "get", input, NO_SERVER);
        refuses(&machine, "erase", input, NO_SERVER);
    }
    for login in [
        json!({ "Username": "u", "Secret": "s" }),
        json!({ "ServerURL": "", "Username": "u", "Secret": "s" }),
        json!({ "ServerURL": null, "Username": "u", "Secret": "s" }),
        json!({ "ServerURL": " ", "Username": "", "Secret": "" }),
        json!({}),
    ] {
        refuses(&machine, "store", login.to_string(), NO_SERVER);
    }
}

#[test]
fn a_login_without_a_user_is_an_error() {
    let machine = Sandbox::new();
    for login in [
        json!({ "ServerURL": "https://r.example", "Username": "", "Secret": "s" }),
        json!({ "ServerURL": "https://r.example", "Username": null, "Secret": "s" }),
        json!({ "ServerURL": "https://r.example", "Secret": "s" }),
        json!({ "ServerURL": "https://r.example" }),
    ] {
        refuses(&machine, "store", login.to_string(), NO_USERNAME);
    }
}

#[test]
fn version_and_help_answer_without_input() {
    let machine = Sandbox::new();
    for action in ["version", "--version"] {
        docker(&machine, action, "")
            .success()
            .stderr_is("")
            .stdout_is(concat!(
                "docker-credential-sentry (sentry-credential) v",
                env!("CARGO_PKG_VERSION"),
                "\n"
            ));
    }
    docker(&machine, "--help", "")
        .success()
        .stderr_is("")
        .stdout_has(USAGE);
}

#[test]
fn there_is_exactly_one_argument() {
    let machine = Sandbox::new();
    let program = || machine.command(env!("CARGO_BIN_EXE_docker-credential-sentry"));
    for cmd in [
        program(),
        program().args(["get", "get"]),
        program().args(["get", ""]),
        program().args(["version", "list", "erase"]),
    ] {
        cmd.stdin("r.example")
            .run()
            .fails(1)
            .stdout_is(USAGE)
            .stderr_is("");
    }
    for action in ["GET", "frobnicate", "", "-x", "get ", "--get", "$(id)"] {
        docker(&machine, action, "r.example")
            .fails(1)
            .stdout_has("unknown action")
            .stdout_has(USAGE)
            .stderr_is("");
    }
}

#[test]
fn what_was_stored_comes_back_is_listed_and_goes() {
    let machine = Sandbox::new();
    lists(&machine, &json!({}));
    store(&machine, "https://r.example", "ann", "secret");
    store(&machine, "other.example:5000", "bob", "hidden");
    gets(&machine, "https://r.example", "ann", "secret");
    gets(&machine, "other.example:5000", "bob", "hidden");
    lists(
        &machine,
        &json!({ "https://r.example": "ann", "other.example:5000": "bob" }),
    );
    store(&machine, "https://r.example", "eve", "newer");
    gets(&machine, "https://r.example", "eve", "newer");
    lists(
        &machine,
        &json!({ "https://r.example": "eve", "other.example:5000": "bob" }),
    );
    erase(&machine, "https://r.example");
    gets_nothing(&machine, "https://r.example");
    lists(&machine, &json!({ "other.example:5000": "bob" }));
    erase(&machine, "other.example:5000");
    docker(&machine, "list", "unused")
        .success()
        .stdout_is("{}\n");
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn erasing_what_is_not_there_succeeds() {
    let machine = Sandbox::new();
    for server in [
        "r.example",
        "https://user:pw@r.example",
        "ftp://r.example",
        "garbage",
    ] {
        erase(&machine, server);
    }
    assert!(!machine.config_dir().exists());
    store(&machine, "r.example", "ann", "secret");
    erase(&machine, "other.example");
    erase(&machine, "r.example");
    erase(&machine, "r.example");
    gets_nothing(&machine, "r.example");
}

#[test]
fn no_removed_secret_stays_in_a_file() {
    let machine = Sandbox::new();
    store(&machine, "r.example", "ann", "needle-in-the-store");
    store(&machine, "s.example", "ann", "kept");
    erase(&machine, "r.example");
    for entry in fs::read_dir(machine.config_dir()).expect("a directory") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file");
        let found = String::from_utf8_lossy(&bytes).contains("needle-in-the-store");
        assert!(!found, "{} still has it", path.display());
    }
}

#[test]
fn a_request_has_a_mebibyte_at_most() {
    let machine = Sandbox::new();
    let at_most = format!("{}r.example", " ".repeat((1 << 20) - "r.example".len()));
    gets_nothing(&machine, &at_most);
    for action in ["get", "store", "erase"] {
        refuses(
            &machine,
            action,
            format!("{at_most} "),
            "the request is too long\n",
        );
        refuses(
            &machine,
            action,
            vec![b'x'; 10 << 20],
            "the request is too long\n",
        );
    }
}
