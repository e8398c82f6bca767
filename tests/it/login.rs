//! `sentry auth login` and `logout`: what the user sees, and what is stored afterwards.

use std::time::Duration;

use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::sandbox::{Age, Layout, Sandbox};
use crate::storage::{files, files_with, mode};
use crate::terminal::TtyUser;
use rustix::process::Signal;
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);

fn sentry() -> FakeSentry {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry
}

#[test]
fn a_login_shows_url_and_code_and_ends_by_itself() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let mut user = TtyUser::start(machine.sentry(&["auth", "login"]));
    let code = sentry.wait_for_code(SOON);
    user.expect(&format!("log in to {}:", sentry.url()));
    user.expect(&format!("{}/oauth/device/?user_code={code}", sentry.url()));
    user.expect(&format!("check  that it shows the code {code}"));
    user.expect("waiting for approval, ");
    sentry.approve(&code);
    user.expect(&format!("logged in to {} as jane", sentry.url()));
    assert_eq!(user.wait(), 0);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    assert_eq!(mode(&machine.db()), 0o600);
    assert_eq!(mode(&machine.config_dir()), 0o700);
}

#[test]
fn nothing_is_readable_by_others_whatever_the_umask() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.approve_next();
    let login = "umask 000; exec sentry auth login";
    machine.command("sh").args(["-c", login]).run().success();
    assert_eq!(mode(&machine.config_dir()), 0o700);
    for path in files(&machine.config_dir()) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn status_begins_with_the_three_documented_lines() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.set_organizations(&["my-org", "other-org"]);
    sentry.approve_next();
    machine.sentry(&["auth", "login"]).run().success();
    let row = machine.stored_row().unwrap();
    let expires = row.expires_at.unwrap() / 1000;
    let date = machine
        .command("date")
        .args(["-u", "-d", &format!("@{expires}"), "+%Y-%m-%d"])
        .run()
        .stdout;
    machine
        .sentry(&["auth", "status"])
        .run()
        .success()
        .stderr_is("")
        .stdout_is(&format!(
            "Authenticated as: jane\n\
         Organization: my-org, other-org\n\
         Token expires: {date}\n\
         Instance: {url}\n\
         Source: stored session\n\
         Scopes: {scopes}\n\
         Storage: {db}\n\
         Refresh: automatic\n\
         Keyring: off\n",
            url = sentry.url(),
            scopes = sentry.current_scope().replace(' ', ", "),
            db = machine.db().display(),
        ));
}

#[test]
fn the_scopes_are_the_official_ones_by_default() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let scope_of = |args: &[&str]| {
        sentry.approve_next();
        machine
            .sentry(&["auth", "login", "--force"])
            .args(args)
            .run()
            .success();
        sentry
            .requests_to(Endpoint::DeviceCode)
            .last()
            .unwrap()
            .field("scope")
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        scope_of(&[]),
        "project:read project:write project:admin org:read event:read event:write \
         member:read team:read team:write team:admin alerts:read alerts:write"
    );
    assert_eq!(
        scope_of(&["--read-only"]),
        "project:read org:read event:read member:read team:read alerts:read"
    );
    assert_eq!(
        scope_of(&["--scope", "org:read,org:write", "--scope", "org:ci"]),
        "org:read org:write org:ci"
    );
}

#[test]
fn a_denied_login_changes_nothing() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.deny_next();
    machine
        .sentry(&["auth", "login"])
        .run()
        .fails(1)
        .stdout_is("")
        .stderr_has("error: the login was denied in the browser; nothing was stored\n");
    assert_eq!(machine.stored_row().map(|row| row.token), None);
}

#[test]
fn an_expired_code_and_a_timeout_have_different_messages() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let login = machine.sentry(&["auth", "login"]).spawn();
    sentry.expire_code(&sentry.wait_for_code(SOON));
    login.wait().fails(1).stderr_has(
        "error: the code expired before it was approved\nhint: `sentry auth login --url ",
    );
    machine
        .sentry(&["auth", "login", "--timeout", "2"])
        .run()
        .fails(1)
        .stderr_has("error: the login was not approved in time\nhint: `sentry auth login --url ");
}

#[test]
fn ctrl_c_leaves_the_store_as_it_was() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let pair = sentry.issue();
    machine.seed_session(&sentry, &pair, Age::FRESH);
    let mut user = TtyUser::start(machine.sentry(&["auth", "login", "--force"]));
    user.expect("waiting for approval");
    user.press_ctrl_c();
    user.expect("login cancelled; nothing was stored");
    assert_eq!(user.wait(), 130);
    assert_eq!(machine.stored_tokens(), Some(pair));
}

#[test]
fn a_signal_between_approval_and_commit_waits_for_the_commit() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.approve_next();
    sentry.fault(Endpoint::Poll, Fault::Held);
    let mut login = machine.sentry(&["auth", "login"]).spawn();
    sentry.wait_for_held(SOON);
    sentry.release();
    // Whichever comes first, the signal or the answer: never an answer without its commit.
    login.signal(Signal::INT);
    let output = login.wait();
    match machine.stored_tokens() {
        Some(stored) => assert_eq!(stored, sentry.current()),
        None => assert_eq!(output.code, 130, "{}", output.stderr),
    }
}

#[test]
fn the_device_code_is_sent_and_never_shown() {
    let sentry = sentry();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_TRACE", "1");
    sentry.approve_next();
    let login = machine.sentry(&["auth", "login"]).run().success();
    let poll = sentry.requests_to(Endpoint::Poll).remove(0);
    let device_code = poll.field("device_code").unwrap();
    assert!(!poll.path.contains(device_code));
    login.never_says(device_code);
}

#[test]
fn a_login_that_was_stopped_for_a_while_continues() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let mut login = machine.sentry(&["auth", "login"]).spawn();
    let code = sentry.wait_for_code(SOON);
    login.signal(Signal::STOP);
    sentry.approve(&code);
    login.signal(Signal::CONT);
    login.wait().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn polling_continues_after_failures() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.approve_next();
    sentry.fault(
        Endpoint::Poll,
        Answer::new(502, "text/html", "<html>Bad Gateway"),
    );
    sentry.fault(Endpoint::Poll, Fault::ResetBefore);
    machine.sentry(&["auth", "login"]).run().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn polling_obeys_slow_down() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.approve_next();
    sentry.fault(Endpoint::Poll, Answer::error(400, "slow_down"));
    machine.sentry(&["auth", "login"]).run().success();
    let polls: Vec<_> = sentry
        .requests_to(Endpoint::Poll)
        .iter()
        .map(|poll| poll.at)
        .collect();
    assert!(polls[1].duration_since(polls[0]) >= Duration::from_secs(6));
}

#[test]
fn an_unknown_client_gets_a_hint_with_the_variable() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.fault(Endpoint::DeviceCode, Answer::error(401, "invalid_client"));
    let url = sentry.url();
    machine
        .sentry(&["auth", "login"])
        .run()
        .fails(1)
        .stderr_is(&format!(
            "error: {url} refused the login: HTTP 401, `invalid_client`\n\
         hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance\n"
        ));
}

#[test]
fn a_foreign_verification_address_is_neither_shown_nor_opened() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    for evil in [
        "https://evil.example/oauth/device/",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ] {
        sentry.rewrite(Endpoint::DeviceCode, move |answer| {
            answer["verification_uri_complete"] = evil.into()
        });
        let login = machine.sentry(&["auth", "login"]).run().fails(1);
        assert!(!login.stderr.contains(evil), "{}", login.stderr);
        sentry.fix();
    }
    assert_eq!(sentry.polls(), 0);
}

#[test]
fn an_api_token_is_checked_before_it_is_stored() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let refused = machine
        .sentry(&["auth", "login", "--with-token"])
        .stdin("sntryu_unknown\n")
        .run()
        .fails(1);
    refused.stderr_is(&format!(
        "error: {} does not accept this token; nothing was stored\n",
        sentry.url()
    ));
    assert_eq!(machine.stored_row().map(|row| row.token), None);
    sentry.add_api_token("sntryu_known");
    let login = machine
        .sentry(&["auth", "login", "--with-token"])
        .stdin("sntryu_known\n")
        .run();
    login.success().never_says("sntryu_known");
    machine
        .sentry(&["auth", "token"])
        .run()
        .success()
        .stdout_is("sntryu_known\n")
        .stderr_is("");
    machine
        .sentry(&["auth", "status"])
        .run()
        .success()
        .stdout_has("Token expires: never\n");
}

#[test]
fn a_token_that_is_typed_is_not_shown_and_the_terminal_stays_as_it_was() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.add_api_token("sntryu_typed");
    let script = "trap : INT; sentry auth login --with-token; code=$?; stty -a; echo code $code";
    let start = || TtyUser::start(machine.command("sh").args(["-c", script]));
    let mut user = start();
    user.expect("token: ").type_line("sntryu_typed");
    user.expect("logged in to ")
        .expect(" echo ")
        .expect("code 0");
    assert!(!user.screen().contains("sntryu_typed"));
    let mut user = start();
    user.expect("token: ").press_ctrl_c();
    user.expect("isig icanon")
        .expect(" echo ")
        .expect("code 130");
    assert!(!user.screen().contains("-isig"), "{}", user.screen());
}

#[test]
fn a_check_answered_by_another_server_stores_no_token() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.add_api_token("sntryu_known");
    let without_token = json!({"version": "0", "auth": null, "user": null});
    for body in [
        json!({}),
        json!({"error": "invalid_token"}),
        json!({"auth": true}),
        json!([]),
        without_token,
    ] {
        sentry.fault(Endpoint::Api, Answer::json(200, &body));
        let login = machine.sentry(&["auth", "login", "--with-token"]);
        login
            .stdin("sntryu_known")
            .run()
            .fails(1)
            .stderr_has("cannot check the token with ");
        assert_eq!(machine.stored_row().map(|row| row.token), None, "{body}");
    }
}

#[test]
fn a_token_that_would_break_a_line_is_not_stored() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    for token in ["", "two words", "tok\u{1b}[31m", "tôk", &"x".repeat(5000)] {
        machine
            .sentry(&["auth", "login", "--with-token"])
            .stdin(token)
            .run()
            .fails(1);
    }
    machine
        .sentry(&["auth", "login", "--token", "a b"])
        .run()
        .fails(2);
    sentry.rewrite(Endpoint::Poll, |answer| {
        answer["access_token"] = "tok\nhost=evil".into()
    });
    sentry.approve_next();
    machine.sentry(&["auth", "login"]).run().fails(1);
    assert_eq!(machine.stored_row().map(|row| row.token), None);
}

#[test]
fn the_second_login_waits_for_the_first_and_uses_it() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    let first = machine.sentry(&["auth", "login"]).spawn();
    let code = sentry.wait_for_code(SOON);
    let second = machine.sentry(&["auth", "login"]).spawn();
    second.wait_for_stderr("another login to");
    sentry.approve(&code);
    first.wait().success();
    second.wait().success().stderr_is(&format!(
        "another login to {url} is in progress; waiting for it\n\
         another process logged in to {url} meanwhile\n",
        url = sentry.url()
    ));
    assert_eq!(sentry.device_codes(), 1);
}

#[test]
fn other_scopes_than_those_of_a_working_session_need_force() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let url = sentry.url();
    for options in [
        &["--read-only"][..],
        &["--scope", "org:read,event:read"],
        &[
            "--url",
            &url,
            "--scope",
            "org:read",
            "--scope",
            "org:write",
            "--read-only",
        ],
    ] {
        let login = || machine.sentry(&["auth", "login"]).args(options);
        let told = login().run().fails(1).stdout_is("").stderr;
        let what = format!(
            "error: the session of {url} has other scopes; a login with these needs `--force`\nhint: `"
        );
        let hint = told
            .strip_prefix(&what)
            .and_then(|hint| hint.strip_suffix("`\n"));
        let hint = shlex::split(hint.expect(&told)).expect("a command");
        let hint: Vec<&str> = hint.iter().skip(1).map(String::as_str).collect();
        sentry.approve_next();
        machine.sentry(&hint).run().success();
        // Now it is a session of these scopes.
        login().run().success().stderr_has("already logged in to ");
    }
    assert_eq!(sentry.device_codes(), 3);
}

#[test]
fn logging_in_again_needs_force() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    machine
        .sentry(&["auth", "login"])
        .run()
        .success()
        .stderr_is(&format!(
            "already logged in to {}\nhint: `sentry auth login --force` logs in again\n",
            sentry.url()
        ));
    sentry.approve_next();
    machine
        .sentry(&["auth", "login", "--force"])
        .run()
        .success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_login_remembers_its_client_id() {
    let sentry = sentry();
    let machine = Sandbox::new();
    sentry.approve_next();
    let login = machine.sentry(&["auth", "login", "--url", &sentry.url()]);
    login.env("SENTRY_CLIENT_ID", CLIENT_ID).run().success();
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn an_instance_without_a_known_client_id_says_what_to_set() {
    let sentry = sentry();
    Sandbox::new()
        .sentry(&["auth", "login", "--url", &sentry.url()])
        .run()
        .fails(1)
        .stderr_is(&format!(
            "error: the OAuth client id for {0} is not known\n\
         hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance, \
         or `sentry auth login --url {0} --with-token`\n",
            sentry.url()
        ));
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn logout_removes_every_trace_of_the_tokens() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.approve_next();
    machine.sentry(&["auth", "login"]).run().success();
    let first = sentry.current();
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    let second = sentry.current();
    machine.sentry(&["auth", "logout"]).run().success();
    for secret in [
        &first.access,
        &first.refresh,
        &second.access,
        &second.refresh,
    ] {
        assert_eq!(files_with(machine.root(), secret), Vec::<String>::new());
    }
    machine
        .sentry(&["auth", "status"])
        .run()
        .fails(1)
        .stdout_is("")
        .stderr_is(&format!(
            "not logged in to {url}\nhint: `sentry auth login --url {url}`\n",
            url = sentry.url()
        ));
}

#[test]
fn logout_says_that_an_environment_token_is_still_used() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let logout = machine
        .sentry(&["auth", "logout"])
        .env("SENTRY_TOKEN", "sntryu_x")
        .run();
    logout
        .fails(1)
        .stderr_has("the token in SENTRY_TOKEN is still used\nhint: `unset SENTRY_TOKEN`\n");
    assert!(machine.stored_row().is_none());
}

#[test]
fn sessions_of_several_instances_live_side_by_side() {
    let (one, two) = (sentry(), sentry());
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    for sentry in [&one, &two] {
        sentry.approve_next();
        machine
            .sentry(&["auth", "login", "--url", &sentry.url()])
            .run()
            .success();
    }
    let list = |active: &FakeSentry, other: &FakeSentry| {
        format!(
            "* {}  jane  (refreshed automatically)\n  {}  jane  (refreshed automatically)\n",
            active.url(),
            other.url()
        )
    };
    machine
        .sentry(&["auth", "list"])
        .run()
        .success()
        .stdout_is(&list(&two, &one));
    machine
        .sentry(&["auth", "switch", &one.url()])
        .run()
        .success();
    machine
        .sentry(&["auth", "list"])
        .run()
        .success()
        .stdout_is(&list(&one, &two));
    machine
        .sentry(&["auth", "token"])
        .run()
        .success()
        .stdout_is(&format!("{}\n", one.current_access()));
    let token = machine
        .sentry(&["auth", "token", "--url", &two.url()])
        .run();
    token
        .success()
        .stdout_is(&format!("{}\n", two.current_access()));
    machine
        .sentry(&["auth", "logout"])
        .run()
        .success()
        .stderr_has(&format!(
            "logged out of {}\nthe session of {} is the active one now\n",
            one.url(),
            two.url()
        ));
    machine.sentry(&["auth", "logout", "--all"]).run().success();
    machine
        .sentry(&["auth", "list", "--json"])
        .run()
        .success()
        .stdout_is("[]\n");
}

#[test]
fn the_old_layout_asks_before_it_replaces_another_instance() {
    let (old, new) = (sentry(), sentry());
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    machine.seed_session_in(Layout::Auth, &old, &old.issue(), Age::FRESH);
    let login = || machine.sentry(&["auth", "login", "--url", &new.url()]);
    login().run().fails(1).stderr_is(&format!(
        "error: the database holds only one session, which is at {url}\nhint: `sentry auth logout --url {url}` first\n",
        url = old.url()
    ));
    let mut user = TtyUser::start(login());
    user.expect("replace the session of").type_line("n");
    assert_eq!(user.wait(), 1);
    assert_eq!(machine.stored_tokens(), Some(old.current()));
    new.approve_next();
    let mut user = TtyUser::start(login());
    user.expect("replace the session of").type_line("y");
    assert_eq!(user.wait(), 0, "{}", user.screen());
    assert_eq!(machine.stored_tokens(), Some(new.current()));
}

#[test]
fn bare_auth_logs_in_when_logged_out_and_shows_the_status_when_logged_in() {
    let sentry = sentry();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.approve_next();
    machine
        .sentry(&["auth"])
        .run()
        .success()
        .stderr_has("logged in to");
    machine
        .sentry(&["auth"])
        .run()
        .success()
        .stdout_has("Authenticated as: jane\n");
}
