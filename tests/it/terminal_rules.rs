//! Checks the terminal of the tests: the programs see the same as on a real one.

use crate::sandbox::Sandbox;
use crate::terminal::TtyUser;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn sh(script: &str) -> TtyUser {
    TtyUser::start(
        Sandbox::new()
            .command("/bin/sh")
            .args(["-c", script])
            .current_dir("/"),
    )
}

fn sh_piped(script: &str, stdin: &str) -> TtyUser {
    TtyUser::start_piped(
        Sandbox::new()
            .command("/bin/sh")
            .args(["-c", script])
            .current_dir("/"),
        stdin,
    )
}

#[test]
fn a_question_is_answered_on_the_terminal() {
    let mut user = sh("printf 'name? '; read name; echo \"hello $name\"; exit 4");
    user.expect("name? ")
        .type_line("jane")
        .expect("hello jane\n");
    assert_eq!(user.wait(), 4);
    assert_eq!(user.screen(), "name? jane\nhello jane\n");
    assert!(user.screen_bytes().ends_with(b"jane\r\n"));
}

#[test]
fn expectations_look_only_at_what_is_new() {
    let mut user = sh("echo code 12; echo code 34; read line");
    assert_eq!(user.expect_regex(r"code (\d+)\n"), ["code 12\n", "12"]);
    assert_eq!(user.expect_regex(r"code (\d+)\n"), ["code 34\n", "34"]);
}

#[test]
fn a_helper_has_pipes_and_still_a_terminal() {
    let script = "test -t 2 && cat && read answer </dev/tty && echo \"got $answer\" >&2";
    let mut user = sh_piped(&format!("printf '? ' >/dev/tty; {script}"), "host=h\n");
    user.expect("? ").type_line("yes").expect("got yes\n");
    assert_eq!(user.wait(), 0);
    assert_eq!(user.stdout(), "host=h\n");
    assert_eq!(user.screen(), "? yes\ngot yes\n");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn the_program_is_in_the_foreground() {
    let mut user = sh_piped("cat /proc/$$/stat", "");
    assert_eq!(user.wait(), 0);
    let stat = user.stdout();
    let fields: Vec<_> = stat.split_whitespace().collect();
    let (pid, group, session, foreground) = (fields[0], fields[4], fields[5], fields[7]);
    assert_eq!((group, session, foreground), (pid, pid, pid));
}

#[test]
fn ctrl_c_reaches_the_program_and_its_children() {
    let mut user = sh("trap 'echo interrupted; exit 130' INT; sh -c 'echo ready; exec cat'");
    user.expect("ready").press_ctrl_c();
    assert_eq!(user.wait(), 130);
    user.expect("interrupted");
    let mut user = sh("echo ready; exec cat");
    user.expect("ready").press_ctrl_c();
    assert_eq!(user.wait(), -2);
}

#[test]
fn a_failed_expectation_shows_the_screen() {
    let complaint = |mut user: TtyUser| {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            user.expect("nothing");
        }))
        .expect_err("it fails");
        *panic.downcast::<String>().expect("a message")
    };
    let ended = complaint(sh("echo something else"));
    assert!(
        ended.contains("the program ended without \"nothing\"") && ended.contains("something else"),
        "{ended}"
    );
    let waiting = complaint(sh("echo here; read line").timeout(Duration::from_millis(300)));
    assert!(waiting.contains("no \"nothing\" within 300ms"), "{waiting}");
}
