//! What this process was handed by whoever started it, and hands on to a program that takes its place.
//!
//! Separate from [`process`](super::process), whose hardening is part of what has to be undone: without this, a command
//! that is started by `sentry auth exec` would differ from one that is started directly, in its signals, its limits, and
//! the descriptors that it gets.
//!
//! Known on Linux; elsewhere SIGPIPE and SIGXFSZ have their default effect after the hand-over.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Signals;

#[cfg(unix)]
use libc::{SIGPIPE, SIGXFSZ, c_int};

/// Signals that were ignored when the process began, a bit for each: those that the runtime of Rust and
/// [`super::harden`] change before anybody can ask.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Notes which signals are ignored. Has to run before Rust's own start, which ignores SIGPIPE.
#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "there is no other way to read what a signal does"
)]
pub extern "C" fn note_ignored_signals() {
    for signal in [SIGPIPE, SIGXFSZ] {
        // SAFETY: all zeroes are a `sigaction`; the call writes to it, and changes nothing where it gets no new one.
        let is_ignored = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
        };
        if is_ignored {
            IGNORED.fetch_or(1 << signal, Ordering::Relaxed);
        }
    }
}

/// What other programs are not to get, and the one that takes our place is.
pub(crate) struct Inheritance {
    /// Descriptors beyond the standard streams.
    descriptors: Vec<i32>,
}

impl Inheritance {
    /// Notes the descriptors. Before [`super::keep_descriptors`] is called by anybody.
    #[cfg(unix)]
    pub(crate) fn note() -> Inheritance {
        use rustix::io::{FdFlags, fcntl_getfd};

        let is_handed_on = |number: &i32| {
            // Ours are closed when a program is started.
            super::process::with_descriptor(*number, fcntl_getfd)
                .is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
        };
        Inheritance {
            descriptors: super::process::descriptors().filter(is_handed_on).collect(),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn note() -> Inheritance {
        Inheritance {
            descriptors: Vec::new(),
        }
    }

    /// Gives the process to a program, found by `PATH` as execvp(3) does. Returns if that fails.
    #[cfg(unix)]
    #[allow(
        unsafe_code,
        reason = "a signal can only be ignored again after std gave it its default effect, right before exec"
    )]
    pub(crate) fn hand_over(self, mut command: Command, signals: &Signals) -> io::Error {
        use std::os::unix::process::CommandExt as _;

        use rustix::io::{FdFlags, fcntl_setfd};

        for number in self.descriptors {
            super::process::with_descriptor(number, |descriptor| {
                fcntl_setfd(descriptor, FdFlags::empty())
            })
            .ok();
        }
        super::process::restore_limits();
        // SAFETY: signal(2) is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                let ignored = IGNORED.load(Ordering::Relaxed);
                for signal in [SIGPIPE, SIGXFSZ] {
                    if ignored & (1 << signal) != 0 {
                        libc::signal(signal, libc::SIG_IGN);
                    }
                }
                Ok(())
            });
        }
        signals.release(take_default_effect);
        command.exec()
    }

    /// Runs the program and takes over its exit code, where a process cannot be given away.
    #[cfg(not(unix))]
    pub(crate) fn hand_over(self, mut command: Command, _signals: &Signals) -> io::Error {
        match command.status() {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(error) => error,
        }
    }
}

/// Gives a signal its default effect.
#[cfg(unix)]
#[allow(unsafe_code, reason = "neither rustix nor signal-hook does that")]
fn take_default_effect(signal: c_int) {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
