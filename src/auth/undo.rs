//! What `setup-git` and `setup-docker` found before they wrote, kept so that `--undo` can put it back; and the bindings
//! that go with it.
//!
//! Apart from both because they keep the same account: a host that is set up in two files stays bound until it is undone
//! in both.
//!
//! An entry is the setting `undo <client> <file> <name>`. A name has no spaces; a file may.

use serde_json::{Value, json};

use super::forget::stored_by;
use super::{Place, say};
use crate::store::{Binding, Client, ReadTransaction};
use crate::world::World;

/// The account of one file.
pub(super) struct Journal<'a> {
    pub(super) world: &'a World,
    pub(super) place: &'a Place,
    pub(super) client: Client,
    /// The file that the set-up writes to.
    pub(super) file: String,
}

/// One value, or list of values, that a set-up wrote.
pub(super) struct Entry {
    /// The git host's origin, the registry, or another name for what was written.
    pub(super) name: String,
    /// What stood there before.
    pub(super) before: Value,
    /// What the set-up wrote.
    pub(super) wrote: Value,
}

impl Entry {
    fn parse(name: &str, text: &str) -> Option<Entry> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        Some(Entry {
            name: name.to_owned(),
            before: value.get_mut("before")?.take(),
            wrote: value.get_mut("wrote")?.take(),
        })
    }

    /// Whether this is what was written, or the beginning of it: git takes one value at a time.
    pub(super) fn is_of_ours(&self, found: &Value) -> bool {
        match (found.as_array(), self.wrote.as_array()) {
            (Some(found), Some(wrote)) => !found.is_empty() && wrote.starts_with(found),
            _ => *found == self.wrote,
        }
    }
}

impl Journal<'_> {
    /// What was set up in this file.
    pub(super) fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let Some(store) = &self.place.store else {
            return Ok(Vec::new());
        };
        let settings = store.view()?.settings(&self.key(""))?;
        Ok(settings
            .iter()
            // The rest of a longer file name has a space.
            .filter(|(name, _)| !name.contains(' '))
            .filter_map(|(name, text)| Entry::parse(name, text))
            .collect())
    }

    /// Notes what is about to be overwritten, and binds the host. Tells whether the binding is new.
    pub(super) fn record(
        &self,
        name: &str,
        found: Value,
        wrote: &Value,
        binding: Option<&Binding>,
    ) -> anyhow::Result<bool> {
        let key = self.key(name);
        let mut removed = 0;
        let changed = self.place.change(self.world, |change| {
            let known = change.setting(&key)?;
            let before = match known.as_deref().and_then(|text| Entry::parse(name, text)) {
                Some(known) if known.is_of_ours(&found) => known.before,
                _ => found,
            };
            let entry = json!({"before": before, "wrote": wrote}).to_string();
            if known.as_ref() != Some(&entry) {
                change.set(&key, Some(&entry))?;
            }
            // docker: the last explicit act is the one in force.
            if let Some(binding) = binding.filter(|_| self.client == Client::Docker) {
                removed = change.forget_credentials(&binding.server)?;
            }
            match binding {
                Some(binding) if change.binding(&binding.server)?.as_ref() != Some(binding) => {
                    change.bind(binding).map(|()| true)
                }
                _ => Ok(false),
            }
        })?;
        if removed > 0 {
            say(&format!(
                "removed the login that docker had stored for {name}"
            ));
        }
        // That an instance's own host is bound to it goes without saying.
        let told = |binding: &&Binding| {
            changed && (name != binding.origin.to_string() || binding.username.is_some())
        };
        if let Some(binding) = binding.filter(told) {
            let user = binding.username.as_ref();
            let user = user.map_or_else(String::new, |user| format!(" as {user}"));
            say(&format!("bound {name} to {}{user}", binding.origin));
        }
        Ok(changed)
    }

    /// Forgets an entry once it is undone, and the binding with the last entry for it.
    pub(super) fn forget(&self, name: &str, server: Option<&str>) -> anyhow::Result<()> {
        let mut removed = 0;
        let unbound = self.place.change(self.world, |change| {
            change.set(&self.key(name), None)?;
            match server {
                Some(server) if !self.is_set_up(change, name)? => {
                    let binding = change.binding(server)?;
                    change.unbind(server)?;
                    removed = change.forget_credentials(server)?;
                    Ok(binding)
                }
                _ => Ok(None),
            }
        })?;
        if removed > 0 {
            let what = stored_by(self.client);
            say(&format!("removed {what} for {name}"));
        }
        if let Some(binding) = unbound.filter(|binding| name != binding.origin.to_string()) {
            say(&format!("unbound {name} from {}", binding.origin));
        }
        Ok(())
    }

    fn is_set_up(&self, view: &ReadTransaction<'_>, name: &str) -> anyhow::Result<bool> {
        let settings = view.settings(&format!("undo {} ", self.client.name()))?;
        Ok(settings
            .iter()
            .any(|(key, _)| key.rsplit_once(' ').is_some_and(|(_, last)| last == name)))
    }

    fn key(&self, name: &str) -> String {
        format!("undo {} {} {name}", self.client.name(), self.file)
    }
}
