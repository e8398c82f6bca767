//! A flow: its task, its position, and its next step.
//!
//! Separate from the transitions, which change the position.

use super::conclusion::{Conclusion, LoginReason, Obstacle};
use super::step::{Access, Candidate, Do, Intent, Pause, Row, WaitLimit};

/// What the caller of a refresh needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Goal<P> {
    /// A usable token.
    Usable,
    /// A usable token, knowing that the server rejects the access token of this pair.
    Replacement(P),
    /// A refresh, whether it is due or not.
    Refresh,
}

/// A refresh, a login or a logout in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flow<P> {
    pub(super) task: Task<P>,
    pub(super) at: At<P>,
    pub(super) role: Role,
    /// An earlier refresh of the pair was begun, and its outcome is unknown.
    pub(super) interrupted: bool,
    /// An answer was lost, and the pair was sent again.
    pub(super) resent: bool,
    /// A request was not sent, and was attempted again.
    pub(super) redialed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Task<P> {
    Refresh(Goal<P>),
    Login(P),
    Logout,
}

/// Who runs a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Delegates the exchange to a worker.
    Caller,
    /// Performs the exchange.
    Worker,
}

/// The position of a flow: its next step, with the values needed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum At<P> {
    Locking(WaitLimit),
    Looking(WaitLimit),
    Waiting(WaitLimit),
    Importing,
    Reading,
    Delegating(Row<P>),
    Collecting { refreshed: bool },
    Checking(Row<P>, P),
    Trusting(P),
    Intending(P, Candidate),
    Posting(P, Candidate),
    Swapping { old: P, new: P },
    Storing(P),
    Keeping { old: Option<P>, new: P },
    Settling(P, Candidate),
    Rejecting(P),
    Adopting,
    Pausing(Pause, Intent, Obstacle),
    Removing,
    Concluded(Conclusion),
}

impl<P: Copy + Eq> Flow<P> {
    /// A refresh for a caller that has read `row`.
    pub(crate) fn refresh(demand: Goal<P>, row: Row<P>) -> Flow<P> {
        let mut flow = Flow::new(Task::Refresh(demand), Role::Caller, At::Importing);
        flow.at = match row.pair {
            // Another process may be about to store a new pair.
            None => At::Locking(WaitLimit::Long),
            Some(_) if !flow.is_due(&row) => At::Concluded(Conclusion::Current),
            Some(_) if !row.refreshable && row.access == Access::Expired => {
                At::Concluded(Conclusion::LoginRequired(LoginReason::ApiTokenExpired))
            }
            Some(_) => At::Locking(flow.wait_limit(&row)),
        };
        flow
    }

    /// The part of a refresh that a worker performs. Its parent holds the lock and has read the row under it.
    pub(crate) fn worker(demand: Goal<P>) -> Flow<P> {
        Flow::new(Task::Refresh(demand), Role::Worker, At::Reading)
    }

    /// A login that was granted `new`.
    pub(crate) fn login(new: P) -> Flow<P> {
        Flow::new(
            Task::Login(new),
            Role::Caller,
            At::Locking(WaitLimit::Commit),
        )
    }

    /// A logout of one session.
    pub(crate) fn logout() -> Flow<P> {
        Flow::new(Task::Logout, Role::Caller, At::Locking(WaitLimit::Long))
    }

    fn new(task: Task<P>, role: Role, at: At<P>) -> Flow<P> {
        Flow {
            task,
            at,
            role,
            interrupted: false,
            resent: false,
            redialed: false,
        }
    }

    /// The step to perform now.
    pub(crate) fn next(&self) -> Do<P> {
        match self.at {
            At::Locking(_) => Do::TryLock,
            At::Looking(_) | At::Collecting { .. } | At::Adopting => Do::Look,
            At::Waiting(wait_limit) => Do::Wait(wait_limit),
            At::Importing => Do::Import,
            At::Reading => Do::Read,
            At::Delegating(_) => Do::Delegate,
            At::Checking(_, pair) => Do::Check(pair),
            At::Trusting(pair) => Do::Trust(pair),
            At::Intending(pair, _) => Do::Intend(pair),
            At::Posting(pair, client) => Do::Post(pair, client),
            At::Swapping { old, new } => Do::Swap { old, new },
            At::Storing(new) => Do::Store(new),
            At::Keeping { old, new } => Do::Keep { old, new },
            At::Settling(pair, _) => Do::Settle(pair),
            At::Rejecting(pair) => Do::Reject(pair),
            At::Pausing(pause, intent, _) => Do::Pause(pause, intent),
            At::Removing => Do::Remove,
            At::Concluded(conclusion) => Do::End(conclusion),
        }
    }

    /// Whether a pair needs a refresh or a check.
    pub(super) fn is_due(&self, row: &Row<P>) -> bool {
        match self.task {
            Task::Refresh(Goal::Refresh) => true,
            Task::Refresh(Goal::Replacement(pair)) if row.pair == Some(pair) => true,
            _ => row.intent || row.access != Access::Fresh,
        }
    }

    fn wait_limit(&self, row: &Row<P>) -> WaitLimit {
        match row.access {
            Access::Expired => WaitLimit::Long,
            _ if self.task != Task::Refresh(Goal::Usable) => WaitLimit::Long,
            _ => WaitLimit::Short,
        }
    }
}

pub(super) fn ended<P>(why: LoginReason) -> At<P> {
    At::Concluded(Conclusion::LoginRequired(why))
}

pub(super) fn stale<P>(reason: Obstacle) -> At<P> {
    At::Concluded(Conclusion::Stale(reason))
}
