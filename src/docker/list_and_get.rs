//! Tests that `list` names a server exactly if `get` answers for it, with the same user name: in every state of a small
//! store, through the protocol itself.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::serve;
use crate::account::{Tokens, User};
use crate::lock::Lock;
use crate::origin::Origin;
use crate::platform::files::create_private_dir;
use crate::secret::Secret;
use crate::store::{Binding, Client, Credential, Store, WriteTransaction};
use crate::world::{Clock as _, SystemClock, Timestamp, World};

const HOST: &str = "r.example";
const INSTANCE: &str = "https://self.example";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LoggedOut,
    Fresh,
    /// An API token that has expired.
    Expired,
    /// Its last refresh failed a moment ago.
    Paused,
    /// Sentry no longer accepts its refresh token.
    Rejected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    No,
    Yes,
    As(&'static str),
    SignedOut,
    /// To an account that is not logged in.
    Elsewhere,
}

#[test]
fn a_server_is_listed_if_and_only_if_it_is_answered() {
    use State::{Expired, Fresh, LoggedOut, Paused, Rejected};
    for state in [LoggedOut, Fresh, Expired, Paused, Rejected] {
        for bound in [
            Bound::No,
            Bound::Yes,
            Bound::As("robot"),
            Bound::SignedOut,
            Bound::Elsewhere,
        ] {
            for stored in [None, Some(HOST), Some("https://r.example/v1/")] {
                // A directory that a variable selects has to be private.
                let around = tempfile::tempdir().unwrap();
                let dir = around.path().join("private");
                create_private_dir(&dir).unwrap();
                let path = dir.to_str().unwrap();
                fill(path, |change| {
                    log_in(change, state);
                    bind(change, bound);
                    stored.into_iter().for_each(|given| store(change, given));
                });
                for token in ["", "of-the-environment", "two words"] {
                    let case = format!("{state:?}, bound {bound:?}, stored {stored:?}, {token:?}");
                    assert_consistent(&world(path, token), stored, &case);
                }
            }
        }
    }
}

fn world(dir: &str, token: &str) -> World {
    let variables = [
        ("HOME", dir),
        ("SENTRY_CONFIG_DIR", dir),
        ("SENTRY_CLIENT_ID", "client"),
        ("SENTRY_URL", INSTANCE),
        ("SENTRY_TOKEN", token),
        ("CI", "true"),
    ];
    World::of(&variables, Rc::new(SystemClock)).quietly()
}

#[track_caller]
fn assert_consistent(world: &World, stored: Option<&str>, case: &str) {
    let listed = serve("list", &mut &b""[..], world).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let listed = listed.as_object().unwrap();
    for server in [Some(HOST), stored].into_iter().flatten() {
        let answer = serve("get", &mut server.as_bytes(), world).ok();
        let answer: Option<Value> = answer.map(|text| serde_json::from_str(&text).unwrap());
        let username = answer.as_ref().map(|answer| &answer["Username"]);
        assert_eq!(listed.get(server), username, "{server}: {case}");
    }
}

fn fill(dir: &str, write: impl FnOnce(&WriteTransaction<'_>)) {
    let world = world(dir, "");
    let store = Store::open_or_create(&world, dir.as_ref()).unwrap();
    let guard = Lock::credential(dir.as_ref())
        .acquire(world.clock(), Duration::ZERO)
        .unwrap();
    let change = store.change(&guard, world.clock()).unwrap();
    write(&change);
    change.commit().unwrap();
}

fn log_in(change: &WriteTransaction<'_>, state: State) {
    let now = SystemClock.now();
    let soon = Timestamp::from_millis(now.millis() + 600_000);
    if state == State::LoggedOut {
        return;
    }
    let tokens = Tokens {
        access: Secret::new("access"),
        refresh: (state != State::Expired).then(|| Secret::new("refresh")),
        issued_at: Some(Timestamp::from_millis(0)),
        expires_at: match state {
            State::Fresh => None,
            _ => Some(Timestamp::from_millis(1000)),
        },
    };
    let user = User {
        id: Some("42".into()),
        ..User::default()
    };
    let origin = Origin::parse(INSTANCE).unwrap();
    change
        .log_in(&origin, &user, &tokens, Some("client"), now)
        .unwrap();
    let session = change.sessions().unwrap().pop().unwrap();
    match state {
        State::Paused => change
            .pause(&session, soon, Some("the server failed"))
            .unwrap(),
        State::Rejected => change
            .mark_rejected(
                &session,
                &Secret::new("refresh").digest(),
                &tokens.access,
                now,
            )
            .unwrap(),
        _ => {}
    }
}

fn bind(change: &WriteTransaction<'_>, bound: Bound) {
    if bound == Bound::No {
        return;
    }
    let binding = Binding {
        server: Client::Docker.server(HOST),
        origin: Origin::parse(INSTANCE).unwrap(),
        username: match bound {
            Bound::As(username) => Some(username.to_owned()),
            _ => None,
        },
        signed_out: bound == Bound::SignedOut,
        account: (bound == Bound::Elsewhere).then(|| "user 43".to_owned()),
    };
    change.bind(&binding).unwrap();
}

fn store(change: &WriteTransaction<'_>, given: &str) {
    let path = given.trim_start_matches("https://").trim_end_matches('/');
    change
        .put_credential(&Credential {
            server: Client::Docker.server(path),
            path: Some(given.to_owned()),
            username: Some("ann".to_owned()),
            secret: Secret::new("secret"),
            authtype: None,
            expiry: None,
            refresh_token: None,
        })
        .unwrap();
}
