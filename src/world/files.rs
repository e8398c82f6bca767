//! Programs on `PATH`, and whether two paths lead to one file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::platform::files::{identity, is_executable};

/// Whether two paths lead to one file.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// All programs of a name, in the order of a value of `PATH`, relative entries passed over.
pub(super) fn programs_in(path: &OsStr, name: &str) -> impl Iterator<Item = PathBuf> {
    let name = file_name(name);
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(move |dir| dir.join(&name))
        .filter(|file| is_executable(file))
}

/// How the file of a program is called on this system.
pub(crate) fn file_name(program: &str) -> String {
    // Without it, for a name that was typed with it.
    let name = program.strip_suffix(std::env::consts::EXE_SUFFIX);
    format!(
        "{}{}",
        name.unwrap_or(program),
        std::env::consts::EXE_SUFFIX
    )
}
