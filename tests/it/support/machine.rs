//! The fixture of most tests: a machine, its Sentry, and a session of some age.
//!
//! Separate from `sandbox`, which knows no server, and from `fake_sentry`, which knows no machine:
//! `Machine::new().session(Age::STALE).bound_to("r.example")`.

use std::ffi::OsStr;

use crate::fake_sentry::{CLIENT_ID, FakeSentry, Pair};
use crate::sandbox::{Age, Layout, Sandbox};

/// A machine whose variables name a running Sentry.
pub struct Machine {
    pub sentry: FakeSentry,
    pub sandbox: Sandbox,
    /// The pair that is stored at first; empty without a session.
    pub pair: Pair,
    layout: Layout,
}

impl Machine {
    /// Without a session; a login polls each second.
    pub fn new() -> Machine {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        let sandbox = Sandbox::new().for_sentry(&sentry);
        let none = Pair {
            access: String::new(),
            refresh: String::new(),
        };
        Machine::of(sentry, sandbox, none)
    }

    /// A machine that a test has prepared itself, with the stored pair.
    pub fn of(sentry: FakeSentry, sandbox: Sandbox, pair: Pair) -> Machine {
        Machine {
            sentry,
            sandbox,
            pair,
            layout: Layout::Accounts,
        }
    }

    /// A session that follows is stored in this layout.
    #[must_use]
    pub fn in_layout(self, layout: Layout) -> Machine {
        Machine { layout, ..self }
    }

    /// A session of this age, as the official CLI stores it: without its OAuth client.
    #[must_use]
    pub fn session(self, age: Age) -> Machine {
        let pair = self.sentry.issue();
        self.sandbox
            .seed_session_in(self.layout, &self.sentry, &pair, age);
        Machine { pair, ..self }
    }

    /// The same after a login by this program: its OAuth client is recorded.
    #[must_use]
    pub fn login(self, age: Age) -> Machine {
        let machine = self.session(age);
        machine.sandbox.remember_client(CLIENT_ID);
        machine
    }

    /// The database is in rollback mode, as a CLI on Node before 22.15 leaves it.
    #[must_use]
    pub fn in_rollback_mode(self) -> Machine {
        let store = self.sandbox.database().expect("a store");
        let sql = "PRAGMA journal_mode = DELETE";
        let mode: String = store.query_row(sql, [], |row| row.get(0)).expect("a mode");
        assert_eq!(mode, "delete");
        drop(store);
        self
    }

    /// A host is bound to the instance, for git and for docker.
    #[must_use]
    pub fn bound_to(self, host: &str) -> Machine {
        for server in [format!("git https://{host}"), format!("docker {host}")] {
            self.sandbox.bind(&server, &self.sentry.url(), None);
        }
        self
    }

    /// A variable of all its commands.
    #[must_use]
    pub fn env(self, name: &str, value: impl AsRef<OsStr>) -> Machine {
        Machine {
            sandbox: self.sandbox.env(name, value),
            ..self
        }
    }

    /// The server and the machine, for a test that needs each by its own name.
    pub fn parts(self) -> (FakeSentry, Sandbox) {
        (self.sentry, self.sandbox)
    }
}
