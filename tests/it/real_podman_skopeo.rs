//! skopeo and podman against a registry that asks Sentry who may come in.
//!
//! Both read `credHelpers` from the docker client's configuration when no file of their own names
//! the registry, which is what `real_docker::configure` relies on. Their `login` and `logout` use a
//! helper only if it stands in their own `auth.json`.

use crate::fake_sentry::FakeSentry;
use crate::real_docker::{configure, machine};
use crate::registry::Registry;
use crate::sandbox::{Cmd, Sandbox};
use crate::service::tool;

#[track_caller]
pub fn skopeo(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine
        .command(tool("skopeo"))
        .env("XDG_RUNTIME_DIR", machine.root())
        .args(args)
}

/// podman with all that it keeps below the machine's root.
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
    let _before = inspect().fails(1).stderr_has("unauthorized");
    configure(&machine, &registry);
    let _after = inspect()
        .success()
        .stdout_has("\"RepoTags\": [\n        \"1\"\n    ]");
}

#[test]
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
    let _copied = skopeo(&machine, &copy).run().success();
    let _there = skopeo(&machine, &["inspect", "--tls-verify=false", &to])
        .run()
        .success();
}

#[test]
fn podman_pulls_an_image() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = registry.push_image("feas/hello:1");
    let machine = machine(&sentry, &sentry.issue().access);
    let pull = || podman(&machine, &["pull", "--quiet", "--tls-verify=false", &image]).run();
    let _before = pull().fails(125).stderr_has("unauthorized");
    configure(&machine, &registry);
    let _after = pull().success();
    let _there = podman(&machine, &["image", "exists", &image])
        .run()
        .success();
}
