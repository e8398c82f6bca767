//! Locks between processes: one process refreshes, commits or logs in at a time.
//!
//! Separate from the store because the lock outlives a transaction: it is held across the network. The kernel drops it
//! when its holder dies, so there is nothing to clean up after a crash.
//!
//! Rules: the file is created once and never deleted, so that all processes lock the same one; a lock that cannot be
//! acquired never counts as free; order: `login.lock`, `credential.lock`, the database. fs2 is used here only, in full
//! paths: std has methods of the same names since Rust 1.89.
//!
//! Does not guarantee exclusion where the file system has no locks; [`LockError::Unsupported`] says so.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::platform::files::{self, Purpose, Rule};
use crate::platform::process::{is_running, lock_holder, name_of};
use crate::world::{Clock, Timestamp};

/// Longest pause between two attempts to acquire a contended lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest description that is read from a lock file, in bytes.
const DESCRIPTION: u64 = 128;

/// A lock file.
pub(crate) struct Lock {
    path: PathBuf,
}

/// Proof that this process holds a lock; dropping it releases the lock.
#[must_use]
pub(crate) struct LockGuard {
    // The kernel's lock belongs to the open file.
    file: File,
}

impl LockGuard {
    /// For the standard input of a child that continues the work under the lock; see [`Lock::inherited`].
    ///
    /// # Errors
    /// No file descriptor is available.
    pub(crate) fn share(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Records in the lock file for what this process holds it, and since when: shown by processes whose wait times out.
    pub(crate) fn describe(&self, doing: Doing, since: Timestamp) {
        let text = format!("{} {} {since}\n", doing.word(), std::process::id());
        // A failure only makes a message less clear.
        let mut file = &self.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .ok();
    }
}

/// The holder of a contended lock, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its process id; unknown in another namespace, and where neither the file nor the kernel reports it.
    pub(crate) pid: Option<u32>,
    /// The name of its program, if it runs here.
    pub(crate) program: Option<String>,
    /// The step of the refresh for which it is held, and when that step began, in RFC 3339.
    pub(crate) refresh: Option<(Doing, String)>,
}

/// What a refresh waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// An answer.
    WaitsForSentry,
    /// A database that takes the new tokens.
    Stores,
}

impl Doing {
    const ALL: [Doing; 2] = [Doing::WaitsForSentry, Doing::Stores];

    /// In a lock file.
    fn word(self) -> &'static str {
        match self {
            Doing::WaitsForSentry => "waits",
            Doing::Stores => "stores",
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.refresh {
            Some((Doing::WaitsForSentry, since)) => write!(
                f,
                "a refresh that began at {since} is still waiting for Sentry"
            )?,
            Some((Doing::Stores, since)) => write!(
                f,
                "a refresh that began at {since} cannot store its token yet"
            )?,
            None => f.write_str("another process holds the lock")?,
        }
        if let Some(pid) = self.pid {
            write!(f, ", pid {pid}")?;
        }
        match &self.program {
            Some(program) if self.refresh.is_none() => write!(f, " ({program})"),
            _ => Ok(()),
        }
    }
}

/// Why there is no [`LockGuard`].
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it: wait, or continue without it. With the holder after a wait.
    Contended(Option<Holder>),
    /// The file system has no locks; serve what is stored and change nothing.
    Unsupported(io::Error),
    /// The file cannot be opened, or is not a regular file of ours.
    Unusable(PathBuf, io::Error),
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LockError::Contended(Some(holder)) => holder.fmt(f),
            LockError::Contended(None) => f.write_str("another process holds the lock"),
            LockError::Unsupported(why) => write!(f, "this file system has no file locks ({why})"),
            LockError::Unusable(path, why) => {
                write!(f, "cannot use the lock file {}: {why}", path.display())
            }
        }
    }
}

impl std::error::Error for LockError {}

impl Lock {
    /// Guards what is stored in `dir`: refresh, the commit of a login, logout, `store`, `erase`.
    pub(crate) fn credential(dir: &Path) -> Lock {
        Lock {
            path: dir.join("credential.lock"),
        }
    }

    /// Allows one device flow at a time.
    pub(crate) fn login(dir: &Path) -> Lock {
        Lock {
            path: dir.join("login.lock"),
        }
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    /// [`LockError`]; `Contended` if another process holds it.
    pub(crate) fn try_acquire(&self) -> Result<LockGuard, LockError> {
        loop {
            let file = self
                .open()
                .map_err(|why| LockError::Unusable(self.path.clone(), why))?;
            lock(&file)?;
            // The file was deleted or replaced: other processes will not lock the file that this one locked.
            if files::is_at(&file, &self.path) {
                return Ok(LockGuard { file });
            }
        }
    }

    /// Continues with the lock that the parent process acquired and passed as standard input: both refer to the same open
    /// file, to which flock(2) locks belong.
    ///
    /// # Errors
    /// [`LockError::Unusable`] when standard input is not that file, the others as
    /// [`Lock::try_acquire`].
    pub(crate) fn inherited(&self) -> Result<LockGuard, LockError> {
        let unusable = |why| LockError::Unusable(self.path.clone(), why);
        let file = crate::world::inherited_stdin().map_err(unusable)?;
        if !files::is_at(&file, &self.path) {
            return Err(unusable(io::Error::other("it was not handed on")));
        }
        // Changes nothing for a process that already holds the lock.
        lock(&file)?;
        Ok(LockGuard { file })
    }

    /// Acquires the lock, with attempts for up to `timeout`.
    ///
    /// # Errors
    /// [`LockError::Contended`] after the timeout; the others at once.
    pub(crate) fn acquire(
        &self,
        clock: &dyn Clock,
        timeout: Duration,
    ) -> Result<LockGuard, LockError> {
        let deadline = clock.uptime() + timeout;
        let mut pause = Duration::from_millis(2);
        loop {
            match self.try_acquire() {
                Err(LockError::Contended(_)) if clock.uptime() < deadline => {
                    clock.sleep(pause);
                    pause = (pause * 2).min(PAUSE);
                }
                Err(LockError::Contended(_)) => return Err(self.contended()),
                other => return other,
            }
        }
    }

    /// The error for a lock that could not be acquired in time: it names the holder.
    pub(crate) fn contended(&self) -> LockError {
        LockError::Contended(self.holder())
    }

    /// The holder of the lock: as recorded in the file if that process is alive, else as the kernel reports it.
    pub(crate) fn holder(&self) -> Option<Holder> {
        let written = self
            .described()
            .filter(|holder| holder.pid.is_some_and(is_running));
        written.or_else(|| {
            let pid = lock_holder(&self.path)?;
            Some(Holder {
                pid: Some(pid),
                program: program_of(pid),
                refresh: None,
            })
        })
    }

    fn described(&self) -> Option<Holder> {
        let mut text = String::new();
        let file = self.open().ok()?;
        file.take(DESCRIPTION).read_to_string(&mut text).ok()?;
        let mut words = text.split_whitespace();
        let (word, pid, since) = (words.next()?, words.next()?, words.next()?);
        let doing = Doing::ALL.into_iter().find(|doing| doing.word() == word)?;
        Some(Holder {
            pid: Some(pid.parse().ok()?),
            program: None,
            refresh: Some((doing, crate::printable::printable(since))),
        })
    }

    fn open(&self) -> io::Result<File> {
        files::open_private(&self.path, Purpose::Lock, Rule::Ours)
    }
}

fn lock(file: &File) -> Result<(), LockError> {
    loop {
        match fs2::FileExt::try_lock_exclusive(file) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) if why.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                return Err(LockError::Contended(None));
            }
            ended => return ended.map_err(LockError::Unsupported),
        }
    }
}

fn program_of(pid: u32) -> Option<String> {
    let name = name_of(pid)?;
    Some(crate::printable::printable(name.trim())).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SystemClock;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::credential(dir.path());
        let held = lock.try_acquire().unwrap();
        assert!(matches!(lock.try_acquire(), Err(LockError::Contended(_))));
        drop(held);
        // A child of another test may have the file open for a moment.
        assert!(lock.acquire(&SystemClock, Duration::from_secs(10)).is_ok());
    }

    // On Windows a locked file cannot be read.
    #[cfg(unix)]
    #[test]
    fn waiting_ends_and_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::credential(dir.path());
        let held = lock.try_acquire().unwrap();
        held.describe(Doing::WaitsForSentry, Timestamp::from_millis(0));
        let wait = lock.acquire(&SystemClock, Duration::from_millis(20)).err();
        let pid = std::process::id();
        assert_eq!(
            wait.unwrap().to_string(),
            format!(
                "a refresh that began at 1970-01-01T00:00:00Z is still waiting for Sentry, pid {pid}"
            )
        );
    }

    // On Windows a file has its name until the last one who has opened it closes it.
    #[cfg(unix)]
    #[test]
    fn a_deleted_lock_file_does_not_split_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::credential(dir.path());
        let file = lock.open().unwrap();
        std::fs::remove_file(&lock.path).unwrap();
        let _new = lock.try_acquire().unwrap();
        assert!(!files::is_at(&file, &lock.path));
    }

    // Makes a symlink, which needs a privilege on Windows.
    #[cfg(unix)]
    #[test]
    fn a_symlink_is_not_a_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::login(dir.path());
        std::os::unix::fs::symlink("/dev/null", &lock.path).unwrap();
        assert!(matches!(lock.try_acquire(), Err(LockError::Unusable(..))));
    }
}
