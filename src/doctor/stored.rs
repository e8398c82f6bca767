//! Credentials that git and docker stored and that are never returned, because something outranks them.
//!
//! Separate from git's and docker's configuration because these are in the database. `sentry auth hosts` lists all of
//! them.

use super::check::Check;
use super::snapshot::Snapshot;
use crate::auth::{Stored, Survey};
use crate::environment::Environment;
use crate::policy::{Server, Use};
use crate::printable::{printable, quoted};
use crate::store::Client;
use crate::world::World;

pub(super) fn stored(world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let environment = Environment::of(world);
    let survey = match Survey::of(world, snapshot.store.as_ref(), &environment) {
        Ok(survey) => survey,
        Err(error) => return vec![Check::failed("stored", &error)],
    };
    let mut checks = Vec::new();
    for server in survey.servers() {
        let unused = survey
            .stored(&server)
            .filter(|stored| stored.used == Use::Never);
        checks.extend(unused.map(|stored| unused_one(&survey, &server, &stored)));
    }
    checks
}

fn unused_one(survey: &Survey<'_>, server: &Server, stored: &Stored) -> Check {
    let name = printable(server.name());
    let of = stored.username.as_deref();
    let of = of.map_or_else(String::new, |username| {
        format!(" of {}", printable(username))
    });
    match server.client {
        Client::Git => Check::warning(
            "git",
            format!("the password{of} that git stored for {name} is never used"),
            format!("`{}`", erasure(server, stored)),
        ),
        Client::Docker => {
            let binding = survey.binding(server);
            let url =
                binding.map_or_else(String::new, |binding| format!(" --url {}", binding.origin));
            let username = binding.and_then(|binding| binding.username.as_deref());
            let username = username.map_or_else(String::new, |username| {
                format!(" --username {}", quoted(username))
            });
            let host = server.host.split_once(' ').map_or("", |(_, host)| host);
            Check::warning(
                "docker",
                format!("the login{of} that docker stored for {name} is never used"),
                format!(
                    "`sentry auth setup-docker --registry {}{url}{username}`",
                    quoted(host)
                ),
            )
        }
    }
}

/// The request that git sends to the helper after a password was refused.
fn erasure(server: &Server, stored: &Stored) -> String {
    let (protocol, host) = server
        .name()
        .split_once("://")
        .unwrap_or(("https", server.name()));
    let mut lines = vec![format!("protocol={protocol}"), format!("host={host}")];
    // A value that cannot be shown is omitted; the pattern then matches all credentials of the host.
    let shown = |text: &&String| printable(text) == **text;
    if let Some(username) = stored.username.as_ref().filter(shown) {
        lines.push(format!("username={username}"));
    }
    if let Some(path) = stored.path.as_ref().filter(shown) {
        lines.push(format!("path={path}"));
    }
    let lines: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    format!(
        "printf '%s\\n' {} | git credential-sentry erase",
        lines.join(" ")
    )
}
