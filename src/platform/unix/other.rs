//! Any other Unix: POSIX only.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::time::ClockId;

pub(crate) use super::not_apple::{
    DESKTOP_HAS_USERS_PATH, HAS_DISPLAY, INSTALL_GIT, NEEDS_FULLFSYNC, SET_CLOCK,
};
pub(super) use super::not_apple::{
    containers_dir, docker_desktop_path, judged, keyring_identity, opens_installer, sync,
};
pub(crate) use super::not_linux::CONFINES;
pub(super) use super::not_linux::{
    confine, copy_access_list, keep_memory_private, lock_holder, name_of, passes_magic_link,
};

pub(crate) const OPENERS: &[&str] = &["xdg-open", "sensible-browser", "x-www-browser"];

/// The only clock that does not jump and exists everywhere.
pub(super) const UPTIME: ClockId = ClockId::Monotonic;

pub(super) fn is_local(_dir: &Path) -> Option<bool> {
    None
}

pub(super) fn allocate(_file: &File, _length: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn rename_new(_path: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn exchange(_path: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn arguments_of(_pid: u32) -> Vec<OsString> {
    Vec::new()
}

pub(super) fn running() -> Vec<u32> {
    Vec::new()
}

pub(super) fn environment_of(_pid: u32) -> Option<Vec<(OsString, OsString)>> {
    None
}
