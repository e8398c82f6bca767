//! Files of other programs: git's configuration, docker's `config.json`, podman's `auth.json`.
//!
//! Separate from the commands, which say what is to be in them: here is how such a file is changed without harm to its
//! owner. The credential lock is taken, the file is read, changed, and replaced if it is still what was read; what goes
//! with the change in our database is committed, or the file is put back.
//!
//! Nothing here prints; what was done comes back as values.

mod attributes;
mod docker_config;
mod exchange;
mod file;
mod git;
mod git_config;
mod git_files;
mod helper_chain;
mod post_buffer;
mod undo;
mod writers;

use std::path::Path;
use std::time::Duration;

use crate::lock::Lock;
use crate::printable::quoted;
use crate::store::{Store, WriteTransaction};
use crate::world::World;

pub(crate) use docker_config::{ConfigFile, DEFAULT, OURS, Slot, looked_up};
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

/// What makes a program be found that lies beside this one, in backticks.
pub(crate) fn path_with(world: &World, program: &str) -> Option<String> {
    let sibling = world.sibling(program)?;
    let dir = quoted(&sibling.parent()?.display().to_string());
    Some(format!("`export PATH={dir}:\"$PATH\"`"))
}

/// Changes a file and the database: both or neither. Without a database, the file alone.
///
/// `change` replaces the file, or finds that nothing is to be done; `record` writes what goes with it.
///
/// # Errors
/// Theirs, the lock's, and the database's; file and database are then as they were.
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
    let held = Lock::credential(dir).acquire(world.clock(), TIMEOUT)?;
    // Shows first that the database can be written.
    let transaction = store.change(&held, world.clock())?;
    // An interrupt in between would leave a half.
    let _deferral = world.signals().defer().ok();
    let (replaced, done) = change()?;
    let recorded = record(&transaction, &done).and_then(|()| transaction.commit());
    if let Err(error) = recorded {
        if let Some(replaced) = replaced
            && let Err(why) = replaced.revert()
        {
            let what = format!("{error:#}; and the file could not be put back: {why}");
            return Err(anyhow::anyhow!(what));
        }
        return Err(error);
    }
    Ok(done)
}

/// Reads a file, and replaces it by what `edit` makes of it; once more where somebody was faster. `None`: as it is.
///
/// # Errors
/// Those of `edit`, and the file cannot be read or written.
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
    anyhow::bail!("others keep changing {}", path.display())
}
