//! Renames files and creates symlinks.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf, Prefix};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION,
    ERROR_UNABLE_TO_MOVE_REPLACEMENT, ERROR_UNABLE_TO_REMOVE_REPLACED,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_NORMAL, MOVEFILE_WRITE_THROUGH, MoveFileExW, REPLACEFILE_IGNORE_MERGE_ERRORS,
    ReplaceFileW, SetFileAttributesW,
};

use super::super::handle::{repeated, wide};

/// Longest path that is shown as other programs write it: files beside it have longer names.
const LONGEST: usize = 220;

/// Renames a file unless the target exists.
///
/// # Errors
/// `AlreadyExists`, and others.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn rename_new(path: &Path, target: &Path) -> io::Result<()> {
    let (path, target) = (wide(path)?, wide(target)?);
    moved(|| {
        // SAFETY: both end with NUL.
        unsafe {
            // A new file of tempfile has an attribute that it must not keep.
            SetFileAttributesW(path.as_ptr(), FILE_ATTRIBUTE_NORMAL);
            MoveFileExW(path.as_ptr(), target.as_ptr(), MOVEFILE_WRITE_THROUGH)
        }
    })
}

/// Replaces a file by another one, which gets the owner, the access list and the attributes of the former.
///
/// # Errors
/// Another program has the file open and does not share it.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn replace(path: &Path, target: &Path) -> io::Result<()> {
    let (new, old) = (wide(path)?, wide(target)?);
    let replaced = moved(|| {
        // SAFETY: both end with NUL.
        unsafe {
            SetFileAttributesW(new.as_ptr(), FILE_ATTRIBUTE_NORMAL);
            ReplaceFileW(
                old.as_ptr(),
                new.as_ptr(),
                ptr::null(),
                REPLACEFILE_IGNORE_MERGE_ERRORS,
                ptr::null(),
                ptr::null(),
            )
        }
    });
    completed(replaced, || rename_new(path, target))
}

/// "The replaced file no longer exists and the replacement file exists under its original name": it is renamed, or neither
/// content would be left.
fn completed(replaced: io::Result<()>, rename: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    const HALF_DONE: Option<i32> = Some(ERROR_UNABLE_TO_MOVE_REPLACEMENT.cast_signed());
    match replaced {
        Err(error) if error.raw_os_error() == HALF_DONE => rename(),
        done => done,
    }
}

/// Calls until no other program has the file open. Where one does, the system says that access is denied, too.
fn moved(call: impl Fn() -> i32) -> io::Result<()> {
    let call = || match call() {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    };
    repeated(call, |code| {
        [
            ERROR_SHARING_VIOLATION,
            ERROR_LOCK_VIOLATION,
            ERROR_ACCESS_DENIED,
            // Both files are as they were.
            ERROR_UNABLE_TO_REMOVE_REPLACED,
        ]
        .contains(&code)
    })
}

/// There is no such call.
///
/// # Errors
/// [`cannot_exchange`].
pub(crate) fn exchange(_path: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether this is not supported.
pub(crate) fn cannot_exchange(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Creates a symlink to a file.
///
/// # Errors
/// The user has neither the developer mode nor the privilege; `AlreadyExists` if there is anything of that name.
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// The path without symlinks, and without `\\?\` where other programs, and users, expect none.
///
/// # Errors
/// There is no such file.
pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    Ok(as_shown(&fs::canonicalize(path)?))
}

fn as_shown(path: &Path) -> PathBuf {
    let mut components = path.components();
    let prefix = match components.next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::VerbatimDisk(letter) => format!("{}:", char::from(letter)),
            Prefix::VerbatimUNC(server, share) => {
                format!(r"\\{}\{}", server.display(), share.display())
            }
            _ => return path.to_owned(),
        },
        _ => return path.to_owned(),
    };
    let mut shown = prefix;
    shown.push_str(&components.as_path().display().to_string());
    // Only a path that means the same file: not one that is too long, or whose names end in a dot.
    match std::path::absolute(&shown) {
        Ok(found) if found.as_os_str() == shown.as_str() && shown.len() < LONGEST => found,
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::windows::fs::OpenOptionsExt as _;

    use super::*;

    #[test]
    fn a_path_is_shown_without_the_verbatim_prefix() {
        let long = format!(r"\\?\C:\{}", "x".repeat(300));
        for (path, shown) in [
            (r"\\?\C:\Users\jane", r"C:\Users\jane"),
            (r"\\?\UNC\server\share\x", r"\\server\share\x"),
            (r"\\?\C:\ends.in.dot.", r"\\?\C:\ends.in.dot."),
            (&long, &long),
            (r"C:\Users", r"C:\Users"),
        ] {
            assert_eq!(as_shown(Path::new(path)), Path::new(shown), "{path}");
        }
    }

    #[test]
    fn a_rename_replaces_nothing_unless_it_is_meant_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("new"), dir.path().join("target"));
        fs::write(&path, "new").unwrap();
        fs::write(&target, "old").unwrap();
        let taken = rename_new(&path, &target).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        replace(&path, &target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert!(!path.exists());
        rename_new(&target, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_replacement_that_the_system_began_is_completed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("new"), dir.path().join("target"));
        fs::write(&path, "new").unwrap();
        let of = |code: u32| Err(io::Error::from_raw_os_error(code.cast_signed()));
        let rename = || rename_new(&path, &target);
        assert!(completed(of(ERROR_ACCESS_DENIED), rename).is_err());
        assert!(!target.exists());
        completed(of(ERROR_UNABLE_TO_MOVE_REPLACEMENT), rename).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn a_file_that_another_program_has_open_is_replaced_once_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("new"), dir.path().join("target"));
        fs::write(&path, "new").unwrap();
        fs::write(&target, "old").unwrap();
        let alone = fs::OpenOptions::new()
            .read(true)
            .share_mode(0)
            .open(&target);
        let alone = alone.unwrap();
        let scanner = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(60));
            drop(alone);
        });
        replace(&path, &target).unwrap();
        scanner.join().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }
}
