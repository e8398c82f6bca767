//! An API token that has expired: nothing but a login helps, and so no program speaks of a refresh.

use crate::machine::Machine;
use crate::sandbox::{Age, Output};

/// A machine whose only login is an API token that has expired, with a git host and a registry bound to it.
fn machine() -> Machine {
    let machine = Machine::new().session(Age::EXPIRED);
    let database = machine.sandbox.database().unwrap();
    database
        .execute("UPDATE accounts SET refresh_token = NULL", [])
        .unwrap();
    let url = machine.sentry.url();
    machine.sandbox.bind("git https://git.example", &url, None);
    machine.sandbox.bind("docker r.example", &url, None);
    machine
}

/// Nothing in it speaks of a refresh, and no request was made.
#[track_caller]
fn speaks_of_no_refresh(machine: &Machine, output: &Output, what: &str) {
    for stream in [&output.stdout, &output.stderr] {
        assert!(!stream.contains("refresh"), "{what}: {stream}");
    }
    assert_eq!(machine.sentry.refresh_attempts(), 0, "{what}");
}

#[test]
fn an_expired_api_token_is_named_as_that_by_every_command_and_both_helpers() {
    let machine = machine();
    let url = machine.sentry.url();
    let sentence = format!("the session at {url} has an API token that has expired");
    let login = format!("sentry auth login --url {url}");
    for (command, code) in [
        ("token", 1),
        ("token --format json", 1),
        ("token --min-validity 1h", 1),
        ("exec -- true", 125),
        ("whoami", 1),
        ("refresh", 1),
        ("refresh --force", 1),
        ("refresh --json", 1),
        ("status", 1),
        ("status --offline", 1),
    ] {
        let output = machine
            .sandbox
            .sentry(&["auth"])
            .args(command.split(' '))
            .run()
            .fails(code)
            .stdout_is("");
        speaks_of_no_refresh(&machine, &output, command);
        let expected = format!("{sentence}\nhint: `{login}`\n");
        let shown = output.stderr.strip_prefix("error: ");
        assert_eq!(shown.unwrap_or(&output.stderr), expected, "{command}");
    }
    let git = machine.sandbox.git_credential("get");
    let git = git.stdin("protocol=https\nhost=git.example\n").run();
    speaks_of_no_refresh(&machine, &git, "git");
    git.fails(1).stdout_is("").stderr_is(&format!(
        "git-credential-sentry: {sentence} (hint: `git credential-sentry login --url {url}`)\n"
    ));
    let docker = machine.sandbox.docker_credential("get");
    let docker = docker.stdin("r.example").run();
    speaks_of_no_refresh(&machine, &docker, "docker");
    docker
        .fails(1)
        .stderr_is("")
        .stdout_is(&format!("{sentence} (hint: `{login}`)\n"));
    let list = machine.sandbox.docker_credential("list").run();
    list.success().stdout_is("{}\n");
}

#[test]
fn an_expired_api_token_is_shown_as_that_in_the_surveys() {
    let machine = machine();
    let url = machine.sentry.url();
    let survey = |command: &str| {
        let output = machine
            .sandbox
            .sentry(&["auth"])
            .args(command.split(' '))
            .run();
        speaks_of_no_refresh(&machine, &output, command);
        output
    };
    survey("hosts").success().stdout_has(&format!(
        "https://git.example (git): nothing while the session of jane has ended, because it is bound to {url}"
    ));
    survey("list").success().stdout_has("(expired)");
    survey("list --json")
        .success()
        .stdout_has("\"state\": \"expired\"");
    survey("status --json").fails(1).stdout_has(&format!(
        "\"error\": \"the session at {url} has an API token that has expired\""
    ));
    survey("doctor").fails(1).stdout_has(&format!(
        "the API token has expired\n         hint: `sentry auth login --url {url} --force`\n"
    ));
}
