//! Where a user is: `/dev/tty`, and nothing else.
//!
//! Separate from the streams because in a helper both standard streams are a protocol: whatever a user reads or types
//! goes through the terminal itself.
//!
//! Rules: questions are asked only where they can be answered, that is in the foreground of a terminal; the terminal's
//! modes are changed for [`Terminal::ask_secretly`] only and the cursor is never hidden, so that there is little to
//! restore; text from a server is shown only through [`printable`](crate::printable::printable).

mod browser;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::world::{World, print_error, terminal_on_stderr};

pub(crate) use browser::{Browser, open_browser};

/// Longest answer to a question, in bytes; what a terminal itself keeps of a line.
const LONGEST_ANSWER: usize = 4096;

/// A place to show things, and perhaps to ask.
pub(crate) struct Terminal {
    tty: Option<File>,
    live: bool,
    bold: bool,
}

impl Terminal {
    /// The controlling terminal, if we may use it: it opens, and we are in its foreground process group (otherwise the
    /// kernel would stop us, and the program that waits for us).
    pub(crate) fn of_user(world: &World) -> Option<Terminal> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.custom_flags(rustix::fs::OFlags::NOCTTY.bits().cast_signed());
        }
        let tty = options.open("/dev/tty").ok()?;
        let foreground = rustix::termios::tcgetpgrp(&tty).ok()?;
        (foreground == rustix::process::getpgrp()).then(|| Terminal {
            tty: Some(tty),
            live: true,
            bold: has_colour(world),
        })
    }

    /// Standard error, for a command that a user started themselves: shows, does not ask.
    pub(crate) fn stderr(world: &World) -> Terminal {
        let live = terminal_on_stderr();
        Terminal {
            tty: None,
            live,
            bold: (live && has_colour(world)) || is_forced(world),
        }
    }

    /// Shows a line.
    pub(crate) fn say(&self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Shows a line that the next one replaces. Nothing where lines cannot be replaced.
    pub(crate) fn status(&self, line: &str) {
        if self.live {
            self.write(&format!("\r\x1b[K{line}"));
        }
    }

    /// What a user should look at first.
    pub(crate) fn strong(&self, text: &str) -> String {
        match self.bold {
            true => format!("\x1b[1m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// A QR code in half blocks, for a phone; `None` where nobody would see it, and for text that is too long.
    pub(crate) fn qr_code(&self, text: &str) -> Option<String> {
        let code = fast_qr::QRBuilder::new(text)
            .ecl(fast_qr::ECL::L)
            .build()
            .ok()?;
        self.live.then(|| code.to_str())
    }

    /// Another handle on the same terminal, for last words from another thread.
    pub(crate) fn ending(&self) -> impl FnOnce(&str) + Send + 'static {
        let tty = self.tty.as_ref().and_then(|tty| tty.try_clone().ok());
        let start = if self.live { "\r\x1b[K" } else { "" };
        move |line| write(tty.as_ref(), &format!("{start}{line}\n"))
    }

    /// Asks and waits for a line; `None` when nobody answers in time, or nobody can.
    pub(crate) fn ask(&self, question: &str, timeout: Duration) -> Option<String> {
        let mut tty = self.tty.as_ref()?;
        // What was typed before the question is no answer to it.
        let _ = rustix::termios::tcflush(tty, rustix::termios::QueueSelector::IFlush);
        self.write(&format!("{question} "));
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).ok()?,
            tv_nsec: 0,
        };
        let ready = loop {
            match rustix::event::poll(&mut [PollFd::new(tty, PollFlags::IN)], Some(&timeout)) {
                // A signal that ends the process does so from another thread.
                Err(Errno::INTR) => {}
                ended => break ended,
            }
        };
        if !matches!(ready, Ok(1..)) {
            self.say("");
            return None;
        }
        // The terminal hands out whole lines.
        let mut answer = Zeroizing::new(vec![0; LONGEST_ANSWER]);
        let length = tty.read(&mut answer).ok()?;
        let answer = std::str::from_utf8(&answer[..length]).ok()?;
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
        use rustix::termios::{LocalModes, OptionalActions::Now, tcgetattr, tcsetattr};

        let tty = self.tty.as_ref()?;
        let modes = tcgetattr(tty).ok()?;
        let mut silent = modes.clone();
        silent.local_modes -= LocalModes::ECHO;
        silent.local_modes |= LocalModes::ECHONL;
        let (handle, before) = (tty.try_clone().ok()?, modes.clone());
        world.signals().on_interrupt(move || {
            tcsetattr(&handle, Now, &before).ok();
        });
        tcsetattr(tty, Now, &silent).ok()?;
        let answer = self.ask(question, timeout).map(Zeroizing::new);
        tcsetattr(tty, Now, &modes).ok()?;
        answer
    }

    fn write(&self, text: &str) {
        write(self.tty.as_ref(), text);
    }
}

// A terminal that goes away in between is no reason to stop.
fn write(tty: Option<&File>, text: &str) {
    match tty {
        Some(mut tty) => drop(tty.write_all(text.as_bytes())),
        None => print_error(text),
    }
}

// <https://bixense.com/clicolors/>
fn is_forced(world: &World) -> bool {
    world
        .variable("CLICOLOR_FORCE")
        .is_some_and(|value| value != "0")
}

// <https://no-color.org>; a dumb terminal knows no escapes.
fn has_colour(world: &World) -> bool {
    world.variable("NO_COLOR").is_none()
        && world.variable("TERM").is_some_and(|term| term != "dumb")
}
