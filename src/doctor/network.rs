//! The way to each instance: which proxy, whose certificates, and what git has in force for the same place.
//!
//! Separate from `sessions`, which says what the servers answer: a setting is shown, and judged, without going anywhere.

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
        .map(|instance| way(world, instance))
        .collect();
    let mut places = instances;
    for binding in &snapshot.git {
        let host = binding.server.strip_prefix("git ");
        places.extend(host.and_then(|host| Origin::parse(host).ok()));
    }
    // What plain http is for is this machine itself.
    places.retain(|place| place.scheme() == Scheme::Https);
    let mut seen: Vec<Origin> = Vec::new();
    for place in places {
        if !seen.contains(&place) {
            checks.extend(git(world, &place));
            seen.push(place);
        }
    }
    checks
}

/// Those that may be asked something: of each session, of the environment, and what a command without `--url` means.
fn instances(world: &World, snapshot: &Snapshot) -> Vec<Origin> {
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

fn way(world: &World, instance: &Origin) -> Check {
    const NAME: &str = "network";
    match oauth::describe_route(world, instance) {
        Ok(way) => Check::ok(NAME, format!("to {instance}: {way}")),
        Err(failure) => Check::failed(NAME, &failure.into()),
    }
}

fn git(world: &World, place: &Origin) -> Option<Check> {
    let settings = oauth::git_settings(world, place);
    let shown: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (!shown.is_empty())
        .then(|| Check::ok("git http", format!("git, to {place}: {}", shown.join(", "))))
}
