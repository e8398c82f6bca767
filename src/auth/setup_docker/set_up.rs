//! `setup-docker` without `--undo`.
//!
//! docker finds a helper by its name only, so the helper has to be on PATH.

use std::path::PathBuf;

use serde_json::Value;

use super::registries::{forget, log_of, names, warn_of};
use crate::auth::binding::Rebound;
use crate::auth::context::ConfigDir;
use crate::auth::output::say;
use crate::auth::report::{Report, Verb};
use crate::cli::SetupDockerArgs;
use crate::docker::ServerUrl;
use crate::failure::{Failure, hint_of};
use crate::origin::Origin;
use crate::platform::files::containers_dir;
use crate::printable::printable;
use crate::setup::{
    ConfigFile, ForeignFile, OURS, Slot, UndoLog, looked_up, path_with, settle, together, update,
};
use crate::store::{Binding, Client, ReadTransaction, Store, WriteTransaction};
use crate::world::World;

const HELPER: &str = "docker-credential-sentry";

/// A hint that makes podman use a persistent file.
const PERSISTENT_FILE: &str =
    "`export REGISTRY_AUTH_FILE=\"$HOME/.config/containers/auth.json\"`, for podman too";

pub(super) struct SetUp<'a> {
    world: &'a World,
    args: &'a SetupDockerArgs,
    path: PathBuf,
    instance: Origin,
    /// The account that was named.
    account: Option<String>,
}

/// What the edit found in the file.
struct Found {
    /// The undo log of the file.
    log: UndoLog,
    /// Each name, and its previous value.
    slots: Vec<(String, Value)>,
    /// Keys of ours that no client looks up, and which the edit removed.
    unused: Vec<String>,
    passwords: Vec<String>,
}

impl<'a> SetUp<'a> {
    pub(super) fn new(
        world: &'a World,
        args: &'a SetupDockerArgs,
        path: PathBuf,
        config: &ConfigDir,
    ) -> anyhow::Result<SetUp<'a>> {
        check_path(world)?;
        // A file that cannot be edited is refused before anything is created.
        ConfigFile::read(&path).map_err(|error| with_hint(world, args, error))?;
        let (instance, account) = config.binding_target(world, &args.instance)?;
        Ok(SetUp {
            world,
            args,
            path,
            instance,
            account,
        })
    }

    pub(super) fn run(&self, config: &ConfigDir) -> anyhow::Result<()> {
        let mut report = Report::of_results(self.args.dry_run);
        if self.args.dry_run {
            let (_, found) = self.edit(&ForeignFile::read(&self.path)?)?;
            let view = config.store.as_ref().map(Store::read).transpose()?;
            self.record(view.as_ref(), &found, None, &mut report)?;
            self.report_changes(&found, report);
            return Ok(());
        }
        let store = Store::open_or_create(self.world, config.dir()?)?;
        let found = together(
            self.world,
            Some(&store),
            || {
                let done = update(self.world, &self.path, |file| self.edit(file));
                done.map_err(|error| with_hint(self.world, self.args, error))
            },
            |change, found| self.record(Some(&**change), found, Some(change), &mut report),
        )?;
        self.report_changes(&found, report);
        self.warn_of_passwords(&found.passwords);
        self.warn_of_boot();
        self.settle()
    }

    fn edit(&self, file: &ForeignFile) -> anyhow::Result<(Option<Vec<u8>>, Found)> {
        let mut config = ConfigFile::of(file)?;
        let mut found = Found {
            log: log_of(file),
            slots: Vec::new(),
            unused: Vec::new(),
            passwords: config.passwords().map(str::to_owned).collect(),
        };
        for name in names(self.args) {
            let slot = Slot(name);
            let server = slot.server();
            let is_same = |key: &str| server.is_some() && Slot(key).server() == server;
            let is_unused = |key: &&str| !looked_up(key) && is_same(key);
            let unused: Vec<String> = config.ours().filter(is_unused).map(str::to_owned).collect();
            for key in &unused {
                config.set(Slot(key), Value::Null);
            }
            found.unused.extend(unused);
            found.slots.push((name.to_owned(), config.value(slot)));
            config.set(slot, Value::from(OURS));
        }
        let is_changed =
            !found.unused.is_empty() || found.slots.iter().any(|(_, before)| before != OURS);
        Ok((is_changed.then(|| config.text().into_bytes()), found))
    }

    /// Records the bindings and the undo log in the database; without `change`, only reports them.
    fn record(
        &self,
        view: Option<&ReadTransaction<'_>>,
        found: &Found,
        change: Option<&WriteTransaction<'_>>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        for (name, before) in &found.slots {
            if let Some(change) = change.filter(|_| before != OURS) {
                found.log.record(change, name, before)?;
            }
            let client = if self.args.podman { "podman" } else { "docker" };
            let Some(server) = Slot(name).server() else {
                if before != OURS && !self.args.dry_run {
                    report.note(format!("{client} calls this program for all registries"));
                }
                continue;
            };
            if let Some(change) = change {
                change.forget_refusals(&server)?;
            }
            let named = Binding {
                username: self.args.username.clone(),
                account: self.account.clone(),
                origin: self.instance.clone(),
                signed_out: false,
                server,
            };
            let Rebound { binding, is_known } = Rebound::of(named, view)?;
            if !is_known {
                report.bound(name, &binding);
                if let Some(change) = change {
                    change.bind(&binding)?;
                }
            }
            if !is_known || before != OURS || !found.unused.is_empty() {
                let former = before.as_str().filter(|before| *before != OURS);
                let former = former.map(|helper| format!("`{}`", printable(helper)));
                report.uses(client, &binding, name, former.as_slice());
            }
            // The user's last explicit action replaces an earlier login.
            if forget(view, change, &binding.server)? {
                report.removed_stored(Client::Docker, name);
            }
        }
        Ok(())
    }

    fn report_changes(&self, found: &Found, mut report: Report) {
        let path = self.path.display();
        let is_silent = report.is_empty();
        for key in &found.unused {
            let slot = printable(&Slot(key).to_string());
            report.did(
                Verb::Remove,
                &format!("`{slot}` from {path}, which no client looks up"),
            );
        }
        for (name, before) in &found.slots {
            let slot = Slot(name);
            if before == OURS {
                if is_silent && found.unused.is_empty() {
                    report.note(format!("nothing to change for {name}"));
                }
                continue;
            }
            let before = before.as_str();
            let before = before.map_or_else(String::new, |before| {
                format!(" (was `{}`)", printable(before))
            });
            report.did(
                Verb::Set,
                &format!("`{slot}` to `{OURS}` in {path}{before}"),
            );
        }
        report.print(self.world);
    }

    /// Warns about an earlier login that stays in the file in plain text, unused.
    fn warn_of_passwords(&self, passwords: &[String]) {
        let host_of = |name: &str| Some(ServerUrl::parse(name).ok()?.registry?.host);
        let is_set_up = |host| {
            let names = names(self.args);
            names.iter().any(|name| host_of(name) == host)
        };
        for name in passwords {
            if self.args.default || is_set_up(host_of(name)) {
                say(&format!(
                    "warning: {} still holds a password for {}, which is no longer used; remove it from `auths` there",
                    self.path.display(),
                    printable(name)
                ));
            }
        }
    }

    /// containers-auth.json(5): both directories are emptied at boot.
    fn warn_of_boot(&self) {
        let is_persistent = ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG"]
            .into_iter()
            .any(|name| self.world.variable(name).is_some());
        if self.args.podman && !is_persistent && containers_dir().is_some() {
            let path = self.path.display();
            say(&format!("warning: {path} is deleted at the next boot"));
            say(&format!("hint: {PERSISTENT_FILE}"));
        }
    }

    /// Repeats the edit until no program runs that has read the old file.
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

/// Adds a hint if podman's default location is not usable.
fn with_hint(world: &World, args: &SetupDockerArgs, error: anyhow::Error) -> anyhow::Error {
    let names = ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"];
    let is_named = names.iter().any(|name| world.variable(name).is_some());
    if !args.podman || is_named || hint_of(&error).is_some() {
        return error;
    }
    Failure::new(format!("{error:#}"))
        .hint(PERSISTENT_FILE)
        .into()
}

fn check_path(world: &World) -> Result<(), Failure> {
    if world.command(HELPER).is_some() {
        return Ok(());
    }
    let what = format!("docker cannot find `{HELPER}`: it is not on PATH");
    Err(match path_with(world, HELPER) {
        Some(command) => Failure::new(what).hint(command),
        None => Failure::new(format!("{what}, nor beside this program")),
    })
}
