//! Which account a logout ends, and what it names as still set up.

use super::{BOB, JANE, Scene};
use crate::fake_sentry::FakeSentry;
use crate::sandbox::Age;

#[test]
fn a_logout_that_could_mean_several_accounts_asks_which() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    scene.login_of(BOB, &[]).success();
    let other = FakeSentry::start();
    scene
        .machine
        .seed_session(&other, &other.issue(), Age::FRESH);
    // The active account is one of another instance.
    let before = scene.rows();
    for logout in [
        scene.auth(&["logout", "--url", &url]),
        scene.auth(&["logout"]).env("SENTRY_URL", &url),
    ] {
        let told = logout.run().fails(1);
        told.stderr_has(&format!("error: `{url}` matches several accounts:\n"))
            .stderr_has("hint: `sentry auth logout --account ");
    }
    assert_eq!(scene.rows(), before);
    scene
        .auth(&["logout", "--account", "jane", "--url", &url])
        .run()
        .success();
    scene.auth(&["logout", "--url", &url]).run().success();
    let usage = scene
        .auth(&["logout", "--all", "--account", "jane"])
        .run()
        .fails(2);
    usage.stderr_has("cannot be used with");
}

#[test]
fn a_logout_names_what_stays_set_up_and_its_hint_ends_that() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    scene.login_of(BOB, &[]).success();
    let bind = |command: &str, option: &str, host: &str, more: &[&str]| {
        let setup = scene
            .auth(&[command, option, host, "--url", &url])
            .args(more);
        setup.run().success();
    };
    bind("setup-git", "--host", "https://both.example", &[]);
    bind(
        "setup-git",
        "--host",
        "https://jane.example",
        &["--account", "jane"],
    );
    bind(
        "setup-docker",
        "--registry",
        "bob.example",
        &["--account", "bob"],
    );
    scene
        .auth(&["logout", "--account", "bob"])
        .run()
        .success()
        .stderr_has(
            "git stays set up for https://both.example\n\
         hint: `sentry auth setup-git --undo --host https://both.example` ends that\n\
         docker stays set up for bob.example\n\
         hint: `sentry auth setup-docker --undo --registry bob.example` ends that\n",
        );
    let told = scene.auth(&["logout", "--all"]).run().success().stderr;
    let expected = "git stays set up for https://both.example, https://jane.example\n\
                    hint: `sentry auth setup-git --undo --host https://both.example --host https://jane.example` ends that\n";
    assert!(
        told.contains(expected) && !told.contains("docker"),
        "{told}"
    );
    let hints = told
        .lines()
        .filter_map(|line| line.strip_prefix("hint: `sentry auth ")?.split_once('`'));
    let hints: Vec<&str> = hints.map(|(command, _)| command).collect();
    let [hint] = hints[..] else { panic!("{told}") };
    let undo: Vec<&str> = hint.split(' ').collect();
    scene.auth(&undo).run().success();
    assert_eq!(
        scene.machine.bindings(),
        [format!("docker bob.example -> {url}")]
    );
}
