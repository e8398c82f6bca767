//! Programs of ours, and faults.

use super::Case;
use crate::promises::events::Event::{
    AnswerLost, ErrorInsteadOfAnswer, KilledBeforeCommit, NobodyCameWithinTheGrace,
    PausedBeyondTheGrace, RequestOutlivedItsSender, StalledBeyondTheGrace,
};
use crate::protocol::Access;
use crate::world::config::Kind::{Erase, Force, Get, Login, Logout, Status};
use crate::world::config::{Budget, NO_FAULTS, World};

/// Programs of ours in every order.
pub(crate) fn without_faults() -> Vec<Case> {
    vec![
        World::new("helpers and a forced refresh", &[Get, Get, Force]).expects_nothing(),
        World::new("a token that expires soon", &[Get, Get, Force])
            .access(Access::ExpiresSoon)
            .expects_nothing(),
        World::new("a token that a host refused", &[Get, Get, Status, Erase])
            .access(Access::Fresh)
            .expects_nothing(),
        World::new(
            "an expired token that a host refused",
            &[Get, Status, Erase, Force],
        )
        .expects_nothing(),
        World::new("logout and login", &[Get, Force, Logout, Login]).expects_nothing(),
        World::new("two logins", &[Get, Status, Login, Login])
            .access(Access::ExpiresSoon)
            .expects_nothing(),
        World::new("four helpers", &[Get, Get, Get, Get]).expects_nothing(),
        World::new("two logouts", &[Get, Logout, Logout, Login]).expects_nothing(),
    ]
}

/// Processes that are killed, answers that never come, servers that fail, networks that are away.
pub(crate) fn killed_and_lost() -> Vec<Case> {
    vec![
        World::new("two kills", &[Get, Get, Force])
            .faults(Budget {
                kill: 2,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, RequestOutlivedItsSender],
                &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
            ),
        World::new("kills and a logout", &[Get, Force, Logout])
            .faults(Budget {
                kill: 2,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, RequestOutlivedItsSender],
                &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
            ),
        World::new("kills and a login", &[Get, Force, Login])
            .faults(Budget {
                kill: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, RequestOutlivedItsSender],
                &[
                    KilledBeforeCommit,
                    NobodyCameWithinTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new(
            "kills where no worker can be started",
            &[Get, Status, Erase],
        )
        .access(Access::Fresh)
        .faults(Budget {
            kill: 2,
            no_worker: 1,
            ..NO_FAULTS
        })
        .expects_but_with_grace(
            &[KilledBeforeCommit, RequestOutlivedItsSender],
            &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
        ),
        World::new("one lost answer", &[Get, Get])
            .faults(Budget {
                lose: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, RequestOutlivedItsSender],
                &[RequestOutlivedItsSender],
            ),
        World::new("two lost answers", &[Get, Get, Force])
            .faults(Budget {
                lose: 2,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, RequestOutlivedItsSender],
                &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
            ),
        World::new("a lost answer and no network", &[Get, Get, Status])
            .faults(Budget {
                lose: 1,
                offline: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, RequestOutlivedItsSender],
                &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
            ),
        World::new("an error for an answer", &[Get, Get])
            .faults(Budget {
                disturb: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[ErrorInsteadOfAnswer, RequestOutlivedItsSender],
                &[
                    NobodyCameWithinTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new("two errors for answers", &[Get, Get, Force])
            .faults(Budget {
                disturb: 2,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[ErrorInsteadOfAnswer, RequestOutlivedItsSender],
                &[
                    NobodyCameWithinTheGrace,
                    PausedBeyondTheGrace,
                    RequestOutlivedItsSender,
                ],
            ),
        World::new("a kill and a lost answer", &[Get, Get, Force])
            .faults(Budget {
                kill: 1,
                lose: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[KilledBeforeCommit, AnswerLost, RequestOutlivedItsSender],
                &[NobodyCameWithinTheGrace, RequestOutlivedItsSender],
            ),
    ]
}

/// Servers and processes that take their time.
pub(crate) fn slow_frozen_and_stopped() -> Vec<Case> {
    vec![
        World::new("slow answers", &[Get, Get, Force])
            .faults(Budget {
                slow: 2,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new("a slow answer and a lost one", &[Get, Get, Force])
            .faults(Budget {
                slow: 1,
                lose: 1,
                ..NO_FAULTS
            })
            .expects_but_with_grace(
                &[AnswerLost, RequestOutlivedItsSender],
                &[AnswerLost, StalledBeyondTheGrace, RequestOutlivedItsSender],
            ),
        World::new("processes that stand still for a while", &[Get, Get, Force])
            .faults(Budget {
                freeze: 1,
                ..NO_FAULTS
            })
            .expects_nothing(),
        World::new(
            "a process that is stopped permanently",
            &[Get, Login, Logout],
        )
        .faults(Budget {
            stop: 1,
            ..NO_FAULTS
        })
        .expects_nothing(),
        World::new(
            "processes that are stopped, some permanently",
            &[Get, Force],
        )
        .faults(Budget {
            freeze: 1,
            stop: 1,
            ..NO_FAULTS
        })
        .expects_nothing(),
    ]
}
