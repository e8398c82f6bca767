//! Files: what differs from other systems. `platform/files/` has the rest.

mod attributes;
mod names;
mod of_root;
mod private;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::system;

pub(crate) use attributes::{
    FileStamp, Owner, has_other_owner, identity, is_at, is_executable, judged, may_write,
    set_owner, stamp,
};
pub(crate) use names::{cannot_exchange, canonicalize, exchange, rename_new, replace, symlink};
pub(crate) use of_root::open_of_root;
pub(crate) use private::{
    check, create_private, create_private_dir, is_private, make_private, open_foreign,
    open_private, wider_than_private,
};
pub(crate) use system::NEEDS_FULLFSYNC;

/// The variable that names the user's home directory.
pub(crate) const HOME: &str = "HOME";

/// The directory of git's configuration where that is another than the user's home.
pub(crate) fn home_of_git(_variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    None
}

/// The administrator's file. Not by a variable, which a repository could set.
pub(crate) const ADMINISTRATORS_FILE: &str = "/etc/sentry-credential/hosts";

/// What is true of a file that other users can access.
pub(crate) const NOT_PRIVATE: &str = "its mode is not 0600";

/// What is true of a file after [`make_private`].
pub(crate) const PRIVATE: &str = "its mode is 0600 now";

/// The VFS of SQLite that takes no locks.
pub(crate) const VFS_WITHOUT_LOCKS: &str = "unix-none";

/// Whether no other machine uses the file system of a directory. `None` if that is unknown.
pub(crate) fn is_local(dir: &Path) -> Option<bool> {
    system::is_local(dir)
}

/// Reserves disk space for a file.
///
/// # Errors
/// The disk is full; others if the file system, or the system, has no such call.
pub(crate) fn allocate(file: &File, length: usize) -> io::Result<()> {
    system::allocate(file, length)
}

/// Whether a path leads through a link that is another one for each process, such as `/proc/self/cwd`, under any name.
pub(crate) fn passes_magic_link(path: &Path) -> bool {
    system::passes_magic_link(path)
}

/// Waits until the content of a file is on disk.
///
/// # Errors
/// The disk's.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    system::sync(file)
}

/// Waits until the entries of a directory are on disk.
///
/// # Errors
/// The disk's, or the directory cannot be read.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    sync(&File::open(dir)?)
}

/// Gives a file the access list of another file.
///
/// # Errors
/// It cannot be read or set.
pub(crate) fn copy_access_list(file: &File, from: &Path) -> io::Result<()> {
    system::copy_access_list(file, from)
}

/// Podman's runtime directory for users without `XDG_RUNTIME_DIR`, as in containers/image: by the real user id. `None` if
/// podman runs containers in a virtual machine.
pub(crate) fn containers_dir() -> Option<PathBuf> {
    system::containers_dir()
}
