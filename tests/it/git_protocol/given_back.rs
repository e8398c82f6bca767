//! `store` and `erase` of tokens that git got from this helper.

use super::{described, get, tell};
use crate::fake_sentry::{Answer, Endpoint};
use crate::helpers::{ENVIRONMENT, STORED, with_session_of, with_token};
use crate::machine::Machine;
use crate::sandbox::Age;
use base64::prelude::{BASE64_STANDARD, Engine as _};

#[test]
fn the_token_of_a_session_is_not_stored_again() {
    let (sentry, machine) = Machine::new().session(Age::STALE).parts();
    let former = sentry.current_access();
    get(&machine, described(&sentry)).success();
    let current = sentry.current_access();
    assert_ne!(former, current);
    for token in [&former, &current] {
        let host = described(&sentry);
        tell(
            &machine,
            "store",
            &format!("{host}username=oauth2\npassword={token}\n"),
        );
        tell(
            &machine,
            "store",
            &format!("{host}username=oauth2\npassword={token}\npassword_expiry_utc=4000000000\n"),
        );
        tell(
            &machine,
            "store",
            &format!("capability[]=authtype\n{host}authtype=Bearer\ncredential={token}\n"),
        );
    }
    assert_eq!(machine.stored_credentials(), 0);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn the_token_of_the_environment_is_not_stored() {
    let machine = with_token();
    tell(
        &machine,
        "store",
        &format!("protocol=https\nhost=sentry.io\nusername=oauth2\npassword={ENVIRONMENT}\n"),
    );
    assert!(!machine.config_dir().exists());
}

#[test]
fn what_looks_like_a_token_is_not_kept_for_a_host_of_ours() {
    let machine = with_session_of("https://sentry.io");
    machine.bind("git https://code.example", "https://sentry.io", None);
    let hexadecimal = "0123456789abcdef".repeat(4);
    for token in [
        "sntryu_1",
        "sntrys_claims_2",
        "sntryx_3",
        "sntry_4",
        &hexadecimal,
    ] {
        for host in ["sentry.io", "us.sentry.io", "code.example"] {
            for username in ["oauth2", "ann"] {
                let host = format!("protocol=https\nhost={host}\n");
                tell(
                    &machine,
                    "store",
                    &format!("{host}username={username}\npassword={token}\n"),
                );
                let pair = BASE64_STANDARD.encode(format!("{username}:{token}"));
                for credential in [
                    format!("authtype=Bearer\ncredential={token}\n"),
                    format!("authtype=Basic\ncredential={pair}\n"),
                ] {
                    let credential = format!("capability[]=authtype\n{host}{credential}");
                    tell(&machine, "store", &credential);
                }
            }
        }
    }
    assert_eq!(machine.stored_credentials(), 0);
    // At another host, or with only the same prefix, it is a user's password.
    for (host, password) in [
        ("other.example", "sntryu_1"),
        ("other.example", &hexadecimal),
        ("code.example", "sntryuX"),
        ("code.example", "SNTRYU_1"),
        ("code.example", &hexadecimal[1..]),
    ] {
        let credential =
            format!("protocol=https\nhost={host}\nusername=ann\npassword={password}\n");
        tell(&machine, "store", &credential);
        let asked = format!("protocol=https\nhost={host}\nusername=ann\n");
        get(&machine, asked).success().stdout_has(password);
    }
}

#[test]
fn both_tokens_of_the_environment_are_known_again() {
    let machine = with_token().env("SENTRY_TOKEN", "another-of-the-environment");
    for token in [ENVIRONMENT, "another-of-the-environment"] {
        for host in ["sentry.io", "other.example"] {
            tell(
                &machine,
                "store",
                &format!("protocol=https\nhost={host}\nusername=ann\npassword={token}\n"),
            );
        }
    }
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_password_for_an_instance_is_kept_beside_the_session() {
    let machine = with_session_of("https://sentry.io");
    let host = "protocol=https\nhost=sentry.io\n";
    let before = machine.stored_tokens();
    tell(
        &machine,
        "store",
        &format!("{host}username=ann\npassword=secret\n"),
    );
    get(&machine, host).success().stdout_has(STORED);
    get(&machine, format!("{host}username=ann\n"))
        .success()
        .stdout_is("username=ann\npassword=secret\n\n");
    tell(
        &machine,
        "erase",
        &format!("{host}username=ann\npassword=secret\n"),
    );
    get(&machine, host).success().stdout_has(STORED);
    assert_eq!(machine.stored_tokens(), before);
}

#[test]
fn a_refused_token_that_sentry_refuses_too_is_replaced() {
    let (sentry, machine) = Machine::new().session(Age::FRESH).parts();
    let (host, former) = (described(&sentry), sentry.current_access());
    sentry.expire(&former);
    tell(
        &machine,
        "erase",
        &format!("{host}username=oauth2\npassword={former}\n"),
    );
    for _ in 0..3 {
        get(&machine, &host)
            .success()
            .stderr_is("")
            .stdout_has(&sentry.current_access())
            .never_says(&former);
    }
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_refused_token_is_served_while_sentry_does_not_answer() {
    let (sentry, machine) = Machine::new().session(Age::FRESH).parts();
    let (host, pair) = (described(&sentry), sentry.current());
    tell(
        &machine,
        "erase",
        &format!("{host}username=oauth2\npassword={}\n", pair.access),
    );
    sentry.fault(Endpoint::Api, Answer::new(502, "text/html", "<h1>no</h1>"));
    get(&machine, &host).success().stdout_has(&pair.access);
    assert_eq!(sentry.refresh_attempts(), 0);
    assert_eq!(machine.stored_tokens(), Some(pair));
}

#[test]
fn erasing_anything_else_changes_nothing() {
    let (sentry, machine) = Machine::new().session(Age::STALE).parts();
    let (host, former) = (described(&sentry), sentry.current_access());
    get(&machine, &host).success();
    let pair = sentry.current();
    for rejected in [
        format!("{host}username=oauth2\npassword={former}\n"),
        format!("{host}authtype=Bearer\ncredential={former}\n"),
        format!("{host}username=oauth2\npassword=something-else\n"),
        format!("{host}username=oauth2\npassword={}\n", pair.refresh),
        format!("{host}username=oauth2\n"),
        host.clone(),
        "protocol=https\nhost=other.example\n".to_owned(),
    ] {
        tell(&machine, "erase", &rejected);
        get(&machine, &host)
            .success()
            .stderr_is("")
            .stdout_has(&pair.access);
    }
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 0);
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(machine.stored_tokens(), Some(pair));
}
