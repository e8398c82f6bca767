//! A flow: what it is for, where it stands, and the step that comes next.

use super::step::{Access, Client, Do, Intent, Patience, Pause, Row};
use super::verdict::{Ended, Reason, Verdict};

/// What the caller of a refresh wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Demand<P> {
    /// A usable token.
    Usable,
    /// The same, knowing that the server refuses the access token of this pair.
    Replacement(P),
    /// A refresh, due or not.
    Refresh,
}

/// A refresh, a login or a logout on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flow<P> {
    pub(super) task: Task<P>,
    pub(super) at: At<P>,
    pub(super) role: Role,
    /// A refresh of the pair was begun by somebody before, and its end is not known.
    pub(super) interrupted: bool,
    /// An answer was lost, and the pair sent again.
    pub(super) resent: bool,
    /// A request was not sent, and tried again.
    pub(super) redialed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Task<P> {
    Refresh(Demand<P>),
    Login(P),
    Logout,
}

/// Who runs a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Leaves the exchange to a worker.
    Caller,
    /// Does it.
    Worker,
}

/// Where a flow stands: the step that comes next, with what has to be known after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum At<P> {
    Locking(Patience),
    Looking(Patience),
    Waiting(Patience),
    Importing,
    Reading,
    Delegating(Row<P>),
    Collecting { refreshed: bool },
    Checking(Row<P>, P),
    Trusting(P),
    Intending(P, Client),
    Posting(P, Client),
    Swapping { old: P, new: P },
    Storing(P),
    Keeping { old: Option<P>, new: P },
    Settling(P, Client),
    Rejecting(P),
    Adopting,
    Pausing(Pause, Intent, Reason),
    Removing,
    Discarding,
    Ended(Verdict),
}

impl<P: Copy + Eq> Flow<P> {
    /// A refresh for a caller that has read this row.
    pub(crate) fn refresh(demand: Demand<P>, row: Row<P>) -> Flow<P> {
        let mut flow = Flow::new(Task::Refresh(demand), Role::Caller, At::Importing);
        flow.at = match row.pair {
            // Somebody may be about to store a new pair.
            None => At::Locking(Patience::Long),
            Some(_) if !flow.is_due(&row) => At::Ended(Verdict::Current),
            Some(_) if !row.refreshable && row.access == Access::Expired => {
                At::Ended(Verdict::LoginRequired(Ended::ApiTokenExpired))
            }
            Some(_) => At::Locking(flow.patience(&row)),
        };
        flow
    }

    /// The part of a refresh that a worker does: whoever starts it has the lock, and read the row under it.
    pub(crate) fn worker(demand: Demand<P>) -> Flow<P> {
        Flow::new(Task::Refresh(demand), Role::Worker, At::Reading)
    }

    /// A login whose pair is granted.
    pub(crate) fn login(new: P) -> Flow<P> {
        Flow::new(
            Task::Login(new),
            Role::Caller,
            At::Locking(Patience::Commit),
        )
    }

    /// A logout of one session.
    pub(crate) fn logout() -> Flow<P> {
        Flow::new(Task::Logout, Role::Caller, At::Locking(Patience::Long))
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

    /// What to do now.
    pub(crate) fn next(&self) -> Do<P> {
        match self.at {
            At::Locking(_) => Do::TryLock,
            At::Looking(_) | At::Collecting { .. } | At::Adopting => Do::Look,
            At::Waiting(patience) => Do::Wait(patience),
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
            At::Discarding => Do::Discard,
            At::Ended(verdict) => Do::End(verdict),
        }
    }

    pub(super) fn is_refresh(&self) -> bool {
        matches!(self.task, Task::Refresh(_))
    }

    /// Whether something is to be done about a pair.
    pub(super) fn is_due(&self, row: &Row<P>) -> bool {
        match self.task {
            Task::Refresh(Demand::Refresh) => true,
            Task::Refresh(Demand::Replacement(pair)) if row.pair == Some(pair) => true,
            _ => row.intent || row.access != Access::Fresh,
        }
    }

    fn patience(&self, row: &Row<P>) -> Patience {
        match row.access {
            Access::Expired => Patience::Long,
            _ if self.task != Task::Refresh(Demand::Usable) => Patience::Long,
            _ => Patience::Short,
        }
    }
}

pub(super) fn ended<P>(why: Ended) -> At<P> {
    At::Ended(Verdict::LoginRequired(why))
}

pub(super) fn stale<P>(reason: Reason) -> At<P> {
    At::Ended(Verdict::Stale(reason))
}
