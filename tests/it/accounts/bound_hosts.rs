//! Hosts that are bound to an account.

use serde_json::Value;

use super::{JANE, Scene};

/// A host of git's and a registry for each account, by name.
fn bind_each(scene: &Scene, names: &[&str]) {
    for name in names {
        let git = format!("https://{name}.example");
        let docker = format!("{name}.registry.example");
        for setup in [
            ["setup-git", "--host", &git, "--account", name],
            ["setup-docker", "--registry", &docker, "--account", name],
        ] {
            scene.auth(&setup).run().success();
        }
    }
}

/// What git and docker get for the hosts of an account.
fn served(scene: &Scene, name: &str) -> [Option<String>; 2] {
    let request = format!("protocol=https\nhost={name}.example\n\n");
    let git = scene.machine.git_credential("get").stdin(request).run();
    let git = git
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("password="));
    let git = git.map(str::to_owned);
    let docker = scene.machine.docker_credential("get");
    let docker = docker
        .stdin(format!("{name}.registry.example"))
        .run()
        .stdout;
    let docker: Option<Value> = serde_json::from_str(&docker).ok();
    let docker = docker.map(|docker| docker["Secret"].as_str().expect("a secret").to_owned());
    [git, docker]
}

#[test]
fn a_host_that_is_bound_to_an_account_gets_its_token_whichever_is_active() {
    let scene = Scene::new();
    let mut tokens = scene.with_four();
    let names = ["jane", "bob", "acme", "umbrella"];
    bind_each(&scene, &names);
    let is_served = |name: &str, token: Option<&String>| {
        assert_eq!(
            served(&scene, name),
            [token.cloned(), token.cloned()],
            "{name}"
        );
    };
    for active in names {
        scene.auth(&["switch", active]).run().success();
        for (name, token) in names.iter().zip(&tokens) {
            is_served(name, Some(token));
        }
    }
    // Each follows its own account: a refresh, another token, a logout, a login.
    scene
        .auth(&["refresh", "--force", "--account", "bob"])
        .run()
        .success();
    tokens[1] = scene.token(&["--account", "bob"]);
    tokens[2] = scene.login_of_organization("acme", 2);
    scene.auth(&["logout", "--account", "jane"]).run().success();
    is_served("jane", None);
    for (name, token) in names.iter().zip(&tokens).skip(1) {
        is_served(name, Some(token));
    }
    scene.login_of(JANE, &[]).success();
    is_served("jane", Some(&scene.sentry.current_access()));
    scene.auth(&["logout", "--all"]).run().success();
    for name in names {
        is_served(name, None);
    }
}

#[test]
fn a_host_is_not_bound_to_an_account_that_is_not_there() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    for setup in [
        [
            "setup-git",
            "--host",
            "https://g.example",
            "--account",
            "bob",
        ],
        [
            "setup-docker",
            "--registry",
            "r.example",
            "--account",
            "bob",
        ],
    ] {
        let told = scene.auth(&setup).run().fails(1);
        told.stderr_has("error: no account is called `bob`");
    }
    assert_eq!(scene.machine.bindings(), Vec::<String>::new());
    assert!(!scene.machine.home().join(".gitconfig").exists());
    assert!(!scene.machine.home().join(".docker/config.json").exists());
}
