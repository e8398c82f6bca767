//! Files that only their owner can access: created, opened and checked.
//!
//! Separate from the content of the files, because the rules are the same for all. Another program with write access to
//! the directory can replace a file by anything, so the open file is checked, not its name.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateDirectoryW, FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_WRITE_DATA,
    OPEN_ALWAYS, OPEN_EXISTING,
};

use super::super::access::{self, Access, Allowed, Kind, Owner, Private};
use super::super::handle::{How, Symlinks, information, is_on_disk, look_at, open, wide};
use super::attributes::access_of;
use crate::platform::files::{Properties, Purpose, Rule, Violation};

/// The access rights that a purpose needs.
fn rights(purpose: Purpose) -> u32 {
    match purpose {
        Purpose::Read => FILE_GENERIC_READ,
        Purpose::Write | Purpose::Lock => FILE_GENERIC_READ | FILE_GENERIC_WRITE,
        Purpose::Append => FILE_GENERIC_READ | FILE_GENERIC_WRITE & !FILE_WRITE_DATA,
    }
}

/// Creates a file for writing, which only its owner can access. An existing file or symlink stays as it is.
///
/// # Errors
/// `AlreadyExists`, and others.
pub(crate) fn create_private(path: &Path, purpose: Purpose) -> io::Result<File> {
    let list = Private::list(Kind::File)?;
    let how = How {
        access: rights(purpose),
        disposition: CREATE_NEW,
        symlinks: Symlinks::Open,
        security: Some(&list.attributes()),
    };
    open(path, &how)
}

/// Opens a file that this program created, and checks it.
///
/// # Errors
/// [`Violation`] as the inner error, `NotFound`, and others.
pub(crate) fn open_private(path: &Path, purpose: Purpose, rule: Rule) -> io::Result<File> {
    let list = Private::list(Kind::File)?;
    let how = How {
        access: rights(purpose),
        disposition: match purpose {
            Purpose::Lock => OPEN_ALWAYS,
            _ => OPEN_EXISTING,
        },
        symlinks: Symlinks::Open,
        security: Some(&list.attributes()),
    };
    let file = match open(path, &how) {
        // A directory cannot be opened for writing.
        Err(_) if path.symlink_metadata().is_ok_and(|found| !found.is_file()) => {
            return Err(io::Error::other(Violation::NotRegular));
        }
        opened => opened?,
    };
    check_open(&file, &file.metadata()?, rule).map_err(io::Error::other)?;
    Ok(file)
}

/// Checks the file that has this metadata and name.
///
/// # Errors
/// It violates the rule.
pub(crate) fn check(found: &Metadata, path: &Path, rule: Rule) -> Result<(), Violation> {
    match look_at(path, Symlinks::Open) {
        Ok(file) => check_open(&file, found, rule),
        Err(_) if found.is_file() => Ok(()),
        Err(_) => Err(Violation::NotRegular),
    }
}

fn check_open(file: &File, found: &Metadata, rule: Rule) -> Result<(), Violation> {
    rule.check(&Opened {
        file,
        found,
        access: access::access(file),
    })
}

/// An open file with what is known about it.
struct Opened<'a> {
    file: &'a File,
    found: &'a Metadata,
    /// `None` if it is not known, which the doctor reports.
    access: Option<Access>,
}

impl Properties for Opened<'_> {
    fn is_regular(&self) -> bool {
        self.found.is_file() && is_on_disk(self.file)
    }

    fn has_other_owner(&self) -> bool {
        self.access
            .is_some_and(|access| access.owner == Owner::Other)
    }

    fn has_second_name(&self) -> bool {
        information(self.file).is_ok_and(|file| file.nNumberOfLinks > 1)
    }

    fn is_open_to_others(&self) -> bool {
        is_open_to_others(self.access)
    }
}

fn is_open_to_others(access: Option<Access>) -> bool {
    access.is_some_and(|access| access.others != Allowed::Nothing)
}

/// Whether other users cannot access a file, as far as that is known.
pub(crate) fn is_private(_found: &Metadata, path: &Path) -> bool {
    !is_open_to_others(access_of(path))
}

/// Describes an access list that is wider than private.
pub(crate) fn wider_than_private(_found: &Metadata, path: &Path) -> Option<String> {
    let can = match access_of(path)?.others {
        Allowed::Nothing => return None,
        Allowed::Read => "read",
        Allowed::Write => "written",
    };
    Some(format!("can be {can} by other users"))
}

/// Gives a file an access list for its owner.
///
/// # Errors
/// It cannot be changed.
pub(crate) fn make_private(file: &Path) -> io::Result<()> {
    Private::list(Kind::File)?.set(file)
}

/// Creates a directory that only its owner can access, and its missing parents.
///
/// # Errors
/// One cannot be created.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_private_dir(parent)?;
    }
    let list = Private::list(Kind::Directory)?;
    let (name, attributes) = (wide(dir)?, list.attributes());
    // SAFETY: the name ends with NUL, and the attributes outlive the call.
    match unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) } {
        0 => match io::Error::last_os_error() {
            // Another process was faster.
            error if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            error => Err(error),
        },
        _ => Ok(()),
    }
}

/// Opens a file of another program for reading, through symlinks.
///
/// # Errors
/// `NotFound`, and others.
pub(crate) fn open_foreign(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn violation(path: &Path, rule: Rule) -> Option<String> {
        let opened = open_private(path, Purpose::Read, rule);
        opened.err().map(|error| error.to_string())
    }

    #[test]
    fn only_a_regular_file_that_was_made_here_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        drop(create_private(&at("file"), Purpose::Write).unwrap());
        assert!(create_private(&at("file"), Purpose::Write).is_err());
        assert_eq!(violation(&at("file"), Rule::Private), None);
        let regular = Some("it is not a regular file");
        assert_eq!(violation(dir.path(), Rule::Ours).as_deref(), regular);
        let opened = open_private(dir.path(), Purpose::Lock, Rule::Ours);
        assert_eq!(opened.unwrap_err().to_string(), regular.unwrap());
        let missing = open_private(&at("missing"), Purpose::Read, Rule::Ours);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::hard_link(at("file"), at("second")).unwrap();
        let second = Some("it has a second name (hard link)");
        assert_eq!(violation(&at("file"), Rule::Single).as_deref(), second);
        assert_eq!(violation(&at("file"), Rule::Ours), None);
    }

    #[test]
    fn a_private_directory_and_what_is_made_in_it_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("one").join("two");
        create_private_dir(&made).unwrap();
        create_private_dir(&made).unwrap();
        let access = access_of(&made).unwrap();
        assert_eq!(
            (access.owner, access.others),
            (Owner::User, Allowed::Nothing)
        );
        let path = made.join("file");
        drop(create_private(&path, Purpose::Write).unwrap());
        assert!(is_private(&path.metadata().unwrap(), &path));
        make_private(&path).unwrap();
        assert_eq!(wider_than_private(&path.metadata().unwrap(), &path), None);
    }
}
