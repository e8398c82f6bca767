//! Any other Unix: POSIX only.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::getuid;
use rustix::time::ClockId;

pub(crate) const OPENERS: &[&str] = &["xdg-open", "sensible-browser", "x-www-browser"];
pub(crate) const CONFINES: bool = false;
pub(crate) const DESKTOP_HAS_USERS_PATH: bool = true;
pub(crate) const HAS_DISPLAY: bool = false;
pub(crate) const SET_CLOCK: &str = "timedatectl set-ntp true";
pub(crate) const NEEDS_FULLFSYNC: bool = false;

/// The only clock that does not jump and exists everywhere.
pub(super) const UPTIME: ClockId = ClockId::Monotonic;

pub(super) fn is_local(_dir: &Path) -> Option<bool> {
    None
}

pub(super) fn docker_desktop_path() -> &'static [&'static str] {
    &[]
}

pub(super) fn keyring_identity() -> Result<(), &'static str> {
    Ok(())
}

pub(super) fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

pub(super) fn keep_memory_private() {}

pub(super) fn confine(_directory: &Path, _port: Option<u16>) -> Option<String> {
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

pub(super) fn copy_access_list(_file: &File, _from: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn containers_dir() -> Option<PathBuf> {
    Some(format!("/run/containers/{}", getuid().as_raw()).into())
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

pub(super) fn name_of(_pid: u32) -> Option<String> {
    None
}

pub(super) fn lock_holder(_file: &Path) -> Option<u32> {
    None
}
