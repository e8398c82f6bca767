//! The network route to each instance: the proxy, the certificate authorities, and git's settings for the same host.
//!
//! Separate from `sessions`, which contacts the servers: this module only evaluates settings.

use super::check::Check;
use super::snapshot::Snapshot;
use crate::environment;
use crate::oauth;
use crate::origin::{Origin, Scheme};
use crate::world::World;

pub(super) fn network(world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let instances = instances(world, snapshot);
    let mut checks: Vec<Check> = instances
        .iter()
        .map(|instance| route(world, instance))
        .collect();
    let mut hosts = instances;
    for binding in &snapshot.git {
        let host = binding.server.strip_prefix("git ");
        hosts.extend(host.and_then(|host| Origin::parse(host).ok()));
    }
    // Plain http is used only for this machine.
    hosts.retain(|host| host.scheme() == Scheme::Https);
    let mut seen: Vec<Origin> = Vec::new();
    for host in hosts {
        if !seen.contains(&host) {
            checks.extend(git(world, &host));
            seen.push(host);
        }
    }
    checks
}

/// The instances that may be contacted: of the sessions, of the environment, and of a command without `--url`.
pub(super) fn instances(world: &World, snapshot: &Snapshot) -> Vec<Origin> {
    let stored = snapshot
        .sessions
        .iter()
        .map(|session| session.origin.clone());
    let token = environment::token(world).ok().flatten();
    let named = environment::instance(world).ok().flatten();
    let mut instances: Vec<Origin> = Vec::new();
    for instance in stored.chain(token.map(|token| token.origin)).chain(named) {
        if !instances.contains(&instance) {
            instances.push(instance);
        }
    }
    match instances.is_empty() {
        true => vec![Origin::saas()],
        false => instances,
    }
}

fn route(world: &World, instance: &Origin) -> Check {
    const NAME: &str = "network";
    match oauth::describe_route(world, instance) {
        Ok(route) => Check::ok(NAME, format!("to {instance}: {route}")),
        Err(failure) => Check::failed(NAME, &failure.into()),
    }
}

fn git(world: &World, host: &Origin) -> Option<Check> {
    let settings = oauth::git_settings(world, host);
    let shown: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (!shown.is_empty())
        .then(|| Check::ok("git http", format!("git, to {host}: {}", shown.join(", "))))
}
