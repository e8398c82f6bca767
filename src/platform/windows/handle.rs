//! Opens files by `CreateFileW`, and reads what the system knows about an open file.
//!
//! Separate from [`files`](super::files) because of the `unsafe` calls. std opens files too, but not with a security
//! descriptor, and reads neither identity nor number of names.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _};
use std::path::{Component, Path, Prefix};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_SHARING_VIOLATION, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    FILE_TYPE_DISK, GetFileInformationByHandle, GetFileType, GetVolumeInformationByHandleW,
    OPEN_EXISTING, READ_CONTROL, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
};
use windows_sys::Win32::System::SystemServices::FILE_PERSISTENT_ACLS;

/// How often a call is repeated while another program has the file open. Virus scanners open each new file.
const ATTEMPTS: u32 = 50;

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Longest path that every call takes: 260, less a short name, which must fit into a new directory.
const LONGEST: usize = 247;

/// Whether a symlink is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Symlinks {
    Follow,
    /// The symlink itself is opened.
    Open,
}

/// How to open a file or directory.
pub(super) struct How<'a> {
    /// Access rights.
    pub(super) access: u32,
    /// `OPEN_EXISTING` and others.
    pub(super) disposition: u32,
    pub(super) symlinks: Symlinks,
    /// The access list of a file that is created.
    pub(super) security: Option<&'a SECURITY_ATTRIBUTES>,
}

/// Opens a file or directory. Other programs may read, write, rename and remove it meanwhile. Waits for a program that does
/// not share it.
///
/// # Errors
/// As `CreateFileW`.
pub(super) fn open(path: &Path, how: &How<'_>) -> io::Result<File> {
    let name = wide(path)?;
    repeated(
        || open_once(&name, how),
        |code| code == ERROR_SHARING_VIOLATION,
    )
}

/// Repeats a call for a second while another program has the file open.
pub(super) fn repeated<T>(
    call: impl Fn() -> io::Result<T>,
    is_in_use: impl Fn(u32) -> bool,
) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match call() {
            Err(error)
                if error
                    .raw_os_error()
                    .is_some_and(|code| is_in_use(code.cast_unsigned())) => {}
            done => return done,
        }
        std::thread::sleep(PAUSE);
    }
    call()
}

#[allow(unsafe_code, reason = "a call of the system")]
fn open_once(name: &[u16], how: &How<'_>) -> io::Result<File> {
    let symlinks = match how.symlinks {
        Symlinks::Follow => 0,
        Symlinks::Open => FILE_FLAG_OPEN_REPARSE_POINT,
    };
    // The name may be one of a pipe: its server does not get this user's rights.
    let rights = SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    // SAFETY: the name ends with NUL, and the security attributes outlive the call.
    let handle = unsafe {
        CreateFileW(
            name.as_ptr(),
            how.access,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            how.security.map_or(ptr::null(), ptr::from_ref),
            how.disposition,
            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS | symlinks | rights,
            ptr::null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: nothing else owns it.
    Ok(unsafe { File::from_raw_handle(handle.cast()) })
}

/// Opens an existing file or directory to read its attributes and its access list.
///
/// # Errors
/// As [`open`].
pub(super) fn look_at(path: &Path, symlinks: Symlinks) -> io::Result<File> {
    let how = How {
        access: READ_CONTROL,
        disposition: OPEN_EXISTING,
        symlinks,
        security: None,
    };
    open(path, &how)
}

/// Whether an open file is one of a file system. A pipe and a device have the attributes of a regular file.
#[allow(unsafe_code, reason = "a call of the system")]
pub(super) fn is_on_disk(file: &File) -> bool {
    // SAFETY: the handle is open.
    unsafe { GetFileType(raw(file)) == FILE_TYPE_DISK }
}

/// What the system knows about an open file.
///
/// # Errors
/// It is not on a disk.
#[allow(unsafe_code, reason = "a call of the system")]
pub(super) fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut found = MaybeUninit::uninit();
    // SAFETY: the handle is open; the structure is initialized if the call succeeds.
    unsafe {
        match GetFileInformationByHandle(raw(file), found.as_mut_ptr()) {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(found.assume_init()),
        }
    }
}

/// Whether the file system of an open file has access lists. FAT has none.
#[allow(unsafe_code, reason = "a call of the system")]
pub(super) fn has_access_lists(file: &File) -> bool {
    let mut flags = 0;
    // SAFETY: the handle is open, and what is not asked for is null.
    let done = unsafe {
        GetVolumeInformationByHandleW(
            raw(file),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut flags,
            ptr::null_mut(),
            0,
        )
    };
    done != 0 && flags & FILE_PERSISTENT_ACLS != 0
}

/// The handle, for a call.
pub(super) fn raw(file: &File) -> HANDLE {
    file.as_raw_handle().cast()
}

/// A path for a call, with its NUL. A long one is written as `\\?\…`, which has no limit.
///
/// # Errors
/// There is a NUL in it.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = path.as_os_str().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if wide.len() > LONGEST {
        wide = verbatim(&std::path::absolute(path)?)
            .encode_wide()
            .collect();
    }
    wide.push(0);
    Ok(wide)
}

/// An absolute path, as it is taken without a limit.
fn verbatim(path: &Path) -> OsString {
    let mut components = path.components();
    let mut verbatim = OsString::from(r"\\?\");
    match components.next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::Disk(_) => verbatim.push(path),
            Prefix::UNC(server, share) => {
                verbatim.push(r"UNC\");
                verbatim.push(server);
                verbatim.push(r"\");
                verbatim.push(share);
                verbatim.push(components.as_path());
            }
            _ => return path.into(),
        },
        _ => return path.into(),
    }
    verbatim
}

#[cfg(test)]
mod tests {
    use std::os::windows::fs::OpenOptionsExt as _;
    use std::os::windows::io::OwnedHandle;

    use windows_sys::Win32::Storage::FileSystem::FILE_GENERIC_READ;

    use super::*;

    #[test]
    fn a_long_path_is_written_without_a_limit() {
        for (path, expected) in [
            (r"C:\Users\Jürgen", r"\\?\C:\Users\Jürgen"),
            (r"\\server\share\a b\c", r"\\?\UNC\server\share\a b\c"),
            (r"\\?\C:\x", r"\\?\C:\x"),
            (r"\\.\pipe\x", r"\\.\pipe\x"),
        ] {
            assert_eq!(verbatim(Path::new(path)), expected, "{path}");
        }
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(200)).join("y".repeat(200));
        std::fs::create_dir_all(&long).unwrap();
        assert!(look_at(&long, Symlinks::Open).is_ok());
    }

    #[test]
    fn a_pipe_and_a_device_are_on_no_disk() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_on_disk(&look_at(dir.path(), Symlinks::Open).unwrap()));
        let (reader, _writer) = io::pipe().unwrap();
        assert!(!is_on_disk(&File::from(OwnedHandle::from(reader))));
        let device = look_at(Path::new(r"\\.\NUL"), Symlinks::Open);
        assert!(!is_on_disk(&device.unwrap()));
    }

    #[test]
    fn a_file_that_another_program_does_not_share_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let alone = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .share_mode(0)
            .open(&path)
            .unwrap();
        let refused = open_once(&wide(&path).unwrap(), &TO_READ).unwrap_err();
        assert_eq!(
            refused.raw_os_error().map(i32::cast_unsigned),
            Some(ERROR_SHARING_VIOLATION)
        );
        let scanner = std::thread::spawn(move || {
            std::thread::sleep(PAUSE * 3);
            drop(alone);
        });
        assert!(open(&path, &TO_READ).is_ok());
        scanner.join().unwrap();
    }

    const TO_READ: How<'_> = How {
        access: FILE_GENERIC_READ,
        disposition: OPEN_EXISTING,
        symlinks: Symlinks::Open,
        security: None,
    };
}
