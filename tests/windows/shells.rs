//! The shell that a user types in, and Git Bash, whose terminal is no console.

use std::fs;
use std::path::PathBuf;

use crate::machine::{SOON, Windows, on_windows, programs};
use crate::sandbox::{Cmd, Output};

/// `sentry`, started by the last of these programs, and each of them by the one before it. They are programs that start
/// another one.
fn started_by(windows: &Windows, ancestors: &[&str], args: &[&str]) -> Cmd {
    let directory = windows.sandbox.home().join("shells");
    fs::create_dir_all(&directory).unwrap();
    let copy = |name: &&str| -> PathBuf {
        let program = directory.join(format!("{name}.exe"));
        fs::copy(programs().join("console.exe"), &program).unwrap();
        program
    };
    let programs = ancestors
        .iter()
        .map(copy)
        .chain([programs().join("sentry.exe")]);
    let words = programs.map(|program| on_windows(&program));
    let store = on_windows(&windows.sandbox.config_dir());
    let wine = windows.sandbox.command("wine").args(words).args(args);
    wine.env("SENTRY_CONFIG_DIR", store)
}

/// What is shown to a user whose token is one of the environment.
fn hint_by(windows: &Windows, ancestors: &[&str]) -> Output {
    started_by(windows, ancestors, &["auth", "refresh"]).run()
}

#[test]
fn hints_are_commands_of_the_shell_that_started_the_programs_in_between() {
    let windows = Windows::new()
        .env("SENTRY_AUTH_TOKEN", "of-the-environment")
        .env("MSYSTEM", "MINGW64");
    for (ancestors, hint) in [
        (&[][..], "`$env:SENTRY_AUTH_TOKEN = $null`"),
        (&["pwsh"], "`$env:SENTRY_AUTH_TOKEN = $null`"),
        (
            &["powershell", "git", "sh"],
            "`$env:SENTRY_AUTH_TOKEN = $null`",
        ),
        (&["bash", "powershell"], "`$env:SENTRY_AUTH_TOKEN = $null`"),
        (&["bash"], "`unset SENTRY_AUTH_TOKEN`"),
        (
            &["powershell", "bash", "git", "sh"],
            "`unset SENTRY_AUTH_TOKEN`",
        ),
    ] {
        hint_by(&windows, ancestors).stderr_has(hint);
    }
    let windows = windows.env("SHELL", "/usr/bin/bash");
    hint_by(&windows, &["env"]).stderr_has("`unset SENTRY_AUTH_TOKEN`");
    hint_by(&windows, &["pwsh"]).stderr_has("`$env:SENTRY_AUTH_TOKEN = $null`");
}

#[test]
fn hints_in_cmd_are_its_commands() {
    let windows = Windows::new();
    let variables = "set SENTRY_AUTH_TOKEN=of-the-environment";
    let refused = windows.after(variables, "auth refresh").run();
    refused
        .stderr_has("`set \"SENTRY_AUTH_TOKEN=\"`")
        .never_says("$env:");
}

#[test]
fn a_path_in_a_hint_is_written_as_the_shell_writes_it() {
    let windows = Windows::new();
    let home = windows.sandbox.home().join("R & D");
    // No regular file.
    fs::create_dir_all(home.join("cli.db")).unwrap();
    let there = on_windows(&home.join("cli.db"));
    let with_slashes = there.replace('\\', "/");
    for (shell, expected) in [
        (
            "pwsh",
            format!("`Move-Item -LiteralPath '{there}' '{there}.old'`"),
        ),
        (
            "bash",
            format!("`mv '{with_slashes}' '{with_slashes}.old'`"),
        ),
    ] {
        let doctor = started_by(&windows, &[shell], &["auth", "doctor"]);
        let doctor = doctor.env("SENTRY_CONFIG_DIR", on_windows(&home)).run();
        doctor.stdout_has(&expected);
    }
}

/// As mintty starts programs: its terminal is a pipe to them.
fn in_git_bash() -> Windows {
    Windows::new()
        .env("TERM", "xterm-256color")
        .env("MSYSTEM", "MINGW64")
        .env("SHELL", "/usr/bin/bash")
}

#[test]
fn in_git_bash_a_user_logs_in_and_out() {
    let windows = in_git_bash();
    let login = started_by(&windows, &["bash"], &["auth", "login", "--no-browser"]);
    let login = login.stdin("").spawn();
    let code = windows.sentry.wait_for_code(SOON);
    windows.sentry.approve(&code);
    let login = login.wait().success();
    login
        .stderr_has(&windows.sentry.url())
        .stderr_has(&code)
        .never_says("\u{1b}");
    windows.sentry(&["auth", "status"]).run().success();
    windows.sentry(&["auth", "logout"]).run().success();
}

#[test]
fn in_git_bash_a_token_comes_through_a_pipe() {
    let windows = in_git_bash();
    windows.sentry.add_api_token("sntryu_hush");
    let login = started_by(&windows, &["bash"], &["auth", "login", "--with-token"]);
    login.stdin("sntryu_hush\n").run().success();
}

#[test]
fn in_git_bash_nothing_is_typed_unseen() {
    let windows = in_git_bash();
    let sentry = on_windows(&programs().join("sentry.exe"));
    let login = windows.program("mintty", &[&sentry, "auth", "login", "--with-token"]);
    let refused = login.run();
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    refused.stderr_is(
        "error: no token was entered; `sentry auth login --with-token <FILE` reads one from a file\n",
    );
}

#[test]
fn in_git_bash_a_helper_names_the_one_command() {
    let windows = in_git_bash();
    let refused = windows.git_get().run();
    let url = windows.sentry.url();
    refused
        .stdout_is("")
        .stderr_has(&format!("`git credential-sentry login --url {url}`"));
    let url = windows.sentry.url();
    let refused = windows.docker("get", &url);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    refused.stdout_has("credentials not found in native keychain");
    assert_eq!(windows.sentry.device_codes(), 0);
}
