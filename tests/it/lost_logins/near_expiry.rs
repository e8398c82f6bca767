//! Near expiry, while another process holds the lock: the current token is about to become invalid, so the command
//! waits for the new one, but not for long.

use std::time::{Duration, Instant};

use super::{SOON, waiting};
use crate::fake_sentry::{Endpoint, FakeSentry, Fault};
use crate::git_server::{Challenge, GitServer};
use crate::helpers::with_session;
use crate::machine::Machine;
use crate::sandbox::{Age, Output, Running};
use crate::service::tools;
use crate::signals::variable;
use crate::storage::holder_of;

/// `STAMPEDE_ROUNDS` repeats the races here, too.
fn rounds() -> usize {
    variable("STAMPEDE_ROUNDS").unwrap_or(1)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_get_near_expiry_waits_for_the_token_that_is_about_to_come() {
    let scene = Machine::new().session(Age::STALE);
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let first = scene.token().spawn();
    scene.sentry.wait_for_held(SOON);
    // The old token has expired by now.
    assert!(!scene.sentry.is_valid(&scene.pair.access));
    let others = scene
        .readers()
        .map(|reader| waiting(&scene.sandbox, reader));
    scene.sentry.release();
    let current = scene.sentry.current_access();
    for one in [first].into_iter().chain(others) {
        let served = one.wait().success().stderr_is("");
        served.stdout_has(&current);
    }
    assert_eq!(scene.sentry.refresh_attempts(), 1);
}

#[test]
fn a_get_near_expiry_waits_five_seconds_and_then_takes_the_token_that_there_is() {
    let scene = Machine::new().session(Age::STALE);
    let _holder = holder_of(&scene.sandbox, "credential.lock");
    let started = Instant::now();
    let readers = scene.readers().map(|reader| reader.spawn());
    for reader in readers {
        reader.wait().success().stdout_has(&scene.pair.access);
    }
    let took = started.elapsed();
    let limits = Duration::from_millis(4500)..Duration::from_secs(12);
    assert!(limits.contains(&took), "{took:?}");
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_get_near_expiry_uses_a_new_token_as_soon_as_it_is_stored() {
    let scene = Machine::new().session(Age::STALE);
    let mut holder = holder_of(&scene.sandbox, "credential.lock");
    let waiters = scene
        .readers()
        .map(|reader| waiting(&scene.sandbox, reader));
    let new = scene.sentry.issue();
    let theirs = "UPDATE accounts SET token = ?, refresh_token = ?, issued_at = unixepoch() * 1000, \
                  expires_at = (unixepoch() + 86400) * 1000";
    let stored = scene
        .database()
        .execute(theirs, [&new.access, &new.refresh]);
    assert_eq!(stored, Ok(1));
    for waiter in waiters {
        waiter.wait().success().stdout_has(&new.access);
    }
    assert!(holder.is_running());
    assert_eq!(scene.sentry.requests().len(), 0);
}

/// The server invalidates the old token at once, and answers late.
const SLOW: Fault = Fault::SlowGrant(Duration::from_millis(300));

#[test]
fn eight_gets_near_expiry_cost_one_refresh_and_all_get_the_new_token() {
    for round in 0..rounds() {
        let scene = Machine::new().session(Age::STALE);
        scene.sentry.fault(Endpoint::Refresh, SLOW);
        let one = |index: usize| match index % 2 {
            0 => scene.git_get().spawn(),
            _ => scene.docker_get().spawn(),
        };
        let crowd: Vec<Running> = (0..8).map(one).collect();
        let answers: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
        let current = scene.sentry.current_access();
        for answer in answers {
            answer.success().stderr_is("").stdout_has(&current);
        }
        assert_eq!(scene.sentry.refresh_attempts(), 1, "round {round}");
    }
}

#[test]
fn a_fetch_of_eight_remotes_near_expiry_fails_in_none() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        let server = GitServer::start(&sentry, Challenge::Basic);
        let machine = with_session(&sentry, Age::FRESH).env("GIT_TERMINAL_PROMPT", "0");
        crate::real_git::configure(&machine, &server);
        let in_home = |args: &[&str]| {
            let home = ["-C", "work"].iter().chain(args);
            machine.command(&git).args(home)
        };
        machine
            .command(&git)
            .args(["init", "--quiet", "work"])
            .run()
            .success();
        let remotes: Vec<String> = (1..=8).map(|number| format!("remote-{number}")).collect();
        for remote in &remotes {
            let added = in_home(&["remote", "add", remote, &server.url()]);
            added.run().success();
        }
        for round in 0..rounds() {
            // 3 % of a day are left.
            let soon = "UPDATE accounts SET issued_at = (unixepoch() - 83808) * 1000, \
                        expires_at = (unixepoch() + 2592) * 1000";
            machine.database().unwrap().execute(soon, []).unwrap();
            server.commit();
            sentry.fault(Endpoint::Refresh, SLOW);
            let fetch = in_home(&["fetch", "--quiet", "--multiple", "--jobs=8"]);
            fetch.args(&remotes).run().success();
            assert_eq!(sentry.refreshes(), round + 1);
            assert_eq!(machine.stored_tokens(), Some(sentry.current()));
            for remote in &remotes {
                let head = in_home(&["rev-parse", &format!("{remote}/main")]);
                assert_eq!(head.run().success().stdout.trim(), server.head());
            }
        }
    }
}
