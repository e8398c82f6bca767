//! Sessions against a server with canned answers; and how a demand and a row become the input of the protocol.

mod login;
mod recovery;
mod refresh;

use super::*;
use crate::account::{OAuthClient, Tokens, User};
use crate::store::Client;
use crate::testing::{
    Age, CLIENT, Canned, Machine, SELF, Server, access, credential_lock, origin, refresh, user,
};
use crate::world::Timestamp;

/// A machine where jane is logged in to a server with these answers.
fn machine(age: Age, answers: Vec<Canned>) -> (Machine, Server) {
    let server = Server::start(answers);
    let machine = Machine::new().at(&server.origin).session(age);
    (machine.without_worker(), server)
}

/// The result for a caller, as text: `current`, `refreshed` or `postponed` with the token, or the error.
fn ask(machine: &Machine, session: &Session, demand: Demand) -> String {
    let (world, store) = (machine.world(), machine.store());
    match usable(&world, &store, session, demand) {
        Ok(Usable::Current(tokens)) => format!("current {}", tokens.access.expose()),
        Ok(Usable::Refreshed(tokens)) => format!("refreshed {}", tokens.access.expose()),
        Ok(Usable::Postponed(tokens, why)) => {
            assert!(!why.to_string().is_empty());
            format!("postponed {}", tokens.access.expose())
        }
        Err(TokenError::LoginRequired(why)) => format!("login required: {why}"),
        Err(TokenError::Unavailable(error)) => format!("unavailable: {error:#}"),
    }
}

fn want(machine: &Machine, demand: Demand) -> String {
    ask(machine, &machine.active(), demand)
}

/// The refresh request for the tokens of a user.
fn posted(name: &str) -> String {
    let refresh = refresh(name);
    let refresh = refresh.expose();
    format!(
        "POST /oauth/token/ client_id={CLIENT}&grant_type=refresh_token&refresh_token={refresh}"
    )
}

const CHECK: &str = "GET /api/0/ Bearer access-of-jane";

fn suspect(machine: &Machine) {
    machine.change(|change| {
        let session = change.sessions().unwrap().remove(0);
        change.suspect(&session, access("jane").digest()).unwrap();
    });
}

fn login(instance: &str, name: &str) -> NewLogin {
    NewLogin {
        origin: origin(instance),
        user: user(name),
        tokens: Age::FRESH.tokens(name),
        client_id: Some(CLIENT.to_owned()),
    }
}

#[test]
fn a_demand_becomes_a_goal_for_the_pair_that_the_row_has() {
    let pair = Pair::of(&Age::FRESH.tokens("jane"));
    use protocol::Goal;
    for (demand, pair, goal) in [
        (Demand::Usable, Some(pair), Goal::Usable),
        (Demand::Refresh, Some(pair), Goal::Refresh),
        (Demand::Refresh, None, Goal::Refresh),
        (Demand::Replacement, Some(pair), Goal::Replacement(pair)),
        // There is nothing that could be replaced.
        (Demand::Replacement, None, Goal::Usable),
    ] {
        assert_eq!(demand.goal(pair), goal);
    }
}

#[test]
fn a_row_is_seen_with_its_marks() {
    let machine = Machine::new().session(Age::EXPIRES_SOON);
    let world = machine.world();
    let seen = |session: &Session| perform::row(&world, session);
    let session = machine.active();
    let row = seen(&session);
    assert_eq!(row.pair, Some(Pair::of(&Age::STALE.tokens("jane"))));
    assert_eq!(row.access, protocol::Access::ExpiresSoon);
    assert!(row.refreshable && !row.intent && !row.rejected && !row.paused);
    assert_eq!(row.client, protocol::ClientId::Recorded);
    let mut marked = session.clone();
    let state = &mut marked.refresh_state;
    state.retry_at = Some(Timestamp::from_millis(world.now().millis() + 1));
    state.intent = Some((refresh("jane").digest(), world.now()));
    state.client_id = None;
    let row = seen(&marked);
    assert!(row.paused && row.intent);
    // The client id of the SaaS is built in; that of another instance is not.
    assert_eq!(row.client, protocol::ClientId::Guessed);
    marked.origin = origin(SELF);
    marked.tokens = None;
    let row = seen(&marked);
    assert_eq!(row.client, protocol::ClientId::Missing);
    assert_eq!((row.pair, row.access), (None, protocol::Access::Expired));
    assert_eq!(machine.credentials(Client::Git), []);
}
