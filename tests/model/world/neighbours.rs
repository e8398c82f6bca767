//! The official CLI, which shares the database and knows no lock.
//!
//! 0.49 compares the row with what it posted and then writes in another statement, whatever is there by then; 0.45
//! writes without comparing. A loser at the server removes: 0.49 the tokens, 0.45 the row.

use super::config::Kind;
use super::process::{Answer, Live, Mind, Neighbour, Net, Part, Who};
use super::server::grant;
use super::state::{State, Stored};
use super::steps::{Walk, What};

pub(crate) fn begin(walk: &mut Walk<'_>, who: Who, kind: Kind) {
    let machine = walk.state.machine_of(who);
    let mut next = *walk.state;
    let mind = match (kind, next.machines[machine].row) {
        (Kind::CliLogin, _) => Some(Neighbour::LoggingIn(grant(&mut next))),
        (Kind::CliLogout, _) => {
            next.machines[machine].remove_row();
            next.end(who);
            return walk.push(Some(who), What::NeighbourLogsOut, next);
        }
        (_, Stored::Pair(pair)) => Some(Neighbour::Posting(pair)),
        _ => None,
    };
    match mind {
        Some(mind) => go(walk, who, next, mind),
        None => end(walk, who, next),
    }
}

pub(crate) fn go_on(walk: &mut Walk<'_>, who: Who, kind: Kind, live: Live, mind: Neighbour) {
    let machine = walk.state.machine_of(who);
    let mut next = *walk.state;
    let here = &mut next.machines[machine];
    match (mind, live.net) {
        (Neighbour::Posting(_), Net::Idle) if walk.state.offline => end(walk, who, next),
        (Neighbour::Posting(pair), Net::Idle) => {
            let net = Net::Sent {
                pair,
                right_client: true,
            };
            *next.part(who) = Part::Live(Live { net, ..live });
            walk.push(Some(who), What::Send(pair), next);
        }
        (Neighbour::Posting(_), Net::Sent { .. }) => {}
        (Neighbour::Posting(pair), Net::Answered(answer)) => {
            let new = match answer {
                Answer::Granted(new) => Some(new),
                Answer::InvalidGrant | Answer::InvalidClient => None,
            };
            match kind {
                Kind::Cli045 => go(walk, who, next, Neighbour::Writing(new)),
                _ => go(walk, who, next, Neighbour::Comparing(pair, new)),
            }
        }
        (Neighbour::Comparing(pair, new), _) => match here.row == Stored::Pair(pair) {
            true => go(walk, who, next, Neighbour::Writing(new)),
            false => end(walk, who, next),
        },
        (Neighbour::Writing(_), _) if here.down => {}
        (Neighbour::Writing(new), _) => {
            match (kind, new, here.row) {
                (Kind::Cli045, Some(new), _) => here.write(new),
                (Kind::Cli045, None, Stored::Gone) => {}
                (Kind::Cli045, None, _) => here.row = Stored::Deleted,
                (_, _, Stored::Gone | Stored::Deleted) => {}
                (_, Some(new), _) => here.write(new),
                (_, None, _) => here.row = Stored::Null,
            }
            end(walk, who, next);
        }
        (Neighbour::LoggingIn(_), _) if here.down => {}
        (Neighbour::LoggingIn(pair), _) => {
            here.write(pair);
            end(walk, who, next);
        }
    }
}

fn go(walk: &mut Walk<'_>, who: Who, mut next: State, mind: Neighbour) {
    *next.part(who) = Part::Live(Live::new(Mind::Neighbour(mind)));
    walk.push(Some(who), What::Neighbour(mind), next);
}

fn end(walk: &mut Walk<'_>, who: Who, mut next: State) {
    let mind = match next.part(who) {
        Part::Live(live) => live.mind,
        _ => Mind::Neighbour(Neighbour::Writing(None)),
    };
    next.end(who);
    let Mind::Neighbour(mind) = mind else {
        return;
    };
    walk.push(Some(who), What::Neighbour(mind), next);
}
