//! Does what a flow of [`protocol`](super::protocol) asks for, one step at a time.
//!
//! Separate from the flow, which decides and does nothing, and from the store, the lock and the OAuth client, which do
//! and decide nothing. Every step of the program's refreshes, logins and logouts goes through [`Performer::run`]; the
//! trace has a line for each, from which the flow can be replayed.

mod exchange;
mod write;

pub(crate) use exchange::granted;

use std::time::Duration;

use super::delegate::{CALLER, delegate};
use super::new_login::NewLogin;
use super::pair::Pair;
use super::protocol::{Access, Candidate, ClientId, Conclusion, Do, Flow, Row, Saw, WaitLimit};
use super::recovery::{self, Reserve};
use super::usable::Demand;
use crate::account::{Freshness, Session, StaleReason, Tokens};
use crate::environment;
use crate::failure::Failure;
use crate::lock::{Lock, LockError, LockGuard};
use crate::oauth::{OAuth, Way};
use crate::origin::Origin;
use crate::store::Store;
use crate::world::{Deferral, World};

/// Longest pause between two looks at a contended lock.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// How long each kind of caller waits for the lock.
pub(super) fn wait_limit(wait_limit: WaitLimit) -> Duration {
    Duration::from_secs(match wait_limit {
        WaitLimit::Short => 5,
        WaitLimit::Long => 20,
        WaitLimit::Commit => 60,
    })
}

/// What a flow is about.
pub(super) enum Subject {
    /// A stored session, as it was last read.
    Session(Session),
    /// A login that is not stored yet.
    Login(NewLogin),
}

/// Runs one flow.
pub(super) struct Performer<'a> {
    pub(super) world: &'a World,
    pub(super) store: &'a Store,
    pub(super) subject: Subject,
    /// The lock, once it is taken or inherited.
    pub(super) guard: Option<LockGuard>,
    /// When the last request has to be answered, by [`crate::world::Clock::uptime`].
    pub(super) deadline: Duration,
    /// What stood in the way, in words.
    pub(super) trouble: Option<Failure>,
    /// What a refresh is for; the worker is told.
    pub(super) demand: Demand,
    /// The session that is active after a logout, if it is another one now.
    pub(super) next_active: Option<Session>,
    /// How to reach the instance, where that is prepared.
    pub(super) way: Option<Way>,
    /// The pair that a worker stored.
    reported: Option<Pair>,
    /// The row's tokens when they were posted: what a swap replaces.
    posted: Option<Tokens>,
    granted: Option<Tokens>,
    /// The client id that was posted with.
    client_id: Option<String>,
    retry_after: Option<Duration>,
    waiting: Option<(Duration, Duration)>,
    reserve: Option<Reserve>,
    /// Signals wait from the intent until the new pair is stored.
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
            way: None,
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
        match todo {
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
            Do::Discard => self.discard(),
            Do::End(_) => Saw::Done,
        }
    }

    /// The session that the flow is about; a login has none.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.subject {
            Subject::Session(session) => Some(session),
            Subject::Login(_) => None,
        }
    }

    /// Notes why a step was not done.
    fn refused(&mut self, error: &anyhow::Error) -> Saw<Pair> {
        self.trouble = Some(Failure::of(error));
        Saw::Refused
    }

    fn read(&mut self) -> Saw<Pair> {
        let Some(session) = self.session() else {
            return Saw::NoRow;
        };
        let read = self.store.read().and_then(|view| {
            let by_key = view.session(session)?;
            // The official CLI may have given the row a new key since.
            let reported = self.reported;
            let by_pair = || {
                let is_meant =
                    |session: &Session| session.tokens.as_ref().map(Pair::of) == reported;
                let mut sessions = view.sessions()?.into_iter();
                Ok(sessions.find(|session| reported.is_some() && is_meant(session)))
            };
            by_key.map_or_else(by_pair, |session| Ok(Some(session)))
        });
        match read {
            Ok(Some(session)) => {
                let row = row(self.world, &session);
                self.subject = Subject::Session(session);
                Saw::Row(row)
            }
            Ok(None) => Saw::NoRow,
            Err(error) => self.refused(&error),
        }
    }

    fn lock(&self) -> Lock {
        Lock::credential(self.store.directory())
    }

    fn oauth(&self, origin: &Origin, client_id: &str) -> OAuth {
        match &self.way {
            Some(way) => OAuth::by(way, origin, client_id),
            None => OAuth::new(self.world, origin, client_id),
        }
    }

    fn try_lock(&mut self) -> Saw<Pair> {
        match self.lock().try_acquire() {
            Ok(guard) => {
                self.guard = Some(guard);
                self.deadline = self.world.clock().uptime() + CALLER;
                Saw::Locked
            }
            Err(LockError::Contended(_)) => Saw::Contended,
            Err(error) => self.refused(&error.into()),
        }
    }

    fn wait(&mut self, how_long: WaitLimit) -> Saw<Pair> {
        let clock = self.world.clock();
        let (since, sleep) = self
            .waiting
            .unwrap_or((clock.uptime(), Duration::from_millis(2)));
        if clock.uptime() >= since + wait_limit(how_long) {
            self.trouble = Some(Failure::new(self.lock().contended().to_string()));
            return Saw::TimedOut;
        }
        clock.sleep(sleep);
        self.waiting = Some((since, (sleep * 2).min(LONGEST_SLEEP)));
        Saw::Done
    }

    fn import(&mut self) -> Saw<Pair> {
        let Some(guard) = &self.guard else {
            return Saw::Refused;
        };
        match recovery::import(self.world, self.store, guard) {
            Ok(()) => Saw::Done,
            Err(error) => self.refused(&error),
        }
    }

    fn delegate(&mut self) -> Saw<Pair> {
        let Some((_, tokens)) = self.pair() else {
            return Saw::NoWorker;
        };
        let (lock, pair) = (self.lock(), Pair::of(&tokens));
        match delegate(self.world, &lock, &mut self.guard, pair, self.demand) {
            Some(exit) => {
                self.trouble = exit.trouble;
                self.reported = exit.pair;
                exit.saw
            }
            None => Saw::NoWorker,
        }
    }
}

/// A session as the flow sees it.
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
        rejected: session.marks.rejected_at.is_some(),
        paused,
        client: match (
            &session.marks.client_id,
            client_id(world, session, Candidate::First),
        ) {
            (Some(_), _) => ClientId::Noted,
            (None, Some(_)) => ClientId::Guessed,
            (None, None) => ClientId::Missing,
        },
    }
}

/// The client id to post with.
fn client_id(world: &World, session: &Session, client: Candidate) -> Option<String> {
    let first = || environment::client_id(world, &session.origin);
    match client {
        Candidate::Noted => session.marks.client_id.clone(),
        Candidate::First => first(),
        // The official CLI stores no id, and uses its own where the environment names none.
        Candidate::Second => Some(environment::BUILT_IN_CLIENT_ID.to_owned())
            .filter(|built_in| session.origin.is_saas() && first().as_ref() != Some(built_in)),
    }
}
