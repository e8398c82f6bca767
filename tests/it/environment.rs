//! Every variable that the programs read, and that none of it is kept.

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry};
use crate::sandbox::{Age, Output, Sandbox};
use crate::terminal::Person;
use crate::tls::Tls;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What git sends for this origin.
fn described(origin: &str) -> String {
    let (protocol, host) = origin.split_once("://").expect("an origin");
    format!("protocol={protocol}\nhost={host}\n")
}

#[track_caller]
fn git(machine: &Sandbox, origin: &str) -> Output {
    machine.git_credential("get").stdin(described(origin)).run()
}

#[track_caller]
fn docker(machine: &Sandbox, server: &str) -> Output {
    machine.docker_credential("get").stdin(server).run()
}

/// git is served this token for the origin.
#[track_caller]
fn serves(machine: &Sandbox, origin: &str, token: &str) {
    let answer = git(machine, origin).success().stderr_is("");
    let _served = answer.stdout_has(&format!("password={token}\n"));
}

/// Nobody here knows the origin.
#[track_caller]
fn serves_nothing(machine: &Sandbox, origin: &str) {
    let _nothing = git(machine, origin).success().stdout_is("").stderr_is("");
}

fn org_token(claims: &Value) -> String {
    format!(
        "sntrys_{}_secret",
        BASE64_STANDARD.encode(claims.to_string())
    )
}

/// A machine with a session that has ended; a login would be next.
fn with_ended_session(sentry: &FakeSentry) -> Sandbox {
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(sentry, &sentry.issue(), Age::EXPIRED);
    machine.bind("docker r.example", &sentry.url(), None);
    let store = machine.database().expect("a store");
    let ended = store.execute("UPDATE accounts SET token = NULL, refresh_token = NULL", []);
    assert_eq!(ended, Ok(1));
    machine
}

/// All files below a directory, with what is in them.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let kind = path.symlink_metadata().expect("an entry").file_type();
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("a file");
            found.push((path, bytes));
        }
    }
    found
}

#[track_caller]
fn is_in_no_file(machine: &Sandbox, token: &str) {
    for (path, bytes) in files(machine.root()) {
        let found = bytes
            .windows(token.len())
            .any(|window| window == token.as_bytes());
        assert!(!found, "{} holds the token", path.display());
    }
}

// SENTRY_AUTH_TOKEN and SENTRY_TOKEN.

#[test]
fn the_legacy_token_beats_the_token_and_both_beat_the_session() {
    let sentry = FakeSentry::start();
    let plain = Sandbox::new().for_sentry(&sentry);
    plain.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    plain.bind("docker r.example", &sentry.url(), None);
    let session = sentry.current_access();
    let is_served = |machine: &Sandbox, token: &str| {
        serves(machine, &sentry.url(), token);
        let _docker = docker(machine, "r.example")
            .success()
            .stdout_has(&format!("\"Secret\":\"{token}\""));
        let _script = machine
            .sentry(&["auth", "token"])
            .run()
            .success()
            .stdout_is(&format!("{token}\n"));
    };
    is_served(&plain, &session);
    let second = plain.env("SENTRY_TOKEN", "second");
    is_served(&second, "second");
    let first = second.env("SENTRY_AUTH_TOKEN", "first");
    is_served(&first, "first");
    for blank in ["", " ", "\t \n"] {
        let first_blank = Sandbox::new()
            .for_sentry(&sentry)
            .env("SENTRY_AUTH_TOKEN", blank)
            .env("SENTRY_TOKEN", "second");
        serves(&first_blank, &sentry.url(), "second");
    }
    let both_blank = first.env("SENTRY_AUTH_TOKEN", "").env("SENTRY_TOKEN", "  ");
    is_served(&both_blank, &session);
}

#[test]
fn white_space_around_a_token_is_not_part_of_it() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", " \ttok\r\n");
    serves(&machine, "https://sentry.io", "tok");
}

#[test]
fn a_token_of_the_environment_is_neither_refreshed_nor_dated() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_TOKEN", "tok");
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let _served = git(&machine, &sentry.url())
        .success()
        .stderr_is("")
        .stdout_is("username=oauth2\npassword=tok\n\n");
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn a_token_of_the_environment_is_never_written_to_disk() {
    for variable in ["SENTRY_AUTH_TOKEN", "SENTRY_TOKEN"] {
        for has_session in [false, true] {
            let sentry = FakeSentry::start();
            let token = "sntryu_needle_of_the_environment";
            sentry.add_api_token(token);
            let machine = Sandbox::new().for_sentry(&sentry).env(variable, token);
            if has_session {
                machine.seed_session(&sentry, &sentry.issue(), Age::STALE);
                machine.bind("docker r.example", &sentry.url(), None);
            }
            let machine = {
                let trace = machine.root().join("trace");
                machine.env("SENTRY_CREDENTIAL_TRACE", trace)
            };
            let host = described(&sentry.url());
            let login = json!({ "ServerURL": "r.example", "Username": "oauth2", "Secret": token });
            for _ in 0..2 {
                for operation in ["get", "store", "erase"] {
                    let input = format!("{host}username=oauth2\npassword={token}\n");
                    let _said = machine
                        .git_credential(operation)
                        .stdin(input)
                        .run()
                        .success();
                }
                for (action, input) in [
                    ("get", "r.example"),
                    ("store", &login.to_string()),
                    ("list", ""),
                    ("erase", "r.example"),
                ] {
                    let _said = machine.docker_credential(action).stdin(input).run();
                }
            }
            for command in [
                "status",
                "status --json",
                "token",
                "whoami",
                "list",
                "refresh",
                "logout",
            ] {
                let _said = machine.sentry(&["auth"]).args(command.split(' ')).run();
            }
            is_in_no_file(&machine, token);
            assert_eq!(machine.stored_credentials(), 0);
            if !has_session {
                assert!(!machine.config_dir().exists());
            }
        }
    }
}

#[test]
fn a_broken_token_is_told_before_a_session_is_tried() {
    let sentry = FakeSentry::start();
    for url in [None, Some(sentry.url())] {
        let mut machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", "two words");
        if let Some(url) = url {
            machine = machine.env("SENTRY_URL", url);
        }
        machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
        let sentence = "cannot use the value of SENTRY_AUTH_TOKEN: \
                        a token is 1 to 4096 printable ASCII characters without spaces\n";
        let _told = git(&machine, &sentry.url())
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("git-credential-sentry: {sentence}"))
            .never_says("two words");
        let _told = docker(&machine, &sentry.url())
            .fails(1)
            .stdout_is(sentence)
            .stderr_is("");
        serves_nothing(&machine, "https://other.example");
    }
}

// Where a token belongs.

#[test]
fn a_token_belongs_to_the_instance_that_the_environment_names() {
    let token = || Sandbox::new().env("SENTRY_TOKEN", "tok");
    let everywhere = [
        "https://sentry.io",
        "https://us.sentry.io",
        "https://s.example",
        "https://s.example:8443",
        "https://t.example",
        "http://127.0.0.1:9000",
    ];
    for (machine, homes) in [
        (token(), &["https://sentry.io", "https://us.sentry.io"][..]),
        (
            token().env("SENTRY_URL", "https://s.example"),
            &["https://s.example"],
        ),
        (
            token().env("SENTRY_URL", "s.example"),
            &["https://s.example"],
        ),
        (
            token().env("SENTRY_URL", "S.Example:443/"),
            &["https://s.example"],
        ),
        (
            token().env("SENTRY_URL", " https://s.example:8443/ "),
            &["https://s.example:8443"],
        ),
        (
            token().env("SENTRY_URL", "http://127.0.0.1:9000"),
            &["http://127.0.0.1:9000"],
        ),
        (
            token().env("SENTRY_URL", "https://de.sentry.io"),
            &["https://sentry.io", "https://us.sentry.io"],
        ),
        (
            token().env("SENTRY_HOST", "t.example"),
            &["https://t.example"],
        ),
        (
            token()
                .env("SENTRY_HOST", "https://t.example")
                .env("SENTRY_URL", "https://s.example"),
            &["https://t.example"],
        ),
        (
            token()
                .env("SENTRY_HOST", " ")
                .env("SENTRY_URL", "https://s.example"),
            &["https://s.example"],
        ),
        (
            token().env("SENTRY_HOST", "").env("SENTRY_URL", ""),
            &["https://sentry.io", "https://us.sentry.io"],
        ),
    ] {
        for origin in everywhere {
            let answer = git(&machine, origin);
            let is_home = homes.contains(&origin);
            assert_eq!(
                answer.stdout.contains("password=tok\n"),
                is_home,
                "{origin}"
            );
            assert_eq!(answer.stdout.is_empty(), !is_home, "{origin}");
        }
    }
}

#[test]
fn an_instance_that_is_no_origin_is_told() {
    let plain = "an instance looks like `https://sentry.example.com`, \
                 without user, path, query or other characters";
    let insecure = "plain http is for this machine only (127.0.0.1, [::1], localhost)";
    for (variable, value, why) in [
        ("SENTRY_URL", "https://user@s.example", plain),
        ("SENTRY_URL", "https://s.example/path", plain),
        ("SENTRY_URL", "https://s.example//", plain),
        ("SENTRY_URL", "https://s.example?x", plain),
        ("SENTRY_URL", "https://s.example#x", plain),
        ("SENTRY_URL", "https://s.example\\x", plain),
        ("SENTRY_URL", "https://sentry.io@evil.com", plain),
        ("SENTRY_URL", "ftp://s.example", plain),
        ("SENTRY_URL", "http://s.example", insecure),
        ("SENTRY_URL", "http://127.0.0.1.nip.io", insecure),
        ("SENTRY_URL", "http://localhost.evil.com", insecure),
        ("SENTRY_HOST", "s.example/path", plain),
        ("SENTRY_HOST", "http://s.example", insecure),
    ] {
        let machine = Sandbox::new().env(variable, value);
        let words = format!("cannot use the value of {variable}: {why}");
        let _told = machine
            .sentry(&["auth", "status"])
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("error: {words}\n"));
        let machine = machine.env("SENTRY_TOKEN", "tok");
        let _told = git(&machine, "https://sentry.io")
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("git-credential-sentry: {words}\n"));
        for other in ["https://s.example", "http://s.example", "https://evil.com"] {
            let _nothing = git(&machine, other).stdout_is("");
        }
    }
}

#[test]
fn a_value_that_is_not_utf_8_is_not_unset() {
    let sentry = FakeSentry::start();
    let broken = OsStr::from_bytes(b"https://s.example\xff");
    for variable in [
        "SENTRY_URL",
        "SENTRY_HOST",
        "SENTRY_AUTH_TOKEN",
        "SENTRY_TOKEN",
    ] {
        let machine = Sandbox::new().env(variable, broken);
        machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
        let _told = machine
            .sentry(&["auth", "token"])
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("error: cannot use the value of {variable}: "))
            .never_says("s.example");
    }
}

#[test]
fn an_organisation_token_belongs_to_the_instance_that_it_names() {
    let of = |url: &str| {
        org_token(
            &json!({ "iat": 1, "url": url, "region_url": "https://r.example", "org": "my-org" }),
        )
    };
    let named = of("https://s.example");
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &named);
    serves(&machine, "https://s.example", &named);
    for other in [
        "https://sentry.io",
        "https://r.example",
        "https://s.example:8443",
    ] {
        let _nothing = git(&machine, other).stdout_is("").never_says("sntrys_");
    }
    let machine = machine.env("SENTRY_URL", "https://s.example/");
    serves(&machine, "https://s.example", &named);

    let unnamed = of("");
    let machine = Sandbox::new()
        .env("SENTRY_AUTH_TOKEN", &unnamed)
        .env("SENTRY_URL", "https://t.example");
    serves(&machine, "https://t.example", &unnamed);
    let _nothing = git(&machine, "https://sentry.io").stdout_is("");
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &unnamed);
    serves(&machine, "https://sentry.io", &unnamed);

    let regional = of("https://us.sentry.io");
    let machine = Sandbox::new()
        .env("SENTRY_AUTH_TOKEN", &regional)
        .env("SENTRY_URL", "https://sentry.io");
    serves(&machine, "https://sentry.io", &regional);
}

#[test]
fn a_contradiction_between_token_and_environment_is_an_error_that_asks_nobody() {
    let (one, other) = (FakeSentry::start(), FakeSentry::start());
    let token = org_token(&json!({ "url": one.url(), "org": "my-org" }));
    let machine = Sandbox::new()
        .env("SENTRY_AUTH_TOKEN", &token)
        .env("SENTRY_CLIENT_ID", CLIENT_ID)
        .env("SENTRY_URL", other.url());
    let sentence = format!(
        "the token in SENTRY_AUTH_TOKEN belongs to {}, but the environment names {}",
        one.url(),
        other.url()
    );
    let hint = "unset SENTRY_URL and SENTRY_HOST, or use a token of that instance";
    let _told = git(&machine, &other.url())
        .fails(1)
        .stdout_is("")
        .stderr_is(&format!(
            "git-credential-sentry: {sentence} (hint: {hint})\n"
        ));
    let _nothing = git(&machine, &one.url()).stdout_is("");
    for command in ["status", "token", "whoami", "refresh"] {
        let _told = machine
            .sentry(&["auth", command])
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("error: {sentence}\nhint: {hint}\n"));
    }
    assert_eq!((one.requests().len(), other.requests().len()), (0, 0));
}

#[test]
fn a_claim_that_cannot_be_read_makes_a_token_opaque() {
    let long = json!({ "url": "https://s.example", "org": "x".repeat(2048) });
    let array = BASE64_STANDARD.encode("[\"https://s.example\"]");
    let claims = BASE64_STANDARD.encode("{\"url\":\"https://s.example\"}");
    for token in [
        org_token(&long),
        org_token(&json!({ "url": 1 })),
        org_token(&json!({ "url": null })),
        format!("sntrys_{array}_secret"),
        format!("sntrys_{claims}_sec_ret"),
        format!("sntrys_{claims}"),
        format!("sntryu_{claims}_secret"),
        format!("SNTRYS_{claims}_secret"),
        "sntrys_!!!_secret".to_owned(),
        "sntrys__secret".to_owned(),
    ] {
        let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &token);
        serves(&machine, "https://sentry.io", &token);
        serves_nothing(&machine, "https://s.example");
    }
}

#[test]
fn a_claim_that_names_no_origin_is_an_error() {
    for url in [
        "javascript:alert(1)",
        "https://s.example/path",
        "https://sentry.io@evil.com",
        "http://s.example",
        "s.example",
    ] {
        let token = org_token(&json!({ "url": url }));
        let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &token);
        let _told = git(&machine, "https://sentry.io")
            .fails(1)
            .stdout_is("")
            .stderr_has("cannot use the instance that the token in SENTRY_AUTH_TOKEN names: ")
            .never_says(&token);
        serves_nothing(&machine, "https://s.example");
        serves_nothing(&machine, "https://evil.com");
    }
}

#[test]
fn the_token_of_one_instance_never_goes_to_another() {
    for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
        let (one, other) = (FakeSentry::start(), FakeSentry::start());
        let machine = Sandbox::new().for_sentry(&other);
        machine.seed_session(&one, &one.issue(), age);
        // A file that the official CLI reads, and we do not.
        let rc = format!(
            "[auth]\ntoken=from-a-file\n[defaults]\nurl={}\n",
            other.url()
        );
        fs::write(machine.home().join(".sentryclirc"), rc).expect("a file");
        for cmd in [
            machine.git_credential("get").stdin(described(&other.url())),
            machine.docker_credential("get").stdin(other.url()),
            machine.sentry(&["auth", "status"]),
            machine.sentry(&["auth", "token"]),
            machine.sentry(&["auth", "whoami"]),
            machine.sentry(&["auth", "refresh", "--force"]),
        ] {
            let told = cmd.run().fails(1).never_says("from-a-file");
            let said = format!("{}{}", told.stdout, told.stderr);
            assert!(
                said.contains(&format!("not logged in to {}", other.url())),
                "{said}"
            );
        }
        let _listed = machine.sentry(&["auth", "list"]).run().success();
        let _listed = machine.docker_credential("list").run().success();
        assert_eq!((one.requests().len(), other.requests().len()), (0, 0));
        let served = git(&machine, &one.url()).success();
        let _served = served.stdout_has(&one.current_access());
        let _checked = machine
            .sentry(&["auth", "status", "--url", &one.url()])
            .run()
            .success();
        assert_eq!(other.requests().len(), 0);
    }
}

#[test]
fn a_token_of_the_environment_never_goes_to_the_instance_of_a_session() {
    let (one, other) = (FakeSentry::start(), FakeSentry::start());
    let machine = Sandbox::new()
        .for_sentry(&one)
        .env("SENTRY_AUTH_TOKEN", "token-for-one");
    machine.seed_session(&other, &other.issue(), Age::EXPIRED);
    let _served = git(&machine, &other.url())
        .success()
        .stdout_has(&other.current_access())
        .never_says("token-for-one");
    serves(&machine, &one.url(), "token-for-one");
    let _status = machine
        .sentry(&["auth", "status", "--url", &other.url()])
        .run()
        .success()
        .never_says("token-for-one");
    assert_eq!(one.requests().len(), 0);
    for request in other.requests() {
        let said = format!("{request:?}");
        assert!(!said.contains("token-for-one"), "{said}");
    }
}

// SENTRY_CLIENT_ID.

#[test]
fn a_session_of_the_official_cli_is_refreshed_as_the_client_that_is_named() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let before = machine.stored_tokens();
    let _told = git(&machine, &sentry.url())
        .fails(1)
        .stdout_is("")
        .stderr_is(&format!(
            "git-credential-sentry: the OAuth client id for {} is not known (hint: \
             set SENTRY_CLIENT_ID to the one that you logged in with)\n",
            sentry.url()
        ));
    assert_eq!(machine.stored_tokens(), before);
    assert_eq!(sentry.requests().len(), 0);

    let machine = machine.env("SENTRY_CLIENT_ID", CLIENT_ID);
    let _refreshed = git(&machine, &sentry.url())
        .success()
        .stderr_is("")
        .stdout_has(&sentry.current_access());
    let asked = sentry.requests_to(Endpoint::Refresh);
    assert_eq!(asked[0].field("client_id"), Some(CLIENT_ID));
}

#[test]
fn an_instance_that_only_the_environment_names_needs_a_client_id_and_a_typed_yes() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().env("SENTRY_URL", sentry.url());
    let get = |machine: &Sandbox| {
        Person::start_piped(machine.git_credential("get"), described(&sentry.url()))
    };
    let mut person = get(&machine);
    assert_eq!(person.wait(), 1);
    assert_eq!(
        person.screen(),
        format!(
            "git-credential-sentry: not logged in to {0} (hint: `sentry auth login --url {0}`)\n",
            sentry.url()
        )
    );
    let machine = machine.env("SENTRY_CLIENT_ID", CLIENT_ID);
    for answer in ["", "y", "YES", "no"] {
        let mut person = get(&machine);
        person
            .expect("only the environment names this instance; type `yes` if you trust it:")
            .type_line(answer);
        assert_eq!(person.wait(), 0);
        assert_eq!(person.stdout(), "quit=1\n\n");
    }
    assert_eq!(sentry.device_codes(), 0);
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let mut person = get(&machine);
    person.expect("if you trust it:").type_line("yes");
    assert_eq!(person.wait(), 0, "{}", person.screen());
    assert!(person.stdout().contains(&sentry.current_access()));
}

// SENTRY_CONFIG_DIR, XDG_CONFIG_HOME, HOME.

/// Stores a credential and says which `cli.db` below the sandbox's root hold it now.
#[track_caller]
fn databases_after_a_store(machine: &Sandbox) -> Vec<String> {
    let _stored = machine
        .git_credential("store")
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=needle-in-the-store\n")
        .run()
        .success();
    let _found = git(machine, "https://code.example")
        .success()
        .stdout_has("needle-in-the-store");
    let mut holders: Vec<_> = files(machine.root())
        .into_iter()
        .filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains("needle-in-the-store"))
        .map(|(path, _)| {
            let directory = path.parent().expect("a directory");
            let below = directory.strip_prefix(machine.root()).expect("the root");
            below.display().to_string()
        })
        .collect();
    holders.dedup();
    holders
}

/// Puts an official CLI's store there.
fn seed_store(sandbox: Sandbox, directory: &str) -> Sandbox {
    let directory = sandbox.root().join(directory);
    let elsewhere = sandbox.env("SENTRY_CONFIG_DIR", directory);
    let sentry = FakeSentry::start();
    elsewhere.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    elsewhere.env("SENTRY_CONFIG_DIR", "")
}

#[test]
fn the_store_is_where_the_official_cli_has_one_else_in_home() {
    for (stores, xdg, expected) in [
        (&[][..], "", "home/.sentry"),
        (&[], "xdg", "home/.sentry"),
        (&["home/.config/sentry"], "", "home/.config/sentry"),
        (&["xdg/sentry"], "xdg", "xdg/sentry"),
        (&["xdg/sentry"], "", "home/.sentry"),
        (&["home/.config/sentry"], "xdg", "home/.sentry"),
        (&["home/.sentry", "xdg/sentry"], "xdg", "home/.sentry"),
        (&["home/.sentry", "home/.config/sentry"], "", "home/.sentry"),
    ] {
        let mut machine = Sandbox::new();
        for directory in stores {
            machine = seed_store(machine, directory);
        }
        if !xdg.is_empty() {
            let directory = machine.root().join(xdg);
            machine = machine.env("XDG_CONFIG_HOME", directory);
        }
        assert_eq!(
            databases_after_a_store(&machine),
            [expected],
            "with {stores:?} and {xdg:?}"
        );
        let home_store = machine.home().join(".sentry");
        assert_eq!(home_store.exists(), expected == "home/.sentry");
    }
}

#[test]
fn a_directory_without_a_store_does_not_count() {
    let machine = seed_store(Sandbox::new(), "home/.config/sentry");
    fs::create_dir(machine.home().join(".sentry")).expect("a new directory");
    fs::write(machine.home().join(".sentry/other.json"), "{}").expect("a file");
    assert_eq!(databases_after_a_store(&machine), ["home/.config/sentry"]);
}

#[test]
fn a_relative_xdg_directory_does_not_count() {
    let machine = seed_store(Sandbox::new(), "home/xdg/sentry").env("XDG_CONFIG_HOME", "xdg");
    assert_eq!(databases_after_a_store(&machine), ["home/.sentry"]);
}

#[test]
fn a_directory_that_is_named_beats_all_others() {
    let machine = seed_store(
        seed_store(Sandbox::new(), "home/.sentry"),
        "home/.config/sentry",
    );
    let directory = machine.root().join("a/b c/ü");
    let machine = machine.env("SENTRY_CONFIG_DIR", &directory);
    assert_eq!(databases_after_a_store(&machine), ["a/b c/ü"]);
    let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o7777;
    assert_eq!((mode(&directory), mode(&machine.db())), (0o700, 0o600));
}

#[test]
fn a_place_that_depends_on_the_current_directory_is_refused() {
    for (variable, value) in [
        ("SENTRY_CONFIG_DIR", "here"),
        ("SENTRY_CONFIG_DIR", "./here"),
        ("HOME", "here"),
        ("HOME", "."),
    ] {
        let machine = Sandbox::new().env(variable, value);
        let words = format!("{variable} must be an absolute path\n");
        for operation in ["get", "store"] {
            let _told = machine
                .git_credential(operation)
                .current_dir(machine.root())
                .stdin("protocol=https\nhost=code.example\nusername=u\npassword=p\n")
                .run()
                .fails(1)
                .stdout_is("")
                .stderr_is(&format!("git-credential-sentry: {words}"));
        }
        let _told = machine
            .docker_credential("list")
            .current_dir(machine.root())
            .run()
            .fails(1)
            .stdout_is(&words)
            .stderr_is("");
        let _told = machine
            .sentry(&["auth", "status"])
            .current_dir(machine.root())
            .run()
            .fails(1)
            .stderr_is(&format!("error: {words}"));
        assert!(files(machine.root()).is_empty());
    }
}

// Asking a person.

#[test]
fn nobody_is_asked_where_that_is_not_wanted() {
    for (variable, value) in [
        ("SENTRY_CREDENTIAL_INTERACTIVE", "never"),
        ("SENTRY_CREDENTIAL_INTERACTIVE", "Never"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_TERMINAL_PROMPT", "false"),
        ("GCM_INTERACTIVE", "never"),
        ("GCM_INTERACTIVE", "false"),
        ("GCM_INTERACTIVE", "0"),
        ("CI", "true"),
    ] {
        let sentry = FakeSentry::start();
        let machine = with_ended_session(&sentry).env(variable, value);
        let told = format!(
            "the session at {0} has ended (hint: `sentry auth login --url {0}`)\n",
            sentry.url()
        );
        let mut git = Person::start_piped(machine.git_credential("get"), described(&sentry.url()));
        assert_eq!(git.wait(), 1, "{variable}={value}");
        assert_eq!(git.stdout(), "");
        assert_eq!(git.screen(), format!("git-credential-sentry: {told}"));
        let mut docker = Person::start_piped(machine.docker_credential("get"), "r.example");
        assert_eq!(docker.wait(), 1, "{variable}={value}");
        assert_eq!(docker.stdout(), told);
        assert_eq!(docker.screen(), "");
        assert_eq!(sentry.requests().len(), 0);
    }
}

#[test]
fn a_person_is_asked_otherwise() {
    for (variable, value) in [
        ("NOTHING", "set"),
        ("SENTRY_CREDENTIAL_INTERACTIVE", "auto"),
        ("SENTRY_CREDENTIAL_INTERACTIVE", ""),
        ("GIT_TERMINAL_PROMPT", "1"),
        ("GCM_INTERACTIVE", "auto"),
        ("CI", "false"),
        ("CI", ""),
    ] {
        let sentry = FakeSentry::start();
        let machine = with_ended_session(&sentry).env(variable, value);
        let mut person =
            Person::start_piped(machine.git_credential("get"), described(&sentry.url()));
        person
            .expect(&format!(
                "git needs a login to Sentry: the session at {}",
                sentry.url()
            ))
            .expect("log in now? [Y/n]")
            .type_line("n");
        assert_eq!(person.wait(), 0, "{variable}={value}");
        assert_eq!(person.stdout(), "quit=1\n\n");
    }
}

#[test]
fn a_command_of_the_person_logs_in_whatever_the_helpers_may_do() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("CI", "true")
        .env("GIT_TERMINAL_PROMPT", "0");
    let _logged_in = machine
        .sentry(&["auth", "login", "--no-browser"])
        .run()
        .success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

// SENTRY_CREDENTIAL_TRACE.

/// Time, process and what was done, one line each.
#[track_caller]
fn steps(trace: &str) -> Vec<String> {
    let step = |line: &str| {
        let (time, rest) = line.split_once(" [").expect("a time");
        assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
        let (pid, step) = rest.split_once("] ").expect("a process");
        assert!(pid.parse::<u32>().is_ok(), "{line}");
        step.to_owned()
    };
    trace.lines().map(step).collect()
}

#[test]
fn a_trace_tells_each_step_without_a_secret() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_TRACE", "1");
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let former = sentry.current();
    let said = git(&machine, &sentry.url()).success();
    let current = sentry.current();
    assert_eq!(
        steps(&said.stderr),
        [
            format!("the token of {} is stale: Expired", sentry.url()),
            format!("refreshing at {}", sentry.url()),
            format!("the new pair of {}: Done", sentry.url()),
            format!("git {0}: the session of {0}", sentry.url()),
        ]
    );
    for secret in [
        &former.access,
        &former.refresh,
        &current.access,
        &current.refresh,
    ] {
        assert!(!said.stderr.contains(secret));
    }
}

#[test]
fn a_trace_tells_where_a_credential_came_from() {
    let machine = Sandbox::new()
        .env("SENTRY_CREDENTIAL_TRACE", "1")
        .env("SENTRY_TOKEN", "token-of-the-environment");
    let store = || machine.git_credential("store");
    let _stored = store()
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=needle\n")
        .run()
        .success()
        .never_says("needle");
    for (origin, step) in [
        (
            "https://code.example",
            "git https://code.example: a stored credential",
        ),
        ("https://sentry.io", "git https://sentry.io: SENTRY_TOKEN"),
        (
            "https://other.example",
            "git https://other.example: nothing",
        ),
    ] {
        let said = git(&machine, origin).success();
        assert_eq!(steps(&said.stderr), [step]);
    }
    let said = git(&machine, "https://sentry.io\\.evil.com").success();
    assert_eq!(
        steps(&said.stderr),
        ["the host is outside the grammar of an origin"]
    );
    let said = docker(&machine, "https://sentry.io/v2/").success();
    assert_eq!(steps(&said.stderr), ["docker sentry.io/v2: SENTRY_TOKEN"]);
}

#[test]
fn a_trace_goes_to_a_file_of_ones_own() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", "token-of-the-environment");
    let file = machine.root().join("trace");
    let machine = machine.env("SENTRY_CREDENTIAL_TRACE", &file);
    let script = "umask 000; exec git-credential-sentry get";
    for _ in 0..2 {
        let _served = machine
            .command("/bin/sh")
            .args(["-c", script])
            .stdin(described("https://sentry.io"))
            .run()
            .success()
            .stderr_is("");
    }
    let trace = fs::read_to_string(&file).expect("a trace");
    assert_eq!(steps(&trace), ["git https://sentry.io: SENTRY_TOKEN"; 2]);
    assert!(!trace.contains("token-of-the-environment"));
    let mode = fs::metadata(&file).expect("a file").permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
}

#[test]
fn a_trace_that_cannot_be_written_changes_nothing() {
    let plain = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let link = plain.root().join("link");
    let target = plain.root().join("target");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let absent = plain.root().join("absent/trace");
    let mut machine = plain;
    for place in [
        "0".to_owned(),
        "true".to_owned(),
        "relative".to_owned(),
        link.display().to_string(),
        absent.display().to_string(),
        machine.root().display().to_string(),
    ] {
        machine = machine.env("SENTRY_CREDENTIAL_TRACE", place);
        serves(&machine, "https://sentry.io", "tok");
    }
    assert!(!target.exists());
    assert!(!machine.home().join("relative").exists());
}

// Proxies and certificates.

/// A proxy where nobody listens.
fn closed_proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[test]
fn this_machine_itself_is_never_behind_a_proxy() {
    let proxy = closed_proxy();
    for variable in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry).env(variable, &proxy);
        machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
        let _served = git(&machine, &sentry.url()).success().stderr_is("");
        assert_eq!(sentry.refreshes(), 1, "{variable}");
    }
}

/// A machine with an expired session at https://sentry.invalid, which only a proxy could find.
fn behind_a_proxy() -> Sandbox {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let store = machine.database().expect("a store");
    let moved = store.execute("UPDATE accounts SET host = 'https://sentry.invalid'", []);
    assert_eq!(moved, Ok(1));
    machine
}

#[test]
fn another_machine_is_reached_through_the_proxy() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = FakeSentry::start();
        let address = format!("http://joe:proxy-word@{}", proxy.address());
        let machine = behind_a_proxy().env(variable, address);
        let _failed = git(&machine, "https://sentry.invalid")
            .fails(1)
            .stdout_is("")
            .stderr_has("cannot connect to sentry.invalid")
            .never_says("proxy-word");
        let asked = proxy.requests();
        assert!(!asked.is_empty(), "{variable}");
        for request in asked {
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("CONNECT", "sentry.invalid:443")
            );
            let credentials = BASE64_STANDARD.encode("joe:proxy-word");
            assert_eq!(
                request.header("proxy-authorization"),
                Some(format!("Basic {credentials}").as_str())
            );
        }
    }
}

#[test]
fn the_specific_proxy_wins_over_the_general_one() {
    let (specific, other) = (FakeSentry::start(), FakeSentry::start());
    let machine = behind_a_proxy()
        .env("HTTPS_PROXY", specific.url())
        .env("ALL_PROXY", other.url())
        .env("HTTP_PROXY", other.url());
    let _failed = git(&machine, "https://sentry.invalid").fails(1);
    assert!(!specific.requests().is_empty());
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_machine_that_is_excepted_is_not_reached_through_the_proxy() {
    for variable in ["NO_PROXY", "no_proxy"] {
        for exceptions in ["sentry.invalid", "other.example,.invalid", "*"] {
            let proxy = FakeSentry::start();
            let machine = behind_a_proxy()
                .env("HTTPS_PROXY", proxy.url())
                .env(variable, exceptions);
            let _failed = git(&machine, "https://sentry.invalid")
                .fails(1)
                .stdout_is("")
                .stderr_has("sentry.invalid");
            assert_eq!(proxy.requests().len(), 0, "{variable}={exceptions}");
        }
    }
}

#[test]
fn a_certificate_is_trusted_only_by_an_authority_that_is_known_or_named() {
    let sentry = FakeSentry::start();
    let (tls, other) = (Tls::start(&sentry), Tls::start(&sentry));
    let machine = || {
        let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
        machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
        let store = machine.database().expect("a store");
        let moved = store.execute("UPDATE accounts SET host = ?", [tls.url()]);
        assert_eq!(moved, Ok(1));
        machine
    };
    for strange in [
        machine(),
        machine().env("SSL_CERT_FILE", other.authority()),
        machine().env("SSL_CERT_DIR", other.authorities()),
        machine()
            .env("SSLKEYLOGFILE", other.authority().with_file_name("keys"))
            .env("GIT_SSL_NO_VERIFY", "1"),
    ] {
        let before = strange.stored_tokens();
        let _told = git(&strange, &tls.url())
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!(
                "cannot trust {}",
                tls.url().replace("https://", "")
            ));
        assert_eq!(strange.stored_tokens(), before);
    }
    assert_eq!(sentry.requests().len(), 0);
    for (variable, value) in [
        ("SSL_CERT_FILE", tls.authority()),
        ("SSL_CERT_DIR", tls.authorities()),
    ] {
        let before = sentry.refreshes();
        let machine = machine()
            .env(variable, value)
            .env("SSLKEYLOGFILE", other.authority().with_file_name("keys"));
        let served = git(&machine, &tls.url()).success().stderr_is("");
        let _served = served.stdout_has(&sentry.current_access());
        assert_eq!(sentry.refreshes(), before + 1);
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    }
    assert!(!other.authority().with_file_name("keys").exists());
}

// Colour.

#[test]
fn colour_is_for_terminals_that_want_it() {
    let bold = |machine: Sandbox, sentry: &FakeSentry| {
        sentry.set_interval(Some(1));
        sentry.approve_next();
        let login = machine.sentry(&["auth", "login", "--no-browser"]);
        let mut person = Person::start(login.env("TERM", "xterm"));
        assert_eq!(person.wait(), 0, "{}", person.screen());
        person.screen().contains("\u{1b}[1m")
    };
    for (variable, value, expected) in [
        ("NOTHING", "set", true),
        ("NO_COLOR", "1", false),
        ("NO_COLOR", "", true),
    ] {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry).env(variable, value);
        assert_eq!(bold(machine, &sentry), expected, "{variable}={value}");
    }
}

#[test]
fn colour_can_be_forced_where_there_is_no_terminal() {
    for (value, expected) in [(None, false), (Some("1"), true), (Some("0"), false)] {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.approve_next();
        let machine = Sandbox::new().for_sentry(&sentry);
        let mut login = machine.sentry(&["auth", "login", "--no-browser"]);
        if let Some(value) = value {
            login = login.env("CLICOLOR_FORCE", value);
        }
        let said = login.run().success();
        assert_eq!(said.stderr.contains("\u{1b}[1m"), expected, "{value:?}");
    }
}
