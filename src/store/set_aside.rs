//! Moves a damaged database out of the way.
//!
//! Separate from [`super::file`], which never renames a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{NAME, SIDECARS};
use crate::world::Timestamp;

/// Where a damaged database went.
#[derive(Debug)]
pub(crate) struct Repair {
    /// The new name.
    pub(crate) moved_to: PathBuf,
}

/// The files that [`set_aside`] has renamed, sorted.
pub(super) fn set_aside_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_set_aside = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(NAME) && name.contains(".corrupt-")
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(is_set_aside)
        .collect();
    found.sort();
    found
}

/// Renames the database and its sidecar files; nothing is deleted.
pub(super) fn set_aside(dir: &Path, now: Timestamp) -> io::Result<Repair> {
    let sidecars = SIDECARS.map(|sidecar| format!("{NAME}{sidecar}"));
    let files: Vec<&str> = [NAME]
        .into_iter()
        .chain(sidecars.iter().map(String::as_str))
        .collect();
    // The clock may have stood here before: no earlier one is replaced.
    let suffix = (0..)
        .map(|number| match number {
            0 => format!("corrupt-{}", now.seconds()),
            _ => format!("corrupt-{}-{number}", now.seconds()),
        })
        .find(|suffix| {
            let mut names = files
                .iter()
                .map(|name| dir.join(format!("{name}.{suffix}")));
            names.all(|name| name.symlink_metadata().is_err())
        })
        .unwrap_or_default();
    let moved_to = dir.join(format!("{NAME}.{suffix}"));
    for name in files {
        match fs::rename(dir.join(name), dir.join(format!("{name}.{suffix}"))) {
            Err(error) if name == NAME || error.kind() != io::ErrorKind::NotFound => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(Repair { moved_to })
}
