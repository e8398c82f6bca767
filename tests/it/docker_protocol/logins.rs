//! The JSON that docker stores, as Go writes it, and malformed.

use super::{docker, erase, gets, lists, refuses, store};
use crate::sandbox::Sandbox;
use serde_json::json;
use std::time::Duration;

const NOT_JSON: &str = "the request is not a JSON object with ServerURL, Username and Secret\n";

#[test]
fn an_identity_token_comes_back_unchanged() {
    let machine = Sandbox::new();
    docker(
        &machine,
        "store",
        r#"{"ServerURL":"https://r.example","Username":"\u003ctoken\u003e","Secret":"a\u0026b\u003d\u00fc"}"#,
    )
    .success()
    .stdout_is("")
    .stderr_is("");
    gets(&machine, "https://r.example", "<token>", "a&b=ü");
    lists(&machine, &json!({ "https://r.example": "<token>" }));
}

#[test]
fn keys_are_read_as_go_reads_them() {
    let machine = Sandbox::new();
    for login in [
        r#"{"serverurl":"r.example","USERNAME":"ann","secret":"s"}"#,
        "\u{feff}{\"ServerURL\":\"r.example\",\"Username\":\"ann\",\"Secret\":\"s\"}",
        r#" {"Extra":{"a":[1,null]},"Secret":"s","Username":"ann","ServerURL":"r.example"} "#,
        "{\n  \"ServerURL\": \"r.example\",\n  \"Username\": \"ann\",\n  \"Secret\": \"s\"\n}\n",
    ] {
        docker(&machine, "store", login).success().stdout_is("");
        gets(&machine, "r.example", "ann", "s");
        erase(&machine, "r.example");
    }
}

#[test]
fn a_secret_may_be_long_and_strange() {
    let machine = Sandbox::new();
    // Google's `_json_key` is a whole file.
    let key_file = "{\r\n\t\"private_key\": \"-----BEGIN\\nMIIE\"\n}\n\u{1b}\u{85}";
    for secret in [
        "  $(id) `id` %n \\ \"' ",
        "ü🔑",
        key_file,
        &"x".repeat(900_000),
        "",
    ] {
        store(&machine, "r.example", "ann", secret);
        gets(&machine, "r.example", "ann", secret);
    }
}

#[test]
fn what_is_not_a_login_is_not_stored() {
    let machine = Sandbox::new();
    let deep = "[".repeat(10_000);
    let deep_field = format!(r#"{{"ServerURL":"r","Username":"u","Secret":"s","x":{deep}"#);
    for login in [
        "",
        "garbage",
        "null",
        "1",
        "\"r.example\"",
        "[]",
        r#"["r.example","u","s"]"#,
        "{",
        r#"{"ServerURL":"r.example","Username":"u","Secret":"s"}x"#,
        r#"{"ServerURL":"r.example","Username":"u","Secret":"s"}{}"#,
        r#"{"ServerURL":1,"Username":"u","Secret":"s"}"#,
        r#"{"ServerURL":"r.example","Username":["u"],"Secret":"s"}"#,
        r#"{"ServerURL":"r.example","Username":"u","Secret":{"a":1}}"#,
        r#"{"ServerURL":"r.example","Username":"u","Secret":true}"#,
        r#"{"ServerURL":"r.example","Username":"u","Secret":"\ud800"}"#,
        r#"{"ServerURL":"s.example","serverurl":"r.example","Username":"u","Secret":"s"}"#,
        r#"{"ServerURL":"r.example","Username":"u","Secret":"s","SECRET":null}"#,
        r#"{'ServerURL':'r.example','Username':'u','Secret':'s'}"#,
        &deep,
        &deep_field,
    ] {
        refuses(&machine, "store", login, NOT_JSON);
    }
    for (username, secret) in [
        ("u\n", "s"),
        ("u", "s\0"),
        ("u", "s\nx\0"),
        ("\u{1b}[31m", "s"),
    ] {
        let login = json!({ "ServerURL": "r.example", "Username": username, "Secret": secret });
        refuses(
            &machine,
            "store",
            login.to_string(),
            "the user name or the secret has a control character\n",
        );
    }
    for server in [
        "ftp://r.example",
        "https://user:pw@r.example",
        "r.example#x",
    ] {
        let login = json!({ "ServerURL": server, "Username": "u", "Secret": "s" });
        refuses(
            &machine,
            "store",
            login.to_string(),
            "the server URL is not that of a registry\n",
        );
    }
}

#[test]
fn of_a_key_that_is_said_twice_the_last_value_counts_as_in_go() {
    let machine = Sandbox::new();
    let login = r#"{"ServerURL":"s.example","ServerURL":"r.example","Username":"u","Secret":"s"}"#;
    docker(&machine, "store", login).success().stdout_is("");
    gets(&machine, "r.example", "u", "s");
    lists(&machine, &json!({ "r.example": "u" }));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn monstrous_json_costs_little_time_and_memory() {
    let machine = Sandbox::new();
    let login = r#""ServerURL":"r.example","Username":"u","Secret":"s""#;
    let fill = |unit: &str| unit.repeat(((1 << 20) - 200) / unit.len());
    let store = |input: String| {
        assert!(input.len() <= 1 << 20);
        let store = machine.docker_credential("store").stdin(input);
        let limited = store.under("prlimit", &["--data=67108864", "--stack=1048576"]);
        limited.limit(Duration::from_secs(20)).run().stderr_is("")
    };
    for refused in [
        fill("["),
        fill("{\"a\":"),
        format!("{{{login},\"x\":{}", fill("[")),
        format!("{{{login},\"x\":{}", fill("{\"a\":")),
        format!("{{{login},\"x\":1e{}}}", fill("9")),
        format!("{{{login},\"x\":\"{}", fill("\\u0061")),
        fill("\"\\"),
        fill("1"),
    ] {
        store(refused).fails(1).stdout_is(NOT_JSON);
        assert_eq!(machine.stored_credentials(), 0);
    }
    for stored in [
        format!("{{{login},\"x\":[{}1]}}", fill("1,")),
        format!("{{{login},\"x\":[{}1]}}", fill("[],")),
        format!("{{{login},\"x\":0.{}}}", fill("9")),
        format!("{{{login},\"x\":-0.0e-{}}}", fill("9")),
        format!("{{{login},\"x\":{{{}\"\":1}}}}", fill("\"aaaa\":1,")),
        format!("{{{login},\"x\":\"{}\"}}", fill("\\u0061")),
        format!("{}{{{login}}}", fill(" ")),
    ] {
        store(stored).success().stdout_is("");
        gets(&machine, "r.example", "u", "s");
        erase(&machine, "r.example");
    }
    let utf_16: Vec<u8> = format!("\u{feff}{{{login}}}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    refuses(&machine, "store", utf_16, "the request is not UTF-8\n");
}
