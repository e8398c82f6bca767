//! Owner, access and identity of files.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::windows::fs::MetadataExt as _;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_WRITE_DATA, GetDriveTypeW, GetVolumePathNameW, OPEN_EXISTING,
};
use windows_sys::Win32::System::WindowsProgramming::{DRIVE_REMOTE, DRIVE_UNKNOWN};

use super::super::access::{self, Access, Allowed};
use super::super::handle::{How, Symlinks, information, look_at, open, wide};
use crate::platform::files::Exposure;

impl Exposure {
    /// Of the file or directory of that name.
    pub(crate) fn of(_found: &Metadata, path: &Path) -> Exposure {
        match access_of(path) {
            None => Exposure::Private,
            Some(access) if access.owner == access::Owner::Other => Exposure::OtherOwner,
            Some(access) => match access.others {
                Allowed::Write => Exposure::Writable,
                Allowed::Read => Exposure::Readable,
                Allowed::Nothing => Exposure::Private,
            },
        }
    }
}

/// The access list of a file or directory, if there is one.
pub(super) fn access_of(path: &Path) -> Option<Access> {
    access::access(&look_at(path, Symlinks::Open).ok()?)
}

/// Whether [`Exposure`] is known: FAT has no access lists, and not every one can be read.
///
/// # Errors
/// The reason why not.
pub(crate) fn judged(path: &Path) -> Result<(), &'static str> {
    match access_of(path) {
        Some(_) => Ok(()),
        None => Err("its file system has no access lists"),
    }
}

/// Whether a file or directory belongs to another user.
pub(crate) fn has_other_owner(_found: &Metadata, path: &Path) -> bool {
    access_of(path).is_some_and(|access| access.owner == access::Owner::Other)
}

/// The owner of a file, which [`replace`](super::replace) keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner;

impl Owner {
    /// From the metadata of the file.
    pub(crate) fn of(_found: &Metadata) -> Owner {
        Owner
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its owner")
    }
}

/// Nothing to change.
#[allow(clippy::unnecessary_wraps, reason = "an error on other systems")]
pub(crate) fn set_owner(_file: &File, _owner: Owner) -> io::Result<()> {
    Ok(())
}

/// Checks that this user can write to a file or directory.
///
/// # Errors
/// The reason why not.
pub(crate) fn may_write(path: &Path) -> io::Result<()> {
    let how = How {
        // Of a directory: to create files in it.
        access: FILE_WRITE_DATA,
        disposition: OPEN_EXISTING,
        symlinks: Symlinks::Follow,
        security: None,
    };
    open(path, &how).map(drop)
}

/// Whether a file is a program that this user can start.
pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// Identifies the file that a path refers to: the same for all symlinks and hard links of one file.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn identity(path: &Path) -> io::Result<String> {
    let (volume, index) = numbers(&look_at(path, Symlinks::Follow)?)?;
    Ok(format!("{volume:x}-{index:x}"))
}

fn numbers(file: &File) -> io::Result<(u32, u64)> {
    let found = information(file)?;
    let index = u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow);
    Ok((found.dwVolumeSerialNumber, index))
}

/// Whether a path still refers to an open file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let there = look_at(path, Symlinks::Open).and_then(|there| numbers(&there));
    matches!((numbers(file), there), (Ok(ours), Ok(theirs)) if ours == theirs)
}

/// What changes when a file is written: creation time, length, modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp(u64, u64, u64);

/// From the metadata of the file.
pub(crate) fn stamp(found: &Metadata) -> FileStamp {
    FileStamp(
        found.creation_time(),
        found.file_size(),
        found.last_write_time(),
    )
}

/// Whether a path leads through a link that is another one for each process: there are none.
pub(crate) fn passes_magic_link(_path: &Path) -> bool {
    false
}

/// Whether no other machine uses the file system of a directory. `None` if that is unknown.
#[allow(unsafe_code, reason = "calls of the system")]
pub(crate) fn is_local(dir: &Path) -> Option<bool> {
    let dir = wide(dir).ok()?;
    let mut root = vec![0_u16; dir.len().max(260) + 1];
    let length = u32::try_from(root.len()).ok()?;
    // SAFETY: both end with NUL, and the buffer is of the given length.
    let kind = unsafe {
        if GetVolumePathNameW(dir.as_ptr(), root.as_mut_ptr(), length) == 0 {
            return None;
        }
        GetDriveTypeW(root.as_ptr())
    };
    (kind != DRIVE_UNKNOWN).then_some(kind != DRIVE_REMOTE)
}
