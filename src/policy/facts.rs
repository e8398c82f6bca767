//! The facts that a decision depends on, gathered in one read transaction.
//!
//! Separate from the decision, which performs no I/O.

use super::request::Request;
use crate::account::Session;
use crate::environment::Environment;
use crate::store::{Binding, Client, Credential, HostRefusal, ReadTransaction};
use crate::world::World;

/// The facts that a decision depends on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// Tokens and instances from environment variables.
    pub(crate) environment: &'a Environment,
    /// The active one first, then by last use.
    pub(crate) sessions: Vec<Session>,
    /// Bindings of hosts to instances.
    pub(crate) bindings: Vec<Binding>,
    /// Stored credentials; for each server, the newest first.
    pub(crate) credentials: Vec<Credential>,
    /// The calling program is logging in to a registry that is signed out.
    pub(crate) signing_in: bool,
    /// The token that the host refused within the last minutes.
    pub(crate) refusal: Option<HostRefusal>,
}

impl<'a> Facts<'a> {
    /// The facts without a database, or with one that cannot be read.
    pub(crate) fn without_store(environment: &'a Environment) -> Facts<'a> {
        Facts {
            environment,
            sessions: Vec::new(),
            bindings: Vec::new(),
            credentials: Vec::new(),
            signing_in: false,
            refusal: None,
        }
    }

    /// Gathers what one request depends on. Few statements: every `get` pays for each of them.
    ///
    pub(crate) fn for_request(
        world: &World,
        environment: &'a Environment,
        view: &ReadTransaction<'_>,
        request: &Request<'_>,
    ) -> anyhow::Result<Facts<'a>> {
        let known = view.known(request.server, request.host)?;
        let credential = match known.credential {
            true => view.credential(&request.pattern(), world.now(), |stored| {
                request.can_take(stored)
            })?,
            false => None,
        };
        let binding = match known.binding {
            true => view.binding(request.host)?,
            false => None,
        };
        let signed_out = binding.as_ref().is_some_and(|binding| binding.signed_out);
        let sessions = view.sessions()?;
        // A refusal can exist only for a token that was reported as rejected.
        let now = world.now();
        let mut known = sessions.iter();
        let refusal =
            match environment.holds_a_token() || known.any(|known| known.may_be_refused(now)) {
                true => view.refusal(request.server)?,
                false => None,
            };
        Ok(Facts {
            environment,
            sessions,
            refusal,
            credentials: Vec::from_iter(credential),
            signing_in: signed_out && world.parent_logs_in(),
            bindings: Vec::from_iter(binding),
        })
    }

    /// Gathers what any request of these clients depends on.
    ///
    pub(crate) fn for_all(
        environment: &'a Environment,
        view: &ReadTransaction<'_>,
        clients: &[Client],
    ) -> anyhow::Result<Facts<'a>> {
        let mut facts = Facts {
            sessions: view.sessions()?,
            ..Facts::without_store(environment)
        };
        for client in clients {
            facts.bindings.extend(view.bindings(*client)?);
            facts.credentials.extend(view.credentials(*client)?);
        }
        Ok(facts)
    }
}
