//! skopeo, podman and buildah against a registry that checks access with Sentry.
//!
//! All read `credHelpers` from the docker client's configuration if no file of their own names the registry, which
//! `real_docker::configure` relies on. Their `login` and `logout` use a helper only if their own `auth.json` names it.

use crate::fake_sentry::FakeSentry;
use crate::real_docker::{configure, machine};
use crate::registry::Registry;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::tool;
use std::fs;

#[track_caller]
pub fn skopeo(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine
        .command(tool("skopeo"))
        .env("XDG_RUNTIME_DIR", machine.root())
        .args(args)
}

/// podman with all of its files below the machine's root.
#[track_caller]
pub fn podman(machine: &Sandbox, args: &[&str]) -> Cmd {
    let mut cmd = machine
        .command(tool("podman"))
        .env("XDG_RUNTIME_DIR", machine.root());
    for (option, directory) in [
        ("--root", "images"),
        ("--runroot", "run"),
        ("--tmpdir", "tmp"),
    ] {
        cmd = cmd
            .arg(option)
            .arg(machine.root().join("podman").join(directory));
    }
    cmd.args(["--storage-driver", "vfs", "--events-backend", "none"])
        .args(args)
}

#[test]
fn skopeo_inspects_an_image() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = format!("docker://{}", registry.push_image("feas/hello:1"));
    let machine = machine(&sentry, &sentry.issue().access);
    let inspect = || skopeo(&machine, &["inspect", "--tls-verify=false", &image]).run();
    inspect().fails(1).stderr_has("unauthorized");
    configure(&machine, &registry);
    inspect()
        .success()
        .stdout_has("\"RepoTags\": [\n        \"1\"\n    ]");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "podman(1)")]
fn skopeo_copies_an_image_within_the_registry() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = registry.push_image("feas/hello:1");
    let machine = machine(&sentry, &sentry.issue().access);
    configure(&machine, &registry);
    let (from, to) = (
        format!("docker://{image}"),
        format!("docker://{}/feas/copy:2", registry.host()),
    );
    let copy = [
        "--insecure-policy",
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &from,
        &to,
    ];
    skopeo(&machine, &copy).run().success();
    skopeo(&machine, &["inspect", "--tls-verify=false", &to])
        .run()
        .success();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "podman(1)")]
fn podman_pulls_an_image() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = registry.push_image("feas/hello:1");
    let machine = machine(&sentry, &sentry.issue().access);
    let pull = || podman(&machine, &["pull", "--quiet", "--tls-verify=false", &image]).run();
    pull().fails(125).stderr_has("unauthorized");
    configure(&machine, &registry);
    pull().success();
    podman(&machine, &["image", "exists", &image])
        .run()
        .success();
}

/// buildah with all of its files below the machine's root.
#[track_caller]
pub fn buildah(machine: &Sandbox, args: &[&str]) -> Cmd {
    let mut cmd = machine
        .command(tool("buildah"))
        .env("XDG_RUNTIME_DIR", machine.root());
    for (option, directory) in [("--root", "images"), ("--runroot", "run")] {
        cmd = cmd
            .arg(option)
            .arg(machine.root().join("buildah").join(directory));
    }
    cmd.args(["--storage-driver", "vfs"]).args(args)
}

/// A machine with a session, whose podman, skopeo and buildah log in and out through this helper.
fn logged_in(sentry: &FakeSentry, registry: &Registry) -> Sandbox {
    let machine = Sandbox::new();
    machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
    let set_up = ["auth", "setup-docker", "--podman", &registry.host()];
    let set_up = machine
        .sentry(&set_up)
        .env("XDG_RUNTIME_DIR", machine.root());
    set_up.run().success();
    machine
}

#[test]
#[cfg_attr(
    any(not(target_os = "linux"), portable),
    ignore = "podman(1), command lines"
)]
fn a_user_who_logs_out_can_log_in_again() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let (host, image) = (registry.host(), registry.push_image("feas/hello:1"));
    let from = format!("docker://{image}");
    type Client = fn(&Sandbox, &[&str]) -> Cmd;
    let pull = ["pull", "--quiet", "--tls-verify=false", &image];
    let again = [
        "pull",
        "--quiet",
        "--policy=always",
        "--tls-verify=false",
        &image,
    ];
    let inspect = ["inspect", "--tls-verify=false", &from];
    let clients: [(Client, &[&str], i32); 3] = [
        (podman, &pull, 125),
        (skopeo, &inspect, 1),
        (buildah, &again, 125),
    ];
    for (client, pull, refused) in clients {
        let machine = logged_in(&sentry, &registry);
        client(&machine, pull).run().success();
        client(&machine, &["logout", &host]).run().success();
        client(&machine, pull).run().fails(refused);
        // The word in another position is not a login.
        let _word = client(&machine, &["logout", "login"]).run();
        client(&machine, pull).run().fails(refused);
        let login = client(&machine, &["login", "--tls-verify=false", &host]);
        login.run().success();
        client(&machine, pull).run().success();
        skopeo(&machine, &inspect).run().success();
        assert_eq!(machine.stored_credentials(), 0);
    }
}

#[test]
#[cfg_attr(
    any(not(target_os = "linux"), portable),
    ignore = "podman(1), command lines"
)]
fn podman_without_a_runtime_directory_logs_in_through_us() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let host = registry.host();
    for (variable, value) in [
        ("TERM", "dumb"),
        ("DOCKER_CONFIG", "docker"),
        ("REGISTRY_AUTH_FILE", "auth.json"),
    ] {
        let machine = Sandbox::new();
        machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
        // podman requires this file.
        fs::write(machine.home().join("auth.json"), "{}").unwrap();
        let podman = podman(&machine, &["\"$@\""]).env_remove("XDG_RUNTIME_DIR");
        let line = podman.to_string();
        let line = line.trim_matches('`').replace("\"$@\"", "");
        let script = format!(
            "set -e; mount -t tmpfs tmpfs /run; sentry auth setup-docker --podman {host}; \
             podman() {{ {line} \"$@\"; }}; \
             podman login --tls-verify=false {host}; podman logout {host}; \
             ! skopeo inspect --tls-verify=false docker://{host}/feas/none:1; \
             podman login --tls-verify=false {host}; podman login --get-login {host}"
        );
        machine
            .command(tool("unshare"))
            .args(["-Urm", "bash", "-c", &script])
            .env(variable, value)
            .current_dir(machine.home())
            .run()
            .success()
            .stdout_has("\noauth2\n")
            .stderr_has("unauthorized");
    }
}
