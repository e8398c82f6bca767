//! Reverts the repairs outside of the flows, one at a time: the model must detect each.

use crate::promises::events::Event;
use crate::search::search;
use crate::sets;
use crate::world::config::{Repair, SERVERS};

const NOTICED: [(Repair, &str, Event); 12] = [
    (Repair::NamesOnly, "two logouts", Event::BackAfterLogout),
    (
        Repair::ListensOn,
        "0.49 refreshes, we log out",
        Event::AnswerAfterTimeout,
    ),
    (
        Repair::ReadsOnceMore,
        "processes that stand still for a while",
        Event::FrozenAnswerThrownAway,
    ),
    (
        Repair::Mark,
        "0.49 refreshes, we log out",
        Event::NeighbourDropsBecauseWeCleared,
    ),
    (
        Repair::Perhaps,
        "a copy and an error for an answer",
        Event::SaysInterruptedThoughSomebodyElseSpentIt,
    ),
    (
        Repair::ParentLimit,
        "processes that are stopped, some permanently",
        Event::Stuck,
    ),
    (
        Repair::InheritedLock,
        "one lost answer",
        Event::PostedWithoutLock,
    ),
    (
        Repair::ImportCompares,
        "both log in, the database is away",
        Event::OlderTokensOverNewer,
    ),
    (
        Repair::ImportOnce,
        "a login's recovery file that comes back",
        Event::SpentPairWithoutIntent,
    ),
    (
        Repair::OwnFile,
        "a database that is away, and a login",
        Event::GrantStoredNowhere,
    ),
    (
        Repair::LogoutDiscards,
        "a database that is away, and a logout that is refused",
        Event::FileAfterLogout,
    ),
    (
        Repair::DurableDiscard,
        "a power cut and recovery files",
        Event::FileAfterLogout,
    ),
];

#[test]
fn a_repair_that_is_taken_back_is_noticed() {
    let cases = sets::small();
    for (repair, name, event) in NOTICED {
        let case = cases.iter().find(|case| case.world.name == name);
        let case = case.unwrap_or_else(|| panic!("no world {name}"));
        let is_noticed = SERVERS.into_iter().any(|server| {
            let world = case.world.clone().at(server).without(repair);
            search(&world).events.contains_key(&event)
        });
        assert!(
            is_noticed,
            "without {repair:?}, {name} does not show {event:?}"
        );
    }
}
