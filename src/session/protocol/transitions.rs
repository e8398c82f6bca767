//! The transitions of a flow: the next position, given what a step met.
//!
//! Separate from [`super::flow`], which maps positions to steps.

use super::conclusion::{Conclusion, LoginReason, Obstacle, Outcome};
use super::flow::{At, Flow, Goal, Role, Task, ended, stale};
use super::step::{Access, Candidate, Intent, Pause, Row, Saw, Swap, WaitLimit};

impl<P: Copy + Eq> Flow<P> {
    /// Continues with what the step of [`Flow::next`] met.
    pub(crate) fn saw(&mut self, saw: Saw<P>) {
        self.at = self.after(saw);
    }

    fn after(&mut self, saw: Saw<P>) -> At<P> {
        match (self.at, saw) {
            (At::Locking(_), Saw::Locked) => At::Importing,
            (At::Locking(wait_limit), Saw::Contended) => At::Looking(wait_limit),
            (At::Locking(_), _) => self.without_lock(Obstacle::NoLock),
            (At::Looking(wait_limit), Saw::Row(row)) => self.looked(wait_limit, &row),
            (At::Looking(_), Saw::NoRow) if matches!(self.task, Task::Refresh(_)) => {
                ended(LoginReason::LoggedOut)
            }
            (At::Looking(wait_limit), _) => At::Waiting(wait_limit),
            (At::Waiting(wait_limit), Saw::Done) => At::Locking(wait_limit),
            (At::Waiting(_), _) => self.without_lock(Obstacle::Contended),

            (At::Importing, saw) => self.imported(saw),
            (At::Reading, Saw::Row(row)) => self.judged(row),
            (At::Reading, Saw::NoRow) => ended(LoginReason::LoggedOut),
            (At::Reading, _) => stale(Obstacle::Unreadable),

            (At::Delegating(row), Saw::NoWorker) => self.begun(row),
            (At::Delegating(_), Saw::Reported(outcome)) => match outcome {
                Outcome::Usable { refreshed } => At::Collecting { refreshed },
                Outcome::Stale => stale(Obstacle::Reported),
                Outcome::Unavailable => At::Concluded(Conclusion::Unavailable(Obstacle::Reported)),
                Outcome::LoginRequired => ended(LoginReason::Reported),
            },
            (At::Delegating(_), Saw::WorkerSilent) => stale(Obstacle::WorkerSilent),
            (At::Delegating(_), _) => stale(Obstacle::WorkerDied),
            (At::Collecting { refreshed: true }, Saw::Row(row)) if row.pair.is_some() => {
                At::Concluded(Conclusion::Refreshed)
            }
            // The row was cleared meanwhile; another process's worker may be waiting for the next pair.
            (At::Collecting { .. }, Saw::Row(row)) if row.pair.is_none() => {
                At::Locking(WaitLimit::Long)
            }
            (At::Collecting { .. } | At::Adopting, saw) => adopted(saw),

            (At::Checking(_, pair), Saw::Accepted) => At::Trusting(pair),
            (At::Checking(row, _), Saw::Unauthorized) if !row.refreshable => {
                ended(LoginReason::ApiTokenRefused)
            }
            (At::Checking(row, pair), Saw::Unauthorized) => self.prepared(&row, pair),
            (At::Checking(..), _) => At::Pausing(Pause::Long, Intent::Stays, Obstacle::Unchecked),
            // If it could not be recorded, there will be another check, nothing worse.
            (At::Trusting(_), _) => At::Concluded(Conclusion::Current),

            (At::Intending(pair, client), Saw::Done) => At::Posting(pair, client),
            (At::Intending(..), _) => stale(Obstacle::Intent),
            (At::Posting(pair, client), saw) => self.posted(pair, client, saw),
            (At::Settling(pair, client), Saw::Row(row)) if row.pair == Some(pair) => {
                match client {
                    Candidate::Recorded => At::Rejecting(pair),
                    // Only the guess may have been wrong.
                    _ => self.pausing(Pause::Long, Obstacle::GuessedClient),
                }
            }
            (At::Settling(..), saw) => adopted(saw),

            (At::Swapping { .. }, Saw::Swapped(Swap::Stored)) => {
                At::Concluded(Conclusion::Refreshed)
            }
            (At::Swapping { .. } | At::Rejecting(_), Saw::Swapped(Swap::Gone)) => {
                ended(LoginReason::LoggedOut)
            }
            (At::Swapping { .. } | At::Rejecting(_), Saw::Swapped(Swap::Superseded)) => {
                At::Adopting
            }
            (At::Swapping { old, new }, _) => At::Keeping {
                old: Some(old),
                new,
            },
            // The row may have another pair by now: only what was read is reported.
            (At::Rejecting(_), Saw::Refused) => stale(Obstacle::Unreadable),
            (At::Rejecting(_), _) if self.interrupted || self.resent => {
                ended(LoginReason::Interrupted)
            }
            (At::Rejecting(_), _) => ended(LoginReason::Rejected),
            (At::Pausing(_, _, reason), _) => stale(reason),

            (At::Storing(_) | At::Removing, Saw::Done) => At::Concluded(Conclusion::Done),
            (At::Storing(new), _) => At::Keeping { old: None, new },
            (At::Keeping { .. }, Saw::Done) => {
                At::Concluded(Conclusion::Unavailable(Obstacle::Kept))
            }
            (At::Keeping { .. }, _) => At::Concluded(Conclusion::Unavailable(Obstacle::GrantLost)),
            (At::Removing, _) => At::Concluded(Conclusion::Unavailable(Obstacle::Store)),
            (At::Concluded(conclusion), _) => At::Concluded(conclusion),
        }
    }

    /// Another process holds the lock: use the token that it stores.
    fn looked(&self, wait_limit: WaitLimit, row: &Row<P>) -> At<P> {
        match self.task {
            Task::Refresh(demand)
                if demand != Goal::Refresh && row.pair.is_some() && !self.is_due(row) =>
            {
                At::Concluded(Conclusion::Current)
            }
            _ => At::Waiting(wait_limit),
        }
    }

    fn without_lock(&self, reason: Obstacle) -> At<P> {
        match self.task {
            Task::Refresh(_) => stale(reason),
            // Granted tokens must not depend on the lock.
            Task::Login(new) => At::Keeping { old: None, new },
            Task::Logout => At::Concluded(Conclusion::Unavailable(reason)),
        }
    }

    fn imported(&self, saw: Saw<P>) -> At<P> {
        match (self.task, saw) {
            (Task::Refresh(_), Saw::Done) => At::Reading,
            (Task::Refresh(_), _) => stale(Obstacle::Import),
            // A pending pair is older than this login and is stored first; a logout removes both.
            (Task::Login(new), _) => At::Storing(new),
            (Task::Logout, _) => At::Removing,
        }
    }

    /// Decides by the row that was read under the lock.
    fn judged(&mut self, row: Row<P>) -> At<P> {
        if row.pair.is_none() {
            return absent(&row);
        }
        if !self.is_due(&row) {
            return At::Concluded(Conclusion::Current);
        }
        if !row.refreshable && row.access == Access::Expired {
            return ended(LoginReason::ApiTokenExpired);
        }
        if row.paused && self.task != Task::Refresh(Goal::Refresh) {
            return stale(Obstacle::Paused);
        }
        match self.role {
            Role::Caller => At::Delegating(row),
            Role::Worker => self.begun(row),
        }
    }
}

/// Uses the row of another program, whatever it contains.
fn adopted<P: Copy>(saw: Saw<P>) -> At<P> {
    match saw {
        Saw::Row(row) if row.pair.is_none() => absent(&row),
        Saw::Row(row) if row.access == Access::Expired => stale(Obstacle::Changed),
        Saw::Row(_) => At::Concluded(Conclusion::Current),
        Saw::NoRow => ended(LoginReason::LoggedOut),
        _ => stale(Obstacle::Unreadable),
    }
}

/// Why a row has no pair.
fn absent<P>(row: &Row<P>) -> At<P> {
    ended(match row.rejected {
        true => LoginReason::Rejected,
        false => LoginReason::Cleared,
    })
}
