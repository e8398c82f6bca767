//! The values that `setup-git` and `setup-docker` replaced, recorded so that `--undo` can restore them.
//!
//! Separate from the files, which are authoritative: our values are undone whether they are in the log or not, and the
//! log only supplies the earlier value.
//!
//! An entry is the setting `undo <client> <file> <name>`. A name contains no spaces; a file name may.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Client, ReadTransaction, WriteTransaction};

/// Version of an entry.
const VERSION: u32 = 1;

/// The text of an entry.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    #[serde(default)]
    version: u32,
    before: T,
}

/// The undo log of one file.
pub(crate) struct UndoLog {
    client: Client,
    file: String,
}

impl UndoLog {
    /// The log of this file.
    pub(crate) fn of(client: Client, file: String) -> UndoLog {
        UndoLog { client, file }
    }

    /// The value before the set-up; `None` if nothing was set up under this name.
    pub(crate) fn before(
        &self,
        view: &ReadTransaction<'_>,
        name: &str,
    ) -> anyhow::Result<Option<Value>> {
        let entry = view.setting(&self.key(name))?;
        Ok(entry.as_deref().and_then(before))
    }

    /// The names that were set up in this file, with the values before.
    pub(crate) fn entries(
        &self,
        view: &ReadTransaction<'_>,
    ) -> anyhow::Result<Vec<(String, Value)>> {
        let settings = view.settings(&self.key(""))?.into_iter();
        Ok(settings
            // The remainder of a longer file name contains a space.
            .filter(|(name, _)| !name.contains(' '))
            .filter_map(|(name, entry)| Some((name, before(&entry)?)))
            .collect())
    }

    /// Records the value that is replaced. An existing entry is replaced too: the caller passes its value on.
    pub(crate) fn record(
        &self,
        change: &WriteTransaction<'_>,
        name: &str,
        before: &Value,
    ) -> anyhow::Result<()> {
        let entry = serde_json::to_string(&Entry {
            version: VERSION,
            before,
        })?;
        change.set(&self.key(name), Some(&entry))
    }

    /// Removes an entry.
    pub(crate) fn forget(&self, change: &WriteTransaction<'_>, name: &str) -> anyhow::Result<()> {
        change.set(&self.key(name), None)
    }

    /// All files in which a client was set up.
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
    let entry: Entry<Value> = serde_json::from_str(entry).ok()?;
    Some(entry.before)
}
