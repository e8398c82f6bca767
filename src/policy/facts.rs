//! The facts that a decision depends on, gathered in one read transaction.
//!
//! Separate from the decision, which performs no I/O.

use super::request::Request;
use crate::account::Session;
use crate::environment::Environment;
use crate::origin::Origin;
use crate::rollout::RollOut;
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
    /// What the administrator's file binds for every user; empty where the decision does not depend on it.
    pub(crate) administrators: Vec<Binding>,
    /// Stored credentials; for each server, the newest first.
    pub(crate) credentials: Vec<Credential>,
    /// The calling program is logging in to a registry that is signed out.
    pub(crate) signing_in: bool,
    /// The token that the host refused within the last minutes.
    pub(crate) refusal: Option<HostRefusal>,
}

impl<'a> Facts<'a> {
    /// Those of the environment alone.
    pub(crate) fn of_environment(environment: &'a Environment) -> Facts<'a> {
        Facts {
            environment,
            sessions: Vec::new(),
            bindings: Vec::new(),
            administrators: Vec::new(),
            credentials: Vec::new(),
            signing_in: false,
            refusal: None,
        }
    }

    /// The facts without a database, or with one that cannot be read: for one request, or for all.
    pub(crate) fn without_store(
        world: &World,
        environment: &'a Environment,
        request: Option<&Request<'_>>,
    ) -> Facts<'a> {
        let mut facts = Facts::of_environment(environment);
        if request.is_none_or(|request| facts.depends_on_administrator(request)) {
            facts.administrators = administrators(world);
        }
        facts
    }

    /// Gathers what one request depends on. Few statements: every `get` pays for each of them.
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
        let mut facts = Facts {
            environment,
            sessions,
            refusal,
            credentials: Vec::from_iter(credential),
            signing_in: signed_out && world.parent_logs_in(),
            bindings: Vec::from_iter(binding),
            administrators: Vec::new(),
        };
        // Opens a file, so only for a host that neither a binding nor a login serves.
        if facts.depends_on_administrator(request) {
            facts.administrators = administrators(world);
        }
        Ok(facts)
    }

    fn depends_on_administrator(&self, request: &Request<'_>) -> bool {
        let is_open = |origin| !self.serves_itself(origin);
        self.bindings.is_empty() && request.origin.is_some_and(is_open)
    }

    /// Whether there is a login for this host as an instance: then it gets that one's token, and no administrator binds it
    /// to another.
    fn serves_itself(&self, origin: &Origin) -> bool {
        let is_of = |instance: &Origin| origin.may_receive(instance);
        let by_variable =
            || matches!(&self.environment.token, Ok(Some(found)) if is_of(&found.origin));
        origin.is_saas()
            || self.sessions.iter().any(|session| is_of(&session.origin))
            || by_variable()
    }

    /// The binding in force for a host (`git <origin>`, `docker <host>`): the user's, else the administrator's.
    pub(crate) fn binding(&self, host: &str, origin: &Origin) -> Option<(&Binding, BoundBy)> {
        let of_host = |binding: &&Binding| binding.server == host;
        if let Some(binding) = self.bindings.iter().find(of_host) {
            return Some((binding, BoundBy::User));
        }
        if self.serves_itself(origin) {
            return None;
        }
        let binding = self.administrators.iter().find(of_host)?;
        Some((binding, BoundBy::Administrator))
    }

    /// Gathers what any request of these clients depends on.
    pub(crate) fn for_all(
        world: &World,
        environment: &'a Environment,
        view: &ReadTransaction<'_>,
        clients: &[Client],
    ) -> anyhow::Result<Facts<'a>> {
        let mut facts = Facts {
            sessions: view.sessions()?,
            ..Facts::without_store(world, environment, None)
        };
        for client in clients {
            facts.bindings.extend(view.bindings(*client)?);
            facts.credentials.extend(view.credentials(*client)?);
        }
        Ok(facts)
    }
}

/// Who bound a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoundBy {
    /// `setup-git` or `setup-docker`.
    User,
    /// The administrator's file.
    Administrator,
}

/// The bindings of the administrator's file.
pub(crate) fn administrators(world: &World) -> Vec<Binding> {
    let lines = RollOut::of(world).lines.into_iter();
    let bindings = lines.map(|line| Binding {
        server: line.server,
        origin: line.instance,
        username: None,
        signed_out: false,
        account: None,
    });
    bindings.collect()
}
