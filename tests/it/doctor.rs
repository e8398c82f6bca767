//! `sentry auth doctor`: the report on a healthy machine, and on each problem.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use crate::fake_sentry::{Answer, Endpoint, FakeSentry};
use crate::keyring::Keyring;
use crate::machine::Machine;
use crate::sandbox::{Age, Layout, Output, Sandbox};
use crate::storage::{digest, set_mode};

/// A machine with a session, whose store has the tables of this program: its first change makes them.
fn logged_in() -> Machine {
    let machine = Machine::new().session(Age::FRESH);
    let switch = ["auth", "switch", &machine.sentry.url()];
    machine.sandbox.sentry(&switch).run().success();
    machine
}

impl Machine {
    fn bind(&self, server: &str) {
        let url = self.sentry.url();
        self.sql(&format!(
            "INSERT INTO helper_binding (server, origin, username, signed_out) VALUES ('{server}', '{url}', NULL, 0)"
        ));
    }

    #[track_caller]
    fn git_config(&self, key: &str, value: &str) {
        let config = ["config", "--global", "--add", key, value];
        self.sandbox.command("git").args(config).run().success();
    }

    fn docker_config(&self, value: &Value) {
        let dir = self.sandbox.home().join(".docker");
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join("config.json"), value.to_string()).expect("a file");
    }

    /// The report, which shows no secret.
    #[track_caller]
    fn doctor(&self) -> Output {
        let report = self.sandbox.sentry(&["auth", "doctor"]).run();
        report
            .never_says(&self.pair.access)
            .never_says(&self.pair.refresh)
    }

    /// The report has these lines.
    #[track_caller]
    fn warns(&self, lines: &str) {
        self.doctor().success().stdout_has(lines);
    }

    /// The report has these lines, and they are a problem.
    #[track_caller]
    fn complains(&self, lines: &str) {
        self.doctor().fails(1).stdout_has(lines);
    }
}

fn time(millis: Option<i64>) -> String {
    let seconds = millis.expect("a time") / 1000;
    jiff::Timestamp::from_second(seconds)
        .expect("a time")
        .to_string()
}

/// What the report begins with.
fn version(sandbox: &Sandbox) -> String {
    let of = |name: &str| {
        let version = sandbox.command(name).arg("--version").run().success();
        version.stdout.lines().next().expect("a line").to_owned()
    };
    let musl = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "glibc"
    };
    format!(
        "ok       version: sentry-credential {} ({} {} with {musl}); {}; {}; {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        of("git"),
        of("docker"),
        of("podman"),
    )
}

fn programs() -> PathBuf {
    let sentry = Path::new(env!("CARGO_BIN_EXE_sentry"));
    sentry.parent().expect("a directory").to_owned()
}

fn write_program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, script).expect("a file");
    set_mode(path, 0o755);
}

#[test]
fn a_healthy_machine_is_told_so_line_by_line() {
    let machine = logged_in();
    machine.git_config("credential.helper", "store");
    for setup in [
        ["setup-git", "--host", "git.example"],
        ["setup-docker", "--registry", "registry.example"],
    ] {
        machine
            .sandbox
            .sentry(&["auth"])
            .args(setup)
            .run()
            .success();
    }
    let before = machine.sandbox.stored_row();
    let (url, dir, programs) = (
        machine.sentry.url(),
        machine.dir().display().to_string(),
        programs().display().to_string(),
    );
    let until = time(before.as_ref().unwrap().expires_at);
    let version = version(&machine.sandbox);
    let report = format!(
        "\
{version}
ok       directory: {dir} is private
ok       files: the files in it are private
ok       database: {dir}/cli.db is intact (schema 21, journal mode wal)
ok       lock: free
ok       environment: no token
ok       instance: {url}, from SENTRY_URL
ok       session: jane at {url}: expires at {until}; refreshed automatically
ok       server: {url} accepts the token
ok       clock: no server reported the time
ok       keyring: off
ok       programs: `sentry` is {programs}/sentry
ok       programs: `git-credential-sentry` is {programs}/git-credential-sentry
ok       programs: `docker-credential-sentry` is {programs}/docker-credential-sentry
ok       git: git calls this program for https://git.example
ok       docker: docker calls this program for registry.example
ok       host: https://git.example (git) gets the token of jane at {url}
ok       host: registry.example (docker) gets the token of jane at {url}
ok       network: to {url}: this machine itself
"
    );
    machine.doctor().success().stdout_is(&report).stderr_is("");
    assert_eq!(machine.sandbox.stored_row(), before);
    assert_eq!(machine.sentry.requests().len(), 1);
}

#[test]
fn on_a_new_machine_only_the_network_may_be_wrong_and_nothing_is_made() {
    let sandbox = Sandbox::new().env("HTTPS_PROXY", "http://127.0.0.1:1");
    let version = version(&sandbox);
    let (dir, programs) = (
        sandbox.config_dir().display().to_string(),
        programs().display().to_string(),
    );
    let report = format!(
        "\
{version}
ok       directory: {dir} does not exist yet; a login creates it
ok       environment: no token
ok       instance: https://sentry.io, the default
warning  session: not logged in
         hint: `sentry auth login`
problem  server: cannot reach https://sentry.io: cannot connect to sentry.io: the proxy 127.0.0.1:1 (HTTPS_PROXY) cannot be \
reached (connection refused)
         hint: `export HTTPS_PROXY=PROXY` names another proxy, and `unset HTTPS_PROXY` none
ok       clock: no server reported the time
ok       keyring: off
ok       programs: `sentry` is {programs}/sentry
ok       programs: `git-credential-sentry` is {programs}/git-credential-sentry
ok       programs: `docker-credential-sentry` is {programs}/docker-credential-sentry
ok       git: no host is set up
ok       docker: no registry is set up
ok       network: to https://sentry.io: http://127.0.0.1:1, from HTTPS_PROXY; the system's authorities
"
    );
    let doctor = sandbox.sentry(&["auth", "doctor"]).run();
    doctor.fails(1).stdout_is(&report).stderr_is("");
    assert!(!sandbox.config_dir().exists());
}

#[test]
fn json_says_the_same_in_one_object() {
    let machine = logged_in();
    machine.sql("UPDATE accounts SET token = NULL, refresh_token = NULL");
    let doctor = machine.sandbox.sentry(&["auth", "doctor", "--json"]);
    let report: Value = serde_json::from_str(&doctor.run().fails(1).stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    let checks = report["checks"].as_array().expect("an array");
    let of = |name: &str| checks.iter().find(|check| check["name"] == name);
    let url = machine.sentry.url();
    assert_eq!(
        of("session"),
        Some(&json!({
            "name": "session",
            "state": "problem",
            "message": format!("jane at {url} has ended"),
            "hint": format!("`sentry auth login --url {url} --force`"),
        }))
    );
    assert_eq!(
        of("lock"),
        Some(&json!({"name": "lock", "state": "ok", "message": "free", "hint": null}))
    );
    let lines = machine.doctor().stdout;
    assert_eq!(
        lines
            .lines()
            .filter(|line| !line.starts_with("         hint: "))
            .count(),
        checks.len()
    );
}

#[test]
fn what_others_can_read_or_write_is_told_with_the_command_that_ends_it() {
    let machine = logged_in();
    let dir = machine.dir();
    let shown = dir.display();
    set_mode(&dir, 0o755);
    machine.warns(&format!(
        "warning  directory: {shown} is readable by other users\n         hint: `chmod 700 {shown}`\n"
    ));
    set_mode(&dir, 0o777);
    machine.complains(&format!(
        "problem  directory: others may write {shown}\n         hint: `chmod 700 {shown}`\n"
    ));
    set_mode(&dir, 0o700);
    set_mode(&machine.sandbox.db(), 0o644);
    machine.warns(&format!(
        "warning  files: {shown}/cli.db is readable by other users\n         hint: `chmod 600 {shown}/cli.db`\n"
    ));
    machine.warns("ok       files: the files in it are private\n");
    fs::remove_file(dir.join("login.lock")).unwrap();
    symlink("/dev/null", dir.join("login.lock")).unwrap();
    machine.complains(&format!(
        "problem  files: {shown}/login.lock is not a regular file\n         \
         hint: `mv {shown}/login.lock {shown}/login.lock.old`\n"
    ));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn what_other_runs_left_behind_is_told() {
    let machine = logged_in();
    let dir = machine.dir();
    let shown = dir.display();
    fs::write(dir.join("credential.recovery"), "").unwrap();
    set_mode(&dir.join("credential.recovery"), 0o600);
    machine.warns(&format!(
        "warning  files: a token that could not be written to the database is in {shown}/credential.recovery\n         \
         hint: `sentry auth list` imports it\n"
    ));
    for name in ["cli.db.corrupt-5", "cli.db-wal.corrupt-5"] {
        fs::write(dir.join(name), "").unwrap();
    }
    machine.warns(&format!(
        "warning  files: {shown}/cli.db-wal.corrupt-5 was set aside and may hold tokens\n         \
         hint: `rm {shown}/cli.db-wal.corrupt-5 {shown}/cli.db.corrupt-5`\n"
    ));
    let mutex = dir.join("cli.db.lock");
    fs::create_dir(&mutex).unwrap();
    machine
        .sandbox
        .command("touch")
        .args(["-d", "2 minutes ago"])
        .arg(&mutex)
        .run()
        .success();
    machine.warns(&format!(
        "warning  files: {shown}/cli.db.lock was left behind by a program that crashed\n         \
         hint: `rmdir {shown}/cli.db.lock`\n"
    ));
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "/proc/locks")]
fn whoever_holds_a_lock_is_named() {
    let machine = logged_in();
    let lock = |name: &str| {
        let file = File::create(machine.dir().join(name)).unwrap();
        set_mode(&machine.dir().join(name), 0o600);
        flock(&file, FlockOperation::LockExclusive).unwrap();
        file
    };
    let us = std::process::id();
    let login = lock("login.lock");
    machine.warns(&format!(
        "ok       lock: free; process {us} waits for a login to be approved\n"
    ));
    drop(login);
    let _held = lock("credential.lock");
    machine.warns(&format!(
        "warning  lock: process {us} holds the lock; others wait for it, for about 20 seconds at most\n"
    ));
}

#[test]
fn a_token_in_the_environment_is_held_against_what_is_stored() {
    let machine = logged_in().env("SENTRY_TOKEN", "from-the-environment");
    machine.sentry.add_api_token("from-the-environment");
    let url = machine.sentry.url();
    machine.warns(&format!(
        "warning  environment: the token in SENTRY_TOKEN is used before the stored session of {url}\n         \
         hint: `unset SENTRY_TOKEN`\n"
    ));
    let machine = machine.env("SENTRY_AUTH_TOKEN", "of-nobody");
    machine.complains(
        "warning  environment: the token in SENTRY_AUTH_TOKEN is used, the one in SENTRY_TOKEN is not\n         \
         hint: `unset SENTRY_TOKEN`, or SENTRY_AUTH_TOKEN\n",
    );
    let report = machine.doctor().stdout_has(&format!(
        "problem  server: {url} does not accept the token\n         hint: `unset SENTRY_AUTH_TOKEN`, or set it to another token\n\
         ok       server: {url} accepts the token\n"
    ));
    report
        .never_says("of-nobody")
        .never_says("from-the-environment");
    let machine = machine.env("SENTRY_AUTH_TOKEN", "two words");
    machine.complains("problem  environment: cannot use the value of SENTRY_AUTH_TOKEN: ");
    // {"url":"https://other.example"}
    let token = "sntrys_eyJ1cmwiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ==_x";
    let machine = machine.env("SENTRY_AUTH_TOKEN", token);
    machine.complains(&format!(
        "problem  environment: the token in SENTRY_AUTH_TOKEN belongs to https://other.example, but the environment \
         names {url}\n         hint: "
    ));
}

#[test]
fn variables_that_name_an_instance_are_weighed() {
    let machine = logged_in();
    let url = machine.sentry.url();
    let another = FakeSentry::start();
    let other = another.url();
    let machine = machine.env("SENTRY_HOST", &other);
    machine.warns(&format!(
        "warning  instance: {other}: SENTRY_HOST overrides SENTRY_URL, which names another instance\n         \
         hint: `unset SENTRY_HOST`, or SENTRY_URL\n",
    ));
    let machine = machine.env("SENTRY_HOST", "").env("SENTRY_URL", &other);
    machine.warns(&format!("ok       instance: {other}, from SENTRY_URL\n"));
    let machine = machine.env("SENTRY_CLIENT_ID", "");
    machine.complains(&format!(
        "warning  instance: {other}, from SENTRY_URL; a login there needs SENTRY_CLIENT_ID too\n",
    ));
    let machine = machine.env("SENTRY_URL", "");
    machine.complains(&format!(
        "ok       instance: {url}, the active session's\n\
         problem  session: jane at {url}: cannot be refreshed, because its OAuth client id is not known\n         \
         hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with\n"
    ));
    let machine = machine.env("SENTRY_URL", "http://user:pass@other.example");
    machine.complains("problem  instance: cannot use the value of SENTRY_URL: ");
    machine.doctor().never_says("pass@");
}

#[test]
fn each_state_of_a_session_has_its_line() {
    let machine = logged_in();
    let url = machine.sentry.url();
    let mark = |columns: &str, values: &str| {
        machine.sql(&format!(
            "INSERT OR REPLACE INTO helper_session (account, origin, {columns}) \
             SELECT account_id, host, {values} FROM accounts"
        ));
    };
    mark(
        "intent, intent_at",
        &format!("{}, 1000", digest(&machine.pair.refresh)),
    );
    machine.warns(&format!(
        "warning  session: jane at {url}: a refresh was begun at 1970-01-01T00:00:01Z, and its outcome is unknown\n         \
         hint: `sentry auth refresh --url {url}`\n"
    ));
    mark("suspect", &digest(&machine.pair.access));
    machine.warns(&format!(
        "warning  session: jane at {url}: git reported the token as rejected\n         \
         hint: `sentry auth status --url {url}` asks Sentry\n"
    ));
    mark("retry_at", "4102444800000");
    machine.sql("UPDATE accounts SET expires_at = 2000");
    machine.warns(&format!(
        "warning  session: jane at {url}: the last refresh failed; the next attempt is after 2100-01-01T00:00:00Z\n         \
         hint: `sentry auth refresh --url {url}`\n"
    ));
    mark("suspect", "NULL");
    machine.sentry.expire(&machine.pair.access);
    machine.warns(&format!(
        "ok       session: jane at {url}: expires at 1970-01-01T00:00:02Z; the next use refreshes it\n\
         ok       server: {url} answers\n"
    ));
    machine.sql("UPDATE accounts SET refresh_token = NULL");
    machine.complains(&format!(
        "problem  session: jane at {url}: the API token has expired\n         \
         hint: `sentry auth login --url {url} --force`\n"
    ));
    machine.sql("UPDATE accounts SET expires_at = NULL");
    machine.complains(&format!(
        "ok       session: jane at {url}: an API token, does not expire\n\
         problem  server: {url} does not accept the token\n         \
         hint: `sentry auth login --url {url} --force`\n"
    ));
}

#[test]
fn a_database_of_an_older_cli_is_as_good() {
    let sentry = FakeSentry::start();
    let sandbox = Sandbox::new().for_sentry(&sentry);
    sandbox.seed_session_in(Layout::Auth, &sentry, &sentry.issue(), Age::FRESH);
    let report = sandbox.sentry(&["auth", "doctor"]).run().success();
    report
        .stdout_has("is intact (schema 16, journal mode wal)\n")
        .stdout_has("ok       session: jane at ");
}

#[test]
fn a_server_that_rejects_or_does_not_answer_is_a_problem() {
    let machine = logged_in();
    let url = machine.sentry.url();
    machine.sentry.expire(&machine.pair.access);
    machine.complains(&format!(
        "problem  server: {url} does not accept the token\n         \
         hint: `sentry auth refresh --force --url {url}`\n"
    ));
    machine
        .sentry
        .fault_always(Endpoint::Api, Answer::new(502, "text/html", "<html>"));
    machine.complains(&format!(
        "problem  server: cannot check the token with {url}: the server answered HTTP 502; `curl -v {url}/api/0/` shows more\n"
    ));
    assert_eq!(machine.sentry.refresh_attempts(), 0);
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let machine = logged_in();
    let url = machine.sentry.url();
    let at = |date: &str| {
        let answer = Answer::json(
            200,
            &json!({"version": "0", "auth": {"scopes": []}, "user": {"username": "jane"}}),
        );
        machine
            .sentry
            .fault(Endpoint::Api, answer.header("Date", date));
        machine.doctor().success()
    };
    let now = jiff::Timestamp::now();
    let now = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .expect("a date");
    at(&now).stdout_has(&format!("ok       clock: agrees with {url}\n"));
    at("Sun, 06 Nov 1994 08:49:37 GMT")
        .stdout_has(&format!(" seconds ahead of {url}\n"))
        .stdout_has("         hint: `timedatectl set-ntp true`\n");
    at("Fri, 06 Nov 2099 08:49:37 GMT")
        .stdout_has(&format!(" seconds behind {url}\n"))
        .stdout_has("warning  clock: ");
    machine.sql("UPDATE accounts SET issued_at = 4102444800000, expires_at = 4102444900000");
    machine.warns(&format!(
        "warning  clock: the token of {url} was issued in the future: this clock was wrong then, or is now\n"
    ));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_keyring_is_asked_only_when_the_mirror_is_on() {
    let mut keyring = Keyring::start();
    let machine = logged_in().env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    machine.warns("ok       keyring: off\n");
    let machine = machine.env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    let url = machine.sentry.url();
    machine.warns(&format!(
        "warning  keyring: the copy of the token of {url} differs from the stored one\n         \
         hint: `sentry auth refresh --force --url {url}`\n"
    ));
    let refresh = machine.sandbox.sentry(&["auth", "refresh", "--force"]);
    refresh.run().success();
    machine.warns("ok       keyring: in sync\n");
    keyring.fall_silent();
    machine.warns(
        "warning  keyring: tokens cannot be copied: it does not respond\n         \
         hint: `export SENTRY_CREDENTIAL_KEYRING=off`, or unlock it\n",
    );
    let machine = machine.env("DBUS_SESSION_BUS_ADDRESS", "unixexec:path=/bin/true");
    machine.warns(
        "warning  keyring: tokens are not copied: the session bus address is not a `unix:` address\n",
    );
}

#[test]
fn other_programs_of_our_names_are_told_apart() {
    let machine = logged_in();
    let (root, ours) = (machine.sandbox.root().to_owned(), programs());
    let dir = ours.display();
    let first = format!("         hint: `export PATH={dir}:\"$PATH\"`\n");
    let official = root.join("official/sentry");
    write_program(&official, "#!/bin/sh\n");
    let path = |dirs: &[&Path]| {
        let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        format!("{}:/usr/local/bin:/usr/bin:/bin", dirs.join(":"))
    };
    let machine = machine.env("PATH", path(&[&root.join("official"), &ours]));
    machine.warns(&format!(
        "warning  programs: `sentry` is {}, another program, such as Sentry's own CLI; this one is in {dir}\n{first}",
        official.display()
    ));
    let machine = machine.env("PATH", path(&[&ours, &root.join("official")]));
    machine.warns(&format!(
        "ok       programs: `sentry` is {dir}/sentry; what is not `auth` goes to {}\n",
        official.display()
    ));
    write_program(&root.join("official/git-credential-sentry"), "#!/bin/sh\n");
    let machine = machine.env("PATH", path(&[&root.join("official"), &ours]));
    machine.warns(&format!(
        "warning  programs: `git-credential-sentry` is {}, of another installation of this program; this one is in \
         {dir}\n{first}",
        root.join("official/git-credential-sentry").display()
    ));
    // A link to ours is ours.
    fs::create_dir(root.join("bin")).unwrap();
    symlink(ours.join("sentry"), root.join("bin/sentry")).unwrap();
    let machine = machine.env("PATH", path(&[&root.join("bin")]));
    machine.warns(&format!(
        "ok       programs: `sentry` is {}/bin/sentry\n\
         warning  programs: `git-credential-sentry` is not on PATH\n{first}\
         warning  programs: `docker-credential-sentry` is not on PATH\n{first}",
        root.display()
    ));
}

#[test]
fn git_that_asks_others_or_nobody_is_told() {
    let machine = logged_in();
    let url = machine.sentry.url();
    machine.bind("git https://git.example");
    let fix =
        format!("         hint: `sentry auth setup-git --host https://git.example --url {url}`\n");
    machine.complains(&format!(
        "problem  git: git does not call this program for https://git.example\n{fix}"
    ));
    machine.git_config("credential.helper", "store --file=/x");
    machine.git_config("credential.https://git.example.helper", "sentry");
    machine.warns(&format!(
        "warning  git: for https://git.example git also calls `store`, which may store a copy of the token\n{fix}"
    ));
    machine.git_config(
        "credential.https://new.example.helper",
        "!f() { echo password=hunter2; }; f",
    );
    machine.git_config("credential.https://new.example.helper", "sentry");
    let report = machine.doctor().success().stdout_has(
        "warning  git: git calls this program for https://new.example, which is bound to no instance\n         \
         hint: `sentry auth setup-git --host https://new.example`\n",
    );
    report.never_says("hunter2");
    let machine = machine.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    machine.complains(&format!(
        "problem  git: git is configured to call `sentry`, but `git-credential-sentry` is not on PATH\n         \
         hint: `export PATH={}:\"$PATH\"`\n",
        programs().display()
    ));
}

#[test]
fn a_host_of_one_repository_is_not_missed_elsewhere() {
    let machine = logged_in();
    let repository = machine.sandbox.home().join("a repository");
    let init = machine.sandbox.command("git").args(["init", "--quiet"]);
    init.arg(&repository).run().success();
    let args = ["auth", "setup-git", "--local", "--host", "git.example"];
    let setup = machine.sandbox.sentry(&args).current_dir(&repository);
    setup.run().success();
    machine.warns("ok       git: no host is set up\n");
    let doctor = machine.sandbox.sentry(&["auth", "doctor"]);
    let report = doctor.current_dir(&repository).run().success();
    report.stdout_has("ok       git: git calls this program for https://git.example\n");
}

#[test]
fn paths_that_are_dead_are_told() {
    let machine = logged_in();
    machine.git_config("credential.helper", "/opt/old/git-credential-sentry");
    let file = |machine: &Machine| {
        let file = machine.sandbox.home().join(".gitconfig");
        file.display().to_string()
    };
    machine.complains(&format!(
        "problem  git: git is configured to run /opt/old/git-credential-sentry, which does not exist\n         \
         hint: `git config --file {} --unset-all credential.helper /opt/old/git-credential-sentry`\n",
        file(&machine)
    ));
    let machine = logged_in();
    machine.git_config(
        "credential.helper",
        "!'/opt/old/gh' auth --password hunter2",
    );
    machine.warns(&format!(
        "warning  git: git is configured to run /opt/old/gh, which does not exist\n         \
         hint: `git config --file {} --unset-all credential.helper /opt/old/gh`\n",
        file(&machine)
    ));
    machine.doctor().never_says("hunter2");
}

#[test]
fn a_helper_that_git_cannot_run_is_not_called() {
    for value in [
        "/opt/old/git-credential-sentry",
        "sentry --verbose",
        "\"sentry\"",
    ] {
        let machine = logged_in();
        let bound = [
            "auth",
            "setup-git",
            "g.example",
            "--url",
            "https://s.example",
        ];
        machine.sandbox.sentry(&bound).run().success();
        let key = "credential.https://g.example.helper";
        let replace = machine.sandbox.command("git");
        let replace = replace.args(["config", "--global", "--replace-all", key, value]);
        replace.run().success();
        let report = machine.doctor().fails(1);
        assert!(
            !report.stdout.contains("ok       git: "),
            "{value}: {}",
            report.stdout
        );
    }
}

#[test]
fn docker_that_asks_others_or_nobody_is_told() {
    let machine = logged_in();
    let url = machine.sentry.url();
    machine.bind("docker registry.example");
    let fix = format!(
        "         hint: `sentry auth setup-docker --registry registry.example --url {url}`\n"
    );
    let unasked =
        format!("problem  docker: docker does not call this program for registry.example\n{fix}");
    machine.complains(&unasked);
    machine.docker_config(&json!({"credsStore": "sentry"}));
    machine.warns("ok       docker: docker calls this program for registry.example\n");
    machine.docker_config(
        &json!({"credsStore": "sentry", "credHelpers": {"registry.example": "pass"}}),
    );
    machine.complains(&unasked);
    // By the client's rule: a registry is looked up by the host as it is typed.
    machine.docker_config(
        &json!({"credsStore": "sentry", "credHelpers": {"https://registry.example/": "pass"}}),
    );
    machine.warns("ok       docker: docker calls this program for registry.example\n");
    machine.docker_config(&json!({"credHelpers": {"https://registry.example": "sentry"}}));
    let config = machine.sandbox.home().join(".docker/config.json");
    machine.complains(&format!(
        "{unasked}warning  docker: docker never looks up `credHelpers.https://registry.example` in {}: a registry is \
         looked up by its host\n{fix}",
        config.display()
    ));
    machine.docker_config(
        &json!({"credHelpers": {"REGISTRY.example": "sentry", "new.example": "sentry"}}),
    );
    machine.warns(
        "warning  docker: docker calls this program for new.example, which is bound to no instance\n         \
         hint: `sentry auth setup-docker --registry new.example`\n\
         ok       docker: docker calls this program for REGISTRY.example\n",
    );
    machine.sql("UPDATE helper_binding SET signed_out = 1");
    machine.warns(&format!(
        "warning  docker: registry.example was signed out: docker gets no token for it\n         \
         hint: `sentry auth setup-docker --registry REGISTRY.example --url {url}`\n",
    ));
    let path = machine.sandbox.home().join(".docker/config.json");
    fs::write(&path, "{\"credHelpers\": hunter2}").unwrap();
    let report = machine.doctor().fails(1).stdout_has(&format!(
        "problem  docker: {} is not a JSON object as docker writes it; correct it by hand\n",
        path.display()
    ));
    // Nor can a set-up change it.
    assert!(
        !report.stdout.contains("docker does not ask"),
        "{}",
        report.stdout
    );
    report.never_says("hunter2");
}

#[test]
fn podman_has_a_file_of_its_own_and_docker_needs_its_helper_on_path() {
    let machine = logged_in();
    machine.bind("docker registry.example");
    let auth = machine.sandbox.root().join("auth.json");
    fs::write(
        &auth,
        json!({"credHelpers": {"registry.example": "sentry"}}).to_string(),
    )
    .unwrap();
    let machine = machine.env("REGISTRY_AUTH_FILE", &auth);
    machine.warns("ok       docker: docker calls this program for registry.example\n");
    let machine = machine.env("PATH", "/usr/bin:/bin");
    machine.complains(
        "problem  docker: docker is configured to call `sentry`, but `docker-credential-sentry` is not on PATH\n",
    );
}

#[test]
fn the_git_that_it_starts_gets_no_token() {
    let machine = logged_in().env("SENTRY_TOKEN", "t0ken");
    let seen = machine.sandbox.root().join("seen");
    let bin = machine.sandbox.root().join("bin");
    write_program(
        &bin.join("git"),
        &format!("#!/bin/sh\n{{ env; echo \"$@\"; }} > {}\n", seen.display()),
    );
    let machine = machine.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    machine.doctor();
    let seen = fs::read_to_string(seen).expect("git was started");
    assert!(seen.contains("--get-regexp"), "{seen}");
    assert!(
        !seen.contains("t0ken") && !seen.contains("SENTRY_"),
        "{seen}"
    );
}

type Damage = fn(&mut Vec<u8>);

/// Kinds of damage, and how each is done to a database that is checkpointed and closed.
const DAMAGE: [(&str, Damage); 4] = [
    ("garbage", |bytes| {
        *bytes = b"no database, but long enough to look at. ".repeat(99)
    }),
    ("cut in the first page", |bytes| bytes.truncate(700)),
    ("cut behind the first page", |bytes| bytes.truncate(4096)),
    ("a page overwritten", |bytes| {
        let page = bytes.len() - 4096;
        bytes[page..].fill(0x5a);
    }),
];

/// A machine whose database was damaged while it was not open; and its content now.
fn damaged(damage: Damage) -> (Machine, Vec<u8>) {
    let machine = logged_in();
    machine.sql("CREATE TABLE later (a); PRAGMA wal_checkpoint(TRUNCATE)");
    let mut bytes = fs::read(machine.sandbox.db()).unwrap();
    damage(&mut bytes);
    fs::write(machine.sandbox.db(), &bytes).unwrap();
    (machine, bytes)
}

#[test]
fn a_damaged_database_is_set_aside_once_and_whole() {
    for (kind, damage) in DAMAGE {
        let (machine, bytes) = damaged(damage);
        let db = machine.sandbox.db();
        let report = machine.doctor().fails(1);
        let line = report
            .stdout
            .lines()
            .find(|line| line.starts_with("problem  database: "))
            .unwrap_or_else(|| panic!("{kind}: {}", report.stdout));
        assert!(line.contains(&db.display().to_string()), "{kind}: {line}");
        assert!(
            report
                .stdout
                .contains("hint: `sentry auth doctor --repair`"),
            "{kind}: {}",
            report.stdout
        );
        assert_eq!(fs::read(&db).unwrap(), bytes, "{kind}");

        let repair = machine.sandbox.sentry(&["auth", "doctor", "--repair"]);
        let said = repair.run().success().stdout;
        let (first, rest) = said.split_once('\n').expect("a line");
        let kept = first
            .strip_prefix("ok       repair: the damaged database was set aside as ")
            .unwrap_or_else(|| panic!("{kind}: {said}"));
        assert!(
            kept.starts_with(&format!("{}.corrupt-", db.display())),
            "{kind}: {kept}"
        );
        assert_eq!(
            rest,
            "         hint: `sentry auth login`, then `sentry auth setup-git` and `sentry auth setup-docker` where they \
             were in use\n",
            "{kind}"
        );
        assert_eq!(fs::read(kept).unwrap(), bytes, "{kind}");
        assert!(!db.exists(), "{kind}");
        machine
            .sandbox
            .sentry(&["auth", "doctor", "--repair"])
            .run()
            .success()
            .stdout_is(&format!(
                "ok       repair: there is nothing to repair in {}\n",
                machine.dir().display()
            ));
        assert!(Path::new(kept).exists(), "{kind}");
    }
}

#[test]
fn after_a_repair_a_login_works() {
    let (machine, _) = damaged(DAMAGE[0].1);
    let repair = machine
        .sandbox
        .sentry(&["auth", "doctor", "--repair", "--json"]);
    let said: Value = serde_json::from_str(&repair.run().success().stdout).expect("JSON");
    assert_eq!(said["ok"], true);
    assert_eq!(said["checks"][0]["name"], "repair");
    machine.sentry.add_api_token("api-token");
    let login = machine.sandbox.sentry(&["auth", "login", "--with-token"]);
    login.stdin("api-token").run().success();
    machine.warns("warning  files: ");
    machine.warns("an API token, does not expire\n");
}

#[test]
fn a_healthy_database_is_not_repaired() {
    let machine = logged_in();
    let nothing = format!(
        "ok       repair: there is nothing to repair in {}\n",
        machine.dir().display()
    );
    let repair = || {
        machine
            .sandbox
            .sentry(&["auth", "doctor", "--repair"])
            .run()
    };
    repair().success().stdout_is(&nothing).stderr_is("");
    assert_eq!(machine.sandbox.stored_tokens(), Some(machine.pair.clone()));
    fs::write(machine.sandbox.db(), "").unwrap();
    repair().success().stdout_is(&nothing);

    // What is refused is not damaged.
    fs::remove_file(machine.sandbox.db()).unwrap();
    symlink("/dev/null", machine.sandbox.db()).unwrap();
    repair()
        .fails(1)
        .stdout_is("")
        .stderr_has("it is not a regular file");
}

#[test]
fn where_the_directory_cannot_be_told_the_rest_is_still_looked_at() {
    let sandbox = Sandbox::new()
        .env("SENTRY_CONFIG_DIR", "relative/dir")
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    let report = sandbox.sentry(&["auth", "doctor"]).run().fails(1);
    report
        .stdout_has("problem  directory: SENTRY_CONFIG_DIR must be an absolute path\n")
        .stdout_has("ok       docker: no registry is set up\n");
    assert!(!sandbox.home().join("relative").exists());
}

#[test]
fn without_a_session_the_instance_is_asked_what_it_is() {
    let page = || Answer::new(200, "text/html", "<h1>Welcome to our proxy</h1>");
    for (endpoint, answer, code, line) in [
        (
            None,
            page(),
            0,
            "ok       server: $URL answers, and has a device login\n",
        ),
        (
            Some(Endpoint::Api),
            page(),
            1,
            "problem  server: $URL answered with a web page (HTTP 200), not as Sentry does: is the address right?\n",
        ),
        (
            Some(Endpoint::Api),
            Answer::new(302, "text/plain", "").header("Location", "https://sso.example/"),
            1,
            "problem  server: $URL answered with HTTP 302, which sends browsers elsewhere, as a sign-on in front does, \
             not as Sentry does: is the address right?\n",
        ),
        (
            Some(Endpoint::Api),
            Answer::new(404, "application/json", "{}"),
            1,
            "problem  server: $URL answered with HTTP 404, not as Sentry does: is the address right?\n",
        ),
        (
            Some(Endpoint::DeviceCode),
            Answer::new(403, "text/html", "<h1>CSRF</h1>"),
            0,
            "warning  server: $URL answers, and has no device login, which Sentry has from 26.1.0 on\n         \
             hint: `sentry auth login --url $URL --with-token` takes an API token\n",
        ),
    ] {
        let sentry = FakeSentry::start();
        let sandbox = Sandbox::new().for_sentry(&sentry);
        if let Some(endpoint) = endpoint {
            sentry.fault_always(endpoint, answer);
        }
        let report = sandbox.sentry(&["auth", "doctor"]).run();
        assert_eq!(report.code, code, "{}", report.stdout);
        report.stdout_has(&line.replace("$URL", &sentry.url()));
        // No client is named, so that nothing begins there.
        for request in sentry.requests() {
            let mut clients = request.form.iter().filter(|(name, _)| name == "client_id");
            assert!(clients.all(|(_, client)| client.is_empty()));
        }
    }
    let gone = Sandbox::new().for_sentry(&FakeSentry::start());
    let report = gone.sentry(&["auth", "doctor"]).run().fails(1);
    report.stdout_has("problem  server: cannot reach http://127.0.0.1:");
}

#[test]
fn a_host_that_is_bound_where_nobody_is_logged_in_is_named() {
    let machine = logged_in();
    let other = FakeSentry::start();
    let url = other.url();
    let set_up = machine
        .sandbox
        .sentry(&["auth", "setup-git", "git.example", "--url", &url]);
    set_up.run().success();
    machine.warns(&format!(
        "warning  host: https://git.example (git) is bound to {url}, where nobody is logged in\n         \
         hint: `sentry auth login --url {url}`\n"
    ));
    machine.bind("docker r.example");
    machine.complains(&format!(
        "ok       host: r.example (docker) gets the token of jane at {}\n",
        machine.sentry.url()
    ));
    let machine = machine.env("SENTRY_TOKEN", "sntryu_x");
    machine.complains("ok       host: r.example (docker) gets the token in SENTRY_TOKEN\n");
}
