//! What SIGINT, SIGTERM, SIGHUP and SIGQUIT do while a login waits or a token is on its way to the disk.
//!
//! Separate from its neighbours because it starts a thread; nothing on the path of a cached `get` calls it.
//!
//! Rules: untouched until the first [`Signals::on_interrupt`] or [`Signals::defer`]; from then on one thread takes the
//! signals. While a [`Deferral`] lives they wait; when it ends they take effect. Those that were ignored when the process
//! began stay so.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::platform::signals::{Caught, Interrupt, Interrupts, interrupts};

type LastWords = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Shared {
    /// LockGuard for as long as no signal may take effect.
    busy: Mutex<()>,
    /// A signal came and its effect waits.
    pending: AtomicBool,
    /// Puts the terminal right before the process ends.
    last_words: Mutex<Option<LastWords>>,
    caught: OnceLock<Caught>,
}

/// The process's way with signals.
#[derive(Default)]
pub(crate) struct Signals {
    // The thread that watches lives as long as the process, and so does what it shares.
    shared: Cell<Option<&'static Shared>>,
}

impl Signals {
    /// Runs `last_words` once if a signal ends the process from now on; the newest one wins.
    pub(crate) fn on_interrupt(&self, last_words: impl FnOnce() + Send + 'static) {
        // Where nobody can watch, a signal ends the process without a word.
        if let Ok(shared) = self.shared() {
            *lock(&shared.last_words) = Some(Box::new(last_words));
        }
    }

    /// Keeps signals from taking effect until the answer is dropped. Must not be nested.
    ///
    /// # Errors
    /// There is no thread or file descriptor to be had: signals take effect at once.
    pub(crate) fn defer(&self) -> io::Result<Deferral> {
        let shared = self.shared()?;
        Ok(Deferral {
            shared,
            busy: Some(lock(&shared.busy)),
        })
    }

    /// Leaves the signals to a program that replaces this one. A signal that was received before takes effect first.
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

/// While it lives, a signal that would end the process waits.
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
    // First the thread, which waits: signals that are taken and not watched would be lost.
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
