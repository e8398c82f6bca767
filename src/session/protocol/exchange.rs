//! The exchange: checks the access token if necessary, posts the refresh token, and handles the answer.
//!
//! Separate from the other transitions because a worker runs only this part.

use super::conclusion::{LoginReason, Obstacle};
use super::flow::{At, Flow, Goal, Task, ended, stale};
use super::step::{Access, Acted, Candidate, ClientId, Intent, Pause, Row, Saw};

impl<P: Copy + Eq> Flow<P> {
    /// Begins the exchange: a token that is merely suspect is checked first.
    pub(super) fn begun(&mut self, row: Row<P>) -> At<P> {
        let Some(pair) = row.pair else {
            return ended(LoginReason::Cleared);
        };
        self.interrupted = row.intent;
        let is_known = self.task != Task::Refresh(Goal::Usable);
        match row.access {
            Access::Suspect if !is_known && !row.intent => At::Checking(row, pair),
            _ if !row.refreshable => ended(LoginReason::ApiTokenRefused),
            _ => self.prepared(&row, pair),
        }
    }

    pub(super) fn prepared(&self, row: &Row<P>, pair: P) -> At<P> {
        match row.client {
            ClientId::Recorded => At::Intending(pair, Candidate::Recorded),
            ClientId::Guessed => At::Intending(pair, Candidate::First),
            ClientId::Missing => stale(Obstacle::NoClient),
        }
    }

    pub(super) fn posted(&mut self, pair: P, client: Candidate, saw: Saw<P>) -> At<P> {
        match saw {
            Saw::Granted(new) => At::Swapping { old: pair, new },
            Saw::InvalidGrant | Saw::InvalidClient if client == Candidate::First => {
                At::Posting(pair, Candidate::Second)
            }
            Saw::InvalidClient if client == Candidate::Recorded => {
                self.pausing(Pause::Long, Obstacle::OAuthError)
            }
            // Another program may be about to store the tokens it was granted.
            Saw::InvalidGrant | Saw::InvalidClient | Saw::NoClient => At::Settling(pair, client),
            Saw::OAuthError => self.pausing(Pause::Long, Obstacle::OAuthError),
            Saw::Disturbed(Acted::No) => self.pausing(Pause::Long, Obstacle::Disturbed),
            Saw::Disturbed(Acted::Perhaps) => {
                At::Pausing(Pause::Long, Intent::Stays, Obstacle::Disturbed)
            }
            Saw::NotSent if !self.redialed => {
                self.redialed = true;
                At::Posting(pair, client)
            }
            Saw::NotSent => self.pausing(Pause::Short, Obstacle::NotSent),
            // If the server has rotated the pair, it repeats its answer within its grace period.
            _ if !self.resent => {
                self.resent = true;
                At::Posting(pair, client)
            }
            _ => At::Pausing(Pause::Short, Intent::Stays, Obstacle::AnswerLost),
        }
    }

    /// After a request without effect. The intent stays if an earlier request may have had an effect.
    pub(super) fn pausing(&self, pause: Pause, reason: Obstacle) -> At<P> {
        let intent = match self.interrupted || self.resent {
            true => Intent::Stays,
            false => Intent::Withdrawn,
        };
        At::Pausing(pause, intent, reason)
    }
}
