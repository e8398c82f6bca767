//! Environment variables: tokens, the OAuth client, prompts, colour.
//!
//! Separate from `instances`, `places`, `network` and `trace`, which have the other variables.

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry};
use crate::sandbox::{Age, Output, Sandbox};
use crate::service::tools;
use crate::storage::files_with;
use crate::terminal::TtyUser;
use serde_json::json;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// What git sends for this origin.
pub fn described(origin: &str) -> String {
    let (protocol, host) = origin.split_once("://").expect("an origin");
    format!("protocol={protocol}\nhost={host}\n")
}

#[track_caller]
pub fn git(machine: &Sandbox, origin: &str) -> Output {
    machine.git_credential("get").stdin(described(origin)).run()
}

#[track_caller]
pub fn docker(machine: &Sandbox, server: &str) -> Output {
    machine.docker_credential("get").stdin(server).run()
}

/// git gets this token for the origin.
#[track_caller]
pub fn serves(machine: &Sandbox, origin: &str, token: &str) {
    let answer = git(machine, origin).success().stderr_is("");
    answer.stdout_has(&format!("password={token}\n"));
}

/// No helper answers for the origin.
#[track_caller]
pub fn serves_nothing(machine: &Sandbox, origin: &str) {
    git(machine, origin).success().stdout_is("").stderr_is("");
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
        docker(machine, "r.example")
            .success()
            .stdout_has(&format!("\"Secret\":\"{token}\""));
        machine
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
    git(&machine, &sentry.url())
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
                    machine
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
            assert_eq!(files_with(machine.root(), token), Vec::<String>::new());
            assert_eq!(machine.stored_credentials(), 0);
        }
    }
}

#[test]
fn an_invalid_token_is_reported_before_a_session_is_tried() {
    let sentry = FakeSentry::start();
    for url in [None, Some(sentry.url())] {
        let mut machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", "two words");
        if let Some(url) = url {
            machine = machine.env("SENTRY_URL", url);
        }
        machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
        let sentence = "cannot use the value of SENTRY_AUTH_TOKEN: \
                        a token is 1 to 4096 printable ASCII characters without spaces\n";
        git(&machine, &sentry.url())
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!("git-credential-sentry: {sentence}"))
            .never_says("two words");
        docker(&machine, &sentry.url())
            .fails(1)
            .stdout_is(sentence)
            .stderr_is("");
        serves_nothing(&machine, "https://other.example");
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
        machine
            .sentry(&["auth", "token"])
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("error: cannot use the value of {variable}: "))
            .never_says("s.example");
    }
}

// SENTRY_CLIENT_ID.

#[test]
fn a_session_of_the_official_cli_is_refreshed_as_the_client_that_is_named() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let before = machine.stored_tokens();
    git(&machine, &sentry.url())
        .fails(1)
        .stdout_is("")
        .stderr_is(&format!(
            "git-credential-sentry: the OAuth client id for {} is not known (hint: \
             `export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with)\n",
            sentry.url()
        ));
    assert_eq!(machine.stored_tokens(), before);
    assert_eq!(sentry.requests().len(), 0);

    let machine = machine.env("SENTRY_CLIENT_ID", CLIENT_ID);
    git(&machine, &sentry.url())
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
        TtyUser::start_piped(machine.git_credential("get"), described(&sentry.url()))
    };
    let mut user = get(&machine);
    assert_eq!(user.wait(), 1);
    assert_eq!(
        user.screen(),
        format!(
            "git-credential-sentry: not logged in to {0} (hint: `git credential-sentry login --url {0}`)\n",
            sentry.url()
        )
    );
    let machine = machine.env("SENTRY_CLIENT_ID", CLIENT_ID);
    for answer in ["", "y", "YES", "no"] {
        let other = Sandbox::new().for_sentry(&sentry);
        let mut user = get(&other);
        user.expect("only the environment names this instance; type `yes` if you trust it:")
            .type_line(answer);
        assert_eq!(user.wait(), 0);
        assert_eq!(user.stdout(), "quit=1\n\n");
    }
    assert_eq!(sentry.device_codes(), 0);
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let mut user = get(&machine);
    user.expect("if you trust it:").type_line("yes");
    user.expect(&format!("logged in to {} as jane\n", sentry.url()));
    assert_eq!(user.wait(), 0, "{}", user.screen());
    assert!(user.stdout().contains(&sentry.current_access()));
}

// Asking a user.

#[test]
fn no_prompt_is_shown_where_prompts_are_disabled() {
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
        let mut git = TtyUser::start_piped(machine.git_credential("get"), described(&sentry.url()));
        assert_eq!(git.wait(), 1, "{variable}={value}");
        assert_eq!(git.stdout(), "");
        let told_by_git = told.replace("sentry auth", "git credential-sentry");
        assert_eq!(
            git.screen(),
            format!("git-credential-sentry: {told_by_git}")
        );
        let mut docker = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
        assert_eq!(docker.wait(), 1, "{variable}={value}");
        assert_eq!(docker.stdout(), told);
        assert_eq!(docker.screen(), "");
        assert_eq!(sentry.requests().len(), 0);
    }
}

#[test]
fn a_user_is_asked_otherwise() {
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
        let mut user =
            TtyUser::start_piped(machine.git_credential("get"), described(&sentry.url()));
        user.expect(&format!(
            "git needs a login to Sentry: the session at {}",
            sentry.url()
        ))
        .expect("log in now? [Y/n]")
        .type_line("n");
        assert_eq!(user.wait(), 0, "{variable}={value}");
        assert_eq!(user.stdout(), "quit=1\n\n");
    }
}

#[test]
fn gits_own_configuration_may_forbid_questions() {
    for value in ["false", "never", "Never", "no", "off", "0"] {
        let sentry = FakeSentry::start();
        let machine = with_ended_session(&sentry);
        let configure = ["config", "--global", "credential.interactive", value];
        machine.command("git").args(configure).run().success();
        let told = format!("the session at {} has ended", sentry.url());
        let mut git = TtyUser::start_piped(machine.git_credential("get"), described(&sentry.url()));
        assert_eq!(git.wait(), 1, "{value}");
        assert!(git.screen().contains(&told) && !git.screen().contains("log in now?"));
        let mut docker = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
        assert_eq!(docker.wait(), 1, "{value}");
        assert!(docker.stdout().contains(&told) && docker.screen().is_empty());
    }
    for value in ["true", "auto", "always"] {
        let sentry = FakeSentry::start();
        let machine = with_ended_session(&sentry);
        let configure = ["config", "--global", "credential.interactive", value];
        machine.command("git").args(configure).run().success();
        let mut git = TtyUser::start_piped(machine.git_credential("get"), described(&sentry.url()));
        git.expect("log in now? [Y/n]").type_line("n");
        assert_eq!(git.wait(), 0, "{value}");
    }
}

#[test]
fn git_asks_nothing_where_it_was_started_with_that_setting() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        let machine = with_ended_session(&sentry);
        let configure = ["config", "--global", "credential.helper", "sentry"];
        machine.command("git").args(configure).run().success();
        let fill = machine
            .command(&git)
            .args([
                "-c",
                "credential.interactive=false",
                "-c",
                "core.askPass=true",
            ])
            .args(["credential", "fill"]);
        let mut user = TtyUser::start_piped(fill, described(&sentry.url()));
        user.wait();
        let screen = user.screen();
        assert!(
            screen.contains("git-credential-sentry: the session at "),
            "{screen}"
        );
        assert!(!screen.contains("log in now?"), "{screen}");
    }
}

#[test]
fn no_is_remembered_for_a_minute_by_git_and_for_ten_by_docker_and_until_a_login() {
    let sentry = FakeSentry::start();
    let machine = with_ended_session(&sentry);
    let url = sentry.url();
    let git = || TtyUser::start_piped(machine.git_credential("get"), described(&url));
    let docker = || TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    let passes = |seconds: i64| {
        let store = machine.database().expect("a store");
        let sql = "UPDATE helper_setting SET value = CAST(value - 1000 * ?1 AS TEXT) WHERE key LIKE 'declined %'";
        assert_eq!(store.execute(sql, [seconds]), Ok(1));
    };
    let asks = |mut user: TtyUser| {
        user.expect("log in now? [Y/n]").type_line("n");
        user.wait();
    };
    let is_quiet = |mut user: TtyUser| {
        user.wait();
        assert!(!user.screen().contains("log in now?"), "{}", user.screen());
        user.stdout()
    };
    asks(git());
    assert_eq!(is_quiet(git()), "quit=1\n\n");
    assert!(is_quiet(docker()).starts_with("the session at "));
    // No user is present who could decline.
    let nobody = machine.git_credential("get").stdin(described(&url)).run();
    nobody.fails(1).stdout_is("").stderr_has("has ended");
    passes(61);
    is_quiet(docker());
    asks(git());
    passes(550);
    is_quiet(docker());
    passes(60);
    asks(docker());
    assert_eq!(is_quiet(git()), "quit=1\n\n");

    sentry.set_interval(Some(1));
    sentry.approve_next();
    machine
        .sentry(&["auth", "login", "--no-browser", "--url", &url])
        .run()
        .success();
    self::git(&machine, &url)
        .success()
        .stdout_has(&sentry.current_access());
    let store = machine.database().expect("a store");
    let ended = "UPDATE accounts SET token = NULL, refresh_token = NULL WHERE is_active = 1";
    assert_eq!(store.execute(ended, []), Ok(1));
    drop(store);
    asks(git());
}

#[test]
fn a_login_that_is_denied_in_the_browser_is_a_no_too() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.deny_next();
    let machine = with_ended_session(&sentry);
    let mut docker = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    docker.expect("log in now? [Y/n]").type_line("y");
    assert_eq!(docker.wait(), 1);
    let mut docker = TtyUser::start_piped(machine.docker_credential("get"), "r.example");
    assert_eq!(docker.wait(), 1);
    assert_eq!(docker.screen(), "");
    assert_eq!(sentry.device_codes(), 1);
}

#[test]
fn a_command_of_the_user_logs_in_whatever_the_helpers_may_do() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("CI", "true")
        .env("GIT_TERMINAL_PROMPT", "0");
    machine
        .sentry(&["auth", "login", "--no-browser"])
        .run()
        .success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

// Colour.

#[test]
fn colour_is_for_terminals_that_want_it() {
    let bold = |machine: Sandbox, sentry: &FakeSentry| {
        sentry.set_interval(Some(1));
        sentry.approve_next();
        let login = machine.sentry(&["auth", "login", "--no-browser"]);
        let mut user = TtyUser::start(login.env("TERM", "xterm"));
        assert_eq!(user.wait(), 0, "{}", user.screen());
        user.screen().contains("\u{1b}[1m")
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
