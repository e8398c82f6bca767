//! The user's terminal.
//!
//! Separate from the streams because in a helper both standard streams carry a protocol: what a user reads or types goes
//! through the terminal itself.
//!
//! Rules: questions are asked only where they can be answered, that is in the foreground of a terminal; the terminal's
//! modes are changed for [`Terminal::ask_secretly`] only and the cursor is never hidden, so that there is little to
//! restore; text from a server is shown only through [`printable`](crate::printable::printable).

mod browser;

use std::time::Duration;

use zeroize::Zeroizing;

use crate::platform::terminal::Console;
use crate::world::{World, as_typed, print_error, terminal_on_stderr};

pub(crate) use browser::{Browser, open_browser};

/// Shows messages, and asks questions if possible.
pub(crate) struct Terminal {
    console: Option<Console>,
    live: bool,
    bold: bool,
}

impl Terminal {
    /// The user's terminal, if we may use it.
    pub(crate) fn of_user(world: &World) -> Option<Terminal> {
        if !Console::is_visible(world.variable("TERM").as_deref()) {
            return None;
        }
        Some(Terminal {
            console: Some(Console::open()?),
            live: true,
            bold: has_colour(world),
        })
    }

    /// Standard error, for a command that a user started themselves: shows, does not ask.
    pub(crate) fn stderr(world: &World) -> Terminal {
        let live = terminal_on_stderr();
        Terminal {
            console: None,
            live,
            bold: (live && has_colour(world)) || is_forced(world),
        }
    }

    /// Shows a line.
    pub(crate) fn say(&self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Shows a line that the next one replaces. Shows nothing where lines cannot be replaced.
    pub(crate) fn status(&self, line: &str) {
        if self.live {
            self.write(&format!("\r\x1b[K{line}"));
        }
    }

    /// Emphasizes a text.
    pub(crate) fn strong(&self, text: &str) -> String {
        match self.bold {
            true => format!("\x1b[1m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// A QR code in half blocks, for a phone; `None` if it cannot be displayed, or the text is too long.
    pub(crate) fn qr_code(&self, text: &str) -> Option<String> {
        let code = fast_qr::QRBuilder::new(text)
            .ecl(fast_qr::ECL::L)
            .build()
            .ok()?;
        self.live.then(|| code.to_str())
    }

    /// Another handle on the same terminal, for a final message from another thread.
    pub(crate) fn ending(&self) -> impl FnOnce(&str) + Send + 'static {
        let console = self.console.as_ref();
        let console = console.and_then(|console| console.try_clone().ok());
        let start = if self.live { "\r\x1b[K" } else { "" };
        move |line| write(console.as_ref(), &format!("{start}{line}\n"))
    }

    /// Asks, and waits for a line; `None` without an answer in time, or if the user cannot be asked.
    pub(crate) fn ask(&self, question: &str, timeout: Duration) -> Option<String> {
        let console = self.console.as_ref()?;
        // Input from before the question is not an answer to it.
        console.forget_typed();
        self.write(&format!("{question} "));
        let Ok(answer) = console.read_line(timeout) else {
            self.say("");
            return None;
        };
        let answer = std::str::from_utf8(&answer).ok()?;
        answer
            .strip_suffix('\n')
            .map(|answer| answer.trim().to_owned())
    }

    /// As [`ask`](Terminal::ask), for what must not be shown while it is typed. A signal leaves the terminal as it was.
    pub(crate) fn ask_secretly(
        &self,
        world: &World,
        question: &str,
        timeout: Duration,
    ) -> Option<Zeroizing<String>> {
        let echo = self.console.as_ref()?.echo().ok()?;
        world.signals().on_interrupt(echo.restoring().ok()?);
        echo.off().ok()?;
        let answer = self.ask(question, timeout).map(Zeroizing::new);
        echo.restore().ok()?;
        answer
    }

    fn write(&self, text: &str) {
        write(self.console.as_ref(), text);
    }
}

fn write(console: Option<&Console>, text: &str) {
    match console {
        Some(console) => console.write(&as_typed(text)),
        None => print_error(text),
    }
}

// <https://bixense.com/clicolors/>
fn is_forced(world: &World) -> bool {
    world
        .variable("CLICOLOR_FORCE")
        .is_some_and(|value| value != "0")
}

// <https://no-color.org>; a dumb terminal does not interpret escape sequences.
fn has_colour(world: &World) -> bool {
    world.variable("NO_COLOR").is_none()
        && world.variable("TERM").is_some_and(|term| term != "dumb")
}
