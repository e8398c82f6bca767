//! git in everyday use: clone, push, and fetch from a server that checks access with Sentry.
//!
//! Runs with every git on PATH, because their requests to a helper differ: before 2.46 neither a challenge nor
//! `authtype` reaches it.

use crate::fake_sentry::FakeSentry;
use crate::git_server::{Challenge, GitServer};
use crate::sandbox::{Cmd, Output, Sandbox};
use crate::service::tools;
use std::path::Path;

/// Configures the user's git to call the helper for the server.
#[track_caller]
pub fn configure(machine: &Sandbox, server: &GitServer) {
    machine
        .sentry(&["auth", "setup-git", "--host", &server.host()])
        .run()
        .success();
}

/// A machine whose user has a token for the Sentry in the environment, and gets no prompts of git.
pub fn machine(sentry: &FakeSentry, token: &str) -> Sandbox {
    crate::real_docker::machine(sentry, token).env("GIT_TERMINAL_PROMPT", "0")
}

/// Clones to `work`, pushes a commit, and fetches one of another user.
#[track_caller]
pub fn clone_push_and_fetch(machine: &Sandbox, server: &GitServer, git: &Path) {
    let work = machine.home().join("work");
    let in_work = |args: &[&str]| {
        machine
            .command(git)
            .args(args)
            .current_dir(&work)
            .run()
            .success()
            .stdout
    };
    clone(machine, server, git).run().success();
    in_work(&[
        "-c",
        "user.name=Jane",
        "-c",
        "user.email=jane@example.com",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "mine",
    ]);
    in_work(&["push", "--quiet", "origin", "main"]);
    assert_eq!(in_work(&["rev-parse", "HEAD"]).trim(), server.head());
    server.commit();
    in_work(&["fetch", "--quiet"]);
    assert_eq!(in_work(&["rev-parse", "origin/main"]).trim(), server.head());
}

pub fn clone(machine: &Sandbox, server: &GitServer, git: &Path) -> Cmd {
    machine
        .command(git)
        .args(["clone", "--quiet", &server.url(), "work"])
}

/// Whether this git passes challenges on to a helper and takes a Bearer token from it.
#[track_caller]
pub fn knows_bearer(machine: &Sandbox, git: &Path) -> bool {
    machine
        .command(git)
        .args(["credential", "capability"])
        .run()
        .stdout
        .contains("capability authtype\n")
}

/// Clones, pushes and fetches with every git; the server gets the token as `scheme`.
fn every_git_works(challenge: Challenge, scheme: &str) {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        let server = GitServer::start(&sentry, challenge);
        let machine = machine(&sentry, &sentry.issue().access);
        configure(&machine, &server);
        clone_push_and_fetch(&machine, &server, &git);
        let pushed = format!("{scheme} 200 POST /demo.git/git-receive-pack\n");
        assert!(server.log().contains(&pushed), "{}", server.log());
    }
}

#[test]
pub fn clone_push_and_fetch_work_with_basic() {
    every_git_works(Challenge::Basic, "Basic");
}

#[test]
pub fn clone_push_and_fetch_work_with_bearer_where_git_knows_it() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        let server = GitServer::start(&sentry, Challenge::Bearer);
        let token = sentry.issue().access;
        let machine = machine(&sentry, &token);
        configure(&machine, &server);
        if knows_bearer(&machine, &git) {
            clone_push_and_fetch(&machine, &server, &git);
            assert!(
                server
                    .log()
                    .contains("Bearer 200 POST /demo.git/git-receive-pack\n"),
                "{}",
                server.log()
            );
        } else {
            let _refused: Output = clone(&machine, &server, &git)
                .run()
                .fails(128)
                .never_says(&token);
        }
    }
}

#[test]
pub fn clone_push_and_fetch_work_where_the_server_offers_both() {
    every_git_works(Challenge::Both, "Basic");
}

#[test]
fn a_refused_token_fails_the_clone_without_a_question() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let token = sentry.issue().access;
    sentry.revoke_family(&token);
    for git in tools("git") {
        // One for each: for a minute the host does not get a refused token again.
        let machine = machine(&sentry, &token);
        configure(&machine, &server);
        clone(&machine, &server, &git)
            .run()
            .fails(128)
            .stderr_has("Authentication failed")
            .never_says(&token);
    }
}
