//! Evaluates the policy for every known host.
//!
//! Separate from the commands that show the result or act on it.

use std::collections::BTreeMap;

use crate::docker::ServerUrl;
use crate::environment::{self, Environment};
use crate::origin::Origin;
use crate::policy::{self, BoundBy, Decision, Facts, Server, Use};
use crate::store::{Binding, Client, Store};
use crate::world::{Timestamp, World};

/// The facts about all hosts at one moment.
pub(crate) struct Survey<'a> {
    world: &'a World,
    facts: Facts<'a>,
    /// When a server was bound.
    since: BTreeMap<String, Timestamp>,
}

impl<'a> Survey<'a> {
    pub(crate) fn of(
        world: &'a World,
        store: Option<&Store>,
        environment: &'a Environment,
    ) -> anyhow::Result<Survey<'a>> {
        let Some(store) = store else {
            return Ok(Survey {
                world,
                facts: Facts::without_store(world, environment, None),
                since: BTreeMap::new(),
            });
        };
        let view = store.read()?;
        let facts = Facts::for_all(world, environment, &view, &[Client::Git, Client::Docker])?;
        let bound = view.bound()?.into_iter();
        let since = bound.filter_map(|bound| Some((bound.binding.server, bound.since?)));
        Ok(Survey {
            world,
            facts,
            since: since.collect(),
        })
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = Server> {
        policy::servers(&self.facts).into_iter()
    }

    /// The decision for a request that names neither a user nor a path, and whether it returns a credential without a
    /// user at the terminal.
    pub(crate) fn decide<T>(
        &self,
        server: &Server,
        look: impl FnOnce(&Decision<'_>, bool) -> T,
    ) -> T {
        let (request, now) = (server.request(), self.world.now());
        let decision = policy::decide(&self.facts, &request, now);
        let can_refresh = |origin: &Origin| environment::client_id(self.world, origin).is_some();
        let has_answer = decision.has_answer(now, can_refresh);
        look(&decision, has_answer)
    }

    pub(crate) fn binding(&self, server: &Server) -> Option<&Binding> {
        self.bound(server).map(|(binding, _)| binding)
    }

    /// Whether the administrator's file binds it, and nothing of the user's.
    pub(crate) fn is_by_administrator(&self, server: &Server) -> bool {
        matches!(self.bound(server), Some((_, BoundBy::Administrator)))
    }

    fn bound(&self, server: &Server) -> Option<(&Binding, BoundBy)> {
        match &server.origin {
            Some(origin) => self.facts.binding(&server.host, origin),
            None => Some((server.binding(&self.facts.bindings)?, BoundBy::User)),
        }
    }

    pub(crate) fn since(&self, server: &Server) -> Option<Timestamp> {
        self.since.get(&self.binding(server)?.server).copied()
    }

    /// The credentials stored for a server, the newest first.
    pub(crate) fn stored(&self, server: &Server) -> impl Iterator<Item = Stored> {
        let stored = self.facts.credentials.iter();
        let stored = stored.filter(|stored| stored.server == server.key);
        stored.map(|stored| {
            // docker stores the server URL as given in the path.
            let path = stored.path.as_deref();
            Stored {
                username: stored.username.clone(),
                path: path
                    .filter(|_| server.client == Client::Git)
                    .map(str::to_owned),
                used: Use::of(&self.facts, server, stored, self.world.now()),
            }
        })
    }
}

/// A stored credential without its secret.
pub(crate) struct Stored {
    pub(crate) username: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) used: Use,
}

/// Whether a user who types `host` refers to this server: by its key, or by the name that git or docker uses.
pub(crate) fn is_called(server: &Server, host: &str) -> bool {
    let is_origin = || match (Origin::from_setting(host), &server.origin) {
        (Ok(named), Some(origin)) => named == *origin,
        _ => false,
    };
    let is_registry = || {
        let named = ServerUrl::parse(host).ok().and_then(|url| url.registry);
        named.is_some_and(|named| named.host == server.host)
    };
    server.name() == host || is_origin() || (server.client == Client::Docker && is_registry())
}
