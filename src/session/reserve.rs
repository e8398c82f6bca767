//! Writes a recovery file on a disk that may be full.
//!
//! Separate from [`recovery`], which reads and removes such files, because the space is reserved
//! before there is anything to write.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::record::Record;
use super::recovery::{self, names};
use crate::platform::files::{self, Purpose, create_private, fill, sync_dir};

/// Space for a recovery file, reserved before the refresh token is spent: if a full disk prevents a write to the
/// database, it would prevent a new file too.
#[derive(Default)]
pub(super) struct Reserve {
    /// `None` if such a file cannot be created.
    file: Option<files::Reserve>,
}

impl Reserve {
    /// Reserves the space.
    pub(super) fn take(dir: &Path) -> io::Result<Reserve> {
        match files::Reserve::take(&recovery::reserve_path(dir), recovery::ROOM) {
            Ok(file) => Ok(Reserve { file: Some(file) }),
            Err(error) if is_full(&error) => Err(error),
            Err(_) => Ok(Reserve { file: None }),
        }
    }

    /// Writes the record under the first free name and syncs it; returns the path.
    pub(super) fn write(self, dir: &Path, record: &Record) -> anyhow::Result<PathBuf> {
        let content = record.render()?;
        let content = content.as_bytes();
        let reserved = || {
            let mut file = self.file.ok_or(io::ErrorKind::Unsupported)?;
            file.fill(content)?;
            let (path, ()) = first_free(dir, |path| file.rename_new(path))?;
            Ok(path)
        };
        let created = |_: io::Error| {
            let (path, file) = first_free(dir, |path| create_private(path, Purpose::Write))?;
            fill(&file, content).map(|()| path)
        };
        reserved()
            .or_else(created)
            .and_then(|path| sync_dir(dir).map(|()| path))
            .with_context(|| {
                format!(
                    "{} granted tokens, but neither the database nor {} can be written",
                    record.origin(),
                    recovery::path(dir).display()
                )
            })
    }
}

/// Takes the first name that is free.
fn first_free<T>(
    dir: &Path,
    mut take: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    for path in names(dir) {
        match take(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|taken| (path, taken)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem
    )
}
