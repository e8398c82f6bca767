//! `setup-docker` without `--undo`.
//!
//! docker starts a helper by its name and takes no path, so ours has to be on PATH first.

use std::path::PathBuf;

use serde_json::Value;

use super::registries::{forget, log_of, names, warn_of};
use crate::auth::context::ConfigDir;
use crate::auth::output::say;
use crate::auth::report::{Report, Verb};
use crate::cli::SetupDockerArgs;
use crate::docker::ServerUrl;
use crate::failure::{Failure, hint_of};
use crate::origin::Origin;
use crate::printable::printable;
use crate::setup::{
    ConfigFile, ForeignFile, OURS, Slot, UndoLog, looked_up, path_with, settle, together, update,
};
use crate::store::{Binding, Client, ReadTransaction, Store, WriteTransaction};
use crate::world::World;

const HELPER: &str = "docker-credential-sentry";

/// What makes podman use a file that stays.
const THAT_STAYS: &str =
    "`export REGISTRY_AUTH_FILE=\"$HOME/.config/containers/auth.json\"`, for podman too";

pub(super) struct SetUp<'a> {
    world: &'a World,
    args: &'a SetupDockerArgs,
    path: PathBuf,
    instance: Origin,
    /// The account that was named.
    account: Option<String>,
}

/// What was found in the file, and is `sentry` now.
struct Found {
    /// Where the file is.
    log: UndoLog,
    /// Each name, and what stood there.
    slots: Vec<(String, Value)>,
    /// Keys of ours that no client looks up, and that are gone now.
    dead: Vec<String>,
    passwords: Vec<String>,
}

impl<'a> SetUp<'a> {
    pub(super) fn new(
        world: &'a World,
        args: &'a SetupDockerArgs,
        path: PathBuf,
        place: &ConfigDir,
    ) -> anyhow::Result<SetUp<'a>> {
        check_path(world)?;
        // What cannot be changed is refused before anything is made.
        ConfigFile::read(&path).map_err(|error| with_hint(world, args, error))?;
        let (instance, account) = place.to_bind(world, &args.instance)?;
        Ok(SetUp {
            world,
            args,
            path,
            instance,
            account,
        })
    }

    pub(super) fn run(&self, place: &ConfigDir) -> anyhow::Result<()> {
        let mut report = Report::new(self.args.dry_run);
        if self.args.dry_run {
            let (_, found) = self.edit(&ForeignFile::read(&self.path)?)?;
            let view = place.store.as_ref().map(Store::read).transpose()?;
            self.record(view.as_ref(), &found, None, &mut report)?;
            self.tell(&found, report);
            return Ok(());
        }
        let store = Store::open_or_create(self.world, &place.dir)?;
        let found = together(
            self.world,
            Some(&store),
            || {
                let done = update(self.world, &self.path, |file| self.edit(file));
                done.map_err(|error| with_hint(self.world, self.args, error))
            },
            |change, found| self.record(Some(&**change), found, Some(change), &mut report),
        )?;
        self.tell(&found, report);
        self.warn_of_passwords(&found.passwords);
        self.warn_of_boot();
        self.settle()
    }

    fn edit(&self, file: &ForeignFile) -> anyhow::Result<(Option<Vec<u8>>, Found)> {
        let mut config = ConfigFile::of(file)?;
        let mut found = Found {
            log: log_of(file),
            slots: Vec::new(),
            dead: Vec::new(),
            passwords: config.passwords().map(str::to_owned).collect(),
        };
        for name in names(self.args) {
            let slot = Slot(name);
            let server = slot.server();
            let is_same = |key: &str| server.is_some() && Slot(key).server() == server;
            let is_dead = |key: &&str| !looked_up(key) && is_same(key);
            let dead: Vec<String> = config.ours().filter(is_dead).map(str::to_owned).collect();
            for key in &dead {
                config.set(Slot(key), Value::Null);
            }
            found.dead.extend(dead);
            found.slots.push((name.to_owned(), config.value(slot)));
            config.set(slot, Value::from(OURS));
        }
        let is_changed = !found.dead.is_empty() || found.slots.iter().any(|(_, was)| was != OURS);
        Ok((is_changed.then(|| config.text().into_bytes()), found))
    }

    /// What goes with it in the database; without `change` it is only told.
    fn record(
        &self,
        view: Option<&ReadTransaction<'_>>,
        found: &Found,
        change: Option<&WriteTransaction<'_>>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        for (name, was) in &found.slots {
            if let Some(change) = change.filter(|_| was != OURS) {
                found.log.record(change, name, was)?;
            }
            let Some(server) = Slot(name).server() else {
                continue;
            };
            let known = view
                .map(|view| view.binding(&server))
                .transpose()?
                .flatten();
            let same = known.as_ref().filter(|known| known.origin == self.instance);
            let (username, account) = (self.args.username.clone(), self.account.clone());
            let binding = Binding {
                username: username.or_else(|| same?.username.clone()),
                account: account.or_else(|| same?.account.clone()),
                origin: self.instance.clone(),
                signed_out: false,
                server,
            };
            if known.as_ref() != Some(&binding) {
                report.bound(name, &binding);
                if let Some(change) = change {
                    change.bind(&binding)?;
                }
            }
            // The last explicit act is the one in force.
            if forget(view, change, &binding.server)? {
                report.removed_stored(Client::Docker, name);
            }
        }
        Ok(())
    }

    fn tell(&self, found: &Found, mut report: Report) {
        let path = self.path.display();
        let is_silent = report.is_empty();
        for key in &found.dead {
            let slot = printable(&Slot(key).to_string());
            report.did(
                Verb::Remove,
                &format!("`{slot}` from {path}, which no client looks up"),
            );
        }
        for (name, was) in &found.slots {
            let slot = Slot(name);
            if was == OURS {
                if is_silent && found.dead.is_empty() {
                    report.note(format!("nothing to change for {name}"));
                }
                continue;
            }
            let was = was.as_str();
            let was = was.map_or_else(String::new, |was| format!(" (was `{}`)", printable(was)));
            report.did(Verb::Set, &format!("`{slot}` to `{OURS}` in {path}{was}"));
        }
        report.tell();
    }

    /// A login from before stays in the file, in plain text, and nobody reads it any more.
    fn warn_of_passwords(&self, passwords: &[String]) {
        let host_of = |name: &str| Some(ServerUrl::parse(name).ok()?.registry?.host);
        let is_set_up = |host| {
            let names = names(self.args);
            names.iter().any(|name| host_of(name) == host)
        };
        for name in passwords {
            if self.args.default || is_set_up(host_of(name)) {
                say(&format!(
                    "warning: {} still holds a password for {}, which is not used any more; remove it from `auths` there",
                    self.path.display(),
                    printable(name)
                ));
            }
        }
    }

    /// containers-auth.json(5): both directories are emptied at boot.
    fn warn_of_boot(&self) {
        let lasts = ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG"]
            .into_iter()
            .any(|name| self.world.variable(name).is_some());
        if self.args.podman && !lasts && cfg!(target_os = "linux") {
            say("warning: podman keeps this file until the next boot only");
            say(&format!("hint: {THAT_STAYS}"));
        }
    }

    /// Until nobody runs who read the file before.
    fn settle(&self) -> anyhow::Result<()> {
        let is_kept = || {
            let config = ConfigFile::read(&self.path)?;
            let names = names(self.args);
            Ok(names.iter().all(|name| config.value(Slot(name)) == OURS))
        };
        let again = || update(self.world, &self.path, |file| self.edit(file)).map(drop);
        warn_of(&self.path, settle(self.world, &self.path, is_kept, again)?);
        Ok(())
    }
}

/// Where podman logs in when no variable says so is no place for every user.
fn with_hint(world: &World, args: &SetupDockerArgs, error: anyhow::Error) -> anyhow::Error {
    let names = ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"];
    let is_named = names.iter().any(|name| world.variable(name).is_some());
    if !args.podman || is_named || hint_of(&error).is_some() {
        return error;
    }
    Failure::new(format!("{error:#}")).hint(THAT_STAYS).into()
}

fn check_path(world: &World) -> Result<(), Failure> {
    if world.program(HELPER).is_some() {
        return Ok(());
    }
    let what = format!("docker would not find `{HELPER}`: it is not on PATH");
    Err(match path_with(world, HELPER) {
        Some(command) => Failure::new(what).hint(command),
        None => Failure::new(format!("{what}, nor beside this program")),
    })
}
