//! The administrator's file: its text, if nobody but root can have written it.
//!
//! Separate from [`crate::rollout`], which knows what its lines mean. It decides which hosts get every user's tokens, so
//! the file and its directory must belong to root and be writable by nobody else, and neither may be a symlink. A file
//! that is refused is as if it were not there, and one warning says why.

use std::path::Path;

use super::World;
use crate::platform::files;

pub(crate) use crate::platform::files::ADMINISTRATORS_FILE;

/// Longest file in bytes.
const MAX_LENGTH: u64 = 1024 * 1024;

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdministratorsFile {
    /// No such file.
    Absent,
    /// There is one, and it is not used; why.
    Refused(String),
    /// Its text.
    Text(String),
}

impl World {
    /// The administrator's file. It is read once; the first one who asks causes the warning.
    pub(crate) fn administrators_file(&self) -> &AdministratorsFile {
        self.administrators_file.get_or_init(|| {
            let found = self.read_administrators_file();
            if let AdministratorsFile::Refused(why) = &found {
                self.warn(&format!("refusing to use {ADMINISTRATORS_FILE}: {why}"));
            }
            found
        })
    }

    /// Reads it for later, before the process gives up its access; the warning is the parent's.
    pub(crate) fn keep_administrators_file(&self) {
        self.administrators_file
            .get_or_init(|| self.read_administrators_file());
    }

    fn read_administrators_file(&self) -> AdministratorsFile {
        // A world of a test has no such file.
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
