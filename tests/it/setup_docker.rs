//! `sentry auth setup-docker`: what it writes to docker's configuration, and what `--undo` restores.

use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Sandbox};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const REGISTRY: [&str; 2] = ["--registry", "registry.example.com"];

fn setup_docker(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.sentry(&["auth", "setup-docker"]).args(args)
}

/// A machine whose instance is sentry.io.
fn machine() -> Sandbox {
    Sandbox::new().env("SENTRY_URL", "https://sentry.io")
}

fn file(machine: &Sandbox) -> PathBuf {
    machine.home().join(".docker/config.json")
}

/// A typical user's docker configuration.
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
fn setup_docker_creates_a_private_file_where_there_is_none() {
    let machine = machine();
    let path = file(&machine);
    setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .stdout_is("")
        .stderr_is("docker uses the login of https://sentry.io for registry.example.com\n");
    assert_eq!(
        read(&path),
        "{\n\t\"credHelpers\": {\n\t\t\"registry.example.com\": \"sentry\"\n\t}\n}"
    );
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(
        machine.bindings(),
        ["docker registry.example.com -> https://sentry.io"]
    );
}

#[test]
fn a_key_is_written_as_it_was_typed() {
    for (typed, key) in [
        ("Registry.example.com:443", "Registry.example.com:443"),
        // As `docker login` accepts them.
        ("https://Registry.example.com/", "Registry.example.com"),
        ("[::1]:5000", "[::1]:5000"),
    ] {
        let machine = machine();
        setup_docker(&machine, &["--registry", typed])
            .run()
            .success();
        assert_eq!(
            read(&file(&machine)),
            format!("{{\n\t\"credHelpers\": {{\n\t\t\"{key}\": \"sentry\"\n\t}}\n}}")
        );
    }
    let machine = machine();
    setup_docker(&machine, &["Registry.example.com:443"])
        .run()
        .success();
    assert_eq!(
        machine.bindings(),
        ["docker registry.example.com -> https://sentry.io"]
    );
}

#[test]
fn registries_may_stand_alone() {
    let machine = machine();
    setup_docker(
        &machine,
        &["a.example", "b.example", "--registry", "a.example"],
    )
    .run()
    .success();
    assert_eq!(
        machine.bindings(),
        [
            "docker a.example -> https://sentry.io",
            "docker b.example -> https://sentry.io"
        ]
    );
}

#[test]
fn what_names_no_registry_is_explained() {
    let machine = machine();
    for (typed, words) in [
        (
            "r.example/team",
            "docker and podman look a helper up by the host of a registry, without a path: use `r.example`\n",
        ),
        (
            "https://r.example/v2/",
            "docker and podman look a helper up by the host of a registry, without a path: use `r.example`\n",
        ),
        (
            "http://r.example",
            "a registry is named by its host, such as `r.example:5000`\n",
        ),
        (
            "a b",
            "a registry is named by its host, such as `r.example:5000`\n",
        ),
    ] {
        setup_docker(&machine, &["--registry", typed])
            .run()
            .fails(2)
            .stderr_has(words);
    }
    assert!(!file(&machine).exists() && !machine.db().exists());
}

#[test]
fn setup_docker_keeps_all_that_is_not_ours() {
    let machine = machine();
    let path = write(
        &machine,
        "{\"zeta\": [1, 2.50, null], \"auths\": {\"other\": {}}, \"credHelpers\": {\"z.example\": \"pass\", \
         \"registry.example.com\": \"ecr-login\"}, \"alpha\": {\"<\": \"  two\\n  lines\"}}",
    );
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let dotfiles = machine.home().join("dotfiles.json");
    fs::rename(&path, &dotfiles).unwrap();
    symlink("../dotfiles.json", &path).unwrap();

    setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .stderr_is(
            "docker uses the login of https://sentry.io for registry.example.com, no longer `ecr-login`\n",
        );
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

    setup_docker(&machine, &["--undo"])
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
    let machine = machine();
    fs::create_dir(machine.home().join(".docker")).unwrap();
    symlink("real.json", file(&machine)).unwrap();
    setup_docker(&machine, &["--default"]).run().success();
    assert_eq!(
        read(&machine.home().join(".docker/real.json")),
        "{\n\t\"credsStore\": \"sentry\"\n}"
    );
}

#[test]
fn setup_docker_twice_changes_nothing() {
    let machine = machine();
    let both = ["--default", "--registry", "registry.example.com"];
    setup_docker(&machine, &both).run().success();
    let before = fs::metadata(file(&machine)).unwrap().modified().unwrap();
    setup_docker(&machine, &both).run().success().stderr_is(
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
        let machine = machine();
        let path = write(&machine, text);
        setup_docker(&machine, &REGISTRY)
            .run()
            .fails(1)
            .stderr_is(&format!(
                "error: {path} is not a JSON object as docker writes it; correct it by hand\n"
            ));
        assert_eq!(read(&file(&machine)), text);
        assert!(!machine.db().exists());
    }
}

#[test]
fn a_helper_that_docker_would_not_find_is_not_set_up() {
    let machine = machine().env("PATH", "/usr/bin:/bin");
    let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent().unwrap();
    setup_docker(&machine, &REGISTRY)
        .run()
        .fails(1)
        .stderr_is(&format!(
            "error: docker cannot find `docker-credential-sentry`: it is not on PATH\n\
             hint: `export PATH={}:\"$PATH\"`\n",
            programs.display()
        ));
    assert!(!file(&machine).exists());
    assert!(!machine.db().exists());
}

#[test]
fn undo_leaves_what_others_wrote_since() {
    let machine = machine();
    let both = ["--default", "--registry", "registry.example.com"];
    setup_docker(&machine, &both).run().success();
    let path = write(
        &machine,
        "{\"credsStore\": \"pass\", \"credHelpers\": {\"registry.example.com\": \"sentry\"}}",
    );
    setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is(&format!(
            "warning: `credsStore` in {path} was changed since; it is left as it is\n\
             removed `credHelpers.registry.example.com` from {path}\n\
             unbound registry.example.com from https://sentry.io\n"
        ));
    assert_eq!(read(&file(&machine)), "{\n\t\"credsStore\": \"pass\"\n}");
    setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is("nothing to undo\n");
}

#[test]
fn a_registry_stays_bound_until_it_is_undone_for_docker_and_podman() {
    let machine = machine();
    let auth = machine.home().join("run/containers/auth.json");
    let run = machine.home().join("run");
    let machine = machine.env("XDG_RUNTIME_DIR", run);
    setup_docker(&machine, &REGISTRY).run().success();
    setup_docker(&machine, &REGISTRY)
        .arg("--podman")
        .run()
        .success()
        .stderr_is(&format!(
            "podman uses the login of https://sentry.io for registry.example.com\n\
             warning: {} is deleted at the next boot\n\
             hint: `export REGISTRY_AUTH_FILE=\"$HOME/.config/containers/auth.json\"`, for podman too\n",
            auth.display()
        ));
    setup_docker(&machine, &["--undo"]).run().success();
    assert_eq!(machine.bindings().len(), 1);
    setup_docker(&machine, &["--undo", "--podman"])
        .run()
        .success();
    assert_eq!(machine.bindings(), [""; 0]);
    assert_eq!(read(&auth), "{}");
}

#[test]
fn podmans_file_is_where_podman_looks() {
    for (variable, value, expected) in [
        ("REGISTRY_AUTH_FILE", "mine.json", "mine.json"),
        ("DOCKER_CONFIG", "cfg", "cfg/config.json"),
        ("XDG_RUNTIME_DIR", "run", "run/containers/auth.json"),
    ] {
        let machine = machine();
        let value = machine.home().join(value);
        let machine = machine.env(variable, &value);
        let done = setup_docker(&machine, &["--podman"])
            .args(REGISTRY)
            .run()
            .success();
        assert!(machine.home().join(expected).is_file(), "{variable}");
        assert_eq!(
            done.stderr.contains("deleted at the next boot"),
            variable == "XDG_RUNTIME_DIR"
        );
    }
}

#[test]
fn a_password_that_stays_in_the_file_is_reported() {
    let machine = machine();
    let path = write(
        &machine,
        "{\"auths\": {\"https://registry.example.com/v2/\": {\"auth\": \"am9lOnA0c3M=\"}, \
         \"other.example\": {\"auth\": \"am9lOnA0c3M=\"}, \"third.example\": {}}}",
    );
    setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .never_says("am9lOnA0c3M=")
        .stderr_is(&format!(
            "docker uses the login of https://sentry.io for registry.example.com\n\
             warning: {path} still holds a password for https://registry.example.com/v2/, which is no longer used; \
             remove it from `auths` there\n"
        ));
}

#[test]
fn without_a_login_no_instance_is_guessed() {
    let sandbox = Sandbox::new();
    let refused = || {
        setup_docker(&sandbox, &REGISTRY).run().fails(1).stderr_is(
            "error: no login yet; log in first, or name the instance with `--url`\n\
             hint: `sentry auth login`\n",
        )
    };
    refused();
    assert!(!file(&sandbox).exists() && !sandbox.db().exists());
    let by_url = ["--url", "https://sentry.example.com"];
    setup_docker(&sandbox, &REGISTRY)
        .args(by_url)
        .run()
        .success();
    // A binding is no login.
    refused();
    // {"url":"https://self.example"}
    let token = "sntrys_eyJ1cmwiOiJodHRwczovL3NlbGYuZXhhbXBsZSJ9_x";
    setup_docker(&sandbox, &["other.example"])
        .env("SENTRY_AUTH_TOKEN", token)
        .run()
        .success();
    assert_eq!(
        sandbox.bindings(),
        [
            "docker other.example -> https://self.example",
            "docker registry.example.com -> https://sentry.example.com"
        ]
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let machine = machine();
    let path = file(&machine);
    let dry = |args: &[&str]| {
        setup_docker(&machine, &["--dry-run"])
            .args(args)
            .run()
            .success()
    };
    let both = [
        "--default",
        "--registry",
        "registry.example.com",
        "--username",
        "jane",
    ];
    let would = format!(
        "would bind registry.example.com to https://sentry.io as jane\n\
         would set `credsStore` to `sentry` in {0}\n\
         would set `credHelpers.registry.example.com` to `sentry` in {0}\n",
        path.display()
    );
    dry(&both).stdout_is("").stderr_is(&would);
    assert_eq!(fs::read_dir(machine.home()).unwrap().count(), 0);

    setup_docker(&machine, &both).run().success();
    let before = (read(&path), machine.bindings());
    dry(&["--undo"]).stderr_is(&format!(
        "would remove `credsStore` from {0}\n\
         would remove `credHelpers.registry.example.com` from {0}\n\
         would unbind registry.example.com from https://sentry.io\n",
        path.display()
    ));
    dry(&both).stderr_is(
        "nothing to change for credsStore\nnothing to change for registry.example.com\n",
    );
    assert_eq!((read(&path), machine.bindings()), before);
}

#[test]
fn undo_needs_no_log() {
    let machine = machine();
    let path = file(&machine);
    let both = ["--default", "--registry", "registry.example.com"];
    setup_docker(&machine, &both).run().success();
    fs::remove_dir_all(machine.config_dir()).unwrap();
    setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is(&format!(
            "removed `credsStore` from {0}\nremoved `credHelpers.registry.example.com` from {0}\n",
            path.display()
        ));
    assert_eq!(read(&path), "{}");
    assert!(!machine.config_dir().exists());
}

#[test]
fn undo_never_brings_this_program_back() {
    let machine = machine();
    let _by_hand = write(
        &machine,
        "{\"credHelpers\": {\"registry.example.com\": \"sentry\"}}",
    );
    setup_docker(&machine, &REGISTRY).run().success();
    setup_docker(&machine, &["--undo"]).run().success();
    assert_eq!(read(&file(&machine)), "{}");
    setup_docker(&machine, &["--undo"])
        .run()
        .success()
        .stderr_is("nothing to undo\n");
}

#[test]
fn undo_of_a_registry_that_is_named_always_unbinds() {
    let machine = machine();
    setup_docker(&machine, &REGISTRY).run().success();
    let path = file(&machine);
    fs::remove_file(&path).unwrap();
    let run = machine.home().join("run");
    let machine = machine.env("XDG_RUNTIME_DIR", &run);
    let podman = setup_docker(&machine, &REGISTRY).arg("--podman").run();
    podman.success();
    setup_docker(&machine, &["--undo", "registry.example.com"])
        .run()
        .success()
        .stderr_is(&format!(
            "unbound registry.example.com from https://sentry.io\n\
             warning: {}/containers/auth.json still names this program for registry.example.com\n",
            run.display()
        ));
    assert_eq!(machine.bindings(), [""; 0]);
}

#[test]
fn undo_ends_a_binding_that_no_file_leads_to_any_more() {
    let machine = machine();
    let elsewhere = machine.home().join("elsewhere");
    let setup = setup_docker(&machine, &REGISTRY).env("DOCKER_CONFIG", &elsewhere);
    setup.run().success();
    let undo = || setup_docker(&machine, &["--undo"]).run().success();
    undo().stderr_is("nothing to undo\n");
    assert_eq!(machine.bindings().len(), 1);
    fs::remove_dir_all(elsewhere).unwrap();
    undo().stderr_is("unbound registry.example.com from https://sentry.io\n");
    assert_eq!(machine.bindings(), [""; 0]);
}

#[test]
fn undo_works_through_symlinks_of_the_directory_and_the_file() {
    let machine = machine();
    fs::create_dir(machine.home().join("real")).unwrap();
    symlink("real", machine.home().join("link")).unwrap();
    symlink("dotfile.json", machine.home().join("real/config.json")).unwrap();
    let dotfile = machine.home().join("real/dotfile.json");
    fs::write(
        &dotfile,
        "{\"credHelpers\": {\"registry.example.com\": \"ecr-login\"}}",
    )
    .unwrap();
    let (link, real) = (machine.home().join("link"), machine.home().join("real"));
    for (there, back) in [(&link, &link), (&link, &real), (&real, &link)] {
        let done = setup_docker(&machine, &REGISTRY).env("DOCKER_CONFIG", there);
        done.run().success();
        let undone = setup_docker(&machine, &["--undo"]).env("DOCKER_CONFIG", back);
        undone.run().success();
        assert!(read(&dotfile).contains("\"registry.example.com\": \"ecr-login\""));
        assert_eq!(machine.bindings(), [""; 0]);
    }
    assert!(
        link.join("config.json")
            .symlink_metadata()
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn podmans_former_file_is_undone_too() {
    let machine = machine();
    let former = machine.home().join(".config/containers/auth.json");
    fs::create_dir_all(former.parent().unwrap()).unwrap();
    fs::write(
        &former,
        "{\"credHelpers\": {\"registry.example.com\": \"sentry\"}}",
    )
    .unwrap();
    let run = machine.home().join("run");
    let undo = setup_docker(&machine, &["--podman", "--undo"]).env("XDG_RUNTIME_DIR", run);
    undo.run().success().stderr_is(&format!(
        "removed `credHelpers.registry.example.com` from {}\n",
        former.display()
    ));
    assert_eq!(read(&former), "{}");
}

#[test]
fn a_key_that_no_client_looks_up_is_replaced_by_the_one_that_they_do() {
    let machine = machine();
    let path = write(
        &machine,
        "{\"credHelpers\": {\"https://registry.example.com\": \"sentry\", \"https://other.example\": \"pass\"}}",
    );
    setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .stderr_is("docker uses the login of https://sentry.io for registry.example.com\n");
    assert_eq!(
        read(Path::new(&path)),
        "{\n\t\"credHelpers\": {\n\t\t\"https://other.example\": \"pass\",\n\t\t\"registry.example.com\": \"sentry\"\n\t}\n}"
    );
}

/// Stores a login for a registry, as `docker login -u` does.
fn store(machine: &Sandbox, server: &str) {
    let login = serde_json::json!({"ServerURL": server, "Username": "joe", "Secret": "p4ss"});
    let store = machine.docker_credential("store").stdin(login.to_string());
    store.run().success();
}

#[test]
fn a_login_that_was_stored_before_goes_with_the_set_up() {
    let machine = machine();
    setup_docker(&machine, &["--default"]).run().success();
    store(&machine, "https://registry.example.com");
    store(&machine, "other.example");
    setup_docker(&machine, &REGISTRY)
        .run()
        .success()
        .stderr_has("removed the login that docker had stored for registry.example.com\n");
    assert_eq!(machine.stored_credentials(), 1);
}

#[test]
fn undo_removes_credentials_that_are_no_longer_used() {
    let machine = machine();
    let path = file(&machine).display().to_string();
    let both = ["--default", "--registry", "registry.example.com"];
    setup_docker(&machine, &both).run().success();
    store(&machine, "https://other.example/v2/");
    store(&machine, "third.example");
    let undo = |args: &[&str]| {
        setup_docker(&machine, &["--undo"])
            .args(args)
            .run()
            .success()
    };
    undo(&["registry.example.com"]);
    assert_eq!(machine.stored_credentials(), 2);
    undo(&[]).stderr_is(&format!(
        "removed `credsStore` from {path}\n\
         removed the login that docker had stored for other.example\n\
         removed the login that docker had stored for third.example\n"
    ));
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn the_user_name_stays_until_another_is_given() {
    let machine = machine();
    let username = |name: &str| ["--username".to_owned(), name.to_owned()];
    let set_up = || setup_docker(&machine, &REGISTRY);
    set_up().args(username("jane")).run().success();
    set_up()
        .run()
        .success()
        .stderr_is("nothing to change for registry.example.com\n");
    set_up()
        .args(username("bob"))
        .run()
        .success()
        .stderr_is("docker uses the login of https://sentry.io for registry.example.com as bob\n");
}

#[test]
fn docker_hub_is_set_up_under_the_key_that_each_client_looks_up() {
    let hub = "https://index.docker.io/v1/";
    for (podman, key) in [(false, hub), (true, "docker.io")] {
        for name in [
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io",
            "Docker.io",
            hub,
        ] {
            let file = if podman { "auth.json" } else { "config.json" };
            let machine = Machine::new().session(Age::FRESH);
            let place = machine.sandbox.root().join(file);
            let set_up = |more: &[&str]| {
                let mut args = vec!["auth", "setup-docker", "--registry", name];
                args.extend(podman.then_some("--podman"));
                let command = machine.sandbox.sentry(&[&args[..], more].concat());
                let command = command.env("DOCKER_CONFIG", machine.sandbox.root());
                match podman {
                    true => command.env("REGISTRY_AUTH_FILE", &place),
                    false => command,
                }
            };
            set_up(&[]).run().success();
            let content: Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
            assert_eq!(content, json!({"credHelpers": {key: "sentry"}}), "{name}");
            let get = machine.sandbox.docker_credential("get").stdin(key).run();
            get.success().stdout_has(&machine.pair.access);
            set_up(&["--undo"]).run().success();
            let content: Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
            assert_eq!(content, json!({}), "{name}");
            assert_eq!(machine.sandbox.bindings(), [""; 0]);
        }
    }
}
