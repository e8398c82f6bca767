//! What a decision is made from, read in one transaction.
//!
//! Separate from the decision, which reads nothing.

use super::request::Request;
use crate::account::Session;
use crate::environment::Environment;
use crate::store::{Binding, Client, Credential, HostRefusal, ReadTransaction};
use crate::world::World;

/// What there is, as far as it matters.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// Tokens and instances that variables name.
    pub(crate) environment: &'a Environment,
    /// The active one first, then by last use.
    pub(crate) sessions: Vec<Session>,
    /// What hosts are bound to.
    pub(crate) bindings: Vec<Binding>,
    /// What programs stored; of each server the newest first.
    pub(crate) credentials: Vec<Credential>,
    /// The program that asks was called to log in to a registry that is signed out.
    pub(crate) signing_in: bool,
    /// The token that the host refused a moment ago.
    pub(crate) refusal: Option<HostRefusal>,
}

impl<'a> Facts<'a> {
    /// What is left where there is no store, or none that can be read.
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

    /// What one request turns on. Few statements: a `get` waits for each.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn for_request(
        world: &World,
        environment: &'a Environment,
        view: &ReadTransaction<'_>,
        request: &Request<'_>,
    ) -> anyhow::Result<Facts<'a>> {
        let known = view.known(request.server, request.host)?;
        let credential = match known.credential {
            true => view.credential(&request.wanted(), world.now(), |stored| {
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
        // Only of a token that somebody complained about can there be a refusal.
        let now = world.now();
        let mut known = sessions.iter();
        let refusal = match environment.holds_a_token() || known.any(|known| known.is_doubted(now))
        {
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

    /// What every request of these clients turns on.
    ///
    /// # Errors
    /// The store's.
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
