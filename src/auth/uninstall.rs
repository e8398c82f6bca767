//! `sentry auth uninstall`: undoes everything that this program did and recorded.
//!
//! Set-ups come first, because the database has the values that they replaced; then the sessions with their copies in
//! the keyring; then the database. The lock files stay: another process may be waiting for them.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use super::context::{ConfigDir, described};
use super::link::links;
use super::logout::logout;
use super::output::say;
use super::set_aside::SetAside;
use super::setup_docker::setup_docker;
use super::setup_git::{is_set_up_for_all_users, setup_git};
use super::survey::Survey;
use crate::cli::{GitScope, LogoutArgs, SessionArgs, SetupDockerArgs, SetupGitArgs, UninstallArgs};
use crate::environment::Environment;
use crate::failure::hint_of;
use crate::printable::quoted;
use crate::session;
use crate::store::{Removal, Store};
use crate::world::World;

pub(crate) fn uninstall(world: &World, args: &UninstallArgs) -> anyhow::Result<ExitCode> {
    let dry_run = args.dry_run;
    let mut complete = true;
    // A set-up that cannot be undone is reported, and the others are undone.
    let mut attempt = |what: &str, done: anyhow::Result<ExitCode>| {
        if let Err(error) = done {
            complete = false;
            say(&format!("error: {what}: {error:#}"));
            if let Some(hint) = hint_of(&error) {
                say(&format!("hint: {hint}"));
            }
        }
    };
    if world.program("git").is_some() {
        let undo = |scope| setup_git(world, &git(scope, dry_run));
        attempt("git", undo(GitScope::default()));
        if is_set_up_for_all_users(world) {
            let system = GitScope {
                system: true,
                ..GitScope::default()
            };
            attempt("git for all users", undo(system));
        }
    }
    for (what, podman, file) in [
        ("docker", false, world.docker_config()),
        ("podman", true, world.podman_auth()),
    ] {
        if file.is_ok_and(|file| file.exists()) {
            attempt(what, setup_docker(world, &docker(podman, dry_run)));
        }
    }
    let place = ConfigDir::of(world)?;
    let dir = place.dir().ok().map(Path::to_owned);
    if place.store.is_some() {
        match dry_run {
            true => foretell(world, &place)?,
            false => attempt("the database", remove(world, place)),
        }
    }
    if let Some(dir) = dir {
        attempt("the database", remove_remains(world, &dir, dry_run));
    }
    for link in links(world) {
        attempt("the symlink", unlink(&link, dry_run));
    }
    say(
        "repositories that were set up with `--local` stay so until `sentry auth setup-git --local --undo` there",
    );
    say("the programs stay, too: remove them the way they were installed");
    Ok(match complete {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn git(scope: GitScope, dry_run: bool) -> SetupGitArgs {
    SetupGitArgs {
        host: Vec::new(),
        hosts: Vec::new(),
        instance: SessionArgs::default(),
        username: None,
        scope,
        dry_run,
        undo: true,
    }
}

fn docker(podman: bool, dry_run: bool) -> SetupDockerArgs {
    SetupDockerArgs {
        registry: Vec::new(),
        registries: Vec::new(),
        default: false,
        instance: SessionArgs::default(),
        username: None,
        podman,
        dry_run,
        undo: true,
    }
}

/// Removes the symlink that `sentry-credential link` created.
fn unlink(link: &Path, dry_run: bool) -> anyhow::Result<ExitCode> {
    let name = link.display();
    if dry_run {
        say(&format!("would remove {name}, a symlink to this program"));
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::remove_file(link).with_context(|| format!("cannot remove {name}"))?;
    say(&format!("removed {name}, a symlink to this program"));
    Ok(ExitCode::SUCCESS)
}

/// Reports what [`remove`] would do.
fn foretell(world: &World, place: &ConfigDir) -> anyhow::Result<()> {
    let sessions = place.sessions()?;
    for session in &sessions {
        say(&format!(
            "would log out of {}",
            described(session, &sessions)
        ));
    }
    let Some(store) = &place.store else {
        return Ok(());
    };
    let environment = Environment::of(world);
    let survey = Survey::of(world, Some(store), &environment)?;
    let servers: Vec<_> = survey.servers().collect();
    let stored: usize = servers
        .iter()
        .map(|server| survey.stored(server).count())
        .sum();
    if stored > 0 {
        say(&format!(
            "would remove {stored} credentials that git or docker stored"
        ));
    }
    let path = store.path().display();
    say(&match store.removal()? {
        Removal::File => format!("would remove {path}"),
        Removal::Tables => format!("would remove this program's tables from {path}"),
    });
    Ok(())
}

/// Logs out everywhere, and removes the database.
fn remove(world: &World, place: ConfigDir) -> anyhow::Result<ExitCode> {
    if !place.sessions()?.is_empty() {
        let all = LogoutArgs {
            instance: SessionArgs::default(),
            all: true,
        };
        logout(world, &all)?;
    }
    let guard = place.lock(world)?;
    let dir = place.dir()?.to_owned();
    // The open database has not seen these changes.
    drop(place.store);
    let Some(store) = Store::open(world, &dir)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let path = store.path().display().to_string();
    match store.remove(world, &guard)? {
        Removal::File => {
            say(&format!("removed {path}"));
            let dir = quoted(&dir.display().to_string());
            say(&format!("hint: `rm -r {dir}` removes the lock files, too"));
        }
        Removal::Tables => say(&format!(
            "removed this program's tables from {path}, which Sentry's official CLI uses"
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes what may hold tokens beside the database: grants that could not be imported, and damaged databases.
fn remove_remains(world: &World, dir: &Path, dry_run: bool) -> anyhow::Result<ExitCode> {
    if !dir.exists() {
        return Ok(ExitCode::SUCCESS);
    }
    if !dry_run {
        session::discard_all(world, dir)?;
    }
    for file in SetAside::in_dir(dir).map_or_else(Vec::new, |found| found.files) {
        let name = file.display();
        if dry_run {
            say(&format!("would remove {name}"));
            continue;
        }
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {name}"))?;
        say(&format!("removed {name}"));
    }
    Ok(ExitCode::SUCCESS)
}
