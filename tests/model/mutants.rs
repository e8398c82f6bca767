//! Mutants of the protocol, with one line changed each: the model must detect every one.
//!
//! Each mutant is built by `rustc` from a copy of the flows and of this checker, and searches one world.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use crate::promises::events::Event;

struct Mutant {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    world: &'static str,
    noticed: Event,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        what: "the pause after a lost answer outlasts the grace",
        file: "exchange.rs",
        from: "_ => At::Pausing(Pause::Short, Intent::Stays, Obstacle::AnswerLost),",
        to: "_ => At::Pausing(Pause::Long, Intent::Stays, Obstacle::AnswerLost),",
        world: "two lost answers",
        noticed: Event::PauseOutlastsTheGrace,
    },
    Mutant {
        what: "a pair is not sent again at once when its answer was lost",
        file: "exchange.rs",
        from: "_ if !self.resent => {",
        to: "_ if self.resent => {",
        world: "one lost answer",
        noticed: Event::NobodyCameWithinTheGrace,
    },
    Mutant {
        what: "a caller whose worker is silent says that the session has ended",
        file: "transitions.rs",
        from: "(At::Delegating(_), Saw::WorkerSilent) => stale(Obstacle::WorkerSilent),",
        to: "(At::Delegating(_), Saw::WorkerSilent) => ended(LoginReason::Rejected),",
        world: "slow answers",
        noticed: Event::SaysEndedThoughALivingPairIsThere,
    },
    Mutant {
        what: "a pair is rejected without waiting for what another program may store",
        file: "exchange.rs",
        from: "Saw::InvalidGrant | Saw::InvalidClient | Saw::NoClient => At::Settling(pair, client),",
        to: "Saw::InvalidGrant | Saw::InvalidClient | Saw::NoClient => At::Rejecting(pair),",
        world: "0.49 refreshes",
        noticed: Event::SaysEndedThoughALivingPairIsThere,
    },
    Mutant {
        what: "a row without tokens is not waited for",
        file: "flow.rs",
        from: "None => At::Locking(WaitLimit::Long),",
        to: "None => ended(LoginReason::Cleared),",
        world: "0.49 refreshes",
        noticed: Event::SaysEndedThoughALivingPairIsThere,
    },
    Mutant {
        what: "a row that was cleared after the refresh is not waited for",
        file: "transitions.rs",
        from: "                At::Locking(WaitLimit::Long)\n",
        to: "                ended(LoginReason::Cleared)\n",
        world: "0.49 refreshes",
        noticed: Event::SaysEndedThoughALivingPairIsThere,
    },
    Mutant {
        what: "a request that was not sent takes back an intent that was found",
        file: "exchange.rs",
        from: "match self.interrupted || self.resent {",
        to: "match self.resent {",
        world: "the second guess is right, a kill, no network",
        noticed: Event::SpentPairWithoutIntent,
    },
    Mutant {
        what: "a request that was not sent takes back the intent of the one before it",
        file: "exchange.rs",
        from: "match self.interrupted || self.resent {",
        to: "match self.interrupted {",
        world: "a lost answer and no network",
        noticed: Event::SpentPairWithoutIntent,
    },
    Mutant {
        what: "a login that the database does not take is dropped",
        file: "transitions.rs",
        from: "(At::Storing(new), _) => At::Keeping { old: None, new },",
        to: "(At::Storing(_), _) => At::Concluded(Conclusion::Unavailable(Obstacle::Store)),",
        world: "a database that is away, and a login",
        noticed: Event::Dropped,
    },
    Mutant {
        what: "a login that does not get the lock is dropped",
        file: "transitions.rs",
        from: "Task::Login(new) => At::Keeping { old: None, new },",
        to: "Task::Login(_) => At::Concluded(Conclusion::Unavailable(reason)),",
        world: "a process that is stopped permanently",
        noticed: Event::Dropped,
    },
    Mutant {
        what: "a lost refresh is called a rejection",
        file: "transitions.rs",
        from: "if self.interrupted || self.resent => {\n                ended(LoginReason::Interrupted)",
        to: "if false => {\n                ended(LoginReason::Interrupted)",
        world: "one lost answer",
        noticed: Event::SaysRejectedThoughInterrupted,
    },
    Mutant {
        what: "a session is called ended though its row could not be looked at",
        file: "transitions.rs",
        from: "(At::Rejecting(_), Saw::Refused) => stale(Obstacle::Unreadable),",
        to: "",
        world: "0.49 is killed, it logs in, the database is away",
        noticed: Event::SaysEndedThoughALivingPairIsThere,
    },
    Mutant {
        what: "a caller asks about a suspect token itself",
        file: "transitions.rs",
        from: "Role::Caller => At::Delegating(row),",
        to: "Role::Caller if row.access != Access::Suspect => At::Delegating(row),\nRole::Caller => self.begun(row),",
        world: "a token that a host refused",
        noticed: Event::RequestByCaller,
    },
    Mutant {
        what: "waiting for the lock has no end",
        file: "transitions.rs",
        from: "(At::Waiting(_), _) => self.without_lock(Obstacle::Contended),",
        to: "(At::Waiting(wait_limit), _) => At::Locking(wait_limit),",
        world: "processes that are stopped, some permanently",
        noticed: Event::Endless,
    },
    Mutant {
        what: "what is read under the lock is not judged again",
        file: "transitions.rs",
        from: "if !self.is_due(&row) {",
        to: "if false {",
        world: "four helpers",
        noticed: Event::FreshPairPosted,
    },
    Mutant {
        what: "going on without the lock",
        file: "transitions.rs",
        from: "Task::Refresh(_) => stale(reason),",
        to: "Task::Refresh(_) => At::Importing,",
        world: "processes that are stopped, some permanently",
        noticed: Event::PostedWithoutLock,
    },
    Mutant {
        what: "no intent",
        file: "exchange.rs",
        from: "ClientId::Recorded => At::Intending(pair, Candidate::Recorded),",
        to: "ClientId::Recorded => At::Posting(pair, Candidate::Recorded),",
        world: "one lost answer",
        noticed: Event::PostedWithoutIntent,
    },
    Mutant {
        what: "a pause is not kept",
        file: "transitions.rs",
        from: "if row.paused && self.task != Task::Refresh(Goal::Refresh) {",
        to: "if false {",
        world: "an error for an answer",
        noticed: Event::PostedDuringAPause,
    },
    Mutant {
        what: "no recovery file",
        file: "transitions.rs",
        from: "(At::Swapping { old, new }, _) => At::Keeping {\n                old: Some(old),\n                new,\n            },",
        to: "(At::Swapping { .. }, _) => stale(Obstacle::Store),",
        world: "a database that is away",
        noticed: Event::Dropped,
    },
    Mutant {
        what: "a swap does not compare",
        file: "step.rs",
        from: "Some(Some(_)) => Swap::Superseded,",
        to: "Some(Some(_)) => Swap::Stored,",
        world: "it logs in and out",
        noticed: Event::OlderTokensOverNewer,
    },
    Mutant {
        what: "a swap passes over a row without tokens",
        file: "step.rs",
        from: "Some(None) => Swap::Stored,",
        to: "Some(None) => Swap::Superseded,",
        world: "0.49 refreshes",
        noticed: Event::Dropped,
    },
    Mutant {
        what: "a swap revives a session",
        file: "step.rs",
        from: "None => Swap::Gone,",
        to: "None => Swap::Stored,",
        world: "it logs in and out",
        noticed: Event::BackAfterLogout,
    },
];

#[test]
fn every_mutant_is_noticed() {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut unnoticed = Vec::new();
        while let Some(mutant) = MUTANTS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let said = mutant.run();
            if !said.contains(&format!("unexpected {:?}", mutant.noticed)) {
                unnoticed.push(format!("{}:\n{said}", mutant.what));
            }
        }
        unnoticed
    };
    let unnoticed = thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.flatten().collect::<Vec<_>>()
    });
    assert!(
        unnoticed.is_empty(),
        "not noticed: {}",
        unnoticed.join("\n")
    );
    println!("{} mutants", MUTANTS.len());
}

impl Mutant {
    /// Builds it and searches its world; the answer is what it printed.
    fn run(&self) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let name = self.what.replace(' ', "-");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("mutants")
            .join(name);
        for part in ["tests/model", "src/session/protocol"] {
            copy(&root.join(part), &dir.join(part));
        }
        let file = dir.join("src/session/protocol").join(self.file);
        let text = fs::read_to_string(&file).unwrap();
        let count = text.matches(self.from).count();
        assert_eq!(count, 1, "{}: {} has `{}`", self.what, self.file, self.from);
        fs::write(&file, text.replace(self.from, self.to)).unwrap();

        let program = dir.join("model");
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let built = Command::new(rustc)
            .args([
                "--edition",
                "2024",
                "--cap-lints",
                "allow",
                "-C",
                "debuginfo=0",
                "-o",
            ])
            .args([&program, &dir.join("tests/model/main.rs")])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{}: {errors}", self.what);
        let ran = Command::new(&program).arg(self.world).output().unwrap();
        fs::remove_dir_all(&dir).unwrap();
        String::from_utf8(ran.stdout).unwrap()
    }
}

/// A directory and what is below it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}
