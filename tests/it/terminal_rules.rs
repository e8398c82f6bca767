//! The person sits at a real terminal: what the programs see of it is what they see in life.

use crate::sandbox::Sandbox;
use crate::terminal::Person;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn sh(script: &str) -> Person {
    Person::start(
        Sandbox::new()
            .command("/bin/sh")
            .args(["-c", script])
            .current_dir("/"),
    )
}

fn sh_piped(script: &str, stdin: &str) -> Person {
    Person::start_piped(
        Sandbox::new()
            .command("/bin/sh")
            .args(["-c", script])
            .current_dir("/"),
        stdin,
    )
}

#[test]
fn a_question_is_answered_on_the_terminal() {
    let mut person = sh("printf 'name? '; read name; echo \"hello $name\"; exit 4");
    person
        .expect("name? ")
        .type_line("jane")
        .expect("hello jane\n");
    assert_eq!(person.wait(), 4);
    assert_eq!(person.screen(), "name? jane\nhello jane\n");
    assert!(person.screen_bytes().ends_with(b"jane\r\n"));
}

#[test]
fn expectations_look_only_at_what_is_new() {
    let mut person = sh("echo code 12; echo code 34; read line");
    assert_eq!(person.expect_regex(r"code (\d+)\n"), ["code 12\n", "12"]);
    assert_eq!(person.expect_regex(r"code (\d+)\n"), ["code 34\n", "34"]);
}

#[test]
fn a_helper_has_pipes_and_still_a_terminal() {
    let script = "test -t 2 && cat && read answer </dev/tty && echo \"got $answer\" >&2";
    let mut person = sh_piped(&format!("printf '? ' >/dev/tty; {script}"), "host=h\n");
    person.expect("? ").type_line("yes").expect("got yes\n");
    assert_eq!(person.wait(), 0);
    assert_eq!(person.stdout(), "host=h\n");
    assert_eq!(person.screen(), "? yes\ngot yes\n");
}

#[test]
fn the_program_is_in_the_foreground() {
    let mut person = sh_piped("cat /proc/$$/stat", "");
    assert_eq!(person.wait(), 0);
    let stat = person.stdout();
    let fields: Vec<_> = stat.split_whitespace().collect();
    let (pid, group, session, foreground) = (fields[0], fields[4], fields[5], fields[7]);
    assert_eq!((group, session, foreground), (pid, pid, pid));
}

#[test]
fn ctrl_c_reaches_the_program_and_its_children() {
    let mut person = sh("trap 'echo interrupted; exit 130' INT; sh -c 'echo ready; exec cat'");
    person.expect("ready").press_ctrl_c();
    assert_eq!(person.wait(), 130);
    person.expect("interrupted");
    let mut person = sh("echo ready; exec cat");
    person.expect("ready").press_ctrl_c();
    assert_eq!(person.wait(), -2);
}

#[test]
fn an_expectation_in_vain_shows_the_screen() {
    let complaint = |mut person: Person| {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            person.expect("nothing");
        }))
        .expect_err("it fails");
        *panic.downcast::<String>().expect("a message")
    };
    let ended = complaint(sh("echo something else"));
    assert!(
        ended.contains("the program ended without \"nothing\"") && ended.contains("something else"),
        "{ended}"
    );
    let waiting = complaint(sh("echo here; read line").patience(Duration::from_millis(300)));
    assert!(waiting.contains("no \"nothing\" within 300ms"), "{waiting}");
}
