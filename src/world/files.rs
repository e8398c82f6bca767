//! Programs on `PATH`, and what a path leads to.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::platform::files::{canonicalize, identity, is_executable};
use crate::platform::process::{SCRIPTS, opens_installer};

/// Whether two paths lead to one file.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether a path leads elsewhere for each process that opens it: `/proc/self/cwd` is absolute, and yet the current
/// directory.
pub(crate) fn is_of_process(path: &Path) -> bool {
    let is_suspect = |component: Component<'_>| {
        let names = ["proc", "fd"];
        component == Component::ParentDir || names.iter().any(|name| component.as_os_str() == *name)
    };
    // The common case, for each `get`.
    if !path.components().any(is_suspect) {
        return false;
    }
    let mut plain = PathBuf::new();
    path.components().any(|component| {
        match component {
            Component::ParentDir => {
                // The parent of the target: `/dev/fd/..` is `/proc/self`.
                plain = canonicalize(&plain).unwrap_or_else(|_| plain.clone());
                plain.pop();
            }
            other => plain.push(other),
        }
        // Another machine's `/proc` may be mounted elsewhere.
        ["/proc", "/dev/fd"]
            .iter()
            .any(|dir| plain.starts_with(dir))
            || ["proc/self", "proc/thread-self"]
                .iter()
                .any(|end| plain.ends_with(end))
    })
}

/// All programs of a name, in the order of a value of `PATH`, entries passed over that are relative in any way.
pub(super) fn programs_in(path: &OsStr, name: &str) -> impl Iterator<Item = PathBuf> {
    let name = file_name(name);
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute() && !is_of_process(dir))
        .map(move |dir| dir.join(&name))
        .filter(|file| is_executable(file) && !opens_installer(file))
}

/// The same with scripts, where the system has scripts that are typed as programs: in each directory behind the program.
pub(super) fn commands_in(path: &OsStr, name: &str) -> impl Iterator<Item = PathBuf> {
    let names: Vec<_> = std::iter::once(file_name(name))
        .chain(SCRIPTS.iter().map(|ending| format!("{name}.{ending}")))
        .collect();
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute() && !is_of_process(dir))
        .flat_map(move |dir| names.iter().map(|name| dir.join(name)).collect::<Vec<_>>())
        .filter(|file| is_executable(file) && !opens_installer(file))
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
