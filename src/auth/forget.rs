//! Removes what gives a host a credential: together with a login, with a set-up, or on its own.
//!
//! Separate from those commands because git and docker store credentials on their own, and those must not outlive the
//! user's decision. Files of other programs are not changed.

use std::process::ExitCode;

use super::context::ConfigDir;
use super::output::{say, stays_bound};
use super::survey::{Survey, is_called};
use crate::account::options_for;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::policy::{Server, Verdict, administrators, bindings_in_force};
use crate::printable::{printable, quoted};
use crate::setup::{ConfigFile, DEFAULT, Git, Setting, chain, ending, same_file};
use crate::store::{Binding, Client, ReadTransaction};
use crate::world::World;

/// Removes the credentials stored for the matching servers, and reports it. Returns whether there were any. The caller
/// [wipes](ConfigDir::wipe) the database afterwards.
pub(super) fn forget(
    world: &World,
    config: &ConfigDir,
    matches: impl Fn(&Server, &[Binding]) -> bool,
) -> anyhow::Result<bool> {
    let Some(store) = &config.store else {
        return Ok(false);
    };
    // The common case, without a write.
    let rolled_out = administrators(world);
    if stored(&store.read()?, &rolled_out, &matches)?.is_empty() {
        return Ok(false);
    }
    let forgotten = config.change(world, |change| {
        let found = stored(change, &rolled_out, matches)?;
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
    rolled_out: &[Binding],
    matches: impl Fn(&Server, &[Binding]) -> bool,
) -> anyhow::Result<Vec<Server>> {
    let mut found = Vec::new();
    let sessions = view.sessions()?;
    for client in [Client::Git, Client::Docker] {
        let bindings = bindings_in_force(view.bindings(client)?, rolled_out, &sessions);
        let mut servers = view.credentials(client)?;
        servers.dedup_by(|one, other| one.server == other.server);
        let servers = servers
            .iter()
            .filter_map(|stored| Server::parse(&stored.server));
        found.extend(servers.filter(|server| matches(server, &bindings)));
    }
    Ok(found)
}

/// What the client had stored, in the client's terms.
pub(super) fn stored_by(client: Client) -> &'static str {
    match client {
        Client::Git => "the password that git had stored",
        Client::Docker => "the login that docker had stored",
    }
}

/// Removes the bindings and stored credentials of a host, for every client.
pub(super) fn forget_host(
    world: &World,
    config: &ConfigDir,
    host: &str,
) -> anyhow::Result<ExitCode> {
    let matches = |server: &Server| is_called(server, host);
    let environment = Environment::of(world);
    let matching: Vec<Server> = Survey::of(world, config.store.as_ref(), &environment)?
        .servers()
        .filter(matches)
        .collect();
    if matching.is_empty() {
        let what = format!("nothing is known about {}", printable(host));
        return Err(Failure::new(format!("{what}; `sentry auth hosts` lists what is")).into());
    }
    let removed = forget(world, config, |server, _| matches(server))?;
    config.wipe(world, removed);
    let is_bound = |view: &ReadTransaction<'_>| -> anyhow::Result<Vec<Binding>> {
        let mut bound = view.bindings(Client::Git)?;
        bound.extend(view.bindings(Client::Docker)?);
        bound.retain(|binding| {
            Server::parse(&binding.server).is_some_and(|server| matches(&server))
        });
        Ok(bound)
    };
    let bound = match &config.store {
        Some(store) => is_bound(&store.read()?)?,
        None => Vec::new(),
    };
    if !bound.is_empty() {
        config.change(world, |change| {
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
    let rolled_out = administrators(world);
    for server in &matching {
        if let Some(binding) = server.binding(&rolled_out) {
            say(&stays_bound(binding));
        }
        match server.client {
            Client::Git => report_git_files(world, server),
            Client::Docker => report_docker_files(world, server),
        }
    }
    check_nothing_is_served(world, config, &matching)
}

/// Names the git configuration that still refers to the host. `doctor` explains files that cannot be read.
fn report_git_files(world: &World, server: &Server) {
    let settings = Git::new(world).and_then(|git| git.settings());
    let (Ok(settings), Some(host)) = (settings, &server.origin) else {
        return;
    };
    // A helper for all hosts is not specific to this one.
    let is_specific = |setting: &&&Setting| setting.helper.is_ours() && setting.url().is_some();
    let chain = chain(&settings, host);
    for setting in chain.iter().filter(is_specific) {
        let (key, origin) = (printable(&setting.key), printable(&setting.origin));
        say(&format!(
            "git still calls this program for {host}: `{key}` in {origin}"
        ));
        say(&format!("hint: {}", ending(setting)));
    }
}

/// The same for docker's and podman's files.
fn report_docker_files(world: &World, server: &Server) {
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
        if let Some(key) = file.key_for(&server.host).filter(|key| *key != DEFAULT) {
            let key = printable(key);
            let path = file.path().display();
            say(&format!(
                "docker still calls this program for {key}: `credHelpers` in {path}"
            ));
            say(&format!(
                "hint: `sentry auth setup-docker --undo{option} --registry {}`",
                quoted(&key)
            ));
        }
        seen.push(file);
    }
}

/// A login or a variable still applies, whatever is removed.
fn check_nothing_is_served(
    world: &World,
    config: &ConfigDir,
    servers: &[Server],
) -> anyhow::Result<ExitCode> {
    let environment = Environment::of(world);
    let survey = Survey::of(world, config.store.as_ref(), &environment)?;
    let sessions = config.sessions()?;
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
