//! `setup-docker --undo`.
//!
//! Separate from the set-up because it relies on the files rather than the undo log: our values are removed whether
//! they were recorded or not, and a registry is unbound once no file names this program for it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::registries::{forget, log_of, names, warn_of};
use crate::auth::context::ConfigDir;
use crate::auth::report::{Report, Verb};
use crate::cli::SetupDockerArgs;
use crate::policy::administrators;
use crate::printable::printable;
use crate::setup::{
    ConfigFile, DEFAULT, ForeignFile, OURS, Slot, UndoLog, settle, together, update,
};
use crate::store::{Client, ReadTransaction, WriteTransaction};
use crate::world::World;

pub(super) struct Undo<'a> {
    world: &'a World,
    args: &'a SetupDockerArgs,
    /// The last one is the file that a set-up writes.
    paths: Vec<PathBuf>,
}

/// What is undone in one file.
struct Undone {
    log: UndoLog,
    /// Names that are no longer set up in the file.
    names: Vec<String>,
    /// The changes to report.
    lines: Vec<Line>,
}

enum Line {
    Removed(String),
    Restored(String, String),
    Changed(String),
}

impl<'a> Undo<'a> {
    pub(super) fn new(
        world: &'a World,
        args: &'a SetupDockerArgs,
        path: PathBuf,
    ) -> anyhow::Result<Undo<'a>> {
        let mut paths = Vec::new();
        if args.podman && world.variable("REGISTRY_AUTH_FILE").is_none() {
            // The location used before podman's own default was followed; podman still reads it.
            paths.push(world.podman_fallback()?);
        }
        paths.retain(|other| *other != path && other.exists());
        if !world.podman_has_no_place(&path) {
            paths.push(path);
        }
        Ok(Undo { world, args, paths })
    }

    pub(super) fn run(&self, config: &ConfigDir) -> anyhow::Result<()> {
        let store = config.store.as_ref();
        let mut report = Report::new(self.args.dry_run);
        let mut done = Vec::new();
        for path in &self.paths {
            let mut file_report = Report::new(self.args.dry_run);
            let entries = |file: &ForeignFile| match store {
                Some(store) => log_of(file).entries(&store.read()?),
                None => Ok(Vec::new()),
            };
            let file = ForeignFile::read(path)?;
            let logged = entries(&file)?;
            let is_last = Some(path) == self.paths.last();
            let (_, undone) = self.edit(&file, &logged)?;
            if self.args.dry_run {
                done.extend(undone.names.iter().cloned());
                self.report_changes(path, &undone, &mut file_report);
                if let Some(store) = store.filter(|_| is_last) {
                    self.unbind(&store.read()?, None, &done, &mut file_report)?;
                }
            } else {
                let unbound = &mut Report::new(false);
                let undone = together(
                    self.world,
                    store,
                    || update(self.world, path, |file| self.edit(file, &logged)),
                    |change, undone| {
                        for name in &undone.names {
                            undone.log.forget(change, name)?;
                        }
                        done.extend(undone.names.iter().cloned());
                        match is_last {
                            true => self.unbind(change, Some(change), &done, unbound),
                            false => Ok(()),
                        }
                    },
                )?;
                self.report_changes(path, &undone, &mut file_report);
                file_report.append(unbound);
                self.settle(path, &logged)?;
            }
            report.append(&mut file_report);
        }
        if report.is_empty() {
            report.note("nothing to undo");
        }
        let named = names(self.args);
        report.stays_bound(Client::Docker, &administrators(self.world), |name| {
            let server = Some(Client::Docker.server(name));
            let is_all = named.is_empty() && !self.args.podman;
            is_all || named.iter().any(|named| Slot(named).server() == server)
        });
        report.print(self.world);
        Ok(())
    }

    /// Plans the edit from the file; the undo log supplies the previous values.
    fn edit(
        &self,
        file: &ForeignFile,
        logged: &[(String, Value)],
    ) -> anyhow::Result<(Option<Vec<u8>>, Undone)> {
        let mut config = ConfigFile::of(file)?;
        let requested = names(self.args);
        let is_requested = |name: &str| {
            let same = |requested: &&str| {
                *requested == name
                    || Slot(name)
                        .server()
                        .is_some_and(|server| Slot(requested).server() == Some(server))
            };
            requested.is_empty() || requested.iter().any(same)
        };
        let mut targets: Vec<String> = config.ours().map(str::to_owned).collect();
        targets.extend(logged.iter().map(|(name, _)| name.clone()));
        targets.retain(|name| is_requested(name));
        targets.sort_by_key(|name| name != DEFAULT);
        let mut undone = Undone {
            log: log_of(file),
            names: Vec::new(),
            lines: Vec::new(),
        };
        for name in targets {
            if undone.names.contains(&name) {
                continue;
            }
            let slot = Slot(&name);
            let before = logged.iter().find(|(other, _)| *other == name);
            let before = before.map(|(_, before)| before.clone());
            let found = config.value(slot);
            if found == OURS {
                let before = before.filter(|before| before != OURS).unwrap_or_default();
                undone.lines.push(match before.as_str() {
                    Some(before) => Line::Restored(slot.to_string(), printable(before)),
                    None => Line::Removed(slot.to_string()),
                });
                config.set(slot, before);
            } else if before.is_some_and(|before| before != found) {
                undone.lines.push(Line::Changed(slot.to_string()));
            }
            undone.names.push(name);
        }
        let is_changed = undone
            .lines
            .iter()
            .any(|line| !matches!(line, Line::Changed(_)));
        Ok((is_changed.then(|| config.text().into_bytes()), undone))
    }

    fn report_changes(&self, path: &Path, undone: &Undone, report: &mut Report) {
        let path = path.display();
        for line in &undone.lines {
            match line {
                Line::Removed(slot) => {
                    report.did(Verb::Remove, &format!("`{}` from {path}", printable(slot)));
                }
                Line::Restored(slot, before) => {
                    let what = format!("`{}` back to `{before}` in {path}", printable(slot));
                    report.did(Verb::Set, &what);
                }
                Line::Changed(slot) => report.note(format!(
                    "warning: `{}` in {path} was changed since; it is left as it is",
                    printable(slot)
                )),
            }
        }
    }

    /// Unbinds registries that are named, or that no file refers to any more, and removes the credentials stored for
    /// them.
    fn unbind(
        &self,
        view: &ReadTransaction<'_>,
        change: Option<&WriteTransaction<'_>>,
        done: &[String],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let others = self.other_files(view)?;
        let elsewhere = |server: &str| {
            let names_us = |file: &&ConfigFile| file.key_for(server).is_some();
            others.iter().find(names_us)
        };
        let named: Vec<String> = names(self.args)
            .iter()
            .filter_map(|name| Slot(name).server())
            .collect();
        let undone: Vec<String> = done.iter().filter_map(|name| Slot(name).server()).collect();
        let is_all = names(self.args).is_empty();
        let prefix = Client::Docker.server("");
        let mut to_unbind = named.clone();
        for binding in view.bindings(Client::Docker)? {
            let server = &binding.server;
            let host = server.strip_prefix(&prefix).unwrap_or_default();
            let is_named = named.contains(server);
            let is_left = elsewhere(server).is_none() && (is_all || undone.contains(server));
            if !is_named && !is_left {
                continue;
            }
            report.unbound(host, &binding);
            if let Some(change) = change {
                change.unbind(server)?;
            }
            if let Some(file) = elsewhere(server) {
                let path = file.path().display();
                report.note(format!(
                    "warning: {path} still names this program for {host}"
                ));
            }
            to_unbind.push(server.clone());
        }
        to_unbind.extend(
            undone
                .iter()
                .filter(|server| elsewhere(server).is_none())
                .cloned(),
        );
        if done.iter().any(|name| name == DEFAULT) {
            let all = view.credentials(Client::Docker)?.into_iter();
            let hosts = all.map(|credential| match credential.server.split_once('/') {
                Some((host, _)) => host.to_owned(),
                None => credential.server,
            });
            to_unbind.extend(hosts.filter(|server| elsewhere(server).is_none()));
        }
        to_unbind.sort();
        to_unbind.dedup();
        for server in &to_unbind {
            let host = server.strip_prefix(&prefix).unwrap_or_default();
            if forget(Some(view), change, server)? {
                report.removed_stored(Client::Docker, host);
            }
        }
        Ok(())
    }

    /// All files that name this program, except those that are being undone. A file that cannot be read counts as
    /// naming none.
    fn other_files(&self, view: &ReadTransaction<'_>) -> anyhow::Result<Vec<ConfigFile>> {
        let known = [
            self.world.docker_config(),
            self.world.podman_auth(),
            self.world.podman_fallback(),
        ];
        let logged = UndoLog::files(Client::Docker, view)?;
        let all = known.into_iter().flatten();
        let all = all.chain(logged.into_iter().map(PathBuf::from));
        let files = all.filter_map(|path| ForeignFile::read(&path).ok());
        let undone: Vec<PathBuf> = self
            .paths
            .iter()
            .filter_map(|path| Some(ForeignFile::read(path).ok()?.target().to_owned()))
            .collect();
        Ok(files
            .filter(|file| !undone.iter().any(|path| path == file.target()))
            .filter_map(|file| ConfigFile::of(&file).ok())
            .collect())
    }

    fn settle(&self, path: &Path, logged: &[(String, Value)]) -> anyhow::Result<()> {
        let edit = |file: &ForeignFile| self.edit(file, logged);
        let is_kept = || Ok(edit(&ForeignFile::read(path)?)?.0.is_none());
        let again = || update(self.world, path, edit).map(drop);
        warn_of(path, settle(self.world, path, is_kept, again)?);
        Ok(())
    }
}
