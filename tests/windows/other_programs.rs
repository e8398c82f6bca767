//! What other programs and shells of Windows do differently: the text that they send, the files that they have open, and
//! where they look for this program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::machine::{Windows, on_windows, programs};

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// git sends LF. A carriage return may be a part of a host that a URL was made to look like another one by.
#[test]
fn git_gets_no_answer_to_what_a_shell_changed() {
    let windows = Windows::new().env("SENTRY_AUTH_TOKEN", "of-the-environment");
    let host = windows.sentry.address();
    let lines = format!("protocol=http\r\nhost={host}\r\n\r\n");
    for input in [
        lines.clone().into_bytes(),
        format!("\u{feff}{lines}").into_bytes(),
        utf16(&lines),
    ] {
        let helper = windows.program("git-credential-sentry", &["get"]);
        let refused = helper.stdin(input).run();
        refused.stdout_is("").stderr_has("the request is malformed");
    }
}

#[test]
fn docker_is_answered_whatever_a_shell_puts_around_its_text() {
    let windows = Windows::new().env("SENTRY_AUTH_TOKEN", "of-the-environment");
    let url = windows.sentry.url();
    for input in [format!("{url}\r\n"), format!("\u{feff}{url}\r\n")] {
        let got = windows.docker("get", &input).success();
        got.stdout_has("\"Secret\":\"of-the-environment\"");
    }
    let store = json!({ "ServerURL": "r.example", "Username": "jane", "Secret": "hush" });
    let store = serde_json::to_string_pretty(&store).unwrap();
    let store = store.replace('\n', "\r\n");
    for input in [format!("{store}\r\n"), format!("\u{feff}{store}\r\n")] {
        windows.docker("store", &input).success();
        let got = windows.docker("get", "r.example\r\n").success();
        got.stdout_has("\"Secret\":\"hush\"");
        windows.docker("erase", "r.example\r\n").success();
    }
}

#[test]
fn a_token_is_read_as_shells_write_it() {
    let windows = Windows::new();
    windows.sentry.add_api_token("sntryu_hush");
    let login = || windows.sentry(&["auth", "login", "--with-token"]);
    login().stdin("sntryu_hush\r\n").run().success();
    let token = windows.sentry(&["auth", "token"]).run().success();
    token.stdout_is("sntryu_hush\n");
    let refused = login().stdin(utf16("sntryu_hush\r\n")).run();
    refused.stderr_has("`Get-Content FILE | sentry auth login --with-token`");
    let refused = login().stdin("\u{feff}sntryu_hush\r\n").run();
    refused.stderr_has("byte order mark");
}

/// A machine with a docker configuration, and what docker finds on `PATH`.
fn with_docker(path: &str) -> Windows {
    let windows = Windows::new().logged_in();
    let config = windows.sandbox.home().join("docker");
    fs::create_dir(&config).unwrap();
    fs::write(config.join("config.json"), "{}").unwrap();
    windows
        .env("WINEPATH", path)
        .env("DOCKER_CONFIG", &on_windows(&config))
}

fn config_of(windows: &Windows) -> Value {
    let config = windows.sandbox.home().join("docker/config.json");
    serde_json::from_slice(&fs::read(config).unwrap()).unwrap()
}

/// npm makes such scripts, and docker starts what `PATHEXT` has.
#[test]
fn a_script_on_path_is_a_helper_for_docker() {
    let windows = with_docker(r"Z:\nowhere");
    windows
        .set_up_docker()
        .stderr_has("docker cannot find `docker-credential-sentry`");
    let scripts = windows.sandbox.home().join("scripts");
    fs::create_dir(&scripts).unwrap();
    fs::write(scripts.join("docker-credential-sentry.cmd"), "@exit 0\r\n").unwrap();
    let windows = windows.env("WINEPATH", &on_windows(&scripts));
    windows.set_up_docker().success();
    let expected = json!({ "credHelpers": { "r.example": "sentry" } });
    assert_eq!(config_of(&windows), expected);
    let script = on_windows(&scripts.join("docker-credential-sentry.cmd"));
    let doctor = windows.sentry(&["auth", "doctor"]).run();
    doctor
        .stdout_has(&format!("`docker-credential-sentry` is {script}"))
        .never_says("`docker-credential-sentry` is not on PATH");
}

#[test]
fn a_file_that_may_only_be_read_stays_and_is_named() {
    let windows = with_docker(&on_windows(&programs()));
    let config = windows.sandbox.home().join("docker/config.json");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o400)).unwrap();
    let refused = windows.set_up_docker();
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    refused.stderr_has("config.json");
    assert_eq!(config_of(&windows), json!({}));
}

#[test]
fn git_is_set_up_with_a_path_that_each_git_finds() {
    let windows = Windows::new().logged_in();
    // Linux' git finds it by the same path, as both have the root in the current drive.
    let config = windows.sandbox.home().join(".gitconfig");
    let windows = windows
        .env("WINEPATH", &on_windows(&programs().join("git")))
        .env("GIT_CONFIG_GLOBAL", config.to_str().unwrap());
    let read = || fs::read_to_string(&config).unwrap();
    let set_up = ["auth", "setup-git", "--host", "https://g.example"];
    windows.sentry(&set_up).run().success();
    let helper = on_windows(&programs().join("git-credential-sentry.exe"));
    let helper = helper.replace('\\', "/");
    assert_eq!(
        read(),
        format!("[credential \"https://g.example\"]\n\thelper = \n\thelper = {helper}\n")
    );
    let doctor = windows.sentry(&["auth", "doctor"]).run();
    doctor.never_says("does not exist");
    let undo = ["auth", "setup-git", "--host", "https://g.example", "--undo"];
    windows.sentry(&undo).run().success();
    assert_eq!(read().trim(), "");
}

/// npm installs Sentry's official CLI so.
#[test]
fn a_script_called_sentry_gets_what_is_not_ours() {
    let windows = Windows::new();
    let scripts = windows.sandbox.home().join("npm & more");
    fs::create_dir(&scripts).unwrap();
    let script = "@echo off\r\necho theirs %1 %2\r\nexit /b 7\r\n";
    fs::write(scripts.join("sentry.cmd"), script).unwrap();
    let path = format!("{};{}", on_windows(&programs()), on_windows(&scripts));
    let windows = windows.env("WINEPATH", &path);
    let theirs = windows.sentry(&["issue", "list"]).run();
    assert_eq!(theirs.code, 7, "{}", theirs.stderr);
    theirs.stdout_has("theirs issue list");
    let script = on_windows(&scripts.join("sentry.cmd"));
    let doctor = windows.sentry(&["auth", "doctor"]).run();
    doctor.stdout_has(&format!("what is not `auth` goes to {script}"));
    // First on PATH, it is what a user types.
    let path = format!("{};{}", on_windows(&scripts), on_windows(&programs()));
    let windows = windows.env("WINEPATH", &path);
    let doctor = windows.sentry(&["auth", "doctor"]).run();
    doctor.stdout_has(&format!("`sentry` is {script}"));
}
