//! Enumerates the hosts that the facts mention: for `hosts`, and for what is removed with a login.
//!
//! Separate from the decision, which is about a single host.

use serde::Serialize;

use super::decide::{Verdict, decide};
use super::facts::Facts;
use super::request::Request;
use crate::account::Session;
use crate::origin::Origin;
use crate::store::{Binding, Client, Credential};
use crate::world::Timestamp;

/// A key of our tables, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// The protocol that uses the key.
    pub(crate) client: Client,
    /// `git <origin>` or `docker <host>[/<path>]`.
    pub(crate) key: String,
    /// The key of its binding: the same without the path.
    pub(crate) host: String,
    /// The origin that a token could be sent to.
    pub(crate) origin: Option<Origin>,
}

impl Server {
    /// Parses a key of our tables; `None` for a key of a later version.
    pub(crate) fn parse(key: &str) -> Option<Server> {
        let (client, name) = key.split_once(' ')?;
        let client = [Client::Git, Client::Docker]
            .into_iter()
            .find(|known| known.name() == client)?;
        let host = match client {
            Client::Git => name,
            Client::Docker => name.split_once('/').map_or(name, |(host, _)| host),
        };
        let origin = match client {
            Client::Git => Origin::parse(host),
            Client::Docker => Origin::from_setting(host),
        };
        Some(Server {
            client,
            key: key.to_owned(),
            host: client.server(host),
            origin: origin.ok(),
        })
    }

    /// The server of the instance itself.
    fn of(client: Client, instance: &Origin) -> Server {
        let key = client.server(&match client {
            Client::Git => instance.to_string(),
            Client::Docker => instance.authority(),
        });
        Server {
            client,
            host: key.clone(),
            key,
            origin: Some(instance.clone()),
        }
    }

    /// The name that the client uses.
    pub(crate) fn name(&self) -> &str {
        self.key.split_once(' ').map_or(&self.key, |(_, name)| name)
    }

    /// A request of the client that names neither a user nor a path.
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            client: self.client,
            server: &self.key,
            host: &self.host,
            origin: self.origin.as_ref(),
            path: None,
            username: None,
            authtype: true,
        }
    }

    /// Its binding.
    pub(crate) fn binding<'a>(&self, bindings: &'a [Binding]) -> Option<&'a Binding> {
        bindings.iter().find(|binding| binding.server == self.host)
    }

    /// Whether the credentials stored for it are removed with a login: it is the login's instance, or is bound to it.
    pub(crate) fn is_removed_with(&self, login: &Session, bindings: &[Binding]) -> bool {
        self.is_of(&login.origin, bindings)
            && self
                .binding(bindings)
                .and_then(|binding| binding.account.as_ref())
                .is_none_or(|account| login.has_key(account))
    }

    /// Whether it is this instance, or is bound to it.
    pub(crate) fn is_of(&self, instance: &Origin, bindings: &[Binding]) -> bool {
        let binding = self.binding(bindings).map(|binding| &binding.origin);
        binding
            .or(self.origin.as_ref())
            .is_some_and(|origin| origin.may_receive(instance))
    }
}

/// When a stored credential is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Use {
    /// For every request for its host, and its path if it has one.
    Always,
    /// When the request names its user.
    WhenNamed,
    /// Never: something outranks it, or it has expired.
    Never,
}

impl Use {
    /// Evaluates a credential that is stored for this server.
    pub(crate) fn of(
        facts: &Facts<'_>,
        server: &Server,
        stored: &Credential,
        now: Timestamp,
    ) -> Use {
        let is_answered = |username| {
            // docker stores the server URL as given in the path.
            let path = stored.path.as_deref();
            let request = Request {
                path: path.filter(|_| server.client == Client::Git),
                username,
                ..server.request()
            };
            let decision = decide(facts, &request, now);
            matches!(decision.verdict, Verdict::Stored(found) if std::ptr::eq(found, stored))
        };
        if is_answered(None) {
            return Use::Always;
        }
        let named = stored.username.as_deref();
        match server.client == Client::Git && named.is_some() && is_answered(named) {
            true => Use::WhenNamed,
            false => Use::Never,
        }
    }
}

/// All hosts that have a stored credential or a binding, or are the instance of an available token; sorted, without
/// duplicates.
pub(crate) fn servers(facts: &Facts<'_>) -> Vec<Server> {
    let variable = facts
        .environment
        .token
        .as_ref()
        .ok()
        .and_then(Option::as_ref);
    let sessions = facts.sessions.iter().map(|session| &session.origin);
    let instances = sessions.chain(variable.map(|found| &found.origin));
    let both = [Client::Git, Client::Docker];
    let of_instances = instances
        .flat_map(with_siblings)
        .flat_map(|instance| both.map(|client| Server::of(client, &instance)));
    let bound = facts.bindings.iter().chain(&facts.administrators);
    let keys = bound.map(|binding| &binding.server);
    let keys = keys.chain(
        facts
            .credentials
            .iter()
            .map(|Credential { server, .. }| server),
    );
    let mut servers: Vec<Server> = keys
        .filter_map(|key| Server::parse(key))
        .chain(of_instances)
        .collect();
    servers.sort_by(|one, other| {
        let by = |server: &Server| (server.client == Client::Docker, server.key.clone());
        by(one).cmp(&by(other))
    });
    servers.dedup_by(|one, other| one.key == other.key);
    servers
}

/// The bindings by which a host belongs to what ends with a login: the user's own, then the administrator's, as in
/// [`Facts::binding`]. No line of the administrator's counts for a host that one of these sessions is for.
pub(crate) fn bindings_in_force(
    own: Vec<Binding>,
    administrators: &[Binding],
    sessions: &[Session],
) -> Vec<Binding> {
    let serves_itself = |line: &Binding| {
        let origin = Server::parse(&line.server).and_then(|server| server.origin);
        origin.is_some_and(|origin| {
            let mut sessions = sessions.iter();
            origin.is_saas() || sessions.any(|session| origin.may_receive(&session.origin))
        })
    };
    let others = administrators.iter().filter(|line| !serves_itself(line));
    own.into_iter().chain(others.cloned()).collect()
}

/// The names that share an instance's tokens.
fn with_siblings(instance: &Origin) -> Vec<Origin> {
    const SAAS: [&str; 3] = [
        "https://sentry.io",
        "https://us.sentry.io",
        "https://de.sentry.io",
    ];
    match instance.is_saas() {
        true => SAAS
            .into_iter()
            .filter_map(|name| Origin::parse(name).ok())
            .collect(),
        false => vec![instance.clone()],
    }
}
