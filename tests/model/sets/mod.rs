//! The worlds to search, each with exactly the events that must be found in it.
//!
//! The small sets run with every `cargo test`; the large one is for changes to the protocol.

mod copies;
mod databases;
mod faults;
mod large;
mod neighbours;

use crate::promises::events::Event;
use crate::world::config::{Server, World};

pub(crate) use copies::{clients, copies};
pub(crate) use databases::{databases_and_files, power_cuts};
pub(crate) use faults::{killed_and_lost, slow_frozen_and_stopped, without_faults};
pub(crate) use large::large;
pub(crate) use neighbours::neighbours;

/// A world, and what is expected of it at each server.
pub(crate) struct Case {
    pub(crate) world: World,
    expected: [&'static [Event]; 3],
}

impl World {
    /// What is to be found, and nothing else: at a plain server, at one with a grace, at one that revokes.
    fn expects(
        self,
        plain: &'static [Event],
        grace: &'static [Event],
        revoking: &'static [Event],
    ) -> Case {
        Case {
            world: self,
            expected: [plain, grace, revoking],
        }
    }

    /// The same events at a plain server and at one that revokes; others at one with a grace.
    fn expects_but_with_grace(self, others: &'static [Event], grace: &'static [Event]) -> Case {
        self.expects(others, grace, others)
    }

    fn expects_nothing(self) -> Case {
        self.expects(&[], &[], &[])
    }
}

impl Case {
    pub(crate) fn expected(&self, server: Server) -> &'static [Event] {
        self.expected[server as usize]
    }
}

/// The worlds of the small sets.
pub(crate) fn small() -> Vec<Case> {
    let sets = [
        without_faults(),
        killed_and_lost(),
        slow_frozen_and_stopped(),
        databases_and_files(),
        power_cuts(),
        neighbours(),
        copies(),
        clients(),
    ];
    sets.into_iter().flatten().collect()
}
