//! Reading and writing for the helpers, and telling our own tokens from what people typed.

use std::time::Duration;

use super::Broker;
use crate::account::Session;
use crate::environment;
use crate::lock::{Lock, LockGuard};
use crate::secret::Secret;
use crate::store::{ReadTransaction, Store, WriteTransaction};

/// How long `store` and `erase` wait for a refresh in another process.
const PATIENCE: Duration = Duration::from_secs(20);

impl Broker<'_> {
    /// Reads, if there is a database.
    ///
    /// # Errors
    /// The store's.
    pub fn read<T: Default>(
        &self,
        read: impl FnOnce(&ReadTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        match Store::open(self.world, &self.dir)? {
            Some(store) => read(&store.view()?),
            None => Ok(T::default()),
        }
    }

    /// Writes under the lock; makes the database if there is none.
    ///
    /// # Errors
    /// The store's and the lock's.
    pub fn change<T>(
        &self,
        write: impl FnOnce(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let store = Store::open_or_create(self.world, &self.dir)?;
        let held: LockGuard = Lock::credential(&self.dir).acquire(self.world.clock(), PATIENCE)?;
        let change = store.change(&held, self.world.clock())?;
        let done = write(&change)?;
        change.commit()?;
        Ok(done)
    }

    /// Whether a secret came from us: from the environment, or from a session, now or formerly.
    ///
    /// # Errors
    /// The store's.
    pub fn is_ours(&self, secret: &Secret) -> anyhow::Result<bool> {
        if matches!(environment::token(self.world), Ok(Some(found)) if found.token == *secret) {
            return Ok(true);
        }
        self.read(|view| Ok(owner(view, secret)?.is_some() || view.is_former(secret)?))
    }

    /// RefreshState a session's access token as suspect after a server rejected it. Other secrets change nothing.
    ///
    /// # Errors
    /// The store's.
    pub fn suspect(&self, secret: &Secret) -> anyhow::Result<()> {
        if self
            .read(|view| Ok(owner(view, secret)?.map(drop)))?
            .is_none()
        {
            return Ok(());
        }
        self.change(|change| match owner(change, secret)? {
            Some(session) => change.suspect(&session, secret.digest()),
            None => Ok(()),
        })
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
