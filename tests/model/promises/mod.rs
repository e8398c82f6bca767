//! What each step must keep, and what there is to notice where it does not.
//!
//! The promises have the numbers of the review that they come from: S1, no login is lost (`loss`); S2, a pair is posted
//! again only under its intent; S4, a logout wins; S5, a newer login is not overwritten; S6, every run ends (`search`);
//! S7, what is said is true; S8, pauses are kept. S3, no mixed pairs, holds by construction: here a pair is one value.

pub(crate) mod events;
mod loss;

use crate::protocol::{Access, Conclusion, Do, LoginReason};
use crate::world::config::{Kind, Repair, World};
use crate::world::pair::Pair;
use crate::world::process::{Live, Mind, Neighbour, Part, Who};
use crate::world::state::{Machine, Paused, Sender, State, Stored};
use crate::world::steps::{Step, What};
use crate::world::store::bit;
use events::Event;
use loss::{has_in_memory, losses};

/// Everything that is to be noticed about a step.
pub(crate) fn observe(
    world: &World,
    before: &State,
    step: Step,
    after: &State,
    notice: &mut impl FnMut(Event),
) {
    losses(world, before, step, after)
        .into_iter()
        .for_each(&mut *notice);
    let kind = step.who.and_then(|who| before.processes[who.process].kind);
    let is_ours = kind.is_some_and(Kind::is_ours);
    for machine in 0..world.machines {
        let (was, is) = (&before.machines[machine], &after.machines[machine]);
        rows(step, is_ours, was, is, notice);
        let is_bare = |state: &State| is_spent_without_intent(state, machine);
        if is_ours && is_bare(after) && !is_bare(before) {
            notice(Event::SpentPairWithoutIntent);
        }
    }
    if let (Some(who), Some(kind), true) = (step.who, kind, is_ours) {
        match step.what {
            What::Send(pair) => posts(world, before, who, kind, pair, notice),
            What::Flow(Do::Check(_), _) if is_caller(before, who) => notice(Event::RequestByCaller),
            What::Begin => words(world, before, Do::Look, after, who, notice),
            What::Flow(todo, _) => words(world, before, todo, after, who, notice),
            _ => {}
        }
    }
}

/// S4 and S5.
fn rows(step: Step, is_ours: bool, was: &Machine, is: &Machine, notice: &mut impl FnMut(Event)) {
    if was.row != is.row
        && let Stored::Pair(pair) = is.row
    {
        if is.out & bit(pair) != 0 {
            notice(match is_ours {
                true => Event::BackAfterLogout,
                false => Event::NeighbourRevivedTheSession,
            });
        }
        let is_login = matches!(
            step.what,
            What::Flow(Do::Store(_), _) | What::Half(Do::Store(_))
        );
        if let Stored::Pair(former) = was.row
            && pair < former
            && is_ours
            && !is_login
        {
            notice(Event::OlderTokensOverNewer);
        }
    }
    let left = |here: &Machine| {
        let mut files = here.files.iter().flatten();
        files.any(|file| here.out_of_files & bit(file.new) != 0)
    };
    if left(is) && !left(was) {
        notice(Event::FileAfterLogout);
    }
}

/// S2: the stored pair may be spent by a request of ours, and nothing says so.
fn is_spent_without_intent(state: &State, machine: usize) -> bool {
    let here = &state.machines[machine];
    let Stored::Pair(pair) = here.row else {
        return false;
    };
    let ours = Sender::Ours(machine as u8);
    let orphans = state.orphans.iter().flatten();
    let is_spent = is_spent_by(state, pair, ours)
        || orphans
            .into_iter()
            .any(|orphan| orphan.pair == pair && orphan.sender == ours);
    // Another program has written a pair back that we had replaced.
    let is_back = here
        .ours
        .is_some_and(|ours| ours.family() == pair.family() && ours > pair);
    is_spent && !is_back && here.intent != Some(pair) && here.rejected != Some(pair)
}

fn is_spent_by(state: &State, pair: Pair, sender: Sender) -> bool {
    let family = &state.families[pair.family()];
    family.living().and_then(Pair::previous) == Some(pair) && family.spender == Some(sender)
}

/// S2 and S8, and that one refresh is enough for everybody.
fn posts(
    world: &World,
    before: &State,
    who: Who,
    kind: Kind,
    pair: Pair,
    notice: &mut impl FnMut(Event),
) {
    let here = &before.machines[before.machine_of(who)];
    let Some(live) = live(before, who) else {
        return;
    };
    if !live.lock {
        notice(Event::PostedWithoutLock);
    }
    if here.intent != Some(pair) {
        notice(Event::PostedWithoutIntent);
    }
    if here.pause != Paused::No && kind != Kind::Force {
        notice(Event::PostedDuringAPause);
    }
    if kind == Kind::Get && here.access(world, pair) == Access::Fresh && !live.again {
        notice(Event::FreshPairPosted);
    }
    if is_caller(before, who) {
        notice(Event::RequestByCaller);
    }
}

/// Whether a process that Ctrl-Z can stop does what a worker is there for.
fn is_caller(state: &State, who: Who) -> bool {
    match (who.is_worker, state.processes[who.process].caller) {
        (false, Part::Live(live)) => !live.alone,
        _ => false,
    }
}

/// S7: what is said about a session that has ended.
fn words(
    world: &World,
    before: &State,
    todo: Do<Pair>,
    after: &State,
    who: Who,
    notice: &mut impl FnMut(Event),
) {
    let next = live(after, who).map(|live| live.mind);
    let Some(Mind::Flow(flow)) = next else {
        return;
    };
    let Do::End(Conclusion::LoginRequired(why)) = flow.next() else {
        return;
    };
    let machine = after.machine_of(who);
    let here = &after.machines[machine];
    // Or the process that marked the pair has. A row without tokens is not waited for: one neighbour alone does not clear it and
    // then store.
    let has_waited = why == LoginReason::Cleared
        || todo == Do::Read
        || live(before, who).is_some_and(|live| live.settled);
    let spent_by_us = |pair| is_spent_by(after, pair, Sender::Ours(machine as u8));
    match (why, todo) {
        (LoginReason::Rejected, Do::Reject(pair)) if spent_by_us(pair) => {
            notice(Event::SaysRejectedThoughInterrupted);
        }
        (LoginReason::Interrupted, Do::Reject(pair))
            if !world.has(Repair::Perhaps) && !spent_by_us(pair) =>
        {
            notice(Event::SaysInterruptedThoughSomebodyElseSpentIt);
        }
        _ => {}
    }
    if !matches!(why, LoginReason::Cleared | LoginReason::Rejected) {
        return;
    }
    let mine = here.seen & !here.removed;
    let living = after.families.iter().filter_map(|family| family.living());
    for pair in living.filter(|pair| mine & bit(*pair) != 0) {
        let now = &after.machines[machine];
        let will_store = |(other, live): &(Who, &Live)| {
            let drops = match live.mind {
                Mind::Neighbour(Neighbour::Posting(old) | Neighbour::Comparing(old, _)) => {
                    now.row != Stored::Pair(old)
                        && after.processes[other.process].kind == Some(Kind::Cli049)
                }
                _ => false,
            };
            has_in_memory(live, pair) && !drops
        };
        let mut here = after
            .living()
            .filter(|(other, _)| after.machine_of(*other) == machine);
        let holder = here.find(will_store);
        match holder {
            _ if now.has(pair) || now.has_file(pair) => {
                notice(Event::SaysEndedThoughALivingPairIsThere);
            }
            Some((_, live)) if matches!(live.mind, Mind::Neighbour(_)) && has_waited => {
                notice(Event::NeighbourStoredLate);
            }
            Some(_) => notice(Event::SaysEndedThoughALivingPairIsThere),
            None => {}
        }
    }
}

fn live(state: &State, who: Who) -> Option<&Live> {
    let process = &state.processes[who.process];
    match if who.is_worker {
        &process.worker
    } else {
        &process.caller
    } {
        Part::Live(live) => Some(live),
        _ => None,
    }
}
