//! What the commands share: the configuration directory, and the session that `--url` and `--account` select.
//!
//! Separate from the commands so that these options mean the same in each of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::{self, Session};
use crate::cli::SessionArgs;
use crate::environment::{self, Environment, EnvironmentToken};
use crate::failure::Failure;
use crate::lock::{Lock, LockGuard};
use crate::login::not_logged_in;
use crate::origin::Origin;
use crate::policy::{self, Selection};
use crate::printable::printable;
use crate::session;
use crate::store::{Store, WriteTransaction};
use crate::world::{NoHome, World};

/// The configuration directory, and the database in it if there is one.
pub(super) struct ConfigDir {
    /// `None` without a home directory, which is required only to write something.
    dir: Option<PathBuf>,
    pub(super) store: Option<Store>,
}

impl ConfigDir {
    pub(super) fn of(world: &World) -> anyhow::Result<ConfigDir> {
        let dir = match world.config_dir() {
            Ok(dir) => dir,
            Err(error) if error.is::<NoHome>() => {
                return Ok(ConfigDir {
                    dir: None,
                    store: None,
                });
            }
            Err(error) => return Err(error),
        };
        let store = Store::open(world, &dir)?;
        if let Some(store) = &store {
            store.check_layout()?;
        }
        // A grant that waits to be imported is a login, too.
        if let Some(store) = &store
            && let Err(error) = session::import_pending(world, store)
        {
            world.trace(|| format!("not imported: {error:#}"));
        }
        Ok(ConfigDir {
            store,
            dir: Some(dir),
        })
    }

    /// The directory.
    ///
    /// # Errors
    /// [`NoHome`].
    pub(super) fn dir(&self) -> anyhow::Result<&Path> {
        Ok(self.dir.as_deref().ok_or(NoHome)?)
    }

    pub(super) fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        self.store
            .as_ref()
            .map_or(Ok(Vec::new()), |store| store.read()?.sessions())
    }

    /// The selected instance and its session: see [`policy::session_of`].
    pub(super) fn session(
        &self,
        world: &World,
        url: Option<&Origin>,
    ) -> anyhow::Result<(Origin, Option<Session>)> {
        let sessions = self.sessions()?;
        let environment = Environment::of(world);
        let (instance, session) = policy::session_of(&environment, &sessions, url)?;
        Ok((instance, session.cloned()))
    }

    /// The selected session: the account that `--account` names, else as in [`ConfigDir::session`].
    ///
    /// # Errors
    /// There is no such account, or the name is ambiguous.
    pub(super) fn chosen(
        &self,
        world: &World,
        args: &SessionArgs,
    ) -> anyhow::Result<(Origin, Option<Session>)> {
        let Some(name) = &args.account else {
            return self.session(world, args.url.as_ref());
        };
        let sessions = self.sessions()?;
        let session = self.called(world, &sessions, name, args.url.as_ref())?;
        Ok((session.origin.clone(), Some(session.clone())))
    }

    /// The binding target that the options select: the instance as in [`ConfigDir::chosen`], but never a default that
    /// nothing names; and the account, if one is named.
    ///
    /// # Errors
    /// As there, or nothing names an instance.
    pub(super) fn binding_target(
        &self,
        world: &World,
        args: &SessionArgs,
    ) -> anyhow::Result<(Origin, Option<String>)> {
        let is_named = args.url.is_some() || environment::instance(world)?.is_some();
        if !is_named && args.account.is_none() && self.sessions()?.is_empty() {
            let token = environment::token(world)?.ok_or_else(|| {
                Failure::new("no login yet; log in first, or name the instance with `--url`")
                    .hint("`sentry auth login`")
            })?;
            // An organization token names its instance itself.
            return Ok((token.origin, None));
        }
        let (instance, session) = self.chosen(world, args)?;
        let session = session.filter(|_| args.account.is_some());
        Ok((instance, session.map(|session| session.key())))
    }

    /// Finds the account called `name`: at the instance that `--url` names, else preferably at the one that the
    /// environment names.
    fn called<'a>(
        &self,
        world: &World,
        sessions: &'a [Session],
        name: &str,
        url: Option<&Origin>,
    ) -> anyhow::Result<&'a Session> {
        let mut candidates = account::called(sessions, name);
        if let Some(url) = url {
            candidates.retain(|session| url.may_receive(&session.origin));
        } else if let Some(named) = environment::instance(world)? {
            let is_there = |session: &&Session| named.may_receive(&session.origin);
            if candidates.iter().any(is_there) {
                candidates.retain(is_there);
            }
        }
        match candidates[..] {
            [session] => Ok(session),
            [] => Err(unknown(name, url).into()),
            _ => Err(ambiguous(&format!("`{name}`"), &candidates, sessions, "--account ").into()),
        }
    }

    /// Runs `write` in a write transaction under the credential lock; creates the database if there is none.
    pub(super) fn change<T>(
        &self,
        world: &World,
        write: impl FnOnce(&WriteTransaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let store = Store::open_or_create(world, self.dir()?)?;
        let guard = self.lock(world)?;
        // A logout must remove a pending pair too. One that cannot be imported now is imported later.
        session::import(world, &store, &guard).ok();
        let change = store.change(&guard, world.clock())?;
        let done = write(&change)?;
        change.commit()?;
        Ok(done)
    }

    /// Erases removed data from the database file and the WAL, waiting for readers, and warns if that fails. If nothing
    /// was removed, erases what an earlier command had to leave in the WAL.
    pub(super) fn wipe(&self, world: &World, removed: bool) {
        let Some(store) = &self.store else {
            return;
        };
        if !removed {
            store.truncate_wal(world.clock(), Duration::ZERO);
            return;
        }
        let rewritten = self
            .lock(world)
            .and_then(|guard| store.rewrite(&guard, world.clock()));
        if let Err(error) = rewritten {
            world.warn(&format!(
                "copies of removed tokens may still be in {}: {error:#}",
                store.path().display()
            ));
        }
        if let Err(warning) = store.empty_wal(world.clock()) {
            world.warn(&warning);
        }
    }

    pub(super) fn lock(&self, world: &World) -> anyhow::Result<LockGuard> {
        Ok(Lock::credential(self.dir()?).acquire(world.clock(), Duration::from_secs(20))?)
    }
}

/// Describes a session: its instance, and its account if the instance has several.
pub(super) fn described(session: &Session, sessions: &[Session]) -> String {
    match account::is_alone(session, sessions) {
        true => session.origin.to_string(),
        false => format!("{} at {}", session.label(), session.origin),
    }
}

/// The environment's token, if the options select it: see [`policy::environment_token`].
///
/// # Errors
/// A variable does not hold a valid token.
pub(super) fn environment_token(
    world: &World,
    args: &SessionArgs,
) -> Result<Option<EnvironmentToken>, Failure> {
    let environment = Environment::of(world);
    let selection = Selection {
        url: args.url.as_ref(),
        account: args.account.as_deref(),
    };
    let is_selected = policy::environment_token(&environment, selection)?.is_some();
    Ok(environment.token?.filter(|_| is_selected))
}

/// The source of the selected token.
pub(super) enum Source {
    /// An environment variable.
    Environment(EnvironmentToken),
    /// A session, with its store.
    Session(Store, Box<Session>),
}

impl Source {
    /// Finds the source. The environment's token needs no configuration directory.
    ///
    /// # Errors
    /// No account is logged in, or the store cannot be read.
    pub(super) fn of(world: &World, args: &SessionArgs) -> anyhow::Result<Source> {
        if let Some(found) = environment_token(world, args)? {
            return Ok(Source::Environment(found));
        }
        let config = ConfigDir::of(world)?;
        match (config.chosen(world, args)?, config.store) {
            ((_, Some(session)), Some(store)) => Ok(Source::Session(store, Box::new(session))),
            ((instance, _), _) => Err(not_logged_in(&instance).into()),
        }
    }
}

/// Whether a command without options would find a token.
///
/// # Errors
/// A variable does not hold a valid token, or the store cannot be read.
pub(crate) fn is_logged_in(world: &World) -> anyhow::Result<bool> {
    let args = SessionArgs::default();
    if environment_token(world, &args)?.is_some() {
        return Ok(true);
    }
    let (_, session) = ConfigDir::of(world)?.chosen(world, &args)?;
    Ok(session.is_some_and(|session| session.tokens.is_some()))
}

fn unknown(name: &str, url: Option<&Origin>) -> Failure {
    let at = url.map_or_else(String::new, |url| format!(" at {url}"));
    Failure::new(format!(
        "no account{at} is called `{name}`; `sentry auth list` shows them"
    ))
}

/// The only account at an instance; one with exactly this origin is preferred.
///
/// # Errors
/// There are several, which the error lists.
pub(super) fn only_one_at<'a>(
    instance: &Origin,
    sessions: &'a [Session],
    command: &str,
) -> Result<Option<&'a Session>, Failure> {
    let mut there: Vec<&Session> = sessions.iter().collect();
    there.retain(|session| instance.may_receive(&session.origin));
    if there.iter().any(|session| session.origin == *instance) {
        there.retain(|session| session.origin == *instance);
    }
    match there[..] {
        [] => Ok(None),
        [session] => Ok(Some(session)),
        _ => Err(ambiguous(
            &format!("`{instance}`"),
            &there,
            sessions,
            command,
        )),
    }
}

/// The error for an ambiguous name: lists the accounts, and how to select one. `command` is what is typed before an id.
pub(super) fn ambiguous(
    what: &str,
    candidates: &[&Session],
    sessions: &[Session],
    command: &str,
) -> Failure {
    let mut text = format!("{what} matches several accounts:");
    for session in candidates {
        let id = printable(account::short_id(session, sessions));
        text.push_str(&format!(
            "\n  {id}  {} at {}",
            session.label(),
            session.origin
        ));
    }
    let first = candidates.first();
    let id = first.map_or("", |session| account::short_id(session, sessions));
    let id = printable(id);
    match command.starts_with("sentry ") {
        true => Failure::new(text).hint(format!("`{command}{id}` selects the first of them")),
        false => Failure::new(format!("{text}\nname one by its id, as in `{command}{id}`")),
    }
}
