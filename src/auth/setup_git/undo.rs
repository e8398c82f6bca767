//! `setup-git --undo`.
//!
//! Separate from the set-up because it relies on the files rather than the undo log: our values are removed whether
//! they were recorded or not, and a host is unbound once no file names this program for it.

use std::path::Path;

use serde_json::{Value, json};

use super::values::{is_in, is_ours, key, log_of, others, report_values};
use crate::auth::context::ConfigDir;
use crate::auth::report::Report;
use crate::origin::Origin;
use crate::policy::administrators;
use crate::printable::printable;
use crate::setup::{Edit, Git, GitFile, Reach, Scope, Setting, UndoLog, ending, together};
use crate::store::{Client, ReadTransaction, WriteTransaction};
use crate::world::World;

pub(super) struct Undo<'a> {
    world: &'a World,
    git: &'a Git<'a>,
    file: GitFile,
    /// Empty: all hosts that are set up in this file.
    hosts: Vec<Origin>,
    dry_run: bool,
}

/// What is undone for one key.
struct Undone {
    /// `None`: a pattern for several hosts.
    host: Option<Origin>,
    key: String,
    /// The values that were found, and those that stay.
    found: Vec<String>,
    rest: Vec<String>,
    /// The entry of the undo log, if there is one.
    before: Option<Value>,
}

impl<'a> Undo<'a> {
    pub(super) fn new(
        world: &'a World,
        git: &'a Git<'a>,
        file: GitFile,
        hosts: Vec<Origin>,
        dry_run: bool,
    ) -> Undo<'a> {
        Undo {
            world,
            git,
            file,
            hosts,
            dry_run,
        }
    }

    pub(super) fn run(&self, config: &ConfigDir) -> anyhow::Result<()> {
        let store = config.store.as_ref();
        let logged = match store {
            Some(store) => log_of(&self.file).entries(&store.read()?)?,
            None => Vec::new(),
        };
        let mut report = Report::new(self.dry_run);
        let mut unbound = Report::new(self.dry_run);
        let settings = self.git.settings_of(&self.file.path)?;
        let undone = if self.dry_run {
            let (_, undone) = self.plan(&settings, &logged);
            if let Some(store) = store {
                let elsewhere = self.elsewhere(&store.read()?)?;
                self.unbind(&store.read()?, None, &undone, &elsewhere, &mut unbound)?;
            }
            undone
        } else {
            let elsewhere = match store {
                Some(store) => self.elsewhere(&store.read()?)?,
                None => Vec::new(),
            };
            together(
                self.world,
                store,
                || {
                    self.git
                        .edit(&self.file, |settings| self.plan(settings, &logged))
                },
                |change, undone| {
                    self.unbind(change, Some(change), undone, &elsewhere, &mut unbound)
                },
            )?
        };
        for undone in &undone {
            self.report_changes(undone, &mut report);
        }
        report.append(&mut unbound);
        if report.is_empty() {
            report.note("nothing to undo");
        }
        report.stays_bound(Client::Git, &administrators(self.world), |name| {
            let is_named = |host: &Origin| host.to_string() == name;
            let is_all = self.hosts.is_empty() && self.file.scope == Scope::Global;
            is_all || self.hosts.iter().any(is_named)
        });
        let is_ours = |setting: &&Setting| setting.url().is_none() && setting.helper.is_ours();
        if let Some(setting) = settings.iter().find(is_ours)
            && self.hosts.is_empty()
        {
            let what = format!(
                "{} still makes git call this program for all hosts",
                self.file
            );
            report.note(what);
            report.note(format!("hint: {}", ending(setting)));
        }
        report.print(self.world);
        Ok(())
    }

    /// Plans the edits from the helpers in the file and from the undo log.
    fn plan(&self, settings: &[Setting], logged: &[(String, Value)]) -> (Vec<Edit>, Vec<Undone>) {
        let own = |setting: &&Setting| is_in(setting, &self.file);
        let mut keys: Vec<(String, Option<Origin>, Reach)> = Vec::new();
        let mut add = |key: String, host: Option<Origin>, reach: Reach| {
            let is_named = host.as_ref().is_some_and(|host| self.hosts.contains(host));
            let is_selected = self.hosts.is_empty() || is_named;
            if is_selected && keys.iter().all(|(other, ..)| *other != key) {
                keys.push((key, host, reach));
            }
        };
        for setting in settings.iter().filter(own) {
            if setting.url().is_some() && setting.helper.is_ours() {
                let host = setting.host();
                let reach = host.as_ref().map_or(Reach::Part, |(_, reach)| *reach);
                add(setting.key.clone(), host.map(|(host, _)| host), reach);
            }
        }
        for (name, _) in logged {
            if let Ok(host) = Origin::parse(name) {
                add(key(&host), Some(host), Reach::Whole);
            }
        }
        let (mut edits, mut all) = (Vec::new(), Vec::new());
        for (key, host, reach) in keys {
            let values = settings.iter().filter(own);
            let values = values.filter(|setting| setting.key == key);
            let found: Vec<String> = values.map(|setting| setting.value.clone()).collect();
            let name = host.as_ref().filter(|_| reach == Reach::Whole);
            let name = name.map(Origin::to_string);
            let before = logged
                .iter()
                .find(|(logged, _)| Some(logged) == name.as_ref());
            let before = before.map(|(_, before)| before.clone());
            let rest = remaining(&found, before.as_ref());
            if found != rest {
                edits.extend(edits_for(&key, &found, &rest));
            }
            all.push(Undone {
                host,
                key,
                found,
                rest,
                before,
            });
        }
        (edits, all)
    }

    fn report_changes(&self, undone: &Undone, report: &mut Report) {
        let key = &undone.key;
        report_values(report, &self.file, key, &undone.found, &undone.rest);
        let is_changed = undone
            .before
            .as_ref()
            .is_some_and(|before| json!(undone.rest) != *before);
        if is_changed {
            report.note(format!(
                "warning: `{key}` was changed since; other values are left as they are"
            ));
        }
    }

    /// Unbinds hosts that are named, or that no file refers to any more, and removes the credentials stored for them.
    fn unbind(
        &self,
        view: &ReadTransaction<'_>,
        change: Option<&WriteTransaction<'_>>,
        undone: &[Undone],
        elsewhere: &[Setting],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let log = log_of(&self.file);
        let mut to_unbind: Vec<Origin> = self.hosts.clone();
        for host in undone.iter().filter_map(|undone| undone.host.as_ref()) {
            if let Some(change) = change {
                log.forget(change, &host.to_string())?;
            }
            if configured(elsewhere, host).is_none() {
                to_unbind.push(host.clone());
            }
        }
        // The user's own file is the last one to be undone: any other binding was left by a file that no longer exists.
        let bindings = view.bindings(Client::Git)?;
        let hosts = bindings.iter().filter_map(|binding| {
            Origin::parse(binding.server.strip_prefix(&Client::Git.server(""))?).ok()
        });
        if self.hosts.is_empty() && self.file.scope == Scope::Global {
            for host in hosts {
                match configured(elsewhere, &host) {
                    None => to_unbind.push(host),
                    Some(setting) => {
                        let place = place(setting);
                        report.note(format!("{host} stays set up: {place} names this program"));
                        report.note(format!("hint: {}", ending(setting)));
                    }
                }
            }
        }
        let mut done: Vec<&Origin> = Vec::new();
        for host in &to_unbind {
            if done.contains(&host) {
                continue;
            }
            done.push(host);
            let name = host.to_string();
            let server = Client::Git.server(&name);
            if let Some(binding) = view.binding(&server)? {
                report.unbound(&name, &binding);
                if let Some(change) = change {
                    change.unbind(&server)?;
                }
                if let Some(setting) = configured(elsewhere, host) {
                    let place = place(setting);
                    report.note(format!(
                        "warning: {place} still names this program for {name}"
                    ));
                    report.note(format!("hint: {}", ending(setting)));
                }
            }
            let is_stored = match change {
                Some(change) => change.forget_credentials(&server)? > 0,
                None => view.known(&server, &server)?.credential,
            };
            if is_stored {
                report.removed_stored(Client::Git, &name);
            }
        }
        Ok(())
    }

    /// The helpers in the other files that git reads here, and in the files of the undo log.
    fn elsewhere(&self, view: &ReadTransaction<'_>) -> anyhow::Result<Vec<Setting>> {
        let is_other = |setting: &Setting| !is_in(setting, &self.file);
        let here = self.git.settings()?.into_iter().filter(is_other);
        let mut all: Vec<Setting> = here.collect();
        for name in UndoLog::files(Client::Git, view)? {
            if name == self.file.log_name {
                continue;
            }
            let path = match name.as_str() {
                "global" => self.git.file(Scope::Global)?.path,
                "system" => self.git.file(Scope::System)?.path,
                name => Path::new(name.trim_start_matches("local ")).join("config"),
            };
            // A repository that no longer exists, or that git refuses to read, has no helpers.
            all.extend(self.git.settings_of(&path).unwrap_or_default());
        }
        Ok(all)
    }
}

/// A helper of ours that is configured for the host by name.
fn configured<'a>(settings: &'a [Setting], host: &Origin) -> Option<&'a Setting> {
    settings.iter().find(|setting| {
        setting.url().is_some() && setting.reach(host) == Reach::Whole && setting.helper.is_ours()
    })
}

fn place(setting: &Setting) -> String {
    let file = setting.file();
    file.map_or_else(
        || "the environment".to_owned(),
        |file| printable(&file.display().to_string()),
    )
}

/// The values that stay: those from before the set-up, or the current ones without ours if they were changed since.
fn remaining(found: &[String], before: Option<&Value>) -> Vec<String> {
    let is_as_written = match found {
        [ours] => ours.is_empty() || is_ours(ours),
        [reset, ours] => reset.is_empty() && is_ours(ours),
        _ => false,
    };
    if !is_as_written {
        let others = found.iter().filter(|value| !is_ours(value));
        return others.cloned().collect();
    }
    let before = before.and_then(Value::as_array).into_iter().flatten();
    let before: Vec<String> = before
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    others(&before).into_iter().cloned().collect()
}

fn edits_for(key: &str, found: &[String], rest: &[String]) -> Vec<Edit> {
    let is_removed = |value: &&String| is_ours(value);
    let others: Vec<String> = found
        .iter()
        .filter(|value| !is_removed(value))
        .cloned()
        .collect();
    // If other values are in between, they keep their positions.
    match others == rest {
        true => found
            .iter()
            .filter(is_removed)
            .map(|value| Edit::Without {
                key: key.to_owned(),
                value: value.clone(),
            })
            .collect(),
        false => vec![Edit::Last {
            key: key.to_owned(),
            values: rest.to_vec(),
        }],
    }
}
