//! Carries out the steps of a [`protocol`](super::protocol) flow, one at a time.
//!
//! Separate from the flow, which only decides, and from the store, the lock and the OAuth client, which decide nothing.
//! Every refresh, login and logout runs through [`Performer::run`]. Each step writes one trace line, from which the
//! flow can be replayed.

mod exchange;
mod write;

pub(crate) use exchange::granted;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::delegate::{CALLER, delegate};
use super::new_login::NewLogin;
use super::pair::Pair;
use super::protocol::{Access, Candidate, ClientId, Conclusion, Do, Flow, Row, Saw, WaitLimit};
use super::recovery;
use super::reserve::Reserve;
use super::usable::Demand;
use crate::account::{Freshness, OAuthClient, Session, StaleReason, Tokens};
use crate::environment;
use crate::failure::Failure;
use crate::lock::{Lock, LockError, LockGuard};
use crate::oauth::{OAuth, PreparedRoute};
use crate::origin::Origin;
use crate::store::Store;
use crate::world::{Deferral, World};

/// Longest sleep between two attempts to acquire a contended lock.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// How long to wait for the lock.
pub(super) fn wait_limit(wait_limit: WaitLimit) -> Duration {
    Duration::from_secs(match wait_limit {
        WaitLimit::Short => 5,
        WaitLimit::Long => 20,
        WaitLimit::Commit => 60,
    })
}

/// The subject of a flow.
pub(super) enum Subject {
    /// A stored session, as last read.
    Session(Session),
    /// A login that is not stored yet.
    Login(NewLogin),
}

/// Runs one flow.
pub(super) struct Performer<'a> {
    pub(super) world: &'a World,
    pub(super) store: &'a Store,
    pub(super) subject: Subject,
    /// The lock, once acquired or inherited.
    pub(super) guard: Option<LockGuard>,
    /// Deadline for the last request, by [`crate::world::Clock::uptime`].
    pub(super) deadline: Duration,
    /// The last error, in words.
    pub(super) trouble: Option<Failure>,
    /// What a refresh is for; passed to the worker.
    pub(super) demand: Demand,
    /// The session that became the active one by a logout, if any.
    pub(super) next_active: Option<Session>,
    /// The route to the instance, if it was prepared.
    pub(super) route: Option<PreparedRoute>,
    /// The recovery file with the granted tokens.
    pub(super) kept_in: Option<PathBuf>,
    /// The pair that a worker stored.
    reported: Option<Pair>,
    /// The tokens that were posted, which a swap replaces.
    posted: Option<Tokens>,
    granted: Option<Tokens>,
    /// The client id that was used.
    client_id: Option<String>,
    retry_after: Option<Duration>,
    waiting: Option<(Duration, Duration)>,
    reserve: Option<Reserve>,
    /// Defers signals from the intent until the new pair is stored.
    _until_stored: Option<Deferral>,
}

impl<'a> Performer<'a> {
    pub(super) fn new(world: &'a World, store: &'a Store, subject: Subject) -> Performer<'a> {
        Performer {
            world,
            store,
            subject,
            guard: None,
            deadline: world.clock().uptime() + CALLER,
            trouble: None,
            demand: Demand::Usable,
            next_active: None,
            route: None,
            kept_in: None,
            reported: None,
            posted: None,
            granted: None,
            client_id: None,
            retry_after: None,
            waiting: None,
            reserve: None,
            _until_stored: None,
        }
    }

    /// Runs a flow to its end.
    pub(super) fn run(&mut self, mut flow: Flow<Pair>) -> Conclusion {
        loop {
            let todo = flow.next();
            if let Do::End(conclusion) = todo {
                self.world.trace(|| format!("flow: {todo:?}"));
                return conclusion;
            }
            let saw = self.perform(todo);
            self.world.trace(|| format!("flow: {todo:?} -> {saw:?}"));
            flow.saw(saw);
        }
    }

    fn perform(&mut self, todo: Do<Pair>) -> Saw<Pair> {
        let result = match todo {
            Do::Look | Do::Read => self.read(),
            Do::TryLock => self.try_lock(),
            Do::Wait(wait_limit) => self.wait(wait_limit),
            Do::Import => self.import(),
            Do::Delegate => self.delegate(),
            Do::Check(_) => self.check(),
            Do::Trust(_) => self.trust(),
            Do::Intend(_) => self.intend(),
            Do::Post(_, client) => self.post(client),
            Do::Swap { .. } => self.swap(),
            Do::Store(_) => self.store_login(),
            Do::Keep { .. } => self.keep(),
            Do::Settle(pair) => self.settle(pair),
            Do::Reject(_) => self.reject(),
            Do::Pause(pause, intent) => self.pause(pause, intent),
            Do::Remove => self.remove(),
            Do::End(_) => Ok(Saw::Done),
        };
        result.unwrap_or_else(|error| {
            self.trouble = Some(Failure::of(&error));
            Saw::Refused
        })
    }

    /// The session of the flow; a login has none.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.subject {
            Subject::Session(session) => Some(session),
            Subject::Login(_) => None,
        }
    }

    fn read(&mut self) -> anyhow::Result<Saw<Pair>> {
        let Some(session) = self.session() else {
            return Ok(Saw::NoRow);
        };
        let view = self.store.read()?;
        let mut read = view.session(session)?;
        if read.is_none() && self.reported.is_some() {
            // The official CLI may have given the row a new key meanwhile.
            let has_pair =
                |session: &Session| session.tokens.as_ref().map(Pair::of) == self.reported;
            read = view.sessions()?.into_iter().find(has_pair);
        }
        let Some(session) = read else {
            return Ok(Saw::NoRow);
        };
        let row = row(self.world, &session);
        self.subject = Subject::Session(session);
        Ok(Saw::Row(row))
    }

    fn lock(&self) -> Lock {
        Lock::credential(self.store.directory())
    }

    fn oauth(&self, origin: &Origin, client_id: &str) -> OAuth {
        match &self.route {
            Some(route) => OAuth::with_route(route, origin, client_id),
            None => OAuth::new(self.world, origin, client_id),
        }
    }

    fn try_lock(&mut self) -> anyhow::Result<Saw<Pair>> {
        match self.lock().try_acquire() {
            Ok(guard) => {
                self.guard = Some(guard);
                self.deadline = self.world.clock().uptime() + CALLER;
                Ok(Saw::Locked)
            }
            Err(LockError::Contended(_)) => Ok(Saw::Contended),
            Err(error) => Err(error.into()),
        }
    }

    fn wait(&mut self, how_long: WaitLimit) -> anyhow::Result<Saw<Pair>> {
        let clock = self.world.clock();
        let (since, sleep) = self
            .waiting
            .unwrap_or((clock.uptime(), Duration::from_millis(2)));
        if clock.uptime() >= since + wait_limit(how_long) {
            self.trouble = Some(Failure::new(self.lock().contended().to_string()));
            return Ok(Saw::TimedOut);
        }
        clock.sleep(sleep);
        self.waiting = Some((since, (sleep * 2).min(LONGEST_SLEEP)));
        Ok(Saw::Done)
    }

    fn delegate(&mut self) -> anyhow::Result<Saw<Pair>> {
        let pair = Pair::of(&self.pair()?.1);
        let (lock, demand) = (self.lock(), self.demand);
        let Some(exit) = delegate(self.world, &lock, &mut self.guard, pair, demand) else {
            return Ok(Saw::NoWorker);
        };
        self.trouble = exit.trouble;
        self.reported = exit.pair;
        Ok(exit.saw)
    }

    fn import(&self) -> anyhow::Result<Saw<Pair>> {
        recovery::import(self.world, self.store, self.lock_guard()?)?;
        Ok(Saw::Done)
    }

    /// The lock guard.
    fn lock_guard(&self) -> anyhow::Result<&LockGuard> {
        self.guard.as_ref().context("the lock is not acquired")
    }

    /// The session, in a step that only a refresh or a logout has.
    fn stored(&self) -> anyhow::Result<&Session> {
        self.session().context("there is no session")
    }

    /// The session with its tokens, as last read.
    pub(super) fn pair(&self) -> anyhow::Result<(&Session, Tokens)> {
        let session = self.stored()?;
        let tokens = session.tokens.clone();
        Ok((session, tokens.context("there are no tokens")?))
    }
}

/// Reduces a session to a row of the flow.
pub(super) fn row(world: &World, session: &Session) -> Row<Pair> {
    let now = world.now();
    let paused = session.paused_until(now).is_some();
    Row {
        pair: session.tokens.as_ref().map(Pair::of),
        access: match session.access_freshness(now) {
            Freshness::Fresh => Access::Fresh,
            Freshness::Stale(StaleReason::ExpiresSoon) => Access::ExpiresSoon,
            Freshness::Stale(StaleReason::Suspect) => Access::Suspect,
            Freshness::Stale(StaleReason::Expired | StaleReason::Interrupted) => Access::Expired,
        },
        refreshable: session
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.refresh.is_some()),
        intent: session.is_interrupted(),
        rejected: session.refresh_state.rejected_at.is_some(),
        paused,
        client: match &session.refresh_state.client_id {
            Some(OAuthClient::Recorded(_)) => ClientId::Recorded,
            _ if client_id(world, session, Candidate::First).is_some() => ClientId::Guessed,
            _ => ClientId::Missing,
        },
    }
}

/// The client id to use.
fn client_id(world: &World, session: &Session, client: Candidate) -> Option<String> {
    let (recorded, guessed) = match session.refresh_state.client_id.clone() {
        Some(OAuthClient::Recorded(id)) => (Some(id), None),
        Some(OAuthClient::Guessed(id)) => (None, Some(id)),
        None => (None, None),
    };
    if client == Candidate::Recorded {
        return recorded;
    }
    // The official CLI stores no client id; it uses its own if the environment names none.
    let built_in = environment::BUILT_IN_CLIENT_ID.to_owned();
    let mut guesses = [
        guessed,
        environment::client_id(world, &session.origin),
        Some(built_in).filter(|_| session.origin.is_saas()),
    ]
    .into_iter()
    .flatten();
    let first = guesses.next()?;
    match client {
        Candidate::Second => guesses.find(|guess| *guess != first),
        _ => Some(first),
    }
}
