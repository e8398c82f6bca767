//! The exchange in a process of its own.
//!
//! A refresh token is spent once the server has read it, and its successor is safe once the disk has it. Whoever is
//! killed in between loses the login, and helpers are killed: by a CI job that is cancelled, by `timeout -s KILL`, by
//! Ctrl-Z and then a closed terminal. So a worker does this part, in a session of its own that no signal to git, to the
//! helper or to their process group reaches. It has the lock for its standard input, so that there is no moment without
//! a holder, and one pipe to its parent for both outputs; nothing else of the caller's. Its parent waits for a while and
//! then goes on without it; the worker listens on.
//!
//! What a server sends is read in here, by a process that needs little. So before it connects it reads what it needs of
//! the system (settings, certificates, addresses), and gives up the rest: see [`World::confine`] and `docs/hardening.md`.
//!
//! Rules: no secret among the arguments; the worker reads the pair itself, under the lock; where no worker can be started
//! the caller does the work.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::delegate::{OPERATION, Order, Report};
use super::explain;
use super::pair::Pair;
use super::perform::{Performer, Subject};
use super::protocol::Flow;
use super::usable::TokenError;
use crate::account::Session;
use crate::lock::{Doing, Lock, LockGuard};
use crate::oauth::PreparedRoute;
use crate::store::Store;
use crate::world::{self, World};

/// Exit code for anybody else who starts a worker.
const USAGE: u8 = 2;

/// How long a worker listens for an answer.
const WORKER: Duration = Duration::from_secs(60);

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
        .and_then(|order| Order::parse(order.to_str()?));
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
fn work(world: &World, dir: &Path, guard: LockGuard, order: &Order) -> anyhow::Result<Report> {
    let store = Store::open(world, dir)?.context("the database is gone")?;
    let is_meant = |session: &Session| session.tokens.as_ref().map(Pair::of) == Some(order.pair);
    let sessions = store.read()?.sessions()?;
    let Some(session) = sessions.into_iter().find(is_meant) else {
        return Ok(Report::superseded());
    };
    let route = PreparedRoute::new(world, &session.origin);
    world.confine(store.directory(), route.port());
    let goal = order.demand.goal(Some(order.pair));
    let mut performer = Performer::new(world, &store, Subject::Session(session));
    performer.route = Some(route);
    performer.guard = Some(guard);
    performer.deadline = Duration::from_millis(order.since) + WORKER;
    world.trace(|| format!("flow: begin worker {goal:?}"));
    let conclusion = performer.run(Flow::worker(goal));
    Ok(Report::of(explain::usable(&performer, conclusion)))
}
