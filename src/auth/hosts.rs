//! What programs stored for hosts of ours: ends with the login and with the set-up.

use super::context::Place;
use super::say;
use crate::policy::Server;
use crate::store::{Binding, Client, ReadTransaction};
use crate::world::World;

/// Removes what was stored for the servers that are meant, and says so.
pub(super) fn forget(
    world: &World,
    place: &Place,
    is_meant: impl Fn(&Server, &[Binding]) -> bool,
) -> anyhow::Result<()> {
    let Some(store) = &place.store else {
        return Ok(());
    };
    // Most have nothing, and are not written.
    if stored(&store.view()?, &is_meant)?.is_empty() {
        return Ok(());
    }
    let forgotten = place.change(world, |change| {
        let found = stored(change, is_meant)?;
        for server in &found {
            change.forget_credentials(&server.key)?;
        }
        Ok(found)
    })?;
    for server in &forgotten {
        let what = stored_by(server.client);
        say(&format!("removed {what} for {}", server.name()));
    }
    Ok(())
}

fn stored(
    view: &ReadTransaction<'_>,
    is_meant: impl Fn(&Server, &[Binding]) -> bool,
) -> anyhow::Result<Vec<Server>> {
    let mut found = Vec::new();
    for client in [Client::Git, Client::Docker] {
        let bindings = view.bindings(client)?;
        let mut servers = view.credentials(client)?;
        servers.dedup_by(|one, other| one.server == other.server);
        let servers = servers
            .iter()
            .filter_map(|stored| Server::parse(&stored.server));
        found.extend(servers.filter(|server| is_meant(server, &bindings)));
    }
    Ok(found)
}

/// What a program stores, in its own words.
pub(super) fn stored_by(client: Client) -> &'static str {
    match client {
        Client::Git => "the password that git had stored",
        Client::Docker => "the login that docker had stored",
    }
}
