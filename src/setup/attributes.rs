//! Owner, group, mode and access list of a file, which its replacement keeps.
//!
//! Separate from [`super::file`], which is the same on all systems.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use crate::failure::Failure;

/// A rename succeeds even on a read-only file; its owner may have made it read-only on purpose.
pub(super) fn check_writable(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    if !metadata.is_file() {
        anyhow::bail!("it is not a regular file");
    }
    #[cfg(unix)]
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(io::Error::from)?;
    #[cfg(not(unix))]
    if metadata.permissions().readonly() {
        anyhow::bail!("it is read-only");
    }
    Ok(())
}

/// Gives the new file the owner, group, access list and mode of the old one.
#[cfg(unix)]
pub(super) fn keep_attributes(file: &File, target: &Path, before: &Metadata) -> anyhow::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let owner = |metadata: &Metadata| (metadata.uid(), metadata.gid());
    if owner(&file.metadata()?) != owner(before) {
        fchown(file, Some(before.uid()), Some(before.gid())).map_err(|_| {
            let what = format!(
                "cannot write {}: it would no longer belong to user {} and group {}; run the command as that user",
                target.display(),
                before.uid(),
                before.gid()
            );
            Failure::new(what)
        })?;
    }
    keep_access_list(file, target)?;
    // The mode comes last, because the other calls change it.
    Ok(file.set_permissions(before.permissions())?)
}

#[cfg(not(unix))]
pub(super) fn keep_attributes(
    _file: &File,
    _target: &Path,
    _before: &Metadata,
) -> anyhow::Result<()> {
    Ok(())
}

/// Without the access list, the group's permission bits would take effect for the group: acl(5).
#[cfg(target_os = "linux")]
fn keep_access_list(file: &File, target: &Path) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fsetxattr, getxattr};
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";
    // An entry has 8 bytes.
    let mut list = [0; 4096];
    match getxattr(target, NAME, &mut list[..]) {
        Ok(length) => Ok(fsetxattr(file, NAME, &list[..length], XattrFlags::empty())?),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn keep_access_list(_file: &File, _target: &Path) -> io::Result<()> {
    Ok(())
}
