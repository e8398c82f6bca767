//! Renames and exchanges files atomically.
//!
//! Separate from [`super::file`], which is the same on all systems.

use std::fs;
use std::io;
use std::path::Path;

/// Renames a file unless the target exists.
pub(super) fn name_new(path: &Path, target: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::RenameFlags;
        match rename_with(path, target, RenameFlags::NOREPLACE) {
            Err(error) if cannot_exchange(&error) => {}
            result => return result,
        }
    }
    match target.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(path, target),
    }
}

/// Exchanges two files.
pub(super) fn exchange(path: &Path, target: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    return rename_with(path, target, rustix::fs::RenameFlags::EXCHANGE);
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    return Err(io::ErrorKind::Unsupported.into());
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_with(path: &Path, target: &Path, flags: rustix::fs::RenameFlags) -> io::Result<()> {
    use rustix::fs::{CWD, renameat_with};
    Ok(renameat_with(CWD, path, CWD, target, flags)?)
}

/// renameat2(2): EINVAL if the file system does not support the flag, ENOSYS if the kernel does not.
pub(super) fn cannot_exchange(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}
