//! Owner, group, mode and access list of a file, which its replacement keeps.
//!
//! Separate from [`super::file`], which is the same on all systems.

use std::fs::{File, Metadata};
use std::path::Path;

use crate::failure::Failure;
use crate::platform::files::{self, Owner};

/// A rename succeeds even on a read-only file; its owner may have made it read-only on purpose.
pub(super) fn check_writable(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    if !metadata.is_file() {
        anyhow::bail!("it is not a regular file");
    }
    Ok(files::may_write(path)?)
}

/// Gives the new file the owner, group, access list and mode of the old one.
pub(super) fn keep_attributes(file: &File, target: &Path, before: &Metadata) -> anyhow::Result<()> {
    let owner = Owner::of(before);
    if Owner::of(&file.metadata()?) != owner {
        files::set_owner(file, owner).map_err(|_| {
            let what = format!(
                "cannot write {}: it would no longer belong to {owner}; run the command as that user",
                target.display()
            );
            Failure::new(what)
        })?;
    }
    files::copy_access_list(file, target)?;
    // The mode comes last, because the other calls change it.
    Ok(file.set_permissions(before.permissions())?)
}
