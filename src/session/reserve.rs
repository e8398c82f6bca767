//! Writes a recovery file on a disk that may be full.
//!
//! Separate from [`recovery`], which reads and removes such files, because the space is reserved
//! before there is anything to write.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::record::Record;
use super::recovery::{self, names, sync};

/// Space for a recovery file, reserved before the refresh token is spent: if a full disk prevents a write to the
/// database, it would prevent a new file too.
#[derive(Default)]
pub(super) struct Reserve {
    /// A file without a name. `None` if the file system does not support that.
    file: Option<File>,
}

impl Reserve {
    /// Reserves the space.
    pub(super) fn take(dir: &Path) -> io::Result<Reserve> {
        match nameless(dir) {
            Ok(file) => Ok(Reserve { file: Some(file) }),
            Err(error) if is_full(&error) => Err(error),
            Err(_) => Ok(Reserve { file: None }),
        }
    }

    /// Writes the record under the first free name and syncs it; returns the path.
    pub(super) fn write(self, dir: &Path, record: &Record) -> anyhow::Result<PathBuf> {
        let content = record.render()?;
        let reserved = || {
            let file = self.file.ok_or(io::ErrorKind::Unsupported)?;
            fill(&file, &content)?;
            let (path, ()) = first_free(dir, |path| name(&file, path))?;
            Ok(path)
        };
        let created = |_: io::Error| {
            let (path, file) = first_free(dir, create)?;
            fill(&file, &content).map(|()| path)
        };
        reserved()
            .or_else(created)
            .and_then(|path| sync(dir).map(|()| path))
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
fn first_free<T>(dir: &Path, take: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
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

#[cfg(target_os = "linux")]
fn nameless(dir: &Path) -> io::Result<File> {
    use rustix::fs::{FallocateFlags, Mode, OFlags};

    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, recovery::ROOM)?;
    Ok(file.into())
}

#[cfg(target_os = "linux")]
fn name(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{AtFlags, CWD};

    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Fails if the name is taken, like O_EXCL.
    Ok(rustix::fs::linkat(
        CWD,
        nameless,
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_dir: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn name(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}

fn fill(mut file: &File, content: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(content.as_bytes())?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}
