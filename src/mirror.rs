//! Copies the access token to the desktop's keyring, for other programs of the same user.
//!
//! Separate from the store because nothing depends on the copy: the database is authoritative, the refresh token is
//! never copied, and no refresh reads from the keyring. `get` never touches it.
//!
//! Rules: off by default; every call ends after three seconds, whatever the bus does; a failure is one warning; only
//! `unix:` bus addresses, because `unixexec:` would run a program; none where the keyring would request a password for each
//! access; this is the only module that uses the keyring crate.

use std::sync::mpsc;
use std::time::Duration;

use crate::account::{Session, Tokens};
use crate::platform::process;
use crate::store::{Store, WriteTransaction};
use crate::world::World;

/// The `service` attribute of our entries.
#[cfg(feature = "keyring")]
const SERVICE: &str = "sentry-credential-helper";

/// The setting that `login --keyring` writes, and its value.
pub(crate) const SETTING: (&str, &str) = ("keyring", "mirror");

/// The setting that records that copies may exist, even after the mirror is turned off.
const WRITTEN: &str = "keyring-written";

/// Timeout of a call to the keyring.
const LIMIT: Duration = Duration::from_secs(3);

/// The mirror of one database; it may be off.
pub(crate) struct Mirror<'a> {
    world: &'a World,
    /// Identifies the database: two configuration directories never share an entry.
    directory: Option<String>,
    /// Why it is off although it is configured.
    refusal: Option<&'static str>,
}

const UNSAFE_BUS: &str = "the session bus address is not a `unix:` address";

impl<'a> Mirror<'a> {
    /// The mirror as configured by the environment, else by the stored setting.
    pub(crate) fn of(world: &'a World, store: &Store) -> Mirror<'a> {
        let setting = || store.read().ok()?.setting(SETTING.0).ok()?;
        let value = world.variable("SENTRY_CREDENTIAL_KEYRING").or_else(setting);
        match value.as_deref() == Some(SETTING.1) {
            true => Mirror::on(world, store, process::keyring_identity()),
            false => Mirror::off(world),
        }
    }

    /// The mirror for removing copies: on if there may be any, written by this program or by one that the keyring
    /// recognized.
    pub(crate) fn for_removal(world: &'a World, store: &Store) -> Mirror<'a> {
        let written = || store.read().ok()?.setting(WRITTEN).ok()?;
        let copying = Mirror::of(world, store);
        match copying.is_on() || copying.refusal == Some(UNSAFE_BUS) {
            true => copying,
            false if written().is_some() => Mirror::on(world, store, Ok(())),
            false => Mirror::off(world),
        }
    }

    fn off(world: &'a World) -> Mirror<'a> {
        Mirror {
            world,
            directory: None,
            refusal: None,
        }
    }

    /// On, unless something speaks against it.
    fn on(world: &'a World, store: &Store, identity: Result<(), &'static str>) -> Mirror<'a> {
        let directory = || {
            let path = crate::secret::Secret::new(store.path().to_string_lossy()).digest();
            path.as_bytes()[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        let bus_is_safe = world
            .variable("DBUS_SESSION_BUS_ADDRESS")
            .is_none_or(|address| {
                address
                    .split(';')
                    .all(|address| address.is_empty() || address.starts_with("unix:"))
            });
        let refusal = match bus_is_safe {
            true => identity.err(),
            false => Some(UNSAFE_BUS),
        };
        Mirror {
            world,
            directory: refusal.is_none().then(directory),
            refusal,
        }
    }

    /// Whether tokens are copied.
    pub(crate) fn is_on(&self) -> bool {
        self.directory.is_some()
    }

    /// Why the mirror is off although it is configured.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }

    /// Records, in the transaction that stores a token, that a copy of it may exist.
    pub(crate) fn announce(&self, change: &WriteTransaction<'_>) -> anyhow::Result<()> {
        match self.is_on() {
            true => change.set(WRITTEN, Some("yes")),
            false => Ok(()),
        }
    }

    /// Copies the access token. A failure is a warning.
    pub(crate) fn put(&self, session: &Session, tokens: &Tokens) {
        let Some(entry) = self.entry(session) else {
            self.warn_refused();
            return;
        };
        let value = serde_json::json!({
            "token": tokens.access.expose(),
            "origin": session.origin.to_string(),
            "user": session.user.label(),
            "expires_at": tokens.expires_at.map(|time| time.to_string()),
        });
        if let Err(why) = keyring(entry, Call::Put(value.to_string())) {
            self.world
                .warn(&format!("the token was not copied to the keyring: {why}"));
        }
    }

    /// Removes the copy. Returns false, after a warning, if the copy may still exist.
    pub(crate) fn remove(&self, session: &Session) -> bool {
        let Some(entry) = self.entry(session) else {
            self.warn_refused();
            return self.refusal.is_none();
        };
        match keyring(entry, Call::Remove) {
            Ok(_) => true,
            Err(why) => {
                self.world.warn(&format!(
                    "the copy in the keyring may still be there: {why}"
                ));
                false
            }
        }
    }

    /// Whether the copy equals the stored token.
    ///
    /// # Errors
    /// The keyring's message.
    pub(crate) fn is_in_sync(&self, session: &Session) -> Result<bool, String> {
        let Some(entry) = self.entry(session) else {
            return Ok(false);
        };
        let copy = keyring(entry, Call::Read)?;
        let copy: serde_json::Value = copy
            .and_then(|copy| serde_json::from_str(&copy).ok())
            .unwrap_or_default();
        let stored = session.tokens.as_ref().map(|tokens| tokens.access.expose());
        Ok(copy["token"].as_str() == stored)
    }

    fn warn_refused(&self) {
        if let Some(why) = self.refusal {
            self.world.warn(why);
        }
    }

    fn entry(&self, session: &Session) -> Option<String> {
        let directory = self.directory.as_ref()?;
        let account = session.user.id.as_deref().unwrap_or(&session.account);
        Some(format!("{}#{account}#{directory}", session.origin))
    }
}

enum Call {
    #[cfg_attr(
        not(feature = "keyring"),
        allow(dead_code, reason = "unused without the keyring")
    )]
    Put(String),
    Remove,
    Read,
}

/// Runs a call in a thread of its own. A call that exceeds the timeout is abandoned; its thread ends with the process.
fn keyring(entry: String, call: Call) -> Result<Option<String>, String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(run(&entry, &call)));
    receiver
        .recv_timeout(LIMIT)
        .unwrap_or_else(|_| Err("it does not respond".into()))
}

#[cfg(feature = "keyring")]
fn run(entry: &str, call: &Call) -> Result<Option<String>, String> {
    use keyring::v1::{Entry, Error};

    let explain = |error: Error| match (error, Entry::store_status()) {
        // The error "No default store has been set" hides the cause.
        (Error::NoDefaultStore, Err(why)) => format!("there is no keyring ({why})"),
        (error, _) => error.to_string(),
    };
    let entry = Entry::new(SERVICE, entry).map_err(explain)?;
    match call {
        Call::Put(value) => entry.set_password(value).map(|()| None).map_err(explain),
        Call::Remove => match entry.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(explain(error)),
        },
        Call::Read => match entry.get_password() {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(explain(error)),
        },
    }
}

#[cfg(not(feature = "keyring"))]
fn run(_entry: &str, _call: &Call) -> Result<Option<String>, String> {
    Err("this build has no keyring support".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Age, Machine};

    /// Whether tokens are copied, and whether they would be with another bus.
    fn state(machine: &Machine) -> (bool, bool) {
        let (world, store) = (machine.world(), machine.store());
        let mirror = Mirror::of(&world, &store);
        (mirror.is_on(), mirror.refusal().is_some())
    }

    #[test]
    fn the_mirror_is_off_until_the_environment_or_the_setting_wants_it() {
        let machine = Machine::new().session(Age::FRESH);
        assert_eq!(state(&machine), (false, false));
        machine.change(|change| change.set(SETTING.0, Some(SETTING.1)).unwrap());
        assert_eq!(state(&machine), (true, false));
        let machine = machine.variable("SENTRY_CREDENTIAL_KEYRING", "off");
        assert_eq!(state(&machine), (false, false));
        let machine = Machine::new().session(Age::FRESH);
        let machine = machine.variable("SENTRY_CREDENTIAL_KEYRING", "mirror");
        assert_eq!(state(&machine), (true, false));
    }

    #[test]
    fn nothing_is_copied_where_the_keyring_does_not_recognize_the_program_but_copies_are_removed() {
        let machine = Machine::new().session(Age::FRESH);
        let (world, store) = (machine.world(), machine.store());
        let unknown = Mirror::on(&world, &store, Err("it is not signed"));
        assert_eq!(unknown.refusal(), Some("it is not signed"));
        machine.change(|change| unknown.announce(change).unwrap());
        assert!(!Mirror::for_removal(&world, &store).is_on());
        let known = Mirror::on(&world, &store, Ok(()));
        assert_eq!((known.is_on(), known.refusal()), (true, None));
        machine.change(|change| known.announce(change).unwrap());
        assert!(Mirror::for_removal(&world, &store).is_on());
    }

    #[test]
    fn only_a_bus_that_runs_no_program_is_used() {
        for (address, is_on) in [
            ("unix:path=/run/user/1/bus", true),
            ("unix:path=/a;unix:abstract=b;", true),
            ("unixexec:path=/bin/sh", false),
            ("unix:path=/a;unixexec:path=/bin/sh", false),
            ("tcp:host=x", false),
        ] {
            let machine = Machine::new().session(Age::FRESH);
            let machine = machine.variable("SENTRY_CREDENTIAL_KEYRING", "mirror");
            let machine = machine.variable("DBUS_SESSION_BUS_ADDRESS", address);
            assert_eq!(state(&machine), (is_on, !is_on), "{address}");
            let (world, store) = (machine.world(), machine.store());
            let mirror = Mirror::of(&world, &store);
            machine.change(|change| mirror.announce(change).unwrap());
            // What was announced is cleared by a logout, whatever the mirror is set to then.
            let machine = machine.variable("SENTRY_CREDENTIAL_KEYRING", "off");
            let world = machine.world();
            assert_eq!(
                Mirror::for_removal(&world, &store).is_on(),
                is_on,
                "{address}"
            );
        }
    }
}
