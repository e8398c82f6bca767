//! Our programs before and after their flows.

use super::config::{Kind, Repair};
use super::pair::Pair;
use super::process::{Live, Mind, Part, Who};
use super::server::{accepts, grant};
use super::steps::{Walk, What};
use crate::protocol::{Flow, Goal, Saw};

/// A program starts.
pub(crate) fn begin(walk: &mut Walk<'_>, who: Who, kind: Kind) {
    let machine = walk.state.machine_of(who);
    let here = &walk.state.machines[machine];
    let mut next = *walk.state;
    let row = match here.view(walk.world) {
        Saw::Row(row) => Some(row),
        _ => None,
    };
    let flow = match (kind, row) {
        (Kind::Login, _) => {
            let pair = grant(&mut next);
            let mut live = Live::new(Mind::Flow(Flow::login(pair)));
            live.holds = Some(pair);
            *next.part(who) = Part::Live(live);
            return walk.push(Some(who), What::Granted(pair), next);
        }
        (Kind::Erase, _) => return mark_suspect(walk, who),
        _ if here.down => return,
        (Kind::Logout, Some(_)) => Some(Flow::logout()),
        (Kind::Get, Some(row)) => Some(Flow::refresh(Goal::Usable, row)),
        (Kind::Force, Some(row)) => Some(Flow::refresh(Goal::Refresh, row)),
        (Kind::Status, Some(row)) => match row.pair {
            Some(pair) if pair == Pair::A0 || !accepts(walk.state, pair) => {
                Some(Flow::refresh(Goal::Replacement(pair), row))
            }
            Some(_) => None,
            None => Some(Flow::refresh(Goal::Usable, row)),
        },
        _ => None,
    };
    *next.part(who) = match flow {
        Some(flow) => Part::Live(Live::new(Mind::Flow(flow))),
        None => Part::Over,
    };
    walk.push(Some(who), What::Begin, next);
}

/// git's `erase`: one transaction under the lock.
fn mark_suspect(walk: &mut Walk<'_>, who: Who) {
    let machine = walk.state.machine_of(who);
    if walk.state.holder(machine).is_some() || walk.state.machines[machine].down {
        return;
    }
    let mut next = *walk.state;
    let here = &mut next.machines[machine];
    if here.has(Pair::A0) {
        here.suspect = Some(Pair::A0);
    }
    *next.part(who) = Part::Over;
    walk.push(Some(who), What::MarkSuspect, next);
}

/// After its commit a login asks for the user's names and writes them.
pub(crate) fn naming(walk: &mut Walk<'_>, who: Who, pair: Pair) {
    let machine = walk.state.machine_of(who);
    let mut next = *walk.state;
    if !walk.world.has(Repair::NamesOnly) {
        if walk.state.holder(machine).is_some() {
            return;
        }
        next.machines[machine].store_login(pair);
    }
    *next.part(who) = Part::Over;
    walk.push(Some(who), What::Name, next);
}
