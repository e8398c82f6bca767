//! Opens a file that only an administrator can have written.
//!
//! Separate from `private`, whose files belong to the user.

use std::fs::File;
use std::io;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{FILE_GENERIC_READ, OPEN_EXISTING};

use super::super::access::{self, Allowed, Owner};
use super::super::handle::{How, Symlinks, look_at, open};

/// Opens and checks it, as [`read_of_root`](crate::platform::files::read_of_root) promises.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn open_of_root(path: &Path) -> Result<Option<File>, String> {
    let how = How {
        access: FILE_GENERIC_READ,
        disposition: OPEN_EXISTING,
        symlinks: Symlinks::Open,
        security: None,
    };
    let file = match open(path, &how) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot open it: {error}")),
    };
    let directory = look_at(path.parent().unwrap_or(path), Symlinks::Open);
    let directory = directory.and_then(|directory| Ok((directory.metadata()?, directory)));
    let (Ok(metadata), Ok((of_directory, directory))) = (file.metadata(), directory) else {
        return Err("cannot read its attributes".to_owned());
    };
    if of_directory.is_symlink() {
        return Err("its directory is a symlink".to_owned());
    }
    if metadata.is_symlink() {
        return Err("it is a symlink".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    for (what, file) in [("it", &file), ("its directory", &directory)] {
        let Some(access) = access::access(file) else {
            return Err(format!("the access list of {what} cannot be read"));
        };
        if access.owner != Owner::System {
            return Err(format!("{what} does not belong to the administrators"));
        }
        if access.users == Allowed::Write {
            return Err(format!("{what} can be written by others"));
        }
    }
    Ok(Some(file))
}
