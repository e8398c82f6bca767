//! The checks that are functions of what is there: a line for each state, and a remedy where one is due.

use std::fs;
#[cfg(unix)]
use std::fs::Permissions;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
#[cfg(unix)]
use std::path::Path;

use super::*;
use crate::store::{Binding, Client};
use crate::testing::{Age, Machine, SELF, access, credential, refresh};
use crate::world::{Clock as _, file_name};

/// What the database says.
fn snapshot(machine: &Machine) -> Snapshot {
    let mut checks = Vec::new();
    database::database(&machine.world(), &machine.dir(), &mut checks)
}

/// The states of the lines.
fn states(checks: &[Check]) -> Vec<&'static str> {
    let state = |check: &Check| check.state.name();
    checks.iter().map(state).collect()
}

#[test]
fn a_check_is_one_line_with_its_remedy_below() {
    let check = Check::problem("lock", "it is broken", "`repair it`");
    assert_eq!(
        check.to_text(),
        "problem  lock: it is broken\n         hint: `repair it`"
    );
    assert_eq!(Check::ok("lock", "free").to_text(), "ok       lock: free");
    let json = serde_json::to_value(&check).unwrap();
    assert_eq!(json["state"], "problem");
    assert_eq!(json["hint"], "`repair it`");
    let json = serde_json::to_value(Check::ok("lock", "free")).unwrap();
    assert!(json["hint"].is_null());
}

#[test]
fn an_error_becomes_a_line_with_the_hint_that_it_carries() {
    let error = anyhow::Error::from(crate::failure::Failure::new("why").hint("`do it`"));
    let check = Check::failed("x", &error.context("what"));
    assert_eq!(check.message, "what: why");
    assert_eq!(check.hint.as_deref(), Some("`do it`"));
}

#[test]
fn tokens_of_the_environment_are_told_with_what_they_hide() {
    for (variables, state, told) in [
        (&[][..], "ok", ""),
        (&[("SENTRY_TOKEN", "x")], "warning", "https://sentry.io"),
        (
            &[("SENTRY_TOKEN", "x"), ("SENTRY_AUTH_TOKEN", "y")],
            "warning",
            "SENTRY_AUTH_TOKEN",
        ),
        (
            &[("SENTRY_TOKEN", "x"), ("SENTRY_URL", SELF)],
            "ok",
            "https://self.example",
        ),
        (&[("SENTRY_TOKEN", "'x'")], "problem", "quotes"),
    ] {
        let machine = Machine::new().session(Age::FRESH);
        let machine = variables.iter().fold(machine, |machine, (name, value)| {
            machine.variable(name, value)
        });
        let [token, _] = environment::environment(&machine.world(), &snapshot(&machine));
        assert_eq!(token.state.name(), state, "{variables:?}");
        assert!(token.message.contains(told), "{}", token.message);
    }
}

#[test]
fn the_instance_is_told_with_what_named_it() {
    for (variables, state, told) in [
        (&[][..], "ok", "https://sentry.io"),
        (&[("SENTRY_URL", "https://sentry.io")], "ok", "SENTRY_URL"),
        (&[("SENTRY_URL", SELF)], "warning", "SENTRY_CLIENT_ID"),
        (
            &[("SENTRY_URL", SELF), ("SENTRY_CLIENT_ID", "id")],
            "ok",
            "SENTRY_URL",
        ),
        (
            &[("SENTRY_URL", SELF), ("SENTRY_HOST", "us.sentry.io")],
            "warning",
            "SENTRY_HOST",
        ),
        (
            &[
                ("SENTRY_URL", "us.sentry.io"),
                ("SENTRY_HOST", "us.sentry.io"),
            ],
            "ok",
            "SENTRY_HOST",
        ),
        (
            &[("SENTRY_URL", "http://x.example")],
            "problem",
            "SENTRY_URL",
        ),
    ] {
        let machine = Machine::new().session(Age::FRESH);
        let machine = variables.iter().fold(machine, |machine, (name, value)| {
            machine.variable(name, value)
        });
        let [_, instance] = environment::environment(&machine.world(), &snapshot(&machine));
        assert_eq!(instance.state.name(), state, "{variables:?}");
        assert!(instance.message.contains(told), "{}", instance.message);
    }
}

// Sets modes.
#[cfg(unix)]
#[test]
fn the_directory_and_its_files_are_judged_by_who_can_do_what() {
    let machine = Machine::new().session(Age::FRESH);
    let dir = machine.dir();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for (mode, state, remedy) in [
        (0o700, "ok", ""),
        (0o750, "warning", "chmod 700"),
        (0o770, "problem", "chmod 700"),
    ] {
        set(&dir, mode);
        let check = files::directory(&dir).unwrap();
        assert_eq!(check.state.name(), state, "{mode:o}");
        assert!(check.hint.unwrap_or_default().contains(remedy));
    }
    set(&dir, 0o700);
    assert_eq!(states(&files::files(&dir)), ["ok"]);
    set(&dir.join("cli.db"), 0o640);
    assert_eq!(states(&files::files(&dir)), ["warning"]);
    set(&dir.join("cli.db"), 0o600);
    fs::create_dir(dir.join("login.lock")).unwrap();
    assert_eq!(states(&files::files(&dir)), ["problem"]);
    fs::remove_dir(dir.join("login.lock")).unwrap();
    for name in [
        "credential.recovery",
        "cli.db.corrupt-1",
        "cli.db-wal.corrupt-1",
    ] {
        fs::write(dir.join(name), "").unwrap();
        set(&dir.join(name), 0o600);
    }
    let checks = files::files(&dir);
    assert_eq!(states(&checks), ["warning", "warning"]);
    let removal = checks[1].hint.as_deref().unwrap();
    assert!(removal.contains("cli.db-wal.corrupt-1"), "{removal}");
    assert!(files::directory(&dir.join("absent")).is_none());
}

#[test]
fn a_database_that_is_not_there_is_no_problem_and_one_that_is_damaged_is_set_aside() {
    let machine = Machine::new();
    let look = |machine: &Machine| {
        let mut checks = Vec::new();
        let snapshot = database::database(&machine.world(), &machine.dir(), &mut checks);
        (states(&checks), snapshot.unread)
    };
    assert_eq!(look(&machine), (vec!["ok"], false));
    let nothing = database::repair(&machine.world()).unwrap();
    assert!(nothing.message.contains("nothing to repair"));
    let machine = machine.session(Age::FRESH);
    assert_eq!(look(&machine).0, ["ok"; 4]);
    fs::write(machine.dir().join("cli.db"), "damaged").unwrap();
    assert_eq!(look(&machine), (vec!["ok", "ok", "problem", "ok"], true));
    let repaired = database::repair(&machine.world()).unwrap();
    assert!(
        repaired.message.contains("cli.db.corrupt-"),
        "{}",
        repaired.message
    );
    assert!(!machine.has_store());
}

// On Windows a locked file cannot be read.
#[cfg(unix)]
#[test]
fn the_lock_is_told_with_its_holder() {
    let machine = Machine::new().session(Age::FRESH);
    let held = crate::lock::Lock::credential(&machine.dir())
        .try_acquire()
        .unwrap();
    let mut checks = Vec::new();
    drop(database::database(
        &machine.world(),
        &machine.dir(),
        &mut checks,
    ));
    let lock = checks.iter().find(|check| check.name == "lock").unwrap();
    assert_eq!(lock.state.name(), "warning");
    assert!(lock.message.contains("holds the lock"), "{}", lock.message);
    drop(held);
}

/// What is said about a session, without asking its server.
fn session_line(machine: &Machine) -> Check {
    let snapshot = snapshot(machine);
    sessions::stored(&machine.world(), &snapshot.sessions[0], &snapshot)
}

#[test]
fn a_session_is_told_by_its_age_and_its_marks() {
    for (age, state, told) in [
        (Age::FRESH, "ok", "2033-06-17"),
        (Age::EXPIRES_SOON, "ok", "2033-05-18"),
        (Age::STALE, "ok", "2033-05-18"),
        (Age::API_TOKEN, "ok", "API token"),
        (Age::EXPIRED_API_TOKEN, "problem", "API token"),
    ] {
        let check = session_line(&Machine::new().session(age));
        assert_eq!(check.state.name(), state, "{age:?}");
        assert!(check.message.contains(told), "{}", check.message);
        assert!(check.message.starts_with("jane at https://sentry.io"));
    }
    let marked = |age, mark: &dyn Fn(&Machine, &crate::account::Session)| {
        let machine = Machine::new().session(age);
        mark(&machine, &machine.active());
        let check = session_line(&machine);
        assert!(check.state != State::Ok && check.hint.is_some());
        check
    };
    let now = |machine: &Machine| machine.clock().now();
    let suspect = marked(Age::FRESH, &|machine, session| {
        machine.change(|change| change.suspect(session, access("jane").digest()).unwrap());
    });
    assert!(suspect.hint.unwrap().contains("`sentry auth status"));
    let begun = marked(Age::STALE, &|machine, session| {
        let (pair, at) = (refresh("jane").digest(), now(machine));
        machine.change(|change| change.intend(session, pair, at).unwrap());
    });
    assert!(begun.message.contains("2033-05-18T03:33:20Z"));
    let paused = marked(Age::STALE, &|machine, session| {
        let later = now(machine).after(std::time::Duration::from_secs(30));
        machine.change(|change| change.pause(session, later, None).unwrap());
    });
    assert!(paused.message.contains("2033-05-18T03:33:50Z"));
    let ended = marked(Age::STALE, &|machine, session| {
        let (pair, at) = (refresh("jane").digest(), now(machine));
        machine.change(|change| {
            let rejected = change.mark_rejected(session, &pair, &access("jane"), at);
            rejected.unwrap();
        });
    });
    assert!(ended.hint.unwrap().contains("`sentry auth login"));
    let unknown = marked(Age::FRESH, &|machine, _| {
        machine
            .sql("DELETE FROM helper_session; UPDATE accounts SET host = 'https://self.example'");
    });
    assert!(unknown.hint.unwrap().contains("SENTRY_CLIENT_ID"));
}

/// docker's file, and what is said about it: each state, and what is said and is to be typed.
fn docker_lines(machine: &Machine, config: &str) -> Vec<(&'static str, String)> {
    let path = machine.world().docker_config().unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, config).unwrap();
    let checks = docker::docker(&machine.world(), &snapshot(machine));
    let lines = checks.iter();
    lines
        .map(|check| (check.state.name(), check.to_text()))
        .collect()
}

/// With a program of that name on its PATH.
fn with_program(machine: Machine) -> Machine {
    let program = machine.home().join(file_name("docker-credential-sentry"));
    fs::write(&program, "").unwrap();
    #[cfg(unix)]
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let home = machine.home().to_str().unwrap().to_owned();
    machine.variable("PATH", &home)
}

/// Whether a line has this state, and all of these words.
fn is_there(lines: &[(&'static str, String)], state: &str, words: &[&str]) -> bool {
    let is_it = |(found, text): &(&str, String)| {
        *found == state && words.iter().all(|word| text.contains(word))
    };
    lines.iter().any(is_it)
}

#[test]
fn docker_is_told_about_registries_that_are_bound_and_not_asked_for_and_the_reverse() {
    let machine = with_program(Machine::new().session(Age::FRESH).bound_to("r.example"));
    let command = "`sentry auth setup-docker --registry";
    for (config, state, words) in [
        (
            r#"{"credHelpers":{"r.example":"sentry"}}"#,
            "ok",
            &["r.example"][..],
        ),
        (
            "{}",
            "problem",
            &[command, "r.example --url https://sentry.io`"],
        ),
        (
            r#"{"credHelpers":{"r.example":"sentry","x.example":"sentry"}}"#,
            "warning",
            &["x.example", command],
        ),
        (
            r#"{"credsStore":"sentry","credHelpers":{"https://r.example":"sentry"}}"#,
            "warning",
            &["https://r.example", command],
        ),
        ("{", "problem", &["config.json"]),
    ] {
        let lines = docker_lines(&machine, config);
        assert!(is_there(&lines, state, words), "{config}: {lines:?}");
    }
}

#[test]
fn docker_is_told_about_a_registry_that_is_signed_out_and_a_program_that_is_missing() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let config = r#"{"credHelpers":{"r.example":"sentry"}}"#;
    let lines = docker_lines(&machine, config);
    let missing = ["docker-credential-sentry", "PATH"];
    assert!(is_there(&lines, "problem", &missing), "{lines:?}");
    let binding = Binding {
        signed_out: true,
        username: Some("it's me".into()),
        ..machine.binding(Client::Docker, "r.example")
    };
    let machine = with_program(machine.bind(&binding));
    let lines = docker_lines(&machine, config);
    let username = format!("--username {}", crate::printable::quoted("it's me"));
    let remedy = ["r.example", &*username];
    assert!(is_there(&lines, "warning", &remedy), "{lines:?}");
    assert!(!is_there(&lines, "problem", &[]), "{lines:?}");
}

#[test]
fn a_stored_credential_that_nothing_uses_is_told_with_what_removes_it() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let machine = machine.stored(&credential("git https://r.example", "oauth2", "hunter2"));
    let machine = machine.stored(&credential("git https://x.example", "ann", "hunter2"));
    let checks = stored::stored(&machine.world(), &snapshot(&machine));
    assert_eq!(states(&checks), ["warning"]);
    let text = checks[0].to_text();
    assert!(
        text.contains("'host=r.example' 'username=oauth2' | git credential-sentry erase"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_program_is_told_with_what_stands_before_it() {
    let machine = Machine::new();
    let checks = programs::programs(&machine.world());
    assert_eq!(states(&checks), ["warning"; 3]);
    let machine = with_program(machine);
    let checks = programs::programs(&machine.world());
    assert!(
        checks[2].message.contains("another program"),
        "{}",
        checks[2].message
    );
}

#[cfg(unix)]
#[test]
fn a_helper_that_docker_desktop_does_not_find_is_a_warning_until_it_does() {
    let there = tempfile::tempdir().unwrap();
    let program = there.path().join("docker-credential-sentry");
    fs::write(&program, "#!/bin/sh").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let desktop = tempfile::tempdir().unwrap();
    let looked_in = [desktop.path().join("local"), desktop.path().join("brew")];
    let looked_in: Vec<&str> = looked_in.iter().map(|dir| dir.to_str().unwrap()).collect();
    let machine = Machine::new().variable("PATH", there.path().to_str().unwrap());
    let check = || docker::hidden_from_desktop(&machine.world(), &looked_in);

    let hidden = check().expect("a warning");
    let [local, brew] = looked_in[..] else {
        unreachable!()
    };
    let what = format!(
        "Docker Desktop does not find `docker-credential-sentry`: it looks in {local} and {brew}"
    );
    assert_eq!((hidden.state.name(), hidden.message), ("warning", what));
    let remedy = hidden.hint.expect("a remedy");
    let remedy = remedy.trim_matches('`').replace("sudo ", "");
    let shell = std::process::Command::new("/bin/sh")
        .args(["-c", &remedy])
        .status();
    assert!(shell.unwrap().success(), "{remedy}");
    assert!(check().is_none(), "after {remedy}");
    fs::remove_dir_all(local).unwrap();
    assert!(check().is_some());
    fs::create_dir(brew).unwrap();
    fs::copy(&program, Path::new(brew).join("docker-credential-sentry")).unwrap();
    assert!(check().is_none());
    // Where docker finds programs as the user does.
    assert!(docker::hidden_from_desktop(&machine.world(), &[]).is_none());
}
