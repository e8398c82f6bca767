//! One line per step for the user who asks what happened.
//!
//! A variable names the file, and whoever sets it need not be the user: so the file is one that was made here, or none.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::Timestamp;
use crate::failure::Failure;

/// First line of each file: what has it was made by this program.
const HEADER: &str = "# steps of Sentry's credential helpers (SENTRY_CREDENTIAL_TRACE)\n";

/// How often a file without content is looked at again: another process has made it, and is about to write the header.
const LOOKS: u32 = 50;

/// Where the lines go.
pub(super) enum Trace {
    Stderr,
    File(RefCell<File>),
}

impl Trace {
    /// `1` is standard error, an absolute path a file of ours, and `0` nowhere.
    ///
    /// # Errors
    /// Why there is no trace; `may_create` says why not to make a file.
    pub(super) fn to(
        target: &str,
        may_create: impl Fn(&Path) -> Result<(), Failure>,
    ) -> Result<Option<Trace>, String> {
        let path = Path::new(target);
        match target {
            "0" => Ok(None),
            "1" => Ok(Some(Trace::Stderr)),
            _ if !path.is_absolute() => Err("it is neither `1` nor an absolute path".to_owned()),
            _ => match may_create(path)
                .map_err(io::Error::other)
                .and_then(|()| create(path))
                .or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => append(path),
                    _ => Err(error),
                }) {
                Ok(file) => Ok(Some(Trace::File(RefCell::new(file)))),
                Err(why) => Err(format!("{}: {why}", path.display())),
            },
        }
    }

    pub(super) fn line(&self, now: Timestamp, step: &str) {
        let line = format!("{now} [{}] {}\n", std::process::id(), step.escape_debug());
        match self {
            Trace::Stderr => super::print_error(&line),
            Trace::File(file) => drop(file.borrow_mut().write_all(line.as_bytes())),
        }
    }
}

/// Makes the file. Nothing that is there is touched, nor what a symlink points to.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let mut file = options.open(path)?;
    file.write_all(HEADER.as_bytes())?;
    Ok(file)
}

/// Opens a file that an earlier run made.
fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    check_ours(&file)?;
    let mut looks = 0;
    while file.metadata()?.len() < HEADER.len() as u64 && looks < LOOKS {
        std::thread::sleep(Duration::from_millis(2));
        looks += 1;
    }
    let mut start = Vec::new();
    (&file).take(HEADER.len() as u64).read_to_end(&mut start)?;
    match start == HEADER.as_bytes() {
        true => Ok(file),
        false => Err(io::Error::other("it is no trace, and stays as it is")),
    }
}

#[cfg(unix)]
fn check_ours(file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    let found = file.metadata()?;
    let why = if !found.is_file() {
        "it is no regular file"
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        "it belongs to another user"
    } else if found.mode() & 0o7777 != 0o600 {
        "its mode is not 0600"
    } else if found.nlink() != 1 {
        "it has a second name (hard link)"
    } else {
        return Ok(());
    };
    Err(io::Error::other(why))
}

#[cfg(not(unix))]
fn check_ours(file: &File) -> io::Result<()> {
    match file.metadata()?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is no regular file")),
    }
}
