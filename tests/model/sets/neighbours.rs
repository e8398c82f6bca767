//! Programs of ours beside the official CLI.

use super::Case;
use crate::promises::events::Event::{
    AnswerLost, BothProgramsPosted, ErrorInsteadOfAnswer, KilledBeforeCommit,
    NeighbourClearedTheRow, NeighbourDeletedTheRow, NeighbourKilled, NeighbourLostItsAnswer,
    NeighbourRevivedTheSession, NeighbourStoredLate, NeighbourWroteOlderTokens,
    NobodyCameWithinTheGrace, PausedBeyondTheGrace, RequestOutlivedItsSender,
    StalledBeyondTheGrace,
};
use crate::world::config::Kind::{Cli045, Cli049, CliLogin, CliLogout, Force, Get, Login, Logout};
use crate::world::config::{Budget, NO_FAULTS, World};

/// The official CLI refreshes, logs in and logs out.
pub(crate) fn neighbours() -> Vec<Case> {
    vec![
        World::new("0.49 refreshes", &[Get, Force, Cli049]).expects(
            &[NeighbourClearedTheRow],
            &[BothProgramsPosted, NeighbourWroteOlderTokens],
            &[BothProgramsPosted],
        ),
        World::new("0.45 refreshes", &[Get, Force, Cli045]).expects(
            &[NeighbourDeletedTheRow],
            &[BothProgramsPosted, NeighbourWroteOlderTokens],
            &[BothProgramsPosted],
        ),
        World::new("0.49 refreshes, slow or frozen", &[Get, Get, Cli049])
            .faults(Budget {
                slow: 1,
                freeze: 1,
                ..NO_FAULTS
            })
            .expects(
                &[NeighbourClearedTheRow, NeighbourStoredLate],
                &[BothProgramsPosted],
                &[BothProgramsPosted],
            ),
        World::new("0.45 refreshes, slow", &[Get, Get, Cli045])
            .faults(Budget {
                slow: 1,
                ..NO_FAULTS
            })
            .expects(
                &[NeighbourDeletedTheRow, NeighbourStoredLate],
                &[BothProgramsPosted],
                &[BothProgramsPosted],
            ),
        World::new(
            "0.49 refreshes, kills and lost answers",
            &[Get, Get, Cli049],
        )
        .faults(Budget {
            kill: 1,
            lose: 1,
            ..NO_FAULTS
        })
        .expects(
            &[
                KilledBeforeCommit,
                AnswerLost,
                RequestOutlivedItsSender,
                NeighbourKilled,
                NeighbourLostItsAnswer,
                NeighbourClearedTheRow,
            ],
            &[
                NobodyCameWithinTheGrace,
                RequestOutlivedItsSender,
                NeighbourWroteOlderTokens,
            ],
            &[
                KilledBeforeCommit,
                AnswerLost,
                RequestOutlivedItsSender,
                BothProgramsPosted,
                NeighbourKilled,
                NeighbourLostItsAnswer,
            ],
        ),
        World::new(
            "0.45 refreshes, kills and lost answers",
            &[Get, Get, Cli045],
        )
        .faults(Budget {
            kill: 1,
            lose: 1,
            ..NO_FAULTS
        })
        .expects(
            &[
                KilledBeforeCommit,
                AnswerLost,
                RequestOutlivedItsSender,
                NeighbourKilled,
                NeighbourLostItsAnswer,
                NeighbourDeletedTheRow,
            ],
            &[
                NobodyCameWithinTheGrace,
                RequestOutlivedItsSender,
                NeighbourWroteOlderTokens,
            ],
            &[
                KilledBeforeCommit,
                AnswerLost,
                RequestOutlivedItsSender,
                BothProgramsPosted,
                NeighbourKilled,
                NeighbourLostItsAnswer,
            ],
        ),
        World::new("0.49 refreshes, we log out", &[Get, Logout, Cli049])
            .faults(Budget {
                slow: 1,
                ..NO_FAULTS
            })
            .expects(
                &[NeighbourClearedTheRow, NeighbourStoredLate],
                &[BothProgramsPosted],
                &[BothProgramsPosted],
            ),
        World::new("0.45 refreshes, we log out", &[Get, Logout, Cli045])
            .faults(Budget {
                slow: 1,
                ..NO_FAULTS
            })
            .expects(
                &[
                    NeighbourDeletedTheRow,
                    NeighbourRevivedTheSession,
                    NeighbourStoredLate,
                ],
                &[BothProgramsPosted, NeighbourRevivedTheSession],
                &[BothProgramsPosted, NeighbourRevivedTheSession],
            ),
        World::new("0.49 refreshes, we log in", &[Get, Login, Cli049])
            .faults(Budget {
                slow: 1,
                ..NO_FAULTS
            })
            .expects(
                &[
                    NeighbourClearedTheRow,
                    NeighbourWroteOlderTokens,
                    NeighbourStoredLate,
                ],
                &[
                    BothProgramsPosted,
                    NeighbourClearedTheRow,
                    NeighbourWroteOlderTokens,
                ],
                &[
                    BothProgramsPosted,
                    NeighbourClearedTheRow,
                    NeighbourWroteOlderTokens,
                ],
            ),
        World::new("0.49 refreshes, the database is away", &[Get, Cli049])
            .faults(Budget {
                down: 1,
                disturb: 1,
                ..NO_FAULTS
            })
            .expects(
                &[
                    ErrorInsteadOfAnswer,
                    RequestOutlivedItsSender,
                    NeighbourLostItsAnswer,
                    NeighbourClearedTheRow,
                ],
                &[
                    ErrorInsteadOfAnswer,
                    NobodyCameWithinTheGrace,
                    StalledBeyondTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourLostItsAnswer,
                    NeighbourWroteOlderTokens,
                ],
                &[
                    ErrorInsteadOfAnswer,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourLostItsAnswer,
                ],
            ),
        World::new("two of 0.49 refresh", &[Get, Cli049, Cli049]).expects(
            &[NeighbourClearedTheRow, NeighbourStoredLate],
            &[BothProgramsPosted, NeighbourWroteOlderTokens],
            &[BothProgramsPosted],
        ),
        World::new("it logs in and out", &[Get, Force, CliLogin, CliLogout]).expects_nothing(),
        World::new("both log in, the database is away", &[Get, Login, CliLogin])
            .faults(Budget {
                down: 1,
                refuse: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new(
            "we log in, it logs out, the database is away",
            &[Get, Login, CliLogout],
        )
        .faults(Budget {
            down: 1,
            refuse: 1,
            ..NO_FAULTS
        })
        .expects_nothing(),
        World::new(
            "0.49 is killed, it logs in, the database is away",
            &[Get, Cli049, CliLogin],
        )
        .faults(Budget {
            kill: 1,
            down: 1,
            ..NO_FAULTS
        })
        .expects(
            &[
                KilledBeforeCommit,
                RequestOutlivedItsSender,
                NeighbourKilled,
                NeighbourClearedTheRow,
                NeighbourWroteOlderTokens,
            ],
            &[
                KilledBeforeCommit,
                NobodyCameWithinTheGrace,
                StalledBeyondTheGrace,
                RequestOutlivedItsSender,
                BothProgramsPosted,
                NeighbourKilled,
                NeighbourClearedTheRow,
                NeighbourWroteOlderTokens,
            ],
            &[
                KilledBeforeCommit,
                RequestOutlivedItsSender,
                BothProgramsPosted,
                NeighbourKilled,
                NeighbourClearedTheRow,
                NeighbourWroteOlderTokens,
            ],
        ),
        World::new(
            "0.45 refreshes, its answers and ours are errors",
            &[Get, Force, Cli045],
        )
        .faults(Budget {
            disturb: 1,
            slow: 1,
            ..NO_FAULTS
        })
        .expects(
            &[
                ErrorInsteadOfAnswer,
                RequestOutlivedItsSender,
                NeighbourLostItsAnswer,
                NeighbourDeletedTheRow,
                NeighbourStoredLate,
            ],
            &[
                ErrorInsteadOfAnswer,
                NobodyCameWithinTheGrace,
                StalledBeyondTheGrace,
                PausedBeyondTheGrace,
                RequestOutlivedItsSender,
                BothProgramsPosted,
                NeighbourLostItsAnswer,
                NeighbourWroteOlderTokens,
            ],
            &[
                ErrorInsteadOfAnswer,
                RequestOutlivedItsSender,
                BothProgramsPosted,
                NeighbourLostItsAnswer,
            ],
        ),
    ]
}
