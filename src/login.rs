//! Runs one login by device flow with a user at a terminal: lock, show, poll, store.
//!
//! Separate from [`crate::auth`] because the helpers start the same login, and from [`crate::device`], which shows
//! nothing and stores nothing.

mod approver;
mod explain;
mod setup_code;

use std::path::Path;
use std::time::Duration;

use crate::account::{Freshness, Session, User};
use crate::device::{DeviceFlow, DeviceFlowError, Prompt};
use crate::failure::{Failure, hint_of};
use crate::lock::{Lock, LockError, LockGuard};
use crate::mirror::Mirror;
use crate::oauth::{Check, Grant, OAuth};
use crate::origin::Origin;
use crate::policy::{account_called, account_of, active_account};
use crate::session::{self, NewLogin};
use crate::store::Store;
use crate::terminal::{Browser, Terminal, open_browser};
use crate::world::World;

pub(crate) use approver::Approver;
pub(crate) use setup_code::SetupCode;

use explain::{explain, login_at};

/// The scopes requested by default; the official CLI's list.
pub(crate) const DEFAULT_SCOPES: &str = "project:read project:write project:admin org:read event:read event:write \
     member:read team:read team:write team:admin alerts:read alerts:write";

/// How long a login waits for its user by default.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(900);

/// How long a login waits for a refresh in another process before it shows anything.
const COMMIT: Duration = Duration::from_secs(60);

/// How long storing the user's names may wait for the lock: they are optional.
const NAMES: Duration = Duration::from_secs(5);

/// The error for an instance without a session.
pub(crate) fn not_logged_in(instance: &Origin) -> Failure {
    Failure::new(format!("not logged in to {instance}")).hint(format!("`{}`", login_at(instance)))
}

/// A login to perform.
pub(crate) struct DeviceLogin<'a> {
    /// The instance.
    pub(crate) origin: &'a Origin,
    /// The OAuth client.
    pub(crate) client_id: &'a str,
    /// Scopes, separated by spaces.
    pub(crate) scope: &'a str,
    /// How long to wait for the user.
    pub(crate) timeout: Duration,
    /// Whether to open the browser.
    pub(crate) browser: Browser,
    /// Who has to approve it.
    pub(crate) approver: Approver<'a>,
    /// Asks the user to agree to a login that they did not start. Called when this is the only login in progress and
    /// before anything is sent; not called if another process has obtained a session by then.
    pub(crate) consent: Option<&'a dyn Fn() -> bool>,
}

/// A successful login.
#[derive(Debug)]
pub(crate) enum LoggedIn {
    /// This flow was approved.
    Here(Box<Session>),
    /// Another process logged in while this one waited.
    Elsewhere,
}

/// Why a login did not succeed.
#[derive(Debug)]
pub(crate) enum NotLoggedIn {
    /// The user denied it in the browser.
    Denied(Failure),
    /// The user declined at the terminal.
    Declined,
    /// Any other error.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NotLoggedIn {
    fn from(error: anyhow::Error) -> NotLoggedIn {
        NotLoggedIn::Failed(error)
    }
}

impl DeviceLogin<'_> {
    /// Runs the flow on `terminal` and stores the session in `dir`.
    ///
    /// # Errors
    /// [`NotLoggedIn`]; the store is unchanged.
    pub(crate) fn run(
        &self,
        world: &World,
        dir: &Path,
        terminal: &Terminal,
    ) -> Result<LoggedIn, NotLoggedIn> {
        let store = writable_store(world, dir)?;
        let set_exit_message = |message: String| {
            let ending = terminal.ending();
            world.signals().on_interrupt(move || ending(&message));
        };
        set_exit_message("login cancelled; nothing was stored".to_owned());
        let _single = match self.only_flow(world, &store, dir, terminal)? {
            Turn::Ours(guard) => guard,
            Turn::Elsewhere => return Ok(LoggedIn::Elsewhere),
        };
        if let Some(consent) = self.consent {
            if self.fresh_session(world, &store)?.is_some() {
                return Ok(LoggedIn::Elsewhere);
            }
            if !consent() {
                return Err(NotLoggedIn::Declined);
            }
        }
        let oauth = OAuth::new(world, self.origin, self.client_id);
        let flow = DeviceFlow::begin(&oauth, world.clock(), self.origin, self.scope, self.timeout)
            .map_err(|error| self.explain(error))?;
        self.show(world, terminal, flow.prompt());
        let grant = flow.wait(|left| show_time_left(terminal, left));
        terminal.status("");
        let grant = grant.map_err(|error| self.explain(error))?;
        self.approver
            .check(self.origin, &oauth, &grant)
            .map_err(anyhow::Error::from)?;
        // From here on the token exists, and only this process has it.
        let deferral = world.signals().defer().ok();
        let login = NewLogin {
            origin: self.origin.clone(),
            user: grant.user.clone(),
            tokens: session::granted(world, &grant, None),
            client_id: Some(self.client_id.to_owned()),
        };
        let access = login.tokens.access.clone();
        let user_id = login.user.id.clone();
        let committed = session::record_login(world, &store, login).map_err(not_stored);
        // A deferred signal takes effect now, and must not hide the outcome.
        set_exit_message(match &committed {
            Ok(_) => "interrupted; the login itself is stored".to_owned(),
            Err(error) => match hint_of(error) {
                Some(hint) => format!("error: {error:#}\nhint: {hint}"),
                None => format!("error: {error:#}"),
            },
        });
        drop(deferral);
        let mut session = committed?;
        self.report_missing_scopes(terminal, &grant);
        // The token answer has no user name, which git may later use to select this session.
        if let Check::Accepted(user) = oauth.check(&access)
            && (user.id == user_id || user_id.is_none())
        {
            name_user(world, &store, dir, &mut session, user);
        }
        Ok(LoggedIn::Here(Box::new(session)))
    }

    /// Allows one device flow at a time in a directory; a second one waits and uses the result of the first.
    fn only_flow(
        &self,
        world: &World,
        store: &Store,
        dir: &Path,
        terminal: &Terminal,
    ) -> anyhow::Result<Turn> {
        let lock = Lock::login(dir);
        match lock.try_acquire() {
            Ok(guard) => return Ok(Turn::Ours(guard)),
            Err(LockError::Contended(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let before = self.fresh_session(world, store)?;
        terminal.say(&format!(
            "another login to {} is in progress; waiting for it",
            self.origin
        ));
        let guard = lock.acquire(world.clock(), self.timeout);
        let guard = guard.map_err(|_| Failure::new("timed out waiting for the other login"))?;
        match self.fresh_session(world, store)? {
            Some(session) if before.is_none_or(|before| before.tokens != session.tokens) => {
                Ok(Turn::Elsewhere)
            }
            _ => Ok(Turn::Ours(guard)),
        }
    }

    fn fresh_session(&self, world: &World, store: &Store) -> anyhow::Result<Option<Session>> {
        let sessions = store.read()?.sessions()?;
        // The session of another account does not count.
        let session = match self.approver {
            Approver::Any => active_account(&sessions, self.origin),
            Approver::Called(email) => account_called(&sessions, self.origin, email),
            Approver::Account(key) => account_of(&sessions, self.origin, key),
        };
        let is_fresh = |session: &&Session| session.freshness(world.now()) == Freshness::Fresh;
        Ok(session.filter(is_fresh).cloned())
    }

    fn show(&self, world: &World, terminal: &Terminal, prompt: &Prompt) {
        let Prompt {
            user_code,
            url,
            url_complete,
        } = prompt;
        let url = url_complete.as_ref().unwrap_or(url);
        terminal.say(&format!("log in to {}:", self.origin));
        terminal.say("");
        terminal.say(&format!("  open   {}", terminal.strong(url)));
        terminal.say(&format!(
            "  check  that it shows the code {}",
            terminal.strong(user_code)
        ));
        terminal.say("");
        if open_browser(world, self.browser, url) {
            terminal.say("a browser was opened");
        } else if let Some(code) = url_complete
            .as_deref()
            .and_then(|url| terminal.qr_code(url))
        {
            terminal.say(&code);
        }
    }

    /// A server may grant fewer scopes than requested (RFC 6749 section 3.3).
    fn report_missing_scopes(&self, terminal: &Terminal, grant: &Grant) {
        let Some(granted) = &grant.scope else {
            return;
        };
        let is_granted = |scope: &&str| granted.split_whitespace().any(|one| one == *scope);
        let missing: Vec<String> = self
            .scope
            .split_whitespace()
            .filter(|scope| !is_granted(scope))
            .map(|scope| format!("`{scope}`"))
            .collect();
        if !missing.is_empty() {
            terminal.say(&format!(
                "{} did not grant all requested scopes; missing: {}",
                self.origin,
                missing.join(", ")
            ));
        }
    }

    fn explain(&self, error: DeviceFlowError) -> NotLoggedIn {
        let is_denied = matches!(error, DeviceFlowError::Denied(_));
        let again = format!("`{}`", self.approver.login_at(self.origin));
        let failure = explain(error, self.origin, &again);
        match is_denied {
            true => NotLoggedIn::Denied(failure),
            false => NotLoggedIn::Failed(failure.into()),
        }
    }
}

enum Turn {
    Ours(LockGuard),
    Elsewhere,
}

/// Stores the user's names, which arrive after the tokens. The login is complete without them. Another process may have
/// refreshed, replaced or removed it by now.
fn name_user(world: &World, store: &Store, dir: &Path, session: &mut Session, user: User) {
    let unnamed = session.clone();
    session.user = user;
    let Some(tokens) = &unnamed.tokens else {
        return;
    };
    let named = Lock::credential(dir)
        .acquire(world.clock(), NAMES)
        .map_err(anyhow::Error::from)
        .and_then(|guard| {
            let change = store.change(&guard, world.clock())?;
            let is_named = change.name_user(&tokens.access, &session.user)?;
            change.commit()?;
            let mirror = Mirror::of(world, store);
            // The copy in the keyring is keyed by the user's id.
            if is_named && unnamed.user.id != session.user.id && mirror.is_on() {
                mirror.remove(&unnamed);
                mirror.put(session, tokens);
            }
            Ok(())
        });
    if let Err(error) = named {
        world.trace(|| format!("the user's names were not stored: {error:#}"));
    }
    store.erase_removed_or_warn(world);
}
/// Opens the store, and proves that a token can be stored, before the user does anything.
fn writable_store(world: &World, dir: &Path) -> anyhow::Result<Store> {
    let store = Store::open_or_create(world, dir)?;
    let guard = lock(world, dir)?;
    store.change(&guard, world.clock())?.commit()?;
    Ok(store)
}

fn show_time_left(terminal: &Terminal, left: Duration) {
    let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
    terminal.status(&format!(
        "waiting for approval, {minutes}:{seconds:02} left "
    ));
}

fn not_stored(error: anyhow::Error) -> anyhow::Error {
    let failure = Failure::of(&error);
    let what = format!("the login was approved, but its token could not be stored: {failure}");
    failure.with_text(what).into()
}

fn lock(world: &World, dir: &Path) -> Result<LockGuard, LockError> {
    Lock::credential(dir).acquire(world.clock(), COMMIT)
}
