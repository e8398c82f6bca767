//! The docker credential-helper protocol as docker, podman and skopeo speak it, and as nobody should.

use crate::fake_sentry::{FakeSentry, Pair};
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::terminal::Person;
use rusqlite::ToSql;
use serde_json::{Value, json};
use std::fs;

const NOT_FOUND: &str = "credentials not found in native keychain\n";
const NO_SERVER: &str = "no credentials server URL\n";
const NO_USERNAME: &str = "no credentials username\n";
const NOT_JSON: &str = "the request is not a JSON object with ServerURL, Username and Secret\n";
const USAGE: &str = "usage: docker-credential-sentry <get|store|erase|list|version>\n";

const ENVIRONMENT: &str = "token-of-the-environment";
const STORED: &str = "token-of-the-session";

/// A machine with a fresh session at https://sentry.io, which is never asked.
fn with_session() -> Sandbox {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    let pair = Pair {
        access: STORED.to_owned(),
        refresh: "refresh-token-of-the-session".to_owned(),
    };
    machine.seed_session(&sentry, &pair, Age::FRESH);
    alter(&machine, "host", &"https://sentry.io");
    machine
}

/// The same, with one registry bound to it.
fn with_registry(host: &str, username: Option<&str>) -> Sandbox {
    let machine = with_session();
    machine.bind(&format!("docker {host}"), "https://sentry.io", username);
    machine
}

/// Sets a column of the one stored session.
#[track_caller]
fn alter(machine: &Sandbox, column: &str, value: &dyn ToSql) {
    let store = machine.database().expect("a store");
    let sql = format!("UPDATE accounts SET {column} = ?");
    assert_eq!(store.execute(&sql, [value]), Ok(1));
}

#[track_caller]
fn docker(machine: &Sandbox, action: &str, input: impl AsRef<[u8]>) -> Output {
    machine.docker_credential(action).stdin(input).run()
}

#[track_caller]
fn store(machine: &Sandbox, server: &str, username: &str, secret: &str) {
    let login = json!({ "ServerURL": server, "Username": username, "Secret": secret });
    let _quiet = docker(machine, "store", login.to_string())
        .success()
        .stdout_is("")
        .stderr_is("");
}

#[track_caller]
fn erase(machine: &Sandbox, server: &str) {
    let _quiet = docker(machine, "erase", server)
        .success()
        .stdout_is("")
        .stderr_is("");
}

/// The answer is exactly this, in the order of docker's own helpers.
#[track_caller]
fn gets(machine: &Sandbox, server: &str, username: &str, secret: &str) {
    let text = |text: &str| Value::from(text).to_string();
    let _found = docker(machine, "get", server)
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
    let _nothing = docker(machine, "get", server)
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
    let _refused = docker(machine, action, input)
        .fails(1)
        .stdout_is(words)
        .stderr_is("");
    assert_eq!(machine.stored_credentials(), 0);
}

/// Runs the helper in a shell, which sets up its streams.
fn through_shell(machine: &Sandbox, script: &str) -> Cmd {
    machine
        .command("/bin/sh")
        .args(["-c", script])
        .env("HELPER", env!("CARGO_BIN_EXE_docker-credential-sentry"))
}

// The words that clients compare.

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
fn a_request_without_a_server_is_told_so() {
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
fn a_login_without_a_user_is_told_so() {
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

// The actions.

#[test]
fn version_and_help_answer_without_input() {
    let machine = Sandbox::new();
    for action in ["version", "--version"] {
        let _told = docker(&machine, action, "")
            .success()
            .stderr_is("")
            .stdout_is(concat!(
                "docker-credential-sentry (sentry-credential) v",
                env!("CARGO_PKG_VERSION"),
                "\n"
            ));
    }
    let _told = docker(&machine, "--help", "")
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
        let _usage = cmd
            .stdin("r.example")
            .run()
            .fails(1)
            .stdout_is(USAGE)
            .stderr_is("");
    }
    for action in ["GET", "frobnicate", "", "-x", "get ", "--get", "$(id)"] {
        let _usage = docker(&machine, action, "r.example")
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
    let _empty = docker(&machine, "list", "unused")
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

// Server URLs.

#[test]
fn one_server_has_many_names_and_each_comes_back_as_given() {
    let names = [
        "r.example",
        "https://r.example",
        "http://r.example",
        "https://r.example/",
        "HTTPS://R.Example",
        "R.EXAMPLE",
        "r.example:443",
        "https://r.example:443/",
        "http://r.example:80",
        "//r.example",
        "r.example/",
    ];
    for stored in names {
        let machine = Sandbox::new();
        store(&machine, stored, "ann", "secret");
        for asked in names {
            gets(&machine, asked, "ann", "secret");
        }
        lists(&machine, &json!({ stored: "ann" }));
        erase(&machine, "https://r.example");
        gets_nothing(&machine, stored);
    }
}

#[test]
fn white_space_around_a_server_is_not_part_of_it() {
    let machine = Sandbox::new();
    store(&machine, "r.example", "ann", "secret");
    let _found = docker(&machine, "get", " r.example\r\n")
        .success()
        .stdout_is("{\"ServerURL\":\"r.example\",\"Username\":\"ann\",\"Secret\":\"secret\"}\n");
    erase(&machine, "r.example\n");
    gets_nothing(&machine, "r.example");
}

#[test]
fn the_path_and_the_port_count() {
    let machine = Sandbox::new();
    store(&machine, "https://index.docker.io/v1/", "ann", "hub");
    store(&machine, "r.example:5000", "bob", "port");
    gets(&machine, "https://index.docker.io/v1/", "ann", "hub");
    gets(&machine, "index.docker.io/v1", "ann", "hub");
    gets(&machine, "r.example:5000", "bob", "port");
    for other in [
        "index.docker.io",
        "https://index.docker.io/v2/",
        "https://index.docker.io/V1/",
        "https://index.docker.io/v1/x",
        "https://docker.io/v1/",
        "r.example",
        "r.example:5001",
        "r.example:5000/v1",
    ] {
        gets_nothing(&machine, other);
    }
}

#[test]
fn a_host_that_is_none_has_nothing() {
    let machine = Sandbox::new();
    store(&machine, "r.example", "ann", "secret");
    for server in [
        "r.example#.evil.com",
        "r.example?.evil.com",
        "r.example\\.evil.com",
        "r.example@evil.com",
        "evil.com@r.example",
        "user@r.example",
        "https://user:pw@r.example",
        "r.example:443@evil.com",
        "ftp://r.example",
        "javascript:alert(1)",
        "https:/r.example",
        "https:///r.example",
        "r.example.",
        ".r.example",
        "xr.example",
        "r.example.evil.com",
        "r.example:0443",
        "r.example:",
        "r.example %20",
        "r.example%00",
        "ｒ.example",
        "r。example",
        "r\u{ad}.example",
        "r.example\u{a0}",
        "\u{3000}r.example",
        "r.example/../s",
        "-u r.example",
        "$(id)",
    ] {
        gets_nothing(&machine, server);
    }
}

#[test]
fn a_request_has_one_line() {
    let machine = Sandbox::new();
    for input in [
        "https://evil.com\nsentry.io",
        "r.example\nr.example",
        "r.example\r\nx",
        "r.example\0",
        "r.exa\tmple",
        "r.example\u{85}",
        "r.example\u{1b}[31m",
    ] {
        for action in ["get", "erase"] {
            refuses(
                &machine,
                action,
                input,
                "the server URL has more than one line\n",
            );
        }
    }
    for action in ["get", "erase", "store"] {
        refuses(
            &machine,
            action,
            b"r.\xff.example",
            "the request is not UTF-8\n",
        );
    }
}

// What docker stores.

#[test]
fn an_identity_token_comes_back_unchanged() {
    let machine = Sandbox::new();
    let _quiet = docker(
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
        let _quiet = docker(&machine, "store", login).success().stdout_is("");
        gets(&machine, "r.example", "ann", "s");
        erase(&machine, "r.example");
    }
}

#[test]
fn a_secret_may_be_long_and_strange() {
    let machine = Sandbox::new();
    for secret in ["  $(id) `id` %n \\ \"' ", "ü🔑", &"x".repeat(900_000), ""] {
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
        r#"{'ServerURL':'r.example','Username':'u','Secret':'s'}"#,
        &deep,
        &deep_field,
    ] {
        refuses(&machine, "store", login, NOT_JSON);
    }
    for (username, secret) in [
        ("u\n", "s"),
        ("u", "s\nx"),
        ("u", "s\0"),
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
            "the server URL is not one of a registry\n",
        );
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
        let script = format!("ulimit -v 200000; exec \"$HELPER\" {action} </dev/zero");
        let _refused = through_shell(&machine, &script)
            .run()
            .fails(1)
            .stdout_is("the request is too long\n")
            .stderr_is("");
    }
}

#[test]
fn a_caller_that_sends_nothing_is_not_waited_for_for_ever() {
    let machine = Sandbox::new();
    let script = "mkfifo pipe && exec \"$HELPER\" get <>pipe";
    let _gave_up = through_shell(&machine, script)
        .run()
        .fails(1)
        .stdout_is("no request came in time\n")
        .stderr_is("");
}

#[test]
fn an_answer_that_nobody_takes_is_a_failure_without_words() {
    let machine = Sandbox::new().env("RUST_BACKTRACE", "full");
    store(&machine, "r.example", "ann", "secret");
    for script in [
        "exec \"$HELPER\" get >/dev/full",
        "exec \"$HELPER\" list >/dev/full",
        "mkfifo pipe && exec 3<>pipe 4>pipe 3>&- && exec \"$HELPER\" get >&4 4>&-",
    ] {
        let _failed = through_shell(&machine, script)
            .stdin("r.example")
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_is("");
    }
}

// A session.

#[test]
fn a_bound_registry_gets_the_session() {
    let machine = with_registry("r.example:5000", None);
    for name in [
        "r.example:5000",
        "https://r.example:5000",
        "https://R.example:5000/",
        "https://r.example:5000/v1/",
        "https://r.example:5000/v2/",
    ] {
        gets(&machine, name, "oauth2", STORED);
    }
    for other in [
        "r.example",
        "r.example:5001",
        "x.r.example:5000",
        "http://r.example:5000",
    ] {
        gets_nothing(&machine, other);
    }
    lists(&machine, &json!({ "r.example:5000": "oauth2" }));
}

#[test]
fn a_binding_has_its_own_user_name() {
    let machine = with_registry("r.example", Some("robot"));
    gets(&machine, "r.example", "robot", STORED);
    lists(&machine, &json!({ "r.example": "robot" }));
}

#[test]
fn a_registry_that_is_bound_for_git_is_not_bound_for_docker() {
    let machine = with_session();
    machine.bind("git https://r.example", "https://sentry.io", None);
    gets_nothing(&machine, "r.example");
    gets_nothing(&machine, "https://r.example");
    lists(&machine, &json!({}));
}

#[test]
fn the_instance_itself_gets_its_token_by_each_of_its_names() {
    for (machine, token) in [
        (with_session(), STORED),
        (
            Sandbox::new().env("SENTRY_AUTH_TOKEN", ENVIRONMENT),
            ENVIRONMENT,
        ),
    ] {
        for name in [
            "https://sentry.io",
            "https://sentry.io/",
            "sentry.io",
            "sentry.io:443",
            "//sentry.io",
            "https://sentry.io/v1/",
            "https://sentry.io/v2/",
            "SENTRY.io",
            "us.sentry.io",
            "https://de.sentry.io",
        ] {
            gets(&machine, name, "oauth2", token);
        }
    }
}

#[test]
fn nobody_but_sentry_gets_the_token() {
    let hosts = [
        "sentry.io#.evil.com",
        "sentry.io?.evil.com",
        "sentry.io\\.evil.com",
        "sentry.io@evil.com",
        "evil.com\\@sentry.io",
        "evil.com?@sentry.io",
        "user@sentry.io",
        "user:pw@sentry.io",
        "sentry.io%2f.evil.com",
        "%73entry.io",
        "sentry.io.evil.com",
        "evil-sentry.io",
        "xsentry.io",
        "sentry.ioevil.com",
        "docs.sentry.io",
        ".sentry.io",
        "a..sentry.io",
        "sentry.io.",
        "sentry.io:443.evil.com",
        "sentry.io:80",
        "sentry.io:8443",
        "sentry.io:0",
        "sentry.io:0443",
        "sentry.io:65979",
        "sentry.io:",
        "sentry.io:+443",
        "ѕentry.io",
        "xn--entry-g2e.io",
        "ｓｅｎｔｒｙ．ｉｏ",
        "sentry。io",
        "se\u{ad}ntry.io",
        "sentry.io\u{200d}",
    ];
    for machine in [
        with_session(),
        Sandbox::new().env("SENTRY_AUTH_TOKEN", ENVIRONMENT),
    ] {
        for host in hosts {
            for server in [
                host.to_owned(),
                format!("https://{host}"),
                format!("https://{host}/v1/"),
                format!("//{host}"),
            ] {
                gets_nothing(&machine, &server);
            }
        }
        for server in [
            "http://sentry.io",
            "ftp://sentry.io",
            "javascript:alert(1)",
            "https://evil.com/sentry.io",
            "https://evil.com/https://sentry.io",
        ] {
            gets_nothing(&machine, server);
        }
    }
}

#[test]
fn what_was_stored_comes_before_the_session() {
    let machine = with_registry("r.example", None);
    store(&machine, "r.example", "ann", "secret");
    gets(&machine, "r.example", "ann", "secret");
    lists(&machine, &json!({ "r.example": "ann" }));
}

#[test]
fn the_token_of_a_session_or_of_the_environment_is_not_stored() {
    let machine = with_registry("r.example", None);
    store(&machine, "r.example", "oauth2", STORED);
    store(&machine, "other.example", "oauth2", STORED);
    assert_eq!(machine.stored_credentials(), 0);
    gets_nothing(&machine, "other.example");

    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", ENVIRONMENT);
    store(&machine, "sentry.io", "oauth2", ENVIRONMENT);
    lists(&machine, &json!({}));
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_logout_signs_the_registry_out_and_leaves_the_session() {
    let machine = with_registry("r.example", None);
    // What `docker logout r.example` calls.
    for name in [
        "r.example",
        "r.example",
        "http://r.example",
        "https://r.example",
    ] {
        erase(&machine, name);
    }
    gets_nothing(&machine, "r.example");
    gets_nothing(&machine, "https://r.example/v2/");
    lists(&machine, &json!({}));
    let _still_there = machine
        .sentry(&["auth", "token"])
        .run()
        .success()
        .stdout_is(&format!("{STORED}\n"));

    // What `docker login` stores after a check: the same token.
    store(&machine, "r.example", "oauth2", STORED);
    gets(&machine, "r.example", "oauth2", STORED);
    lists(&machine, &json!({ "r.example": "oauth2" }));
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn a_signed_out_registry_can_have_a_password_of_its_own() {
    let machine = with_registry("r.example", None);
    erase(&machine, "r.example");
    store(&machine, "r.example", "ann", "secret");
    gets(&machine, "r.example", "ann", "secret");
    lists(&machine, &json!({ "r.example": "ann" }));
    erase(&machine, "r.example");
    gets_nothing(&machine, "r.example");
    lists(&machine, &json!({}));
}

#[test]
fn a_signed_out_registry_gets_no_token_of_the_environment() {
    let machine = with_registry("r.example", None).env("SENTRY_AUTH_TOKEN", ENVIRONMENT);
    gets(&machine, "r.example", "oauth2", ENVIRONMENT);
    erase(&machine, "r.example");
    gets_nothing(&machine, "r.example");
    store(&machine, "r.example", "oauth2", ENVIRONMENT);
    gets(&machine, "r.example", "oauth2", ENVIRONMENT);
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn an_expired_token_is_refreshed_for_docker() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.bind("docker r.example", &sentry.url(), None);
    for _ in 0..3 {
        let current = docker(&machine, "get", "r.example").success().stderr_is("");
        let answer: Value = serde_json::from_str(&current.stdout).expect("JSON");
        assert_eq!(
            answer,
            json!({ "ServerURL": "r.example", "Username": "oauth2", "Secret": sentry.current_access() })
        );
        let _kept = current.never_says(&sentry.current().refresh);
    }
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn a_dead_session_is_told_in_one_sentence() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.bind("docker r.example", &sentry.url(), None);
    sentry.revoke_family(&sentry.current_access());
    let first = docker(&machine, "get", "r.example").fails(1).stderr_is("");
    let _told = first.stdout_is(&format!(
        "the session at {0} has ended: Sentry no longer accepts its refresh token \
         (hint: `sentry auth login --url {0}`)\n",
        sentry.url()
    ));
    let second = docker(&machine, "get", "r.example").fails(1).stderr_is("");
    let _told = second.stdout_is(&format!(
        "the session at {0} has ended (hint: `sentry auth login --url {0}`)\n",
        sentry.url()
    ));
    lists(&machine, &json!({}));
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn an_instance_without_a_login_is_told_in_one_sentence() {
    let machine = Sandbox::new();
    let _told = docker(&machine, "get", "https://sentry.io")
        .fails(1)
        .stderr_is("")
        .stdout_is("not logged in to https://sentry.io (hint: `sentry auth login`)\n");
    lists(&machine, &json!({}));
}

#[test]
fn a_person_who_says_no_is_not_asked_again_by_the_next_get() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.bind("docker r.example", &sentry.url(), None);
    sentry.revoke_family(&sentry.current_access());
    let mut person = Person::start_piped(machine.docker_credential("get"), "r.example");
    person.expect("[Y/n]").type_line("n");
    assert_eq!(person.wait(), 1);
    let sentence = format!("the session at {} has ended", sentry.url());
    assert!(
        person.stdout().starts_with(&sentence),
        "{}",
        person.stdout()
    );
    let mut person = Person::start_piped(machine.docker_credential("get"), "r.example");
    assert_eq!(person.wait(), 1);
    assert_eq!(person.screen(), "");
    assert!(
        person.stdout().starts_with(&sentence),
        "{}",
        person.stdout()
    );
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn a_login_in_between_answers_the_request() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.bind("docker r.example", &sentry.url(), None);
    sentry.revoke_family(&sentry.current_access());
    sentry.approve_next();
    let mut person = Person::start_piped(machine.docker_credential("get"), "r.example");
    person.expect("[Y/n]").type_line("y");
    assert_eq!(person.wait(), 0, "{}", person.screen());
    let answer: Value = serde_json::from_str(&person.stdout()).expect("JSON");
    assert_eq!(
        answer,
        json!({ "ServerURL": "r.example", "Username": "oauth2", "Secret": sentry.current_access() })
    );
}
