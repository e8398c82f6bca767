//! What `setup-git` and `setup-docker` found before they wrote, kept so that `--undo` can put it back.
//!
//! Separate from the files, which have the last word: what stands in them is undone whether or not it is in the log, and
//! the undo log is read for the earlier value only.
//!
//! An entry is the setting `undo <client> <file> <name>`. A name has no spaces; a file may.

use serde_json::{Value, json};

use crate::store::{Client, ReadTransaction, WriteTransaction};

/// Of the format of an entry.
const VERSION: u32 = 1;

/// The log of one file.
pub(crate) struct UndoLog {
    client: Client,
    file: String,
}

impl UndoLog {
    /// Of this file.
    pub(crate) fn of(client: Client, file: String) -> UndoLog {
        UndoLog { client, file }
    }

    /// What was there before: `None` when nothing was set up under this name.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn before(
        &self,
        view: &ReadTransaction<'_>,
        name: &str,
    ) -> anyhow::Result<Option<Value>> {
        let entry = view.setting(&self.key(name))?;
        Ok(entry.as_deref().and_then(before))
    }

    /// The names of what was set up in this file, with what was there before.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn entries(
        &self,
        view: &ReadTransaction<'_>,
    ) -> anyhow::Result<Vec<(String, Value)>> {
        let settings = view.settings(&self.key(""))?.into_iter();
        Ok(settings
            // The rest of a longer file name has a space.
            .filter(|(name, _)| !name.contains(' '))
            .filter_map(|(name, entry)| Some((name, before(&entry)?)))
            .collect())
    }

    /// Notes what is overwritten. The oldest entry stays.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn record(
        &self,
        change: &WriteTransaction<'_>,
        name: &str,
        before: &Value,
    ) -> anyhow::Result<()> {
        let entry = json!({"version": VERSION, "before": before});
        change.set(&self.key(name), Some(&entry.to_string()))
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn forget(&self, change: &WriteTransaction<'_>, name: &str) -> anyhow::Result<()> {
        change.set(&self.key(name), None)
    }

    /// All files in which a client was set up.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn files(client: Client, view: &ReadTransaction<'_>) -> anyhow::Result<Vec<String>> {
        let settings = view.settings(&format!("undo {} ", client.name()))?;
        let mut files: Vec<String> = settings
            .iter()
            .filter_map(|(key, _)| Some(key.rsplit_once(' ')?.0.to_owned()))
            .collect();
        files.dedup();
        Ok(files)
    }

    fn key(&self, name: &str) -> String {
        format!("undo {} {} {name}", self.client.name(), self.file)
    }
}

fn before(entry: &str) -> Option<Value> {
    let mut entry: Value = serde_json::from_str(entry).ok()?;
    Some(entry.get_mut("before")?.take())
}
