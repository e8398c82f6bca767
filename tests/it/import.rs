//! `sentry auth import`: the login of sentry-cli's `.sentryclirc`.

use std::fs;
use std::path::PathBuf;

use crate::fake_sentry::{Endpoint, FakeSentry};
use crate::sandbox::{Cmd, Output, Sandbox};
use crate::service::tool;

const TOKEN: &str = "sntryu_0f-the-file";

/// A Sentry that knows [`TOKEN`], and a machine without variables that name it.
fn scene() -> (FakeSentry, Sandbox) {
    let sentry = FakeSentry::start();
    sentry.add_api_token(TOKEN);
    (sentry, Sandbox::new())
}

#[track_caller]
fn write(machine: &Sandbox, name: &str, text: &str) -> PathBuf {
    let path = machine.home().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn import(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.sentry(&["auth", "import"]).args(args)
}

/// Refused without a request, and without storing anything.
#[track_caller]
fn refused(machine: &Sandbox, cmd: Cmd, code: i32, words: &str) -> Output {
    let refused = cmd.run().fails(code).stdout_is("").stderr_has(words);
    assert!(!machine.db().exists(), "something was stored");
    refused.never_says(TOKEN)
}

#[test]
fn the_login_of_sentry_cli_is_taken_over_with_its_instance() {
    let (sentry, machine) = scene();
    let text = format!(
        "[defaults]\nurl={}/\norg=my-org\n\n[auth]\ntoken={TOKEN}\n",
        sentry.url()
    );
    let file = write(&machine, ".sentryclirc", &text);
    let told = import(&machine, &[]).run().success().never_says(TOKEN);
    let told = told.stdout_is(&format!(
        "{} has a token for {}\n",
        file.display(),
        sentry.url()
    ));
    told.stderr_has(&format!("logged in to {} as jane\n", sentry.url()))
        .stderr_has("the token stands in ");
    let token = machine.sentry(&["auth", "token"]).run().success();
    token.stdout_is(&format!("{TOKEN}\n"));
    // The file is sentry-cli's.
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_file_can_be_named_and_tried_without_asking_anybody() {
    let (sentry, machine) = scene();
    let text = format!(
        "[auth]\ntoken: \"{TOKEN}\"\n[defaults]\nurl: {}\n",
        sentry.url()
    );
    let file = write(&machine, "project.ini", &text);
    let file = file.to_str().unwrap();
    let dry = import(&machine, &[file, "--dry-run"]).run().success();
    let dry = dry.never_says(TOKEN);
    dry.stdout_is(&format!("{file} has a token for {}\n", sentry.url()))
        .stderr_is("nothing was checked, and nothing was stored\n");
    assert_eq!(sentry.requests().len(), 0);
    assert!(!machine.config_dir().exists());
    import(&machine, &[file]).run().success();
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
}

#[test]
fn a_token_that_the_instance_refuses_is_not_stored() {
    let (sentry, machine) = scene();
    sentry.remove_token(TOKEN);
    write(
        &machine,
        ".sentryclirc",
        &format!("[auth]\ntoken={TOKEN}\n[defaults]\nurl={}\n", sentry.url()),
    );
    let told = import(&machine, &[]).run().fails(1).never_says(TOKEN);
    told.stderr_has("does not accept this token; nothing was stored");
    assert_eq!(machine.stored_row().map(|row| row.token), None);
}

#[test]
fn token_and_instance_come_from_one_file_and_nowhere_else() {
    let (sentry, machine) = scene();
    write(
        &machine,
        ".sentryclirc",
        &format!("[auth]\ntoken={TOKEN}\n"),
    );
    // sentry-cli would send it to sentry.io, unless a variable says otherwise.
    let dry = import(&machine, &["--dry-run"]).run().success();
    dry.stdout_has(" has a token for https://sentry.io\n");
    let with_variable = import(&machine, &[]).env("SENTRY_URL", sentry.url());
    let words = format!("sentry.io, or {} of the environment", sentry.url());
    let refused = refused(&machine, with_variable, 1, &words);
    let hint = format!(
        "hint: `sentry auth login --url {} --with-token`\n",
        sentry.url()
    );
    refused.stderr_has(&hint);
    assert_eq!(sentry.requests().len(), 0);

    // The file's own wins over a variable.
    let text = format!("[auth]\ntoken={TOKEN}\n[defaults]\nurl={}\n", sentry.url());
    write(&machine, ".sentryclirc", &text);
    let other = import(&machine, &[]).env("SENTRY_URL", "https://other.example");
    other.run().success();
    assert_eq!(machine.stored_row().unwrap().host, Some(sentry.url()));
}

#[test]
fn an_organization_token_says_itself_where_it_belongs() {
    let (sentry, machine) = scene();
    let token = crate::accounts::organization_token(&sentry.url(), "acme", 1);
    sentry.add_org_token(&token);
    write(
        &machine,
        ".sentryclirc",
        &format!("[auth]\ntoken={token}\n"),
    );
    let told = import(&machine, &[]).run().success().never_says(&token);
    let words = format!(" has an organization token of acme for {}\n", sentry.url());
    told.stdout_has(&words);

    let other = Sandbox::new();
    let text = format!("[auth]\ntoken={token}\n[defaults]\nurl=https://other.example\n");
    write(&other, ".sentryclirc", &text);
    let words = format!("belongs to {}, not to https://other.example", sentry.url());
    refused(&other, import(&other, &[]), 1, &words).never_says(&token);
}

#[test]
fn a_file_without_a_login_is_reported_and_not_repeated() {
    let (_sentry, machine) = scene();
    refused(&machine, import(&machine, &[]), 1, "cannot read ");
    refused(
        &machine,
        import(&machine, &["."]),
        1,
        "it is not a regular file",
    );
    let fifo = machine.root().join("fifo");
    machine.command(tool("mkfifo")).arg(&fifo).run().success();
    let fifo = fifo.to_str().unwrap();
    refused(
        &machine,
        import(&machine, &[fifo]),
        1,
        "it is not a regular file",
    );
    let long = format!("[auth]\ntoken={TOKEN}\n{}", "#\n".repeat(40_000));
    for (text, words) in [
        ("", "there is no `token` below `[auth]` in it"),
        ("[auth]\napi_key=sntryu_0f-the-file", "it has an `api_key`"),
        ("sntryu_0f-the-file", "line 1 is no line of an INI file"),
        (
            "[auth]\ntoken=sntryu_0f-the-file\ntoken=x",
            "it has two values of `token`",
        ),
        (
            "[auth]\ntoken=sntryu_0f-the-file sntryu_0f-the-file",
            "cannot use the token in ",
        ),
        (
            "[auth]\ntoken=sntryu_0f-the-file\n[defaults]\nurl=http://plain.example",
            "cannot use the instance that ",
        ),
        (
            "[auth]\ntoken=sntryu_0f-the-file\n[defaults]\nurl=https://sentry.io#.evil.example",
            "cannot use the instance that ",
        ),
        (&long, "it is longer than 64 KiB"),
    ] {
        write(&machine, ".sentryclirc", text);
        refused(&machine, import(&machine, &[]), 1, words);
    }
    refused(
        &machine,
        import(&machine, &["a", "b"]),
        2,
        "unexpected argument",
    );
}

#[test]
fn a_token_in_the_environment_is_named() {
    let (sentry, machine) = scene();
    let text = format!("[auth]\ntoken={TOKEN}\n[defaults]\nurl={}\n", sentry.url());
    write(&machine, ".sentryclirc", &text);
    let told = import(&machine, &[]).env("SENTRY_TOKEN", "of-the-environment");
    told.run()
        .success()
        .stderr_has("warning: the token in SENTRY_TOKEN is used before any session\n");
}
