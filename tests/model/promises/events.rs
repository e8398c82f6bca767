//! The events to detect: every way in which a login is lost, and every broken promise.

/// In the order of the table in `docs/refresh-protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    // No client can prevent these.
    /// A process is killed between the server's grant and the commit.
    KilledBeforeCommit,
    /// The machine loses power in between.
    PowerCutBeforeCommit,
    /// The answer with the grant never comes.
    AnswerLost,
    /// The server granted and then answered with an error.
    ErrorInsteadOfAnswer,
    /// An answer was lost, and nobody asked again before the grace was over.
    NobodyCameWithinTheGrace,
    /// The same, because a process stood still, or the network or the database was slow.
    StalledBeyondTheGrace,
    /// The same, because the server had asked for a pause.
    PausedBeyondTheGrace,
    /// The server acts on a request when its sender no longer listens.
    RequestOutlivedItsSender,
    /// Two programs without a common lock posted one pair, and the server revoked the login for that.
    BothProgramsPosted,
    /// Two copies of one database, and the server revoked the login when the second one was used.
    DatabaseWasCopied,
    /// The official CLI is killed with a grant in its memory.
    NeighbourKilled,
    /// Its answer is lost.
    NeighbourLostItsAnswer,
    /// It removes the tokens after a race.
    NeighbourClearedTheRow,
    /// It removes the row after a race.
    NeighbourDeletedTheRow,
    /// It writes older tokens over newer ones.
    NeighbourWroteOlderTokens,
    /// It writes a session back after a logout.
    NeighbourRevivedTheSession,
    /// It needed longer to store its grant than we wait before we say that the session has ended.
    NeighbourStoredLate,
    /// While a login waits in a recovery file, it refreshes a former one, whose tokens then count as newer.
    NeighbourOutdatedTheLogin,

    // These must not happen.
    /// A login lost in a step for which there is no better name.
    Dropped,
    AnswerAfterTimeout,
    FrozenAnswerThrownAway,
    PauseOutlastsTheGrace,
    NeighbourDropsBecauseWeCleared,
    GrantStoredNowhere,
    LivingPairRejected,
    OwnReplay,
    /// S2
    PostedWithoutIntent,
    SpentPairWithoutIntent,
    PostedWithoutLock,
    FreshPairPosted,
    /// S4
    BackAfterLogout,
    FileAfterLogout,
    /// S5
    OlderTokensOverNewer,
    /// S6
    Stuck,
    Endless,
    RequestByCaller,
    /// S7
    SaysEndedThoughALivingPairIsThere,
    SaysRejectedThoughInterrupted,
    SaysInterruptedThoughSomebodyElseSpentIt,
    /// S8
    PostedDuringAPause,
}

impl Event {
    /// Whether a client could prevent it.
    pub(crate) fn is_a_fault(self) -> bool {
        self >= Event::Dropped
    }
}
