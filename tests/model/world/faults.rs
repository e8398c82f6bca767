//! The faults of a world, as often as its budget allows.

use super::config::Repair;
use super::process::{Answer, Live, Mind, Motion, Net, Part, Who};
use super::state::{Orphan, State};
use super::steps::{Walk, What, sender};
use crate::protocol::{Acted, Saw};

/// Faults of one process and of its connection.
pub(crate) fn process(walk: &mut Walk<'_>, who: Who, live: Live) {
    let budget = walk.state.budget;
    if budget.kill > 0 {
        let mut next = *walk.state;
        next.budget.kill -= 1;
        kill(&mut next, who, live);
        walk.push(Some(who), What::Kill, next);
    }
    match live.motion {
        Motion::Running => {
            moves(walk, who, live);
            connection(walk, who, live);
        }
        Motion::Frozen => {
            thaw(walk, who, live);
        }
        Motion::Stopped => {}
    }
}

fn kill(next: &mut State, who: Who, live: Live) {
    let machine = next.machine_of(who);
    if let (
        Net::Sent {
            pair,
            right_client: true,
        },
        Some(kind),
    ) = (live.net, next.processes[who.process].kind)
    {
        let sender = sender(kind, machine);
        next.add_orphan(Orphan { pair, sender });
    }
    next.end(who);
}

fn moves(walk: &mut Walk<'_>, who: Who, live: Live) {
    let budget = walk.state.budget;
    if budget.freeze > 0 {
        let mut next = *walk.state;
        next.budget.freeze -= 1;
        let motion = Motion::Frozen;
        *next.part(who) = Part::Live(Live { motion, ..live });
        walk.push(Some(who), What::Freeze, next);
    }
    if budget.stop > 0 {
        let mut next = *walk.state;
        next.budget.stop -= 1;
        let motion = Motion::Stopped;
        *next.part(who) = Part::Live(Live { motion, ..live });
        walk.push(Some(who), What::Stop, next);
    }
}

fn thaw(walk: &mut Walk<'_>, who: Who, live: Live) {
    let motion = Motion::Running;
    let mut next = *walk.state;
    *next.part(who) = Part::Live(Live { motion, ..live });
    walk.push(Some(who), What::Thaw, next);
    // More than its time has passed: the answer lies in the socket.
    if let (false, Mind::Flow(_), Net::Answered(_)) =
        (walk.world.has(Repair::ReadsOnceMore), live.mind, live.net)
    {
        let live = Live { motion, ..live };
        hear(walk, who, live, *walk.state, Saw::AnswerLost, What::Thaw);
    }
}

fn connection(walk: &mut Walk<'_>, who: Who, live: Live) {
    let budget = walk.state.budget;
    let sent = match live.net {
        Net::Idle => return,
        Net::Sent { pair, right_client } => Some((pair, right_client)),
        Net::Answered(_) => None,
    };
    let orphan = match (sent, walk.state.processes[who.process].kind) {
        (Some((pair, true)), Some(kind)) => Some(Orphan {
            pair,
            sender: sender(kind, walk.state.machine_of(who)),
        }),
        _ => None,
    };
    if budget.slow > 0 && !live.slow {
        let mut next = *walk.state;
        next.budget.slow -= 1;
        *next.part(who) = Part::Live(Live { slow: true, ..live });
        walk.push(Some(who), What::Slow, next);
    }
    let mut unheard = *walk.state;
    orphan
        .into_iter()
        .for_each(|orphan| unheard.add_orphan(orphan));
    if !walk.world.has(Repair::ListensOn) && live.slow && matches!(live.mind, Mind::Flow(_)) {
        hear(walk, who, live, unheard, Saw::AnswerLost, What::Slow);
    }
    if budget.lose > 0 {
        let mut next = unheard;
        next.budget.lose -= 1;
        hear(walk, who, live, next, Saw::AnswerLost, What::LoseConnection);
    }
    if budget.disturb > 0 {
        let mut next = unheard;
        next.budget.disturb -= 1;
        let saw = Saw::Disturbed(Acted::Perhaps);
        hear(walk, who, live, next, saw, What::AnswerError);
        let mut next = *walk.state;
        next.budget.disturb -= 1;
        if sent.is_some() {
            for saw in [Saw::Disturbed(Acted::No), Saw::OAuthError] {
                hear(walk, who, live, next, saw, What::AnswerError);
            }
        }
    }
}

/// The request has ended with something else than the server's answer.
fn hear(
    walk: &mut Walk<'_>,
    who: Who,
    mut live: Live,
    mut next: State,
    saw: Saw<super::pair::Pair>,
    what: What,
) {
    live.net = Net::Idle;
    live.slow = false;
    match &mut live.mind {
        Mind::Flow(flow) => {
            flow.saw(saw);
            live.answered = saw != Saw::AnswerLost;
            *next.part(who) = Part::Live(live);
        }
        Mind::Neighbour(_) | Mind::Naming(_) => next.end(who),
    }
    walk.push(Some(who), what, next);
}

/// Faults of whole machines.
pub(crate) fn machines(walk: &mut Walk<'_>) {
    let budget = walk.state.budget;
    for machine in 0..walk.world.machines {
        if budget.power > 0 {
            power_cut(walk, machine);
        }
        if budget.down > 0 && !walk.state.machines[machine].down {
            let mut next = *walk.state;
            next.budget.down -= 1;
            next.machines[machine].down = true;
            walk.push(None, What::DatabaseAway, next);
        }
    }
    if budget.offline > 0 && !walk.state.offline {
        let mut next = *walk.state;
        next.budget.offline -= 1;
        next.offline = true;
        walk.push(None, What::NetworkAway, next);
    }
}

fn power_cut(walk: &mut Walk<'_>, machine: usize) {
    let mut next = *walk.state;
    next.budget.power -= 1;
    let living: Vec<_> = walk
        .state
        .living()
        .map(|(who, live)| (who, *live))
        .collect();
    for (who, live) in living {
        if next.machine_of(who) == machine {
            kill(&mut next, who, live);
        }
    }
    let ghost = next.machines[machine].ghost.take();
    walk.push(None, What::PowerCut, next);
    if let Some(kept) = ghost {
        let here = &mut next.machines[machine];
        if !here.files.contains(&Some(kept)) && here.keep(walk.world, kept) {
            walk.push(None, What::PowerCut, next);
        }
    }
}

/// An answer on its way, if it is a grant.
pub(crate) fn granted(live: &Live) -> Option<super::pair::Pair> {
    match live.net {
        Net::Answered(Answer::Granted(pair)) => Some(pair),
        _ => None,
    }
}
