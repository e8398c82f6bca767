//! Decides whether an access token can be returned as it is.
//!
//! Separate from the values of [`super`] because it holds the rules about time: how early a token is refreshed, how long a
//! check counts, and how long a failed refresh is not repeated.

use std::time::Duration;

use super::{Session, Tokens};
use crate::secret::Secret;
use crate::world::Timestamp;

/// A token is refreshed when less than this remains, or a tenth of its lifetime if that is less. Not earlier, because a
/// refresh invalidates the old access token for the processes that still use it.
const LONGEST_MARGIN: Duration = Duration::from_secs(3600);

/// A token that Sentry accepted is not checked again for this long, however many hosts refuse it.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// A longer pause was recorded by a wrong clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Whether an access token can be returned as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Return it.
    Fresh,
    /// Refresh or check it first.
    Stale(StaleReason),
}

/// Why a token is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StaleReason {
    /// It has expired: wait for a new one.
    Expired,
    /// It still works: attempt a refresh, but do not wait for one.
    ExpiresSoon,
    /// A host refused it: check it with the server.
    Suspect,
    /// A refresh of this pair was begun and its outcome is unknown: send the pair once more.
    Interrupted,
}

impl Session {
    /// Whether the access token can be returned at `now`. Meaningless for a session without tokens.
    pub(crate) fn freshness(&self, now: Timestamp) -> Freshness {
        match self.is_interrupted() {
            true => Freshness::Stale(StaleReason::Interrupted),
            false => self.access_freshness(now),
        }
    }

    /// The same for the access token alone, whatever happened to a refresh.
    pub(crate) fn access_freshness(&self, now: Timestamp) -> Freshness {
        let Some(tokens) = &self.tokens else {
            return Freshness::Stale(StaleReason::Expired);
        };
        let margin = |expires_at| tokens.refresh.is_some().then(|| tokens.margin(expires_at));
        match tokens.expires_at {
            Some(expires_at) if expires_at <= now => Freshness::Stale(StaleReason::Expired),
            _ if self.is_suspect(&tokens.access, now) => Freshness::Stale(StaleReason::Suspect),
            Some(expires_at)
                if margin(expires_at).is_some_and(|margin| now.until(expires_at) < margin) =>
            {
                Freshness::Stale(StaleReason::ExpiresSoon)
            }
            _ => Freshness::Fresh,
        }
    }

    /// Whether a refresh of the stored pair was begun and its outcome is unknown.
    pub(crate) fn is_interrupted(&self) -> bool {
        let refresh = self
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.refresh.as_ref());
        let intent = self.refresh_state.intent.map(|(digest, _)| digest);
        intent.is_some() && refresh.map(Secret::digest) == intent
    }

    /// Whether a host may have refused its token within the last minute.
    pub(crate) fn may_be_refused(&self, now: Timestamp) -> bool {
        self.refresh_state.suspect.is_some() || self.was_checked(now)
    }

    /// Whether Sentry accepted a suspect token within the last minute.
    fn was_checked(&self, now: Timestamp) -> bool {
        let at = self.refresh_state.checked_at;
        at.is_some_and(|at| at <= now && at.until(now) < CHECK_INTERVAL)
    }

    /// Whether a host refused the token, and Sentry has not confirmed it since.
    fn is_suspect(&self, access: &Secret, now: Timestamp) -> bool {
        !self.was_checked(now)
            && self
                .refresh_state
                .suspect
                .is_some_and(|mark| mark == access.digest())
    }
}

impl Session {
    /// The time until which no refresh is attempted because the last one failed.
    pub(crate) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let is_pending =
            |at: &Timestamp| (Duration::from_millis(1)..LONGEST_PAUSE).contains(&now.until(*at));
        self.refresh_state.retry_at.filter(is_pending)
    }
}

impl Tokens {
    fn margin(&self, expires_at: Timestamp) -> Duration {
        match self.issued_at {
            Some(issued_at) if issued_at < expires_at => {
                LONGEST_MARGIN.min(issued_at.until(expires_at) / 10)
            }
            _ => LONGEST_MARGIN,
        }
    }
}
