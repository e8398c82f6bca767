//! What each program does for git, docker and the user.

use std::fs;

use serde_json::{Value, json};

use crate::machine::{Windows, on_windows, programs};

#[test]
fn a_token_of_the_environment_is_served_to_git_and_docker() {
    let windows = Windows::new().env("SENTRY_AUTH_TOKEN", "of-the-environment");
    let git = windows.git_get().run().success();
    git.stdout_has("password=of-the-environment\n")
        .stderr_is("");
    let url = windows.sentry.url();
    let docker = windows.docker("get", &url).success();
    docker.stdout_has("\"Secret\":\"of-the-environment\"");
    assert!(!windows.sandbox.db().exists());
}

#[test]
fn a_login_is_stored_reported_and_ended() {
    let windows = Windows::new().logged_in();
    let pair = windows.sentry.current();
    assert_eq!(windows.sandbox.stored_tokens().as_ref(), Some(&pair));
    let git = windows.git_get().run().success();
    git.stdout_has(&format!("password={}\n", pair.access));
    let status = windows.sentry(&["auth", "status"]).run().success();
    let database = on_windows(&windows.sandbox.db());
    status
        .stdout_has("Authenticated as: jane\n")
        .stdout_has(&format!("Storage: {database}"));
    windows.sentry(&["auth", "logout"]).run().success();
    assert_eq!(windows.sandbox.stored_row(), None);
}

#[test]
fn the_doctor_finds_private_files_and_programs_by_their_names() {
    let windows = Windows::new().logged_in();
    let path = format!(r"C:\windows\system32;{}", on_windows(&programs()));
    let doctor = windows
        .sentry(&["auth", "doctor"])
        .env("WINEPATH", path)
        .run();
    let directory = on_windows(&windows.sandbox.config_dir());
    let helper = on_windows(&programs().join("docker-credential-sentry.exe"));
    doctor
        .stdout_has(&format!("{directory} is private"))
        .stdout_has("the files in it are private")
        .stdout_has(&format!("`docker-credential-sentry` is {helper}"))
        .never_says(r"\\?\")
        .never_says("chmod");
}

#[test]
fn hints_are_commands_of_powershell() {
    let windows = Windows::new().env("SENTRY_AUTH_TOKEN", "of-the-environment");
    let refused = windows.sentry(&["auth", "refresh"]).run();
    refused
        .stderr_has("`$env:SENTRY_AUTH_TOKEN = $null`")
        .never_says("unset");
}

#[test]
fn docker_is_set_up_served_and_restored() {
    let windows = Windows::new().logged_in();
    let config = windows.sandbox.home().join("docker");
    fs::create_dir(&config).unwrap();
    let before = "{\n\t\"auths\": {}\n}";
    fs::write(config.join("config.json"), before).unwrap();
    let path = on_windows(&programs());
    let windows = windows
        .env("WINEPATH", &path)
        .env("DOCKER_CONFIG", &on_windows(&config));
    windows.set_up_docker().success();
    let read = || fs::read_to_string(config.join("config.json")).unwrap();
    let after: Value = serde_json::from_str(&read()).unwrap();
    assert_eq!(after["credHelpers"], json!({ "r.example": "sentry" }));
    let got = windows.docker("get", "r.example\r\n").success();
    got.stdout_has(&windows.sentry.current_access());
    let listed = windows.docker("list", "").success();
    listed.stdout_has("r.example");
    let undo = ["auth", "setup-docker", "--registry", "r.example", "--undo"];
    windows.sentry(&undo).run().success();
    let restored: Value = serde_json::from_str(&read()).unwrap();
    assert_eq!(restored, json!({ "auths": {} }));
}

#[test]
fn the_credential_manager_has_a_copy_from_login_to_logout() {
    let windows = Windows::new().env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    let windows = windows.logged_in();
    let in_sync = || {
        let status = windows.sentry(&["auth", "status"]).run().success();
        status.stdout_has("Keyring: mirror, in sync\n");
    };
    in_sync();
    windows
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    in_sync();
    windows.sentry(&["auth", "logout"]).run().success();
}
