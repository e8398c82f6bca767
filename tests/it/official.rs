//! Sentry's official CLI on the same file: one login serves both, and racing it does not cost the session.
//!
//! `tests/run` installs the peers from npm: releases 0.49.0 (table `accounts`) and 0.45.0 (table `auth`), and a second
//! Node, because Node before 22.15 makes the CLI use a WASM SQLite with another kind of lock. `OFFICIAL_ROUNDS` repeats
//! the races.

use crate::machine::Machine;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::fake_sentry::{Endpoint, FakeSentry, Fault, Replay};
use crate::replay::Writers;
use crate::sandbox::{Age, Cmd, Layout, Sandbox};
use crate::service::tools;
use crate::signals::variable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    V045,
    V049,
}

#[derive(Clone, Copy, Debug)]
pub enum Node {
    /// With a SQLite of its own, and POSIX locks.
    Native,
    /// Before 22.15: SQLite as WASM, and the directory `cli.db.lock`.
    Wasm,
}

#[derive(Clone, Copy, Debug)]
pub struct Official(Release, Node);

/// The common case.
pub const CURRENT: Official = Official(Release::V049, Node::Native);

/// Release 0.49.0, on either Node.
pub const V049: [Official; 2] = [CURRENT, Official(Release::V049, Node::Wasm)];

const ALL: [Official; 4] = [
    V049[0],
    V049[1],
    Official(Release::V045, Node::Native),
    Official(Release::V045, Node::Wasm),
];

/// The directory where npm installed them.
pub fn peers() -> PathBuf {
    // Of a build for another target, that is a directory further up.
    let above = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors();
    let mut peers = above.map(|dir| dir.join("tmp/peers/node_modules"));
    peers.find(|dir| dir.exists()).expect("run tests/run")
}

impl Official {
    pub fn run(self, machine: &Sandbox, args: &[&str]) -> Cmd {
        let peers = peers();
        let node = match self.1 {
            Node::Native => peers.join("node-22/bin/node"),
            Node::Wasm => peers.join("node-20/bin/node"),
        };
        assert!(
            node.exists(),
            "{} is missing: run tests/run",
            node.display()
        );
        machine
            .command(node)
            .arg(self.script())
            .args(args)
            .env("SENTRY_CLI_NO_TELEMETRY", "1")
            .env("SENTRY_CLI_NO_UPDATE_CHECK", "1")
            .env("NO_COLOR", "1")
    }

    /// What npm makes the program `sentry` a symlink to.
    pub fn script(self) -> PathBuf {
        peers().join(match self.0 {
            Release::V045 => "sentry-0.45/dist/bin.cjs",
            Release::V049 => "sentry-0.49/dist/bin.cjs",
        })
    }

    fn layout(self) -> Layout {
        match self.0 {
            Release::V045 => Layout::Auth,
            Release::V049 => Layout::Accounts,
        }
    }
}

fn rounds() -> usize {
    variable("OFFICIAL_ROUNDS").unwrap_or(1)
}

fn three_tokens(machine: &Sandbox, address: &str) -> [String; 3] {
    let token = machine.sentry(&["auth", "token"]).run().success().stdout;
    let description = format!("protocol=http\nhost={address}\n");
    let git = machine
        .git_credential("get")
        .stdin(description)
        .run()
        .success()
        .stdout;
    let binding = "INSERT OR REPLACE INTO helper_binding (server, origin, signed_out) VALUES ('docker r.example', ?, 0)";
    machine
        .database()
        .unwrap()
        .execute(binding, [format!("http://{address}")])
        .unwrap();
    let docker = machine
        .docker_credential("get")
        .stdin("r.example")
        .run()
        .success()
        .stdout;
    [token, git, docker]
}

/// Everything except logins and our tables, as text.
fn dump_of_the_rest(database: &Connection) -> Vec<String> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'helper\\_%' ESCAPE '\\' \
                 AND name NOT IN ('accounts', 'auth') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let mut names = database.prepare(names).unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut dump = Vec::new();
    for name in names {
        let mut rows = database.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = rows.column_count();
        let rows = rows.query_map([], |row| {
            (0..columns)
                .map(|column| Ok(format!("{:?}", row.get_ref(column)?)))
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        dump.extend(
            rows.unwrap()
                .map(|row| format!("{name}: {}", row.unwrap().join(", "))),
        );
    }
    dump
}

#[test]
fn a_login_of_theirs_serves_our_three_programs_and_nothing_else_of_theirs_changes() {
    for official in ALL {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.approve_next();
        let machine = Sandbox::new().for_sentry(&sentry);
        // By default it would choose `~/.config/sentry`.
        let dir = machine.config_dir();
        let machine = machine.env("SENTRY_CONFIG_DIR", dir);
        let login = official.run(&machine, &["auth", "login", "--url", &sentry.url()]);
        login.run().success();
        let before = dump_of_the_rest(&machine.database().unwrap());
        let _stored = machine
            .docker_credential("store")
            .stdin(r#"{"ServerURL":"x","Username":"u","Secret":"p"}"#)
            .run();
        for answer in three_tokens(&machine, sentry.address().to_string().as_str()) {
            assert!(
                answer.contains(&sentry.current_access()),
                "{official:?}: {answer}"
            );
        }
        machine
            .sentry(&["auth", "refresh", "--force"])
            .run()
            .success();
        assert_eq!(
            machine.stored_tokens(),
            Some(sentry.current()),
            "{official:?}"
        );
        assert_eq!(
            dump_of_the_rest(&machine.database().unwrap()),
            before,
            "{official:?}"
        );
        let theirs = official
            .run(&machine, &["auth", "token"])
            .run()
            .success()
            .stdout;
        assert_eq!(theirs.trim(), sentry.current_access(), "{official:?}");
    }
}

#[test]
fn a_login_of_ours_serves_the_official_cli() {
    for official in V049 {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        sentry.approve_next();
        let machine = Sandbox::new().for_sentry(&sentry);
        machine.sentry(&["auth", "login"]).run().success();
        for _ in 0..2 {
            let theirs = official
                .run(&machine, &["auth", "token"])
                .run()
                .success()
                .stdout;
            assert_eq!(theirs.trim(), sentry.current_access(), "{official:?}");
            official
                .run(&machine, &["auth", "refresh", "--force"])
                .run()
                .success();
            let ours = machine.sentry(&["auth", "token"]).run().success().stdout;
            assert_eq!(ours.trim(), sentry.current_access(), "{official:?}");
            machine
                .sentry(&["auth", "refresh", "--force"])
                .run()
                .success();
        }
    }
}

#[test]
fn a_migration_of_theirs_takes_our_session_along() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session_in(Layout::Auth, &sentry, &sentry.issue(), Age::FRESH);
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    let theirs = ALL[0]
        .run(&machine, &["auth", "token"])
        .run()
        .success()
        .stdout;
    assert_eq!(theirs.trim(), sentry.current_access());
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('auth', 'accounts')";
    let count = |machine: &Sandbox| {
        machine
            .database()
            .unwrap()
            .query_row(tables, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(count(&machine), 1, "0.49 drops `auth`");
    // An old release adds an empty `auth` beside `accounts`.
    let _old = ALL[2].run(&machine, &["auth", "token"]).run();
    assert_eq!(count(&machine), 2);
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

/// How a race of two refreshes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Alive,
    /// The row is gone, which to us is a logout: releases before 0.49 delete it when they lose.
    Deleted,
    Lost,
}

/// Two refreshes at once against an endpoint that takes its time over a grant, and none over a refusal.
fn race(machine: &Sandbox, sentry: &FakeSentry, one: Cmd, two: Cmd) -> End {
    sentry.fault_always(
        Endpoint::Refresh,
        Fault::SlowGrant(Duration::from_millis(1500)),
    );
    let (one, two) = (one.spawn(), two.spawn());
    let _ended = (one.wait(), two.wait());
    sentry.fix();
    match (machine.stored_row(), machine.stored_tokens()) {
        (None, _) => End::Deleted,
        (_, Some(pair)) if sentry.is_refreshable(&pair.refresh) => End::Alive,
        _ => End::Lost,
    }
}

#[test]
fn two_forced_refreshes_of_ours_keep_the_session() {
    for _ in 0..rounds() {
        let (sentry, machine) = Machine::new().session(Age::FRESH).parts();
        let refresh = || machine.sentry(&["auth", "refresh", "--force"]);
        assert_eq!(race(&machine, &sentry, refresh(), refresh()), End::Alive);
    }
}

#[test]
fn a_forced_refresh_of_theirs_beside_ours_keeps_the_session() {
    let mut report = String::from(
        "rows deleted by the official CLI, one refresh of ours and one of theirs at once:\n",
    );
    for official in ALL {
        let mut deleted = 0;
        for _ in 0..rounds() {
            let sentry = FakeSentry::start();
            // A server that revokes the family on a replay always ends the session: the official CLI replays.
            sentry.set_replay(Replay::Refused);
            let machine = Sandbox::new().for_sentry(&sentry).traced();
            machine.seed_session_in(official.layout(), &sentry, &sentry.issue(), Age::FRESH);
            let ours = machine.sentry(&["auth", "refresh", "--force"]);
            let theirs = official.run(&machine, &["auth", "refresh", "--force"]);
            match race(&machine, &sentry, ours, theirs) {
                End::Alive => {}
                End::Deleted if official.0 == Release::V045 => deleted += 1,
                end => panic!("{official:?}: {end:?}"),
            }
            machine.replays(Writers::Others, &format!("{official:?}"));
        }
        report += &format!("  {official:?}: {deleted} of {}\n", rounds());
    }
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes()).unwrap();
}

/// Not a test of ours: how often the official CLI alone loses the session, for comparison.
#[test]
fn two_forced_refreshes_of_theirs_are_counted() {
    let mut report =
        String::from("sessions lost by the official CLI alone, two refreshes at once:\n");
    for official in ALL {
        let lost = (0..rounds()).filter(|_| {
            let sentry = FakeSentry::start();
            sentry.set_replay(Replay::Refused);
            let machine = Sandbox::new().for_sentry(&sentry);
            machine.seed_session_in(official.layout(), &sentry, &sentry.issue(), Age::FRESH);
            let refresh = || official.run(&machine, &["auth", "refresh", "--force"]);
            race(&machine, &sentry, refresh(), refresh()) != End::Alive
        });
        report += &format!("  {official:?}: {} of {}\n", lost.count(), rounds());
    }
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes()).unwrap();
}

#[test]
fn a_token_that_they_have_rotated_meanwhile_does_not_come_back() {
    for official in [ALL[0], ALL[2]] {
        for git in tools("git") {
            let sentry = FakeSentry::start();
            let machine = Sandbox::new()
                .for_sentry(&sentry)
                .env("GIT_TERMINAL_PROMPT", "0");
            let former = sentry.issue();
            machine.seed_session_in(official.layout(), &sentry, &former, Age::FRESH);
            let dir = machine.config_dir();
            let machine = machine.env("SENTRY_CONFIG_DIR", dir);
            let credential = |operation: &str, input: &str| {
                let git = machine.command(&git);
                git.args(["-c", "credential.helper=sentry", "credential", operation])
                    .stdin(input)
                    .run()
            };
            let request = format!("protocol=http\nhost={}\n", sentry.address());
            let filled = credential("fill", &request).success().stdout;
            assert!(filled.contains(&former.access), "{filled}");
            // Our list of former tokens does not have theirs.
            official
                .run(&machine, &["auth", "refresh", "--force"])
                .run()
                .success();
            credential("approve", &filled).success();
            let current = sentry.current();
            let served = credential("fill", &request).success();
            served
                .stdout_has(&current.access)
                .never_says(&former.access);
            machine.sentry(&["auth", "logout", "--all"]).run().success();
            credential("approve", &filled).success();
            let nothing = credential("fill", &request).fails(128);
            nothing.never_says(&former.access);
            assert_eq!(
                machine.stored_credentials(),
                0,
                "{official:?}, {}",
                git.display()
            );
        }
    }
}
