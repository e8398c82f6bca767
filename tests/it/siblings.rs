//! Other helpers in the chain: what git passes on to them after a clone.
//!
//! git sends a `store` to every helper of the chain, and `git-credential-store` writes it to `~/.git-credentials` in
//! plain text. From git 2.46 on, `cache` skips ephemeral credentials, and both skip those with an `authtype`; but no
//! git uses an `authtype` everywhere. Only a chain without siblings, as `setup-git` configures it, keeps the token from
//! `store`.

use crate::fake_sentry::FakeSentry;
use crate::git_server::{Challenge, GitServer};
use crate::real_git::{configure, knows_bearer};
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::tools;
use std::path::Path;

/// A machine with a session, and a chain of helpers for every host, in this order.
fn machine(sentry: &FakeSentry, helpers: &[&str]) -> Sandbox {
    let machine = Sandbox::new()
        .for_sentry(sentry)
        .env("GIT_TERMINAL_PROMPT", "0");
    machine.seed_session(sentry, &sentry.issue(), Age::FRESH);
    for helper in helpers {
        let add = ["config", "--global", "--add", "credential.helper", helper];
        machine.command("git").args(add).run().success();
    }
    machine
}

const CLONE: &str = "\"$GIT\" clone --quiet \"http://$HOST/demo.git\" work";

const APPROVE: &str = "printf 'protocol=http\\nhost=%s\\nusername=u\\npassword=p\\n' \"$HOST\" |
    \"$GIT\" credential approve";

/// Runs the script and prints what the siblings have stored: the file's content, and the answers of both.
///
/// One script, because the daemon of `cache` lives no longer than the process group.
fn kept_after(script: &str, machine: &Sandbox, server: &GitServer, git: &Path) -> Cmd {
    let script = format!(
        "set -e
         {script}
         test ! -e ~/.git-credentials || cat ~/.git-credentials
         for sibling in store cache; do
             printf 'protocol=http\\nhost=%s\\n' \"$HOST\" | \"$GIT\" credential-$sibling get
         done
         \"$GIT\" credential-cache exit"
    );
    let shell = machine.command("sh").args(["-c", &script]);
    shell.env("GIT", git).env("HOST", server.host())
}

#[test]
fn a_clone_leaves_nothing_with_a_sibling_that_heeds_what_git_says() {
    const CHAINS: [[&str; 2]; 4] = [
        ["store", "sentry"],
        ["sentry", "store"],
        ["cache", "sentry"],
        ["sentry", "cache"],
    ];
    for git in tools("git") {
        for chain in CHAINS {
            for challenge in [Challenge::Basic, Challenge::Bearer, Challenge::Both] {
                if chain.contains(&"store") && challenge != Challenge::Bearer {
                    continue;
                }
                let sentry = FakeSentry::start();
                let server = GitServer::start(&sentry, challenge);
                let machine = machine(&sentry, &chain);
                configure(&machine, &server);
                // Without what keeps siblings out of the chain; the binding stays.
                let section = format!("credential.http://{}", server.host());
                let remove = ["config", "--global", "--remove-section", &section];
                machine.command("git").args(remove).run().success();
                if knows_bearer(&machine, &git) {
                    let kept = kept_after(CLONE, &machine, &server, &git).run();
                    assert_eq!(
                        (kept.code, kept.stdout.as_str()),
                        (0, ""),
                        "{chain:?}, {challenge:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn setup_git_leaves_no_sibling_in_the_chain() {
    for git in tools("git") {
        for sibling in ["store", "cache"] {
            for challenge in [Challenge::Basic, Challenge::Both] {
                let sentry = FakeSentry::start();
                let server = GitServer::start(&sentry, challenge);
                let machine = machine(&sentry, &[sibling]);
                configure(&machine, &server);
                let kept = kept_after(CLONE, &machine, &server, &git).run();
                kept.success().stdout_is("");
            }
        }
    }
}

#[test]
fn a_sibling_does_keep_what_it_can() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    for git in tools("git") {
        for sibling in ["store", "cache"] {
            let machine = machine(&sentry, &[sibling]);
            let kept = kept_after(APPROVE, &machine, &server, &git).run();
            kept.success().stdout_has("username=u\npassword=p\n");
        }
    }
}
