//! The ways to open the database file: for writing, for reading, without locks.
//!
//! Separate from [`super::file`], which decides whether the file is safe to open at all.

use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;

use super::file::{SIDECARS, beside};
use crate::platform::files::VFS_WITHOUT_LOCKS;

/// One way to open a database.
pub(super) struct OpenMode {
    pub(super) name: PathBuf,
    pub(super) flags: OpenFlags,
    pub(super) access: Access,
}

/// Who else uses the file meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Others, and SQLite's locks keep them apart.
    Shared,
    /// Nobody: without locks and shared memory, and with the WAL read into the memory of this process.
    Alone,
    /// Nobody, and there is no WAL: without locks, and so without transactions.
    Immutable,
}

/// Ways to open the file, best first: for writing; for reading; as a file that no process changes meanwhile.
pub(super) fn open_modes(path: &Path) -> impl Iterator<Item = OpenMode> {
    let nofollow = OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let by_name = |flags| OpenMode {
        name: path.to_owned(),
        flags: flags | nofollow,
        access: Access::Shared,
    };
    let modes = [
        // Not read-only even for a mere `get`: as the last user of a WAL it would leave `-shm` behind, which keeps the
        // official CLI's WASM driver out.
        by_name(OpenFlags::SQLITE_OPEN_READ_WRITE),
        by_name(OpenFlags::SQLITE_OPEN_READ_ONLY),
    ];
    modes
        .into_iter()
        .chain(std::iter::once_with(|| unchanged(path)).flatten())
}

/// As a file that no process changes; `None` if a rollback journal makes that impossible.
fn unchanged(path: &Path) -> Option<OpenMode> {
    let has_content = |sidecar: &str| {
        let sidecar = beside(path, sidecar).symlink_metadata();
        sidecar.is_ok_and(|sidecar| sidecar.len() > 0)
    };
    // A WAL database cannot be opened in a directory that cannot be written, because it has no `-shm` there. Nobody can
    // change it there either, so it can be read without one. A journal means that the file itself is half written.
    let [wal, _, journal] = SIDECARS;
    if has_content(journal) {
        return None;
    }
    Some(match has_content(wal) {
        true => by_uri(path, &format!("vfs={VFS_WITHOUT_LOCKS}"), Access::Alone),
        false => immutable(path),
    })
}

/// As a file that does not change. SQLite then neither locks it nor looks for sidecar files.
pub(super) fn immutable(path: &Path) -> OpenMode {
    by_uri(path, "immutable=1", Access::Immutable)
}

fn by_uri(path: &Path, how: &str, access: Access) -> OpenMode {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(how);
    let nofollow = OpenFlags::SQLITE_OPEN_NOFOLLOW;
    OpenMode {
        name: uri.into(),
        flags: OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | nofollow,
        access,
    }
}
