//! A machine with Windows: a sandbox whose programs run under Wine.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Cmd, Output, Sandbox};

/// The directory with the programs, and what `.ci/windows` has built for the tests.
const PROGRAMS: &str = "SENTRY_CREDENTIAL_WINDOWS";

pub const SOON: Duration = Duration::from_secs(60);

pub struct Windows {
    pub sentry: FakeSentry,
    pub sandbox: Sandbox,
}

impl Windows {
    /// Without a session; a login polls each second.
    pub fn new() -> Windows {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        let sandbox = Sandbox::new().for_sentry(&sentry);
        let sandbox = sandbox
            .env("WINEPREFIX", variable("WINEPREFIX"))
            .env("WINEDEBUG", "-all");
        Windows { sentry, sandbox }
    }

    pub fn env(self, name: &str, value: &str) -> Windows {
        let sandbox = self.sandbox.env(name, value);
        Windows { sandbox, ..self }
    }

    /// Logged in by the program itself.
    pub fn logged_in(self) -> Windows {
        self.sentry.approve_next();
        self.sentry(&["auth", "login", "--no-browser"])
            .run()
            .success();
        self
    }

    pub fn sentry(&self, args: &[&str]) -> Cmd {
        self.program("sentry", args)
    }

    /// Sets docker up for the registry `r.example`.
    pub fn set_up_docker(&self) -> crate::sandbox::Output {
        let url = self.sentry.url();
        let words = ["auth", "setup-docker", "--registry", "r.example", "--url"];
        self.sentry(&[&words[..], &[&url]].concat()).run()
    }

    pub fn git_get(&self) -> Cmd {
        let request = format!("protocol=http\nhost={}\n\n", self.sentry.address());
        self.program("git-credential-sentry", &["get"])
            .stdin(request)
    }

    pub fn docker(&self, operation: &str, input: &str) -> Output {
        let helper = self.program("docker-credential-sentry", &[operation]);
        helper.stdin(input).run()
    }

    /// One of the programs. The store is where the sandbox has it, so that the test can look at it.
    pub fn program(&self, name: &str, args: &[&str]) -> Cmd {
        let store = on_windows(&self.sandbox.config_dir());
        self.bare(name, args).env("SENTRY_CONFIG_DIR", store)
    }

    /// The same with no variable that says where the store is.
    pub fn bare(&self, name: &str, args: &[&str]) -> Cmd {
        let program = programs().join(format!("{name}.exe"));
        self.sandbox.command("wine").arg(program).args(args)
    }

    /// The same, started by Windows' own shell after other commands, which change variables that Wine sets itself.
    pub fn after(&self, commands: &str, args: &str) -> Cmd {
        let sentry = on_windows(&programs().join("sentry.exe"));
        let line = format!("{commands}&& {sentry} {args}");
        self.sandbox.command("wine").args(["cmd", "/c", &line])
    }

    /// The stored access token expires.
    pub fn expires(&self) {
        let store = self.sandbox.database().unwrap();
        let sql = "UPDATE accounts SET expires_at = (unixepoch() - 60) * 1000";
        assert_eq!(store.execute(sql, []), Ok(1));
    }

    /// Waits until the pair that Sentry granted last is stored.
    #[track_caller]
    pub fn stores_the_current_pair(&self) {
        let deadline = Instant::now() + SOON;
        let current = self.sentry.current();
        while self.sandbox.stored_tokens().as_ref() != Some(&current) {
            assert!(Instant::now() < deadline, "the granted pair is not stored");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The directory with the programs.
pub fn programs() -> PathBuf {
    PathBuf::from(variable(PROGRAMS))
}

/// A path as Wine's programs see it: the root is drive Z.
pub fn on_windows(path: &Path) -> String {
    format!("Z:{}", path.to_str().unwrap().replace('/', "\\"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `.ci/windows`"))
}
