//! Owner, access and identity of files.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::super::system;
use crate::platform::files::Exposure;

impl Exposure {
    /// From the metadata of the file of that name.
    pub(crate) fn of(found: &Metadata, path: &Path) -> Exposure {
        let mode = found.mode();
        if has_other_owner(found, path) {
            Exposure::OtherOwner
        } else if mode & 0o022 != 0 {
            Exposure::Writable
        } else if mode & 0o077 != 0 {
            Exposure::Readable
        } else {
            Exposure::Private
        }
    }
}

/// Whether [`Exposure`] is known.
///
/// # Errors
/// The reason why not.
pub(crate) fn judged(path: &Path) -> Result<(), &'static str> {
    system::judged(path)
}

/// Whether a file or directory belongs to another user.
pub(crate) fn has_other_owner(found: &Metadata, _path: &Path) -> bool {
    found.uid() != geteuid().as_raw()
}

/// User and group of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// From the metadata of the file.
    pub(crate) fn of(found: &Metadata) -> Owner {
        Owner {
            user: found.uid(),
            group: found.gid(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {} and group {}", self.user, self.group)
    }
}

/// Changes user and group.
///
/// # Errors
/// This user is not allowed to.
pub(crate) fn set_owner(file: &File, owner: Owner) -> io::Result<()> {
    fchown(file, Some(owner.user), Some(owner.group))
}

/// Checks that this user can write to a file or directory.
///
/// # Errors
/// The reason why not.
pub(crate) fn may_write(path: &Path) -> io::Result<()> {
    Ok(access(path, Access::WRITE_OK)?)
}

/// Whether a file is a program that this user can start.
pub(crate) fn is_executable(file: &Path) -> bool {
    access(file, Access::EXEC_OK).is_ok() && file.is_file()
}

/// Identifies the file that a path refers to: the same for all symlinks and hard links of one file.
///
/// # Errors
/// As stat(2).
pub(crate) fn identity(path: &Path) -> io::Result<String> {
    let metadata = path.metadata()?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

/// Whether a path still refers to an open file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let (ours, theirs) = (
        file.metadata().map(identity),
        path.symlink_metadata().map(identity),
    );
    matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
}

/// What changes when a file is written: inode, length, modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp(u64, u64, i64, i64);

/// From the metadata of the file.
pub(crate) fn stamp(found: &Metadata) -> FileStamp {
    FileStamp(found.ino(), found.size(), found.mtime(), found.mtime_nsec())
}
