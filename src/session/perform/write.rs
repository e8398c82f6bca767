//! The steps that write: refresh state, swaps, logins, logouts, recovery files.
//!
//! Separate from [`super::exchange`], whose steps do not touch the store.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{Performer, Subject};
use crate::account::{Session, Tokens};
use crate::failure::Failure;
use crate::lock::Doing;
use crate::mirror::Mirror;
use crate::session::pair::Pair;
use crate::session::protocol::{Intent, Pause, Saw, Swap};
use crate::session::record::Record;
use crate::session::recovery;
use crate::session::reserve::Reserve;
use crate::session::swap;
use crate::store::{WriteTransaction, is_temporary};

/// How long to retry storing a granted pair before it is saved in a recovery file.
const COMMIT: Duration = Duration::from_secs(60);

/// How long to wait after `invalid_grant` for another program to store the tokens it was granted.
const SETTLE: Duration = Duration::from_secs(3);

/// The next attempt after a lost answer: within the 30 s for which Sentry plans to repeat its answer.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// The next attempt after an answer without `Retry-After`.
const LONG_PAUSE: Duration = Duration::from_secs(30);

impl Performer<'_> {
    fn write<T>(
        &self,
        write: impl Fn(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let change = self.store.change(self.lock_guard()?, self.world.clock())?;
        let done = write(&change)?;
        change.commit()?;
        Ok(done)
    }

    /// The same for what must not be lost: retries for [`COMMIT`] if the error may be temporary.
    fn write_with_retries<T>(
        &self,
        write: impl Fn(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let clock = self.world.clock();
        let deadline = clock.uptime() + COMMIT;
        loop {
            match self.write(&write) {
                Err(error) if is_temporary(&error) && clock.uptime() < deadline => {
                    self.describe_to_waiters();
                    self.world
                        .trace(|| format!("the new pair cannot be stored yet: {error:#}"));
                    clock.sleep(Duration::from_millis(200));
                }
                result => return result,
            }
        }
    }

    fn describe_to_waiters(&self) {
        let intent = self
            .session()
            .and_then(|session| session.refresh_state.intent);
        if let (Some(guard), Some((_, since))) = (&self.guard, intent) {
            guard.describe(Doing::Stores, since);
        }
    }

    pub(super) fn trust(&self) -> anyhow::Result<Saw<Pair>> {
        let session = self.stored()?;
        self.write(|change| change.trust(session, self.world.now()))?;
        Ok(Saw::Done)
    }

    /// Fails on everything that could prevent a new pair from being stored.
    pub(super) fn intend(&mut self) -> anyhow::Result<Saw<Pair>> {
        let (session, tokens) = self.pair()?;
        let deferral = self.world.signals().defer();
        let deferral = deferral.context("signals cannot be deferred")?;
        let dir = self.store.directory();
        let reserve = Reserve::take(dir)
            .with_context(|| format!("cannot write {}", recovery::path(dir).display()))?;
        let change = self.store.change(self.lock_guard()?, self.world.clock())?;
        let (digest, now) = (tokens.digest(), self.world.now());
        change.intend(session, digest, now)?;
        change.commit_and_settle()?;
        let mut session = session.clone();
        let recorded = session.refresh_state.intent;
        let recorded = recorded.filter(|(recorded, _)| *recorded == digest);
        session.refresh_state.intent = recorded.or(Some((digest, now)));
        self.subject = Subject::Session(session);
        self._until_stored = Some(deferral);
        self.reserve = Some(reserve);
        Ok(Saw::Done)
    }

    pub(super) fn swap(&mut self) -> anyhow::Result<Saw<Pair>> {
        let session = self.stored()?;
        let (old, new) = self.exchanged()?;
        let mirror = Mirror::of(self.world, self.store);
        let swapped = self.write_with_retries(|change| {
            let client_id = self.client_id.as_deref();
            let swap = swap::swap(change, session, old, new, client_id, self.world.now())?;
            mirror.announce(change)?;
            Ok(swap)
        })?;
        if swapped == Swap::Stored {
            mirror.put(session, new);
            self.subject = Subject::Session(Session {
                tokens: Some(new.clone()),
                ..session.clone()
            });
        }
        Ok(Saw::Swapped(swapped))
    }

    /// The pair that was posted, and the pair that was granted for it.
    fn exchanged(&self) -> anyhow::Result<(&Tokens, &Tokens)> {
        let pairs = self.posted.as_ref().zip(self.granted.as_ref());
        pairs.context("nothing was granted")
    }

    pub(super) fn store_login(&mut self) -> anyhow::Result<Saw<Pair>> {
        let Subject::Login(login) = &self.subject else {
            bail!("there is no login");
        };
        let mirror = Mirror::of(self.world, self.store);
        let store = |change: &WriteTransaction<'_>| {
            login.store(change, self.world.now())?;
            mirror.announce(change)?;
            let is_ours = |session: &Session| session.tokens.as_ref() == Some(&login.tokens);
            let session = change.sessions()?.into_iter().find(is_ours);
            session.context("the new session is not in the database")
        };
        let session = match login.tokens.refresh {
            Some(_) => self.write_with_retries(store)?,
            // Not retried: the user still has the API token.
            None => self.write(store)?,
        };
        mirror.put(&session, &login.tokens);
        self.subject = Subject::Session(session);
        Ok(Saw::Done)
    }

    pub(super) fn keep(&mut self) -> anyhow::Result<Saw<Pair>> {
        let record = match &self.subject {
            Subject::Session(session) => {
                let (old, new) = self.exchanged()?;
                Record::of_refresh(session, old, new, self.client_id.as_deref())
            }
            Subject::Login(login) if login.tokens.refresh.is_some() => Record::of_login(login),
            // The reason it was not stored is known already.
            Subject::Login(_) => return Ok(Saw::Refused),
        };
        let reserve = self.reserve.take().unwrap_or_default();
        self.kept_in = Some(reserve.write(self.store.directory(), &record)?);
        Ok(Saw::Done)
    }

    pub(super) fn settle(&mut self, pair: Pair) -> anyhow::Result<Saw<Pair>> {
        let clock = self.world.clock();
        let deadline = clock.uptime() + SETTLE;
        let mut pause = Duration::from_millis(25);
        loop {
            let saw = self.read()?;
            let is_unchanged = matches!(saw, Saw::Row(row) if row.pair == Some(pair));
            if !is_unchanged || clock.uptime() >= deadline {
                return Ok(saw);
            }
            clock.sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(800));
        }
    }

    pub(super) fn reject(&self) -> anyhow::Result<Saw<Pair>> {
        let (session, tokens) = self.pair()?;
        let swap = self.write(|change| swap::reject(change, session, &tokens, self.world.now()))?;
        if swap == Swap::Stored {
            Mirror::for_removal(self.world, self.store).remove(session);
        }
        Ok(Saw::Swapped(swap))
    }

    pub(super) fn pause(&self, pause: Pause, intent: Intent) -> anyhow::Result<Saw<Pair>> {
        let session = self.stored()?;
        let pause = match pause {
            Pause::Short => SHORT_PAUSE,
            Pause::Long => self.retry_after.unwrap_or(LONG_PAUSE),
        };
        let until = self.world.now().after(pause);
        let why = self.trouble.as_ref().map(Failure::to_string);
        let recorded = self.write(|change| {
            change.pause(session, until, why.as_deref())?;
            match intent {
                Intent::Withdrawn => change.withdraw_intent(session),
                Intent::Stays => Ok(()),
            }
        });
        // If it cannot be recorded, the next attempt comes sooner, nothing worse; the error to report stays the
        // original one.
        Ok(recorded.map_or(Saw::Refused, |()| Saw::Done))
    }

    pub(super) fn remove(&mut self) -> anyhow::Result<Saw<Pair>> {
        let session = self.stored()?;
        self.next_active = self.write(|change| {
            let stored = change.session(session)?;
            let next = match &stored {
                Some(stored) => change.log_out(stored, self.world.now())?,
                None => None,
            };
            // Before the commit: if the process were killed in between, no later logout would look for these tokens.
            let dir = self.store.directory();
            recovery::discard(dir, change, stored.as_ref().unwrap_or(session))?;
            Ok(next)
        })?;
        Ok(Saw::Done)
    }
}
