//! The protocol from end to end: what a client writes, what the store has, and what the client reads.

use serde_json::json;

use super::*;
use crate::store::Binding;
use crate::testing::{Age, Machine, SELF, credential};

/// What is answered, or the error as the client reads it.
fn ask(machine: &Machine, action: &str, input: &str) -> String {
    match serve(action, &mut input.as_bytes(), &machine.world()) {
        Ok(answer) => answer.to_string(),
        Err(error) => format!("error: {}", failure::one_line(&error)),
    }
}

fn get(machine: &Machine, server: &str) -> String {
    ask(machine, "get", server)
}

fn store(machine: &Machine, server: &str, username: &str, secret: &str) -> String {
    let login = json!({"ServerURL": server, "Username": username, "Secret": secret});
    ask(machine, "store", &login.to_string())
}

fn answered(server: &str, username: &str, secret: &str) -> String {
    format!("{{\"ServerURL\":\"{server}\",\"Username\":\"{username}\",\"Secret\":\"{secret}\"}}\n")
}

/// As clients compare it.
const ABSENT: &str = "error: credentials not found in native keychain";

fn jane() -> Machine {
    Machine::new().session(Age::FRESH).bound_to("r.example")
}

fn binding(machine: &Machine) -> Binding {
    machine.read(|view| view.binding("docker r.example").unwrap().unwrap())
}

#[test]
fn a_session_is_answered_under_the_name_that_the_client_gave() {
    let machine = jane();
    for server in [
        "r.example",
        "https://r.example",
        "https://R.example:443/",
        "//r.example",
    ] {
        let expected = answered(server, "oauth2", "access-of-jane");
        assert_eq!(get(&machine, server), expected);
    }
    // Plain http goes nowhere with a token.
    assert_eq!(get(&machine, "http://r.example"), ABSENT);
}

#[test]
fn the_user_name_of_the_binding_is_answered() {
    let machine = jane();
    let robot = Binding {
        username: Some("robot".into()),
        ..binding(&machine)
    };
    let machine = machine.bind(&robot);
    let expected = answered("r.example", "robot", "access-of-jane");
    assert_eq!(get(&machine, "r.example"), expected);
}

#[test]
fn what_has_no_login_is_not_found_in_the_exact_words() {
    let machine = Machine::new().bound_to("r.example");
    for server in ["r.example", "x.example", "sentry.io", "ftp://x", "a b"] {
        assert_eq!(get(&machine, server), ABSENT, "{server}");
    }
    assert_eq!(get(&machine, ""), "error: no credentials server URL");
    let nameless = r#"{"ServerURL":"x","Username":"","Secret":"s"}"#;
    let told = ask(&machine, "store", nameless);
    assert_eq!(told, "error: no credentials username");
}

#[test]
fn a_session_that_ended_is_one_sentence_and_not_an_absent_credential() {
    let machine = Machine::new().session(Age::EXPIRED_API_TOKEN);
    let told = get(&machine.bound_to("r.example"), "r.example");
    assert!(told.starts_with("error: the session at"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_stored_login_comes_back_as_it_was_given() {
    let machine = Machine::new();
    let key = "{\\n\\t\\\"type\\\": \\\"service_account\\\"\\n}\\n";
    let plain = "{\n\t\"type\": \"service_account\"\n}\n";
    assert_eq!(
        store(&machine, "https://x.example/v1/", "_json_key", plain),
        ""
    );
    let expected = answered("x.example/v1", "_json_key", key);
    assert_eq!(get(&machine, "x.example/v1"), expected);
    assert_eq!(store(&machine, "y.example", "<token>", "id"), "");
    let expected = answered("y.example", "<token>", "id");
    assert_eq!(get(&machine, "y.example"), expected);
}

#[test]
fn the_path_of_a_server_counts_and_its_scheme_does_not() {
    let machine = Machine::new();
    assert_eq!(store(&machine, "https://x.example/a", "ann", "1"), "");
    assert_eq!(store(&machine, "http://x.example/b", "bob", "2"), "");
    for (server, username, secret) in [
        ("http://x.example/a/", "ann", "1"),
        ("x.example/b", "bob", "2"),
    ] {
        assert_eq!(get(&machine, server), answered(server, username, secret));
    }
    for absent in [
        "x.example",
        "x.example/A",
        "x.example/a/b",
        "x.example:80/b",
    ] {
        assert_eq!(get(&machine, absent), ABSENT, "{absent}");
    }
}

#[test]
fn a_server_has_one_login_the_last_one() {
    let machine = Machine::new();
    assert_eq!(store(&machine, "x.example", "ann", "1"), "");
    assert_eq!(store(&machine, "https://x.example", "bob", "2"), "");
    assert_eq!(
        get(&machine, "x.example"),
        answered("x.example", "bob", "2")
    );
    assert_eq!(machine.credentials(Client::Docker).len(), 1);
}

#[test]
fn what_get_answered_is_not_stored_at_the_registry_that_it_is_for() {
    let machine = jane();
    let before = binding(&machine);
    assert_eq!(store(&machine, "r.example", "oauth2", "access-of-jane"), "");
    assert_eq!(machine.credentials(Client::Docker), []);
    assert_eq!(binding(&machine), before);
}

#[test]
fn another_user_name_beside_the_own_token_is_noted_in_the_binding() {
    let machine = jane();
    assert_eq!(store(&machine, "r.example", "robot", "access-of-jane"), "");
    assert_eq!(machine.credentials(Client::Docker), []);
    assert_eq!(binding(&machine).username.as_deref(), Some("robot"));
    assert_eq!(store(&machine, "r.example", "oauth2", "access-of-jane"), "");
    assert_eq!(binding(&machine).username, None);
}

#[test]
fn a_foreign_secret_at_a_bound_registry_is_in_force_until_it_is_signed_in_again() {
    let machine = jane();
    assert_eq!(store(&machine, "r.example", "ann", "password"), "");
    assert_eq!(
        get(&machine, "r.example"),
        answered("r.example", "ann", "password")
    );
    assert!(binding(&machine).signed_out);
    // A login through the session removes what was stored.
    assert_eq!(store(&machine, "r.example", "oauth2", "access-of-jane"), "");
    let expected = answered("r.example", "oauth2", "access-of-jane");
    assert_eq!(get(&machine, "r.example"), expected);
    assert_eq!(machine.credentials(Client::Docker), []);
}

#[test]
fn a_sentry_token_of_another_login_is_refused_with_what_to_do() {
    let machine = Machine::new().at(SELF).account("joe", Age::FRESH);
    let machine = machine.at("https://sentry.io").session(Age::FRESH);
    let machine = machine.bound_to("r.example");
    for (server, secret, remedy) in [
        (
            "r.example",
            "sntryu_0123",
            "login --url https://sentry.io --with-token",
        ),
        (
            "r.example",
            "access-of-joe",
            "setup-docker --registry r.example",
        ),
        (
            "x.example",
            "access-of-jane",
            "setup-docker --registry x.example",
        ),
        // A pattern of file names to a shell.
        (
            "[fd12::1]:5000",
            "access-of-jane",
            "`sentry auth setup-docker --registry '[fd12::1]:5000'` lets [fd12::1]:5000 use it",
        ),
    ] {
        let told = store(&machine, server, "oauth2", secret);
        assert!(told.starts_with("error: this is "), "{told}");
        assert!(told.contains(remedy) && !told.contains(secret), "{told}");
    }
    assert_eq!(machine.credentials(Client::Docker), []);
}

#[test]
fn a_logout_removes_what_was_stored_and_signs_a_bound_registry_out() {
    let machine = jane().stored(&credential("docker x.example", "ann", "1"));
    for server in [
        "r.example",
        "https://r.example",
        "x.example",
        "never.example",
        "ftp://x",
    ] {
        assert_eq!(ask(&machine, "erase", server), "", "{server}");
        assert_eq!(get(&machine, server), ABSENT, "{server}");
    }
    assert!(binding(&machine).signed_out);
    assert!(machine.active().tokens.is_some(), "docker ends no session");
    assert_eq!(store(&machine, "r.example", "oauth2", "access-of-jane"), "");
    assert!(!binding(&machine).signed_out);
}

#[test]
fn a_logout_from_the_instance_itself_is_recorded_without_a_binding() {
    let machine = Machine::new().session(Age::FRESH);
    assert_eq!(ask(&machine, "erase", "sentry.io"), "");
    assert_eq!(get(&machine, "sentry.io"), ABSENT);
    assert!(machine.read(|view| {
        view.binding("docker sentry.io")
            .unwrap()
            .unwrap()
            .signed_out
    }));
}

#[test]
fn a_logout_from_what_is_not_there_makes_no_store() {
    let machine = Machine::new();
    for server in ["x.example", "sentry.io"] {
        assert_eq!(ask(&machine, "erase", server), "");
    }
    assert_eq!(ask(&machine, "list", ""), "{}\n");
    assert!(!machine.has_store());
}

#[test]
fn a_list_has_servers_as_they_were_given_and_reads_no_input() {
    let machine = jane();
    assert_eq!(store(&machine, "https://x.example/v1/", "ann", "1"), "");
    let expected = "{\"https://x.example/v1/\":\"ann\",\"r.example\":\"oauth2\"}\n";
    for input in ["", "unused"] {
        assert_eq!(ask(&machine, "list", input), expected);
    }
}

#[test]
fn a_request_that_is_too_long_or_has_several_lines_is_refused() {
    let machine = jane();
    let long = "r".repeat(MAX_INPUT + 1);
    for action in ["get", "erase", "store"] {
        assert_eq!(
            ask(&machine, action, &long),
            "error: the request is too long"
        );
    }
    for action in ["get", "erase"] {
        let told = ask(&machine, action, "r.example\nx.example");
        assert!(told.starts_with("error: the server URL"), "{told}");
    }
    let mut odd = &b"\xff\xfe"[..];
    assert!(serve("get", &mut odd, &machine.world()).is_err());
}

#[test]
fn an_action_is_one_of_the_five_and_help() {
    let machine = jane();
    assert_eq!(ask(&machine, "version", ""), VERSION);
    assert_eq!(ask(&machine, "--version", ""), VERSION);
    assert_eq!(ask(&machine, "--help", ""), USAGE);
    for odd in ["", "GET", "remove"] {
        let told = ask(&machine, odd, "r.example");
        assert!(told.starts_with("error: unknown action; usage: "), "{told}");
    }
}
