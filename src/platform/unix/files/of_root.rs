//! Opens a file that only root can have written.
//!
//! Separate from `private`, whose files belong to the user.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens and checks it, as [`read_of_root`](crate::platform::files::read_of_root) promises.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn open_of_root(path: &Path) -> Result<Option<File>, String> {
    // Without waiting for the other end of a FIFO.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // ELOOP; FreeBSD: EMLINK; NetBSD: EFTYPE.
        Err(_) if path.is_symlink() => return Err("it is a symlink".to_owned()),
        Err(error) => return Err(format!("cannot open it: {error}")),
    };
    // By root alone, so that what is judged now is still what was opened.
    let directory = path.parent().unwrap_or(path).symlink_metadata();
    let (Ok(metadata), Ok(directory)) = (file.metadata(), directory) else {
        return Err("cannot read its mode".to_owned());
    };
    if directory.is_symlink() {
        return Err("its directory is a symlink".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    for (what, metadata) in [("it", &metadata), ("its directory", &directory)] {
        if let Some(why) = writable_by_others(metadata) {
            return Err(format!("{what} {why}"));
        }
    }
    Ok(Some(file))
}

/// Who besides root can write it. With an access list the group's bits are its mask.
fn writable_by_others(metadata: &Metadata) -> Option<String> {
    let mode = metadata.mode() & 0o7777;
    match (metadata.uid(), mode & 0o022) {
        (0, 0) => None,
        (0, _) => Some(format!("can be written by others (mode {mode:04o})")),
        (owner, _) => Some(format!("belongs to uid {owner}, not to root")),
    }
}
