//! Signals that terminate a process.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Exit code after Ctrl-C, as shells count it.
const INTERRUPTED: i32 = 130;

/// The signals of this process. They have no effect of their own while this exists.
pub(crate) struct Interrupts {
    signals: Signals,
    caught: Caught,
}

/// Which signals are caught.
#[derive(Clone)]
pub(crate) struct Caught {
    signals: Vec<c_int>,
    /// One of them was received: set before [`Interrupts::watch`] reports it.
    received: Arc<AtomicBool>,
}

/// A signal that was received.
pub(crate) struct Interrupt(c_int);

/// Catches SIGINT, SIGTERM, SIGHUP and SIGQUIT, except those that are ignored already, as under nohup(1).
///
/// # Errors
/// No file descriptor is available: the signals take effect at once.
pub(crate) fn interrupts() -> io::Result<Interrupts> {
    let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter();
    let caught = Caught {
        signals: signals.filter(|signal| !is_ignored(*signal)).collect(),
        received: Arc::default(),
    };
    for signal in &caught.signals {
        signal_hook::flag::register(*signal, Arc::clone(&caught.received))?;
    }
    Ok(Interrupts {
        signals: Signals::new(&caught.signals)?,
        caught,
    })
}

impl Interrupts {
    /// Which signals are caught.
    pub(crate) fn caught(&self) -> Caught {
        self.caught.clone()
    }

    /// Calls `each` for every signal. Does not return.
    pub(crate) fn watch(mut self, mut each: impl FnMut(Interrupt)) {
        for signal in &mut self.signals {
            each(Interrupt(signal));
        }
    }
}

impl Caught {
    /// Gives the signals their default effect, for a program that replaces this one. Returns whether one was received before
    /// that.
    #[allow(unsafe_code, reason = "neither rustix nor signal-hook does that")]
    pub(crate) fn release(&self) -> bool {
        for signal in &self.signals {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(*signal, libc::SIG_DFL) };
        }
        self.received.load(Ordering::Acquire)
    }
}

impl Interrupt {
    /// Terminates the process, as the signal would if it were not caught.
    pub(crate) fn take_effect(self) {
        match self.0 {
            SIGINT => low_level::exit(INTERRUPTED),
            signal => drop(low_level::emulate_default_handler(signal)),
        }
    }
}

/// Whether a signal is ignored.
#[allow(unsafe_code, reason = "no library reads a handler without changing it")]
pub(super) fn is_ignored(signal: c_int) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action changes nothing; the old one is initialized if the call succeeds.
    unsafe {
        libc::sigaction(signal, ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
