//! Databases that refuse writes, recovery files, and power failures.

use super::Case;
use crate::promises::events::Event::{
    AnswerLost, BothProgramsPosted, KilledBeforeCommit, NeighbourClearedTheRow,
    NeighbourOutdatedTheLogin, NeighbourWroteOlderTokens, NobodyCameWithinTheGrace,
    PowerCutBeforeCommit, RequestOutlivedItsSender, StalledBeyondTheGrace,
};
use crate::world::config::Kind::{Cli049, Force, Get, Login, Logout};
use crate::world::config::{Budget, NO_FAULTS, World};

/// Databases that refuse, and recovery files.
pub(crate) fn databases_and_files() -> Vec<Case> {
    vec![
        World::new("a database that is away", &[Get, Force, Logout])
            .faults(Budget {
                down: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new(
            "a database that is away, and a logout that is refused",
            &[Get, Logout],
        )
        .faults(Budget {
            down: 1,
            refuse: 1,
            ambiguous: 1,
            ..NO_FAULTS
        })
        .expects_nothing(),
        World::new(
            "a database that is away, and a login",
            &[Get, Login, Logout],
        )
        .faults(Budget {
            down: 1,
            refuse: 1,
            ..NO_FAULTS
        })
        .expects_nothing(),
        World::new("a database that is away twice, and a login", &[Get, Login])
            .faults(Budget {
                down: 2,
                freeze: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new("a commit that is reported as failed", &[Get, Force, Login])
            .faults(Budget {
                ambiguous: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new("a database that is away, and a kill", &[Get, Get, Logout])
            .faults(Budget {
                kill: 1,
                down: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, RequestOutlivedItsSender],
                &[
                    KilledBeforeCommit,
                    NobodyCameWithinTheGrace,
                    StalledBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new("a login that is kept, and a kill", &[Force, Login, Logout])
            .faults(Budget {
                kill: 1,
                lose: 1,
                refuse: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, AnswerLost, RequestOutlivedItsSender],
                &[
                    KilledBeforeCommit,
                    NobodyCameWithinTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new(
            "0.49 refreshes, we log in, the lock is away",
            &[Login, Cli049, Get],
        )
        .faults(Budget {
            refuse: 1,
            ..NO_FAULTS
        })
        .expects(
            &[
                NeighbourClearedTheRow,
                NeighbourWroteOlderTokens,
                NeighbourOutdatedTheLogin,
            ],
            &[NeighbourWroteOlderTokens, NeighbourOutdatedTheLogin],
            &[
                BothProgramsPosted,
                NeighbourClearedTheRow,
                NeighbourWroteOlderTokens,
                NeighbourOutdatedTheLogin,
            ],
        ),
    ]
}

/// Machines that lose power.
pub(crate) fn power_cuts() -> Vec<Case> {
    vec![
        World::new("a power cut and recovery files", &[Get, Get, Logout])
            .faults(Budget {
                power: 1,
                down: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[PowerCutBeforeCommit, RequestOutlivedItsSender],
                &[
                    PowerCutBeforeCommit,
                    NobodyCameWithinTheGrace,
                    StalledBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new("power cuts and a login", &[Get, Login, Logout])
            .faults(Budget {
                power: 2,
                refuse: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[PowerCutBeforeCommit, RequestOutlivedItsSender],
                &[PowerCutBeforeCommit, NobodyCameWithinTheGrace],
            ),
        World::new("power cuts, recovery files and a login", &[Login, Logout])
            .faults(Budget {
                power: 2,
                down: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(&[PowerCutBeforeCommit], &[PowerCutBeforeCommit]),
        World::new(
            "a login's recovery file that comes back",
            &[Get, Force, Login],
        )
        .faults(Budget {
            power: 1,
            refuse: 1,
            ..NO_FAULTS
        })
        .expects_but_with_grace(
            &[PowerCutBeforeCommit, RequestOutlivedItsSender],
            &[
                PowerCutBeforeCommit,
                NobodyCameWithinTheGrace,
                RequestOutlivedItsSender,
            ],
        ),
    ]
}
