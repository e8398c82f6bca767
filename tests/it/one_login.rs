//! `login.lock`: one device flow at a time, whichever program starts it, and no process without a user waits for it.

use crate::machine::Machine;
use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry};
use crate::sandbox::{Age, Running, Sandbox};
use crate::terminal::TtyUser;

const SOON: Duration = Duration::from_secs(20);

/// As many programs as `git submodule update --jobs 20` starts on one terminal.
const CROWD: usize = 20;

const QUESTION: &str = "type `yes` if you trust it:";

fn request(sentry: &FakeSentry) -> String {
    format!("protocol=http\nhost={}\n", sentry.address())
}

/// Starts `git-credential-sentry get` many times on one terminal; the answers are in the files `answer.1` and so on.
fn crowd(sentry: &FakeSentry, machine: &Sandbox) -> TtyUser {
    fs::write(machine.home().join("request"), request(sentry)).unwrap();
    let script = format!(
        "for i in $(seq {CROWD}); do git-credential-sentry get <request >answer.$i & done; wait"
    );
    TtyUser::start(machine.command("sh").args(["-c", &script]))
}

fn answers(machine: &Sandbox) -> Vec<String> {
    (1..=CROWD)
        .map(|index| fs::read_to_string(machine.home().join(format!("answer.{index}"))).unwrap())
        .collect()
}

#[test]
fn twenty_gets_on_one_terminal_ask_once_and_share_one_device_code() {
    let (sentry, machine) = Machine::new().parts();
    let mut user = crowd(&sentry, &machine);
    user.expect(QUESTION).type_line("yes");
    let code = sentry.wait_for_code(SOON);
    sentry.approve(&code);
    assert_eq!(user.wait(), 0);
    let screen = user.screen();
    assert_eq!(screen.matches(QUESTION).count(), 1, "{screen}");
    assert_eq!(sentry.device_codes(), 1);
    let password = format!("password={}\n", sentry.current_access());
    for answer in answers(&machine) {
        assert!(answer.contains(&password), "{answer:?}; {screen}");
    }
}

#[test]
fn a_no_to_one_of_twenty_gets_is_a_no_to_all() {
    let (sentry, machine) = Machine::new().parts();
    let mut user = crowd(&sentry, &machine);
    // A request after the refusal would ask again.
    for _ in 1..CROWD {
        user.expect("is in progress; waiting for it");
    }
    if !user.screen().contains(QUESTION) {
        user.expect(QUESTION);
    }
    user.type_line("no");
    assert_eq!(user.wait(), 0);
    let screen = user.screen();
    assert_eq!(screen.matches(QUESTION).count(), 1, "{screen}");
    assert_eq!(sentry.requests().len(), 0);
    for answer in answers(&machine) {
        assert_eq!(answer, "quit=1\n\n", "{screen}");
    }
}

#[test]
fn a_get_with_a_user_joins_the_login_that_is_under_way() {
    let (sentry, machine) = Machine::new().parts();
    let login = machine.sentry(&["auth", "login"]).spawn();
    let code = sentry.wait_for_code(SOON);
    let mut user = TtyUser::start_piped(machine.git_credential("get"), request(&sentry));
    user.expect(&format!("another login to {} is in progress", sentry.url()));
    sentry.approve(&code);
    assert_eq!(user.wait(), 0);
    let password = format!("password={}\n", sentry.current_access());
    assert!(user.stdout().contains(&password), "{}", user.screen());
    assert!(!user.screen().contains(QUESTION), "{}", user.screen());
    login.wait().success();
    assert_eq!(sentry.device_codes(), 1);
}

#[test]
fn a_get_without_a_user_never_waits_for_a_login() {
    let (sentry, machine) = Machine::new().parts();
    let mut login = machine.sentry(&["auth", "login"]).spawn();
    sentry.wait_for_code(SOON);
    machine.bind("docker r.example", &sentry.url(), None);
    let told = format!("not logged in to {}", sentry.url());
    let gets: Vec<Running> = (0..50)
        .map(|index| match index % 2 {
            0 => machine.git_credential("get").stdin(request(&sentry)),
            _ => machine.docker_credential("get").stdin("r.example"),
        })
        .map(|get| get.limit(SOON).spawn())
        .collect();
    for (index, get) in gets.into_iter().enumerate() {
        let answer = get.wait().fails(1);
        let _told = match index % 2 {
            0 => answer.stderr_has(&told),
            _ => answer.stdout_is("credentials not found in native keychain\n"),
        };
    }
    // It keeps waiting for a user who takes longer than all the others.
    assert!(login.is_running());
    assert_eq!(sentry.device_codes(), 1);
}

#[test]
fn a_login_continues_after_one_that_was_killed() {
    let (sentry, machine) = Machine::new().parts();
    let mut first = machine.sentry(&["auth", "login"]).spawn();
    sentry.wait_for_code(SOON);
    let second = machine.sentry(&["auth", "login"]).spawn();
    second.wait_for_stderr("another login to");
    first.signal(Signal::KILL);
    let code = sentry.wait_for_code(SOON);
    sentry.approve(&code);
    second.wait().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    assert_eq!(sentry.device_codes(), 2);
}

#[test]
fn a_login_to_one_instance_does_not_count_as_a_login_to_another() {
    let (one, two) = (FakeSentry::start(), FakeSentry::start());
    one.set_interval(Some(1));
    two.set_interval(Some(1));
    let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
    let login = |sentry: &FakeSentry| machine.sentry(&["auth", "login", "--url", &sentry.url()]);
    let first = login(&one).spawn();
    let code = one.wait_for_code(SOON);
    two.approve_next();
    let second = login(&two).spawn();
    second.wait_for_stderr("is in progress; waiting for it");
    assert_eq!(two.requests().len(), 0);
    one.approve(&code);
    first.wait().success();
    second.wait().success();
    assert_eq!(machine.stored_tokens(), Some(two.current()));
}

#[test]
fn a_login_that_waits_holds_no_lock_that_a_refresh_needs() {
    let (sentry, machine) = Machine::new().parts();
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let login = machine.sentry(&["auth", "login", "--force"]).spawn();
    sentry.wait_for_code(SOON);
    sentry.wait_for_requests(Endpoint::Poll, 1, SOON);
    let token = machine.sentry(&["auth", "token"]).limit(SOON).run();
    token
        .success()
        .stdout_is(&format!("{}\n", sentry.current_access()));
    let refresh = machine.sentry(&["auth", "refresh", "--force"]).limit(SOON);
    refresh.run().success();
    drop(login);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_login_that_is_approved_but_cannot_be_stored_says_so() {
    let (sentry, machine) = Machine::new().parts();
    let old = sentry.issue();
    machine.seed_session(&sentry, &old, Age::FRESH);
    let login = machine.sentry(&["auth", "login", "--force"]).spawn();
    let code = sentry.wait_for_code(SOON);
    // For example a newer version of the official CLI.
    let database = machine.database().unwrap();
    let renamed = "ALTER TABLE accounts RENAME COLUMN refresh_token TO renewal";
    database.execute(renamed, []).unwrap();
    sentry.approve(&code);
    let told = login.wait().fails(1).stdout_is("");
    told.never_says(&sentry.current_access())
        .stderr_has("error: the login was approved, but its token could not be stored: ");
    let stored: String = database
        .query_row("SELECT token FROM accounts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(stored, old.access);
}
