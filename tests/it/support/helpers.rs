//! Shared by the tests of both helpers: machines with one token, and a helper in a shell.

use crate::fake_sentry::{CLIENT_ID, FakeSentry, Pair};
use crate::sandbox::{Age, Cmd, Sandbox};
use rusqlite::ToSql;

/// The token of [`with_token`].
pub const ENVIRONMENT: &str = "token-of-the-environment";

/// The access token of [`with_session_of`].
pub const STORED: &str = "token-of-the-session";

/// A machine with a token for https://sentry.io in its environment.
pub fn with_token() -> Sandbox {
    Sandbox::new().env("SENTRY_AUTH_TOKEN", ENVIRONMENT)
}

/// A machine with a fresh session at this instance, which receives no request.
pub fn with_session_of(instance: &str) -> Sandbox {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    let pair = Pair {
        access: STORED.to_owned(),
        refresh: "refresh-token-of-the-session".to_owned(),
    };
    machine.seed_session(&sentry, &pair, Age::FRESH);
    alter(&machine, "host", &instance);
    machine
}

/// A machine with a session of this age at a running Sentry.
pub fn with_session(sentry: &FakeSentry, age: Age) -> Sandbox {
    let machine = Sandbox::new().for_sentry(sentry);
    machine.seed_session(sentry, &sentry.issue(), age);
    machine
}

/// The same with a login by this program: the OAuth client of the session is recorded.
pub fn with_login(sentry: &FakeSentry, age: Age) -> Sandbox {
    let machine = with_session(sentry, age);
    machine.remember_client(CLIENT_ID);
    machine
}

/// Sets a column of the one stored session.
#[track_caller]
pub fn alter(machine: &Sandbox, column: &str, value: &dyn ToSql) {
    let store = machine.database().expect("a store");
    let sql = format!("UPDATE accounts SET {column} = ?");
    assert_eq!(store.execute(&sql, [value]), Ok(1));
}

/// Runs a script that starts one of our programs, `$HELPER`, with its own streams.
pub fn through_shell(machine: &Sandbox, helper: &str, script: &str) -> Cmd {
    machine
        .command("/bin/sh")
        .args(["-c", script])
        .env("HELPER", helper)
}
