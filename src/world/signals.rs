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
#[cfg(unix)]
use std::sync::{Arc, OnceLock};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Exit code after Ctrl-C, as shells count it.
const INTERRUPTED: i32 = 130;

type LastWords = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Shared {
    /// LockGuard for as long as no signal may take effect.
    busy: Mutex<()>,
    /// A signal came and its effect waits.
    pending: AtomicBool,
    /// Puts the terminal right before the process ends.
    last_words: Mutex<Option<LastWords>>,
    /// The signals that are watched.
    #[cfg(unix)]
    watched: OnceLock<Vec<i32>>,
    /// One of them came: set before anybody knows of it.
    #[cfg(unix)]
    came: Arc<AtomicBool>,
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

    /// Leaves the signals to the program that takes the place of this one, with `default` for each. One that came before
    /// takes effect first.
    #[cfg(unix)]
    pub(super) fn release(&self, default: impl Fn(i32)) {
        let Some(shared) = self.shared.get() else {
            return;
        };
        for signal in shared.watched.get().into_iter().flatten() {
            default(*signal);
        }
        if shared.came.load(Ordering::Acquire) {
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
    #[cfg(unix)]
    {
        // First the thread, which waits: signals that are taken and not watched would be lost.
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new().spawn(move || {
            if let Ok(signals) = receive.recv() {
                take_signals(signals, shared);
            }
        })?;
        let ignored = ignored();
        let ours = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter();
        let ours: Vec<i32> = ours
            .filter(|signal| ignored & (1 << (signal - 1)) == 0)
            .collect();
        let signals = signal_hook::iterator::Signals::new(&ours)?;
        send.send(signals).ok();
        for signal in &ours {
            signal_hook::flag::register(*signal, Arc::clone(&shared.came))?;
        }
        shared.watched.get_or_init(|| ours);
    }
    Ok(shared)
}

/// Signals that whoever started us told us to ignore, as nohup(1) does: a bit for each. Known on Linux only, proc(5).
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(unix)]
fn take_signals(mut signals: signal_hook::iterator::Signals, shared: &Shared) {
    for signal in &mut signals {
        shared.pending.store(true, Ordering::Release);
        let _effect = lock(&shared.busy);
        if let Some(last_words) = lock(&shared.last_words).take() {
            last_words();
        }
        match signal {
            SIGINT => signal_hook::low_level::exit(INTERRUPTED),
            _ => drop(signal_hook::low_level::emulate_default_handler(signal)),
        }
    }
}
