//! A refresh that is killed, or that meets an error, at the k-th call of each relevant system call.
//!
//! In every case the database is intact and holds either the old pair or the new one, never a mixture; and the next run
//! either works or reports that the server's answer was lost. The table of outcomes is printed (`cargo test --test it
//! kill_matrix -- --nocapture`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fake_sentry::{CLIENT_ID, FakeSentry, Pair};
use crate::replay::Writers;
use crate::sandbox::{Age, Sandbox};
use crate::service::tool;

const CALLS: [&str; 11] = [
    "openat",
    "flock",
    "connect",
    "sendto",
    "recvfrom",
    "pwrite64",
    "fdatasync",
    "fsync",
    "ftruncate",
    "unlink",
    "write",
];

/// More calls than a refresh makes; reaching it means that the run never survives.
const MANY: usize = 200;

struct Scene<'a> {
    sentry: &'a FakeSentry,
    machine: Sandbox,
    old: Pair,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// Nothing was spent.
    OldAlive,
    /// The server rotated, and its answer never reached the disk.
    OldSpent,
    New,
}

impl Scene<'_> {
    fn new(sentry: &FakeSentry) -> Scene<'_> {
        let machine = Sandbox::new().for_sentry(sentry).traced();
        let old = sentry.issue();
        machine.seed_session(sentry, &old, Age::EXPIRED);
        machine.remember_client(CLIENT_ID);
        Scene {
            sentry,
            machine,
            old,
        }
    }

    /// Refreshes with a fault injected; whether the run succeeded.
    fn refresh(&self, call: &str, injection: &str) -> bool {
        let injection = format!("inject={call}:{injection}");
        let strace = self
            .machine
            .command(tool("strace"))
            .args(["-f", "-qq", "-o", "/dev/null"]);
        let strace = strace.args(["-e", &format!("trace={call}"), "-e", &injection]);
        strace
            .args(["sentry", "auth", "refresh", "--force"])
            .run()
            .code
            == 0
    }

    #[track_caller]
    fn found(&self, case: &str) -> Found {
        let database = self.machine.database().unwrap();
        let sound: String = database
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok", "{case}");
        let stored = self.machine.stored_tokens();
        match self.sentry.is_refreshable(&self.old.refresh) {
            true => {
                assert_eq!(stored.as_ref(), Some(&self.old), "{case}");
                Found::OldAlive
            }
            false if stored.as_ref() == Some(&self.old) => Found::OldSpent,
            false => {
                assert_eq!(stored, Some(self.sentry.current()), "{case}");
                Found::New
            }
        }
    }

    /// The outcome of the next run; both follow the model.
    #[track_caller]
    fn next_run(&self, found: Found, case: &str) {
        self.goes_on(found, case);
        self.machine.replays(Writers::Traced, case);
    }

    #[track_caller]
    fn goes_on(&self, found: Found, case: &str) {
        let next = self.machine.sentry(&["auth", "refresh", "--force"]).run();
        // A request that was sent before the kill may be served after we looked.
        if next.code == 0 {
            assert_ne!(found, Found::OldSpent, "{case}");
            assert_eq!(
                self.machine.stored_tokens(),
                Some(self.sentry.current()),
                "{case}"
            );
        } else {
            assert_ne!(found, Found::New, "{case}: {}", next.stderr);
            assert!(
                !self.sentry.is_refreshable(&self.old.refresh),
                "{case}: {}",
                next.stderr
            );
            assert!(
                next.stderr
                    .contains("perhaps because a refresh that began at "),
                "{case}: {}",
                next.stderr
            );
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_kill_at_any_call_leaves_the_old_pair_or_the_new_one() {
    let mut table = String::from("killed at    old alive   old spent   new\n");
    for call in CALLS {
        let sentry = FakeSentry::start();
        let mut outcomes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let survived = (1..MANY).find(|when| {
            let case = format!("killed at {call} #{when}");
            let scene = Scene::new(&sentry);
            if scene.refresh(call, &format!("signal=KILL:when={when}")) {
                return true;
            }
            let found = scene.found(&case);
            let name = match found {
                Found::OldAlive => "old",
                Found::OldSpent => "spent",
                Found::New => "new",
            };
            outcomes.entry(name).or_default().push(*when);
            scene.next_run(found, &case);
            false
        });
        assert!(survived.is_some(), "no run survived {call}");
        let count = |name: &str| outcomes.get(name).map_or(0, Vec::len);
        writeln!(
            table,
            "{call:<12} {:>9}   {:>9}   {:>3}",
            count("old"),
            count("spent"),
            count("new")
        )
        .unwrap();
    }
    std::io::Write::write_all(&mut std::io::stdout(), table.as_bytes()).unwrap();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn one_error_at_any_call_never_mixes_the_pairs() {
    let cases = [
        ("pwrite64", "ENOSPC"),
        ("pwrite64", "EIO"),
        ("fdatasync", "EIO"),
        ("ftruncate", "EIO"),
        ("openat", "EMFILE"),
        ("flock", "EINTR"),
        ("recvfrom", "EINTR"),
        ("sendto", "EINTR"),
        ("connect", "ECONNREFUSED"),
    ];
    for (call, error) in cases {
        let sentry = FakeSentry::start();
        // A lost answer (an error in `recvfrom`) is the one that may cost the session, and it says so.
        for when in 1..=6 {
            let case = format!("{error} at {call} #{when}");
            let scene = Scene::new(&sentry);
            scene.refresh(call, &format!("error={error}:when={when}"));
            let found = scene.found(&case);
            assert_ne!(found, Found::OldSpent, "{case}");
            scene.next_run(found, &case);
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn without_file_locks_valid_tokens_are_served_and_nothing_is_refreshed() {
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let sentry = FakeSentry::start();
        let scene = Scene::new(&sentry);
        assert!(!scene.refresh("flock", &format!("error={error}:when=1+")));
        assert_eq!(sentry.refresh_attempts(), 0, "{error}");
        assert_eq!(scene.found(error), Found::OldAlive);
    }
}
