//! `sentry auth logout`: removes a session from this machine and from the keyring. Sentry has no revocation endpoint
//! for public clients.
//!
//! Credentials stored for the hosts of the account are removed too, so that nothing is served there. The hosts stay set
//! up: a new login serves them again.

use std::path::PathBuf;
use std::process::ExitCode;

use super::context::{ConfigDir, described, only_one_at};
use super::forget::forget;
use super::output::{say, stays_bound};
use super::set_aside::SetAside;
use crate::account::{self, Session};
use crate::cli::LogoutArgs;
use crate::environment;
use crate::login::not_logged_in;
use crate::mirror::Mirror;
use crate::origin::Origin;
use crate::policy::administrators;
use crate::printable::quoted;
use crate::session;
use crate::setup::ConfigFile;
use crate::store::{Binding, Client};
use crate::world::World;

pub(crate) fn logout(world: &World, args: &LogoutArgs) -> anyhow::Result<ExitCode> {
    let config = ConfigDir::of(world)?;
    // A login that waits to be imported has to end, too.
    match &config.store {
        Some(store) => drop(session::import_pending(world, store)?),
        None => {
            if let Ok(dir) = config.dir() {
                session::discard_all(world, dir)?;
            }
        }
    }
    let sessions = config.sessions()?;
    let selected: Vec<Session> = match args.all {
        true => sessions.clone(),
        false => match selected(world, &config, args, &sessions)? {
            (_, Some(session)) => vec![session],
            (instance, None) => {
                // What git has stored meanwhile would be returned like a login.
                let removed = forget(world, &config, |server, bindings| {
                    server.is_of(&instance, bindings)
                })?;
                config.wipe(world, removed);
                return report_environment_token(world, not_logged_in(&instance).to_string());
            }
        },
    };
    let ended = end(world, &config, &selected, &sessions, args);
    // After a failure, the erasure is left to the next logout.
    config.wipe(world, matches!(ended, Ok((_, true))));
    let (complete, _) = ended?;
    if selected.is_empty() {
        return report_environment_token(world, "not logged in".to_owned());
    }
    match environment::token(world) {
        Ok(None) if complete => Ok(ExitCode::SUCCESS),
        Ok(None) => Ok(ExitCode::FAILURE),
        _ => report_environment_token(world, String::new()),
    }
}

/// The selected session. An instance without an account means its only account, or the active one.
fn selected(
    world: &World,
    config: &ConfigDir,
    args: &LogoutArgs,
    sessions: &[Session],
) -> anyhow::Result<(Origin, Option<Session>)> {
    let (instance, session) = config.chosen(world, &args.instance)?;
    let is_certain =
        args.instance.account.is_some() || session.as_ref().is_none_or(|session| session.active);
    if is_certain {
        return Ok((instance, session));
    }
    let only = only_one_at(&instance, sessions, "sentry auth logout --account ")?.cloned();
    Ok((instance, only))
}

/// Ends the sessions. Returns whether they are gone completely, and whether anything was removed.
fn end(
    world: &World,
    config: &ConfigDir,
    selected: &[Session],
    sessions: &[Session],
    args: &LogoutArgs,
) -> anyhow::Result<(bool, bool)> {
    let (mut complete, mut removed) = (true, !selected.is_empty());
    for session in selected {
        complete &= log_out(world, config, session, sessions, args)?;
    }
    if args.all {
        removed |= forget(world, config, |server, bindings| {
            server.binding(bindings).is_some() || server.is_of(&Origin::saas(), bindings)
        })?;
    }
    report_hosts(world, config, selected)?;
    if let Some(found) = config.dir().ok().and_then(SetAside::in_dir) {
        say(&format!("warning: {}", found.shown()));
        say(&format!("hint: {}", found.remedy()));
    }
    Ok((complete, removed))
}

/// Ends one session. Returns whether it is gone completely.
fn log_out(
    world: &World,
    config: &ConfigDir,
    session: &Session,
    sessions: &[Session],
    args: &LogoutArgs,
) -> anyhow::Result<bool> {
    let Some(store) = &config.store else {
        return Ok(true);
    };
    forget(world, config, |server, bindings| {
        server.is_removed_with(session, bindings)
    })?;
    // A refresh in progress ends first, and its new pair is removed too.
    let next = session::log_out(world, store, session)?;
    let complete = Mirror::for_removal(world, store).remove(session);
    let who = match account::is_alone(session, sessions) {
        true => String::new(),
        false => format!(" as {}", session.label()),
    };
    say(&format!("logged out of {}{who}", session.origin));
    if let Some(next) = next.filter(|_| !args.all) {
        say(&format!(
            "the session of {} is the active one now",
            described(&next, sessions)
        ));
    }
    // Sentry lists authorized applications separately from the tokens that a user created.
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
        "{settings}/{page}/ lists the access that Sentry still grants"
    ));
    Ok(complete)
}

/// Names the hosts that stay set up for the removed sessions, and the commands that undo that.
fn report_hosts(world: &World, config: &ConfigDir, selected: &[Session]) -> anyhow::Result<()> {
    let Some(store) = &config.store else {
        return Ok(());
    };
    let rolled_out = administrators(world);
    let served = |binding: &Binding| {
        selected.iter().any(|session| {
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
        let is_own = |line: &&Binding| bindings.iter().any(|own| own.server == line.server);
        let lines = rolled_out
            .iter()
            .filter(|line| served(line) && !is_own(line));
        lines
            .filter(|line| line.server.starts_with(&prefix))
            .for_each(|line| say(&stays_bound(line)));
        hosts.sort_unstable();
        if hosts.is_empty() {
            continue;
        }
        say(&format!(
            "{} stays set up for {}",
            client.name(),
            hosts.join(", ")
        ));
        let is_podman_only =
            |host: &&str| client == Client::Docker && only_podman_calls_us(world, host);
        let (podman_only, others): (Vec<&str>, Vec<&str>) =
            hosts.into_iter().partition(is_podman_only);
        for (hosts, file) in [(others, ""), (podman_only, " --podman")] {
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

/// Whether podman calls this program for a registry, and docker does not.
fn only_podman_calls_us(world: &World, host: &str) -> bool {
    let server = Client::Docker.server(host);
    let calls_us = |path: anyhow::Result<PathBuf>| {
        let file = path.and_then(|path| ConfigFile::read(&path));
        file.is_ok_and(|file| file.key_for(&server).is_some())
    };
    calls_us(world.podman_auth()) && !calls_us(world.docker_config())
}

/// A token in the environment stays in effect whatever is removed.
fn report_environment_token(world: &World, message: String) -> anyhow::Result<ExitCode> {
    match environment::token(world)? {
        Some(found) => say(&format!(
            "error: the token in {} is still used\nhint: `unset {}`",
            found.variable, found.variable
        )),
        None => say(&message),
    }
    Ok(ExitCode::FAILURE)
}
