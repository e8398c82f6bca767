//! Events of the console that terminate a process: Ctrl-C, Ctrl-Break, and the end of the console or the session.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// Exit code after Ctrl-C, as shells count it.
const INTERRUPTED: i32 = 130;

/// The thread that gets the events. The system calls a function that has no other way to find it.
static WATCHER: Mutex<Option<Sender<Interrupt>>> = Mutex::new(None);

/// An event was received: set before [`Interrupts::watch`] reports it.
static RECEIVED: AtomicBool = AtomicBool::new(false);

/// The events of this process. They have no effect of their own while this exists.
pub(crate) struct Interrupts {
    events: Receiver<Interrupt>,
}

/// That events are caught.
#[derive(Clone)]
pub(crate) struct Caught;

/// An event that was received.
pub(crate) struct Interrupt;

/// Catches the events. Ctrl-C does not reach a process that was started in a process group of its own.
///
/// # Errors
/// The system refuses: the events take effect at once.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn interrupts() -> io::Result<Interrupts> {
    let (send, events) = channel();
    *WATCHER.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
    // SAFETY: the function lives as long as the process.
    match unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(Interrupts { events }),
    }
}

#[allow(unsafe_code, reason = "the type that the system calls")]
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    RECEIVED.store(true, Ordering::Release);
    let watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watcher) = &*watcher {
        watcher.send(Interrupt).ok();
    }
    drop(watcher);
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // The system terminates the process when this returns, or after some seconds.
        loop {
            std::thread::park();
        }
    }
    1
}

impl Interrupts {
    /// Which events are caught.
    pub(crate) fn caught(&self) -> Caught {
        Caught
    }

    /// Calls `each` for every event. Does not return.
    pub(crate) fn watch(self, each: impl FnMut(Interrupt)) {
        self.events.into_iter().for_each(each);
    }
}

impl Caught {
    /// Leaves the events to a program that replaces this one. Returns whether one was received before that.
    #[allow(unsafe_code, reason = "a call of the system")]
    pub(crate) fn release(&self) -> bool {
        // SAFETY: has no conditions.
        unsafe { SetConsoleCtrlHandler(Some(on_event), 0) };
        RECEIVED.load(Ordering::Acquire)
    }
}

impl Interrupt {
    /// Terminates the process.
    #[allow(clippy::exit, reason = "this is what the event does")]
    pub(crate) fn take_effect(self) {
        std::process::exit(INTERRUPTED);
    }
}
