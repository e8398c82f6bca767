//! `sentry auth setup-docker`: lets docker, or podman and its kin, ask us about a registry, and the registry have this
//! login.
//!
//! docker starts a helper by its name and takes no path, so ours has to be on PATH first.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::docker_config::{ConfigFile, DEFAULT, Slot};
use super::undo::Journal;
use super::{Place, say};
use crate::cli::SetupDockerArgs;
use crate::docker::ServerUrl;
use crate::failure::Failure;
use crate::printable::printable;
use crate::store::{Binding, Client};
use crate::world::World;

const HELPER: &str = "docker-credential-sentry";

/// What docker puts behind `docker-credential-`.
pub(super) const OURS: &str = "sentry";

pub(super) fn setup_docker(world: &World, args: &SetupDockerArgs) -> anyhow::Result<ExitCode> {
    let path = match args.podman {
        true => world.podman_auth()?,
        false => world.docker_config()?,
    };
    let place = Place::of(world)?;
    let journal = Journal {
        world,
        place: &place,
        client: Client::Docker,
        file: path.display().to_string(),
    };
    let file = ConfigFile::read(path)?;
    match args.undo {
        true => undo(file, &journal, args)?,
        false => set_up(file, &journal, args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn set_up(
    mut file: ConfigFile,
    journal: &Journal<'_>,
    args: &SetupDockerArgs,
) -> anyhow::Result<()> {
    let world = journal.world;
    check_path(world)?;
    let (instance, session) = journal.place.chosen(world, &args.instance)?;
    let account = args.instance.account.as_ref();
    let account = account.and(session.map(|session| session.key()));
    let mut changes = Vec::new();
    for name in names(args) {
        let slot = Slot(name);
        let binding = slot.server()?.map(|server| Binding {
            server,
            origin: instance.clone(),
            username: args.username.clone(),
            signed_out: false,
            account: account.clone(),
        });
        let found = file.value(slot);
        let ours = Value::from(OURS);
        let bound = journal.record(name, found.clone(), &ours, binding.as_ref())?;
        if found != ours {
            let was = was(&found);
            changes.push(format!(
                "set `{slot}` to `{OURS}` in {}{was}",
                file.path.display()
            ));
            file.set(slot, ours);
        } else if !bound {
            say(&format!("nothing to change for {name}"));
        }
    }
    file.write(&changes)?;
    warn_of_passwords(&file, args);
    // containers-auth.json(5): that directory is emptied at boot.
    if args.podman
        && world.variable("REGISTRY_AUTH_FILE").is_none()
        && world.variable("XDG_RUNTIME_DIR").is_some()
    {
        say(
            "hint: podman keeps this file until the next boot only; set REGISTRY_AUTH_FILE to have one that stays",
        );
    }
    Ok(())
}

/// A login from before stays in the file, in plain text, and nobody reads it any more.
fn warn_of_passwords(file: &ConfigFile, args: &SetupDockerArgs) {
    let host_of = |name: &str| Some(ServerUrl::parse(name).ok()?.place?.host);
    for name in file.passwords() {
        let host = host_of(name);
        if args.default
            || args
                .registry
                .iter()
                .any(|registry| host_of(registry) == host)
        {
            say(&format!(
                "warning: {} still holds a password for {}, which is not used any more",
                file.path.display(),
                printable(name)
            ));
            say("hint: remove it from `auths` there");
        }
    }
}

/// Without names: all that was set up in this file.
fn undo(mut file: ConfigFile, journal: &Journal<'_>, args: &SetupDockerArgs) -> anyhow::Result<()> {
    let mut entries = journal.entries()?;
    let wanted: Vec<&str> = names(args).collect();
    entries.retain(|entry| wanted.is_empty() || wanted.contains(&entry.name.as_str()));
    if entries.is_empty() {
        say("nothing to undo");
        return Ok(());
    }
    let path = file.path.display().to_string();
    let mut changes = Vec::new();
    for entry in &entries {
        let slot = Slot(&entry.name);
        let found = file.value(slot);
        if !entry.is_of_ours(&found) {
            if found != entry.before {
                say(&format!(
                    "warning: `{slot}` in {path} was changed since; it is left as it is"
                ));
            }
        } else if found != entry.before {
            file.set(slot, entry.before.clone());
            changes.push(match entry.before.as_str() {
                Some(before) => format!("set `{slot}` back to `{}` in {path}", printable(before)),
                None => format!("removed `{slot}` from {path}"),
            });
        }
    }
    file.write(&changes)?;
    for entry in &entries {
        journal.forget(&entry.name, Slot(&entry.name).server()?.as_deref())?;
    }
    Ok(())
}

fn names(args: &SetupDockerArgs) -> impl Iterator<Item = &str> {
    let default = args.default.then_some(DEFAULT);
    default
        .into_iter()
        .chain(args.registry.iter().map(String::as_str))
}

fn was(found: &Value) -> String {
    found
        .as_str()
        .map_or_else(String::new, |text| format!(" (was `{}`)", printable(text)))
}

fn check_path(world: &World) -> Result<(), Failure> {
    if world.program(HELPER).is_some() {
        return Ok(());
    }
    let failure = Failure::new(format!(
        "docker would not find `{HELPER}`: it is not on PATH"
    ));
    let sibling = world.sibling(HELPER);
    Err(match sibling.as_deref().and_then(Path::parent) {
        Some(dir) => failure.hint(format!("add {} to PATH", dir.display())),
        None => failure.hint(format!("install `{HELPER}` in a directory on PATH")),
    })
}
