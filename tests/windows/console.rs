//! The user at the console.

use std::fs;
use std::path::PathBuf;

use crate::machine::{SOON, Windows, on_windows, programs};
use crate::terminal::TtyUser;

/// What the console draws between two characters: it moves its cursor and hides it meanwhile.
const DRAWN: &str = r"(?:\x1b\[[?0-9;]*[A-Za-z])*";

/// Waits until a text without spaces at its ends appears, by whatever steps it is drawn.
#[track_caller]
fn expect(user: &mut TtyUser, text: &str) {
    let drawn = text.chars().map(|c| match c {
        ' ' => r"(?:\s|\x1b\[1C)".to_owned(),
        c if c.is_alphanumeric() => c.to_string(),
        c => format!(r"\{c}"),
    });
    user.expect_regex(&drawn.collect::<Vec<_>>().join(DRAWN));
}

/// A program with the prompt for a token, in a console that is looked at afterwards.
fn at_a_hidden_prompt(windows: &Windows) -> TtyUser {
    let sentry = on_windows(&programs().join("sentry.exe"));
    let args = [&*sentry, "auth", "login", "--with-token"];
    let mut user = TtyUser::start(windows.program("console", &args)).timeout(SOON);
    expect(&mut user, "token:");
    user.wait_for_raw_mode();
    user
}

/// A `get` whose standard streams are files, and the file with its answer.
fn get(windows: &Windows) -> (TtyUser, PathBuf) {
    let [request, answer] = ["request", "answer"].map(|name| windows.sandbox.root().join(name));
    let address = windows.sentry.address();
    fs::write(&request, format!("protocol=http\nhost={address}\n\n")).unwrap();
    let line = format!(
        "{} get <{} >{}",
        on_windows(&programs().join("git-credential-sentry.exe")),
        on_windows(&request),
        on_windows(&answer)
    );
    // Wine takes the console of a program whose standard input is none for one without a keyboard.
    let store = on_windows(&windows.sandbox.config_dir());
    let cmd = windows.sandbox.command("wine").args(["cmd", "/c", &line]);
    let user = TtyUser::start(cmd.env("SENTRY_CONFIG_DIR", store)).timeout(SOON);
    (user, answer)
}

/// A machine where a browser, which Wine would look for, is none of the terminal's.
fn windows() -> Windows {
    Windows::new().env("SSH_TTY", "none")
}

#[test]
fn a_get_asks_on_the_console_and_answers_on_standard_output() {
    let windows = windows();
    let (mut user, answer) = get(&windows);
    expect(&mut user, "you trust it:");
    user.wait_for_raw_mode();
    user.type_line("yes");
    let code = windows.sentry.wait_for_code(SOON);
    expect(&mut user, &code);
    windows.sentry.approve(&code);
    expect(&mut user, "logged in to");
    assert_eq!(user.wait(), 0);
    let password = format!("password={}\n", windows.sentry.current_access());
    let answer = fs::read_to_string(answer).unwrap();
    assert!(answer.contains(&password), "{answer}");
}

#[test]
fn in_git_bash_a_get_names_the_command_instead() {
    let windows = windows().env("TERM", "xterm-256color");
    let (mut user, _) = get(&windows);
    expect(&mut user, "not logged in to");
    expect(&mut user, "login --url");
    user.wait();
    assert_eq!(windows.sentry.device_codes(), 0);
}

#[test]
fn ctrl_c_at_a_hidden_prompt_restores_the_console() {
    let windows = windows();
    let mut user = at_a_hidden_prompt(&windows);
    user.press(b"hush");
    user.press_ctrl_c();
    expect(&mut user, "echo on, exit code 130.");
    assert!(!user.screen().contains("hush"), "{}", user.screen());
}

#[test]
fn a_hidden_prompt_takes_a_line_and_restores_the_console() {
    let windows = windows();
    windows.sentry.add_api_token("sntryu_hush");
    let mut user = at_a_hidden_prompt(&windows);
    user.type_line("sntryu_hush");
    expect(&mut user, "echo on, exit code 0.");
    assert!(!user.screen().contains("hush"), "{}", user.screen());
    let token = windows.sentry(&["auth", "token"]).run().success();
    token.stdout_is("sntryu_hush\n");
}
