//! A private home directory for the programs under test: nothing of the developer's environment enters, nothing is left
//! behind.

mod command;
mod output;
mod store;

pub use command::{Cmd, Running};
#[allow(
    unused_imports,
    reason = "a test names what it is given only when it passes it on"
)]
pub use output::Output;
pub(crate) use output::exit_code;
#[allow(unused_imports, reason = "as above")]
pub use store::{Age, Layout, StoredRow};

use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::replay::{Summary, Writers, replay};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary directory with a private HOME and the environment of every command; removed on drop.
pub struct Sandbox {
    root: TempDir,
    env: BTreeMap<OsString, OsString>,
}

impl Sandbox {
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("sentry-credential-")
            .tempdir()
            .expect("a temporary directory");
        let home = root.path().join("home");
        fs::create_dir(&home).expect("a new directory");
        let runtime = root.path().join("run");
        let programs = Path::new(env!("CARGO_BIN_EXE_sentry"))
            .parent()
            .expect("a program lies in a directory");
        let path = [
            programs.as_os_str(),
            OsStr::new("/usr/local/bin:/usr/bin:/bin"),
        ]
        .join(OsStr::new(":"));
        let sandbox = Self {
            root,
            env: BTreeMap::new(),
        };
        sandbox
            .env("HOME", &home)
            .env("PATH", path)
            .env("TERM", "dumb")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            // Without it podman and its kin share a file in `/run` with the developer's.
            .env("XDG_RUNTIME_DIR", runtime)
    }

    /// Sets `SENTRY_URL` and `SENTRY_CLIENT_ID` for all commands to come.
    #[must_use]
    pub fn for_sentry(self, sentry: &FakeSentry) -> Self {
        self.env("SENTRY_URL", sentry.url())
            .env("SENTRY_CLIENT_ID", CLIENT_ID)
    }

    /// Sets a variable for all commands to come.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    pub fn sentry(&self, args: &[&str]) -> Cmd {
        self.command(env!("CARGO_BIN_EXE_sentry")).args(args)
    }

    pub fn git_credential(&self, operation: &str) -> Cmd {
        self.command(env!("CARGO_BIN_EXE_git-credential-sentry"))
            .arg(operation)
    }

    pub fn docker_credential(&self, operation: &str) -> Cmd {
        self.command(env!("CARGO_BIN_EXE_docker-credential-sentry"))
            .arg(operation)
    }

    /// Sets a file that all commands to come trace to; see [`Sandbox::replays`].
    #[must_use]
    pub fn traced(self) -> Self {
        let trace = self.trace();
        self.env("SENTRY_CREDENTIAL_TRACE", trace)
    }

    fn trace(&self) -> PathBuf {
        self.root().join("flows")
    }

    /// Replays what was traced through the flows and the world of the model checker.
    #[track_caller]
    pub fn replays(&self, writers: Writers, case: &str) -> Summary {
        let trace = fs::read_to_string(self.trace()).expect("a trace");
        let replayed = replay(trace.lines(), writers);
        replayed.unwrap_or_else(|why| panic!("{case}: {why}\n{trace}"))
    }

    /// Any program, started in HOME; a bare name is looked up on the sandbox's PATH.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Cmd {
        Cmd::new(program.as_ref(), self.env.clone(), &self.home())
    }

    /// Copies a program. By a process of its own: a file that this one has open for writing, however shortly, cannot be
    /// executed, and every child of another test inherits it.
    #[track_caller]
    pub fn copy(&self, program: &str, to: &Path) {
        self.command("cp").arg(program).arg(to).run().success();
    }

    /// The directory that holds HOME and whatever else a test puts beside it.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// `$SENTRY_CONFIG_DIR` where the sandbox sets it, else `~/.sentry`.
    pub fn config_dir(&self) -> PathBuf {
        match self.env.get(OsStr::new("SENTRY_CONFIG_DIR")) {
            Some(directory) => directory.into(),
            None => self.home().join(".sentry"),
        }
    }

    pub fn db(&self) -> PathBuf {
        self.config_dir().join("cli.db")
    }
}
