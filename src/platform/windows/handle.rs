//! Opens files by `CreateFileW`, and reads what the system knows about an open file.
//!
//! Separate from [`files`](super::files) because of the `unsafe` calls. std opens files too, but not with a security
//! descriptor, and reads neither identity nor number of names.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _};
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    GetFileInformationByHandle, GetVolumeInformationByHandleW, OPEN_EXISTING, READ_CONTROL,
};
use windows_sys::Win32::System::SystemServices::FILE_PERSISTENT_ACLS;

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

/// Opens a file or directory. Other programs may read, write, rename and remove it meanwhile.
///
/// # Errors
/// As `CreateFileW`.
#[allow(unsafe_code, reason = "a call of the system")]
pub(super) fn open(path: &Path, how: &How<'_>) -> io::Result<File> {
    let name = wide(path)?;
    let symlinks = match how.symlinks {
        Symlinks::Follow => 0,
        Symlinks::Open => FILE_FLAG_OPEN_REPARSE_POINT,
    };
    // SAFETY: the name ends with NUL, and the security attributes outlive the call.
    let handle = unsafe {
        CreateFileW(
            name.as_ptr(),
            how.access,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            how.security.map_or(ptr::null(), ptr::from_ref),
            how.disposition,
            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS | symlinks,
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

/// A path for a call, with its NUL.
///
/// # Errors
/// There is a NUL in it.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = path.as_os_str().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    wide.push(0);
    Ok(wide)
}
