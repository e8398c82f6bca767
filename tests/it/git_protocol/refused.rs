//! Hosts that refuse a token, which git reports with `erase`.

use super::{described, get, gets_nothing, git, tell};
use crate::fake_sentry::{Answer, Endpoint, FakeSentry};
use crate::helpers::{ENVIRONMENT, STORED, with_session, with_session_of, with_token};
use crate::sandbox::{Age, Sandbox};
use base64::prelude::{BASE64_STANDARD, Engine as _};

const CODE: &str = "protocol=https\nhost=code.example:8443\n";
const OTHER: &str = "protocol=https\nhost=other.example\n";

/// A machine with a session, and two hosts that are bound to its instance.
fn machine(sentry: &FakeSentry) -> Sandbox {
    let machine = with_session(sentry, Age::FRESH);
    for host in ["code.example:8443", "other.example"] {
        machine.bind(&format!("git https://{host}"), &sentry.url(), None);
    }
    machine
}

fn password(host: &str, token: &str) -> String {
    format!("{host}username=oauth2\npassword={token}\n")
}

#[track_caller]
fn is_served(machine: &Sandbox, host: &str, token: &str) {
    let served = get(machine, host).success().stderr_is("");
    served.stdout_has(token);
}

/// The host gets no answer, and the user one message.
#[track_caller]
fn is_refused(machine: &Sandbox, host: &str, line: &str) {
    let told = get(machine, host).success().stdout_is("");
    told.stderr_is(&format!("git-credential-sentry: {line}\n"));
}

const NOT_THERE: &str = "code.example:8443 refuses this login, although Sentry accepts it";

/// Moves the recorded notes into the past by this time.
#[track_caller]
fn a_minute_passes(machine: &Sandbox) {
    let store = machine.database().expect("a store");
    let ago = |sql: &str| store.execute_batch(sql).expect("good SQL");
    ago("UPDATE helper_session SET checked_at = checked_at - 61000");
    let rows = "SELECT key, value FROM helper_setting WHERE key LIKE 'refused %'";
    let mut statement = store.prepare(rows).expect("good SQL");
    let rows: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .expect("rows");
    assert!(!rows.is_empty());
    for (key, value) in rows {
        let words: Vec<&str> = value.split(' ').collect();
        let since = words[1].parse::<i64>().expect("a time") - 61_000;
        let value = format!("{} {since} {}", words[0], words[2]);
        let sql = "UPDATE helper_setting SET value = ?2 WHERE key = ?1";
        assert_eq!(store.execute(sql, [key, value]), Ok(1));
    }
}

#[test]
fn a_host_that_refuses_what_sentry_accepts_does_not_get_it_for_a_minute() {
    type Form = fn(&str) -> String;
    let forms: [Form; 3] = [
        |token| format!("username=oauth2\npassword={token}\n"),
        |token| format!("authtype=Bearer\ncredential={token}\n"),
        |token| {
            let pair = BASE64_STANDARD.encode(format!("oauth2:{token}"));
            format!("authtype=Basic\ncredential={pair}\n")
        },
    ];
    for form in forms {
        let sentry = FakeSentry::start();
        let machine = machine(&sentry);
        let pair = sentry.current();
        tell(&machine, "erase", &format!("{CODE}{}", form(&pair.access)));
        assert_eq!(sentry.requests_to(Endpoint::Api).len(), 0);
        for _ in 0..2 {
            is_refused(&machine, CODE, NOT_THERE);
            is_served(&machine, OTHER, &pair.access);
            is_served(&machine, &described(&sentry), &pair.access);
        }
        let asked = sentry.requests_to(Endpoint::Api);
        assert_eq!(asked.len(), 1);
        assert_eq!(
            (asked[0].route(), asked[0].method.as_str()),
            ("/api/0/", "GET")
        );
        a_minute_passes(&machine);
        for _ in 0..2 {
            is_served(&machine, CODE, &pair.access);
        }
        assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
        assert_eq!(sentry.refresh_attempts(), 0);
        assert_eq!(machine.stored_tokens(), Some(pair));
    }
}

#[test]
fn a_set_up_of_the_host_ends_its_refusal() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    let token = sentry.current_access();
    for host in [CODE, OTHER] {
        tell(&machine, "erase", &password(host, &token));
    }
    is_refused(&machine, CODE, NOT_THERE);
    // Of another host, and one that changes nothing.
    let set_up = |args: &[&str]| {
        let url = sentry.url();
        let set_up = machine.sentry(&["auth", "setup-git", "--url", &url]);
        set_up.args(args).run().success()
    };
    set_up(&["third.example"]);
    set_up(&["--dry-run", "code.example:8443"]);
    is_refused(&machine, CODE, NOT_THERE);
    for _ in 0..2 {
        set_up(&["code.example:8443"]);
        is_served(&machine, CODE, &token);
        is_refused(
            &machine,
            OTHER,
            "other.example refuses this login, although Sentry accepts it",
        );
        tell(&machine, "erase", &password(CODE, &token));
        is_refused(&machine, CODE, NOT_THERE);
    }
    // The token of the environment, too.
    let machine = machine.env("SENTRY_TOKEN", &token);
    is_refused(
        &machine,
        CODE,
        "`SENTRY_TOKEN` was refused by code.example:8443",
    );
    let url = sentry.url();
    let set_up = ["auth", "setup-git", "--url", &url, "code.example:8443"];
    machine.sentry(&set_up).run().success();
    is_served(&machine, CODE, &token);
}

#[test]
fn get_and_erase_in_turn_end_after_the_first() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    let token = sentry.current_access();
    let mut answers = 0;
    for _ in 0..5 {
        let answer = get(&machine, CODE).success().stdout;
        answers += usize::from(!answer.is_empty());
        // git erases only what it was answered.
        if !answer.is_empty() {
            tell(&machine, "erase", &password(CODE, &token));
        }
    }
    assert_eq!((answers, sentry.requests_to(Endpoint::Api).len()), (1, 1));
}

#[test]
fn a_second_host_is_believed_without_another_question() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    let token = sentry.current_access();
    tell(&machine, "erase", &password(CODE, &token));
    is_refused(&machine, CODE, NOT_THERE);
    is_served(&machine, OTHER, &token);
    tell(&machine, "erase", &password(OTHER, &token));
    let line = "other.example refuses this login, although Sentry accepts it";
    for _ in 0..2 {
        is_refused(&machine, OTHER, line);
        is_refused(&machine, CODE, NOT_THERE);
    }
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
}

#[test]
fn another_token_is_served_at_once_to_a_host_that_refused_the_last_one() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    tell(&machine, "erase", &password(CODE, &sentry.current_access()));
    is_refused(&machine, CODE, NOT_THERE);
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    is_served(&machine, CODE, &sentry.current_access());
}

#[test]
fn while_sentry_cannot_be_asked_a_host_has_one_more_try() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    let token = sentry.current_access();
    sentry.fault(Endpoint::Api, Answer::new(502, "text/html", "<h1>no</h1>"));
    tell(&machine, "erase", &password(CODE, &token));
    for _ in 0..2 {
        is_served(&machine, CODE, &token);
    }
    tell(&machine, "erase", &password(CODE, &token));
    let told = get(&machine, CODE).success().stdout_is("");
    told.stderr_has("code.example:8443 refuses this login: ");
    is_served(&machine, OTHER, &token);
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
    assert_eq!(sentry.refresh_attempts(), 0);
}

#[test]
fn docker_and_the_commands_have_a_token_that_a_git_host_refused() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    machine.bind("docker code.example:8443", &sentry.url(), None);
    let token = sentry.current_access();
    tell(&machine, "erase", &password(CODE, &token));
    is_refused(&machine, CODE, NOT_THERE);
    let docker = machine.docker_credential("get").stdin("code.example:8443");
    docker.run().success().stdout_has(&token);
    let printed = machine.sentry(&["auth", "token"]).run().success();
    printed.stdout_is(&format!("{token}\n"));
}

#[test]
fn the_environments_token_is_named_to_the_host_that_refused_it() {
    let machine = with_token().env("SENTRY_TOKEN", "another-of-the-environment");
    let sentry = "protocol=https\nhost=sentry.io\n";
    let line = "`SENTRY_AUTH_TOKEN` was refused by sentry.io";
    // The other variable is not in effect.
    tell(
        &machine,
        "erase",
        &password(sentry, "another-of-the-environment"),
    );
    assert!(!machine.config_dir().exists());
    is_served(&machine, sentry, ENVIRONMENT);
    tell(&machine, "erase", &password(sentry, ENVIRONMENT));
    for _ in 0..2 {
        is_refused(&machine, sentry, line);
        is_served(&machine, "protocol=https\nhost=us.sentry.io\n", ENVIRONMENT);
    }
    let other = machine.git_credential("get").stdin(sentry);
    let other = other.env("SENTRY_AUTH_TOKEN", "a-new-one").run().success();
    other.stderr_is("").stdout_has("a-new-one");
    a_minute_passes(&machine);
    is_served(&machine, sentry, ENVIRONMENT);
    let content = std::fs::read(machine.db()).expect("a database");
    let token = ENVIRONMENT.as_bytes();
    assert!(!content.windows(token.len()).any(|bytes| bytes == token));
}

#[test]
fn the_environments_token_is_served_where_nothing_can_be_noted() {
    let machine = with_token().env("SENTRY_CONFIG_DIR", "/dev/null/nowhere");
    let sentry = "protocol=https\nhost=sentry.io\n";
    let erased = git(&machine, "erase", password(sentry, ENVIRONMENT)).fails(1);
    erased.stderr_has("cannot open /dev/null/nowhere");
    is_served(&machine, sentry, ENVIRONMENT);
}

#[test]
fn an_unbound_host_gets_nothing_whatever_it_refuses() {
    let machine = with_session_of("https://sentry.io");
    tell(&machine, "erase", &password(OTHER, STORED));
    gets_nothing(&machine, OTHER);
}

#[test]
fn refusals_of_long_ago_are_forgotten() {
    let sentry = FakeSentry::start();
    let machine = machine(&sentry);
    let token = sentry.current_access();
    tell(&machine, "erase", &password(CODE, &token));
    a_minute_passes(&machine);
    tell(&machine, "erase", &password(OTHER, &token));
    let store = machine.database().expect("a store");
    let sql = "SELECT group_concat(key) FROM helper_setting WHERE key LIKE 'refused %'";
    let recorded: String = store.query_row(sql, [], |row| row.get(0)).expect("a row");
    assert_eq!(recorded, "refused git https://other.example");
}
