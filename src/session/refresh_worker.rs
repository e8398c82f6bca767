//! Performs the exchange in a process of its own.
//!
//! Between the moment the server reads a refresh token and the moment the disk has its successor, killing the process
//! loses the login. Helpers are killed often: by a cancelled CI job, by `timeout -s KILL`, by Ctrl-Z followed by
//! closing the terminal. The worker therefore runs in a session of its own, which no signal to git, to the helper or to
//! their process group reaches. Its standard input is the lock, so that the lock is held without interruption; where locks
//! do not pass to children, the worker acquires it itself, and finds out whether another process was faster. Both its
//! outputs are one pipe to the parent; it inherits nothing else. The parent waits for a while and continues without it;
//! the worker waits longer.
//!
//! The worker also parses the server's answer. Before it connects, it reads what it needs of the system (settings,
//! certificates, addresses) and drops its access to the rest: see [`World::confine`] and `docs/hardening.md`.
//!
//! Rules: no secret in the arguments; the worker reads the pair itself, under the lock; if no worker can be started,
//! the caller performs the exchange.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::delegate::{OPERATION, Order, Report};
use super::explain;
use super::pair::Pair;
use super::perform::{Performer, Subject};
use super::protocol::Flow;
use super::recovery;
use super::usable::TokenError;
use crate::account::Session;
use crate::lock::{Doing, Lock, LockGuard};
use crate::oauth::PreparedRoute;
use crate::platform::process;
use crate::store::Store;
use crate::world::{self, World};

/// Exit code if anything but this program starts a worker.
const USAGE: u8 = 2;

/// How long a worker waits for the lock, where it acquires the lock itself. Another process that acquires it first
/// refreshes the token.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long a worker waits for the server's answer.
const WORKER: Duration = Duration::from_secs(60);

/// Whether this process was started for that.
pub(crate) fn is_worker() -> bool {
    world::arguments()
        .next()
        .is_some_and(|word| word == OPERATION)
}

/// Runs the worker if this process was started as one; otherwise returns `None`. Every `main` calls it first.
#[must_use]
pub(crate) fn run_if_worker(world: &World) -> Option<ExitCode> {
    let mut arguments = world::arguments();
    if arguments.next()? != OPERATION {
        return None;
    }
    process::begin_session();
    let order = arguments
        .next()
        .and_then(|order| Order::parse(order.to_str()?));
    let prepared = order.and_then(|order| {
        let dir = world.config_dir().ok()?;
        let lock = Lock::credential(&dir);
        let guard = match process::LOCKS_PASS_TO_CHILDREN {
            true => Ok(lock.inherited().ok()?),
            false => lock
                .acquire(world.clock(), TIMEOUT)
                .map_err(anyhow::Error::from),
        };
        Some((order, dir, guard))
    });
    let Some((order, dir, guard)) = prepared else {
        world::print_error(&format!(
            "`{OPERATION}` is internal: this program starts it itself, holding the lock\n"
        ));
        return Some(ExitCode::from(USAGE));
    };
    let report = guard
        .and_then(|guard| work(world, &dir, guard, &order))
        .unwrap_or_else(|error| Report::of(Err(TokenError::Unavailable(error))));
    let report = serde_json::to_string(&report).unwrap_or_default();
    match world::print(format!("{report}\n").as_bytes()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        // The parent has exited; the work is done.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Performs the exchange under the lock.
fn work(world: &World, dir: &Path, guard: LockGuard, order: &Order) -> anyhow::Result<Report> {
    guard.describe(Doing::WaitsForSentry, world.now());
    // The worker starts no program.
    world.rely_on_callers_check();
    let store = Store::open(world, dir)?.context("the database was removed")?;
    if !process::LOCKS_PASS_TO_CHILDREN {
        // Another process held the lock meanwhile, and may have been killed.
        recovery::import(world, &store, &guard)?;
    }
    let has_pair = |session: &Session| session.tokens.as_ref().map(Pair::of) == Some(order.pair);
    let sessions = store.read()?.sessions()?;
    let Some(session) = sessions.into_iter().find(has_pair) else {
        return Ok(Report::superseded());
    };
    let route = PreparedRoute::new(world, &session.origin);
    // It may name the OAuth client.
    world.keep_administrators_file();
    world.confine(store.directory(), route.port());
    let goal = order.demand.goal(Some(order.pair));
    let mut performer = Performer::new(world, &store, Subject::Session(session));
    performer.route = Some(route);
    performer.guard = Some(guard);
    performer.deadline = match process::LOCKS_PASS_TO_CHILDREN {
        true => Duration::from_millis(order.since),
        false => world.clock().uptime(),
    } + WORKER;
    world.trace(|| format!("flow: begin worker {goal:?}"));
    let conclusion = performer.run(Flow::worker(goal));
    Ok(Report::of(explain::usable(&performer, conclusion)))
}
