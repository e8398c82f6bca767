//! The console.

use std::fs::{File, OpenOptions};
use std::io;
use std::ptr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    ENABLE_ECHO_INPUT, ENABLE_LINE_INPUT, ENABLE_PROCESSED_INPUT, ENABLE_PROCESSED_OUTPUT,
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, FlushConsoleInputBuffer, GetConsoleMode, ReadConsoleW,
    SetConsoleMode, WriteConsoleW,
};
use zeroize::Zeroizing;

use super::handle::raw;

/// Longest line in units of UTF-16.
const LONGEST: usize = 4096;

/// Most units that are written at a time: the console has a buffer of 64 KiB.
const CHUNK: usize = 8192;

/// What reads lines and shows what is typed.
const LINES: u32 = ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT;

/// The user's console.
pub(crate) struct Console {
    input: File,
    output: File,
}

/// Whether the console shows what is typed.
pub(crate) struct Echo<'a> {
    console: &'a Console,
    before: u32,
}

impl Console {
    /// Opens the console, if there is one.
    pub(crate) fn open() -> Option<Console> {
        let open = |name| OpenOptions::new().read(true).write(true).open(name).ok();
        let console = Console {
            input: open("CONIN$")?,
            output: open("CONOUT$")?,
        };
        mode(&console.input)?;
        // Older consoles show escape sequences as they are.
        let output = mode(&console.output)?;
        let escapes = ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING;
        set_mode(&console.output, output | escapes).ok();
        Some(console)
    }

    /// Whether a user sees the console. The terminal of Git Bash (mintty) is none, and the console behind it is invisible;
    /// git, too, goes by `TERM`.
    pub(crate) fn is_visible(term: Option<&str>) -> bool {
        !term.is_some_and(|term| term.starts_with("xterm"))
    }

    /// Returns another handle.
    ///
    /// # Errors
    /// No handle is available.
    pub(crate) fn try_clone(&self) -> io::Result<Console> {
        Ok(Console {
            input: self.input.try_clone()?,
            output: self.output.try_clone()?,
        })
    }

    /// Writes a text. A console that is gone is no error.
    #[allow(unsafe_code, reason = "a call of the system")]
    pub(crate) fn write(&self, text: &str) {
        // Bytes would be shown in the code page of the console.
        let text: Vec<u16> = text.encode_utf16().collect();
        for chunk in text.chunks(CHUNK) {
            let length = u32::try_from(chunk.len()).unwrap_or_default();
            let mut written = 0;
            // SAFETY: the handle is open, and the text is of the given length.
            unsafe {
                WriteConsoleW(
                    raw(&self.output),
                    chunk.as_ptr(),
                    length,
                    &raw mut written,
                    ptr::null(),
                );
            }
        }
    }

    /// Discards input that was not read yet.
    #[allow(unsafe_code, reason = "a call of the system")]
    pub(crate) fn forget_typed(&self) {
        // SAFETY: the handle is open.
        unsafe { FlushConsoleInputBuffer(raw(&self.input)) };
    }

    /// Reads a line, with its newline. A thread reads; at the deadline it stays behind.
    ///
    /// # Errors
    /// `TimedOut`, or the console is gone.
    pub(crate) fn read_line(&self, timeout: Duration) -> io::Result<Zeroizing<Vec<u8>>> {
        // The caller may have left it reading keys.
        if let Some(mode) = mode(&self.input) {
            set_mode(&self.input, mode | LINES)?;
        }
        let input = self.input.try_clone()?;
        let (send, receive) = mpsc::sync_channel(1);
        thread::Builder::new().spawn(move || send.send(line_of(&input)).ok())?;
        match receive.recv_timeout(timeout) {
            Ok(line) => line,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Returns the current state.
    ///
    /// # Errors
    /// The console is gone.
    pub(crate) fn echo(&self) -> io::Result<Echo<'_>> {
        Ok(Echo {
            console: self,
            before: mode(&self.input).ok_or_else(io::Error::last_os_error)?,
        })
    }
}

impl Echo<'_> {
    /// Hides input.
    ///
    /// # Errors
    /// The console is gone.
    pub(crate) fn off(&self) -> io::Result<()> {
        let hidden = (self.before | LINES) & !ENABLE_ECHO_INPUT;
        set_mode(&self.console.input, hidden)
    }

    /// Restores the state, and writes the newline that was hidden.
    ///
    /// # Errors
    /// The console is gone.
    pub(crate) fn restore(&self) -> io::Result<()> {
        self.console.write("\n");
        set_mode(&self.console.input, self.before)
    }

    /// As [`restore`](Echo::restore), for another thread.
    ///
    /// # Errors
    /// No handle is available.
    pub(crate) fn restoring(&self) -> io::Result<impl FnOnce() + Send + 'static> {
        let (console, before) = (self.console.try_clone()?, self.before);
        Ok(move || {
            console.write("\n");
            set_mode(&console.input, before).ok();
        })
    }
}

/// Reads a line: UTF-16 with `\r\n`.
#[allow(unsafe_code, reason = "a call of the system")]
fn line_of(input: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(vec![0_u16; LONGEST]);
    let longest = u32::try_from(LONGEST).unwrap_or_default();
    let mut length = 0;
    // SAFETY: the handle is open, and the buffer is of the given length.
    let done = unsafe {
        ReadConsoleW(
            raw(input),
            line.as_mut_ptr().cast(),
            longest,
            &raw mut length,
            ptr::null(),
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let text = Zeroizing::new(String::from_utf16_lossy(&line[..length as usize]));
    let text = text.trim_end_matches(['\r', '\n']);
    // Without its newline the line was longer, or Ctrl-C ended it.
    match length as usize == LONGEST || length == 0 {
        true => Err(io::ErrorKind::Interrupted.into()),
        false => Ok(Zeroizing::new([text.as_bytes(), b"\n"].concat())),
    }
}

#[allow(unsafe_code, reason = "a call of the system")]
fn mode(console: &File) -> Option<u32> {
    let mut mode = 0;
    // SAFETY: the handle is open.
    let done = unsafe { GetConsoleMode(raw(console), &raw mut mode) };
    (done != 0).then_some(mode)
}

#[allow(unsafe_code, reason = "a call of the system")]
fn set_mode(console: &File, mode: u32) -> io::Result<()> {
    // SAFETY: the handle is open.
    match unsafe { SetConsoleMode(raw(console), mode) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
