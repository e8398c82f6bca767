//! The database file itself: made safely, checked before SQLite sees it.
//!
//! SQLite alone makes files that others can read, follows a planted link, and would let a view or a fifo stand for the
//! database. So the file is checked by name, or made with `O_CREAT|O_EXCL|O_NOFOLLOW` and mode 0600, before SQLite
//! opens it; its `-wal`, `-shm` and `-journal` then inherit the mode. Those that are there are checked in the same way:
//! SQLite would write tokens into whatever lies at their names.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use rusqlite::OpenFlags;

use crate::failure::Failure;
use crate::fast::IdleFile;
use crate::platform::files::{self, Exposure, Purpose, Rule, VFS_WITHOUT_LOCKS};
use crate::printable::quoted;
use crate::world::{Timestamp, World};

const NAME: &str = "cli.db";

/// What SQLite adds to the name for the log, its index, and the journal.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A database that is safe to open, as it was found.
pub(super) struct CheckedFile {
    pub(super) path: PathBuf,
    metadata: Metadata,
    /// Whether it is certain that there was no sidecar file after `metadata` was read.
    is_alone: bool,
}

impl CheckedFile {
    /// The file, if nobody uses it and it can be read as one that does not change. A WAL may have more than the file has,
    /// and a rollback journal means that the file is half written.
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
    check_plain(&path, &metadata)?;
    let mut open = Vec::new();
    if !files::is_private(&metadata, &path) {
        open.push(path.clone());
    }
    let mut is_alone = true;
    for side in SIDES.map(|side| beside(&path, side)) {
        let metadata = match side.symlink_metadata() {
            Ok(metadata) => metadata,
            // Not there, or gone by now: another process closed the database.
            Err(error) => {
                is_alone &= error.kind() == io::ErrorKind::NotFound;
                continue;
            }
        };
        is_alone = false;
        // SQLite would follow it, wait for it, or share it with another process.
        check_plain(&side, &metadata)?;
        if !files::is_private(&metadata, &side) {
            open.push(side);
        }
    }
    match by {
        Some(variable) => check_selected(dir, variable, &open)?,
        None => close_to_others(world, &open),
    }
    Ok(Some(CheckedFile {
        path,
        metadata,
        is_alone,
    }))
}

/// The same file without links on the way. SQLITE_OPEN_NOFOLLOW refuses them anywhere in a path; only the last component
/// matters to us.
pub(super) fn without_links(path: &Path) -> io::Result<PathBuf> {
    let dir = path.parent().unwrap_or(path);
    Ok(files::canonicalize(dir)?.join(NAME))
}

fn beside(path: &Path, side: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(side);
    name.into()
}

/// Whether the database has a log now. In WAL mode it has one while anybody has it open.
pub(super) fn has_log(path: &Path) -> bool {
    let [log, ..] = SIDES;
    beside(path, log).symlink_metadata().is_ok()
}

fn check_plain(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
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

/// One way to open a database.
pub(super) struct OpenMode {
    pub(super) name: PathBuf,
    pub(super) flags: OpenFlags,
    pub(super) access: Access,
}

/// Who else uses the file meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Others, and SQLite's locks keep them apart.
    Shared,
    /// Nobody: without locks and shared memory, and with the log read into our own memory.
    Alone,
    /// Nobody, and there is no log: without locks, and so without transactions.
    Immutable,
}

/// Ways to open the file, best first: for writing; for reading; as a file that nobody changes meanwhile.
pub(super) fn ways_to_open(path: &Path) -> impl Iterator<Item = OpenMode> {
    let nofollow = OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let by_name = |flags| OpenMode {
        name: path.to_owned(),
        flags: flags | nofollow,
        access: Access::Shared,
    };
    let ways = [
        // Not read-only even for a mere `get`: as the last user of a WAL it would leave `-shm` behind, which keeps the
        // official CLI's WASM driver out.
        by_name(OpenFlags::SQLITE_OPEN_READ_WRITE),
        by_name(OpenFlags::SQLITE_OPEN_READ_ONLY),
    ];
    ways.into_iter()
        .chain(std::iter::once_with(|| unchanged(path)).flatten())
}

/// The file as nobody changes it.
fn unchanged(path: &Path) -> Option<OpenMode> {
    let has_content = |side: &str| {
        let side = beside(path, side).symlink_metadata();
        side.is_ok_and(|side| side.len() > 0)
    };
    // A WAL database cannot be opened in a directory that cannot be written, because it has no `-shm` there. Nobody can
    // change it there either, so it can be read without one. A journal means that the file itself is half written.
    let [log, _, journal] = SIDES;
    if has_content(journal) {
        return None;
    }
    Some(match has_content(log) {
        true => by_uri(path, &format!("vfs={VFS_WITHOUT_LOCKS}"), Access::Alone),
        false => immutable(path),
    })
}

/// As a file that does not change. SQLite then neither locks it nor looks for sidecar files.
pub(super) fn immutable(path: &Path) -> OpenMode {
    by_uri(path, "immutable=1", Access::Immutable)
}

fn by_uri(path: &Path, how: &str, access: Access) -> OpenMode {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(how);
    let nofollow = OpenFlags::SQLITE_OPEN_NOFOLLOW;
    OpenMode {
        name: uri.into(),
        flags: OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | nofollow,
        access,
    }
}

/// Where a damaged database went.
#[derive(Debug)]
pub(crate) struct Repair {
    /// The new name.
    pub(crate) kept_as: PathBuf,
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
    let sides = SIDES.map(|side| format!("{NAME}{side}"));
    let files: Vec<&str> = [NAME]
        .into_iter()
        .chain(sides.iter().map(String::as_str))
        .collect();
    // The clock may have stood here before: nothing that was kept is written over.
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
    let kept_as = dir.join(format!("{NAME}.{suffix}"));
    for name in files {
        match fs::rename(dir.join(name), dir.join(format!("{name}.{suffix}"))) {
            Err(error) if name == NAME || error.kind() != io::ErrorKind::NotFound => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(Repair { kept_as })
}
