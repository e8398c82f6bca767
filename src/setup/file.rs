//! Reads a file of another program, and replaces it as a whole if it is unchanged since.
//!
//! Separate from the content of the files because the rules are the same for all of them: symlinks stay; mode, owner,
//! group and access list stay, or nothing is written; the new content is on disk before it gets the name.
//!
//! docker and podman take no lock, so a comparison before a rename could be outdated by the time of the rename. The old
//! and the new file are therefore exchanged, and the old one is compared once more: if another program changed it, the
//! exchange is reversed. Where the file system cannot exchange two names, only the comparison before the rename
//! remains.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use tempfile::TempPath;

use super::attributes::{check_writable, keep_attributes};
use crate::failure::Failure;
use crate::platform::files::{
    cannot_exchange, canonicalize, create_private_dir, exchange, open_foreign, rename_new, replace,
    sync,
};
use crate::printable::quoted;
use crate::world::{Timestamp, World};

/// How long to wait for a lock file of another program: git holds it for milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between two attempts to create a lock file.
const PAUSE: Duration = Duration::from_millis(20);

/// The age from which a file beside the target is a leftover: its process would have ended long ago.
const LEFTOVER: Duration = Duration::from_secs(60);

/// How often a file that other programs keep changing is read again.
pub(super) const ATTEMPTS: usize = 50;

/// Longest chain of symlinks, as in Linux.
const LINKS: usize = 40;

/// A file as it was read.
pub(crate) struct ForeignFile {
    /// The path as named to the user.
    path: PathBuf,
    /// The path with all symlinks resolved.
    target: PathBuf,
    content: Option<Vec<u8>>,
}

/// Why a file was not replaced. It is unchanged then.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// Another program changed it since it was read: read it again.
    Changed,
    /// It cannot be written, or its owner would change.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for ReplaceError {
    fn from(error: anyhow::Error) -> ReplaceError {
        ReplaceError::Failed(error)
    }
}

/// A new file beside the one that it will replace; removed on drop.
pub(crate) struct Beside {
    file: File,
    path: TempPath,
}

/// A file that was replaced. Dropping it discards the old one.
#[must_use]
pub(crate) struct Replaced {
    target: PathBuf,
    after: Vec<u8>,
    before: Before,
}

enum Before {
    /// There was no file.
    Absent,
    /// The old file is beside the new one.
    Beside(TempPath),
    /// Only its content is left.
    Content(Vec<u8>),
}

impl ForeignFile {
    /// Reads the file, if it exists.
    pub(crate) fn read(path: &Path) -> anyhow::Result<ForeignFile> {
        let target = without_symlinks(path);
        let content =
            content_of(&target).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(ForeignFile {
            path: path.to_owned(),
            target,
            content,
        })
    }

    /// The path as named to the user.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path with all symlinks resolved.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The content as it was read; `None` if the file does not exist.
    pub(crate) fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// Replaces the file of a program that takes no lock. A new file is private.
    ///
    /// # Errors
    /// [`ReplaceError`].
    pub(crate) fn replace(&self, world: &World, content: &[u8]) -> Result<Replaced, ReplaceError> {
        let beside = self.beside(world)?;
        self.replace_by(beside, content)
    }

    /// Creates a private file in the same directory, and the directory if it is missing.
    pub(crate) fn beside(&self, world: &World) -> anyhow::Result<Beside> {
        let make = || -> anyhow::Result<Beside> {
            let dir = self.dir(world)?;
            let name = self.target.file_name().unwrap_or_default();
            let prefix = format!(".{}-", name.to_string_lossy());
            remove_leftovers(dir, &prefix, world.now());
            let (file, path) = tempfile::Builder::new()
                .prefix(&prefix)
                .tempfile_in(dir)?
                .into_parts();
            Ok(Beside { file, path })
        };
        make().map_err(|error| self.unwritable(error))
    }

    /// Creates `<file>.lock`, git's own lock; its creator may rename it over the file. A new file has the mode that the
    /// umask allows, like git's.
    ///
    /// # Errors
    /// Another program holds it for too long, or it cannot be created.
    pub(crate) fn git_lock(&self, world: &World) -> anyhow::Result<Beside> {
        let dir = self.dir(world).map_err(|error| self.unwritable(error))?;
        let mut name = self.target.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let path = dir.join(name);
        let deadline = world.clock().uptime() + TIMEOUT;
        loop {
            let made = OpenOptions::new().write(true).create_new(true).open(&path);
            match made {
                Ok(file) => {
                    let path = TempPath::try_from_path(path)?;
                    return Ok(Beside { file, path });
                }
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.unwritable(error.into()));
                }
                Err(_) if world.clock().uptime() >= deadline => {
                    let what = format!(
                        "cannot write {}: another program holds {}",
                        self.path.display(),
                        path.display()
                    );
                    let hint = format!(
                        "`rm {}`, if no git is running",
                        quoted(&path.display().to_string())
                    );
                    return Err(Failure::new(what).hint(hint).into());
                }
                Err(_) => world.clock().sleep(PAUSE),
            }
        }
    }

    /// Replaces the file by `beside`.
    ///
    /// # Errors
    /// [`ReplaceError`].
    pub(crate) fn replace_by(
        &self,
        mut beside: Beside,
        content: &[u8],
    ) -> Result<Replaced, ReplaceError> {
        let mut fill = || -> anyhow::Result<()> {
            if let Ok(before) = fs::metadata(&self.target) {
                check_writable(&self.target, &before)?;
                keep_attributes(&beside.file, &self.target, &before)?;
            }
            beside.file.write_all(content)?;
            Ok(sync(&beside.file)?)
        };
        fill().map_err(|error| self.unwritable(error))?;
        // Windows replaces no file by one that is open.
        let Beside { file, path: beside } = beside;
        drop(file);
        let unwritable = |error: io::Error| self.unwritable(error.into());
        if content_of(&self.target).map_err(unwritable)? != self.content {
            return Err(ReplaceError::Changed);
        }
        let replaced = |before| Replaced {
            target: self.target.clone(),
            after: content.to_owned(),
            before,
        };
        let Some(before) = &self.content else {
            return match rename_new(&beside, &self.target) {
                Ok(()) => {
                    forget(beside);
                    Ok(replaced(Before::Absent))
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(ReplaceError::Changed)
                }
                Err(error) => Err(unwritable(error).into()),
            };
        };
        match exchange(&beside, &self.target) {
            Ok(()) => {
                let out = content_of(&beside).map_err(unwritable)?;
                if out.as_ref() == Some(before) {
                    return Ok(replaced(Before::Beside(beside)));
                }
                exchange(&beside, &self.target).map_err(unwritable)?;
                Err(ReplaceError::Changed)
            }
            Err(error) if cannot_exchange(&error) => {
                replace(&beside, &self.target).map_err(unwritable)?;
                forget(beside);
                Ok(replaced(Before::Content(before.clone())))
            }
            Err(error) => Err(unwritable(error).into()),
        }
    }

    fn dir(&self, world: &World) -> anyhow::Result<&Path> {
        let dir = self.target.parent().context("it has no directory")?;
        if self.content.is_none() {
            world.check_may_create(&self.target)?;
            create_private_dir(dir)?;
        }
        Ok(dir)
    }

    /// Adds the path to the error, and the cause once.
    fn unwritable(&self, error: anyhow::Error) -> anyhow::Error {
        if error.downcast_ref::<Failure>().is_some() {
            return error;
        }
        let cause = format!("{error:#}");
        // `tempfile` adds a path that nobody has seen to the cause.
        let cause = cause.split(" at path \"").next().unwrap_or(&cause);
        let what = format!("cannot write {}: {cause}", self.path.display());
        let failure = Failure::new(what.clone());
        let is_mounted = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ResourceBusy);
        match is_mounted {
            true => failure.with_text(what + "; it is a mount point: mount its directory instead"),
            false => failure,
        }
        .into()
    }
}

impl Beside {
    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes to it; nothing is replaced yet.
    pub(crate) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)
    }
}

impl Replaced {
    /// Restores the old file, unless another program changed the new one meanwhile.
    ///
    /// # Errors
    /// It cannot be put back.
    pub(crate) fn revert(self) -> io::Result<()> {
        if content_of(&self.target)?.as_ref() != Some(&self.after) {
            return Ok(());
        }
        match self.before {
            Before::Absent => fs::remove_file(&self.target),
            Before::Beside(path) => exchange(&path, &self.target),
            Before::Content(content) => fs::write(&self.target, content),
        }
    }
}

/// Whether two paths name the same file.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| canonicalize(path).unwrap_or_else(|_| path.to_owned());
    one == other || canonical(one) == canonical(other)
}

fn content_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    match open_foreign(path).and_then(|mut file| file.read_to_end(&mut content)) {
        Ok(_) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Resolves a path whose file need not exist: users keep such files among their dotfiles, as symlinks.
fn without_symlinks(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = path.parent().unwrap_or(Path::new("/")).join(link),
            Err(_) => break,
        }
    }
    let dir = path.parent().and_then(|dir| canonicalize(dir).ok());
    match (dir, path.file_name()) {
        (Some(dir), Some(name)) => dir.join(name),
        _ => path,
    }
}

/// Removes what a process of ours that was killed has left beside the file: the old content may hold passwords.
fn remove_leftovers(dir: &Path, prefix: &str, now: Timestamp) {
    let is_leftover = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let is_old = |metadata: fs::Metadata| {
            let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            let age = Timestamp::from_millis(0).after(modified).until(now);
            Some(metadata.is_file() && age >= LEFTOVER)
        };
        random.is_some_and(|random| {
            random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }) && entry.metadata().ok().and_then(is_old) == Some(true)
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if is_leftover(&entry) {
            // One that cannot be removed is no reason not to write.
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// Forgets a name that no longer exists: whatever gets that name next is not ours to remove.
fn forget(mut path: TempPath) {
    path.disable_cleanup(true);
}

#[cfg(test)]
mod tests;
