//! Withholds a token from a host that has just refused it.
//!
//! Separate from carrying a decision out because it depends on what followed the last answer: programs such as git-lfs
//! repeat a request after each refusal, for as long as they get an answer.

use super::{Broker, NoCredential};
use crate::environment::EnvironmentToken;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::policy::{Facts, Request};
use crate::secret::Secret;
use crate::session::Usable;

impl Broker<'_> {
    /// Withholds the environment's token from a host that refused it.
    pub(super) fn check_environment(
        &self,
        facts: &Facts<'_>,
        request: &Request<'_>,
        found: &EnvironmentToken,
    ) -> Result<(), NoCredential> {
        if !self.is_refused(facts, &found.token) {
            return Ok(());
        }
        let what = format!("`{}` was refused by {}", found.variable, host_of(request));
        Err(NoCredential::Refused(Failure::new(what)))
    }

    /// Withholds the token of a session from a host that refused it, once Sentry has been asked about the token. If
    /// Sentry could not be asked, the host gets one more attempt.
    pub(super) fn check_session(
        &self,
        facts: &Facts<'_>,
        request: &Request<'_>,
        usable: &Usable,
    ) -> Result<(), NoCredential> {
        if !self.is_refused(facts, &usable.tokens().access) {
            return Ok(());
        }
        let host = host_of(request);
        let what = match usable {
            Usable::Current(_) | Usable::Refreshed(_) => {
                format!("{host} refuses this login, although Sentry accepts it")
            }
            Usable::Postponed(_, why)
                if facts.refusal.is_some_and(|refusal| refusal.is_repeated()) =>
            {
                format!("{host} refuses this login: {why}")
            }
            Usable::Postponed(..) => return Ok(()),
        };
        Err(NoCredential::Refused(Failure::new(what)))
    }

    fn is_refused(&self, facts: &Facts<'_>, token: &Secret) -> bool {
        let refusal = facts.refusal.as_ref();
        refusal.is_some_and(|refusal| refusal.is_of(token, self.world.now()))
    }
}

/// The host as a user names it.
pub(super) fn host_of(request: &Request<'_>) -> String {
    let named = request.origin.map(Origin::authority);
    named.unwrap_or_else(|| request.host.to_owned())
}
