//! Calls that Linux and macOS have in common and POSIX does not define: disk reservation, and renames that never
//! replace a file by accident.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, FallocateFlags, RenameFlags, fallocate, renameat_with};

pub(super) fn allocate(file: &File, length: usize) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::empty(), 0, length as u64)?)
}

pub(super) fn rename_new(path: &Path, target: &Path) -> io::Result<()> {
    Ok(renameat_with(
        CWD,
        path,
        CWD,
        target,
        RenameFlags::NOREPLACE,
    )?)
}

pub(super) fn exchange(path: &Path, target: &Path) -> io::Result<()> {
    Ok(renameat_with(
        CWD,
        path,
        CWD,
        target,
        RenameFlags::EXCHANGE,
    )?)
}
