//! Waits for input.
//!
//! Separate from [`streams`](super::streams) and [`terminal`](super::terminal) because of the `unsafe` call.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::{Duration, Instant};

use rustix::event::{FdSetElement, PollFd, PollFlags, Timespec};
use rustix::event::{fd_set_insert, fd_set_num_elements, poll, select};
use rustix::io::Errno;

/// Whether a terminal has a line before the deadline. Uses select(2), because Apple's poll(2) rejects `/dev/tty`.
///
/// # Errors
/// The terminal is gone.
#[allow(unsafe_code, reason = "select takes descriptors as numbers")]
pub(super) fn has_line(terminal: &impl AsFd, deadline: Instant) -> io::Result<bool> {
    let number = terminal.as_fd().as_raw_fd();
    let end = number + 1;
    loop {
        let mut waiting = vec![FdSetElement::default(); fd_set_num_elements(1, end)];
        fd_set_insert(&mut waiting, number);
        let left = timespec(deadline.saturating_duration_since(Instant::now()));
        // SAFETY: `terminal` is borrowed, and so is open.
        let ready = unsafe { select(end, Some(&mut waiting), None, None, Some(&left)) };
        match ready {
            // A signal that ends the process does so from another thread.
            Err(Errno::INTR) => {}
            ended => return Ok(ended? > 0),
        }
    }
}

/// Waits until a pipe has data or ends.
///
/// # Errors
/// `TimedOut` at the deadline.
pub(super) fn wait(pipe: &impl AsFd, deadline: Instant) -> io::Result<()> {
    loop {
        let left = timespec(deadline.saturating_duration_since(Instant::now()));
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}
