//! The exchange in a process of its own.
//!
//! A refresh token is spent once the server has read it, and its successor is safe once the disk has it. Whoever is
//! killed in between loses the login, and helpers are killed: by a CI job that is cancelled, by `timeout -s KILL`, by
//! Ctrl-Z and then a closed terminal. So a child does this part, in a session of its own that no signal to git, to the
//! helper or to their process group reaches. It has the lock for its standard input, so that there is no moment
//! without a holder, and ends with the exchange; its parent waits for it.
//!
//! Rules: no secret among the arguments; the child reads the pair itself, under the lock; where no child can be started
//! the caller does the work.

use std::io::Read as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::refresh::{self, Locked, Stopped};
use super::{TokenError, Usable};
use crate::environment;
use crate::failure::{Failure, hint_of};
use crate::lock::Lock;
use crate::secret::Digest;
use crate::store::Store;
use crate::world::{self, World};

/// The first argument of such a process; the others are the digest of the refresh token to spend, and since when the
/// lock is held, in milliseconds of [`crate::world::Clock::uptime`].
const OPERATION: &str = "exchange-refresh-token";

/// The exchange, apart if that can be.
pub(super) fn exchange(locked: Locked<'_>) -> Result<Usable, Stopped> {
    let Some(mut child) = start(&locked) else {
        return locked.exchange();
    };
    let Locked {
        world,
        store,
        held,
        session,
        ..
    } = locked;
    // From here on it is the child's alone: were we stopped now, nobody would have to wait for us.
    drop(held);
    // Whoever presses Ctrl-C finds the work done when the prompt is back.
    let _until_stored = world.signals().defer().ok();
    let mut report = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut report).ok();
    }
    child.wait().ok();
    let Done::Refreshed(access) = parse(&report)? else {
        return refresh::adopted(world, store, &session);
    };
    // By the token, not by the session's key: the official CLI may have given the row a new one meanwhile.
    let sessions = store.view()?.sessions()?;
    let mut tokens = sessions.into_iter().filter_map(|session| session.tokens);
    match tokens.find(|tokens| tokens.access.digest() == access) {
        Some(tokens) => Ok(Usable::Refreshed(tokens)),
        None => refresh::adopted(world, store, &session),
    }
}

fn start(locked: &Locked<'_>) -> Option<Child> {
    let refresh = locked.tokens.refresh.as_ref()?;
    let mut command = Command::new(locked.world.executable()?);
    command
        .arg(OPERATION)
        .arg(BASE64.encode(refresh.digest().as_bytes()))
        .arg(locked.since.as_millis().to_string())
        .stdin(locked.held.share().ok()?)
        .stdout(Stdio::piped());
    for name in environment::TOKENS {
        command.env_remove(name);
    }
    command.spawn().ok()
}

/// Does the exchange if this process was started for one; `None` if it was not. For every `main`, before anything else.
#[must_use]
pub fn exchange_if_asked(world: &World) -> Option<ExitCode> {
    let mut arguments = world::arguments();
    if arguments.next()? != OPERATION {
        return None;
    }
    rustix::process::setsid().ok();
    let refresh = arguments
        .next()
        .and_then(|refresh| digest(refresh.to_str()?));
    let since = arguments
        .next()
        .and_then(|since| since.to_str()?.parse().ok());
    let outcome = match (refresh, since) {
        (Some(refresh), Some(since)) => inherited(world, refresh, Duration::from_millis(since)),
        _ => Err(anyhow::anyhow!("`{OPERATION}` is for this program's own use").into()),
    };
    match world::print(report(&outcome).to_string().as_bytes()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        // Whoever asked is gone; the work is done.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// What became of the stored tokens.
enum Done {
    /// The access token with this digest is new.
    Refreshed(Digest),
    /// Another program was faster.
    Changed,
}

/// The exchange under the lock that the parent took.
fn inherited(world: &World, refresh: Digest, since: Duration) -> Result<Done, Stopped> {
    let dir = world.config_dir()?;
    let held = Lock::credential(&dir)
        .inherited()
        .map_err(anyhow::Error::from)?;
    let store = Store::open(world, &dir)?.context("the database is gone")?;
    let sessions = store.view()?.sessions()?;
    let meant = sessions.into_iter().find_map(|session| {
        let tokens = session.tokens.clone()?;
        (tokens.refresh.as_ref()?.digest() == refresh).then_some((session, tokens))
    });
    let Some((session, tokens)) = meant else {
        return Ok(Done::Changed);
    };
    let locked = Locked {
        since,
        world,
        store: &store,
        held,
        session,
        tokens,
    };
    Ok(match locked.exchange()? {
        Usable::Refreshed(tokens) => Done::Refreshed(tokens.access.digest()),
        Usable::Current(_) | Usable::Postponed(..) => Done::Changed,
    })
}

/// One JSON array for the parent: what happened, then the digest of the new token or what to tell the person. Tokens do
/// not go through the pipe.
fn report(outcome: &Result<Done, Stopped>) -> Value {
    let told = |kind, error: &anyhow::Error| json!([kind, format!("{error:#}"), hint_of(error)]);
    match outcome {
        Ok(Done::Refreshed(access)) => json!(["refreshed", BASE64.encode(access.as_bytes())]),
        Ok(Done::Changed) => json!(["changed"]),
        Err(Stopped::Postponed(failure)) => told("postponed", &failure.clone().into()),
        Err(Stopped::For(TokenError::LoginRequired(failure))) => {
            told("dead", &failure.clone().into())
        }
        Err(Stopped::For(TokenError::Unavailable(error))) => told("trouble", error),
    }
}

fn parse(report: &str) -> Result<Done, Stopped> {
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    let text = |index: usize| report.get(index).and_then(Value::as_str);
    let failure = || {
        let failure = Failure::new(text(1).unwrap_or_default());
        match text(2) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    };
    match (text(0), text(1).and_then(digest)) {
        (Some("refreshed"), Some(access)) => Ok(Done::Refreshed(access)),
        (Some("changed"), _) => Ok(Done::Changed),
        (Some("postponed"), _) => Err(Stopped::Postponed(failure())),
        (Some("dead"), _) => Err(Stopped::For(TokenError::LoginRequired(failure()))),
        (Some("trouble"), _) => Err(Stopped::For(TokenError::Unavailable(failure().into()))),
        // The next run finds the intent, and tries the pair once more.
        _ => Err(Stopped::Postponed(Failure::new(
            "the process that was refreshing the token was killed",
        ))),
    }
}

fn digest(base64: &str) -> Option<Digest> {
    Digest::from_bytes(&BASE64.decode(base64).ok()?)
}
