//! The parent's side of the refresh worker: starts it, hands it the lock, and waits for what it reports.
//!
//! Separate from [`refresh_worker`](super::refresh_worker), which does the work, because a flow is run by both sides.
//! Order and report are versioned serde types.

use std::io::{self, PipeReader};
use std::process::{Child, Command};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pair::Pair;
use super::protocol::{Outcome, Saw};
use super::usable::{Demand, TokenError, Usable};
use crate::environment;
use crate::failure::Failure;
use crate::lock::{Lock, LockGuard};
use crate::world::{self, World};

/// How long a caller waits for the exchange, its own or a worker's.
pub(super) const CALLER: Duration = Duration::from_secs(12);

/// The first argument of a worker; the second is an [`Order`].
pub(super) const OPERATION: &str = "exchange-refresh-token";

/// Of [`Order`] and [`Report`]: both sides are one program, unless it was replaced while it ran.
const VERSION: u32 = 1;

/// What a worker is to do.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    version: u32,
    pub(super) pair: Pair,
    pub(super) demand: Demand,
    /// Since when the lock is held, in milliseconds of [`crate::world::Clock::uptime`].
    pub(super) since: u64,
}

/// What became of it. Tokens do not go through the pipe.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    version: u32,
    #[serde(with = "WireOutcome")]
    outcome: Outcome,
    /// The pair that is stored now.
    pair: Option<Pair>,
    /// What to tell the user.
    what: Option<String>,
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome", rename_all = "snake_case")]
enum WireOutcome {
    Usable { refreshed: bool },
    Stale,
    Unavailable,
    LoginRequired,
}

/// What a parent saw of its worker.
pub(super) struct WorkerExit {
    pub(super) saw: Saw<Pair>,
    /// The pair that is stored now.
    pub(super) pair: Option<Pair>,
    /// What stood in the way, in words.
    pub(super) trouble: Option<Failure>,
}

/// Hands the lock to a worker and waits for what it reports. `None`: none can be started, and the lock is still the
/// caller's.
pub(super) fn delegate(
    world: &World,
    lock: &Lock,
    guard: &mut Option<LockGuard>,
    pair: Pair,
    demand: Demand,
) -> Option<WorkerExit> {
    let (mut child, pipe) = start(world, guard.as_ref()?, pair, demand)?;
    // From here on it is the worker's alone: were we stopped now, nobody would have to wait for us.
    *guard = None;
    // Whoever presses Ctrl-C finds the work done when the prompt is back.
    let _until_stored = world.signals().defer().ok();
    let mut report = None;
    let listened = world::read_lines(&pipe, CALLER, |line| {
        match serde_json::from_str::<Report>(line) {
            Ok(read) if read.version == VERSION => report = Some(read),
            // Its trace.
            _ => world::print_error(&format!("{line}\n")),
        }
    });
    let silent = matches!(&listened, Err(error) if error.kind() == io::ErrorKind::TimedOut);
    Some(match report {
        Some(report) => {
            child.wait().ok();
            report.into_ended()
        }
        None if silent => WorkerExit {
            saw: Saw::WorkerSilent,
            pair: None,
            trouble: Some(Failure::new(lock.contended().to_string())),
        },
        // The next run finds the intent, and tries the pair once more.
        None => {
            child.wait().ok();
            WorkerExit {
                saw: Saw::WorkerDied,
                pair: None,
                trouble: Some(Failure::new(
                    "the process that was refreshing the token was killed",
                )),
            }
        }
    })
}

fn start(
    world: &World,
    guard: &LockGuard,
    pair: Pair,
    demand: Demand,
) -> Option<(Child, PipeReader)> {
    let order = Order {
        version: VERSION,
        pair,
        demand,
        since: u64::try_from(world.clock().uptime().as_millis()).ok()?,
    };
    let (pipe, writer) = io::pipe().ok()?;
    let mut command = Command::new(world.executable()?);
    command
        .arg(OPERATION)
        .arg(serde_json::to_string(&order).ok()?)
        .stdin(guard.share().ok()?)
        .stdout(writer.try_clone().ok()?)
        .stderr(writer);
    for name in environment::TOKENS {
        command.env_remove(name);
    }
    if !world.is_traced() {
        command.env_remove(world::TRACE);
    }
    // A lock of the calling script, say, must not be held for as long as a server takes to answer.
    world::keep_descriptors();
    Some((command.spawn().ok()?, pipe))
}

impl Order {
    /// Reads the second argument of a worker.
    pub(super) fn parse(argument: &str) -> Option<Order> {
        let order: Order = serde_json::from_str(argument).ok()?;
        (order.version == VERSION).then_some(order)
    }
}

impl Report {
    /// Another program was faster: the parent reads what it stored.
    pub(super) fn superseded() -> Report {
        Report {
            version: VERSION,
            outcome: Outcome::Usable { refreshed: false },
            pair: None,
            what: None,
            hint: None,
        }
    }

    pub(super) fn of(outcome: Result<Usable, TokenError>) -> Report {
        let pair = match &outcome {
            Ok(Usable::Current(tokens) | Usable::Refreshed(tokens)) => Some(Pair::of(tokens)),
            _ => None,
        };
        let (outcome, failure) = match outcome {
            Ok(Usable::Current(_)) => (Outcome::Usable { refreshed: false }, None),
            Ok(Usable::Refreshed(_)) => (Outcome::Usable { refreshed: true }, None),
            Ok(Usable::Postponed(_, failure)) => (Outcome::Stale, Some(failure)),
            Err(TokenError::LoginRequired(failure)) => (Outcome::LoginRequired, Some(failure)),
            Err(TokenError::Unavailable(error)) => {
                (Outcome::Unavailable, Some(Failure::of(&error)))
            }
        };
        Report {
            version: VERSION,
            outcome,
            pair,
            what: failure.as_ref().map(Failure::to_string),
            hint: failure.and_then(|failure| failure.hint_text().map(str::to_owned)),
        }
    }

    fn into_ended(self) -> WorkerExit {
        let trouble = self.what.map(|what| {
            let failure = Failure::new(what);
            match self.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        });
        WorkerExit {
            saw: Saw::Reported(self.outcome),
            pair: self.pair,
            trouble,
        }
    }
}
