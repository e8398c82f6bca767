//! The steps of an exchange: ask, post, wait for others, pause.

use super::Turn;
use crate::protocol::{Candidate, Intent, Pause, Saw};
use crate::world::config::RightClient;
use crate::world::pair::Pair;
use crate::world::process::{Answer, Live, Mind, Motion, Neighbour, Net, Part};
use crate::world::server::accepts;
use crate::world::state::Paused;
use crate::world::steps::What;

impl Turn<'_, '_> {
    pub(super) fn check(&mut self, pair: Pair) {
        if self.state.offline {
            return self.saw(Saw::Refused, *self.state);
        }
        // The access token may be invalid although the refresh token is valid.
        self.saw(Saw::Unauthorized, *self.state);
        if accepts(self.state, pair) {
            self.saw(Saw::Accepted, *self.state);
        }
    }

    pub(super) fn post(&mut self, pair: Pair, client: Candidate) {
        match self.live.net {
            Net::Idle
                if client == Candidate::Second
                    && self.walk.world.client == RightClient::NotTheOne =>
            {
                self.saw(Saw::NoClient, *self.state);
            }
            Net::Idle if self.state.offline => self.saw(Saw::NotSent, *self.state),
            Net::Idle => {
                let right_client = match (client, self.walk.world.client) {
                    (Candidate::Recorded, _) => true,
                    (Candidate::First, right) => right == RightClient::First,
                    (Candidate::Second, right) => right == RightClient::Second,
                };
                let mut next = *self.state;
                self.live.net = Net::Sent { pair, right_client };
                *next.part(self.who) = Part::Live(self.live);
                let (who, what) = (self.who, What::Send(pair));
                self.walk.push(Some(who), what, next);
            }
            Net::Sent { .. } => {}
            Net::Answered(answer) => {
                self.live.net = Net::Idle;
                self.live.slow = false;
                let saw = match answer {
                    Answer::Granted(new) => Saw::Granted(new),
                    Answer::InvalidGrant => Saw::InvalidGrant,
                    Answer::InvalidClient => Saw::InvalidClient,
                };
                self.saw(saw, *self.state);
            }
        }
    }

    /// Reads until the row changes, for as long as a neighbour usually needs.
    pub(super) fn settle(&mut self, pair: Pair) {
        let is_storing = |live: &Live| {
            live.motion == Motion::Running
                && !live.slow
                && match live.mind {
                    Mind::Neighbour(Neighbour::Posting(_)) => live.net != Net::Idle,
                    Mind::Neighbour(Neighbour::Comparing(..) | Neighbour::Writing(_)) => true,
                    _ => false,
                }
        };
        let view = self.here().view(self.walk.world);
        let is_unchanged = matches!(view, Saw::Row(row) if row.pair == Some(pair));
        let mut others = self.state.living();
        let waits = others
            .any(|(who, live)| self.state.machine_of(who) == self.machine && is_storing(live));
        if !(is_unchanged && waits) {
            self.read(false);
        }
    }

    pub(super) fn pause(&mut self, pause: Pause, intent: Intent) {
        let pause = match (pause, self.live.answered) {
            (Pause::Short, _) => Paused::Short,
            (Pause::Long, true) => Paused::Answered,
            (Pause::Long, false) => Paused::Long,
        };
        self.write(|here| {
            here.pause = pause;
            if intent == Intent::Withdrawn {
                here.intent = None;
            }
            Saw::Done
        });
    }
}
