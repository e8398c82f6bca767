//! The controlling terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use libc::{ECHO, ECHONL, TCSANOW, termios};
use rustix::fs::OFlags;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use zeroize::Zeroizing;

use super::input;

/// Longest line in bytes, as in the line discipline of a terminal.
const LONGEST: usize = 4096;

/// The user's terminal.
pub(crate) struct Console {
    tty: File,
}

/// Whether the terminal shows what is typed.
pub(crate) struct Echo<'a> {
    console: &'a Console,
    before: termios,
}

impl Console {
    /// Opens the terminal. Returns `None` if there is none, or if this process is not in its foreground process group: the
    /// kernel would stop it, and with it the program that waits for it.
    pub(crate) fn open() -> Option<Console> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let tty = options.open("/dev/tty").ok()?;
        let foreground = tcgetpgrp(&tty).ok()?;
        (foreground == rustix::process::getpgrp()).then_some(Console { tty })
    }

    /// Whether a user sees it: [`Console::open`] has found out.
    pub(crate) fn is_visible(_term: Option<&str>) -> bool {
        true
    }

    /// Returns another handle.
    ///
    /// # Errors
    /// No file descriptor is available.
    pub(crate) fn try_clone(&self) -> io::Result<Console> {
        self.tty.try_clone().map(|tty| Console { tty })
    }

    /// Writes a text. A terminal that is gone is no error.
    pub(crate) fn write(&self, text: &str) {
        (&self.tty).write_all(text.as_bytes()).ok();
    }

    /// Discards input that was not read yet.
    pub(crate) fn forget_typed(&self) {
        let _ = tcflush(&self.tty, QueueSelector::IFlush);
    }

    /// Reads a line, with its newline.
    ///
    /// # Errors
    /// `TimedOut`, or the terminal is gone.
    pub(crate) fn read_line(&self, timeout: Duration) -> io::Result<Zeroizing<Vec<u8>>> {
        if !input::has_line(&self.tty, Instant::now() + timeout)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // A terminal in canonical mode returns whole lines.
        let mut line = Zeroizing::new(vec![0; LONGEST]);
        let length = (&self.tty).read(&mut line)?;
        line.truncate(length);
        Ok(line)
    }

    /// Returns the current state.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn echo(&self) -> io::Result<Echo<'_>> {
        Ok(Echo {
            console: self,
            before: attributes(&self.tty)?,
        })
    }
}

impl Echo<'_> {
    /// Hides input, except for newlines.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn off(&self) -> io::Result<()> {
        let mut silent = self.before;
        silent.c_lflag &= !ECHO;
        silent.c_lflag |= ECHONL;
        set_attributes(&self.console.tty, &silent)
    }

    /// Restores the state.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn restore(&self) -> io::Result<()> {
        set_attributes(&self.console.tty, &self.before)
    }

    /// As [`restore`](Echo::restore), for another thread.
    ///
    /// # Errors
    /// No file descriptor is available.
    pub(crate) fn restoring(&self) -> io::Result<impl FnOnce() + Send + 'static> {
        let (console, before) = (self.console.try_clone()?, self.before);
        Ok(move || {
            set_attributes(&console.tty, &before).ok();
        })
    }
}

#[allow(
    unsafe_code,
    reason = "rustix uses TCGETS2 on Linux, which qemu lacks: a container for another processor could hide nothing"
)]
fn attributes(tty: &File) -> io::Result<termios> {
    let mut found = MaybeUninit::uninit();
    // SAFETY: the attributes are initialized if the call succeeds.
    unsafe {
        match libc::tcgetattr(tty.as_raw_fd(), found.as_mut_ptr()) {
            0 => Ok(found.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[allow(unsafe_code, reason = "the counterpart of attributes")]
fn set_attributes(tty: &File, attributes: &termios) -> io::Result<()> {
    // SAFETY: the attributes are read, and nothing else.
    match unsafe { libc::tcsetattr(tty.as_raw_fd(), TCSANOW, attributes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
