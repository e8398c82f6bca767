//! The token endpoint and `/api/0/`.

use super::config::Server;
use super::pair::{FAMILIES, Pair};
use super::process::Answer;
use super::state::{Family, Sender, State};

/// What a request does at the server, and what it is answered. A wrong client id has no effect.
pub(crate) fn serve(
    families: &mut [Family; FAMILIES],
    server: Server,
    pair: Pair,
    sender: Sender,
) -> Answer {
    let family = &mut families[pair.family()];
    let Some(living) = family.living() else {
        return Answer::InvalidGrant;
    };
    if pair == living {
        let new = living.next();
        family.latest = Some(new);
        family.grace = server == Server::Grace;
        family.spender = Some(sender);
        return Answer::Granted(new);
    }
    if family.grace && pair.next() == living {
        return Answer::Granted(living);
    }
    if server != Server::Plain {
        family.revoked = true;
        family.grace = false;
    }
    Answer::InvalidGrant
}

/// A user logs in.
pub(crate) fn grant(state: &mut State) -> Pair {
    let free = |family: &Family| family.latest.is_none();
    let place = state
        .families
        .iter()
        .position(free)
        .expect("too many logins");
    let pair = Pair::of_login(place);
    let before = state.families.map(|family| family.latest);
    state.families[place] = Family {
        latest: Some(pair),
        before,
        ..Family::default()
    };
    pair
}

/// Whether the access token of a pair still works: both tokens of a pair die when its refresh token is used.
pub(crate) fn accepts(state: &State, pair: Pair) -> bool {
    state.families[pair.family()].living() == Some(pair)
}
