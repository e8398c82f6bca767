//! `sentry auth logout`: here and in the keyring. Sentry has no revocation endpoint for public clients.
//!
//! What was stored for the hosts of the account goes too, so that nothing answers there. The hosts stay set up: a new
//! login serves them again.

use std::path::PathBuf;
use std::process::ExitCode;

use super::context::{ConfigDir, described, is_one_of_several, only_one_at};
use super::forget::forget;
use super::output::say;
use crate::account::Session;
use crate::cli::LogoutArgs;
use crate::environment;
use crate::login::not_logged_in;
use crate::mirror::Mirror;
use crate::origin::Origin;
use crate::printable::quoted;
use crate::session;
use crate::setup::ConfigFile;
use crate::store::{Binding, Client};
use crate::world::World;

pub(crate) fn logout(world: &World, args: &LogoutArgs) -> anyhow::Result<ExitCode> {
    let place = ConfigDir::of(world)?;
    // A login that waits to be stored is one to end, too.
    match &place.store {
        Some(store) => drop(session::import_pending(world, store)?),
        None => session::discard_all(world, &place.dir)?,
    }
    let sessions = place.sessions()?;
    let doomed: Vec<Session> = match args.all {
        true => sessions.clone(),
        false => match doomed(world, &place, args, &sessions)? {
            (_, Some(session)) => vec![session],
            (instance, None) => {
                // What git stored since is no login, and would be answered like one.
                let removed = forget(world, &place, |server, bindings| {
                    server.is_of(&instance, bindings)
                })?;
                place.wipe(world, removed);
                return still_in_force(world, not_logged_in(&instance).to_string());
            }
        },
    };
    let ended = end(world, &place, &doomed, &sessions, args);
    // After a failure nobody waits once more: what is left is a matter of the next logout.
    place.wipe(world, matches!(ended, Ok((_, true))));
    let (complete, _) = ended?;
    if doomed.is_empty() {
        return still_in_force(world, "not logged in".to_owned());
    }
    match environment::token(world) {
        Ok(None) if complete => Ok(ExitCode::SUCCESS),
        Ok(None) => Ok(ExitCode::FAILURE),
        _ => still_in_force(world, String::new()),
    }
}

/// The session that is meant. An instance alone means the only account there, or the active one.
fn doomed(
    world: &World,
    place: &ConfigDir,
    args: &LogoutArgs,
    sessions: &[Session],
) -> anyhow::Result<(Origin, Option<Session>)> {
    let (instance, session) = place.chosen(world, &args.instance)?;
    let is_certain =
        args.instance.account.is_some() || session.as_ref().is_none_or(|session| session.active);
    if is_certain {
        return Ok((instance, session));
    }
    let only = only_one_at(&instance, sessions, "sentry auth logout --account ")?.cloned();
    Ok((instance, only))
}

/// Ends the sessions; tells whether nothing of them is left, and whether anything was removed.
fn end(
    world: &World,
    place: &ConfigDir,
    doomed: &[Session],
    sessions: &[Session],
    args: &LogoutArgs,
) -> anyhow::Result<(bool, bool)> {
    let (mut complete, mut removed) = (true, !doomed.is_empty());
    for session in doomed {
        complete &= log_out(world, place, session, sessions, args)?;
    }
    if args.all {
        removed |= forget(world, place, |server, bindings| {
            server.binding(bindings).is_some() || server.is_of(&Origin::saas(), bindings)
        })?;
    }
    tell_of_hosts(world, place, doomed)?;
    Ok((complete, removed))
}

/// Tells whether nothing of it is left.
fn log_out(
    world: &World,
    place: &ConfigDir,
    session: &Session,
    sessions: &[Session],
    args: &LogoutArgs,
) -> anyhow::Result<bool> {
    let Some(store) = &place.store else {
        return Ok(true);
    };
    forget(world, place, |server, bindings| {
        server.is_removed_with(session, bindings)
    })?;
    // A refresh that is under way ends first, and its new pair goes too.
    let next = session::log_out(world, store, session)?;
    let complete = Mirror::for_removal(world, store).remove(session);
    let who = match is_one_of_several(session, sessions) {
        true => format!(" as {}", session.label()),
        false => String::new(),
    };
    say(&format!("logged out of {}{who}", session.origin));
    if let Some(next) = next.filter(|_| !args.all) {
        say(&format!(
            "the session of {} is the active one now",
            described(&next, sessions)
        ));
    }
    // Sentry lists what a user approved separately from the tokens that they created.
    let is_api_token = session
        .tokens
        .as_ref()
        .is_some_and(|tokens| tokens.refresh.is_none());
    let page = if is_api_token {
        "api/auth-tokens"
    } else {
        "authorizations"
    };
    let settings = format!("{}/settings/account", session.origin);
    say(&format!(
        "{settings}/{page}/ shows what Sentry still allows"
    ));
    Ok(complete)
}

/// Names the hosts that stay set up for what was logged out, and what ends that.
fn tell_of_hosts(world: &World, place: &ConfigDir, doomed: &[Session]) -> anyhow::Result<()> {
    let Some(store) = &place.store else {
        return Ok(());
    };
    let served = |binding: &Binding| {
        doomed.iter().any(|session| {
            let key = binding.account.as_deref();
            binding.origin.may_receive(&session.origin)
                && key.is_none_or(|key| session.has_key(key))
        })
    };
    let view = store.read()?;
    for (client, undo, option) in [
        (Client::Git, "setup-git", "--host"),
        (Client::Docker, "setup-docker", "--registry"),
    ] {
        let bindings = view.bindings(client)?;
        let servers = bindings.iter().filter(|binding| served(binding));
        let prefix = client.server("");
        let mut hosts: Vec<&str> = servers
            .filter_map(|binding| binding.server.strip_prefix(&prefix))
            .collect();
        hosts.sort_unstable();
        if hosts.is_empty() {
            continue;
        }
        say(&format!(
            "{} stays set up for {}",
            client.name(),
            hosts.join(", ")
        ));
        let is_podmans = |host: &&str| client == Client::Docker && podman_alone(world, host);
        let (podmans, others): (Vec<&str>, Vec<&str>) = hosts.into_iter().partition(is_podmans);
        for (hosts, file) in [(others, ""), (podmans, " --podman")] {
            let options: String = hosts
                .iter()
                .map(|host| format!(" {option} {}", quoted(host)))
                .collect();
            if !options.is_empty() {
                say(&format!(
                    "hint: `sentry auth {undo} --undo{file}{options}` ends that"
                ));
            }
        }
    }
    Ok(())
}

/// Whether podman asks this program for a registry, and docker does not.
fn podman_alone(world: &World, host: &str) -> bool {
    let server = Client::Docker.server(host);
    let asks = |path: anyhow::Result<PathBuf>| {
        let file = path.and_then(|path| ConfigFile::read(&path));
        file.is_ok_and(|file| file.asks_us_for(&server).is_some())
    };
    asks(world.podman_auth()) && !asks(world.docker_config())
}

/// A token in the environment goes on working whatever is removed here.
fn still_in_force(world: &World, otherwise: String) -> anyhow::Result<ExitCode> {
    match environment::token(world)? {
        Some(found) => say(&format!(
            "error: the token in {} is still used\nhint: `unset {}`",
            found.variable, found.variable
        )),
        None => say(&otherwise),
    }
    Ok(ExitCode::FAILURE)
}
