//! Handles SIGINT, SIGTERM, SIGHUP and SIGQUIT while a login waits or a token is being stored.
//!
//! Separate from its neighbours because it starts a thread; nothing on the path of a cached `get` calls it.
//!
//! Rules: signals are untouched until the first [`Signals::on_interrupt`] or [`Signals::defer`]; from then on one thread
//! receives them. While a [`Deferral`] exists they are deferred; when it is dropped they take effect. Signals that were
//! ignored when the process started stay ignored.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::platform::signals::{Caught, Interrupt, Interrupts, interrupts};

type LastWords = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Shared {
    /// Held while no signal may take effect.
    busy: Mutex<()>,
    /// A signal was received and is deferred.
    pending: AtomicBool,
    /// Restores the terminal before the process ends.
    last_words: Mutex<Option<LastWords>>,
    caught: OnceLock<Caught>,
}

/// The signal handling of this process.
#[derive(Default)]
pub(crate) struct Signals {
    // The watching thread runs as long as the process, and so must its shared state.
    shared: Cell<Option<&'static Shared>>,
}

impl Signals {
    /// Runs `last_words` once if a signal ends the process from now on; the latest call wins.
    pub(crate) fn on_interrupt(&self, last_words: impl FnOnce() + Send + 'static) {
        // Without a watching thread, a signal ends the process without a message.
        if let Ok(shared) = self.shared() {
            *lock(&shared.last_words) = Some(Box::new(last_words));
        }
    }

    /// Defers signals until the result is dropped. Must not be nested.
    ///
    /// # Errors
    /// No thread or file descriptor is available: signals take effect at once.
    pub(crate) fn defer(&self) -> io::Result<Deferral> {
        let shared = self.shared()?;
        Ok(Deferral {
            shared,
            busy: Some(lock(&shared.busy)),
        })
    }

    /// Restores the signals for a program that replaces this one. A signal that was received before takes effect first.
    pub(crate) fn release(&self) {
        let caught = self.shared.get().and_then(|shared| shared.caught.get());
        if caught.is_some_and(Caught::release) {
            // As at the end of a [`Deferral`].
            loop {
                std::thread::park();
            }
        }
    }

    fn shared(&self) -> io::Result<&'static Shared> {
        let shared = match self.shared.get() {
            Some(shared) => shared,
            None => watch()?,
        };
        self.shared.set(Some(shared));
        Ok(shared)
    }
}

/// While it exists, a signal that would end the process is deferred.
pub(crate) struct Deferral {
    shared: &'static Shared,
    busy: Option<MutexGuard<'static, ()>>,
}

impl Drop for Deferral {
    fn drop(&mut self) {
        self.busy = None;
        if self.shared.pending.load(Ordering::Acquire) {
            // The watching thread ends the process now; nothing else may happen in between.
            loop {
                std::thread::park();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch() -> io::Result<&'static Shared> {
    let shared: &'static Shared = Box::leak(Box::default());
    // The thread is started first: signals that are caught and not watched would be lost.
    let (send, receive) = std::sync::mpsc::sync_channel::<Interrupts>(1);
    std::thread::Builder::new().spawn(move || {
        if let Ok(interrupts) = receive.recv() {
            interrupts.watch(|interrupt| end(interrupt, shared));
        }
    })?;
    let interrupts = interrupts()?;
    shared.caught.get_or_init(|| interrupts.caught());
    send.send(interrupts).ok();
    Ok(shared)
}

fn end(interrupt: Interrupt, shared: &Shared) {
    shared.pending.store(true, Ordering::Release);
    let _effect = lock(&shared.busy);
    if let Some(last_words) = lock(&shared.last_words).take() {
        last_words();
    }
    interrupt.take_effect();
}
