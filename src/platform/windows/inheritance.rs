//! Starts a program in place of this one.
//!
//! Separate from [`process`](super::process), whose children are this program's own. Windows cannot replace a process, so
//! this one waits for the other and ends with its exit code.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::core::BOOL;

/// Nothing: there are no such signals.
pub(crate) fn note_ignored_signals_before_main() {}

/// What other children do not inherit, and a program that replaces this one does: nothing but the standard streams.
pub(crate) struct Inheritance;

impl Inheritance {
    pub(crate) fn note() -> Inheritance {
        Inheritance
    }

    /// Runs a program, which is found in `PATH`, and ends this process with its exit code. Calls `release` before. Returns if
    /// the program cannot be started. No file is a script of a shell here.
    #[allow(clippy::exit, reason = "as exec(2): nothing runs after it")]
    pub(crate) fn hand_over(
        self,
        mut command: Command,
        _file: impl FnOnce() -> Option<PathBuf>,
        release: impl FnOnce(),
    ) -> io::Error {
        release();
        leave_interrupts_to_the_child();
        let status = match command.spawn() {
            Ok(mut child) => child.wait(),
            Err(error) => return error,
        };
        match status {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(error) => error,
        }
    }
}

/// Ctrl-C reaches every process of the console: the child decides what it does.
#[allow(unsafe_code, reason = "calls of the system")]
fn leave_interrupts_to_the_child() {
    unsafe extern "system" fn ignore(_event: u32) -> BOOL {
        1
    }
    // SAFETY: the function lives as long as the process.
    unsafe { SetConsoleCtrlHandler(Some(ignore), 1) };
}
