//! Requests without an answer.

use super::{described, get, gets_nothing};
use crate::fake_sentry::FakeSentry;
use crate::helpers::with_login;
use crate::machine::Machine;
use crate::sandbox::{Age, Sandbox};
use crate::terminal::TtyUser;
use std::time::Duration;

#[test]
fn an_instance_without_a_login_says_what_to_run() {
    let machine = Sandbox::new();
    get(&machine, "protocol=https\nhost=sentry.io\n")
        .fails(1)
        .stdout_is("")
        .stderr_is(
            "git-credential-sentry: not logged in to https://sentry.io (hint: `git credential-sentry login`)\n",
        );
    let machine = machine.env("SENTRY_URL", "https://s.example");
    get(&machine, "protocol=https\nhost=s.example\n")
        .fails(1)
        .stdout_is("")
        .stderr_is(
            "git-credential-sentry: not logged in to https://s.example \
             (hint: `git credential-sentry login --url https://s.example`)\n",
        );
    gets_nothing(&machine, "protocol=https\nhost=other.example\n");
    assert!(!machine.config_dir().exists());
}

#[test]
fn an_ended_session_has_a_hint_and_stays_recorded() {
    let (sentry, machine) = Machine::new().login(Age::EXPIRED).parts();
    sentry.revoke_family(&sentry.current_access());
    let before = machine.stored_row();
    for _ in 0..2 {
        get(&machine, described(&sentry))
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("the session at {} has ended", sentry.url()))
            .stderr_has(&format!(
                "`git credential-sentry login --url {}`",
                sentry.url()
            ));
    }
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(sentry.device_codes(), 0);
    // Nothing is removed: another program may still compare the row with what it posted.
    assert_eq!(machine.stored_row(), before);
}

#[test]
fn a_user_who_says_no_is_not_asked_for_a_password() {
    let (sentry, machine) = Machine::new().login(Age::EXPIRED).parts();
    sentry.revoke_family(&sentry.current_access());
    let mut user = TtyUser::start_piped(machine.git_credential("get"), described(&sentry));
    user.expect("[Y/n]").type_line("n");
    assert_eq!(user.wait(), 0);
    assert_eq!(user.stdout(), "quit=1\n\n");
    assert_eq!(sentry.device_codes(), 0);
}

#[test]
fn a_login_that_is_denied_in_the_browser_is_not_followed_by_a_question() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = with_login(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    sentry.deny_next();
    let mut user = TtyUser::start_piped(machine.git_credential("get"), described(&sentry));
    user.expect("[Y/n]").type_line("y");
    let code = sentry.wait_for_code(Duration::from_secs(10));
    user.expect(&code);
    assert_eq!(user.wait(), 0);
    assert_eq!(user.stdout(), "quit=1\n\n");
}

#[test]
fn a_login_in_between_answers_the_request() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = with_login(&sentry, Age::EXPIRED);
    sentry.revoke_family(&sentry.current_access());
    sentry.approve_next();
    let mut user = TtyUser::start_piped(machine.git_credential("get"), described(&sentry));
    user.expect("[Y/n]").type_line("");
    assert_eq!(user.wait(), 0, "{}", user.screen());
    let answer = user.stdout();
    let expected = format!("username=oauth2\npassword={}\n", sentry.current_access());
    assert!(answer.starts_with(&expected), "{answer}");
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}
