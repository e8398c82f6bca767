//! Unexpected files in place of ours: symlinks, hard links, FIFOs, foreign owners, open modes; and the modes of our
//! files.

use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Layout, Sandbox};
use crate::storage::{SIDES, files_with, mode, names, set_mode, unprivileged};
use rustix::fs::{CWD, Gid, Uid};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn victim(scene: &Machine) -> PathBuf {
    let victim = scene.sandbox.root().join("victim");
    fs::write(&victim, "precious").unwrap();
    victim
}

fn make_fifo(scene: &Machine, path: &Path) {
    scene.sandbox.command("mkfifo").arg(path).run().success();
}

/// Another user; `None` if the tests do not run as root.
fn give_away(path: &Path) -> Option<()> {
    let nobody = (Some(Uid::from_raw(65534)), Some(Gid::from_raw(65534)));
    rustix::process::geteuid().is_root().then(|| {
        rustix::fs::chownat(CWD, path, nobody.0, nobody.1, rustix::fs::AtFlags::empty()).unwrap()
    })
}

/// Every command refuses to read or write, and reports it.
#[track_caller]
fn is_refused(scene: &Machine, words: &str) {
    scene.fails_with(words);
    let commands: [Cmd; 3] = [
        scene.sandbox.sentry(&["auth", "logout"]),
        scene
            .sandbox
            .sentry(&["auth", "login", "--with-token"])
            .stdin("api-token"),
        scene
            .sandbox
            .git_credential("store")
            .stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n"),
    ];
    for command in commands {
        command.run().fails(1).stdout_is("").stderr_has(words);
    }
    assert_eq!(scene.sentry.refresh_attempts(), 0);
}

#[test]
fn a_side_file_that_is_no_plain_file_of_ours_is_refused_before_it_is_opened() {
    type Plant = fn(&Machine, &Path);
    let plants: [(&str, Plant); 5] = [
        ("it is not a regular file", |scene, side| {
            symlink(victim(scene), side).unwrap()
        }),
        ("it is not a regular file", |_, side| {
            symlink("/nowhere/at/all", side).unwrap()
        }),
        ("it is not a regular file", |_, side| {
            fs::create_dir(side).unwrap()
        }),
        ("it is not a regular file", make_fifo),
        ("it has a second name (hard link)", |scene, side| {
            fs::hard_link(victim(scene), side).unwrap()
        }),
    ];
    for name in SIDES {
        for (why, plant) in plants {
            let scene = Machine::new().session(Age::FRESH);
            let side = scene.file(name);
            plant(&scene, &side);
            is_refused(
                &scene,
                &format!("refusing to use {}: {why}", side.display()),
            );
            assert_eq!(scene.names(), ["cli.db", name]);
            if let Ok(content) = fs::read_to_string(scene.sandbox.root().join("victim")) {
                assert_eq!(content, "precious");
            }
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn what_belongs_to_another_user_is_refused() {
    for name in ["cli.db", "cli.db-wal", "cli.db-shm", "cli.db-journal"] {
        let scene = Machine::new().session(Age::FRESH);
        let path = scene.file(name);
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        set_mode(&path, 0o666);
        if give_away(&path).is_some() {
            let words = format!(
                "refusing to use {}: it belongs to another user",
                path.display()
            );
            is_refused(&scene, &words);
            assert_eq!(mode(&path), 0o666);
        }
    }
    // Only root can change the owner of a directory; running as another user has the same effect.
    let scene = Machine::new().session(Age::FRESH);
    let token = scene.sandbox.sentry(&["auth", "token"]);
    token
        .with_injected("geteuid:retval=4242")
        .run()
        .fails(1)
        .stderr_has(&format!(
            "refusing to use {}: its directory belongs to another user",
            scene.sandbox.db().display()
        ));
}

#[test]
fn a_directory_that_others_may_write_is_refused_and_gets_no_file() {
    for open in [0o777, 0o770, 0o722, 0o1777] {
        let scene = Machine::new().session(Age::FRESH);
        let dir = scene.dir();
        set_mode(&dir, open);
        let refusal = format!(
            "refusing to use {}/cli.db: others may write its directory",
            dir.display()
        );
        is_refused(&scene, &refusal);
        fs::remove_file(scene.sandbox.db()).unwrap();
        let store = scene.sandbox.git_credential("store");
        store
            .stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n")
            .run()
            .fails(1)
            .stdout_is("")
            .stderr_is(&format!(
                "git-credential-sentry: {refusal} (hint: `chmod go-w {}`)\n",
                dir.display()
            ));
        assert!(scene.names().is_empty(), "{open:o}");
    }
}

#[test]
fn what_others_could_read_is_closed_with_one_warning() {
    for (open, name) in [
        (0o644, "cli.db"),
        (0o640, "cli.db"),
        (0o666, "cli.db"),
        (0o644, "cli.db-wal"),
    ] {
        let scene = Machine::new().session(Age::FRESH);
        scene.killed_after("UPDATE accounts SET username = 'ann'");
        for side in ["cli.db", "cli.db-wal", "cli.db-shm"] {
            // As SQLite does it: a sidecar file has the mode of the database. A later chmod of the database leaves it.
            let is_open = name == "cli.db" || side != "cli.db";
            set_mode(&scene.file(side), if is_open { open } else { 0o600 });
        }
        // Keeps the sidecar files from being removed.
        let reader = scene.database();
        let _reading: i64 = reader
            .query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))
            .unwrap();
        let token = format!("{}\n", scene.pair.access);
        let first = scene.token().run().success().stdout_is(&token);
        first.stderr_is(&format!(
            "warning: {} could be read by others; its mode is 0600 now\n",
            scene.file(name).display()
        ));
        for side in ["cli.db", "cli.db-wal", "cli.db-shm"] {
            assert_eq!(mode(&scene.file(side)), 0o600, "{side}");
        }
        scene
            .token()
            .run()
            .success()
            .stdout_is(&token)
            .stderr_is("");
        // docker's clients may take standard error for the answer.
        set_mode(&scene.file(name), open);
        scene
            .docker_get()
            .run()
            .success()
            .stdout_has(&scene.pair.access)
            .stderr_is("");
        assert_eq!(mode(&scene.file(name)), 0o600);
    }
}

/// One successful open(2), as strace shows it.
fn opens<'a>(trace: &'a str, file: &str) -> Vec<&'a str> {
    let of_file = |line: &&str| line.contains(&format!("/{file}\", ")) && line.contains("open");
    let succeeded = |line: &&str| !line.contains(" = -1 ");
    trace.lines().filter(of_file).filter(succeeded).collect()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn the_database_is_made_closed_before_sqlite_opens_it_and_never_opened_by_us_again() {
    let scene = Machine::new().session(Age::FRESH);
    let machine = Sandbox::new().for_sentry(&scene.sentry);
    scene.sentry.add_api_token("api-token");
    let trace = machine.root().join("trace");
    let calls = "open,openat,openat2,creat,close,mkdir,mkdirat,chmod,fchmod,fchmodat,umask";
    let strace = |script: &str| {
        let script = machine.command("sh").args(["-c", script]);
        let traced = script.traced(calls, &trace).stdin("api-token");
        traced.run().success();
        // musl says it always, others where it means something.
        fs::read_to_string(&trace)
            .unwrap()
            .replace("O_LARGEFILE|", "")
    };
    let login = strace("umask 000; exec sentry auth login --with-token");
    let made: Vec<&str> = login
        .lines()
        .filter(|line| line.contains("mkdir") && line.contains("/.sentry\""))
        .collect();
    assert!(
        made.len() == 1 && made[0].contains("/.sentry\", 0700) = 0"),
        "{made:?}"
    );
    let database = opens(&login, "cli.db");
    let flags = "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600)";
    assert!(database[0].contains(flags), "{database:?}");
    // Closed again before SQLite comes: F_SETLK locks die with any descriptor of the file.
    let descriptor = database[0].rsplit(' ').next().unwrap();
    let position = |needle: &str| login.find(needle).expect(needle);
    let closed = login[position(database[0])..]
        .find(&format!("close({descriptor})"))
        .unwrap()
        + position(database[0]);
    assert!(closed < position(database[1]));
    // All others are SQLite's: of one kind, which std never uses.
    let by_sqlite = |line: &&str| {
        line.contains("O_RDWR|O_NOFOLLOW|O_CLOEXEC")
            || line.contains("O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC")
    };
    assert!(database[1..].iter().all(by_sqlite), "{database:?}");
    for side in ["cli.db-wal", "cli.db-shm"] {
        let made = opens(&login, side);
        assert!(
            !made.is_empty() && made.iter().all(|line| line.contains(", 0600) = ")),
            "{side}: {made:?}"
        );
    }
    for name in names(&machine.config_dir()) {
        assert_eq!(mode(&machine.config_dir().join(&name)), 0o600, "{name}");
    }

    machine.seed_session(&scene.sentry, &scene.pair, Age::EXPIRED);
    for script in [
        "exec sentry auth token",
        "exec sentry auth status",
        "exec sentry auth doctor || :",
    ] {
        let trace = strace(script);
        for file in ["cli.db", "cli.db-wal", "cli.db-shm"] {
            let opened = opens(&trace, file);
            assert!(opened.iter().all(by_sqlite), "{script}: {opened:?}");
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_lock_is_not_followed() {
    for age in [Age::STALE, Age::EXPIRED] {
        let scene = Machine::new().session(age);
        let victim = victim(&scene);
        let lock = scene.file("credential.lock");
        symlink(&victim, &lock).unwrap();
        if age == Age::STALE {
            scene.serves(&scene.pair.access);
        } else {
            let told = scene.token().run().fails(1).stdout_is("");
            told.stderr_is(&format!(
                "error: the token for {} has expired and cannot be refreshed now: cannot use the lock file {}: \
                 it is not a regular file\n",
                scene.sentry.url(),
                lock.display(),
            ));
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(scene.sentry.requests().len(), 0);
    }
}

#[test]
fn a_lock_file_that_cannot_be_opened_does_not_keep_a_living_token() {
    for forbidden in [0o000, 0o400] {
        let scene = Machine::new().session(Age::STALE);
        let lock = scene.file("credential.lock");
        fs::write(&lock, "").unwrap();
        set_mode(&lock, forbidden);
        scene.serves_to(&scene.pair.access, unprivileged);
        assert_eq!(scene.sentry.requests().len(), 0);
        let refresh = unprivileged(scene.refresh()).run().fails(1).stdout_is("");
        refresh.stderr_is(&format!(
            "error: the token of {} was not refreshed: cannot use the lock file {}: permission denied\n",
            scene.sentry.url(),
            lock.display()
        ));
        set_mode(&lock, 0o600);
        scene.is_alive();
    }
}

#[test]
fn a_wal_that_cannot_be_read_is_reported_and_the_environments_token_works() {
    let scene = Machine::new().session(Age::FRESH);
    scene.killed_after("UPDATE accounts SET username = 'ann'");
    set_mode(&scene.file("cli.db-wal"), 0o000);
    let words = format!("cannot open {}: ", scene.sandbox.db().display());
    scene.fails_to(&words, unprivileged);
    for get in [scene.git_get(), scene.docker_get()] {
        let served = unprivileged(get)
            .env("SENTRY_TOKEN", "from-the-environment")
            .run();
        served.success().stdout_has("from-the-environment");
    }
    set_mode(&scene.file("cli.db-wal"), 0o600);
    scene.serves(&scene.pair.access);
}

#[test]
fn a_directory_of_ours_behind_a_link_is_as_good() {
    let scene = Machine::new().session(Age::EXPIRED);
    let elsewhere = scene.sandbox.root().join("elsewhere");
    fs::rename(scene.dir(), &elsewhere).unwrap();
    symlink(&elsewhere, scene.dir()).unwrap();
    scene.token().run().success();
    scene.serves(&scene.sentry.current_access());
    scene.is_alive();
}

#[test]
fn an_empty_file_is_a_store_without_a_login() {
    // SQLite takes a single byte for nothing, too.
    for nothing in ["", "S"] {
        let scene = Machine::new().session(Age::FRESH);
        fs::write(scene.sandbox.db(), nothing).unwrap();
        scene.is_logged_out();
        assert_eq!(fs::read_to_string(scene.sandbox.db()).unwrap(), nothing);
        scene.sentry.add_api_token("api-token");
        let login = scene.sandbox.sentry(&["auth", "login", "--with-token"]);
        login.stdin("api-token").run().success();
        scene.serves("api-token");
        assert_eq!(mode(&scene.sandbox.db()), 0o600);
    }
}

#[test]
fn damage_of_any_kind_is_reported_at_once_and_not_touched() {
    type Damage = fn(&Machine);
    let header = |offset: usize, bytes: &[u8], scene: &Machine| {
        let mut file = fs::read(scene.sandbox.db()).unwrap();
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        fs::write(scene.sandbox.db(), file).unwrap();
    };
    let damages: [(&str, Damage); 4] = [
        ("4 GiB of nothing", |scene| {
            fs::write(scene.sandbox.db(), "").unwrap();
            let file = fs::OpenOptions::new()
                .write(true)
                .open(scene.sandbox.db())
                .unwrap();
            file.set_len(4 << 30).unwrap();
        }),
        ("random bytes", |scene| {
            let bytes: Vec<u8> = (0..8192_u32)
                .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect();
            fs::write(scene.sandbox.db(), bytes).unwrap();
        }),
        ("an odd schema", |scene| {
            scene.sql("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE (' WHERE name = 'accounts'");
        }),
        ("a schema without a root", |scene| {
            scene.sql("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'accounts'");
        }),
    ];
    for (kind, damage) in damages {
        let scene = Machine::new().session(Age::FRESH);
        damage(&scene);
        let length = scene.sandbox.db().metadata().unwrap().len();
        scene.fails_with(&format!("{} is damaged: ", scene.sandbox.db().display()));
        assert_eq!(
            scene.sandbox.db().metadata().unwrap().len(),
            length,
            "{kind}"
        );
        assert_eq!(scene.sentry.requests().len(), 0, "{kind}");
    }
    // A page size that there is not.
    let scene = Machine::new().session(Age::FRESH);
    header(16, &[0, 1], &scene);
    scene.fails_with(&format!("{} is damaged: ", scene.sandbox.db().display()));
}

/// SQL that would copy tokens elsewhere, or serve planted ones.
const PLANTED: [(Layout, &str, &str); 12] = [
    (
        Layout::Auth,
        "CREATE TRIGGER thief AFTER UPDATE ON auth BEGIN INSERT INTO loot VALUES (new.token); END",
        "a trigger on `auth`",
    ),
    (
        Layout::Auth,
        "CREATE TRIGGER thief AFTER UPDATE ON AUTH BEGIN INSERT INTO loot VALUES (new.token); END",
        "a trigger on `AUTH`",
    ),
    (
        Layout::Accounts,
        "CREATE TRIGGER thief AFTER UPDATE ON ACCOUNTS BEGIN INSERT INTO loot VALUES (new.token); END",
        "a trigger on `ACCOUNTS`",
    ),
    (
        Layout::Accounts,
        "CREATE TRIGGER thief AFTER UPDATE ON aCCounts BEGIN INSERT INTO loot VALUES (new.token); END",
        "a trigger on `aCCounts`",
    ),
    (
        Layout::Accounts,
        "ALTER TABLE accounts RENAME TO a; CREATE VIEW Accounts AS SELECT * FROM a",
        "a view on `Accounts`",
    ),
    (
        Layout::Accounts,
        "CREATE VIEW HELPER_BINDING AS SELECT 'git https://evil.example' AS server",
        "a view on `HELPER_BINDING`",
    ),
    (
        Layout::Accounts,
        "CREATE TABLE Helper_Session (account PRIMARY KEY, client_id); \
         CREATE TRIGGER thief AFTER INSERT ON HELPER_session \
         BEGIN INSERT INTO loot SELECT token FROM accounts; END",
        "a trigger on `HELPER_session`",
    ),
    (
        Layout::Accounts,
        "CREATE VIEW helper_of_tomorrow AS SELECT 1",
        "a view on `helper_of_tomorrow`",
    ),
    (
        Layout::Accounts,
        "CREATE TABLE helper_credential (server, secret); \
         CREATE TRIGGER thief AFTER INSERT ON [helper_Credential] BEGIN INSERT INTO loot VALUES (new.secret); END",
        "a trigger on `helper_Credential`",
    ),
    // It would send tokens as headers to whatever instance is asked.
    (
        Layout::Accounts,
        "DROP TABLE IF EXISTS metadata; CREATE VIEW \"Metadata\" AS SELECT 'defaults.headers' AS key, 'X: ' || token AS value FROM accounts",
        "a view on `Metadata`",
    ),
    (
        Layout::Auth,
        "CREATE TABLE IF NOT EXISTS metadata (key PRIMARY KEY, value); \
         CREATE TRIGGER thief AFTER UPDATE ON `METADATA` BEGIN INSERT INTO loot SELECT token FROM auth; END",
        "a trigger on `METADATA`",
    ),
    (
        Layout::Accounts,
        "CREATE TRIGGER thief BEFORE INSERT ON [Schema_Version] BEGIN INSERT INTO loot SELECT token FROM accounts; END",
        "a trigger on `Schema_Version`",
    ),
];

#[test]
fn what_is_planted_in_the_place_of_a_table_is_refused_however_it_is_spelled() {
    for (layout, planted, what) in PLANTED {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        scene.sql(&format!("CREATE TABLE loot (token); {planted}"));
        let words = format!(
            "refusing to use {}: it has {what}",
            scene.sandbox.db().display()
        );
        is_refused(&scene, &words);
        let stolen: i64 = scene
            .database()
            .query_row("SELECT count(*) FROM loot", [], |row| row.get(0))
            .unwrap();
        assert_eq!(stolen, 0, "{planted}");
    }
}

#[test]
fn a_table_that_a_module_keeps_elsewhere_gets_no_token() {
    let scene = Machine::new().in_layout(Layout::Auth).session(Age::EXPIRED);
    scene.sql(
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('table', 'Helper_Former', 'Helper_Former', 0, \
         'CREATE VIRTUAL TABLE Helper_Former USING fts5(digest, at)')",
    );
    let words = format!(
        "refusing to use {}: it has a virtual table called `Helper_Former`",
        scene.sandbox.db().display()
    );
    scene.fails_with(&words);
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
fn a_table_in_another_spelling_is_the_table() {
    for (layout, table) in [(Layout::Accounts, "accounts"), (Layout::Auth, "auth")] {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        let other = table.to_uppercase();
        scene.sql(&format!(
            "ALTER TABLE {table} RENAME TO t; ALTER TABLE t RENAME TO {other}"
        ));
        scene.token().run().success();
        scene.serves(&scene.sentry.current_access());
        assert_eq!(scene.sentry.refreshes(), 1);
    }
}

#[test]
fn nothing_that_is_declared_on_a_table_carries_a_token_elsewhere() {
    let scene = Machine::new().session(Age::EXPIRED);
    // Where foreign keys are enforced, a copy follows what it refers to.
    scene.sql(
        "CREATE UNIQUE INDEX by_token ON accounts (token); \
         CREATE TABLE loot (token REFERENCES accounts (token) ON UPDATE CASCADE ON DELETE SET NULL); \
         INSERT INTO loot SELECT token FROM accounts",
    );
    scene.token().run().success();
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
    let loot: String = scene
        .database()
        .query_row("SELECT token FROM loot", [], |row| row.get(0))
        .unwrap();
    assert_eq!(loot, scene.pair.access);
}

#[test]
fn what_a_killed_process_left_behind_is_taken_up_and_cleared_away() {
    let scene = Machine::new().session(Age::FRESH);
    scene.killed_after("UPDATE accounts SET token = 'from-the-log'");
    assert_eq!(scene.names(), ["cli.db", "cli.db-shm", "cli.db-wal"]);
    scene.serves("from-the-log");
    // A `-shm` would keep the official CLI's WASM driver out.
    assert_eq!(scene.names(), ["cli.db"]);

    let scene = Machine::new().session(Age::FRESH);
    scene.killed_after("BEGIN IMMEDIATE; UPDATE accounts SET token = 'never-committed'");
    scene.serves(&scene.pair.access);
    scene.is_alive();
}

#[test]
fn a_recovery_file_that_is_not_ours_is_not_read_and_keeps_no_living_token() {
    type Plant = fn(&Machine, &Path);
    let plants: [Plant; 4] = [
        |scene, path| symlink(victim(scene), path).unwrap(),
        |_, path| symlink("/nowhere/at/all", path).unwrap(),
        |_, path| fs::create_dir(path).unwrap(),
        make_fifo,
    ];
    for plant in plants {
        for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
            let scene = Machine::new().session(age);
            let path = scene.file("credential.recovery");
            plant(&scene, &path);
            if age == Age::EXPIRED {
                scene.fails_with(&format!("cannot read {}: ", path.display()));
            } else {
                scene.serves(&scene.pair.access);
            }
            assert_eq!(scene.sentry.requests().len(), 0);
            assert!(path.symlink_metadata().is_ok());
        }
    }
}

#[test]
fn a_recovery_file_that_was_cut_short_is_cleared_away() {
    for content in ["", "{\"account\":\"x\",\"tok", "[]", "{}", "\0\0\0"] {
        let scene = Machine::new().session(Age::EXPIRED);
        fs::write(scene.file("credential.recovery"), content).unwrap();
        scene.is_alive();
        assert!(!scene.file("credential.recovery").exists());
    }
}

#[test]
fn no_former_secret_is_left_in_any_file() {
    for scene in [
        Machine::new().session(Age::EXPIRED),
        Machine::new().session(Age::EXPIRED).in_rollback_mode(),
        Machine::new().in_layout(Layout::Auth).session(Age::EXPIRED),
    ] {
        let dir = scene.dir();
        let gone =
            |secret: &str| assert_eq!(files_with(&dir, secret), Vec::<String>::new(), "{secret}");
        let password = "protocol=https\nhost=h.example\nusername=u\npassword=the-first-password\n";
        for (operation, description) in [
            ("store", password),
            (
                "store",
                "protocol=https\nhost=h.example\nusername=u\npassword=the-second-password\n",
            ),
            ("erase", "protocol=https\nhost=h.example\nusername=u\n"),
        ] {
            scene
                .sandbox
                .git_credential(operation)
                .stdin(description)
                .run()
                .success();
        }
        gone("the-first-password");
        gone("the-second-password");
        let first = scene.pair.clone();
        scene.is_alive();
        let second = scene.sentry.current();
        for secret in [&first.access, &first.refresh] {
            gone(secret);
        }
        // Another program may still need the row of a pair that the server rejects; a logout is the end of it.
        scene.sentry.revoke_family(&second.refresh);
        scene.refresh().run().fails(1);
        assert_eq!(scene.sandbox.stored_tokens().as_ref(), Some(&second));
        scene.sandbox.sentry(&["auth", "logout"]).run().success();
        for secret in [&second.access, &second.refresh] {
            gone(secret);
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn without_a_home_directory_nothing_is_created_and_that_is_reported() {
    let scene = Machine::new().session(Age::FRESH);
    let nowhere = |cmd: Cmd| cmd.env("HOME", "/sys/nowhere");
    scene.is_logged_out_to(nowhere);
    let store = scene.sandbox.git_credential("store");
    let store = nowhere(store.stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n"));
    let told = store.run().fails(1).stdout_is("");
    // Which reason it is depends on how /sys is mounted.
    told.stderr_has("git-credential-sentry: cannot create /sys/nowhere/.sentry: ");
}
