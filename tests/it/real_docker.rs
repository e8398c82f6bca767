//! The docker client against a registry that asks Sentry who may come in.
//!
//! Only `manifest inspect` and `login` use a credential without an engine; for `login` a stand-in
//! engine checks it (see `engine`).

use crate::engine::Engine;
use crate::fake_sentry::FakeSentry;
use crate::registry::Registry;
use crate::sandbox::{Cmd, Sandbox};
use crate::service::tool;
use serde_json::json;

/// Makes the user's docker, podman and skopeo ask us about the registry.
#[track_caller]
pub fn configure(machine: &Sandbox, registry: &Registry) {
    let _configured = machine
        .sentry(&["auth", "setup-docker", "--registry", &registry.host()])
        .run()
        .success();
}

/// A machine whose user has a token for the Sentry in the environment.
pub fn machine(sentry: &FakeSentry, token: &str) -> Sandbox {
    Sandbox::new()
        .for_sentry(sentry)
        .env("SENTRY_AUTH_TOKEN", token)
}

#[track_caller]
pub fn docker(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.command(tool("docker")).args(args)
}

#[test]
fn docker_reads_a_manifest() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = registry.push_image("feas/hello:1");
    let machine = machine(&sentry, &sentry.issue().access);
    let inspect = || docker(&machine, &["manifest", "inspect", "--insecure", &image]).run();
    let _before = inspect().fails(1).stderr_has("no basic auth credentials");
    configure(&machine, &registry);
    let _after = inspect()
        .success()
        .stdout_has("application/vnd.docker.image.rootfs.diff.tar");
}

#[test]
fn docker_login_without_a_password_succeeds() {
    let sentry = FakeSentry::start();
    let (registry, engine) = (Registry::start(&sentry), Engine::start());
    let token = sentry.issue().access;
    let machine = machine(&sentry, &token).env("DOCKER_HOST", engine.docker_host());
    configure(&machine, &registry);
    let _in = docker(&machine, &["login", &registry.host()])
        .run()
        .success()
        .stdout_has("Login Succeeded")
        .never_says(&token);
    let checked =
        json!({ "username": "oauth2", "password": token, "serveraddress": registry.host() });
    assert_eq!(engine.logins(), [checked]);
}

#[test]
fn docker_login_with_a_refused_token_fails() {
    let sentry = FakeSentry::start();
    let (registry, engine) = (Registry::start(&sentry), Engine::start());
    let token = sentry.issue().access;
    sentry.revoke_family(&token);
    let machine = machine(&sentry, &token).env("DOCKER_HOST", engine.docker_host());
    configure(&machine, &registry);
    let _out = docker(&machine, &["login", &registry.host()])
        .run()
        .fails(1)
        .never_says(&token);
    assert_eq!(engine.logins().len(), 1);
}

#[test]
fn the_engine_takes_a_password_of_another_registry() {
    let (registry, engine) = (
        Registry::start_with_password("joe", "p4ss"),
        Engine::start(),
    );
    let machine = Sandbox::new().env("DOCKER_HOST", engine.docker_host());
    // With nothing in it, the client would look for a helper of this machine's.
    let config = json!({"auths": {"unused.example": {"auth": "dTpw"}}});
    std::fs::create_dir(machine.home().join(".docker")).unwrap();
    std::fs::write(
        machine.home().join(".docker/config.json"),
        config.to_string(),
    )
    .unwrap();
    let login = |password: &str| {
        docker(
            &machine,
            &["login", "-u", "joe", "--password-stdin", &registry.host()],
        )
        .stdin(password)
        .run()
    };
    let _wrong = login("wrong").fails(1);
    let _right = login("p4ss").success().stdout_has("Login Succeeded");
}
