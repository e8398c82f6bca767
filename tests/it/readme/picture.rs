//! The picture of a login in README.md: drawn from what a terminal shows, and compared with the one in the repository.
//!
//! `tests/pictures` writes it anew. Of the run only what differs from run to run is replaced: the code, and the counts of
//! git's server.

use super::with_the_code_of_the_documents;
use super::world::World;
use crate::terminal::TtyUser;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const PICTURE: &str = "docs/login.svg";
const CLONE: &str = "git clone https://git.example.com/team/repository.git";

/// Of a character, in user units.
const WIDTH: usize = 8;
const HEIGHT: usize = 19;
const MARGIN: usize = 16;

/// What stands on the screen at the end of each line that it has shown.
fn lines(screen: &str) -> Vec<String> {
    let last = |line: &str| {
        let mut states = line.rsplit('\r');
        let last = states.find(|state| !state.is_empty()).unwrap_or_default();
        // The line is erased, and written anew.
        let last = last.strip_prefix("\x1b[K").unwrap_or(last);
        assert!(!last.contains('\x1b'), "unknown to this terminal: {last:?}");
        last.trim_end().to_owned()
    };
    let lines = screen.trim_end().lines().map(last);
    lines.filter(|line| !line.starts_with("remote: ")).collect()
}

/// A clone by a user whose git is set up, and who is not logged in.
#[track_caller]
fn screen() -> Vec<String> {
    let world = World::new();
    let machine = world.machine();
    let set_up = machine.sentry(&[
        "auth",
        "setup-git",
        "git.example.com",
        "--url",
        "https://sentry.io",
    ]);
    let _set_up = set_up.run().success();
    world.saas.approve_next();
    let mut user = TtyUser::start(machine.command("sh").args(["-c", CLONE]));
    user.expect("[Y/n]").type_line("");
    assert_eq!(user.wait(), 0, "{}", user.screen());
    let screen = with_the_code_of_the_documents(&user.screen());
    let screen = screen.replace(&machine.home().display().to_string(), "/home/jane");
    let mut lines = lines(&screen);
    lines.insert(0, format!("$ {CLONE}"));
    lines
}

/// As XML; several spaces would become one.
fn escaped(text: &str) -> String {
    text.replace("  ", "\u{a0}\u{a0}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn drawn(lines: &[String]) -> String {
    let columns = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let (width, height) = (
        columns * WIDTH + 2 * MARGIN,
        lines.len() * HEIGHT + 2 * MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#d0d7de\">\n\
         <title>A clone that logs in to Sentry</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let indent = line
            .chars()
            .take_while(|character| *character == ' ')
            .count();
        let text = &line[indent..];
        if text.is_empty() {
            continue;
        }
        let (x, y) = (
            MARGIN + indent * WIDTH,
            MARGIN + row * HEIGHT + HEIGHT * 3 / 4,
        );
        let length = text.chars().count() * WIDTH;
        // What the user types.
        let typed = if row == 0 { " fill=\"#7ee787\"" } else { "" };
        writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\"{typed}>{}</text>",
            escaped(text)
        )
        .expect("a string takes text");
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_of_a_login_is_that_of_a_login() {
    let drawn = drawn(&screen());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PICTURE);
    if std::env::var_os("WRITE_PICTURES").is_some() {
        fs::write(&file, &drawn).expect("a file");
    }
    let shown = fs::read_to_string(&file).expect("run tests/pictures");
    assert_eq!(
        shown, drawn,
        "{PICTURE} shows something else: run tests/pictures"
    );
}

#[test]
fn of_a_line_that_was_overwritten_the_last_state_counts() {
    let screen =
        "Cloning\nremote: Total 3\nwaiting\r\x1b[Kdone\nReceiving:  33%\rReceiving: 100%\n\r\n";
    assert_eq!(lines(screen), ["Cloning", "done", "Receiving: 100%"]);
}
