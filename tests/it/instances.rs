//! The instance that a token of the environment or of a session belongs to, and that no other one gets it.

use crate::environment::{described, git, serves, serves_nothing};
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::sandbox::{Age, Sandbox};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::fs;

fn org_token(claims: &Value) -> String {
    format!(
        "sntrys_{}_secret",
        BASE64_STANDARD.encode(claims.to_string())
    )
}

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
fn an_invalid_instance_is_reported() {
    let plain = "an instance looks like `https://sentry.example.com`, \
                 without user, path, query or other characters";
    let insecure = "plain http is for this machine only (127.0.0.1, [::1], localhost): put TLS in front of the server, \
                    or log in to the other end of `ssh -L 9000:localhost:9000 HOST`";
    for (variable, value, why) in [
        ("SENTRY_URL", "https://user@s.example", plain),
        ("SENTRY_URL", "https://s.example/path", plain),
        ("SENTRY_URL", "https://s.example//", plain),
        ("SENTRY_URL", "https://s.example?x", plain),
        ("SENTRY_URL", "https://s.example#x", plain),
        ("SENTRY_URL", "https://s.example\\x", plain),
        ("SENTRY_URL", "https://sentry.io@evil.com", plain),
        ("SENTRY_URL", "https://s.exa\tmple", plain),
        ("SENTRY_URL", "https://s.example\nevil", plain),
        ("SENTRY_URL", "https://%73.example", plain),
        (
            "SENTRY_URL",
            &format!("https://{}", "s.".repeat(2048)),
            plain,
        ),
        ("SENTRY_URL", "ftp://s.example", plain),
        ("SENTRY_URL", "http://s.example", insecure),
        ("SENTRY_URL", "http://127.0.0.1.nip.io", insecure),
        ("SENTRY_URL", "http://localhost.evil.com", insecure),
        ("SENTRY_HOST", "s.example/path", plain),
        ("SENTRY_HOST", "http://s.example", insecure),
    ] {
        let machine = Sandbox::new().env(variable, value);
        let words = format!("cannot use the value of {variable}: {why}");
        machine
            .sentry(&["auth", "status"])
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("error: {words}\n"));
        let machine = machine.env("SENTRY_TOKEN", "tok");
        git(&machine, "https://sentry.io")
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("git-credential-sentry: {words}\n"));
        for other in ["https://s.example", "http://s.example", "https://evil.com"] {
            git(&machine, other).stdout_is("");
        }
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
        git(&machine, other).stdout_is("").never_says("sntrys_");
    }
    let machine = machine.env("SENTRY_URL", "https://s.example/");
    serves(&machine, "https://s.example", &named);

    let unnamed = of("");
    let machine = Sandbox::new()
        .env("SENTRY_AUTH_TOKEN", &unnamed)
        .env("SENTRY_URL", "https://t.example");
    serves(&machine, "https://t.example", &unnamed);
    git(&machine, "https://sentry.io").stdout_is("");
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &unnamed);
    serves(&machine, "https://sentry.io", &unnamed);

    let regional = of("https://us.sentry.io");
    let machine = Sandbox::new()
        .env("SENTRY_AUTH_TOKEN", &regional)
        .env("SENTRY_URL", "https://sentry.io");
    serves(&machine, "https://sentry.io", &regional);
}

#[test]
fn a_contradiction_between_token_and_environment_is_an_error_without_a_request() {
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
    let hint = "`unset SENTRY_URL SENTRY_HOST`, or use a token of that instance";
    git(&machine, &other.url())
        .fails(1)
        .stdout_is("")
        .stderr_is(&format!(
            "git-credential-sentry: {sentence} (hint: {hint})\n"
        ));
    git(&machine, &one.url()).stdout_is("");
    for command in ["status", "token", "whoami", "refresh"] {
        machine
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
        git(&machine, "https://sentry.io")
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
            let words = format!("not logged in to {}", other.url());
            // What docker calls an error stops everything else.
            let nothing = "credentials not found in native keychain\n";
            assert!(said.contains(&words) || said == nothing, "{said}");
        }
        machine.sentry(&["auth", "list"]).run().success();
        machine.docker_credential("list").run().success();
        assert_eq!((one.requests().len(), other.requests().len()), (0, 0));
        let served = git(&machine, &one.url()).success();
        served.stdout_has(&one.current_access());
        machine
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
    git(&machine, &other.url())
        .success()
        .stdout_has(&other.current_access())
        .never_says("token-for-one");
    serves(&machine, &one.url(), "token-for-one");
    machine
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

#[test]
fn a_session_is_refreshed_although_the_environment_has_the_token_of_another_instance() {
    let (one, other) = (FakeSentry::start(), FakeSentry::start());
    let machine = Sandbox::new()
        .for_sentry(&one)
        .env("SENTRY_AUTH_TOKEN", "token-for-one");
    machine.seed_session(&other, &other.issue(), Age::FRESH);
    let refresh = ["auth", "refresh", "--force", "--url", &other.url()];
    machine.sentry(&refresh).run().success();
    assert_eq!(other.refreshes(), 1);
    let told = machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .fails(1);
    told.stderr_has("the token in SENTRY_AUTH_TOKEN is used as it is");
}
