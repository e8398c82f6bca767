//! Files: what differs from other systems. `platform/files/` has the rest.

mod attributes;
mod names;
mod of_root;
mod private;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use attributes::{
    FileStamp, Owner, has_other_owner, identity, is_at, is_executable, is_local, judged, may_write,
    passes_magic_link, set_owner, stamp,
};
pub(crate) use names::{cannot_exchange, canonicalize, exchange, rename_new, replace, symlink};
pub(crate) use of_root::open_of_root;
pub(crate) use private::{
    check, create_private, create_private_dir, is_private, make_private, open_foreign,
    open_private, wider_than_private,
};

/// The variable that names the user's home directory. Not `HOME`, which Git for Windows sets for its children only.
pub(crate) const HOME: &str = "USERPROFILE";

/// The directory of git's configuration where that is another than the user's home: `HOME`, else the home share, if it is
/// connected. As `setup_windows_environment` in git's `compat/mingw.c`.
pub(crate) fn home_of_git(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let share = || {
        let mut share = variable("HOMEDRIVE")?.into_os_string();
        share.push(variable("HOMEPATH")?);
        // That of services.
        let is_of_system = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name.eq_ignore_ascii_case("system32")
        };
        Some(PathBuf::from(share)).filter(|share| !is_of_system(share) && share.is_dir())
    };
    variable("HOME").or_else(share)
}

/// The administrator's file. Not by a variable, which a repository could set.
pub(crate) const ADMINISTRATORS_FILE: &str = r"C:\ProgramData\sentry-credential\hosts";

/// What is true of a file that other users can access.
pub(crate) const NOT_PRIVATE: &str = "other users can access it";

/// What is true of a file after [`make_private`].
pub(crate) const PRIVATE: &str = "its access list names you, SYSTEM and the administrators now";

pub(crate) const NEEDS_FULLFSYNC: bool = false;

/// The VFS of SQLite that takes no locks.
pub(crate) const VFS_WITHOUT_LOCKS: &str = "win32-none";

/// There is no call that reserves space on every file system.
///
/// # Errors
/// Always.
pub(crate) fn allocate(_file: &File, _length: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits until the content of a file is on disk.
///
/// # Errors
/// The disk's.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// NTFS writes names to its journal itself, and a directory cannot be synced.
#[allow(clippy::unnecessary_wraps, reason = "an error on other systems")]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// [`replace`] keeps it.
#[allow(clippy::unnecessary_wraps, reason = "an error on other systems")]
pub(crate) fn copy_access_list(_file: &File, _from: &Path) -> io::Result<()> {
    Ok(())
}

/// podman runs containers in a virtual machine.
pub(crate) fn containers_dir() -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_has_its_files_in_the_home_share() {
        let dir = tempfile::tempdir().unwrap();
        let (drive, path) = dir.path().to_str().unwrap().split_at(2);
        let home = |variables: &[(&str, &str)]| {
            let of = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| PathBuf::from(value))
            };
            home_of_git(of)
        };
        let share = [("HOMEDRIVE", drive), ("HOMEPATH", path)];
        assert_eq!(home(&share).as_deref(), Some(dir.path()));
        let chosen = [&share[..], &[("HOME", r"D:\home")]].concat();
        assert_eq!(home(&chosen).as_deref(), Some(Path::new(r"D:\home")));
        let disconnected = [("HOMEDRIVE", "Q:"), ("HOMEPATH", r"\nowhere")];
        let of_system = [("HOMEDRIVE", "C:"), ("HOMEPATH", r"\windows\System32")];
        for variables in [&disconnected[..], &of_system, &share[..1], &[]] {
            assert_eq!(home(variables), None, "{variables:?}");
        }
    }
}
