//! Copied databases, and client ids that have to be guessed.

use super::Case;
use crate::promises::events::Event::{
    AnswerLost, BothProgramsPosted, DatabaseWasCopied, ErrorInsteadOfAnswer, KilledBeforeCommit,
    NeighbourClearedTheRow, NobodyCameWithinTheGrace, PausedBeyondTheGrace,
    RequestOutlivedItsSender,
};
use crate::world::config::Kind::{Cli049, Force, Get};
use crate::world::config::{Budget, NO_FAULTS, RightClient, World};

/// Two machines with copies of one database.
pub(crate) fn copies() -> Vec<Case> {
    vec![
        World::new("a copy", &[Get, Get, Force]).copied().expects(
            &[],
            &[DatabaseWasCopied],
            &[DatabaseWasCopied],
        ),
        World::new("a copy and a lost answer", &[Get, Get, Force])
            .copied()
            .faults(Budget {
                lose: 1,
                ..NO_FAULTS
            })
            .expects(
                &[AnswerLost, RequestOutlivedItsSender],
                &[RequestOutlivedItsSender, DatabaseWasCopied],
                &[AnswerLost, RequestOutlivedItsSender, DatabaseWasCopied],
            ),
        World::new("a copy and an error for an answer", &[Get, Get, Get])
            .copied()
            .faults(Budget {
                disturb: 1,
                ..NO_FAULTS
            })
            .expects(
                &[ErrorInsteadOfAnswer, RequestOutlivedItsSender],
                &[
                    NobodyCameWithinTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                    DatabaseWasCopied,
                ],
                &[
                    ErrorInsteadOfAnswer,
                    RequestOutlivedItsSender,
                    DatabaseWasCopied,
                ],
            ),
        World::new("a copy and the official CLI", &[Get, Get, Cli049])
            .copied()
            .expects(
                &[NeighbourClearedTheRow],
                &[DatabaseWasCopied],
                &[DatabaseWasCopied],
            ),
    ]
}

/// Pairs whose client id was not recorded.
pub(crate) fn clients() -> Vec<Case> {
    vec![
        World::new("the first guess is right", &[Get, Get])
            .client(RightClient::First)
            .faults(Budget {
                lose: 1,
                disturb: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, ErrorInsteadOfAnswer, RequestOutlivedItsSender],
                &[
                    NobodyCameWithinTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new("the second guess is right", &[Get, Get])
            .client(RightClient::Second)
            .faults(Budget {
                lose: 1,
                disturb: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, ErrorInsteadOfAnswer, RequestOutlivedItsSender],
                &[
                    NobodyCameWithinTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new(
            "the second guess is right, a kill, no network",
            &[Get, Force],
        )
        .client(RightClient::Second)
        .faults(Budget {
            kill: 1,
            offline: 1,
            ..NO_FAULTS
        })
        .expects_but_with_grace(
            &[KilledBeforeCommit, RequestOutlivedItsSender],
            &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
        ),
        World::new(
            "the second guess is right, 0.49 refreshes",
            &[Get, Get, Cli049],
        )
        .client(RightClient::Second)
        .faults(Budget {
            slow: 1,
            ..NO_FAULTS
        })
        .expects(
            &[NeighbourClearedTheRow],
            &[BothProgramsPosted],
            &[BothProgramsPosted],
        ),
        World::new("no guess is right", &[Get, Get])
            .client(RightClient::Neither)
            .faults(Budget {
                lose: 1,
                disturb: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new("the only guess is wrong", &[Get, Force])
            .client(RightClient::NotTheOne)
            .faults(Budget {
                lose: 1,
                offline: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
    ]
}
