//! How a flow ends.
//!
//! Separate from the steps because callers and workers exchange these values.

/// How a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Conclusion {
    /// The token in the row is usable.
    Current,
    /// The same, after a refresh.
    Refreshed,
    /// The login is stored, or the logout is done.
    Done,
    /// The token was not refreshed; the old one is usable while it is valid.
    Stale(Obstacle),
    /// No token is available now; the session is stored.
    Unavailable(Obstacle),
    /// Only a login helps.
    LoginRequired(LoginReason),
}

/// What prevented the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Obstacle {
    /// Another process holds the lock.
    Contended,
    /// The lock cannot be acquired.
    NoLock,
    /// A recovery file cannot be imported.
    Import,
    /// The row cannot be read, or cannot be marked.
    Unreadable,
    /// The next attempt is not allowed yet.
    Paused,
    /// No client id is known.
    NoClient,
    /// The server did not report whether it accepts the token.
    Unchecked,
    /// The intent cannot be written.
    Intent,
    /// The server answered with an OAuth error that does not concern the pair.
    OAuthError,
    /// The client ids that were used were only guesses.
    GuessedClient,
    /// The server, or something between it and this machine, failed.
    Disturbed,
    /// No complete answer arrived.
    AnswerLost,
    /// The request was not sent.
    NotSent,
    /// Another program changed the row, and its token has expired.
    Changed,
    /// The new pair is in a recovery file.
    Kept,
    /// The new pair could not be written anywhere.
    GrantLost,
    /// The session could not be removed, or stored.
    Store,
    /// The worker reported the reason.
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
    /// The worker reported the reason.
    Reported,
}

/// What a worker reports to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// The row has a usable token; whether this worker put it there.
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
