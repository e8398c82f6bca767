//! Tests that `list` names a server exactly if `get` answers for it, with the same user name: in every state of a small
//! store, through the protocol itself.

use serde_json::Value;

use super::serve;
use crate::store::{Binding, Client, Credential};
use crate::testing::{Age, CLIENT, Machine, SELF, access, credential, refresh};
use crate::world::World;

const HOST: &str = "r.example";

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
                let mut machine = machine(state, bound, stored);
                for token in ["", "of-the-environment", "two words"] {
                    let case = format!("{state:?}, bound {bound:?}, stored {stored:?}, {token:?}");
                    machine = machine.variable("SENTRY_TOKEN", token);
                    assert_consistent(&machine.world(), stored, &case);
                }
            }
        }
    }
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

fn machine(state: State, bound: Bound, stored: Option<&str>) -> Machine {
    let machine = Machine::new().at(SELF).variable("SENTRY_URL", SELF);
    let mut machine = machine.variable("SENTRY_CLIENT_ID", CLIENT);
    machine = match state {
        State::LoggedOut => machine,
        State::Fresh => machine.session(Age::FRESH),
        State::Expired => machine.session(Age::EXPIRED_API_TOKEN),
        State::Paused | State::Rejected => machine.session(Age::STALE),
    };
    let now = machine.now();
    machine.change(|change| {
        let session = change.sessions().unwrap().pop();
        match (state, session) {
            (State::Paused, Some(session)) => {
                let soon = now.after(std::time::Duration::from_secs(600));
                let paused = change.pause(&session, soon, Some("the server failed"));
                paused.unwrap();
            }
            (State::Rejected, Some(session)) => {
                let pair = refresh("jane").digest();
                let rejected = change.mark_rejected(&session, &pair, &access("jane"), now);
                rejected.unwrap();
            }
            _ => {}
        }
    });
    let plain = machine.binding(Client::Docker, HOST);
    let binding = match bound {
        Bound::No => None,
        Bound::Yes => Some(plain),
        Bound::As(username) => Some(Binding {
            username: Some(username.to_owned()),
            ..plain
        }),
        Bound::SignedOut => Some(Binding {
            signed_out: true,
            ..plain
        }),
        Bound::Elsewhere => Some(Binding {
            account: Some("user 43".to_owned()),
            ..plain
        }),
    };
    if let Some(binding) = binding {
        machine = machine.bind(&binding);
    }
    match stored {
        None => machine,
        Some(given) => {
            let path = given.trim_start_matches("https://").trim_end_matches('/');
            machine.stored(&Credential {
                path: Some(given.to_owned()),
                ..credential(&Client::Docker.server(path), "ann", "secret")
            })
        }
    }
}
