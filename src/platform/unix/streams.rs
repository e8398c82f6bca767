//! Pipes and standard input.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use super::input;

/// Reads from a pipe, without a buffer: one that reads ahead would hide data from the wait.
///
/// # Errors
/// `TimedOut` at the deadline.
pub(crate) fn read_before(
    pipe: &impl AsFd,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<usize> {
    input::wait(pipe, deadline)?;
    Ok(rustix::io::read(pipe, buffer)?)
}

/// Returns a stream as a file of its own.
///
/// # Errors
/// No file descriptor is available.
pub(crate) fn as_file(stream: &impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}
