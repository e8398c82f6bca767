//! A login commits its tokens once. What the server says about the user afterwards is names, and what the database does
//! not take for a minute waits beside it.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{SOON, until};
use crate::fake_sentry::{Endpoint, FakeSentry, Fault, Pair};
use crate::machine::Machine;
use crate::official::CURRENT;
use crate::sandbox::{Age, Layout, Output, Running, Sandbox};
use crate::storage::{files_with, holder_of, names};

const LAYOUTS: [Layout; 2] = [Layout::Accounts, Layout::Auth];

/// A stored login whose request for the user the server has not answered yet.
struct Asking {
    sentry: FakeSentry,
    machine: Sandbox,
    login: Running,
    /// What it stored.
    pair: Pair,
}

impl Asking {
    fn start(layout: Layout) -> Asking {
        let (sentry, machine) = Machine::new().parts();
        if layout == Layout::Auth {
            machine.seed_session_in(layout, &sentry, &sentry.issue(), Age::EXPIRED);
            let logged_out = "DELETE FROM auth; DELETE FROM user_info";
            machine
                .database()
                .unwrap()
                .execute_batch(logged_out)
                .unwrap();
        }
        sentry.approve_next();
        sentry.fault(Endpoint::Api, Fault::Held);
        let login = machine.sentry(&["auth", "login"]).spawn();
        sentry.wait_for_held(SOON);
        let pair = sentry.current();
        assert_eq!(machine.stored_tokens().as_ref(), Some(&pair));
        Asking {
            sentry,
            machine,
            login,
            pair,
        }
    }

    /// The server answers, and the login ends.
    #[track_caller]
    fn ends(self) -> (FakeSentry, Sandbox) {
        self.sentry.release();
        self.login.wait().success();
        (self.sentry, self.machine)
    }
}

#[test]
fn a_logout_while_a_login_asks_for_the_users_name_is_not_undone() {
    for layout in LAYOUTS {
        let asking = Asking::start(layout);
        let logout = asking.machine.sentry(&["auth", "logout"]);
        logout.run().success();
        let pair = asking.pair.clone();
        let (_sentry, machine) = asking.ends();
        assert_eq!(machine.stored_row(), None, "{layout:?}");
        for secret in [&pair.access, &pair.refresh] {
            assert_eq!(
                files_with(&machine.config_dir(), secret),
                Vec::<String>::new()
            );
        }
        machine.sentry(&["auth", "token"]).run().fails(1);
    }
}

#[test]
fn a_refresh_while_a_login_asks_for_the_users_name_is_not_undone() {
    for layout in LAYOUTS {
        let asking = Asking::start(layout);
        let refresh = ["auth", "refresh", "--force"];
        asking.machine.sentry(&refresh).run().success();
        assert_ne!(asking.sentry.current(), asking.pair);
        let (sentry, machine) = asking.ends();
        assert_eq!(
            machine.stored_tokens(),
            Some(sentry.current()),
            "{layout:?}"
        );
        machine.sentry(&refresh).run().success();
    }
}

#[test]
fn another_login_while_a_login_asks_for_the_users_name_is_not_undone() {
    for layout in LAYOUTS {
        let asking = Asking::start(layout);
        asking.sentry.add_api_token("sntryu_another");
        let other = asking.machine.sentry(&["auth", "login", "--with-token"]);
        other.stdin("sntryu_another").run().success();
        let (_sentry, machine) = asking.ends();
        let row = machine.stored_row().expect("a session");
        assert_eq!(
            (row.token.as_deref(), row.refresh_token),
            (Some("sntryu_another"), None),
            "{layout:?}"
        );
    }
}

#[test]
fn a_refresh_of_the_official_cli_while_a_login_asks_for_the_users_name_is_not_undone() {
    let asking = Asking::start(Layout::Accounts);
    let refresh = ["auth", "refresh", "--force"];
    CURRENT.run(&asking.machine, &refresh).run().success();
    assert_ne!(asking.sentry.current(), asking.pair);
    let (sentry, machine) = asking.ends();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    CURRENT.run(&machine, &refresh).run().success();
    machine.sentry(&refresh).run().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_refresh_of_the_official_cli_is_not_lost_to_the_names_of_a_login() {
    // The official CLI compares the row with the posted pair, and discards its grant if the row has changed.
    let asking = Asking::start(Layout::Accounts);
    asking.sentry.fault(Endpoint::Refresh, Fault::Held);
    let refresh = ["auth", "refresh", "--force"];
    let theirs = CURRENT.run(&asking.machine, &refresh).spawn();
    asking.sentry.wait_for_requests(Endpoint::Refresh, 1, SOON);
    until("their request is granted", SOON, || {
        asking.sentry.refreshes() == 1
    });
    let Asking {
        sentry,
        machine,
        login,
        ..
    } = asking;
    sentry.release_first();
    login.wait().success();
    sentry.wait_for_held(SOON);
    sentry.release();
    theirs.wait().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_login_whose_names_the_database_does_not_take_is_a_login() {
    let asking = Asking::start(Layout::Accounts);
    let writer = asking.machine.database().unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Much less than the minute for which storing a grant is attempted.
    let Asking {
        sentry,
        machine,
        login,
        pair,
    } = asking;
    sentry.release();
    login.wait().success();
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(machine.stored_tokens(), Some(pair));
}

/// Another holder of a resource that a commit needs, for longer than the attempts last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Database,
    Lock,
}

/// A granted login that cannot be stored for a minute; for a former login there is a recovery file already.
fn kept(busy: Busy, signal: Option<Signal>, before: Option<Age>) -> (FakeSentry, Sandbox, Output) {
    let (sentry, machine) = Machine::new().parts();
    let former = before.map(|age| {
        let pair = sentry.issue();
        machine.seed_session(&sentry, &pair, age);
        pair
    });
    let mut login = machine.sentry(&["auth", "login", "--force"]).spawn();
    let code = sentry.wait_for_code(SOON);
    let writer = machine.database().unwrap();
    let holder = match busy {
        Busy::Lock => Some(holder_of(&machine, "credential.lock")),
        Busy::Database => {
            writer.execute_batch("BEGIN IMMEDIATE").unwrap();
            None
        }
    };
    let (sentry, machine) = match former {
        Some(pair) => {
            let scene = Machine::of(sentry, machine, pair);
            let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
            scene.keep_aside(&new);
            (scene.sentry, scene.sandbox)
        }
        None => (sentry, machine),
    };
    sentry.fault(Endpoint::Poll, Fault::Held);
    sentry.approve(&code);
    sentry.wait_for_held(SOON);
    sentry.release();
    if let Some(signal) = signal {
        // The answer has arrived, which only the time shows from outside.
        thread::sleep(Duration::from_secs(2));
        login.signal(signal);
    }
    let told = login.wait();
    drop((writer, holder));
    (sentry, machine, told)
}

#[test]
fn a_login_that_cannot_be_stored_for_a_minute_waits_beside_the_database_and_is_imported() {
    let cases = [
        (Busy::Database, None, None),
        (Busy::Database, Some(Signal::INT), Some(Age::EXPIRED)),
        (Busy::Lock, None, None),
        (Busy::Database, None, None),
    ];
    // All at once, because each takes a minute.
    let [first, second, third, last] = thread::scope(|threads| {
        cases
            .map(|(busy, signal, before)| threads.spawn(move || kept(busy, signal, before)))
            .map(|login| login.join().expect("a login"))
    });
    for (code, (sentry, machine, told)) in [(1, first), (130, second), (1, third)] {
        let current = sentry.current();
        told.fails(code)
            .stdout_is("")
            .never_says(&current.access)
            .never_says(&current.refresh)
            .stderr_has("the login was approved, but its token could not be stored")
            .stderr_has("credential.recovery")
            .stderr_has("; the next command imports it once the database can be written");
        let request = format!("protocol=http\nhost={}\n", sentry.address());
        let get = machine.git_credential("get").stdin(request);
        get.run().success().stdout_has(&current.access);
        assert_eq!(machine.stored_tokens(), Some(current));
        let mut names = names(&machine.config_dir());
        names.retain(|name| name.contains("recovery"));
        assert_eq!(names, Vec::<String>::new());
        let refresh = machine.sentry(&["auth", "refresh", "--force"]);
        refresh.run().success();
        for lock in ["login.lock", "credential.lock"] {
            let lock = machine.config_dir().join(lock);
            let flock = machine.command("flock").arg("--nonblock").arg(lock);
            flock.arg("true").run().success();
        }
    }
    // A logout ends it like any other login.
    let (sentry, machine, told) = last;
    told.fails(1);
    machine.sentry(&["auth", "logout"]).run().success();
    let current = sentry.current();
    for secret in [&current.access, &current.refresh] {
        let found = files_with(&machine.config_dir(), secret);
        assert_eq!(found, Vec::<String>::new());
    }
    assert_eq!(machine.stored_row(), None);
}
