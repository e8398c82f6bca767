//! How a flow ends.

/// How a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Conclusion {
    /// The token in the row can be handed out.
    Current,
    /// The same, and it is new.
    Refreshed,
    /// A login is stored, or a logout done.
    Done,
    /// The token was not refreshed: hand out the old one while it lives.
    Stale(Obstacle),
    /// There is no token now; the session is kept.
    Unavailable(Obstacle),
    /// Only a login helps.
    LoginRequired(LoginReason),
}

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Obstacle {
    /// Another process has the lock.
    Contended,
    /// The lock cannot be taken.
    NoLock,
    /// A recovery file cannot be imported.
    Import,
    /// The row cannot be read, or marked.
    Unreadable,
    /// The next try may not be yet.
    Paused,
    /// No client id is known.
    NoClient,
    /// The server did not say whether it accepts the token.
    Unchecked,
    /// The intent cannot be written.
    Intent,
    /// The server answered with an OAuth error that says nothing about the pair.
    OAuthError,
    /// The client ids that were tried were only guesses.
    GuessedClient,
    /// The server or something in between failed.
    Disturbed,
    /// No whole answer came.
    AnswerLost,
    /// The request was not sent.
    NotSent,
    /// Another program changed the row, and its token has expired.
    Changed,
    /// The new pair is in a recovery file.
    Kept,
    /// The new pair could be written nowhere.
    GrantLost,
    /// The session could not be removed, or stored.
    Store,
    /// The worker said why.
    Reported,
    /// The worker died.
    WorkerDied,
    /// The worker is still waiting.
    WorkerSilent,
}

/// Why only a login helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LoginReason {
    /// The row is gone.
    LoggedOut,
    /// The row has no tokens.
    Cleared,
    /// The server rejected the pair, just now or earlier.
    Rejected,
    /// The same, after a refresh whose answer was not stored.
    Interrupted,
    /// An API token has expired.
    ApiTokenExpired,
    /// The server refuses an API token.
    ApiTokenRefused,
    /// The worker said why.
    Reported,
}

/// What a worker tells its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// The row has a token that can be handed out, and whether the worker put it there.
    Usable {
        /// By this refresh.
        refreshed: bool,
    },
    /// As [`Conclusion::Stale`].
    Stale,
    /// As [`Conclusion::Unavailable`].
    Unavailable,
    /// As [`Conclusion::LoginRequired`].
    LoginRequired,
}
