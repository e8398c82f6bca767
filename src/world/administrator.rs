//! Reads the administrator's file, if only root can have written it.
//!
//! Separate from [`crate::rollout`], which parses its lines. The file decides which hosts get every user's tokens, so it
//! and its directory must belong to root and be writable by root only, and neither may be a symlink. A file that is
//! refused counts as absent, with one warning.

use std::path::Path;

use super::World;
use crate::platform::files;

pub(crate) use crate::platform::files::ADMINISTRATORS_FILE;

/// Longest file in bytes.
const MAX_LENGTH: u64 = 1024 * 1024;

/// The file, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdministratorsFile {
    /// No such file.
    Absent,
    /// It exists and is refused for this reason.
    Refused(String),
    /// Its text.
    Text(String),
}

impl World {
    /// The administrator's file. It is read, and warned about, once.
    pub(crate) fn administrators_file(&self) -> &AdministratorsFile {
        self.administrators_file.get_or_init(|| {
            let found = self.read_administrators_file();
            if let AdministratorsFile::Refused(why) = &found {
                self.warn(&format!("refusing to use {ADMINISTRATORS_FILE}: {why}"));
            }
            found
        })
    }

    /// Reads it in advance, before the process drops its access; the parent prints the warning.
    pub(crate) fn keep_administrators_file(&self) {
        self.administrators_file
            .get_or_init(|| self.read_administrators_file());
    }

    fn read_administrators_file(&self) -> AdministratorsFile {
        // Not in a test's world.
        match self.is_of_process() {
            true => read(Path::new(ADMINISTRATORS_FILE)),
            false => AdministratorsFile::Absent,
        }
    }
}

fn read(path: &Path) -> AdministratorsFile {
    match files::read_of_root(path, MAX_LENGTH) {
        Ok(Some(bytes)) => AdministratorsFile::Text(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(None) => AdministratorsFile::Absent,
        Err(why) => AdministratorsFile::Refused(why),
    }
}
