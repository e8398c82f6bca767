//! Runs every hint, and checks that it fixes the problem.
//!
//! One row for each place in the source that has a hint (`sites`), in `doctor`, `commands`, `network` and `store`: how
//! to reach the situation, which command shows the hint, and its full text. A printed command is run as it is by `sh
//! -c`, before the same command again; words in capitals stand for what only the user knows.

mod commands;
mod doctor;
mod network;
mod sites;
mod store;
mod windows;

use crate::fake_sentry::{CLIENT_ID, FakeSentry, Pair, User};
use crate::keyring::Keyring;
use crate::names::Names;
use crate::proxy_server::{Proxy, Socks4};
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::tls::Tls;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Sites that only pass on the hint of another one.
const PASSED_ON: &[&str] = &[
    "doctor/check.rs: hint",
    "doctor/check.rs: hint.into()",
    "sentry.rs: {hint}",
    "auth/uninstall.rs: {hint}",
    "auth/status.rs: {hint}",
    "login.rs: {hint}",
    "session/delegate.rs: hint",
];

/// Sites that only another system reaches: a unit test runs what they say, unless that opens a dialog of macOS.
const OF_OTHER_SYSTEMS: &[&str] = &[
    "doctor/docker.rs: symlink_in(first, &file)",
    "setup/git.rs: format!(\"`{command}`\")",
];

/// The machine and the servers while a row is tried.
struct Scene {
    sentry: FakeSentry,
    sandbox: Sandbox,
    tls: Vec<Tls>,
    keyring: Option<Keyring>,
    proxy: Option<Proxy>,
    socks4: Option<Socks4>,
    names: Option<Names>,
    /// A script that the shell runs before each command.
    before: String,
}

/// A hint.
struct Row {
    sites: &'static [&'static str],
    arrange: fn(&mut Scene),
    command: &'static str,
    /// `$URL`, `$HOME` and `$BIN` stand for their values, `$$` for `$`, `*` for anything.
    hint: &'static str,
    /// Placeholders in the hint that only the user can fill in, and their values.
    fill: &'static [(&'static str, &'static str)],
    /// An action elsewhere before the hint is followed.
    meanwhile: fn(&Scene),
    /// The outcome of the command once the problem is fixed.
    ends: i32,
    /// The hint's command does what the first one could not.
    instead: bool,
}

const fn row(
    sites: &'static [&'static str],
    arrange: fn(&mut Scene),
    command: &'static str,
    hint: &'static str,
) -> Row {
    Row {
        sites,
        arrange,
        command,
        hint,
        fill: &[],
        meanwhile: |_| {},
        ends: 0,
        instead: false,
    }
}

impl Row {
    const fn fill(self, fill: &'static [(&'static str, &'static str)]) -> Row {
        Row { fill, ..self }
    }

    const fn meanwhile(self, meanwhile: fn(&Scene)) -> Row {
        Row { meanwhile, ..self }
    }

    const fn ends(self, ends: i32) -> Row {
        Row { ends, ..self }
    }

    const fn instead(self) -> Row {
        Row {
            instead: true,
            ..self
        }
    }

    #[track_caller]
    fn closes(&self) {
        let mut scene = Scene::new();
        (self.arrange)(&mut scene);
        let Row { command, .. } = self;
        let shown = scene.shell(command).run();
        let (hints, text) = (hints(&shown), both(&shown));
        let expected = scene.filled(self.hint);
        let found = hints.iter().find(|(_, hint)| is_like(&expected, hint));
        let Some((about, hint)) = found else {
            panic!("`{command}` does not say {expected:?}, but {hints:?}:\n{text}");
        };
        let typed = hint.split('`').nth(1);
        let mut typed = typed
            .unwrap_or_else(|| panic!("{hint:?} cannot be typed"))
            .to_owned();
        for (word, meant) in self.fill {
            assert!(typed.contains(word), "{typed} has no {word}");
            typed = typed.replace(word, &scene.filled(meant));
        }
        (self.meanwhile)(&scene);
        scene.sentry.approve_next();
        let script = match self.instead {
            true => typed.clone(),
            false => format!("{typed}\n{command}"),
        };
        let after = scene.shell(&script).run();
        let text = both(&after);
        assert_eq!(after.code, self.ends, "after `{typed}`:\n{text}");
        let still = hints_of(&text).into_iter().find(|(_, other)| other == hint);
        assert_eq!(still, None, "after `{typed}`:\n{text}");
        // Commands that succeeded before a hint still do.
        let is_well = about.starts_with("the token is stored in ");
        assert!(
            is_well || !text.contains(about.as_str()),
            "after `{typed}` still {about:?}:\n{text}"
        );
    }
}

/// Tries each row, and then lists those that failed.
#[track_caller]
fn close<'a>(rows: impl Iterator<Item = &'a Row>) {
    let failed: Vec<_> = rows
        .filter(|row| catch_unwind(|| row.closes()).is_err())
        .map(|row| row.sites)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Each hint with the line that it belongs to.
fn hints(output: &Output) -> Vec<(String, String)> {
    hints_of(&both(output))
}

fn hints_of(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut hints = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if let Some(hint) = line.trim_start().strip_prefix("hint: ") {
            let about = index.checked_sub(1).map_or("", |before| lines[before]);
            hints.push((about.to_owned(), hint.to_owned()));
        } else if let Some((about, hint)) = line.split_once(" (hint: ") {
            let hint = hint.strip_suffix(')').unwrap_or(hint);
            hints.push((about.to_owned(), hint.to_owned()));
        }
    }
    hints
}

fn both(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

/// Whether a text matches, where `*` stands for anything.
fn is_like(expected: &str, text: &str) -> bool {
    let Some((start, end)) = expected.split_once('*') else {
        return expected == text;
    };
    text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
}

fn programs() -> PathBuf {
    let ours = Path::new(env!("CARGO_BIN_EXE_sentry"));
    ours.parent().unwrap().to_owned()
}

impl Scene {
    /// No user is logged in; the client id of the instance is known.
    fn new() -> Scene {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        Scene {
            sentry,
            sandbox: Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID),
            tls: Vec::new(),
            keyring: None,
            proxy: None,
            socks4: None,
            names: None,
            before: String::new(),
        }
    }

    fn shell(&self, script: &str) -> Cmd {
        let script = format!("{}{script}", self.before);
        let shell = self.sandbox.command("sh").args(["-c", &script]);
        let shell = shell.env("URL", self.sentry.url());
        let shell = shell.env("BIN", programs());
        // What the doctor asks https://sentry.io before a login stays on this machine.
        let shell = match self.tls.is_empty() {
            true => shell.env("ALL_PROXY", "http://127.0.0.1:1"),
            false => shell,
        };
        let shell = match &self.names {
            Some(names) => names.known_to(shell),
            None => shell,
        };
        match self.tls.first() {
            Some(tls) => shell.env("TLS", tls.url()).env("CA", tls.authority()),
            None => shell,
        }
    }

    #[track_caller]
    fn run(&self, script: &str) {
        self.shell(&format!("set -e; {script}")).run().success();
    }

    /// Also does this before each command.
    fn before(&mut self, script: &str) {
        self.before.push_str(script);
        self.before.push('\n');
    }

    /// Logs a user in.
    fn session(&self, age: Age) -> Pair {
        let pair = self.sentry.issue();
        self.sandbox.seed_session(&self.sentry, &pair, age);
        pair
    }

    /// The same, by this program: the client id is recorded.
    fn login(&self, age: Age) -> Pair {
        let pair = self.session(age);
        self.sandbox.remember_client(CLIENT_ID);
        pair
    }

    /// Another user is signed in in the browser.
    fn bob(&self) {
        self.sentry.set_user(User {
            id: "43".to_owned(),
            name: "Bob Roe".to_owned(),
            username: "bob".to_owned(),
            email: "bob@example.com".to_owned(),
        });
    }

    #[track_caller]
    fn sql(&self, sql: &str) {
        let database = self.sandbox.database().expect("a store");
        database.execute_batch(sql).expect("good SQL");
    }

    /// A program of this name, first on PATH.
    fn program(&mut self, name: &str, script: &str) {
        let dir = self.sandbox.root().join("programs");
        fs::create_dir_all(&dir).unwrap();
        let written = dir.join("new");
        fs::write(&written, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&written, PermissionsExt::from_mode(0o755)).unwrap();
        // By another process, so that this one does not have it open when it is started.
        self.sandbox
            .copy(written.to_str().unwrap(), &dir.join(name));
        self.before(&format!("PATH='{}':\"$PATH\"", dir.display()));
    }

    fn filled(&self, text: &str) -> String {
        let home = self.sandbox.home();
        let tls = self.tls.first().map(Tls::url).unwrap_or_default();
        let authority = self.tls.first().map(Tls::authority).unwrap_or_default();
        text.replace("$$", "\0")
            .replace("$URL", &self.sentry.url())
            .replace("$TLS", &tls)
            .replace("$CA", &authority.display().to_string())
            .replace("$HOME", &home.display().to_string())
            .replace("$BIN", &programs().display().to_string())
            .replace('\0', "$")
    }
}

#[test]
fn no_hint_is_without_a_row() {
    let tables = [doctor::ROWS, commands::ROWS, network::ROWS, store::ROWS];
    let rows = tables.into_iter().flatten().flat_map(|row| row.sites);
    let covered = rows.chain(PASSED_ON).chain(OF_OTHER_SYSTEMS);
    let mut covered: Vec<&str> = covered.copied().collect();
    covered.sort_unstable();
    let sites = sites::sites();
    let lacking: Vec<&String> = sites
        .iter()
        .filter(|site| {
            let count = |all: &[&str]| all.iter().filter(|other| *other == site).count();
            let there = sites.iter().filter(|other| other == site).count();
            count(&covered) < there
        })
        .collect();
    assert_eq!(lacking, Vec::<&String>::new(), "without a row");
    let stale: Vec<&&str> = covered
        .iter()
        .filter(|site| !sites.iter().any(|other| other == *site))
        .collect();
    assert_eq!(stale, Vec::<&&str>::new(), "a row for what is not there");
}
