//! `GIT_CONFIG`, which names another file to `git config` and nothing to any other command of git.

use crate::helpers::{STORED, with_session_of};
use std::fs;

#[test]
fn a_set_up_does_not_go_to_the_file_that_only_git_config_reads() {
    let machine = with_session_of("https://sentry.io");
    let other = machine.root().join("other");
    fs::write(&other, "[credential]\n\thelper = store\n").expect("a file");
    let sentry = |args: &[&str]| machine.sentry(args).env("GIT_CONFIG", &other).run();
    let set_up = sentry(&["auth", "setup-git", "code.example"]).success();
    set_up.stderr_is("git uses the login of https://sentry.io for https://code.example\n");
    let filled = machine.command("git").args(["credential", "fill"]);
    let filled = filled.env("GIT_CONFIG", &other);
    let filled = filled.stdin("protocol=https\nhost=code.example\n").run();
    filled.success().stdout_has(STORED);
    sentry(&["auth", "doctor"])
        .stdout_has("ok       git: git calls this program for https://code.example\n");
    let undone = sentry(&["auth", "setup-git", "--undo"]).success();
    undone.stderr_has("unbound https://code.example from https://sentry.io\n");
    assert_eq!(
        fs::read_to_string(&other).expect("a file"),
        "[credential]\n\thelper = store\n"
    );
}
