//! The exchange: note the intent, spend the refresh token, commit its successor, then judge.

use std::time::Duration;

use anyhow::Context as _;

use super::Usable;
use super::recovery::{self, Reserve};
use super::refresh::{Locked, Stopped, adopted};
use crate::account::{RefreshState, Tokens};
use crate::environment;
use crate::failure::Failure;
use crate::mirror::Mirror;
use crate::oauth::{Grant, OAuth, REQUEST, RefreshAnswer, Transient};
use crate::secret::{Digest, Secret};
use crate::store::Swap;
use crate::world::{Deferral, Timestamp, World};

/// No new try for this long after a failure that named no time.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a granted pair is tried to be stored before it goes to the recovery file.
const COMMIT: Duration = Duration::from_secs(60);

/// After `invalid_grant`: how long another program may need to store what it was granted.
const SETTLE: Duration = Duration::from_secs(3);

impl Locked<'_> {
    /// Spends the refresh token and stores what the server gives for it.
    pub(super) fn exchange(&self) -> Result<Usable, Stopped> {
        let Locked { world, session, .. } = self;
        let origin = &session.origin;
        let Some(refresh) = &self.tokens.refresh else {
            return Err(self.dead("has an API token that Sentry rejects"));
        };
        let client_id = session.marks.client_id.clone();
        let Some(client_id) = client_id.or_else(|| environment::client_id(world, origin)) else {
            let what = format!("the OAuth client id for {origin} is not known");
            let hint = "set SENTRY_CLIENT_ID to the one that you logged in with";
            return Err(Stopped::Postponed(Failure::new(what).hint(hint)));
        };
        // Proves that disk, permissions and locks work before the refresh token is spent; and should the answer be
        // lost, the next run knows.
        let same = |intent: &(Digest, Timestamp)| intent.0 == refresh.digest();
        let interrupted = session.marks.intent.filter(same);
        let intent = interrupted.unwrap_or((refresh.digest(), world.now()));
        let (_until_stored, reserve) = self.prepared(intent).map_err(|error| {
            let what =
                format!("not refreshed, because the new token could not be stored: {error:#}");
            Stopped::Postponed(Failure::new(what))
        })?;
        world.trace(|| format!("refreshing at {origin}"));
        let oauth = OAuth::new(world, origin, &client_id);
        let answer = match oauth.refresh(refresh, REQUEST) {
            RefreshAnswer::Transient(Transient { sent: false, .. }) if self.has_time() => {
                oauth.refresh(refresh, REQUEST)
            }
            answer => answer,
        };
        match answer {
            RefreshAnswer::Granted(grant) => {
                self.commit(granted(world, &grant, Some(refresh)), reserve)
            }
            RefreshAnswer::InvalidGrant(_) => self.rejected(interrupted.map(|(_, at)| at)),
            RefreshAnswer::Transient(failed) => {
                // Only a request that surely had no effect takes the intent back.
                let intent = failed.acted.then_some(intent);
                let what = format!("cannot refresh the token of {origin}: {}", failed.why);
                Err(self.postponed(failed.retry_after, intent, Failure::new(what)))
            }
            RefreshAnswer::InvalidClient(refusal) | RefreshAnswer::Refused(refusal) => {
                let failure =
                    Failure::new(format!("{origin} refused to refresh the token: {refusal}"))
                        .hint("is SENTRY_CLIENT_ID the one that you logged in with?");
                Err(self.postponed(None, None, failure))
            }
            RefreshAnswer::Unusable => {
                let what = format!(
                    "{origin} answered with something that is not a token; nothing was stored"
                );
                Err(self.postponed(None, Some(intent), Failure::new(what)))
            }
        }
    }

    /// Whatever could keep a new pair from being stored comes to light here.
    fn prepared(&self, intent: (Digest, Timestamp)) -> anyhow::Result<(Deferral, Reserve)> {
        let deferral = self.world.signals().defer();
        let deferral = deferral.context("a signal could not be kept waiting")?;
        let reserve = Reserve::take(self.store).with_context(|| {
            let path = recovery::path(self.store);
            format!("cannot write {}", path.display())
        })?;
        let change = self.store.change(&self.held, self.world.clock())?;
        let intent = Some(intent);
        let marks = self.session.marks.clone();
        change.mark(&self.session, &RefreshState { intent, ..marks })?;
        change.commit_and_settle()?;
        Ok((deferral, reserve))
    }

    /// Notes when the next try may be.
    fn postponed(
        &self,
        retry_after: Option<Duration>,
        intent: Option<(Digest, Timestamp)>,
        failure: Failure,
    ) -> Stopped {
        let retry_at = Some(self.world.now().after(retry_after.unwrap_or(PAUSE)));
        let marks = self.session.marks.clone();
        // Not being able to note it means another try sooner, no more.
        self.mark(RefreshState {
            retry_at,
            intent,
            ..marks
        })
        .ok();
        Stopped::Postponed(failure)
    }

    fn commit(&self, new: Tokens, reserve: Reserve) -> Result<Usable, Stopped> {
        let Locked {
            world, store, held, ..
        } = self;
        let session = &self.session;
        let deadline = world.clock().uptime() + COMMIT;
        let mirror = Mirror::of(world, store);
        let swap = loop {
            let tried = store.change(held, world.clock()).and_then(|change| {
                let swap = change.swap(session, &self.tokens, &new, world.now())?;
                mirror.announce(&change)?;
                change.commit().map(|()| swap)
            });
            match tried {
                Ok(swap) => break swap,
                Err(error) if world.clock().uptime() < deadline => {
                    world.trace(|| format!("the new pair cannot be stored yet: {error:#}"));
                    world.clock().sleep(Duration::from_millis(200));
                }
                Err(error) => {
                    reserve.write(store, session, &self.tokens, &new)?;
                    let what = format!(
                        "the new token of {} is kept in {}",
                        session.origin,
                        recovery::path(store).display()
                    );
                    let hint = "the next command imports it, once the database can be written";
                    return Err(error.context(Failure::new(what).hint(hint)).into());
                }
            }
        };
        world.trace(|| format!("the new pair of {}: {swap:?}", session.origin));
        match swap {
            Swap::Done => {
                mirror.put(session, &new);
                Ok(Usable::Refreshed(new))
            }
            Swap::Gone => Err(self.dead("was logged out")),
            Swap::Superseded => self.adopted(),
        }
    }

    fn adopted(&self) -> Result<Usable, Stopped> {
        adopted(self.world, self.store, &self.session)
    }

    /// `invalid_grant`: lost, unless another program was faster and is about to store what it was granted.
    fn rejected(&self, interrupted: Option<Timestamp>) -> Result<Usable, Stopped> {
        let clock = self.world.clock();
        let deadline = clock.uptime() + SETTLE;
        let mut pause = Duration::from_millis(25);
        while clock.uptime() < deadline {
            // Bound to a name so that its transaction ends here: adopting reads again.
            let current = self.store.view()?.session(&self.session)?;
            match current.map(|session| session.tokens) {
                Some(Some(tokens)) if tokens.refresh != self.tokens.refresh => {
                    return self.adopted();
                }
                Some(None) => return Err(self.dead("was ended by another program")),
                None => return Err(self.dead("was logged out")),
                Some(Some(_)) => {}
            }
            clock.sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(800));
        }
        let change = self.store.change(&self.held, clock)?;
        change.mark(
            &self.session,
            &RefreshState {
                intent: None,
                ..self.session.marks.clone()
            },
        )?;
        let swap = change.clear(&self.session, &self.tokens, self.world.now())?;
        change.commit()?;
        if swap == Swap::Superseded {
            return self.adopted();
        }
        Mirror::to_clear(self.world, self.store).remove(&self.session);
        Err(match interrupted {
            Some(at) => self.dead(&format!(
                "was lost: a refresh that began at {at} was interrupted before its answer was stored"
            )),
            None => self.dead("has ended: Sentry no longer accepts its refresh token"),
        })
    }
}

/// What a grant means as a row. A server that issues no new refresh token keeps the old one valid (RFC 6749 section 6).
pub fn granted(world: &World, grant: &Grant, old_refresh: Option<&Secret>) -> Tokens {
    let now = world.now();
    Tokens {
        access: grant.access.clone(),
        refresh: grant.refresh.as_ref().or(old_refresh).cloned(),
        issued_at: Some(now),
        expires_at: grant.expires_in.map(|lifetime| now.after(lifetime)),
    }
}
