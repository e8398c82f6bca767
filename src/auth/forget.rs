//! The end of what lets a host get something: with the login, with the set-up, or for itself.
//!
//! Separate from those commands because git and docker store on their own, and what they stored must not outlive the
//! user's wish. Files of other programs stay as they are.

use std::process::ExitCode;

use super::context::ConfigDir;
use super::output::say;
use super::survey::{Survey, is_called};
use crate::account::options_for;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::policy::{Server, Verdict};
use crate::printable::{printable, quoted};
use crate::setup::{ConfigFile, DEFAULT, Git, Setting, chain, ending, same_file};
use crate::store::{Binding, Client, ReadTransaction};
use crate::world::World;

/// Removes what was stored for the servers that are meant, and says so; tells whether there was anything. The caller
/// [wipes](ConfigDir::wipe) the files afterwards.
pub(super) fn forget(
    world: &World,
    place: &ConfigDir,
    is_meant: impl Fn(&Server, &[Binding]) -> bool,
) -> anyhow::Result<bool> {
    let Some(store) = &place.store else {
        return Ok(false);
    };
    // Most have nothing, and are not written.
    if stored(&store.read()?, &is_meant)?.is_empty() {
        return Ok(false);
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
    Ok(!forgotten.is_empty())
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

/// Ends what lets a host get something, by any client.
pub(super) fn forget_host(
    world: &World,
    place: &ConfigDir,
    host: &str,
) -> anyhow::Result<ExitCode> {
    let is_meant = |server: &Server| is_called(server, host);
    let environment = Environment::of(world);
    let meant: Vec<Server> = Survey::of(world, place.store.as_ref(), &environment)?
        .servers()
        .filter(is_meant)
        .collect();
    if meant.is_empty() {
        let what = format!("nothing is known of {}", printable(host));
        return Err(Failure::new(format!("{what}; `sentry auth hosts` lists what is")).into());
    }
    let removed = forget(world, place, |server, _| is_meant(server))?;
    place.wipe(world, removed);
    let is_bound = |view: &ReadTransaction<'_>| -> anyhow::Result<Vec<Binding>> {
        let mut bound = view.bindings(Client::Git)?;
        bound.extend(view.bindings(Client::Docker)?);
        bound.retain(|binding| {
            Server::parse(&binding.server).is_some_and(|server| is_meant(&server))
        });
        Ok(bound)
    };
    let bound = match &place.store {
        Some(store) => is_bound(&store.read()?)?,
        None => Vec::new(),
    };
    if !bound.is_empty() {
        place.change(world, |change| {
            bound
                .iter()
                .try_for_each(|binding| change.unbind(&binding.server))
        })?;
    }
    for binding in &bound {
        let Some(server) = Server::parse(&binding.server) else {
            continue;
        };
        say(&format!(
            "unbound {} from {}",
            server.name(),
            binding.origin
        ));
    }
    for server in &meant {
        match server.client {
            Client::Git => git_still_asks(world, server),
            Client::Docker => docker_still_asks(world, server),
        }
    }
    still_gets(world, place, &meant)
}

/// Names where git's configuration has the host; where it cannot be read, `doctor` says why.
fn git_still_asks(world: &World, server: &Server) {
    let settings = Git::new(world).and_then(|git| git.settings());
    let (Ok(settings), Some(host)) = (settings, &server.origin) else {
        return;
    };
    // A helper for all hosts is not for this one.
    let is_for_it = |setting: &&&Setting| setting.helper.is_ours() && setting.url().is_some();
    let chain = chain(&settings, host);
    for setting in chain.iter().filter(is_for_it) {
        let (key, origin) = (printable(&setting.key), printable(&setting.origin));
        say(&format!(
            "git still asks this program for {host}: `{key}` in {origin}"
        ));
        say(&format!("hint: {}", ending(setting)));
    }
}

/// The same of docker's and podman's files.
fn docker_still_asks(world: &World, server: &Server) {
    let files = [
        (world.docker_config(), ""),
        (world.podman_auth(), " --podman"),
        (world.podman_fallback(), " --podman"),
    ];
    let mut seen: Vec<ConfigFile> = Vec::new();
    for (path, option) in files {
        let Ok(Ok(file)) = path.map(|path| ConfigFile::read(&path)) else {
            continue;
        };
        if seen
            .iter()
            .any(|other| same_file(other.path(), file.path()))
        {
            continue;
        }
        if let Some(key) = file.asks_us_for(&server.host).filter(|key| *key != DEFAULT) {
            let key = printable(key);
            let path = file.path().display();
            say(&format!(
                "docker still asks this program for {key}: `credHelpers` in {path}"
            ));
            say(&format!(
                "hint: `sentry auth setup-docker --undo{option} --registry {}`",
                quoted(&key)
            ));
        }
        seen.push(file);
    }
}

/// A login or a variable goes on whatever is forgotten.
fn still_gets(world: &World, place: &ConfigDir, servers: &[Server]) -> anyhow::Result<ExitCode> {
    let environment = Environment::of(world);
    let survey = Survey::of(world, place.store.as_ref(), &environment)?;
    let sessions = place.sessions()?;
    for server in servers {
        let hint = survey.decide(server, |decision, _| match decision.verdict {
            Verdict::Session(session) => {
                let options = options_for(session, &sessions);
                Some(format!("`sentry auth logout{options}`"))
            }
            Verdict::Environment(found) => Some(format!("`unset {}`", found.variable)),
            _ => None,
        });
        if let Some(hint) = hint {
            let reason = survey.decide(server, |decision, _| decision.reason.to_string());
            let what = format!("{} still gets a token, because {reason}", server.name());
            return Err(Failure::new(what).hint(hint).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
