//! What follows from what a step met.

use super::flow::{At, Demand, Flow, Role, Task, ended, stale};
use super::step::{Access, Client, Intent, Patience, Pause, Row, Saw, Swap};
use super::verdict::{Ended, Outcome, Reason, Verdict};

impl<P: Copy + Eq> Flow<P> {
    /// Goes on with what the step of [`Flow::next`] met.
    pub(crate) fn saw(&mut self, saw: Saw<P>) {
        self.at = self.after(saw);
    }

    fn after(&mut self, saw: Saw<P>) -> At<P> {
        match (self.at, saw) {
            (At::Locking(_), Saw::Locked) => At::Importing,
            (At::Locking(patience), Saw::Contended) => At::Looking(patience),
            (At::Locking(_), _) => self.without_lock(Reason::NoLock),
            (At::Looking(patience), Saw::Row(row)) => self.looked(patience, &row),
            (At::Looking(_), Saw::NoRow) if self.is_refresh() => ended(Ended::LoggedOut),
            (At::Looking(patience), _) => At::Waiting(patience),
            (At::Waiting(patience), Saw::Done) => At::Locking(patience),
            (At::Waiting(_), _) => self.without_lock(Reason::Contended),

            (At::Importing, saw) => self.imported(saw),
            (At::Reading, Saw::Row(row)) => self.judged(row),
            (At::Reading, Saw::NoRow) => ended(Ended::LoggedOut),
            (At::Reading, _) => stale(Reason::Unreadable),

            (At::Delegating(row), Saw::NoWorker) => self.begun(row),
            (At::Delegating(_), Saw::Reported(outcome)) => match outcome {
                Outcome::Usable { refreshed } => At::Collecting { refreshed },
                Outcome::Stale => stale(Reason::Reported),
                Outcome::Unavailable => At::Ended(Verdict::Unavailable(Reason::Reported)),
                Outcome::LoginRequired => ended(Ended::Reported),
            },
            (At::Delegating(_), Saw::WorkerSilent) => stale(Reason::WorkerSilent),
            (At::Delegating(_), _) => stale(Reason::WorkerDied),
            (At::Collecting { refreshed: true }, Saw::Row(row)) if row.pair.is_some() => {
                At::Ended(Verdict::Refreshed)
            }
            // Cleared since, and perhaps while somebody else's worker waits for the next pair.
            (At::Collecting { .. }, Saw::Row(row)) if row.pair.is_none() => {
                At::Locking(Patience::Long)
            }
            (At::Collecting { .. } | At::Adopting, saw) => adopted(saw),

            (At::Checking(_, pair), Saw::Accepted) => At::Trusting(pair),
            (At::Checking(row, _), Saw::Unauthorized) if !row.refreshable => {
                ended(Ended::ApiTokenRefused)
            }
            (At::Checking(row, pair), Saw::Unauthorized) => self.prepared(&row, pair),
            (At::Checking(..), _) => At::Pausing(Pause::Long, Intent::Stays, Reason::Unchecked),
            // That it could not be noted means another check, no more.
            (At::Trusting(_), _) => At::Ended(Verdict::Current),

            (At::Intending(pair, client), Saw::Done) => At::Posting(pair, client),
            (At::Intending(..), _) => stale(Reason::Intent),
            (At::Posting(pair, client), saw) => self.posted(pair, client, saw),
            (At::Settling(pair, client), Saw::Row(row)) if row.pair == Some(pair) => {
                match client {
                    Client::Noted => At::Rejecting(pair),
                    // Perhaps only the guess was wrong.
                    _ => self.pausing(Pause::Long, Reason::GuessedClient),
                }
            }
            (At::Settling(..), saw) => adopted(saw),

            (At::Swapping { .. }, Saw::Swapped(Swap::Stored)) => At::Ended(Verdict::Refreshed),
            (At::Swapping { .. } | At::Rejecting(_), Saw::Swapped(Swap::Gone)) => {
                ended(Ended::LoggedOut)
            }
            (At::Swapping { .. } | At::Rejecting(_), Saw::Swapped(Swap::Superseded)) => {
                At::Adopting
            }
            (At::Swapping { old, new }, _) => At::Keeping {
                old: Some(old),
                new,
            },
            // The row may have another pair by now: nothing is said that was not seen.
            (At::Rejecting(_), Saw::Refused) => stale(Reason::Unreadable),
            (At::Rejecting(_), _) if self.interrupted || self.resent => ended(Ended::Interrupted),
            (At::Rejecting(_), _) => ended(Ended::Rejected),
            (At::Pausing(_, _, reason), _) => stale(reason),

            (At::Storing(_), Saw::Done) | (At::Discarding, Saw::Done) => At::Ended(Verdict::Done),
            (At::Storing(new), _) => At::Keeping { old: None, new },
            (At::Keeping { .. }, Saw::Done) => At::Ended(Verdict::Unavailable(Reason::Kept)),
            (At::Keeping { .. }, _) => At::Ended(Verdict::Unavailable(Reason::GrantLost)),
            (At::Removing, Saw::Done) => At::Discarding,
            (At::Removing, _) => At::Ended(Verdict::Unavailable(Reason::Store)),
            (At::Discarding, _) => At::Ended(Verdict::Unavailable(Reason::Discard)),
            (At::Ended(verdict), _) => At::Ended(verdict),
        }
    }

    /// The lock is another's: whoever waits uses what that one stores.
    fn looked(&self, patience: Patience, row: &Row<P>) -> At<P> {
        match self.task {
            Task::Refresh(demand)
                if demand != Demand::Refresh && row.pair.is_some() && !self.is_due(row) =>
            {
                At::Ended(Verdict::Current)
            }
            _ => At::Waiting(patience),
        }
    }

    fn without_lock(&self, reason: Reason) -> At<P> {
        match self.task {
            Task::Refresh(_) => stale(reason),
            // What was granted must not depend on the lock.
            Task::Login(new) => At::Keeping { old: None, new },
            Task::Logout => At::Ended(Verdict::Unavailable(reason)),
        }
    }

    fn imported(&self, saw: Saw<P>) -> At<P> {
        match (self.task, saw) {
            (Task::Refresh(_), Saw::Done) => At::Reading,
            (Task::Refresh(_), _) => stale(Reason::Import),
            // A pair that waits belongs before this login; and a logout removes the file after the row.
            (Task::Login(new), _) => At::Storing(new),
            (Task::Logout, _) => At::Removing,
        }
    }

    /// What the row, read under the lock, asks for.
    fn judged(&mut self, row: Row<P>) -> At<P> {
        if row.pair.is_none() {
            return absent(&row);
        }
        if !self.is_due(&row) {
            return At::Ended(Verdict::Current);
        }
        if !row.refreshable && row.access == Access::Expired {
            return ended(Ended::ApiTokenExpired);
        }
        if row.paused && self.task != Task::Refresh(Demand::Refresh) {
            return stale(Reason::Paused);
        }
        match self.role {
            Role::Caller => At::Delegating(row),
            Role::Worker => self.begun(row),
        }
    }
}

/// Another program's row counts, whatever it is.
fn adopted<P: Copy>(saw: Saw<P>) -> At<P> {
    match saw {
        Saw::Row(row) if row.pair.is_none() => absent(&row),
        Saw::Row(row) if row.access == Access::Expired => stale(Reason::Changed),
        Saw::Row(_) => At::Ended(Verdict::Current),
        Saw::NoRow => ended(Ended::LoggedOut),
        _ => stale(Reason::Unreadable),
    }
}

/// Why a row has no pair.
fn absent<P>(row: &Row<P>) -> At<P> {
    ended(match row.rejected {
        true => Ended::Rejected,
        false => Ended::Cleared,
    })
}
