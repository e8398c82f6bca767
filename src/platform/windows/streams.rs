//! Pipes and standard input.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::windows::io::AsHandle;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use zeroize::Zeroizing;

/// Reads from a pipe, without a buffer. A thread reads, because a pipe cannot be waited for; at the deadline it stays
/// behind, and what it reads later is lost.
///
/// # Errors
/// `TimedOut` at the deadline.
pub(crate) fn read_before(
    pipe: &impl AsHandle,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<usize> {
    let mut file = as_file(pipe)?;
    let longest = buffer.len();
    let (send, receive) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || {
        let mut bytes = Zeroizing::new(vec![0; longest]);
        let read = file.read(&mut bytes);
        send.send((read, bytes)).ok();
    })?;
    let left = deadline.saturating_duration_since(Instant::now());
    let Ok((read, bytes)) = receive.recv_timeout(left) else {
        return Err(io::ErrorKind::TimedOut.into());
    };
    let length = read?;
    buffer[..length].copy_from_slice(&bytes[..length]);
    Ok(length)
}

/// Returns a stream as a file of its own.
///
/// # Errors
/// There is no such stream.
pub(crate) fn as_file(stream: &impl AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}
