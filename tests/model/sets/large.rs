//! The large set.

use super::Case;
use crate::promises::events::Event::{
    AnswerLost, BothProgramsPosted, DatabaseWasCopied, ErrorInsteadOfAnswer, KilledBeforeCommit,
    NeighbourClearedTheRow, NeighbourDeletedTheRow, NeighbourKilled, NeighbourLostItsAnswer,
    NeighbourStoredLate, NeighbourWroteOlderTokens, NobodyCameWithinTheGrace, PausedBeyondTheGrace,
    PowerCutBeforeCommit, RequestOutlivedItsSender, StalledBeyondTheGrace,
};
use crate::world::config::Kind::{
    Cli045, Cli049, CliLogin, Erase, Force, Get, Login, Logout, Status,
};
use crate::world::config::{Budget, NO_FAULTS, RightClient, World};

/// Much at once: minutes, and a gigabyte of memory.
pub(crate) fn large() -> Vec<Case> {
    vec![
        World::new("large: no faults, 0.49", &[Get, Get, Force, Cli049]).expects(
            &[NeighbourClearedTheRow],
            &[BothProgramsPosted, NeighbourWroteOlderTokens],
            &[BothProgramsPosted],
        ),
        World::new("large: no faults, 0.45", &[Get, Get, Force, Cli045]).expects(
            &[NeighbourDeletedTheRow],
            &[BothProgramsPosted, NeighbourWroteOlderTokens],
            &[BothProgramsPosted],
        ),
        World::new("large: logout", &[Get, Get, Force, Logout])
            .faults(Budget {
                kill: 2,
                lose: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, AnswerLost, RequestOutlivedItsSender],
                &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
            ),
        World::new("large: login and logout", &[Get, Force, Login, Logout])
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
            "large: login, logout, no database, power cuts",
            &[Get, Login, Logout],
        )
        .faults(Budget {
            kill: 1,
            power: 1,
            down: 1,
            refuse: 1,
            ..NO_FAULTS
        })
        .expects_but_with_grace(
            &[
                KilledBeforeCommit,
                PowerCutBeforeCommit,
                RequestOutlivedItsSender,
            ],
            &[
                KilledBeforeCommit,
                PowerCutBeforeCommit,
                NobodyCameWithinTheGrace,
                StalledBeyondTheGrace,
            ],
        ),
        World::new(
            "large: a commit reported as failed, frozen",
            &[Get, Login, Logout],
        )
        .faults(Budget {
            ambiguous: 1,
            freeze: 1,
            down: 1,
            refuse: 1,
            ..NO_FAULTS
        })
        .expects_nothing(),
        World::new("large: 0.49 and a logout", &[Get, Force, Cli049, Logout])
            .faults(Budget {
                kill: 1,
                lose: 1,
                slow: 1,
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
                    NeighbourStoredLate,
                ],
                &[
                    KilledBeforeCommit,
                    AnswerLost,
                    NobodyCameWithinTheGrace,
                    StalledBeyondTheGrace,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourKilled,
                    NeighbourLostItsAnswer,
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
        World::new("large: 0.45 and a login", &[Get, Force, Cli045, Login])
            .faults(Budget {
                kill: 1,
                lose: 1,
                slow: 1,
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
                    NeighbourWroteOlderTokens,
                    NeighbourStoredLate,
                ],
                &[
                    KilledBeforeCommit,
                    AnswerLost,
                    NobodyCameWithinTheGrace,
                    StalledBeyondTheGrace,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourKilled,
                    NeighbourLostItsAnswer,
                    NeighbourDeletedTheRow,
                    NeighbourWroteOlderTokens,
                ],
                &[
                    KilledBeforeCommit,
                    AnswerLost,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourKilled,
                    NeighbourLostItsAnswer,
                    NeighbourDeletedTheRow,
                    NeighbourWroteOlderTokens,
                    NeighbourStoredLate,
                ],
            ),
        World::new("large: an unreliable network", &[Get, Get, Force, Status])
            .faults(Budget {
                lose: 2,
                disturb: 1,
                slow: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, ErrorInsteadOfAnswer, RequestOutlivedItsSender],
                &[
                    AnswerLost,
                    ErrorInsteadOfAnswer,
                    NobodyCameWithinTheGrace,
                    StalledBeyondTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new(
            "large: an unreliable network and no workers",
            &[Get, Status, Force],
        )
        .faults(Budget {
            kill: 1,
            lose: 1,
            disturb: 1,
            offline: 1,
            no_worker: 1,
            ..NO_FAULTS
        })
        .expects_but_with_grace(
            &[
                KilledBeforeCommit,
                AnswerLost,
                ErrorInsteadOfAnswer,
                RequestOutlivedItsSender,
            ],
            &[
                NobodyCameWithinTheGrace,
                PausedBeyondTheGrace,
                RequestOutlivedItsSender,
            ],
        ),
        World::new("large: a copy and 0.49", &[Get, Get, Force, Cli049])
            .copied()
            .faults(Budget {
                lose: 1,
                slow: 1,
                ..NO_FAULTS
            })
            .expects(
                &[
                    AnswerLost,
                    RequestOutlivedItsSender,
                    NeighbourLostItsAnswer,
                    NeighbourClearedTheRow,
                    NeighbourStoredLate,
                ],
                &[
                    AnswerLost,
                    StalledBeyondTheGrace,
                    RequestOutlivedItsSender,
                    DatabaseWasCopied,
                    NeighbourLostItsAnswer,
                    NeighbourWroteOlderTokens,
                ],
                &[
                    AnswerLost,
                    RequestOutlivedItsSender,
                    DatabaseWasCopied,
                    NeighbourLostItsAnswer,
                ],
            ),
        World::new(
            "large: 0.49, a login by the official CLI, no database",
            &[Get, Erase, Cli049, CliLogin],
        )
        .faults(Budget {
            kill: 1,
            freeze: 1,
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
                NeighbourStoredLate,
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
        World::new("large: guessed clients", &[Get, Force, Cli049])
            .client(RightClient::Second)
            .faults(Budget {
                kill: 1,
                lose: 1,
                disturb: 1,
                ..NO_FAULTS
            })
            .expects(
                &[
                    KilledBeforeCommit,
                    AnswerLost,
                    ErrorInsteadOfAnswer,
                    RequestOutlivedItsSender,
                    NeighbourKilled,
                    NeighbourLostItsAnswer,
                    NeighbourClearedTheRow,
                ],
                &[
                    NobodyCameWithinTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourWroteOlderTokens,
                ],
                &[
                    KilledBeforeCommit,
                    AnswerLost,
                    ErrorInsteadOfAnswer,
                    RequestOutlivedItsSender,
                    BothProgramsPosted,
                    NeighbourKilled,
                    NeighbourLostItsAnswer,
                ],
            ),
    ]
}
