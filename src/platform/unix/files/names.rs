//! Renames and exchanges files atomically, and creates symlinks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::super::system;

/// Renames a file unless the target exists.
///
/// # Errors
/// `AlreadyExists`, and others.
pub(crate) fn rename_new(path: &Path, target: &Path) -> io::Result<()> {
    match system::rename_new(path, target) {
        Err(error) if cannot_exchange(&error) => {}
        ended => return ended,
    }
    match target.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(path, target),
    }
}

/// Replaces a file by another one.
///
/// # Errors
/// As rename(2).
pub(crate) fn replace(path: &Path, target: &Path) -> io::Result<()> {
    fs::rename(path, target)
}

/// The path without symlinks.
///
/// # Errors
/// There is no such file.
pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// Exchanges two files.
///
/// # Errors
/// [`cannot_exchange`], and others.
pub(crate) fn exchange(path: &Path, target: &Path) -> io::Result<()> {
    system::exchange(path, target)
}

/// Whether this is not supported. renameat2(2): EINVAL if the file system does not support the flag, ENOSYS if the kernel
/// does not, EPERM from filters of system calls that do not know it; a rename that is not permitted fails in any case.
/// renameatx_np(2) on macOS: ENOTSUP, for which `io::ErrorKind` has no name there.
pub(crate) fn cannot_exchange(error: &io::Error) -> bool {
    let is_one_of = |errno: Errno| {
        [
            Errno::INVAL,
            Errno::NOSYS,
            Errno::PERM,
            Errno::NOTSUP,
            Errno::OPNOTSUPP,
        ]
        .contains(&errno)
    };
    error.kind() == io::ErrorKind::Unsupported || Errno::from_io_error(error).is_some_and(is_one_of)
}

/// Creates a symlink to a file.
///
/// # Errors
/// As symlink(2); `AlreadyExists` if there is anything of that name.
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}
