//! The steps that write: marks, swaps, a login, a logout, the recovery file.

use std::time::Duration;

use anyhow::Context as _;

use super::{Performer, Subject};
use crate::account::{Session, Tokens};
use crate::failure::Failure;
use crate::lock::Doing;
use crate::mirror::Mirror;
use crate::session::pair::Pair;
use crate::session::protocol::{Intent, Pause, Saw, Swap};
use crate::session::record::Record;
use crate::session::recovery::{self, Reserve};
use crate::session::swap;
use crate::store::{WriteTransaction, may_pass};

/// How long a granted pair is tried to be stored before it goes to the recovery file.
const COMMIT: Duration = Duration::from_secs(60);

/// After `invalid_grant`: how long another program may need to store what it was granted.
const SETTLE: Duration = Duration::from_secs(3);

/// The next try after an answer that was lost: within the 30 s that Sentry plans to repeat its answer.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// The next try after an answer that named no time.
const LONG_PAUSE: Duration = Duration::from_secs(30);

impl Performer<'_> {
    /// The session and its tokens, as last read.
    pub(crate) fn pair(&self) -> Option<(&Session, Tokens)> {
        let session = self.session()?;
        Some((session, session.tokens.clone()?))
    }

    fn write<T>(
        &self,
        write: impl Fn(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let guard = self.guard.as_ref().context("the lock is not ours")?;
        let change = self.store.change(guard, self.world.clock())?;
        let done = write(&change)?;
        change.commit()?;
        Ok(done)
    }

    /// The same, for what must not be lost: goes on trying for [`COMMIT`] where that may help.
    fn write_patiently<T>(
        &self,
        write: impl Fn(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let clock = self.world.clock();
        let deadline = clock.uptime() + COMMIT;
        loop {
            match self.write(&write) {
                Err(error) if may_pass(&error) && clock.uptime() < deadline => {
                    self.tell_waiters();
                    self.world
                        .trace(|| format!("the new pair cannot be stored yet: {error:#}"));
                    clock.sleep(Duration::from_millis(200));
                }
                ended => return ended,
            }
        }
    }

    fn tell_waiters(&self) {
        let intent = self.session().and_then(|session| session.marks.intent);
        if let (Some(guard), Some((_, since))) = (&self.guard, intent) {
            guard.describe(Doing::Stores, since);
        }
    }

    pub(super) fn trust(&mut self) -> Saw<Pair> {
        let Some(session) = self.session() else {
            return Saw::Refused;
        };
        match self.write(|change| change.trust(session, self.world.now())) {
            Ok(()) => Saw::Done,
            Err(error) => self.refused(&error),
        }
    }

    /// Whatever could keep a new pair from being stored comes to light here.
    pub(super) fn intend(&mut self) -> Saw<Pair> {
        match self.prepare() {
            Ok(()) => Saw::Done,
            Err(error) => self.refused(&error),
        }
    }

    fn prepare(&mut self) -> anyhow::Result<()> {
        let (session, tokens) = self.pair().context("there is no session")?;
        let deferral = self.world.signals().defer();
        let deferral = deferral.context("a signal could not be kept waiting")?;
        let reserve = Reserve::take(self.store)
            .with_context(|| format!("cannot write {}", recovery::path(self.store).display()))?;
        let guard = self.guard.as_ref().context("the lock is not ours")?;
        let change = self.store.change(guard, self.world.clock())?;
        let refresh = tokens.refresh.as_ref().unwrap_or(&tokens.access);
        let (digest, now) = (refresh.digest(), self.world.now());
        change.intend(session, digest, now)?;
        change.commit_and_settle()?;
        let mut session = session.clone();
        if session
            .marks
            .intent
            .is_none_or(|(noted, _)| noted != digest)
        {
            session.marks.intent = Some((digest, now));
        }
        self.subject = Subject::Session(session);
        self._until_stored = Some(deferral);
        self.reserve = Some(reserve);
        Ok(())
    }

    pub(super) fn swap(&mut self) -> Saw<Pair> {
        let (Some(session), Some(old), Some(new)) = (self.session(), &self.posted, &self.granted)
        else {
            return Saw::Refused;
        };
        let mirror = Mirror::of(self.world, self.store);
        let swapped = self.write_patiently(|change| {
            let client_id = self.client_id.as_deref();
            let swap = swap::swap(change, session, old, new, client_id, self.world.now())?;
            mirror.announce(change)?;
            Ok(swap)
        });
        match swapped {
            Ok(Swap::Stored) => {
                mirror.put(session, new);
                let session = Session {
                    tokens: Some(new.clone()),
                    ..session.clone()
                };
                self.subject = Subject::Session(session);
                Saw::Swapped(Swap::Stored)
            }
            Ok(swap) => Saw::Swapped(swap),
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn store_login(&mut self) -> Saw<Pair> {
        let Subject::Login(login) = &self.subject else {
            return Saw::Refused;
        };
        let mirror = Mirror::of(self.world, self.store);
        let store = |change: &WriteTransaction<'_>| {
            login.store(change, self.world.now())?;
            mirror.announce(change)?;
            let is_ours = |session: &Session| session.tokens.as_ref() == Some(&login.tokens);
            let session = change.sessions()?.into_iter().find(is_ours);
            session.context("the new session is not in the database")
        };
        let stored = match login.tokens.refresh {
            Some(_) => self.write_patiently(store),
            // Not tried for long: the user still has an API token.
            None => self.write(store),
        };
        match stored {
            Ok(session) => {
                mirror.put(&session, &login.tokens);
                self.subject = Subject::Session(session);
                Saw::Done
            }
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn keep(&mut self) -> Saw<Pair> {
        let kept = match (&self.subject, &self.posted, &self.granted) {
            (Subject::Session(session), Some(old), Some(new)) => {
                Record::of_refresh(session, old, new, self.client_id.as_deref())
            }
            (Subject::Login(login), ..) if login.tokens.refresh.is_some() => {
                Record::of_login(login)
            }
            _ => return Saw::Refused,
        };
        let reserve = self.reserve.take().unwrap_or_default();
        match reserve.write(self.store, &kept) {
            Ok(()) => Saw::Done,
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn settle(&mut self, pair: Pair) -> Saw<Pair> {
        let clock = self.world.clock();
        let deadline = clock.uptime() + SETTLE;
        let mut pause = Duration::from_millis(25);
        loop {
            let saw = self.read();
            let is_unchanged = matches!(saw, Saw::Row(row) if row.pair == Some(pair));
            if !is_unchanged || clock.uptime() >= deadline {
                return saw;
            }
            clock.sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(800));
        }
    }

    pub(super) fn reject(&mut self) -> Saw<Pair> {
        let Some((session, tokens)) = self.pair() else {
            return Saw::Refused;
        };
        match self.write(|change| swap::reject(change, session, &tokens, self.world.now())) {
            Ok(swap) => {
                if swap == Swap::Stored {
                    Mirror::to_clear(self.world, self.store).remove(session);
                }
                Saw::Swapped(swap)
            }
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn pause(&mut self, pause: Pause, intent: Intent) -> Saw<Pair> {
        let Some(session) = self.session() else {
            return Saw::Refused;
        };
        let pause = match pause {
            Pause::Short => SHORT_PAUSE,
            Pause::Long => self.retry_after.unwrap_or(LONG_PAUSE),
        };
        let until = self.world.now().after(pause);
        let why = self.trouble.as_ref().map(Failure::to_string);
        let noted = self.write(|change| {
            change.pause(session, until, why.as_deref())?;
            match intent {
                Intent::Withdrawn => change.withdraw_intent(session),
                Intent::Stays => Ok(()),
            }
        });
        // Not being able to note it means another try sooner, no more: the trouble stays what it is.
        match noted {
            Ok(()) => Saw::Done,
            Err(_) => Saw::Refused,
        }
    }

    pub(super) fn remove(&mut self) -> Saw<Pair> {
        let Some(session) = self.session() else {
            return Saw::Refused;
        };
        let removed = self.write(|change| match change.session(session)? {
            Some(session) => change.log_out(&session, self.world.now()),
            None => Ok(None),
        });
        match removed {
            Ok(next) => {
                self.next_active = next;
                Saw::Done
            }
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn discard(&mut self) -> Saw<Pair> {
        let Some(session) = self.session() else {
            return Saw::Refused;
        };
        match recovery::discard(self.store, session) {
            Ok(()) => Saw::Done,
            Err(error) => self.refused(&error),
        }
    }
}
