//! Reads and writes the store for the helpers, and records refusals.
//!
//! Separate from the rest of the broker because it knows locks and transactions, and nothing of decisions.

use std::time::Duration;

use super::Broker;
use crate::account::Session;
use crate::environment::{self, Environment};
use crate::lock::{Lock, LockGuard};
use crate::policy::{Facts, KnownFrom, Provenance, Request};
use crate::secret::Secret;
use crate::store::{ReadTransaction, Store, WriteTransaction};
use crate::world;

/// How long `store` and `erase` wait for a refresh in another process.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Broker<'_> {
    /// Runs `read` in a read transaction; returns the default if there is no database.
    pub(crate) fn read<T: Default>(
        &self,
        read: impl FnOnce(&ReadTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let dir = match self.dir() {
            Ok(dir) => dir,
            Err(error) if error.is::<world::NoHome>() => return Ok(T::default()),
            Err(error) => return Err(error),
        };
        match Store::open(self.world, dir)? {
            Some(store) => read(&store.read()?),
            None => Ok(T::default()),
        }
    }

    /// Runs `write` in a write transaction under the credential lock; creates the database if there is none.
    pub(crate) fn change<T>(
        &self,
        write: impl FnOnce(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let dir = self.dir()?;
        let store = Store::open_or_create(self.world, dir)?;
        let guard: LockGuard = Lock::credential(dir).acquire(self.world.clock(), TIMEOUT)?;
        let change = store.change(&guard, self.world.clock())?;
        let done = write(&change)?;
        change.remove_expired(self.world.now())?;
        change.commit()?;
        drop(guard);
        if let Err(warning) = store.erase_removed(self.world.clock()) {
            world::print_error(&format!("warning: {warning}\n"));
        }
        Ok(done)
    }

    /// Classifies a secret that a client stores or erases, and applies a policy to it.
    pub(crate) fn judge<T>(
        &self,
        request: &Request<'_>,
        secret: &Secret,
        policy: impl FnOnce(&Facts<'_>, Provenance<'_>) -> T,
    ) -> anyhow::Result<T> {
        let environment = Environment::of(self.world);
        let gathered = self.read(|view| {
            let facts = Facts::for_request(self.world, &environment, view, request)?;
            Ok(Some((facts, view.is_former(secret)?)))
        })?;
        let (facts, is_former) = gathered.unwrap_or_else(|| {
            let facts = Facts::without_store(self.world, &environment, Some(request));
            (facts, false)
        });
        let known = match (environment::holds(self.world, secret), is_former) {
            (true, _) => KnownFrom::Environment,
            (false, true) => KnownFrom::FormerSession,
            (false, false) => KnownFrom::Nowhere,
        };
        Ok(policy(&facts, Provenance::of(&facts, secret, known)))
    }

    /// Records whether a server takes a token only as `Bearer`, which explains why a push may fail. Writes only a
    /// change, and creates no database for it.
    pub(crate) fn note_only_bearer(&self, server: &str, only: bool) -> anyhow::Result<()> {
        let known = self.read(|view| Ok(Some(view.takes_only_bearer(server)?)))?;
        match known {
            Some(known) if known != only => {
                self.change(|change| change.note_only_bearer(server, only))
            }
            _ => Ok(()),
        }
    }

    /// Records that a server refused a token: an access token of a session becomes suspect, the environment's token is
    /// withheld from the server. Other secrets change nothing.
    ///
    /// # Errors
    /// None about the environment's token, which works without a store.
    pub(crate) fn refused(&self, server: &str, secret: &Secret) -> anyhow::Result<()> {
        let is_of_environment = matches!(
            environment::token(self.world),
            Ok(Some(found)) if found.token == *secret
        );
        let note = || {
            self.change(|change| {
                if let Some(session) = owner(change, secret)? {
                    change.suspect(&session, secret.digest())?;
                } else if !is_of_environment {
                    return Ok(());
                }
                change.note_refusal(server, secret, self.world.now())
            })
        };
        if is_of_environment {
            if let Err(error) = note() {
                self.world
                    .trace(|| format!("a refusal cannot be recorded: {error:#}"));
            }
            return Ok(());
        }
        match self.read(|view| Ok(owner(view, secret)?.map(drop)))? {
            Some(()) => note(),
            None => Ok(()),
        }
    }
}

fn owner(view: &ReadTransaction<'_>, secret: &Secret) -> anyhow::Result<Option<Session>> {
    let has = |session: &Session| {
        session
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.access == *secret)
    };
    Ok(view.sessions()?.into_iter().find(has))
}
