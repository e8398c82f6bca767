//! The steps at the server: checks an access token, posts a refresh token.
//!
//! Separate from [`super::write`], whose steps do not touch the network.

use std::time::Duration;

use super::{Performer, client_id};
use crate::account::Tokens;
use crate::failure::Failure;
use crate::oauth::{Check, Grant, RefreshAnswer};
use crate::secret::Secret;
use crate::session::pair::Pair;
use crate::session::protocol::{Acted, Candidate, Saw};
use crate::world::World;

/// A request is not sent if less time than this remains.
const SHORTEST: Duration = Duration::from_secs(1);

impl Performer<'_> {
    pub(super) fn check(&mut self) -> anyhow::Result<Saw<Pair>> {
        let (session, tokens) = self.pair()?;
        let origin = &session.origin;
        match self.oauth(origin, "").check(&tokens.access) {
            // Accepted: the host that refused the token merely denies access to this user.
            Check::Accepted(_) | Check::Forbidden => Ok(Saw::Accepted),
            Check::Rejected => Ok(Saw::Unauthorized),
            Check::Unknown(why) => {
                let what = format!("cannot check the token with {origin}: {why}");
                Err(why.with_text(what).into())
            }
        }
    }

    pub(super) fn post(&mut self, client: Candidate) -> anyhow::Result<Saw<Pair>> {
        let Ok((session, tokens)) = self.pair() else {
            return Ok(Saw::NotSent);
        };
        let origin = session.origin.clone();
        let Some(client_id) = client_id(self.world, session, client) else {
            return Ok(Saw::NoClient);
        };
        let Some(refresh) = tokens.refresh.clone() else {
            return Ok(Saw::NotSent);
        };
        let remaining = self.deadline.saturating_sub(self.world.clock().uptime());
        if remaining < SHORTEST {
            return Ok(Saw::NotSent);
        }
        let answer = self.oauth(&origin, &client_id).refresh(&refresh, remaining);
        self.client_id = Some(client_id);
        self.posted = Some(tokens);
        self.retry_after = None;
        let refused = |refusal| {
            let what = format!("{origin} refused to refresh the token: {refusal}");
            Failure::new(what)
        };
        let (saw, trouble) = match answer {
            RefreshAnswer::Granted(grant) => {
                let new = granted(self.world, &grant, Some(&refresh));
                let pair = Pair::of(&new);
                self.granted = Some(new);
                return Ok(Saw::Granted(pair));
            }
            RefreshAnswer::InvalidGrant(refusal) => (Saw::InvalidGrant, refused(refusal)),
            RefreshAnswer::InvalidClient(refusal) => (Saw::InvalidClient, refused(refusal)),
            RefreshAnswer::Refused(refusal) => (Saw::OAuthError, refused(refusal)),
            RefreshAnswer::Unusable => {
                let what = format!(
                    "{origin} returned something that is not a valid token; nothing was stored"
                );
                (Saw::Disturbed(Acted::Perhaps), Failure::new(what))
            }
            RefreshAnswer::Transient(failed) => {
                self.retry_after = failed.retry_after;
                let what = format!("cannot refresh the token of {origin}: {}", failed.why);
                let saw = match (failed.sent, failed.answered, failed.acted) {
                    (false, ..) => Saw::NotSent,
                    (true, false, _) => Saw::AnswerLost,
                    (true, true, true) => Saw::Disturbed(Acted::Perhaps),
                    (true, true, false) => Saw::Disturbed(Acted::No),
                };
                (saw, failed.why.with_text(what))
            }
        };
        self.trouble = Some(trouble);
        Ok(saw)
    }
}

/// Converts a grant to tokens. A server that issues no new refresh token keeps the old one valid (RFC 6749 section 6).
pub(crate) fn granted(world: &World, grant: &Grant, old_refresh: Option<&Secret>) -> Tokens {
    let now = world.now();
    Tokens {
        access: grant.access.clone(),
        refresh: grant.refresh.as_ref().or(old_refresh).cloned(),
        issued_at: Some(now),
        expires_at: grant.expires_in.map(|lifetime| now.after(lifetime)),
    }
}
