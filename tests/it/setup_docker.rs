//! `sentry auth setup-docker`: what it writes to docker's configuration, and what `--undo` leaves of it.

use crate::sandbox::{Cmd, Sandbox};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const REGISTRY: [&str; 2] = ["--registry", "registry.example.com"];

fn setup_docker(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.sentry(&["auth", "setup-docker"]).args(args)
}

fn file(machine: &Sandbox) -> PathBuf {
    machine.home().join(".docker/config.json")
}

/// docker's configuration as a user has it.
fn write(machine: &Sandbox, text: &str) -> String {
    fs::create_dir_all(machine.home().join(".docker")).unwrap();
    fs::write(file(machine), text).unwrap();
    file(machine).display().to_string()
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn setup_docker_makes_a_private_file_where_there_is_none() {
    let machine = Sandbox::new();
    let path = file(&machine);
    let _done = setup_docker(
        &machine,
        &["--registry", "https://Registry.example.com:443/"],
    )
    .run()
    .success()
    .stdout_is("")
    .stderr_is(&format!(
        "bound registry.example.com:443 to https://sentry.io\n\
             set `credHelpers.registry.example.com:443` to `sentry` in {}\n",
        path.display()
    ));
    assert_eq!(
        read(&path),
        "{\n\t\"credHelpers\": {\n\t\t\"registry.example.com:443\": \"sentry\"\n\t}\n}"
    );
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(
        machine.bindings(),
        ["docker registry.example.com -> https://sentry.io"]
    );
}

#[test]
fn setup_docker_keeps_all_that_is_not_ours() {
    let machine = Sandbox::new();
    let path = write(
        &machine,
        "{\"zeta\": [1, 2.50, null], \"auths\": {\"other\": {}}, \"credHelpers\": {\"z.example\": \"pass\", \
         \"registry.example.com\": \"ecr-login\"}, \"alpha\": {\"<\": \"  two\\n  lines\"}}",
    );
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let dotfiles = machine.home().join("dotfiles.json");
    fs::rename(&path, &dotfiles).unwrap();
    symlink("../dotfiles.json", &path).unwrap();

    let _done = setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .stderr_is(&format!(
            "bound registry.example.com to https://sentry.io\n\
             set `credHelpers.registry.example.com` to `sentry` in {path} (was `ecr-login`)\n"
        ));
    assert_eq!(
        read(&dotfiles),
        "{\n\t\"zeta\": [\n\t\t1,\n\t\t2.5,\n\t\tnull\n\t],\n\t\"auths\": {\n\t\t\"other\": {}\n\t},\n\
         \t\"credHelpers\": {\n\t\t\"z.example\": \"pass\",\n\t\t\"registry.example.com\": \"sentry\"\n\t},\n\
         \t\"alpha\": {\n\t\t\"<\": \"  two\\n  lines\"\n\t}\n}"
    );
    assert_eq!(mode(&dotfiles), 0o640);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    let names = fs::read_dir(machine.home()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".docker", ".sentry", "dotfiles.json"]);

    let _undone = setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is(&format!(
            "set `credHelpers.registry.example.com` back to `ecr-login` in {path}\n\
             unbound registry.example.com from https://sentry.io\n"
        ));
    assert!(
        read(&dotfiles).contains("\t\t\"registry.example.com\": \"ecr-login\"\n\t},\n\t\"alpha\"")
    );
}

#[test]
fn a_link_to_nothing_is_followed() {
    let machine = Sandbox::new();
    fs::create_dir(machine.home().join(".docker")).unwrap();
    symlink("real.json", file(&machine)).unwrap();
    let _done = setup_docker(&machine, &["--default"]).run().success();
    assert_eq!(
        read(&machine.home().join(".docker/real.json")),
        "{\n\t\"credsStore\": \"sentry\"\n}"
    );
}

#[test]
fn setup_docker_twice_changes_nothing() {
    let machine = Sandbox::new();
    let both = ["--default", "--registry", "registry.example.com"];
    let _first = setup_docker(&machine, &both).run().success();
    let before = fs::metadata(file(&machine)).unwrap().modified().unwrap();
    let _second = setup_docker(&machine, &both).run().success().stderr_is(
        "nothing to change for credsStore\nnothing to change for registry.example.com\n",
    );
    let after = fs::metadata(file(&machine)).unwrap().modified().unwrap();
    assert_eq!(after, before);
}

#[test]
fn what_is_not_a_json_object_is_left_alone() {
    for text in [
        "[]",
        "{\"auths\": ",
        "null",
        "{\"credHelpers\": \"sentry\"}",
    ] {
        let machine = Sandbox::new();
        let path = write(&machine, text);
        let _refused = setup_docker(&machine, &REGISTRY)
            .run()
            .fails(1)
            .stderr_is(&format!(
                "error: {path} is not a JSON object as docker writes it\n\
                 hint: correct the file by hand; nothing was changed\n"
            ));
        assert_eq!(read(&file(&machine)), text);
        assert!(!machine.db().exists());
    }
}

#[test]
fn a_helper_that_docker_would_not_find_is_not_set_up() {
    let machine = Sandbox::new().env("PATH", "/usr/bin:/bin");
    let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent().unwrap();
    let _refused = setup_docker(&machine, &REGISTRY)
        .run()
        .fails(1)
        .stderr_is(&format!(
            "error: docker would not find `docker-credential-sentry`: it is not on PATH\n\
             hint: add {} to PATH\n",
            programs.display()
        ));
    assert!(!file(&machine).exists());
    assert!(!machine.db().exists());
}

#[test]
fn undo_leaves_what_others_wrote_since() {
    let machine = Sandbox::new();
    let both = ["--default", "--registry", "registry.example.com"];
    let _done = setup_docker(&machine, &both).run().success();
    let path = write(
        &machine,
        "{\"credsStore\": \"pass\", \"credHelpers\": {\"registry.example.com\": \"sentry\"}}",
    );
    let _undone = setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is(&format!(
            "warning: `credsStore` in {path} was changed since; it is left as it is\n\
             removed `credHelpers.registry.example.com` from {path}\n\
             unbound registry.example.com from https://sentry.io\n"
        ));
    assert_eq!(read(&file(&machine)), "{\n\t\"credsStore\": \"pass\"\n}");
    let _nothing = setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is("nothing to undo\n");
}

#[test]
fn a_registry_stays_bound_until_it_is_undone_for_docker_and_podman() {
    let machine = Sandbox::new();
    let auth = machine.home().join(".config/containers/auth.json");
    let _docker = setup_docker(&machine, &REGISTRY).run().success();
    let _podman = setup_docker(&machine, &REGISTRY)
        .arg("--podman")
        .run()
        .success()
        .stderr_is(&format!(
            "set `credHelpers.registry.example.com` to `sentry` in {}\n",
            auth.display()
        ));
    let _undone = setup_docker(&machine, &["--undo"]).run().success();
    assert_eq!(machine.bindings().len(), 1);
    let _undone = setup_docker(&machine, &["--undo", "--podman"])
        .run()
        .success();
    assert_eq!(machine.bindings(), [""; 0]);
    assert_eq!(read(&auth), "{}");
}

#[test]
fn podmans_file_is_where_podman_looks() {
    for (variable, value, expected) in [
        ("REGISTRY_AUTH_FILE", "mine.json", "mine.json"),
        ("XDG_CONFIG_HOME", "cfg", "cfg/containers/auth.json"),
        ("XDG_RUNTIME_DIR", "run", "run/containers/auth.json"),
    ] {
        let machine = Sandbox::new();
        let value = machine.home().join(value);
        let machine = machine.env(variable, &value);
        let done = setup_docker(&machine, &["--podman"])
            .args(REGISTRY)
            .run()
            .success();
        assert!(machine.home().join(expected).is_file(), "{variable}");
        assert_eq!(
            done.stderr.contains("until the next boot"),
            variable == "XDG_RUNTIME_DIR"
        );
    }
}

#[test]
fn a_password_that_stays_in_the_file_is_told() {
    let machine = Sandbox::new();
    let path = write(
        &machine,
        "{\"auths\": {\"https://registry.example.com/v2/\": {\"auth\": \"am9lOnA0c3M=\"}, \
         \"other.example\": {\"auth\": \"am9lOnA0c3M=\"}, \"third.example\": {}}}",
    );
    let _done = setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .never_says("am9lOnA0c3M=")
        .stderr_is(&format!(
            "bound registry.example.com to https://sentry.io\n\
             set `credHelpers.registry.example.com` to `sentry` in {path}\n\
             warning: {path} still holds a password for https://registry.example.com/v2/, which is not used any more\n\
             hint: remove it from `auths` there\n"
        ));
}
