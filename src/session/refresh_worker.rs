//! The exchange in a process of its own.
//!
//! A refresh token is spent once the server has read it, and its successor is safe once the disk has it. Whoever is
//! killed in between loses the login, and helpers are killed: by a CI job that is cancelled, by `timeout -s KILL`, by
//! Ctrl-Z and then a closed terminal. So a worker does this part, in a session of its own that no signal to git, to the
//! helper or to their process group reaches. It has the lock for its standard input, so that there is no moment without
//! a holder, and one pipe to its parent for both outputs; nothing else of the caller's. Its parent waits for a while and
//! then goes on without it; the worker listens on.
//!
//! Rules: no secret among the arguments; the worker reads the pair itself, under the lock; where no worker can be started
//! the caller does the work.

use std::io::{self, PipeReader};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use super::pair::Pair;
use super::perform::{Performer, Subject};
use super::protocol::{Flow, Goal, Outcome, Saw};
use super::{Demand, TokenError, Usable, explain};
use crate::account::Session;
use crate::environment;
use crate::failure::Failure;
use crate::lock::{Doing, Lock};
use crate::secret::Digest;
use crate::store::Store;
use crate::world::{self, World};

/// The first argument of a worker; the second is an [`Order`].
const OPERATION: &str = "exchange-refresh-token";

/// Of [`Order`] and [`Report`]: both sides are one program, unless it was replaced while it ran.
const VERSION: u32 = 1;

/// Exit code for anybody else who starts a worker.
const USAGE: u8 = 2;

/// How long a worker listens for an answer.
const WORKER: Duration = Duration::from_secs(60);

/// What a worker is to do.
#[derive(Serialize, Deserialize)]
struct Order {
    version: u32,
    /// The digest that names the pair, in base64.
    pair: String,
    demand: Demand,
    /// Since when the lock is held, in milliseconds of [`crate::world::Clock::uptime`].
    since: u64,
}

/// What became of it. Tokens do not go through the pipe.
#[derive(Serialize, Deserialize)]
struct Report {
    version: u32,
    outcome: WireOutcome,
    /// The digest that names the pair that is stored now, in base64.
    pair: Option<String>,
    /// What to tell the user.
    what: Option<String>,
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireOutcome {
    Current,
    Refreshed,
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
pub(super) fn delegate(performer: &mut Performer<'_>) -> Option<WorkerExit> {
    let (mut child, pipe) = start(performer)?;
    // From here on it is the worker's alone: were we stopped now, nobody would have to wait for us.
    performer.guard = None;
    let world = performer.world;
    // Whoever presses Ctrl-C finds the work done when the prompt is back.
    let _until_stored = world.signals().defer().ok();
    let mut report = None;
    let listened = world::read_lines(&pipe, super::CALLER, |line| {
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
            trouble: Some(Failure::new(
                Lock::credential(performer.store.directory())
                    .contended()
                    .to_string(),
            )),
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

fn start(performer: &Performer<'_>) -> Option<(Child, PipeReader)> {
    let (_, tokens) = performer.pair()?;
    let world = performer.world;
    let order = Order {
        version: VERSION,
        pair: BASE64.encode(Pair::of(&tokens).digest().as_bytes()),
        demand: performer.demand,
        since: u64::try_from(world.clock().uptime().as_millis()).ok()?,
    };
    let (pipe, writer) = io::pipe().ok()?;
    let mut command = Command::new(world.executable()?);
    command
        .arg(OPERATION)
        .arg(serde_json::to_string(&order).ok()?)
        .stdin(performer.guard.as_ref()?.share().ok()?)
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

/// Works if this process was started for that; `None` if it was not. For every `main`, before anything else.
#[must_use]
pub(crate) fn work_if_asked(world: &World) -> Option<ExitCode> {
    let mut arguments = world::arguments();
    if arguments.next()? != OPERATION {
        return None;
    }
    world::begin_session();
    let order = arguments
        .next()
        .and_then(|order| serde_json::from_str::<Order>(order.to_str()?).ok())
        .filter(|order| order.version == VERSION);
    let prepared = order.and_then(|order| {
        let dir = world.config_dir().ok()?;
        let guard = Lock::credential(&dir).inherited().ok()?;
        Some((order, dir, guard))
    });
    let Some((order, dir, guard)) = prepared else {
        world::print_error(&format!(
            "`{OPERATION}` is internal: this program starts it itself, holding the lock\n"
        ));
        return Some(ExitCode::from(USAGE));
    };
    guard.describe(Doing::WaitsForSentry, world.now());
    let report = work(world, &dir, guard, &order)
        .unwrap_or_else(|error| Report::of(Err(TokenError::Unavailable(error))));
    let report = serde_json::to_string(&report).unwrap_or_default();
    match world::print(format!("{report}\n").as_bytes()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        // Whoever asked is gone; the work is done.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// The exchange under the lock that the parent took.
fn work(
    world: &World,
    dir: &std::path::Path,
    guard: crate::lock::LockGuard,
    order: &Order,
) -> anyhow::Result<Report> {
    let store = Store::open(world, dir)?.context("the database is gone")?;
    let pair = pair_named(&order.pair).context("the pair has no name")?;
    let is_meant = |session: &Session| {
        let tokens = session.tokens.as_ref();
        tokens.is_some_and(|tokens| Pair::of(tokens) == pair)
    };
    let sessions = store.read()?.sessions()?;
    let Some(session) = sessions.into_iter().find(is_meant) else {
        // Another program was faster: the parent reads what it stored.
        return Ok(Report {
            version: VERSION,
            outcome: WireOutcome::Current,
            pair: None,
            what: None,
            hint: None,
        });
    };
    let demand = match order.demand {
        Demand::Usable => Goal::Usable,
        Demand::Replacement => Goal::Replacement(pair),
        Demand::Refresh => Goal::Refresh,
    };
    let mut performer = Performer::new(world, &store, Subject::Session(session));
    performer.guard = Some(guard);
    performer.deadline = Duration::from_millis(order.since) + WORKER;
    world.trace(|| format!("flow: begin worker {demand:?}"));
    let conclusion = performer.run(Flow::worker(demand));
    Ok(Report::of(explain::usable(&performer, conclusion)))
}

impl Report {
    fn of(outcome: Result<Usable, TokenError>) -> Report {
        let pair = match &outcome {
            Ok(Usable::Current(tokens) | Usable::Refreshed(tokens)) => Some(Pair::of(tokens)),
            _ => None,
        };
        let (outcome, failure) = match outcome {
            Ok(Usable::Current(_)) => (WireOutcome::Current, None),
            Ok(Usable::Refreshed(_)) => (WireOutcome::Refreshed, None),
            Ok(Usable::Postponed(_, failure)) => (WireOutcome::Stale, Some(failure)),
            Err(TokenError::LoginRequired(failure)) => (WireOutcome::LoginRequired, Some(failure)),
            Err(TokenError::Unavailable(error)) => {
                (WireOutcome::Unavailable, Some(Failure::of(&error)))
            }
        };
        Report {
            version: VERSION,
            outcome,
            pair: pair.map(|pair| BASE64.encode(pair.digest().as_bytes())),
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
            saw: Saw::Reported(self.outcome.into()),
            pair: self.pair.as_deref().and_then(pair_named),
            trouble,
        }
    }
}

fn pair_named(digest: &str) -> Option<Pair> {
    let digest = BASE64.decode(digest).ok()?;
    Digest::from_bytes(&digest).map(Pair::named)
}

impl From<WireOutcome> for Outcome {
    fn from(outcome: WireOutcome) -> Outcome {
        match outcome {
            WireOutcome::Current => Outcome::Usable { refreshed: false },
            WireOutcome::Refreshed => Outcome::Usable { refreshed: true },
            WireOutcome::Stale => Outcome::Stale,
            WireOutcome::Unavailable => Outcome::Unavailable,
            WireOutcome::LoginRequired => Outcome::LoginRequired,
        }
    }
}
