//! What this process inherited, and passes on to a program that replaces it.
//!
//! Separate from [`process`](super::process), whose hardening is part of what has to be undone: otherwise a command that is
//! started by `sentry auth exec` would differ from one that is started directly, in its signals, its limits and its
//! descriptors.

use std::ffi::c_int;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{SIGPIPE, SIGXFSZ};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use super::process::{descriptors, restore_limits, with_descriptor};
use super::signals::is_ignored;

/// The signals that were ignored when the process started, a bit each: those that the runtime of Rust and
/// [`harden`](super::process::harden) change before anything else can read them.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Notes which signals are ignored. Must run before Rust's runtime, which ignores SIGPIPE. Where nothing calls it, SIGPIPE
/// and SIGXFSZ have their default effect in the program that replaces this one.
pub extern "C" fn note_ignored_signals() {
    for signal in [SIGPIPE, SIGXFSZ] {
        if is_ignored(signal) {
            IGNORED.fetch_or(1 << signal, Ordering::Relaxed);
        }
    }
}

/// What other children do not inherit, and a program that replaces this one does.
pub(crate) struct Inheritance {
    /// Descriptors above the standard streams.
    descriptors: Vec<c_int>,
}

impl Inheritance {
    /// Notes the descriptors. Must run before [`close_others_on_exec`](super::process::close_others_on_exec).
    pub(crate) fn note() -> Inheritance {
        // Our own have close-on-exec.
        let is_inherited = |number: &c_int| {
            with_descriptor(*number, fcntl_getfd)
                .is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
        };
        Inheritance {
            descriptors: descriptors().filter(is_inherited).collect(),
        }
    }

    /// Replaces this process by a program, which is found in `PATH` as by execvp(3). Calls `release` last. Returns if that
    /// fails.
    #[allow(
        unsafe_code,
        reason = "std resets the signals right before exec, so they can only be ignored after that"
    )]
    pub(crate) fn hand_over(self, mut command: Command, release: impl FnOnce()) -> io::Error {
        for number in self.descriptors {
            with_descriptor(number, |descriptor| {
                fcntl_setfd(descriptor, FdFlags::empty())
            })
            .ok();
        }
        restore_limits();
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
        release();
        command.exec()
    }
}
