//! The database file itself: created safely, checked before SQLite sees it.
//!
//! SQLite alone creates files that other users can read, follows a planted symlink, and opens a FIFO in place of the
//! database. So the file is checked by name, or created with `O_CREAT|O_EXCL|O_NOFOLLOW` and mode 0600, before SQLite
//! opens it; its `-wal`, `-shm` and `-journal` then inherit the mode. Existing ones are checked in the same way: SQLite
//! would write tokens into any file of their names.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::failure::Failure;
use crate::fast::IdleFile;
use crate::platform::files::{self, Exposure, Purpose, Rule};
use crate::printable::quoted;
use crate::world::{Timestamp, World};

pub(super) const NAME: &str = "cli.db";

/// Logins that wait to be imported.
const RECOVERY: &str = "credential.recovery";

/// What SQLite adds to the name for the WAL, its index, and the rollback journal.
pub(super) const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A database that is safe to open, as it was found.
pub(super) struct CheckedFile {
    pub(super) path: PathBuf,
    metadata: Metadata,
    /// Whether it is certain that there was no sidecar file after `metadata` was read.
    is_alone: bool,
}

impl CheckedFile {
    /// The file, if no process uses it, so that it can be read without locks. A WAL may contain newer transactions, and a
    /// rollback journal means that the file is half written.
    pub(super) fn idle(&self, dir: &Path, now: Timestamp) -> Option<IdleFile<'_>> {
        let is_ready = self.is_alone && files::is_private(&self.metadata, &self.path);
        is_ready.then(|| IdleFile::of(dir, &self.path, &self.metadata, now.millis()))?
    }
}

/// The database of a directory, or `None` when there is none.
///
/// # Errors
/// The file or its directory is not safe to use.
pub(super) fn checked(world: &World, dir: &Path) -> anyhow::Result<Option<CheckedFile>> {
    let path = dir.join(NAME);
    let by = world.selects(dir);
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            // Nobody else's directory has a file of ours.
            check_directory(dir, by)?;
            return Err(error).with_context(|| format!("cannot open {}", path.display()));
        }
    };
    check_directory(dir, by)?;
    check_regular(&path, &metadata)?;
    let mut open = Vec::new();
    if !files::is_private(&metadata, &path) {
        open.push(path.clone());
    }
    let mut is_alone = true;
    for side in SIDECARS.map(|side| beside(&path, side)) {
        let metadata = match side.symlink_metadata() {
            Ok(metadata) => metadata,
            // It does not exist, or another process has just closed the database and removed it.
            Err(error) => {
                is_alone &= error.kind() == io::ErrorKind::NotFound;
                continue;
            }
        };
        is_alone = false;
        // SQLite would follow it, wait for it, or share it with another process.
        check_regular(&side, &metadata)?;
        if !files::is_private(&metadata, &side) {
            open.push(side);
        }
    }
    match by {
        Some(variable) => {
            check_selected(dir, variable, &open)?;
            check_origin(world, dir, variable)?;
        }
        None => close_to_others(world, &open),
    }
    Ok(Some(CheckedFile {
        path,
        metadata,
        is_alone,
    }))
}

/// The same file without symlinks in its path. SQLITE_OPEN_NOFOLLOW refuses them anywhere in a path; only the last component
/// matters to us.
pub(super) fn without_symlinks(path: &Path) -> io::Result<PathBuf> {
    let dir = path.parent().unwrap_or(path);
    Ok(files::canonicalize(dir)?.join(NAME))
}

pub(super) fn beside(path: &Path, side: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(side);
    name.into()
}

/// Whether the database has a WAL now: in WAL mode, while a process has it open.
pub(super) fn has_wal(path: &Path) -> bool {
    let [wal, ..] = SIDECARS;
    beside(path, wal).symlink_metadata().is_ok()
}

fn check_regular(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    files::check(metadata, path, Rule::Single)
        .map_err(|violation| anyhow!("refusing to use {}: {violation}", path.display()))
}

/// Refuses a directory in which others could plant files. Of one that is selected [`check_selected`] judges the mode.
fn check_directory(dir: &Path, selected: Option<&str>) -> anyhow::Result<()> {
    let metadata = dir
        .metadata()
        .with_context(|| format!("cannot open {}", dir.display()))?;
    let shown = dir.join(NAME);
    let failure = match Exposure::of(&metadata, dir) {
        Exposure::OtherOwner => Failure::new(format!(
            "refusing to use {}: its directory belongs to another user",
            shown.display()
        ))
        .hint(format!(
            "`sudo chown -R \"$(id -un)\" {}`, if it should be yours",
            quoted(&dir.display().to_string())
        )),
        Exposure::Writable if selected.is_none() => Failure::new(format!(
            "refusing to use {}: others may write its directory",
            shown.display()
        ))
        .hint(format!(
            "`chmod go-w {}`",
            quoted(&dir.display().to_string())
        )),
        Exposure::Writable | Exposure::Readable | Exposure::Private => return Ok(()),
    };
    Err(failure.into())
}

/// Refuses a directory that a variable selects, or files in it, that are not private: their creator need not be the
/// user, and what is in them decides which hosts get tokens.
fn check_selected(dir: &Path, variable: &str, open: &[PathBuf]) -> anyhow::Result<()> {
    let wider = |path: &Path| files::wider_than_private(&path.metadata().ok()?, path);
    let shown = |path: &Path| quoted(&path.display().to_string());
    let (mut what, mut remedy) = (Vec::new(), Vec::new());
    if let Some(wider) = wider(dir) {
        what.push(format!("the directory {wider}"));
        remedy.push(format!("chmod 700 {}", shown(dir)));
    }
    for file in open {
        if let Some(wider) = wider(file) {
            let name = file.file_name().unwrap_or_default().display();
            what.push(format!("{name} {wider}"));
            remedy.push(format!("chmod 600 {}", shown(file)));
        }
    }
    if what.is_empty() {
        return Ok(());
    }
    let what = format!(
        "refusing to use {}, which {variable} selects: {}",
        dir.join(NAME).display(),
        what.join(", and ")
    );
    Err(Failure::new(what)
        .hint(format!("`{}`, if you made it", remedy.join(" && ")))
        .into())
}

/// Refuses a database that a repository contains, or would add a login to: its author would decide which hosts get which
/// tokens. Modes are not sufficient, because a checkout has those of the user's umask.
fn check_origin(world: &World, dir: &Path, variable: &str) -> anyhow::Result<()> {
    let Some(tree) = world.checkout_with(dir, &[NAME, RECOVERY]) else {
        return Ok(());
    };
    let what = format!(
        "refusing to use {}, which {variable} selects: files of it are part of the git repository in {}",
        dir.join(NAME).display(),
        tree.display()
    );
    Err(Failure::new(what)
        .hint(format!("`unset {variable}`"))
        .into())
}

/// Takes the files away from others' eyes: a `-wal` keeps the mode that the database had when it was made.
fn close_to_others(world: &World, open: &[PathBuf]) {
    let mut told = false;
    for path in open {
        let shown = path.display();
        let warning = match files::make_private(path) {
            Ok(()) => format!("{shown} could be read by others; {}", files::PRIVATE),
            Err(why) => format!("{shown} can be read by others, and that cannot be changed: {why}"),
        };
        if !told {
            world.warn(&warning);
        }
        told = true;
    }
}

/// Makes the directory (0700) and an empty file (0600). Another process may have been faster.
pub(super) fn create(world: &World, dir: &Path) -> anyhow::Result<CheckedFile> {
    world.check_may_create(dir)?;
    files::create_private_dir(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let by = world.selects(dir);
    check_directory(dir, by)?;
    if let Some(variable) = by {
        check_selected(dir, variable, &[])?;
        check_origin(world, dir, variable)?;
    }
    match files::create_private(&dir.join(NAME), Purpose::Write) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot create {}", dir.join(NAME).display()));
        }
    }
    checked(world, dir)?.with_context(|| format!("{} vanished", dir.join(NAME).display()))
}
