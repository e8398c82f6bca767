//! Shared by the tests of the store: a machine with one session, and functions that bring it into an unusual state.

use crate::fake_sentry::Pair;
use crate::machine::Machine;
use crate::sandbox::{Cmd, Output, Running, Sandbox};
use crate::service::tool;
use rusqlite::Connection;
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Longer than any wait of a test should take.
pub const SOON: Duration = Duration::from_secs(60);

pub const SIDES: [&str; 3] = ["cli.db-wal", "cli.db-shm", "cli.db-journal"];

impl Machine {
    pub fn database(&self) -> Connection {
        self.sandbox.database().expect("a store")
    }

    #[track_caller]
    pub fn sql(&self, sql: &str) {
        self.database().execute_batch(sql).expect("good SQL");
    }

    pub fn dir(&self) -> PathBuf {
        self.sandbox.config_dir()
    }

    /// A file beside the database.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub fn names(&self) -> Vec<String> {
        names(&self.dir())
    }

    pub fn token(&self) -> Cmd {
        self.sandbox.sentry(&["auth", "token"])
    }

    pub fn refresh(&self) -> Cmd {
        self.sandbox.sentry(&["auth", "refresh", "--force"])
    }

    pub fn git_get(&self) -> Cmd {
        let request = format!("protocol=http\nhost={}\n\n", self.sentry.address());
        self.sandbox.git_credential("get").stdin(request)
    }

    pub fn docker_get(&self) -> Cmd {
        self.sandbox
            .docker_credential("get")
            .stdin(self.sentry.url())
    }

    /// Every command that reads a token.
    pub fn readers(&self) -> [Cmd; 3] {
        [self.token(), self.git_get(), self.docker_get()]
    }

    /// git reports a token as refused, as after a 401 from the host.
    #[track_caller]
    pub fn reports_refused(&self, access: &str) {
        let host = self.sentry.address();
        let refused = format!("protocol=http\nhost={host}\nusername=oauth2\npassword={access}\n");
        let erase = self.sandbox.git_credential("erase");
        erase.stdin(refused).run().success();
    }

    /// All three programs answer with this token.
    #[track_caller]
    pub fn serves(&self, access: &str) {
        self.serves_to(access, |cmd| cmd);
    }

    /// The same, started in some other way.
    #[track_caller]
    pub fn serves_to(&self, access: &str, how: impl Fn(Cmd) -> Cmd) {
        for reader in self.readers() {
            how(reader).run().success().stdout_has(access);
        }
    }

    /// All three programs fail with this message.
    #[track_caller]
    pub fn fails_with(&self, words: &str) {
        self.fails_to(words, |cmd| cmd);
    }

    /// The same, started in some other way.
    #[track_caller]
    pub fn fails_to(&self, words: &str, how: impl Fn(Cmd) -> Cmd) {
        for reader in self.readers() {
            let Output { stdout, stderr, .. } = how(reader).run().fails(1);
            let said = stdout + &stderr;
            // docker's builds continue without a registry that has no login.
            let is_absent = words.starts_with("not logged in")
                && said == "credentials not found in native keychain\n";
            assert!(
                is_absent || said.contains(words),
                "{words}\n\nnot in\n\n{said}"
            );
        }
    }

    /// No user is logged in: docker continues without a credential, the others report it.
    #[track_caller]
    pub fn is_logged_out(&self) {
        self.is_logged_out_to(|cmd| cmd);
    }

    /// The same, started in some other way.
    #[track_caller]
    pub fn is_logged_out_to(&self, how: impl Fn(Cmd) -> Cmd) {
        for reader in [self.token(), self.git_get()] {
            let told = how(reader).run().fails(1).stdout_is("");
            told.stderr_has("not logged in to ");
        }
        let told = how(self.docker_get()).run().fails(1).stderr_is("");
        told.stdout_is("credentials not found in native keychain\n");
    }

    /// The session works, and the stored tokens are those that the server accepts.
    #[track_caller]
    pub fn is_alive(&self) {
        self.refresh().run().success();
        assert_eq!(self.sandbox.stored_tokens(), Some(self.sentry.current()));
    }

    /// Writes a recovery file with a granted pair, as a refresh does that could not be stored for a minute; the row has
    /// the pair that was spent for it.
    pub fn keep_aside(&self, new: &Pair) -> PathBuf {
        let sql = "SELECT account_id FROM accounts WHERE is_active = 1";
        let account: String = self
            .database()
            .query_row(sql, [], |row| row.get(0))
            .expect("an account");
        self.keep_aside_for(&account, new)
    }

    /// The same for the row that had this key.
    pub fn keep_aside_for(&self, account: &str, new: &Pair) -> PathBuf {
        let content = json!({
            "version": 1, "account": account, "origin": self.sentry.url(),
            "old_token": self.pair.access, "old_refresh_token": self.pair.refresh,
            "token": new.access, "refresh_token": new.refresh, "issued_at": null, "expires_at": null,
        });
        let kept = self.file("credential.recovery");
        fs::write(&kept, content.to_string()).expect("a file");
        set_mode(&kept, 0o600);
        kept
    }

    /// As if the database had not been written for a minute.
    pub fn settle(&self) {
        let file = File::options().write(true).open(self.sandbox.db());
        let then = SystemTime::now() - Duration::from_secs(60);
        file.expect("a database")
            .set_modified(then)
            .expect("a time");
    }

    /// Leaves the files as a process does that is killed after this change to the database.
    pub fn killed_after(&self, work: &str) {
        let all = || {
            let names = ["cli.db"].into_iter().chain(SIDES);
            names.map(|name| self.file(name))
        };
        let aside = |path: &Path| path.with_extension(format!("{}.aside", extension(path)));
        let database = self.database();
        database
            .execute_batch(&format!("PRAGMA wal_autocheckpoint = 0; {work}"))
            .expect("good SQL");
        for path in all().filter(|path| path.exists()) {
            fs::copy(&path, aside(&path)).expect("a copy");
        }
        drop(database);
        for path in all() {
            let _may_be_absent = fs::remove_file(&path);
            let _may_be_absent = fs::rename(aside(&path), &path);
        }
    }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|end| end.to_str()).unwrap_or("")
}

/// Another program that holds a lock until it is killed or dropped.
#[track_caller]
pub fn holder_of(machine: &Sandbox, lock: &str) -> Running {
    let holder = machine
        .command("flock")
        .arg("--no-fork")
        .arg(machine.config_dir().join(lock))
        .args(["sh", "-c", "echo held >&2; exec sleep 1000"])
        .spawn();
    holder.wait_for_stderr("held");
    holder
}

/// The command as a user to whom file modes apply: root without its capabilities, or the user who runs the tests.
pub fn unprivileged(cmd: Cmd) -> Cmd {
    match rustix::process::geteuid().is_root() {
        true => cmd.under(
            tool("setpriv"),
            &["--bounding-set=-all", "--inh-caps=-all", "--"],
        ),
        false => cmd,
    }
}

/// The digest of a token as SQL, as the state of a refresh has it.
pub fn digest(token: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let bytes = digest.as_ref().iter();
    let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
    format!("x'{hex}'")
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
}

pub fn mode(path: &Path) -> u32 {
    let metadata = path.symlink_metadata().expect("a file");
    metadata.permissions().mode() & 0o7777
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The regular files below a directory, sorted.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in names(dir) {
        let path = dir.join(name);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => files.extend(self::files(&path)),
            Ok(metadata) if metadata.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

/// Names of the regular files below a directory that have this text in them.
pub fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let has = |path: &PathBuf| {
        let content = fs::read(path).expect("a file");
        content
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let name = |path: PathBuf| {
        let below = path.strip_prefix(dir).expect("below it");
        below.to_str().expect("text").to_owned()
    };
    files(dir).into_iter().filter(has).map(name).collect()
}
