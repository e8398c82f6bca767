//! `setup-git --undo`.
//!
//! Separate from the set-up because it trusts the files: what stands in them is taken out whether or not it was noted
//! down, and what no file leads here for any more is not bound any longer.

use std::path::Path;

use serde_json::{Value, json};

use super::values::{is_in, is_ours, key, log_of, others, tell_values};
use crate::auth::context::ConfigDir;
use crate::auth::report::Report;
use crate::origin::Origin;
use crate::setup::{Edit, Git, GitFile, Reach, Scope, Setting, UndoLog, ending, together};
use crate::store::{Client, ReadTransaction, WriteTransaction};
use crate::world::World;

pub(super) struct Undo<'a> {
    world: &'a World,
    git: &'a Git<'a>,
    file: GitFile,
    /// None: all that are set up in this file.
    hosts: Vec<Origin>,
    dry_run: bool,
}

/// What is undone in the file for one key.
struct Undone {
    /// `None`: one that stands for many hosts.
    host: Option<Origin>,
    key: String,
    /// What stood there, and what is left.
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

    pub(super) fn run(&self, place: &ConfigDir) -> anyhow::Result<()> {
        let store = place.store.as_ref();
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
            self.tell(undone, &mut report);
        }
        report.append(&mut unbound);
        if report.is_empty() {
            report.note("nothing to undo");
        }
        let is_ours = |setting: &&Setting| setting.url().is_none() && setting.helper.is_ours();
        if let Some(setting) = settings.iter().find(is_ours)
            && self.hosts.is_empty()
        {
            let what = format!("by {} git still asks this program for all hosts", self.file);
            report.note(what);
            report.note(format!("hint: {}", ending(setting)));
        }
        report.tell();
        Ok(())
    }

    /// From the helpers in the file, and from the log.
    fn plan(&self, settings: &[Setting], logged: &[(String, Value)]) -> (Vec<Edit>, Vec<Undone>) {
        let own = |setting: &&Setting| is_in(setting, &self.file);
        let mut keys: Vec<(String, Option<Origin>, Reach)> = Vec::new();
        let mut add = |key: String, host: Option<Origin>, reach: Reach| {
            let is_named = host.as_ref().is_some_and(|host| self.hosts.contains(host));
            let is_wanted = self.hosts.is_empty() || is_named;
            if is_wanted && keys.iter().all(|(other, ..)| *other != key) {
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
            let rest = left_of(&found, before.as_ref());
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

    fn tell(&self, undone: &Undone, report: &mut Report) {
        let key = &undone.key;
        tell_values(report, &self.file, key, &undone.found, &undone.rest);
        let is_changed = undone
            .before
            .as_ref()
            .is_some_and(|before| json!(undone.rest) != *before);
        if is_changed {
            report.note(format!(
                "warning: `{key}` was changed since; what others wrote there is left as it is"
            ));
        }
    }

    /// Ends the bindings of hosts that are named, or that no file leads here for any more; and what was stored for them
    /// goes too.
    fn unbind(
        &self,
        view: &ReadTransaction<'_>,
        change: Option<&WriteTransaction<'_>>,
        undone: &[Undone],
        elsewhere: &[Setting],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let log = log_of(&self.file);
        let mut over: Vec<Origin> = self.hosts.clone();
        for host in undone.iter().filter_map(|undone| undone.host.as_ref()) {
            if let Some(change) = change {
                log.forget(change, &host.to_string())?;
            }
            if !leads_here(elsewhere, host) {
                over.push(host.clone());
            }
        }
        // The user's own file is the last one: what is bound and stands in none was left by one that is gone.
        let bindings = view.bindings(Client::Git)?;
        let hosts = bindings.iter().filter_map(|binding| {
            Origin::parse(binding.server.strip_prefix(&Client::Git.server(""))?).ok()
        });
        if self.hosts.is_empty() && self.file.scope == Scope::Global {
            over.extend(hosts.filter(|host| !leads_here(elsewhere, host)));
        }
        let mut done: Vec<&Origin> = Vec::new();
        for host in &over {
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
                if leads_here(elsewhere, host) {
                    report.note(format!(
                        "warning: another of git's files still names this program for {name}"
                    ));
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

    /// The helpers in all other files that git reads here, and in those of the log.
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
            // A repository that is gone, or that git does not want to read, leads nowhere.
            all.extend(self.git.settings_of(&path).unwrap_or_default());
        }
        Ok(all)
    }
}

/// Whether a helper of ours is configured for a host by name.
fn leads_here(settings: &[Setting], host: &Origin) -> bool {
    settings.iter().any(|setting| {
        setting.url().is_some() && setting.reach(host) == Reach::Whole && setting.helper.is_ours()
    })
}

/// The values that stay: those from before, or whatever was put there since, without ours.
fn left_of(found: &[String], before: Option<&Value>) -> Vec<String> {
    let is_as_written = match found {
        [ours] => ours.is_empty() || is_ours(ours),
        [reset, ours] => reset.is_empty() && is_ours(ours),
        _ => false,
    };
    if !is_as_written {
        let kept = found.iter().filter(|value| !is_ours(value));
        return kept.cloned().collect();
    }
    let before = before.and_then(Value::as_array).into_iter().flatten();
    let before: Vec<String> = before
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    others(&before).into_iter().cloned().collect()
}

fn edits_for(key: &str, found: &[String], rest: &[String]) -> Vec<Edit> {
    let gone = |value: &&String| is_ours(value);
    let kept: Vec<String> = found.iter().filter(|value| !gone(value)).cloned().collect();
    // Where others stand in between, they keep their places.
    match kept == rest {
        true => found
            .iter()
            .filter(gone)
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
