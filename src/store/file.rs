//! The database file itself: made safely, checked before SQLite sees it.
//!
//! SQLite alone makes files that others can read, follows a planted link, and would let a view or a fifo stand for the
//! database. So the file is checked by name, or made with `O_CREAT|O_EXCL|O_NOFOLLOW` and mode 0600, before SQLite
//! opens it; its `-wal`, `-shm` and `-journal` then inherit the mode. Those that are there are checked in the same way:
//! SQLite would write tokens into whatever lies at their names.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rusqlite::OpenFlags;

use crate::failure::Failure;
use crate::world::{Timestamp, World};

const NAME: &str = "cli.db";
const SIDES: [&str; 3] = ["cli.db-wal", "cli.db-shm", "cli.db-journal"];

/// The path to open, or `None` when there is no database.
pub(super) fn checked(world: &World, dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    // SQLITE_OPEN_NOFOLLOW refuses links anywhere in the path; only the last component matters to us.
    let dir = match dir.canonicalize() {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", dir.display())),
    };
    let path = dir.join(NAME);
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
    };
    check_directory(&dir)?;
    check_plain(&path, &metadata)?;
    check_sides(&dir)?;
    #[cfg(unix)]
    close_to_others(world, &dir);
    Ok(Some(path))
}

/// Refuses a side file that SQLite would follow, wait for, or share with somebody.
fn check_sides(dir: &Path) -> anyhow::Result<()> {
    for name in SIDES {
        let side = dir.join(name);
        // Not there, or gone by now: another process closed the database.
        let Ok(metadata) = side.symlink_metadata() else {
            continue;
        };
        check_plain(&side, &metadata)?;
    }
    Ok(())
}

fn check_plain(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    let refuse = |why: &str| bail!("refusing to use {}: {why}", path.display());
    if !metadata.is_file() {
        return refuse("it is not a plain file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.uid() != us() {
            return refuse("it belongs to another user");
        }
        // None: another process closed the database, and SQLite took the side file away while we looked.
        if metadata.nlink() > 1 {
            return refuse("it has a second name (hard link)");
        }
    }
    Ok(())
}

#[cfg(unix)]
fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Refuses a directory in which others could plant files.
#[cfg(unix)]
fn check_directory(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = dir
        .metadata()
        .with_context(|| format!("cannot open {}", dir.display()))?;
    let shown = dir.join(NAME);
    if metadata.uid() != us() {
        bail!(
            "refusing to use {}: its directory belongs to another user",
            shown.display()
        );
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(Failure::new(format!(
            "refusing to use {}: others may write its directory",
            shown.display()
        ))
        .hint(format!("`chmod go-w {}`", dir.display()))
        .into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_directory(_dir: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Takes the files away from others' eyes: a `-wal` keeps the mode that the database had when it was made.
#[cfg(unix)]
fn close_to_others(world: &World, dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let mut told = false;
    for path in [NAME].into_iter().chain(SIDES).map(|name| dir.join(name)) {
        let open = |file: Metadata| file.permissions().mode() & 0o077 != 0;
        if !path.symlink_metadata().is_ok_and(open) {
            continue;
        }
        let shown = path.display();
        let warning = match fs::set_permissions(&path, fs::Permissions::from_mode(0o600)) {
            Ok(()) => format!("{shown} could be read by others; its mode is 0600 now"),
            Err(why) => format!("{shown} can be read by others, and that cannot be changed: {why}"),
        };
        if !told {
            world.warn(&warning);
        }
        told = true;
    }
}

/// Makes the directory (0700) and an empty file (0600). Another process may have been faster.
pub(super) fn create(world: &World, dir: &Path) -> anyhow::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        builder.mode(0o700);
        options
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    builder
        .create(dir)
        .with_context(|| format!("cannot create {}", dir.display()))?;
    check_directory(dir)?;
    match options.open(dir.join(NAME)) {
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
pub(super) struct Way {
    pub(super) name: PathBuf,
    pub(super) flags: OpenFlags,
    /// Without locks and shared memory; the log is read into our own memory.
    pub(super) alone: bool,
}

/// Ways to open the file, best first: for writing; for reading; as a file that nobody changes meanwhile.
pub(super) fn ways_to_open(path: &Path) -> Vec<Way> {
    let nofollow = OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let by_name = |flags| Way {
        name: path.to_owned(),
        flags: flags | nofollow,
        alone: false,
    };
    let mut ways = vec![
        // Not read-only even for a mere `get`: as the last user of a WAL it would leave `-shm` behind, which keeps the
        // official CLI's WASM driver out.
        by_name(OpenFlags::SQLITE_OPEN_READ_WRITE),
        by_name(OpenFlags::SQLITE_OPEN_READ_ONLY),
    ];
    let has_content = |side: &str| {
        let side = path.with_file_name(side).symlink_metadata();
        side.is_ok_and(|side| side.len() > 0)
    };
    // A WAL database cannot be opened in a directory that cannot be written, because it has no `-shm` there. Nobody can
    // change it there either, so it can be read without one. A journal means that the file itself is half written.
    let [log, _, journal] = SIDES;
    if !has_content(journal) {
        let alone = has_content(log);
        let how = match alone {
            true if cfg!(unix) => "vfs=unix-none",
            true => "vfs=win32-none",
            false => "immutable=1",
        };
        let uri: String = path
            .to_string_lossy()
            .bytes()
            .map(percent_encoded)
            .collect();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | nofollow;
        ways.push(Way {
            name: format!("file:{uri}?{how}").into(),
            flags,
            alone,
        });
    }
    ways
}

fn percent_encoded(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// Where a damaged database went.
#[derive(Debug)]
pub struct Repair {
    /// The new name.
    pub kept_as: PathBuf,
}

/// Renames the database and its side files; nothing is deleted.
pub(super) fn set_aside(dir: &Path, now: Timestamp) -> io::Result<Repair> {
    let files: Vec<&str> = [NAME].into_iter().chain(SIDES).collect();
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_side_file_that_goes_while_it_is_looked_at_is_no_second_name() {
        let dir = tempfile::tempdir().unwrap();
        let (side, second) = (dir.path().join(SIDES[0]), dir.path().join("second"));
        let file = fs::File::create(&side).unwrap();
        fs::hard_link(&side, &second).unwrap();
        assert!(check_plain(&side, &file.metadata().unwrap()).is_err());
        fs::remove_file(&second).unwrap();
        assert!(check_plain(&side, &file.metadata().unwrap()).is_ok());
        fs::remove_file(&side).unwrap();
        assert!(check_plain(&side, &file.metadata().unwrap()).is_ok());
    }
}
