//! The parent's side of the refresh worker: starts it, passes it the lock, and waits for its report.
//!
//! Separate from [`refresh_worker`](super::refresh_worker), which performs the exchange in the child process. [`Order`]
//! and [`Report`] are versioned serde types.

use std::io::{self, PipeReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pair::Pair;
use super::protocol::{Outcome, Saw};
use super::usable::{Demand, TokenError, Usable};
use crate::environment;
use crate::failure::Failure;
use crate::lock::{Lock, LockGuard};
use crate::platform::process;
use crate::world::{self, World};

/// How long a caller waits for the exchange, whether a worker performs it or not.
pub(super) const CALLER: Duration = Duration::from_secs(12);

/// The first argument of a worker; the second is an [`Order`].
pub(super) const OPERATION: &str = "exchange-refresh-token";

/// Version of [`Order`] and [`Report`]: both sides are the same program, unless it was replaced while it ran.
const VERSION: u32 = 1;

/// The order to a worker.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    version: u32,
    pub(super) pair: Pair,
    pub(super) demand: Demand,
    /// When the lock was acquired, in milliseconds of [`crate::world::Clock::uptime`].
    pub(super) since: u64,
}

/// The worker's report. Tokens do not pass through the pipe.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    version: u32,
    #[serde(with = "WireOutcome")]
    outcome: Outcome,
    /// The pair that is stored now.
    pair: Option<Pair>,
    /// The message for the user.
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

/// How the worker ended, as its parent saw it.
pub(super) struct WorkerExit {
    pub(super) saw: Saw<Pair>,
    /// The pair that is stored now.
    pub(super) pair: Option<Pair>,
    /// The error, in words.
    pub(super) trouble: Option<Failure>,
}

/// Passes the lock to a worker, or releases it for the worker where locks cannot be passed, and waits for its report. `None` if no worker can be started; the caller still holds the
/// lock then.
pub(super) fn delegate(
    world: &World,
    lock: &Lock,
    guard: &mut Option<LockGuard>,
    pair: Pair,
    demand: Demand,
) -> Option<WorkerExit> {
    let (mut child, pipe) = start(world, guard.as_ref()?, pair, demand)?;
    // Only the worker holds the lock from here on, or acquires it: if this process is stopped, no other has to wait for it.
    *guard = None;
    // Ctrl-C takes effect only once the new pair is stored.
    let _until_stored = world.signals().defer().ok();
    let mut report = None;
    let result = world::read_lines(&pipe, CALLER, |line| {
        match serde_json::from_str::<Report>(line) {
            Ok(read) if read.version == VERSION => report = Some(read),
            // A line of the worker's trace.
            _ => world::print_error(&format!("{line}\n")),
        }
    });
    let is_silent = matches!(&result, Err(error) if error.kind() == io::ErrorKind::TimedOut);
    Some(match report {
        Some(report) => {
            child.wait().ok();
            report.into_exit()
        }
        None if is_silent => WorkerExit {
            saw: Saw::WorkerSilent,
            pair: None,
            trouble: Some(Failure::new(lock.contended().to_string())),
        },
        // The next run finds the intent and sends the pair once more.
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
        .stdin(match process::LOCKS_PASS_TO_CHILDREN {
            true => guard.share().ok()?,
            false => Stdio::null(),
        })
        .stdout(writer.try_clone().ok()?)
        .stderr(writer);
    for name in environment::TOKENS {
        command.env_remove(name);
    }
    match world.trace_target() {
        Some(target) => command.env(world::TRACE, target),
        None => command.env_remove(world::TRACE),
    };
    // The caller's other descriptors, such as its own lock files, must not stay open while the server answers.
    process::close_others_on_exec();
    Some((process::spawn_apart(&mut command).ok()?, pipe))
}

impl Order {
    /// Parses the second argument of a worker.
    pub(super) fn parse(argument: &str) -> Option<Order> {
        let order: Order = serde_json::from_str(argument).ok()?;
        (order.version == VERSION).then_some(order)
    }
}

impl Report {
    /// Another program has stored another pair, which the parent reads.
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

    fn into_exit(self) -> WorkerExit {
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
