//! Transfers for which git uses a credential in more places than for a small clone: a push of over 1 MiB, which begins
//! with a probe; dumb HTTP, where each object is a request; objects that are fetched on demand.
//!
//! Runs with every git on PATH. git 2.46 to 2.53 omits an `authtype` from the probe.

use crate::fake_sentry::FakeSentry;
use crate::git_server::{Challenge, GitServer};
use crate::real_git::{clone, configure, knows_bearer};
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::tools;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// A machine with a session, whose git calls the helper for the server.
fn machine(sentry: &FakeSentry, server: &GitServer) -> Sandbox {
    let machine = Sandbox::new()
        .for_sentry(sentry)
        .env("GIT_TERMINAL_PROMPT", "0");
    machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
    configure(&machine, server);
    machine
}

/// A machine with a token in its environment, which works without a session.
fn machine_with_a_variable(sentry: &FakeSentry, server: &GitServer) -> Sandbox {
    let machine = Sandbox::new()
        .for_sentry(sentry)
        .env("SENTRY_AUTH_TOKEN", sentry.issue().access)
        .env("GIT_TERMINAL_PROMPT", "0");
    configure(&machine, server);
    machine
}

fn in_work(machine: &Sandbox, git: &Path, args: &[&str]) -> Cmd {
    let work = machine.home().join("work");
    machine.command(git).args(args).current_dir(work)
}

/// Clones, and commits a file of 2 MiB that cannot be compressed.
#[track_caller]
fn clone_and_commit_2_mib(machine: &Sandbox, server: &GitServer, git: &Path) {
    clone(machine, server, git).run().success();
    let mut noise = vec![0; 2 << 20];
    let mut random = fs::File::open("/dev/urandom").expect("random bytes");
    random.read_exact(&mut noise).expect("random bytes");
    fs::write(machine.home().join("work/noise"), noise).expect("a file");
    in_work(machine, git, &["add", "noise"]).run().success();
    let name = ["-c", "user.name=Jane", "-c", "user.email=jane@example.com"];
    let commit = in_work(machine, git, &name).args(["commit", "--quiet", "-m", "big"]);
    commit.run().success();
}

#[track_caller]
fn has_pushed(machine: &Sandbox, server: &GitServer, git: &Path) -> bool {
    let head = in_work(machine, git, &["rev-parse", "HEAD"])
        .run()
        .success();
    head.stdout.trim() == server.head()
}

const PUSH: [&str; 4] = ["push", "--quiet", "origin", "main"];

#[test]
fn a_push_of_2_mib_works_where_basic_is_offered() {
    for git in tools("git") {
        for challenge in [Challenge::Basic, Challenge::Both] {
            for make in [machine, machine_with_a_variable] {
                let sentry = FakeSentry::start();
                let server = GitServer::start(&sentry, challenge);
                let machine = make(&sentry, &server);
                clone_and_commit_2_mib(&machine, &server, &git);
                in_work(&machine, &git, &PUSH).run().success();
                assert!(has_pushed(&machine, &server, &git), "{challenge:?}");
            }
        }
    }
}

#[test]
fn a_push_of_2_mib_to_a_server_that_takes_bearer_alone_needs_a_larger_buffer() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        let server = GitServer::start(&sentry, Challenge::Bearer);
        let machine = machine(&sentry, &server);
        if !knows_bearer(&machine, &git) {
            continue;
        }
        clone_and_commit_2_mib(&machine, &server, &git);
        in_work(&machine, &git, &PUSH).run().fails(1);
        assert!(!has_pushed(&machine, &server, &git));

        // What is known of the host by now is said, with what helps.
        let host = server.host();
        let what = format!(
            "http://{host} accepts tokens only as `Bearer`: git 2.46 to 2.53 sends none with a push of over 1 MiB"
        );
        let set = format!("git config --global http.http://{host}.postBuffer 500m");
        let doctor = || machine.sentry(&["auth", "doctor"]).run().success();
        doctor().stdout_has(&format!("{what}\n")).stdout_has(&set);
        let set_up = ["auth", "setup-git", "--host", &host];
        machine.sentry(&set_up).run().success().stderr_has(&set);

        let configure = machine.command("sh").args(["-c", &set]);
        configure.run().success();
        assert!(!doctor().stdout.contains("Bearer"));
        // It also ends the minute in which a host that refused a token does not get it again.
        let quiet = machine.sentry(&set_up).run().success();
        assert!(!quiet.stderr.contains("Bearer"));
        in_work(&machine, &git, &PUSH).run().success();
        assert!(has_pushed(&machine, &server, &git));
    }
}

#[test]
fn a_clone_over_dumb_http_works_where_basic_is_offered() {
    for git in tools("git") {
        for challenge in [Challenge::Basic, Challenge::Both] {
            let sentry = FakeSentry::start();
            let server = GitServer::start(&sentry, challenge);
            let machine = machine(&sentry, &server);
            let cloned = clone(&machine, &server, &git).env("GIT_SMART_HTTP", "0");
            cloned.run().success();
            assert!(has_pushed(&machine, &server, &git));
            assert!(server.log().contains(" 200 GET /demo.git/objects/"));
        }
    }
}

#[test]
fn a_clone_without_blobs_fetches_them_when_they_are_needed() {
    for git in tools("git") {
        for challenge in [Challenge::Basic, Challenge::Both] {
            let sentry = FakeSentry::start();
            let server = GitServer::start(&sentry, challenge);
            let machine = machine(&sentry, &server);
            let options = ["--filter=blob:none", "--no-checkout"];
            clone(&machine, &server, &git).args(options).run().success();
            let requests = server.log().lines().count();
            in_work(&machine, &git, &["checkout", "--quiet", "main"])
                .run()
                .success();
            assert!(server.log().lines().count() > requests);
            let readme = fs::read_to_string(machine.home().join("work/README"));
            assert_eq!(readme.expect("a file"), "hello\n");
        }
    }
}
