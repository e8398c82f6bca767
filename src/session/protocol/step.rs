//! The steps of a flow, and what they can meet.
//!
//! Separate from the flow because these are plain values that a performer and a model share.

use super::conclusion::{Conclusion, Outcome};

/// A step to perform. Each is answered with one [`Saw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Do<P> {
    /// Read the row without the lock.
    Look,
    /// Acquire the lock if it is free.
    TryLock,
    /// Sleep for a while, unless the time limit is used up.
    Wait(WaitLimit),
    /// Import the recovery files, if there are any.
    Import,
    /// Read the row, holding the lock.
    Read,
    /// Pass the lock to a worker, which continues from [`Flow::worker`](super::Flow::worker), and wait for its
    /// [`Outcome`].
    Delegate,
    /// Check whether the server accepts the pair's access token.
    Check(P),
    /// Record that the server accepts it.
    Trust(P),
    /// Commit that this pair is about to be posted.
    Intend(P),
    /// Post the pair's refresh token.
    Post(P, Candidate),
    /// Replace `old` by `new` in the row, by the rule of [`swap`].
    Swap {
        /// The pair that was posted.
        old: P,
        /// The pair that was granted for it.
        new: P,
    },
    /// Store the pair of a login as the active session.
    Store(P),
    /// Write the pair to a recovery file, because the database cannot be written.
    Keep {
        /// The pair that it replaces; `None` for a login.
        old: Option<P>,
        /// The pair that was granted.
        new: P,
    },
    /// Read the row until it changes, for as long as another program may need to store the tokens it was granted.
    Settle(P),
    /// Mark the pair as rejected by the server, if it is still in the row.
    Reject(P),
    /// Record when the next attempt is allowed, and whether the intent is withdrawn.
    Pause(Pause, Intent),
    /// Remove the session: its recovery files, then its row.
    Remove,
    /// End the flow.
    End(Conclusion),
}

/// What a step met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Saw<P> {
    /// The row.
    Row(Row<P>),
    /// There is no row.
    NoRow,
    /// The step was done.
    Done,
    /// The store, the disk or the file system refused; nothing was changed.
    Refused,
    /// The lock is acquired.
    Locked,
    /// Another process holds the lock.
    Contended,
    /// The time limit is used up.
    TimedOut,
    /// The server accepts the access token.
    Accepted,
    /// The server rejects it (401).
    Unauthorized,
    /// The server granted this pair.
    Granted(P),
    /// `invalid_grant`.
    InvalidGrant,
    /// `invalid_client`.
    InvalidClient,
    /// Another OAuth error code.
    OAuthError,
    /// An answer that is not OAuth's, or a 429 or 5xx; whether the server may have acted on the request.
    Disturbed(Acted),
    /// The request was sent, and no complete answer arrived.
    AnswerLost,
    /// The request was not sent.
    NotSent,
    /// There is no such client id.
    NoClient,
    /// What the swap met.
    Swapped(Swap),
    /// The worker's outcome.
    Reported(Outcome),
    /// No worker can be started: the caller performs the exchange, and still holds the lock.
    NoWorker,
    /// The worker exited without a report.
    WorkerDied,
    /// The worker takes longer than its parent waits.
    WorkerSilent,
}

/// A session's row, reduced to what the decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row<P> {
    /// `None`: both tokens are NULL, or the server rejected the pair.
    pub(crate) pair: Option<P>,
    /// State of the access token.
    pub(crate) access: Access,
    /// Whether there is a refresh token.
    pub(crate) refreshable: bool,
    /// A refresh of this pair was begun, and its outcome is unknown.
    pub(crate) intent: bool,
    /// There is a pair, and the server rejected it.
    pub(crate) rejected: bool,
    /// The next attempt is not allowed yet.
    pub(crate) paused: bool,
    /// The client id that the pair belongs to.
    pub(crate) client: ClientId,
}

/// State of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Valid as far as is known.
    Fresh,
    /// Valid, and due for a refresh.
    ExpiresSoon,
    /// Valid by the clock, but a client reported it as refused.
    Suspect,
    /// Expired.
    Expired,
}

/// What is known about the client id of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClientId {
    /// It was recorded at the login.
    Recorded,
    /// Another program stored the pair without it, so it is guessed.
    Guessed,
    /// There is none to guess.
    Missing,
}

/// Which client id to post with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Candidate {
    /// The recorded one.
    Recorded,
    /// The likelier guess.
    First,
    /// The other guess.
    Second,
}

/// Whether a server may have acted on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Acted {
    /// It may.
    Perhaps,
    /// It did not.
    No,
}

/// How long to wait for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WaitLimit {
    /// The current token still works.
    Short,
    /// No other token is usable.
    Long,
    /// Granted tokens are to be stored.
    Commit,
}

/// How soon the next attempt is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pause {
    /// The answer was lost: retry within the server's grace period.
    Short,
    /// The server answered: retrying sooner would not help.
    Long,
}

/// What happens to the intent when an attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Intent {
    /// It stays: the pair may be spent.
    Stays,
    /// It is withdrawn: nothing was spent.
    Withdrawn,
}

/// What a swap of tokens meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Swap {
    /// The new pair is stored.
    Stored,
    /// The row is gone: a logout won.
    Gone,
    /// Another pair is stored: another login or refresh won.
    Superseded,
}

/// The rule for replacing `old`; `row` is the pair in the row, or `None` if there is no row. NULLs are replaced too: a
/// program that lost a race at the server clears the spent pair, and ours is the only valid one.
pub(crate) fn swap<P: PartialEq>(row: Option<Option<P>>, old: &P) -> Swap {
    match row {
        None => Swap::Gone,
        Some(None) => Swap::Stored,
        Some(Some(pair)) if pair == *old => Swap::Stored,
        Some(Some(_)) => Swap::Superseded,
    }
}
