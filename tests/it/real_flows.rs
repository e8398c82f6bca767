//! From `sentry auth login` to a clone and a pull, as a user does it: no token in the environment,
//! nothing configured by hand.

use crate::engine::Engine;
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::git_server::{Challenge, GitServer};
use crate::real_docker::docker;
use crate::real_git::{clone, clone_push_and_fetch, configure};
use crate::real_podman_skopeo::{podman, skopeo};
use crate::registry::Registry;
use crate::sandbox::{Output, Running, Sandbox};
use crate::service::tool;
use crate::terminal::TtyUser;
use serde_json::{Value, json};
use std::time::Duration;

/// A machine whose user has logged in to the Sentry at a terminal, a moment ago.
#[track_caller]
fn logged_in(sentry: &FakeSentry) -> Sandbox {
    let machine = Sandbox::new();
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let login = machine.sentry(&["auth", "login", "--no-browser", "--url", &sentry.url()]);
    let mut user = TtyUser::start(login.env("SENTRY_CLIENT_ID", CLIENT_ID));
    assert_eq!(user.wait(), 0, "{}", user.screen());
    machine
}

#[track_caller]
fn set_up_docker(machine: &Sandbox, args: &[&str]) {
    machine
        .sentry(&["auth", "setup-docker"])
        .args(args)
        .run()
        .success();
}

/// Expires the session's access token, at the server and in the store.
#[track_caller]
fn expire(machine: &Sandbox, sentry: &FakeSentry) {
    sentry.expire(&sentry.current_access());
    let store = machine.database().expect("a store");
    assert_eq!(
        store.execute("UPDATE accounts SET expires_at = 1000", []),
        Ok(1)
    );
}

/// Calls the docker helper as the docker client does.
#[track_caller]
fn docker_get(machine: &Sandbox, host: &str) -> Output {
    machine.docker_credential("get").stdin(host).run()
}

fn accepts(registry: &Registry, machine: &Sandbox, image: &str) {
    let url = format!("docker://{image}");
    let copy = format!("docker://{}/feas/copy:2", registry.host());
    docker(machine, &["manifest", "inspect", "--insecure", image])
        .run()
        .success();
    skopeo(machine, &["inspect", "--tls-verify=false", &url])
        .run()
        .success();
    let copying = [
        "--insecure-policy",
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &url,
        &copy,
    ];
    skopeo(machine, &copying).run().success();
    podman(machine, &["pull", "--quiet", "--tls-verify=false", image])
        .run()
        .success();
}

#[test]
fn one_login_serves_git_past_the_end_of_its_token() {
    for challenge in [Challenge::Basic, Challenge::Both] {
        let sentry = FakeSentry::start();
        let server = GitServer::start(&sentry, challenge);
        let machine = logged_in(&sentry).env("GIT_TERMINAL_PROMPT", "0");
        configure(&machine, &server);
        clone_push_and_fetch(&machine, &server, &tool("git"));
        assert_eq!(sentry.refreshes(), 0);

        expire(&machine, &sentry);
        server.commit();
        let fetch = machine
            .command("git")
            .args(["fetch", "--quiet"])
            .current_dir(machine.home().join("work"));
        fetch.run().success();
        assert_eq!(sentry.refreshes(), 1);
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    }
}

#[test]
fn ten_fetches_at_once_cost_one_refresh() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let machine = logged_in(&sentry).env("GIT_TERMINAL_PROMPT", "0");
    configure(&machine, &server);
    expire(&machine, &sentry);
    let fetches: Vec<Running> = (0..10)
        .map(|_| {
            machine
                .command("git")
                .args(["ls-remote", &server.url()])
                .spawn()
        })
        .collect();
    for fetch in fetches {
        fetch.wait().success().stdout_has(&server.head());
    }
    assert_eq!(sentry.refresh_attempts(), 1);
}

#[test]
fn a_clone_with_an_ended_session_logs_in_again_and_completes() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let machine = logged_in(&sentry);
    configure(&machine, &server);
    sentry.revoke_family(&sentry.current_access());
    expire(&machine, &sentry);
    let first_login = sentry.wait_for_code(Duration::ZERO);

    let mut user = TtyUser::start(clone(&machine, &server, &tool("git")));
    user.expect("[Y/n]").type_line("y");
    let code = sentry.wait_for_code(Duration::from_secs(10));
    assert_ne!(code, first_login);
    user.expect(&code);
    sentry.approve(&code);
    assert_eq!(user.wait(), 0, "{}", user.screen());
    assert!(machine.home().join("work/README").exists());
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_clone_with_an_ended_session_and_no_user_fails_with_a_hint() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let machine = logged_in(&sentry).env("GIT_TERMINAL_PROMPT", "0");
    configure(&machine, &server);
    sentry.revoke_family(&sentry.current_access());
    expire(&machine, &sentry);
    clone(&machine, &server, &tool("git"))
        .run()
        .fails(128)
        .stderr_has("`git credential-sentry login");
    assert_eq!(sentry.device_codes(), 1);
}

#[test]
fn one_login_serves_docker_skopeo_and_podman() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let image = registry.push_image("feas/hello:1");
    let machine = logged_in(&sentry);
    set_up_docker(&machine, &["--registry", &registry.host()]);
    accepts(&registry, &machine, &image);
    expire(&machine, &sentry);
    accepts(&registry, &machine, &image);
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
#[cfg_attr(portable, ignore = "command lines")]
fn docker_logout_signs_a_registry_out_and_leaves_the_session() {
    let sentry = FakeSentry::start();
    let (registry, engine) = (Registry::start(&sentry), Engine::start());
    let host = registry.host();
    let machine = logged_in(&sentry).env("DOCKER_HOST", engine.docker_host());
    set_up_docker(&machine, &["--registry", &host]);
    docker(&machine, &["login", &host])
        .run()
        .success()
        .stdout_has("Login Succeeded");

    docker(&machine, &["logout", &host]).run().success();
    docker_get(&machine, &host)
        .fails(1)
        .stdout_is("credentials not found in native keychain\n");
    machine.sentry(&["auth", "token"]).run().success();

    docker(&machine, &["login", &host])
        .run()
        .success()
        .stdout_has("Login Succeeded");
    docker_get(&machine, &host)
        .success()
        .stdout_has(&sentry.current_access());

    docker(&machine, &["logout", &host]).run().success();
    set_up_docker(&machine, &["--registry", &host]);
    docker_get(&machine, &host)
        .success()
        .stdout_has(&sentry.current_access());
}

#[test]
fn docker_keeps_the_password_of_another_registry_with_us() {
    let sentry = FakeSentry::start();
    let other = Registry::start_with_password("joe", "p4ss");
    let (host, image) = (other.host(), other.push_image("feas/hello:1"));
    let machine = logged_in(&sentry);
    set_up_docker(&machine, &["--default"]);
    let login = docker(&machine, &["login", "-u", "joe", "--password-stdin", &host]).stdin("p4ss");
    login.run().success().stdout_has("Login Succeeded");

    let listed: Value =
        serde_json::from_str(&machine.docker_credential("list").run().success().stdout)
            .expect("JSON");
    assert_eq!(listed, json!({ &host: "joe" }));
    let found: Value =
        serde_json::from_str(&docker_get(&machine, &host).success().stdout).expect("JSON");
    assert_eq!(
        found,
        json!({ "ServerURL": &host, "Username": "joe", "Secret": "p4ss" })
    );
    docker(&machine, &["manifest", "inspect", "--insecure", &image])
        .run()
        .success();

    docker(&machine, &["logout", &host]).run().success();
    docker_get(&machine, &host)
        .fails(1)
        .stdout_is("credentials not found in native keychain\n");
}

#[test]
fn podman_logs_in_and_out_through_its_own_configuration() {
    let sentry = FakeSentry::start();
    let registry = Registry::start(&sentry);
    let host = registry.host();
    let machine = logged_in(&sentry);
    let machine = {
        let runtime = machine.root().to_owned();
        machine.env("XDG_RUNTIME_DIR", runtime)
    };
    set_up_docker(&machine, &["--podman", "--registry", &host]);
    podman(&machine, &["login", "--tls-verify=false", &host])
        .run()
        .success();
    podman(&machine, &["logout", &host]).run().success();
    docker_get(&machine, &host)
        .fails(1)
        .stdout_is("credentials not found in native keychain\n");
}
