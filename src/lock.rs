//! Locks between processes: one process refreshes, commits or logs in at a time.
//!
//! Apart from the store because the lock outlives a transaction: it is held across the network. The kernel drops it
//! when its holder dies, so there is nothing to clean up after a crash.
//!
//! Rules: the file is made once and never deleted, so that all processes mean the same one; a lock that cannot be had
//! is never taken for a free one; order: `login.lock`, `credential.lock`, the database. fs2 is used here only, in full
//! paths: std has methods of the same names since Rust 1.89.
//!
//! Does not guarantee exclusion where the file system has no locks; [`LockError::Unsupported`] says so.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::world::Clock;

/// Longest pause between two looks at a lock that is taken.
const PAUSE: Duration = Duration::from_millis(50);

/// A lock file.
pub struct Lock {
    path: PathBuf,
}

/// Proof that this process holds a lock; dropping it lets go.
#[must_use]
pub struct LockGuard {
    // The kernel's lock belongs to the open file.
    file: File,
}

impl LockGuard {
    /// For the standard input of a child that goes on with what the lock is held for; see [`Lock::inherited`].
    ///
    /// # Errors
    /// There is no file descriptor to be had.
    pub fn share(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }
}

/// Why there is no [`LockGuard`].
#[derive(Debug)]
pub enum LockError {
    /// Somebody else holds it; wait or do without.
    Taken,
    /// The file system has no locks; serve what is stored and change nothing.
    Unsupported(io::Error),
    /// The file cannot be opened, or is not a plain file of ours.
    Unusable(PathBuf, io::Error),
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LockError::Taken => f.write_str("another process holds the lock"),
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
    pub fn credential(dir: &Path) -> Lock {
        Lock {
            path: dir.join("credential.lock"),
        }
    }

    /// Makes device flows single.
    pub fn login(dir: &Path) -> Lock {
        Lock {
            path: dir.join("login.lock"),
        }
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// [`LockError`]; `Taken` when somebody else has it.
    pub fn try_acquire(&self) -> Result<LockGuard, LockError> {
        loop {
            let file = self
                .open()
                .map_err(|why| LockError::Unusable(self.path.clone(), why))?;
            lock(&file)?;
            // Somebody deleted or replaced the file: what we locked is not what others will lock.
            if self.is_still(&file) {
                return Ok(LockGuard { file });
            }
        }
    }

    /// Goes on with the lock that the parent process took and handed on as standard input: both mean the same open
    /// file, to which flock(2) locks belong.
    ///
    /// # Errors
    /// [`LockError::Unusable`] when standard input is not that file, the others as
    /// [`Lock::try_acquire`].
    pub fn inherited(&self) -> Result<LockGuard, LockError> {
        let unusable = |why| LockError::Unusable(self.path.clone(), why);
        let file = crate::world::inherited_stdin().map_err(unusable)?;
        if !self.is_still(&file) {
            return Err(unusable(io::Error::other("it was not handed on")));
        }
        // Changes nothing for the one who has the lock already.
        lock(&file)?;
        Ok(LockGuard { file })
    }

    /// Takes the lock, looking again for up to `patience`; before each new look `enough` may end the wait.
    ///
    /// # Errors
    /// [`LockError::Taken`] when patience ran out or `enough` said so; the others at once.
    pub fn acquire(
        &self,
        clock: &dyn Clock,
        patience: Duration,
        mut enough: impl FnMut() -> bool,
    ) -> Result<LockGuard, LockError> {
        let deadline = clock.uptime() + patience;
        let mut pause = Duration::from_millis(2);
        loop {
            match self.try_acquire() {
                Err(LockError::Taken) if clock.uptime() < deadline && !enough() => {
                    clock.sleep(pause);
                    pause = (pause * 2).min(PAUSE);
                }
                other => return other,
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // NONBLOCK: a FIFO in its place must not stop us.
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            options.mode(0o600).custom_flags(flags.bits().cast_signed());
        }
        let file = options.open(&self.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a plain file"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            if metadata.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other("it belongs to another user"));
            }
        }
        Ok(file)
    }

    #[cfg(unix)]
    fn is_still(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let (ours, theirs) = (
            file.metadata().map(identity),
            self.path.symlink_metadata().map(identity),
        );
        matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    #[cfg(not(unix))]
    fn is_still(&self, _file: &File) -> bool {
        true
    }
}

fn lock(file: &File) -> Result<(), LockError> {
    loop {
        match fs2::FileExt::try_lock_exclusive(file) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) if why.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                return Err(LockError::Taken);
            }
            ended => return ended.map_err(LockError::Unsupported),
        }
    }
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
        assert!(matches!(lock.try_acquire(), Err(LockError::Taken)));
        drop(held);
        assert!(lock.try_acquire().is_ok());
    }

    #[test]
    fn waiting_ends_early_when_the_caller_has_enough() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::credential(dir.path());
        let _held = lock.try_acquire().unwrap();
        let mut looks = 0;
        let wait = lock.acquire(&SystemClock, Duration::from_secs(600), || {
            looks += 1;
            looks == 3
        });
        assert!(matches!(wait, Err(LockError::Taken)));
    }

    #[cfg(unix)]
    #[test]
    fn a_deleted_lock_file_does_not_split_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::credential(dir.path());
        let file = lock.open().unwrap();
        std::fs::remove_file(&lock.path).unwrap();
        let _new = lock.try_acquire().unwrap();
        assert!(!lock.is_still(&file));
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_is_not_a_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::login(dir.path());
        std::os::unix::fs::symlink("/dev/null", &lock.path).unwrap();
        assert!(matches!(lock.try_acquire(), Err(LockError::Unusable(..))));
    }
}
