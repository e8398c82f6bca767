//! `credential.recovery`: granted tokens that the database would not take.
//!
//! Separate from the store, because it stands in for it. The old pair is dead at the server by then, so this file is all
//! that stands between a full disk and a new login. It is written once, readable by its owner only, and imported by the
//! next process that holds the lock: a refresh if the database still has the old pair, or none; a login unless a newer
//! one is there. A logout removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::record::Record;
use crate::account::Session;
use crate::lock::{Lock, LockGuard};
use crate::store::Store;
use crate::world::World;

/// How long a command waits for a refresh before it looks at what it would import.
const TIMEOUT: Duration = Duration::from_secs(20);

/// More than a file with the longest tokens takes, and than a commit writes; longer files are not ours.
const RESERVED: u64 = 32 * 1024;

/// Where the file is, or would be.
pub(super) fn path(store: &Store) -> PathBuf {
    store.path().with_file_name("credential.recovery")
}

/// Room for the file, taken while the refresh token is not spent yet: where the database cannot be written because the
/// disk is full, a new file could not be written either.
#[derive(Default)]
pub(super) struct Reserve {
    /// Has no name yet. `None`: this file system has no such files.
    file: Option<File>,
}

impl Reserve {
    /// Takes it.
    pub(super) fn take(store: &Store) -> io::Result<Reserve> {
        match nameless(&path(store)) {
            Ok(file) => Ok(Reserve { file: Some(file) }),
            Err(error) if is_full(&error) => Err(error),
            Err(_) => Ok(Reserve { file: None }),
        }
    }

    /// Writes the record and waits until it is on the disk.
    pub(super) fn write(self, store: &Store, record: &Record) -> anyhow::Result<()> {
        let path = path(store);
        let content = record.render()?;
        let named = match self.file {
            Some(file) => fill(&file, &content).and_then(|()| name(&file, &path)),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        named
            .or_else(|_| create(&path).and_then(|file| fill(&file, &content)))
            .and_then(|()| File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all())
            .with_context(|| {
                format!(
                    "{} granted tokens, but neither the database nor {} can be written",
                    record.origin(),
                    path.display()
                )
            })
    }
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
fn nameless(path: &Path) -> io::Result<File> {
    use rustix::fs::{FallocateFlags, Mode, OFlags};

    let dir = path.parent().unwrap_or(Path::new("/"));
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVED)?;
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
fn nameless(_path: &Path) -> io::Result<File> {
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

/// Imports the file, if there is one, and removes it.
///
/// # Errors
/// The file is not ours, or the database cannot be written: it stays.
pub(crate) fn import(world: &World, store: &Store, guard: &LockGuard) -> anyhow::Result<()> {
    let path = path(store);
    let Some(content) = read(&path)? else {
        return Ok(());
    };
    // A file that was cut short was never complete, so there is nothing to lose.
    if let Some(record) = Record::parse(&content)? {
        let change = store.change(guard, world.clock())?;
        let outcome = record.import(&change, world.now())?;
        change.commit()?;
        world.trace(|| format!("imported credential.recovery: {outcome}"));
    }
    remove(&path)
}

/// Imports the file, if there is one, for a caller who has no session yet; tells whether there was one.
///
/// # Errors
/// As [`import`], and the lock's.
pub(crate) fn import_waiting(world: &World, store: &Store) -> anyhow::Result<bool> {
    if path(store).symlink_metadata().is_err() {
        return Ok(false);
    }
    let guard = Lock::credential(store.directory()).acquire(world.clock(), TIMEOUT)?;
    import(world, store, &guard).map(|()| true)
}

/// Removes the file if it has tokens of this session: they end with it.
///
/// # Errors
/// The file is not ours, or cannot be removed: living tokens may be in it.
pub(super) fn discard(store: &Store, session: &Session) -> anyhow::Result<()> {
    let path = path(store);
    let Some(content) = read(&path)? else {
        return Ok(());
    };
    match Record::parse(&content)?.is_none_or(|record| record.is_of(session)) {
        true => remove(&path),
        false => Ok(()),
    }
}

/// Removes the file for good: one that a power cut brings back has tokens that were logged out, or are spent.
fn remove(path: &Path) -> anyhow::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::remove_file(path)
        .and_then(|()| File::open(dir)?.sync_all())
        .with_context(|| format!("cannot remove {}", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
    open_and_read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn open_and_read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let not_regular = || Err(io::Error::other("it is not a regular file"));
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // NONBLOCK: a FIFO in its place must not stop us.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => return not_regular(),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return not_regular();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
    }
    let mut content = Zeroizing::new(Vec::new());
    file.take(RESERVED).read_to_end(&mut content)?;
    Ok(Some(content))
}
