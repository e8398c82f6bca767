//! Removed secrets are erased from the files, despite readers and despite what other programs left there.

use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Running};
use crate::service::tool;
use crate::storage::{SOON, files_with};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Another program with the database open. It reads in a transaction until [`Reader::goes_on`], and then keeps the file
/// open.
struct Reader<'a> {
    scene: &'a Machine,
    running: Running,
}

impl<'a> Reader<'a> {
    fn of(scene: &'a Machine) -> Reader<'a> {
        let script = "
import sqlite3, sys, time, os
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN')
database.execute('SELECT * FROM accounts').fetchall()
print('reads', file=sys.stderr, flush=True)
while not os.path.exists(sys.argv[2]): time.sleep(0.005)
database.execute('COMMIT')
print('open', file=sys.stderr, flush=True)
while True: time.sleep(1000)";
        let reader = scene
            .sandbox
            .command(tool("python3"))
            .args(["-c", script])
            .arg(scene.sandbox.db())
            .arg(go(scene));
        let running = reader.spawn();
        running.wait_for_stderr("reads");
        Reader { scene, running }
    }

    fn goes_on(&self) {
        fs::write(go(self.scene), "").unwrap();
        self.running.wait_for_stderr("open");
    }
}

fn go(scene: &Machine) -> PathBuf {
    scene.sandbox.root().join("go")
}

/// The names of the store's files that contain one of these secrets.
fn left(scene: &Machine, secrets: &[&str]) -> Vec<String> {
    let found = secrets
        .iter()
        .map(|secret| files_with(&scene.dir(), secret));
    found.flatten().collect()
}

fn pair(scene: &Machine) -> [&str; 2] {
    [&scene.pair.access, &scene.pair.refresh]
}

fn stores_a_password(scene: &Machine) {
    let stored = "protocol=https\nhost=git.example\nusername=jane\npassword=NEEDLE\n";
    scene
        .sandbox
        .git_credential("store")
        .stdin(stored)
        .run()
        .success();
}

/// The commands that remove something, the first line of each one's output, and what must be removed.
fn removals(scene: &Machine) -> Vec<(Cmd, String, Vec<String>)> {
    let out = || format!("logged out of {}", scene.sentry.url());
    let tokens = || pair(scene).map(str::to_owned).to_vec();
    let email = scene.sentry.user().email;
    vec![
        (scene.sandbox.sentry(&["auth", "logout"]), out(), tokens()),
        (
            scene.sandbox.sentry(&["auth", "logout", "--all"]),
            out(),
            tokens(),
        ),
        (
            scene
                .sandbox
                .sentry(&["auth", "logout", "--account", &email]),
            out(),
            tokens(),
        ),
        (
            scene
                .sandbox
                .sentry(&["auth", "hosts", "--forget", "git.example"]),
            "removed the password that git had stored for https://git.example".to_owned(),
            vec!["NEEDLE".to_owned()],
        ),
    ]
}

#[test]
fn a_removal_waits_for_a_reader_and_then_nothing_is_left() {
    for number in 0..4 {
        let scene = Machine::new().session(Age::FRESH);
        stores_a_password(&scene);
        let (command, says, secrets) = removals(&scene).swap_remove(number);
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let reader = Reader::of(&scene);
        let command = command.spawn();
        command.wait_for_stderr(&says);
        assert_ne!(left(&scene, &secrets), Vec::<String>::new());
        reader.goes_on();
        let since = Instant::now();
        let told = command.wait().success().stderr;
        assert!(since.elapsed() < Duration::from_secs(5));
        assert!(!told.contains("warning"), "{told}");
        // The other program has the files open still.
        assert_eq!(left(&scene, &secrets), Vec::<String>::new(), "{says}");
        assert!(scene.file("cli.db-wal").exists());
    }
}

#[test]
fn a_removal_says_what_a_reader_keeps_and_the_next_one_ends_that() {
    for number in 0..4 {
        let scene = Machine::new().session(Age::FRESH);
        stores_a_password(&scene);
        let (command, _, secrets) = removals(&scene).swap_remove(number);
        let again = removals(&scene).swap_remove(0).0;
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let reader = Reader::of(&scene);
        let since = Instant::now();
        let told = command.limit(SOON).run().success().stderr;
        let waited = since.elapsed();
        let (db, five) = (
            scene.sandbox.db().display().to_string(),
            Duration::from_secs(5),
        );
        let warning = format!(
            "warning: another program is reading {db}; removed tokens stay in {db}-wal until it ends\n"
        );
        assert_eq!(told.matches("warning: ").count(), 1, "{told}");
        assert!(told.contains(&warning), "{told}");
        assert!(five <= waited && waited < 3 * five, "{waited:?}");
        reader.goes_on();
        let _whatever_is_left_to_do = again.run();
        assert_eq!(left(&scene, &secrets), Vec::<String>::new());
    }
}

#[test]
fn a_logout_removes_what_a_reader_that_was_killed_kept() {
    let scene = Machine::new().session(Age::FRESH);
    let mut reader = Reader::of(&scene);
    let logout = scene.sandbox.sentry(&["auth", "logout"]).spawn();
    logout.wait_for_stderr("logged out");
    reader.running.signal(rustix::process::Signal::KILL);
    let told = logout.wait().success().stderr;
    assert!(!told.contains("warning"), "{told}");
    assert_eq!(left(&scene, &pair(&scene)), Vec::<String>::new());
}

#[test]
fn a_logout_removes_what_other_programs_left_in_the_free_space_of_the_file() {
    for args in [&["auth", "logout"][..], &["auth", "logout", "--all"]] {
        for scene in [
            Machine::new().session(Age::FRESH),
            Machine::new().session(Age::FRESH).in_rollback_mode(),
        ] {
            // As a program writes a row whose name grows, if it does not overwrite freed space.
            scene.sql(
                "PRAGMA secure_delete = OFF;
                 INSERT INTO accounts (account_id, host, token)
                 VALUES ('1', 'https://one.example', 'x'), ('2', 'https://two.example', 'y');",
            );
            for name in [
                "Jane",
                "Jane, whose name is longer",
                "J",
                "Jane, another one",
            ] {
                scene.sql(&format!(
                    "PRAGMA secure_delete = OFF; UPDATE accounts SET name = '{name}' WHERE is_active = 1"
                ));
            }
            let file = fs::read(scene.sandbox.db()).unwrap();
            let token = scene.pair.access.as_bytes();
            let copies = file.windows(token.len()).filter(|window| *window == token);
            assert!(copies.count() > 1, "the token is in the file once only");
            scene.sandbox.sentry(args).run().success();
            assert_eq!(left(&scene, &pair(&scene)), Vec::<String>::new());
        }
    }
}

#[test]
fn what_git_and_docker_erase_and_what_a_login_replaces_is_gone() {
    let scene = Machine::new().session(Age::FRESH);
    stores_a_password(&scene);
    let erased = "protocol=https\nhost=git.example\n";
    scene
        .sandbox
        .git_credential("erase")
        .stdin(erased)
        .run()
        .success();
    let stored = r#"{"ServerURL":"r.example","Username":"jane","Secret":"NEEDLE"}"#;
    scene
        .sandbox
        .docker_credential("store")
        .stdin(stored)
        .run()
        .success();
    scene
        .sandbox
        .docker_credential("erase")
        .stdin("r.example")
        .run()
        .success();
    assert_eq!(left(&scene, &["NEEDLE"]), Vec::<String>::new());
    scene.sentry.add_api_token("sntryu_another");
    let login = scene
        .sandbox
        .sentry(&["auth", "login", "--force", "--with-token"]);
    login.stdin("sntryu_another\n").run().success();
    assert_eq!(left(&scene, &pair(&scene)), Vec::<String>::new());
}

/// What a client or a user removes without a logout: the command, the secrets, and a query for what is still stored.
struct Removal {
    command: Cmd,
    secrets: Vec<String>,
    stored: &'static str,
}

/// How many [`other_removals`] there are.
const OTHERS: usize = 7;

/// One of the removals, prepared on this machine.
fn other_removal(scene: &Machine, number: usize) -> Removal {
    let sandbox = &scene.sandbox;
    let registry = ["--registry", "r.example"];
    let auth = |words: &[&str]| sandbox.sentry(&[&["auth"], words].concat());
    let git = "protocol=https\nhost=r.example\n";
    let by_git = || {
        let stored = format!("{git}username=jane\npassword=NEEDLE\n");
        let store = sandbox.git_credential("store").stdin(stored);
        store.run().success();
    };
    let by_docker = || {
        let stored = r#"{"ServerURL":"r.example","Username":"jane","Secret":"NEEDLE"}"#;
        let store = sandbox.docker_credential("store").stdin(stored);
        store.run().success();
    };
    let command = match number {
        0 | 2 => {
            by_git();
            match number {
                0 => sandbox.git_credential("erase").stdin(git),
                _ => auth(&["setup-git", "--undo", "--host", "r.example"]),
            }
        }
        1 | 3 | 4 => {
            by_docker();
            match number {
                1 => sandbox.docker_credential("erase").stdin("r.example"),
                3 => auth(&["setup-docker", "--undo", registry[0], registry[1]]),
                _ => auth(&["setup-docker", registry[0], registry[1]]),
            }
        }
        5 => {
            by_git();
            // Without a session there is no logout; with the official CLI's table the file stays.
            scene.sql(
                "DELETE FROM accounts; CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT)",
            );
            auth(&["uninstall"])
        }
        _ => {
            scene.sentry.add_api_token("sntryu_another");
            let login = auth(&["login", "--force", "--with-token"]);
            return Removal {
                command: login.stdin("sntryu_another\n"),
                secrets: pair(scene).map(str::to_owned).to_vec(),
                stored: "SELECT count(*) FROM accounts WHERE token <> 'sntryu_another'",
            };
        }
    };
    Removal {
        command,
        secrets: vec!["NEEDLE".to_owned()],
        stored: "SELECT count(*) FROM helper_credential",
    }
}

fn is_stored(scene: &Machine, removal: &str) -> bool {
    let count = scene.database().query_row(removal, [], |row| row.get(0));
    // An uninstallation removes the table.
    count.is_ok_and(|count: i64| count > 0)
}

#[test]
fn an_erasure_an_undo_and_a_new_login_wait_for_a_reader_too() {
    for number in 0..OTHERS {
        let scene = Machine::new().session(Age::FRESH).bound_to("r.example");
        let removal = other_removal(&scene, number);
        let secrets: Vec<&str> = removal.secrets.iter().map(String::as_str).collect();
        let reader = Reader::of(&scene);
        let mut command = removal.command.spawn();
        let since = Instant::now();
        while is_stored(&scene, removal.stored) {
            assert!(since.elapsed() < SOON, "{number}");
        }
        assert!(command.is_running(), "{number}");
        assert_ne!(left(&scene, &secrets), Vec::<String>::new(), "{number}");
        reader.goes_on();
        let told = command.wait().success().stderr;
        assert!(!told.contains("warning"), "{told}");
        assert_eq!(left(&scene, &secrets), Vec::<String>::new(), "{number}");
    }
}

#[test]
fn an_erasure_an_undo_and_a_new_login_say_what_a_reader_keeps() {
    for number in 0..OTHERS {
        let scene = Machine::new().session(Age::FRESH).bound_to("r.example");
        let removal = other_removal(&scene, number);
        let _reader = Reader::of(&scene);
        let told = removal.command.limit(SOON).run().success().stderr;
        let db = scene.sandbox.db().display().to_string();
        let warning = format!(
            "warning: another program is reading {db}; removed tokens stay in {db}-wal until it ends\n"
        );
        // An uninstallation runs two commands that remove something.
        let warnings = told.matches("warning: ").count();
        assert_eq!(warnings, 1 + usize::from(number == 5), "{number}: {told}");
        assert_eq!(told.matches(&warning).count(), warnings, "{told}");
        assert!(!is_stored(&scene, removal.stored), "{number}");
    }
}

#[test]
fn what_a_refresh_replaces_does_not_wait_for_a_reader() {
    let scene = Machine::new().login(Age::STALE);
    let _reader = Reader::of(&scene);
    let since = Instant::now();
    // Sentry does not accept the former pair any more.
    scene.token().run().success().stderr_is("");
    assert!(since.elapsed() < Duration::from_secs(5));
}
