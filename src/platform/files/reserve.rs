//! Disk space, reserved before it is needed.
//!
//! Separate from the systems, which have a call for it or have none.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::super::system::files::{allocate, create_private, is_at, rename_new, sync};
use super::rules::Purpose;

/// A private file of a certain length without content. Removed on drop.
pub(crate) struct Reserve {
    file: File,
    /// `None` once it has its final name.
    path: Option<PathBuf>,
}

impl Reserve {
    /// Reserves space under a name that no other process uses. A file that a killed process left there is removed.
    ///
    /// # Errors
    /// The disk is full, or the file cannot be created.
    pub(crate) fn take(path: &Path, length: usize) -> io::Result<Reserve> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let reserve = Reserve {
            file: create_private(path, Purpose::Write)?,
            path: Some(path.to_owned()),
        };
        match allocate(&reserve.file, length) {
            Ok(()) => {}
            Err(error) if is_full(&error) => return Err(error),
            // Without such a call, only written blocks have space, and only after a sync.
            Err(_) => fill(&reserve.file, &vec![0; length])?,
        }
        Ok(reserve)
    }

    /// Writes the content and syncs it.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn fill(&self, content: &[u8]) -> io::Result<()> {
        fill(&self.file, content)
    }

    /// Renames it to its final name, unless the target exists.
    ///
    /// # Errors
    /// `AlreadyExists`, and others: it keeps its name.
    pub(crate) fn rename_new(&mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            // Another process may have replaced the file under this name.
            if !is_at(&self.file, path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            rename_new(path, target)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        match &self.path {
            Some(path) if is_at(&self.file, path) => drop(fs::remove_file(path)),
            _ => {}
        }
    }
}

/// The error if the disk has no room for a file of this length in a directory; leaves nothing there.
pub(crate) fn full(dir: &Path, length: usize) -> Option<io::Error> {
    let probe = dir.join(format!("credential.probe-{}", std::process::id()));
    Reserve::take(&probe, length).err().filter(is_full)
}

/// Replaces the content of a file and syncs it.
///
/// # Errors
/// The disk's.
pub(crate) fn fill(mut file: &File, content: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    sync(file)
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_has_its_space_and_goes_unless_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("reserve"), dir.path().join("target"));
        fs::write(&path, "left by a process that was killed").unwrap();
        drop(Reserve::take(&path, 32 * 1024).unwrap());
        assert!(!path.exists());
        let mut reserve = Reserve::take(&path, 32 * 1024).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            // In units of 512 bytes.
            assert!(path.metadata().unwrap().blocks() * 512 >= 32 * 1024);
        }
        fs::write(&target, "taken").unwrap();
        reserve.fill(b"content").unwrap();
        let taken = reserve.rename_new(&target).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&target).unwrap();
        reserve.rename_new(&target).unwrap();
        drop(reserve);
        assert_eq!(fs::read_to_string(&target).unwrap(), "content");
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_reserve_that_another_one_has_replaced_takes_nothing_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("reserve"), dir.path().join("target"));
        let mut former = Reserve::take(&path, 1024).unwrap();
        let mut latter = Reserve::take(&path, 1024).unwrap();
        former.fill(b"former").unwrap();
        assert!(former.rename_new(&target).is_err());
        drop(former);
        latter.fill(b"latter").unwrap();
        latter.rename_new(&target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "latter");
    }
}
