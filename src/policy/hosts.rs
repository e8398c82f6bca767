//! The hosts that something is known of, one by one: for `list`-like commands, and for what ends with a login.
//!
//! Separate from the decision, which is asked about one host.

use super::decide::{Verdict, decide};
use super::facts::Facts;
use super::request::Request;
use crate::account::Session;
use crate::origin::Origin;
use crate::store::{Binding, Client, Credential};
use crate::world::Timestamp;

/// A host as our tables know it, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Which protocol asks for it.
    pub(crate) client: Client,
    /// `git <origin>` or `docker <host>[/<path>]`.
    pub(crate) key: String,
    /// What a binding is found by: the same without the path.
    pub(crate) host: String,
    /// Where a token could go.
    pub(crate) origin: Option<Origin>,
}

impl Server {
    /// Takes a key of our tables apart; `None` for one of a later version.
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

    /// The server of an instance itself.
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

    /// As its client names it.
    pub(crate) fn name(&self) -> &str {
        self.key.split_once(' ').map_or(&self.key, |(_, name)| name)
    }

    /// What a client asks that names neither a user nor a path.
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

    /// Whether its stored credentials go with a login: it is the login's instance, or is bound to it.
    pub(crate) fn ends_with(&self, login: &Session, bindings: &[Binding]) -> bool {
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

/// When a stored credential is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Whenever its host, and its path if it has one, is asked for.
    Always,
    /// When the request names its user.
    WhenNamed,
    /// Something comes before it, whatever the request says; or it has expired.
    Never,
}

impl Use {
    /// Of a credential that is stored for this server.
    pub(crate) fn of(
        facts: &Facts<'_>,
        server: &Server,
        stored: &Credential,
        now: Timestamp,
    ) -> Use {
        let is_answered = |username| {
            // docker's is the server URL as it was given.
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

/// All hosts that something is stored for, is bound, or is the instance of a token that there is; each once, sorted.
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
    let keys = facts.bindings.iter().map(|binding| &binding.server);
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

/// The names under which an instance's tokens are answered.
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
