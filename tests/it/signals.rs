//! SIGINT, SIGTERM, SIGHUP and SIGQUIT in each phase of a refresh and of a login: a token that the server has granted
//! is on disk before a signal takes effect, and no lock outlives the process.
//!
//! `SIGNAL_ROUNDS` repeats the fetches that are interrupted at random moments, `SIGNAL_SEED` repeats the moments.

use crate::machine::Machine;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry, Fault};
use crate::git_server::{Challenge, GitServer};
use crate::replay::Writers;
use crate::sandbox::{Age, Sandbox};
use crate::service::tool;
use crate::storage::holder_of;

const SOON: Duration = Duration::from_secs(20);

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// How a process ends that handles the signal: with the exit code of shells for Ctrl-C, else killed by it.
fn ending(signal: Signal) -> i32 {
    match signal {
        Signal::INT => 130,
        other => -other.as_raw(),
    }
}

#[track_caller]
fn nobody_holds(machine: &Sandbox, lock: &str) {
    machine
        .command("flock")
        .arg("--nonblock")
        .arg(machine.config_dir().join(lock))
        .arg("true")
        .run()
        .success();
}

#[test]
fn a_signal_while_the_server_works_waits_for_the_commit() {
    for signal in SIGNALS {
        let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
        sentry.fault(Endpoint::Refresh, Fault::Held);
        let mut token = machine.sentry(&["auth", "token"]).spawn();
        sentry.wait_for_held(SOON);
        // An impatient user: three signals have the effect of one.
        for _ in 0..3 {
            token.signal(signal);
        }
        sentry.release();
        token.wait().fails(ending(signal)).stdout_is("");
        assert_eq!(
            machine.stored_tokens(),
            Some(sentry.current()),
            "{signal:?}"
        );
        nobody_holds(&machine, "credential.lock");
        machine.sentry(&["auth", "token"]).run().success();
        assert_eq!(sentry.refresh_attempts(), 1);
    }
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    for signal in SIGNALS {
        let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
        sentry.fault(Endpoint::Refresh, Fault::Held);
        let ignore = format!("--ignore-signal={}", signal.as_raw());
        let token = machine.sentry(&["auth", "token"]);
        let mut token = token.under(tool("env"), &[&ignore]).spawn();
        sentry.wait_for_held(SOON);
        token.signal(signal);
        sentry.release();
        let ended = token.wait().success();
        ended.stdout_has(&sentry.current().access);
    }
}

#[test]
fn a_signal_while_the_database_is_busy_waits_for_the_commit() {
    for signal in SIGNALS {
        let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
        sentry.fault(Endpoint::Refresh, Fault::Held);
        let mut token = machine.sentry(&["auth", "token"]).spawn();
        sentry.wait_for_held(SOON);
        let database = machine.database().unwrap();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        sentry.release();
        token.signal(signal);
        assert!(token.is_running());
        database.execute_batch("ROLLBACK").unwrap();
        token.wait().fails(ending(signal));
        assert_eq!(
            machine.stored_tokens(),
            Some(sentry.current()),
            "{signal:?}"
        );
    }
}

#[test]
fn a_signal_before_the_request_ends_a_refresh_at_once_and_changes_nothing() {
    for signal in SIGNALS {
        let Machine {
            sentry,
            sandbox: machine,
            pair,
            ..
        } = Machine::new().session(Age::EXPIRED);
        let holder = holder_of(&machine, "credential.lock");
        let token = machine.sentry(&["auth", "token"]);
        let mut token = token.env("SENTRY_CREDENTIAL_TRACE", "1").spawn();
        token.wait_for_stderr("is stale: Expired");
        token.signal(signal);
        // No handler is installed yet: a shell reports this as 130 too.
        token.wait().fails(-signal.as_raw());
        drop(holder);
        assert_eq!(sentry.requests().len(), 0);
        assert_eq!(machine.stored_tokens(), Some(pair));
        machine.sentry(&["auth", "token"]).run().success();
    }
}

#[test]
fn a_signal_while_a_rejected_session_is_read_again_leaves_the_row_unchanged() {
    for signal in SIGNALS {
        let Machine {
            sentry,
            sandbox: machine,
            pair,
            ..
        } = Machine::new().session(Age::EXPIRED);
        machine.remember_client(CLIENT_ID);
        sentry.revoke_family(&pair.refresh);
        let mut token = machine.sentry(&["auth", "token"]).spawn();
        sentry.wait_for_requests(Endpoint::Refresh, 1, SOON);
        token.signal(signal);
        token.wait().fails(ending(signal));
        assert_eq!(machine.stored_tokens(), Some(pair), "{signal:?}");
        // The rejection by the server is recorded.
        machine.sentry(&["auth", "token"]).run().fails(1);
        assert_eq!(sentry.refresh_attempts(), 1, "{signal:?}");
    }
}

#[test]
fn a_signal_while_a_login_waits_for_its_user_stores_nothing_and_frees_its_locks() {
    for signal in SIGNALS {
        let (sentry, machine) = Machine::new().parts();
        let mut login = machine.sentry(&["auth", "login"]).spawn();
        let code = sentry.wait_for_code(SOON);
        sentry.wait_for_requests(Endpoint::Poll, 1, SOON);
        login.signal(signal);
        let told = login.wait().fails(ending(signal)).stdout_is("");
        told.stderr_has("login cancelled; nothing was stored\n");
        assert_eq!(machine.stored_tokens(), None);
        for lock in ["login.lock", "credential.lock"] {
            nobody_holds(&machine, lock);
        }
        // A late approval creates no session.
        sentry.approve(&code);
        sentry.approve_next();
        machine.sentry(&["auth", "login"]).run().success();
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    }
}

#[test]
fn a_signal_before_there_is_a_code_cancels_a_login() {
    for signal in SIGNALS {
        let sentry = FakeSentry::start();
        sentry.fault(Endpoint::DeviceCode, Fault::Hang);
        let machine = Sandbox::new().for_sentry(&sentry);
        let mut login = machine.sentry(&["auth", "login"]).spawn();
        sentry.wait_for_requests(Endpoint::DeviceCode, 1, SOON);
        login.signal(signal);
        let told = login.wait().fails(ending(signal)).stdout_is("");
        told.stderr_has("login cancelled; nothing was stored\n");
        nobody_holds(&machine, "login.lock");
    }
}

#[test]
fn a_signal_to_a_login_that_waits_for_another_one_cancels_it() {
    for signal in SIGNALS {
        let Machine {
            sentry,
            sandbox: machine,
            pair,
            ..
        } = Machine::new().session(Age::EXPIRED);
        let _other = holder_of(&machine, "login.lock");
        let mut login = machine.sentry(&["auth", "login", "--force"]).spawn();
        login.wait_for_stderr("another login to ");
        login.signal(signal);
        let told = login.wait().fails(ending(signal)).stdout_is("");
        told.stderr_has("login cancelled; nothing was stored\n");
        assert_eq!(sentry.requests().len(), 0);
        assert_eq!(machine.stored_tokens(), Some(pair));
    }
}

#[test]
fn a_signal_after_the_approval_waits_for_the_commit_of_a_login() {
    for signal in SIGNALS {
        let (sentry, machine) = Machine::new().parts();
        let mut login = machine.sentry(&["auth", "login"]).spawn();
        let code = sentry.wait_for_code(SOON);
        let holder = holder_of(&machine, "credential.lock");
        sentry.fault(Endpoint::Poll, Fault::Held);
        sentry.approve(&code);
        sentry.wait_for_held(SOON);
        sentry.release();
        login.signal(signal);
        drop(holder);
        let ended = login.wait().fails(ending(signal));
        // Whether the signal or the answer came first, the message agrees with the store.
        let cancelled = ended.stderr.contains("nothing was stored");
        match machine.stored_tokens() {
            Some(stored) => assert!(stored == sentry.current() && !cancelled, "{ended:?}"),
            None => assert!(cancelled, "{ended:?}"),
        }
    }
}

#[test]
fn a_signal_after_the_commit_of_a_login_does_not_say_that_nothing_was_stored() {
    for signal in SIGNALS {
        let (sentry, machine) = Machine::new().parts();
        sentry.approve_next();
        sentry.fault(Endpoint::Api, Fault::Hang);
        let mut login = machine.sentry(&["auth", "login"]).spawn();
        sentry.wait_for_requests(Endpoint::Api, 1, SOON);
        login.signal(signal);
        let ended = login.wait().fails(ending(signal)).stdout_is("");
        assert!(!ended.stderr.contains("nothing was stored"), "{ended:?}");
        ended.stderr_has("interrupted; the login itself is stored\n");
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
        machine.sentry(&["auth", "token"]).run().success();
    }
}

/// A random number from 0 to below `bound`; `state` is that of the generator.
pub fn random(state: &mut u64, bound: u64) -> u64 {
    // Knuth's MMIX generator; its high bits are good.
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % bound
}

/// A number from the environment: the rounds, or the seed.
pub fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_signal_at_any_moment_of_a_fetch_leaves_the_session_alive() {
    let seed: u64 = variable("SIGNAL_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    });
    let rounds: usize = variable("SIGNAL_ROUNDS").unwrap_or(5);
    let mut state = seed;
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("GIT_TERMINAL_PROMPT", "0")
        .traced();
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    machine.bind(
        &format!("git http://{}", server.host()),
        &sentry.url(),
        None,
    );
    let clone_to = |name: &str| {
        let clone = machine
            .command("git")
            .args(["clone", "--quiet", &server.url(), name]);
        clone.run().success();
    };
    clone_to("demo");
    let clone = machine.home().join("demo");
    let fetch = || {
        machine
            .command("git")
            .args(["fetch", "--quiet"])
            .current_dir(&clone)
    };
    let expire = || {
        let expired = "UPDATE accounts SET expires_at = 1000";
        machine.database().unwrap().execute(expired, []).unwrap();
    };
    sentry.fault_always(Endpoint::Refresh, Fault::Delay(Duration::from_millis(50)));
    // The duration without interference.
    expire();
    let start = Instant::now();
    fetch().run().success();
    let whole = u64::try_from(start.elapsed().as_micros()).unwrap();
    let (mut interrupted, mut refreshed) = (0, 0);
    for round in 0..rounds {
        expire();
        server.commit();
        let signal = SIGNALS[usize::try_from(random(&mut state, 3)).unwrap()];
        let moment = Duration::from_micros(random(&mut state, whole));
        let before = sentry.refreshes();
        let fetching = fetch().spawn();
        thread::sleep(moment);
        // To the whole process group, as the terminal does it; it may have ended by now.
        let sent = rustix::process::kill_process_group(fetching.pid(), signal);
        let ended = fetching.wait();
        interrupted += usize::from(sent.is_ok() && ended.code != 0);
        refreshed += usize::from(sentry.refreshes() > before);
        let case = format!("SIGNAL_SEED={seed}, round {round}: {signal:?} after {moment:?}");
        // The next command waits for the lock, and so for a commit in progress.
        let token = machine.sentry(&["auth", "token"]).run();
        assert_eq!(token.code, 0, "{case}: {token:?}");
        assert_eq!(machine.stored_tokens(), Some(sentry.current()), "{case}");
        assert!(sentry.is_valid(&sentry.current_access()), "{case}");
    }
    // In the first one, git can have left a lock of its own behind.
    clone_to("again");
    machine.replays(Writers::Traced, &format!("SIGNAL_SEED={seed}"));
    let report = format!(
        "SIGNAL_SEED={seed}: {rounds} fetches, {interrupted} ended by their signal, {refreshed} with a refresh under way\n"
    );
    std::io::stdout().write_all(report.as_bytes()).unwrap();
}
