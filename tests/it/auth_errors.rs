//! Unusable databases, directories and variables: each gives a clear error, and nothing is lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::fake_sentry::{CLIENT_ID, FakeSentry, Pair};
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::service::tool;
use crate::storage::{names, set_mode, unprivileged};

fn machine(age: Age) -> (FakeSentry, Sandbox, Pair) {
    let sentry = FakeSentry::start();
    let sandbox = Sandbox::new().for_sentry(&sentry);
    let pair = sentry.issue();
    sandbox.seed_session(&sentry, &pair, age);
    (sentry, sandbox, pair)
}

fn git_get(sandbox: &Sandbox, sentry: &FakeSentry) -> Cmd {
    let request = format!("protocol=http\nhost={}\n\n", sentry.address());
    sandbox.git_credential("get").stdin(request)
}

fn docker_get(sandbox: &Sandbox, sentry: &FakeSentry) -> Cmd {
    sandbox.docker_credential("get").stdin(sentry.url())
}

/// Every command that reads the database.
fn readers(sandbox: &Sandbox, sentry: &FakeSentry) -> [(&'static str, Cmd); 5] {
    [
        ("status", sandbox.sentry(&["auth", "status"])),
        ("token", sandbox.sentry(&["auth", "token"])),
        ("list", sandbox.sentry(&["auth", "list"])),
        ("git get", git_get(sandbox, sentry)),
        ("docker get", docker_get(sandbox, sentry)),
    ]
}

/// The error message of a program, on the stream that its protocol prescribes.
#[track_caller]
fn failure(cmd: Cmd) -> String {
    let Output { stdout, stderr, .. } = cmd.run().fails(1);
    stdout + &stderr
}

type Damage = fn(&[u8]) -> Vec<u8>;

#[test]
fn a_damaged_database_is_named_with_what_to_do_and_left_alone() {
    let damages: [Damage; 4] = [
        |_| b"no database, but long enough to look at. ".repeat(99),
        |_| b"short".to_vec(),
        |good| good[..700].to_vec(),
        |good| good[..4096].to_vec(),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let (sentry, sandbox, _) = machine(Age::FRESH);
        let bytes = damage(&fs::read(sandbox.db()).unwrap());
        fs::write(sandbox.db(), &bytes).unwrap();
        for (who, cmd) in readers(&sandbox, &sentry) {
            let said = failure(cmd);
            assert!(
                said.contains(&format!("{} is damaged: ", sandbox.db().display()))
                    && said
                        .replace("git credential-sentry", "sentry auth")
                        .contains("`sentry auth doctor --repair`"),
                "{number}, {who}: {said}"
            );
        }
        let login = sandbox.sentry(&["auth", "login", "--with-token"]);
        login.stdin("api-token").run().fails(1);
        assert_eq!(fs::read(sandbox.db()).unwrap(), bytes, "{number}");
        assert_eq!(names(&sandbox.config_dir()), ["cli.db"], "{number}");
        assert_eq!(sentry.requests().len(), 0, "{number}");
    }
}

#[test]
fn a_damaged_database_does_not_keep_the_environments_token_from_git_and_docker() {
    let (sentry, sandbox, _) = machine(Age::FRESH);
    fs::write(sandbox.db(), "garbage".repeat(600)).unwrap();
    for cmd in [git_get(&sandbox, &sentry), docker_get(&sandbox, &sentry)] {
        let served = cmd.env("SENTRY_TOKEN", "from-the-environment").run();
        served.success().stdout_has("from-the-environment");
    }
}

#[test]
fn a_database_without_our_columns_is_refused_and_one_without_our_tables_is_empty() {
    let sentry = FakeSentry::start();
    let with = |sql: &str| {
        let sandbox = Sandbox::new().for_sentry(&sentry);
        sandbox.create_store().execute_batch(sql).unwrap();
        sandbox
    };
    let sandbox = with("CREATE TABLE accounts (account_id TEXT PRIMARY KEY, token TEXT)");
    for (who, cmd) in readers(&sandbox, &sentry) {
        let said = failure(cmd);
        let expected = format!(
            "cannot use {}: no such column: host",
            sandbox.db().display()
        );
        assert!(said.contains(&expected), "{who}: {said}");
    }
    let empty = with("PRAGMA user_version = 1");
    let status = empty.sentry(&["auth", "status"]).run().fails(1);
    status.stderr_has("not logged in to ");
    // A newer official CLI may store its logins in a table of another name; a login here would not help.
    let sandbox = with("CREATE TABLE notes (text)");
    let told = format!(
        "{} has no table for logins that this version knows; a newer `sentry-credential` is needed\n",
        sandbox.db().display()
    );
    for command in ["status", "list", "hosts", "token", "whoami", "logout"] {
        let refused = sandbox.sentry(&["auth", command]).run().fails(1);
        refused.stdout_is("").stderr_is(&format!("error: {told}"));
    }
    let setup = sandbox.sentry(&["auth", "setup-git", "--host", "git.example"]);
    setup.run().fails(1).stderr_is(&format!("error: {told}"));
    let doctor = sandbox.sentry(&["auth", "doctor"]).run().fails(1);
    doctor.stdout_has(&format!("problem  database: {told}"));
    let tables: i64 = sandbox
        .database()
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn what_could_leak_tokens_is_refused() {
    for planted in [
        "CREATE TRIGGER t AFTER UPDATE ON accounts BEGIN SELECT 1; END",
        "ALTER TABLE accounts RENAME TO a; CREATE VIEW accounts AS SELECT * FROM a",
    ] {
        let (sentry, sandbox, _) = machine(Age::FRESH);
        sandbox.database().unwrap().execute_batch(planted).unwrap();
        for (who, cmd) in readers(&sandbox, &sentry) {
            let said = failure(cmd);
            let refusal = format!("refusing to use {}: it has a ", sandbox.db().display());
            assert!(said.contains(&refusal), "{who}: {said}");
        }
    }
}

type Plant = fn(&Sandbox);

fn other(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("other")
}

#[test]
fn what_is_no_plain_file_of_ours_is_refused() {
    let plants: [(&str, Plant); 4] = [
        ("it is not a regular file", |sandbox| {
            fs::rename(sandbox.db(), other(sandbox)).unwrap();
            symlink(other(sandbox), sandbox.db()).unwrap();
        }),
        ("it is not a regular file", |sandbox| {
            fs::remove_file(sandbox.db()).unwrap();
            let fifo = sandbox.command("mkfifo").arg(sandbox.db());
            fifo.run().success();
        }),
        ("it is not a regular file", |sandbox| {
            fs::remove_file(sandbox.db()).unwrap();
            fs::create_dir(sandbox.db()).unwrap();
        }),
        ("it has a second name (hard link)", |sandbox| {
            fs::hard_link(sandbox.db(), other(sandbox)).unwrap();
        }),
    ];
    for (why, plant) in plants {
        let (sentry, sandbox, _) = machine(Age::FRESH);
        plant(&sandbox);
        for (who, cmd) in readers(&sandbox, &sentry) {
            let said = failure(cmd);
            let refusal = format!("refusing to use {}: {why}", sandbox.db().display());
            assert!(said.contains(&refusal), "{who}: {said}");
        }
    }
}

#[test]
fn a_valid_token_is_served_from_a_directory_that_cannot_be_written() {
    for age in [Age::FRESH, Age::STALE] {
        let (sentry, sandbox, pair) = machine(age);
        set_mode(&sandbox.config_dir(), 0o500);
        let token = unprivileged(sandbox.sentry(&["auth", "token"])).run();
        token.success().stdout_is(&format!("{}\n", pair.access));
        for cmd in [git_get(&sandbox, &sentry), docker_get(&sandbox, &sentry)] {
            let served = unprivileged(cmd).run();
            served.success().stdout_has(&pair.access);
        }
        assert_eq!(names(&sandbox.config_dir()), ["cli.db"]);
        assert_eq!(sentry.refresh_attempts(), 0);
        set_mode(&sandbox.config_dir(), 0o700);
    }
}

#[test]
fn an_expired_token_is_not_refreshed_where_nothing_can_be_written() {
    let (sentry, sandbox, pair) = machine(Age::EXPIRED);
    set_mode(&sandbox.config_dir(), 0o500);
    let token = unprivileged(sandbox.sentry(&["auth", "token"])).run();
    token.fails(1).stdout_is("").stderr_is(&format!(
        "error: the token for {} has expired and cannot be refreshed now: cannot use the lock file \
         {}/credential.lock: permission denied\n",
        sentry.url(),
        sandbox.config_dir().display()
    ));
    let dir = sandbox.config_dir().display().to_string();
    let report = unprivileged(sandbox.sentry(&["auth", "doctor"])).run();
    report.fails(1).stdout_has(&format!(
        "problem  directory: {dir} cannot be written: a token that is still valid is served, none is refreshed\n         \
         hint: `chmod 700 {dir}`\n"
    ));
    assert_eq!(sentry.refresh_attempts(), 0);
    set_mode(&sandbox.config_dir(), 0o700);
    assert_eq!(sandbox.stored_tokens(), Some(pair));
}

#[test]
fn a_file_that_cannot_be_read_is_reported() {
    let (sentry, sandbox, pair) = machine(Age::FRESH);
    for (path, closed, open) in [
        (sandbox.db(), 0o000, 0o600),
        (sandbox.config_dir(), 0o000, 0o700),
    ] {
        set_mode(&path, closed);
        for (who, cmd) in readers(&sandbox, &sentry) {
            let said = failure(unprivileged(cmd));
            let expected = format!("cannot open {}: permission denied", sandbox.db().display());
            assert!(said.contains(&expected), "{who}: {said}");
        }
        let report = unprivileged(sandbox.sentry(&["auth", "doctor"])).run();
        let report = report
            .fails(1)
            .stdout_has("problem  database: cannot open ");
        report.never_says("not logged in");
        set_mode(&path, open);
    }
    assert_eq!(sandbox.stored_tokens(), Some(pair));
}

#[test]
fn the_doctor_sees_a_directory_that_cannot_be_listed_or_searched() {
    let (_sentry, sandbox, _) = machine(Age::FRESH);
    let dir = sandbox.config_dir();
    for closed in [0o600, 0o300] {
        set_mode(&dir, closed);
        let report = unprivileged(sandbox.sentry(&["auth", "doctor"])).run();
        set_mode(&dir, 0o700);
        let dir = dir.display();
        report.fails(1).stdout_has(&format!(
            "problem  directory: {dir} cannot be read\n         hint: `chmod 700 {dir}`\n"
        ));
    }
}

#[test]
fn a_read_only_database_file_serves_and_is_not_refreshed() {
    let (sentry, sandbox, pair) = machine(Age::STALE);
    set_mode(&sandbox.db(), 0o400);
    let token = unprivileged(sandbox.sentry(&["auth", "token"])).run();
    token.success().stdout_is(&format!("{}\n", pair.access));
    // The proof that the disk can be written comes before the refresh token is spent.
    assert_eq!(sentry.refresh_attempts(), 0);
    let report = unprivileged(sandbox.sentry(&["auth", "doctor"])).run();
    report
        .fails(1)
        .stdout_has("problem  files: ")
        .stdout_has("cli.db cannot be written");
    let logout = unprivileged(sandbox.sentry(&["auth", "logout"])).run();
    logout.fails(1).stderr_is(&format!(
        "error: cannot write {}: permission denied\n",
        sandbox.db().display()
    ));
}

#[test]
fn relative_directories_are_refused_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    for (name, other) in [("HOME", None), ("SENTRY_CONFIG_DIR", Some("/nowhere"))] {
        for args in [["auth", "status"], ["auth", "list"], ["auth", "logout"]] {
            let cmd = sandbox.sentry(&args).env(name, "relative");
            let cmd = other.map_or(cmd.clone(), |home| cmd.env("HOME", home));
            cmd.run()
                .fails(1)
                .stdout_is("")
                .stderr_is(&format!("error: {name} must be an absolute path\n"));
        }
    }
    let request = "protocol=https\nhost=sentry.io\n\n";
    let get = sandbox.git_credential("get").env("HOME", "relative");
    get.stdin(request)
        .run()
        .fails(1)
        .stdout_is("")
        .stderr_has("HOME must be an absolute path");
    assert!(names(&sandbox.home()).is_empty());
}

#[test]
fn without_home_the_configured_directory_counts() {
    let (_sentry, sandbox, pair) = machine(Age::FRESH);
    let token = sandbox.sentry(&["auth", "token"]).env_remove("HOME");
    let token = token.env("SENTRY_CONFIG_DIR", sandbox.config_dir()).run();
    token.success().stdout_is(&format!("{}\n", pair.access));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn without_home_or_with_an_empty_one_the_password_database_is_asked() {
    let sandbox = Sandbox::new();
    // As `nobody`, who has no home directory: the developer's is not involved. The program is copied to where `nobody`
    // can start it.
    set_mode(sandbox.root(), 0o755);
    let program = sandbox.root().join("sentry");
    sandbox.copy(env!("CARGO_BIN_EXE_sentry"), &program);
    let as_nobody = match rustix::process::geteuid().is_root() {
        true => vec![
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ],
        false => vec!["unshare", "--user", "--map-user=65534"],
    };
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let home = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find_map(|fields| (fields.get(2) == Some(&"65534")).then(|| fields[5].to_owned()));
    let sentry = FakeSentry::start();
    let doctor = sandbox
        .command(tool(as_nobody[0]))
        .args(&as_nobody[1..])
        .arg(&program)
        .args(["auth", "doctor"])
        .env("SENTRY_URL", sentry.url())
        .env("SENTRY_CLIENT_ID", CLIENT_ID)
        .current_dir("/");
    let line = format!(
        "ok       directory: {}/.sentry does not exist yet; a login creates it\n",
        home.expect("nobody")
    );
    for doctor in [
        doctor.clone().env_remove("HOME"),
        doctor.clone().env("HOME", ""),
    ] {
        doctor.run().success().stdout_has(&line);
    }
    let blank = doctor.env("HOME", "  ").run().fails(1);
    blank.stdout_has("there is no home directory: set HOME");
}

#[test]
fn help_is_a_word_too() {
    let sandbox = Sandbox::new();
    for (word, option) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "auth"], &["auth", "--help"]),
        (&["auth", "help"], &["auth", "--help"]),
        (&["auth", "help", "login"], &["auth", "login", "--help"]),
        (&["help", "auth", "exec"], &["auth", "exec", "--help"]),
    ] {
        let expected = sandbox.sentry(option).run().success().stdout;
        sandbox.sentry(word).run().success().stdout_is(&expected);
    }
    sandbox.sentry(&["auth", "help", "no-such"]).run().fails(2);
}

#[test]
fn each_shell_has_its_completions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.sentry(&["auth", "completions", shell]).run();
        let script = script.success().stderr_is("");
        for word in ["auth", "setup-docker", "doctor", "with-token"] {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
        if shell == "bash" {
            let check = sandbox.command("bash").arg("-n").stdin(&script.stdout);
            check.run().success().stderr_is("");
        }
    }
    sandbox
        .sentry(&["auth", "completions", "tcsh"])
        .run()
        .fails(2)
        .stdout_is("")
        .stderr_has("possible values");
}
