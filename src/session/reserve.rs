//! Writes a recovery file, on a disk that may be full by then.
//!
//! Separate from [`recovery`](super::recovery), which reads and removes such files, because the room for one is taken
//! before there is anything to write.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::record::Record;
use super::recovery::{self, names, sync};

/// Room for a file, taken while the refresh token is not spent yet: where the database cannot be written because the
/// disk is full, a new file could not be written either.
#[derive(Default)]
pub(super) struct Reserve {
    /// Has no name yet. `None`: this file system has no such files.
    file: Option<File>,
}

impl Reserve {
    /// Takes it.
    pub(super) fn take(dir: &Path) -> io::Result<Reserve> {
        match nameless(dir) {
            Ok(file) => Ok(Reserve { file: Some(file) }),
            Err(error) if is_full(&error) => Err(error),
            Err(_) => Ok(Reserve { file: None }),
        }
    }

    /// Writes the record under the first free name and waits until it is on the disk; tells where.
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

/// Takes the first name that nobody has.
fn first_free<T>(dir: &Path, take: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    for path in names(dir) {
        match take(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            ended => return ended.map(|taken| (path, taken)),
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
    // Fails when the name is taken, as O_EXCL would.
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
