//! Everything that a stream has printed so far, collected by a thread so that tests need not poll.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Shared by its clones; complete once the stream has ended.
#[derive(Clone, Debug)]
pub struct Transcript {
    shared: Arc<(Mutex<Heard>, Condvar)>,
}

#[derive(Debug, Default)]
struct Heard {
    bytes: Vec<u8>,
    ended: bool,
}

/// Why a wait failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InVain {
    Ended,
    TimedOut,
}

impl Transcript {
    /// Reads to the end; an error is an end too (a terminal returns EIO once no process has it open).
    pub fn of(mut stream: impl Read + Send + 'static) -> Self {
        let transcript = Self {
            shared: Arc::default(),
        };
        let writer = transcript.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let count = match stream.read(&mut chunk) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    outcome => outcome.unwrap_or(0),
                };
                let (heard, changed) = &*writer.shared;
                let mut heard = heard.lock().expect("no reader panicked");
                heard.bytes.extend_from_slice(&chunk[..count]);
                heard.ended = count == 0;
                changed.notify_all();
                if heard.ended {
                    break;
                }
            }
        });
        transcript
    }

    /// The text so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.shared
            .0
            .lock()
            .expect("no reader panicked")
            .bytes
            .clone()
    }

    /// Waits until `look` finds something in the text so far.
    pub fn wait_for<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<T, InVain> {
        self.wait(deadline, |heard| match look(&heard.bytes) {
            Some(found) => Some(Ok(found)),
            None => heard.ended.then_some(Err(InVain::Ended)),
        })
        .unwrap_or(Err(InVain::TimedOut))
    }

    /// Waits for the end of the stream; `false` if it is not reached before the deadline.
    pub fn ends_by(&self, deadline: Instant) -> bool {
        self.wait(deadline, |heard| heard.ended.then_some(()))
            .is_some()
    }

    fn wait<T>(&self, deadline: Instant, mut look: impl FnMut(&Heard) -> Option<T>) -> Option<T> {
        let (heard, changed) = &*self.shared;
        let mut heard = heard.lock().expect("no reader panicked");
        loop {
            if let Some(found) = look(&heard) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return None;
            }
            heard = changed
                .wait_timeout(heard, left)
                .expect("no reader panicked")
                .0;
        }
    }
}
