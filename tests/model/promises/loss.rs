//! Determines which step lost a login.

use super::events::Event;
use crate::protocol::{Do, Saw};
use crate::world::config::{Kind, Repair, World};
use crate::world::faults;
use crate::world::pair::Pair;
use crate::world::process::{Live, Mind, Motion, Neighbour, Net};
use crate::world::state::{Family, Paused, State, Stored};
use crate::world::steps::{Step, What};
use crate::world::store::bit;

/// The logins that a step has lost, by the state itself: the living pair, or under a grace the one before, was in a row,
/// a file or a process, and is nowhere now; or it has been revoked.
pub(crate) fn losses(world: &World, before: &State, step: Step, after: &State) -> Option<Event> {
    let families = before.families.iter().zip(&after.families);
    families
        .filter_map(|(was, is)| Some((was.living()?, was, is)))
        .find_map(|(living, was, is)| {
            let had = is_held(world, before, living, was);
            let has = is
                .living()
                .is_some_and(|now| is_held(world, after, now, is));
            match had && !has && !is_over(world, after, living) {
                true => name(world, before, step, after, living),
                false => None,
            }
        })
}

/// Whether a process has the valid pair of a login, or can still get it.
fn is_held(world: &World, state: &State, living: Pair, family: &Family) -> bool {
    let before = match family.grace {
        true => living.previous(),
        false => None,
    };
    let machines = &state.machines[..world.machines];
    machines.iter().any(|here| {
        here.has(living) || here.has_file(living) || before.is_some_and(|pair| here.has(pair))
    }) || state.living().any(|(_, live)| {
        has_in_memory(live, living) || before.is_some_and(|pair| will_post(live, pair))
    })
}

/// Whether a process has a pair that it was granted.
pub(crate) fn has_in_memory(live: &Live, pair: Pair) -> bool {
    let has = match live.mind {
        Mind::Flow(flow) if matches!(flow.next(), Do::End(_)) => None,
        Mind::Neighbour(Neighbour::Comparing(_, new) | Neighbour::Writing(new)) => new,
        Mind::Neighbour(Neighbour::LoggingIn(new)) => Some(new),
        Mind::Neighbour(Neighbour::Posting(_)) | Mind::Flow(_) | Mind::Naming(_) => live.holds,
    };
    has == Some(pair) || faults::granted(live) == Some(pair)
}

fn will_post(live: &Live, pair: Pair) -> bool {
    match (live.net, live.mind) {
        (Net::Sent { pair: sent, .. }, _) => sent == pair,
        (Net::Answered(_), _) => false,
        (_, Mind::Flow(flow)) => match flow.next() {
            Do::Post(next, _) | Do::Intend(next) => next == pair,
            _ => false,
        },
        (_, Mind::Neighbour(Neighbour::Posting(next))) => next == pair,
        _ => false,
    }
}

/// Whether a logout or a newer login has ended this one wherever it was.
fn is_over(world: &World, state: &State, pair: Pair) -> bool {
    let machines = &state.machines[..world.machines];
    machines.iter().all(|here| match here.row {
        _ if here.discarded & bit(pair) != 0 => true,
        Stored::Gone => here.removed & bit(pair) != 0,
        Stored::Pair(stored) => stored.family() > pair.family(),
        Stored::Null | Stored::Deleted => false,
    })
}

fn name(world: &World, before: &State, step: Step, after: &State, lost: Pair) -> Option<Event> {
    let kind = step.who.and_then(|who| before.processes[who.process].kind);
    let is_ours = kind.is_none_or(Kind::is_ours);
    let machine = step.who.map(|who| &after.machines[after.machine_of(who)]);
    let row = machine.map(|here| here.row);
    Some(match step.what {
        What::Kill if is_ours => Event::KilledBeforeCommit,
        What::Kill => Event::NeighbourKilled,
        What::PowerCut => Event::PowerCutBeforeCommit,
        What::LoseConnection if is_ours => Event::AnswerLost,
        What::AnswerError if is_ours => Event::ErrorInsteadOfAnswer,
        What::LoseConnection | What::AnswerError => Event::NeighbourLostItsAnswer,
        What::Slow => Event::AnswerAfterTimeout,
        What::Thaw => Event::FrozenAnswerThrownAway,
        What::GraceOver => grace_over(world, before, lost),
        What::ServeOrphan(_) => Event::RequestOutlivedItsSender,
        What::Serve if world.machines > 1 => Event::DatabaseWasCopied,
        What::Serve if has_neighbour(world) => Event::BothProgramsPosted,
        What::Serve => Event::OwnReplay,
        // Not after a logout, see above: another program stored or removed a pair meanwhile.
        What::Neighbour(Neighbour::LoggingIn(_)) => return None,
        What::Neighbour(Neighbour::Comparing(..))
            if row == Some(Stored::Null) && !world.has(Repair::Mark) =>
        {
            Event::NeighbourDropsBecauseWeCleared
        }
        What::Neighbour(_) => by_neighbour(row),
        What::Flow(Do::Remove, _) | What::Half(Do::Remove) => return None,
        What::Flow(Do::Store(new), _) | What::Half(Do::Store(new))
            if new.family() != lost.family() =>
        {
            return None;
        }
        What::Flow(Do::Reject(_), _) => Event::LivingPairRejected,
        What::Flow(Do::Keep { .. }, Saw::Refused) => Event::GrantStoredNowhere,
        What::Flow(Do::Swap { .. }, Saw::Swapped(_)) | What::Half(Do::Import) => match row {
            // To a former login of the same user: to a later one it would be over.
            Some(Stored::Pair(pair))
                if pair.family() != lost.family() && step.what == What::Half(Do::Import) =>
            {
                match machine.is_some_and(|here| here.ours == Some(pair)) {
                    true => Event::Dropped,
                    // The official CLI stored a former login after it.
                    false if pair.generation() == 0 => return None,
                    false => Event::NeighbourOutdatedTheLogin,
                }
            }
            Some(Stored::Null) if step.what != What::Half(Do::Import) => Event::Dropped,
            row if has_neighbour(world) => by_neighbour(row),
            _ => Event::Dropped,
        },
        _ => Event::Dropped,
    })
}

fn by_neighbour(row: Option<Stored>) -> Event {
    match row {
        Some(Stored::Null) => Event::NeighbourClearedTheRow,
        Some(Stored::Deleted) => Event::NeighbourDeletedTheRow,
        _ => Event::NeighbourWroteOlderTokens,
    }
}

fn grace_over(world: &World, before: &State, lost: Pair) -> Event {
    let machines = &before.machines[..world.machines];
    let is_known = |pair| machines.iter().any(|here| here.intent == Some(pair));
    if has_neighbour(world) && !lost.previous().is_some_and(is_known) {
        return Event::NeighbourWroteOlderTokens;
    }
    let paused = |pause| before.machines.iter().any(|here| here.pause == pause);
    let stands = |live: &Live| live.motion != Motion::Running || live.slow;
    if paused(Paused::Long) {
        Event::PauseOutlastsTheGrace
    } else if paused(Paused::Answered) {
        Event::PausedBeyondTheGrace
    } else if before.living().any(|(_, live)| stands(live))
        || before.machines.iter().any(|here| here.down)
    {
        Event::StalledBeyondTheGrace
    } else {
        Event::NobodyCameWithinTheGrace
    }
}

fn has_neighbour(world: &World) -> bool {
    world.programs.iter().any(|(kind, _)| !kind.is_ours())
}
