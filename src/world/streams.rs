//! The standard streams, without the panics of `println!` and with timeouts.

use std::fs::File;
use std::io::{self, IsTerminal as _, PipeReader, Read, Write as _};
use std::time::{Duration, Instant};

use crate::platform::streams::{as_file, read_before};

/// Writes a whole answer to standard output at once.
///
/// # Errors
/// The write failed; also for a closed pipe.
pub(crate) fn print(answer: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(answer)?;
    stdout.flush()
}

/// Writes a message to standard error, its commands as the user types them. A failure cannot be reported anywhere.
pub(crate) fn print_error(message: &str) {
    let message = super::as_typed(message);
    anstream::stderr().write_all(message.as_bytes()).ok();
}

/// Whether a user may be reading standard error.
pub(crate) fn terminal_on_stderr() -> bool {
    io::stderr().is_terminal()
}

/// Whether a user would be typing on standard input.
pub(crate) fn terminal_on_stdin() -> bool {
    io::stdin().is_terminal()
}

/// Standard input as the file that a parent process opened for us.
///
/// # Errors
/// No file descriptor is available.
pub(crate) fn inherited_stdin() -> io::Result<File> {
    as_file(&io::stdin())
}

/// How many bytes to read at a time: most requests are shorter.
pub(crate) const CHUNK: usize = 512;

/// Standard input with a timeout: a helper must not outlive a caller that hangs.
pub(crate) struct Stdin {
    deadline: Instant,
}

impl Stdin {
    /// Reads until `timeout` has passed, counted from now.
    pub(crate) fn with_timeout(timeout: Duration) -> Stdin {
        Stdin {
            deadline: Instant::now() + timeout,
        }
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Bypasses std's buffer: poll(2) does not see what was read ahead.
        read_before(&io::stdin(), buffer, self.deadline)
    }
}

/// Reads lines from a pipe until its end.
///
/// # Errors
/// `TimedOut` if the end is not reached in time.
pub(crate) fn read_lines(
    pipe: &PipeReader,
    timeout: Duration,
    mut line: impl FnMut(&str),
) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    let mut pending = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        let length = read_before(pipe, &mut chunk, deadline)?;
        pending.extend_from_slice(&chunk[..length]);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let rest = pending.split_off(end + 1);
            line(&String::from_utf8_lossy(&pending[..end]));
            pending = rest;
        }
        if length == 0 {
            return Ok(());
        }
    }
}
