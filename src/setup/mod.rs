//! Edits the files of other programs: git's configuration, docker's `config.json`, podman's `auth.json`.
//!
//! Separate from the commands, which decide what the files should contain: this module changes them safely. Under the
//! credential lock a file is read, edited, and replaced if it is unchanged since; then the related changes of our
//! database are committed, or the file is restored.
//!
//! Nothing here prints; the results are returned as values.

mod attributes;
mod docker_config;
mod file;
mod git;
mod git_config;
mod git_files;
mod helper_chain;
mod post_buffer;
#[cfg(test)]
mod tests;
mod undo;
mod writers;

use std::path::Path;
use std::time::Duration;

use crate::lock::Lock;
use crate::printable::quoted;
use crate::store::{Store, WriteTransaction};
use crate::world::World;

pub(crate) use docker_config::{ConfigFile, DEFAULT, OURS, Slot, key_of, looked_up};
pub(crate) use file::{ForeignFile, same_file};

use file::{ATTEMPTS, ReplaceError, Replaced};
pub(crate) use git::Git;
pub(crate) use git_config::Edit;
pub(crate) use git_files::{GitFile, Scope};
pub(crate) use helper_chain::{Helper, Reach, Setting, chain, ending};
pub(crate) use post_buffer::only_bearer;
pub(crate) use undo::UndoLog;
pub(crate) use writers::{Writer, settle};

/// How long to wait for a refresh in another process.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The command that puts a program of this installation on PATH, in backticks.
pub(crate) fn path_with(world: &World, program: &str) -> Option<String> {
    let sibling = world.sibling(program)?;
    let dir = quoted(&sibling.parent()?.display().to_string());
    Some(format!("`export PATH={dir}:\"$PATH\"`"))
}

/// Changes a file and the database: both or neither. Without a database, only the file.
///
/// `change` replaces the file, or finds that there is nothing to do; `record` writes the related rows.
///
/// # Errors
/// Neither the file nor the database is changed.
pub(crate) fn together<T>(
    world: &World,
    store: Option<&Store>,
    change: impl FnOnce() -> anyhow::Result<(Option<Replaced>, T)>,
    record: impl FnOnce(&WriteTransaction<'_>, &T) -> anyhow::Result<()>,
) -> anyhow::Result<T> {
    let Some(store) = store else {
        return Ok(change()?.1);
    };
    let dir = store.path().parent().unwrap_or(store.path());
    let guard = Lock::credential(dir).acquire(world.clock(), TIMEOUT)?;
    // Proves first that the database can be written.
    let transaction = store.change(&guard, world.clock())?;
    // An interrupt in between would leave the change half done.
    let deferral = world.signals().defer().ok();
    let (replaced, done) = change()?;
    let recorded = record(&transaction, &done).and_then(|()| transaction.commit());
    if let Err(error) = recorded {
        if let Some(replaced) = replaced
            && let Err(why) = replaced.revert()
        {
            let what = format!("{error:#}; and the file could not be restored: {why}");
            return Err(anyhow::anyhow!(what));
        }
        return Err(error);
    }
    drop(deferral);
    drop(guard);
    store.erase_removed_or_warn(world);
    Ok(done)
}

/// Reads a file and replaces it with the result of `edit`; repeats both if another program changed the file meanwhile.
/// `None`: nothing to change.
pub(crate) fn update<T>(
    world: &World,
    path: &Path,
    mut edit: impl FnMut(&ForeignFile) -> anyhow::Result<(Option<Vec<u8>>, T)>,
) -> anyhow::Result<(Option<Replaced>, T)> {
    for _ in 0..ATTEMPTS {
        let file = ForeignFile::read(path)?;
        let (content, done) = edit(&file)?;
        let Some(content) = content else {
            return Ok((None, done));
        };
        match file.replace(world, &content) {
            Ok(replaced) => return Ok((Some(replaced), done)),
            Err(ReplaceError::Changed) => {}
            Err(ReplaceError::Failed(error)) => return Err(error),
        }
    }
    anyhow::bail!("other programs keep changing {}", path.display())
}
