//! The steps of a flow and what they meet, as values.

use super::conclusion::{Conclusion, Outcome};

/// One step, for whoever runs the flow. Each is answered with one [`Saw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Do<P> {
    /// Read the row without the lock.
    Look,
    /// Take the lock if it is free.
    TryLock,
    /// Let some time pass, unless the wait_limit is used up.
    Wait(WaitLimit),
    /// Import the recovery files, if there are any.
    Import,
    /// Read the row, holding the lock.
    Read,
    /// Hand the lock to a worker, which goes on from [`Flow::worker`](super::Flow::worker), and wait for its [`Outcome`].
    Delegate,
    /// Ask the server whether it accepts the pair's access token.
    Check(P),
    /// Note that the server accepts it.
    Trust(P),
    /// Commit that this pair is about to be posted.
    Intend(P),
    /// Post the pair's refresh token.
    Post(P, Candidate),
    /// Replace `old` by `new` in the row, by the rule of [`swap`].
    Swap {
        /// What was posted.
        old: P,
        /// What was granted for it.
        new: P,
    },
    /// Store the pair of a login as the active session.
    Store(P),
    /// Write what the database would not take to a recovery file.
    Keep {
        /// What it replaces; `None` for a login.
        old: Option<P>,
        /// What was granted.
        new: P,
    },
    /// Read the row again for as long as another program may need to store what it was granted, or until it changes.
    Settle(P),
    /// Mark the pair as rejected by the server, if it is still in the row.
    Reject(P),
    /// Note when the next try may be, and whether the intent is taken back.
    Pause(Pause, Intent),
    /// Remove the session: its recovery files, and then its row.
    Remove,
    /// Nothing more: this is how it ended.
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
    /// The lock is ours.
    Locked,
    /// Another process has the lock.
    Contended,
    /// The wait_limit is used up.
    TimedOut,
    /// The server accepts the access token.
    Accepted,
    /// The server refuses it (401).
    Unauthorized,
    /// The server granted this pair.
    Granted(P),
    /// `invalid_grant`.
    InvalidGrant,
    /// `invalid_client`.
    InvalidClient,
    /// Another OAuth error code.
    OAuthError,
    /// An answer that is no OAuth answer, or a 429 or 5xx; the request may have been acted on or not.
    Disturbed(Acted),
    /// The request was sent, and no whole answer came.
    AnswerLost,
    /// The request was not sent.
    NotSent,
    /// There is no such client id.
    NoClient,
    /// What the swap met.
    Swapped(Swap),
    /// The worker's outcome.
    Reported(Outcome),
    /// No worker can be started: the caller does its work, and still has the lock.
    NoWorker,
    /// The worker ended without a word.
    WorkerDied,
    /// The worker takes longer than its parent waits.
    WorkerSilent,
}

/// A session's row, as far as these decisions care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row<P> {
    /// `None`: both tokens are NULL, or the server rejected the pair.
    pub(crate) pair: Option<P>,
    /// How the access token stands.
    pub(crate) access: Access,
    /// Whether there is a refresh token.
    pub(crate) refreshable: bool,
    /// A refresh of this pair was begun and its end is not known.
    pub(crate) intent: bool,
    /// There is a pair, and the server rejected it.
    pub(crate) rejected: bool,
    /// The next try may not be yet.
    pub(crate) paused: bool,
    /// Which client id the pair belongs to.
    pub(crate) client: ClientId,
}

/// How an access token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Good as far as is known.
    Fresh,
    /// Valid, and due for a refresh.
    ExpiresSoon,
    /// Valid by the clock, but a client reported it as refused.
    Suspect,
    /// Dead.
    Expired,
}

/// What is known about the client id of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClientId {
    /// It was noted at the login.
    Noted,
    /// Another program stored the pair without it: it is guessed.
    Guessed,
    /// There is none to guess.
    Missing,
}

/// Which client id to post with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Candidate {
    /// The noted one.
    Noted,
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

/// How long a lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WaitLimit {
    /// The token at hand still works.
    Short,
    /// There is nothing else to use.
    Long,
    /// A grant is to be stored.
    Commit,
}

/// How soon the next try may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pause {
    /// The answer was lost: within the grace that a server may give.
    Short,
    /// The server answered; a new try too soon would not help.
    Long,
}

/// What becomes of the intent when a try has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Intent {
    /// The pair may be spent.
    Stays,
    /// Nothing was spent.
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

/// The one rule for replacing `old`: `row` is the pair in the row, or `None` where there is no row. NULLs are replaced
/// too: a program that lost a race at the server clears the spent pair, and ours is the only living one.
pub(crate) fn swap<P: PartialEq>(row: Option<Option<P>>, old: &P) -> Swap {
    match row {
        None => Swap::Gone,
        Some(None) => Swap::Stored,
        Some(Some(pair)) if pair == *old => Swap::Stored,
        Some(Some(_)) => Swap::Superseded,
    }
}
