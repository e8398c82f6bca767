//! Which programs take part: this one and how it was built, git, and docker or podman.
//!
//! Separate from [`super::programs`], which looks for names on `PATH`. It is what a report of a problem begins with.

use super::check::Check;
use crate::setup::Git;
use crate::world::{self, World};

pub(super) fn version(world: &World) -> Check {
    let mut parts = vec![format!(
        "sentry-credential {} ({}{})",
        env!("CARGO_PKG_VERSION"),
        world::system(),
        if cfg!(feature = "keyring") {
            ""
        } else {
            ", without keyring"
        },
    )];
    parts.push(match Git::new(world).map(|git| git.version()) {
        Ok(Some(version)) => version,
        Ok(None) => "git of an unknown version".to_owned(),
        Err(_) => "no git".to_owned(),
    });
    let clients = ["docker", "podman"].map(|name| world.version_of(name));
    let mut clients: Vec<String> = clients.into_iter().flatten().collect();
    if clients.is_empty() {
        clients.push("no docker".to_owned());
    }
    parts.append(&mut clients);
    Check::ok("version", parts.join("; "))
}
