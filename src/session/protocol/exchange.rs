//! The exchange itself: ask about the token if need be, post the refresh token, and judge the answer.

use super::flow::{At, Demand, Flow, Task, ended, stale};
use super::step::{Access, Acted, Client, Intent, Known, Pause, Row, Saw};
use super::verdict::{Ended, Reason};

impl<P: Copy + Eq> Flow<P> {
    /// The exchange begins: a token that is only suspect is asked about first.
    pub(super) fn begun(&mut self, row: Row<P>) -> At<P> {
        let Some(pair) = row.pair else {
            return ended(Ended::Cleared);
        };
        self.interrupted = row.intent;
        let is_known = self.task != Task::Refresh(Demand::Usable);
        match row.access {
            Access::Suspect if !is_known && !row.intent => At::Checking(row, pair),
            _ if !row.refreshable => ended(Ended::ApiTokenRefused),
            _ => self.prepared(&row, pair),
        }
    }

    pub(super) fn prepared(&self, row: &Row<P>, pair: P) -> At<P> {
        match row.client {
            Known::Noted => At::Intending(pair, Client::Noted),
            Known::Guessed => At::Intending(pair, Client::First),
            Known::Missing => stale(Reason::NoClient),
        }
    }

    pub(super) fn posted(&mut self, pair: P, client: Client, saw: Saw<P>) -> At<P> {
        match saw {
            Saw::Granted(new) => At::Swapping { old: pair, new },
            Saw::InvalidGrant | Saw::InvalidClient if client == Client::First => {
                At::Posting(pair, Client::Second)
            }
            Saw::InvalidClient if client == Client::Noted => {
                self.pausing(Pause::Long, Reason::OAuthError)
            }
            // Another program may be about to store what it was granted.
            Saw::InvalidGrant | Saw::InvalidClient | Saw::NoClient => At::Settling(pair, client),
            Saw::OAuthError => self.pausing(Pause::Long, Reason::OAuthError),
            Saw::Disturbed(Acted::No) => self.pausing(Pause::Long, Reason::Disturbed),
            Saw::Disturbed(Acted::Perhaps) => {
                At::Pausing(Pause::Long, Intent::Stays, Reason::Disturbed)
            }
            Saw::NotSent if !self.redialed => {
                self.redialed = true;
                At::Posting(pair, client)
            }
            Saw::NotSent => self.pausing(Pause::Short, Reason::NotSent),
            // If the server has rotated, it gives the same pair again within its grace.
            _ if !self.resent => {
                self.resent = true;
                At::Posting(pair, client)
            }
            _ => At::Pausing(Pause::Short, Intent::Stays, Reason::Lost),
        }
    }

    /// After a request that had no effect: the intent stays if an earlier one may have had.
    pub(super) fn pausing(&self, pause: Pause, reason: Reason) -> At<P> {
        let intent = match self.interrupted || self.resent {
            true => Intent::Stays,
            false => Intent::Withdrawn,
        };
        At::Pausing(pause, intent, reason)
    }
}
