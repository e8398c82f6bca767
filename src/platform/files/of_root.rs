//! Reads a file that only an administrator can have written.
//!
//! Separate from private files, which belong to the user. The systems open the file and check who can write it.

use std::io::Read as _;
use std::path::Path;

use super::super::system::files::open_of_root;

/// The content of a regular file of at most `longest` bytes. The file and its directory must belong to root, on Windows to an
/// administrator, and be writable by nobody else, and must not be symlinks. `None` if there is no such file: then it is
/// one system call.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn read_of_root(path: &Path, longest: u64) -> Result<Option<Vec<u8>>, String> {
    let Some(file) = open_of_root(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    match file.take(longest + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > longest => Err("it is longer than 1 MiB".to_owned()),
        Ok(_) => Ok(Some(bytes)),
        Err(error) => Err(format!("cannot read it: {error}")),
    }
}
