//! Files that only their owner can access: created, opened and checked, by their mode.
//!
//! Separate from the content of the files, because the rules are the same for all. Another program with write access to
//! the directory can replace a file by anything, so the open file is checked, not its name.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::platform::files::{Properties, Purpose, Rule, Violation};

/// Creates a file for writing, with mode 0600. An existing file or symlink stays as it is.
///
/// # Errors
/// `AlreadyExists`, and others.
pub(crate) fn create_private(path: &Path, purpose: Purpose) -> io::Result<File> {
    let mut options = options(purpose, OFlags::NOFOLLOW);
    options.read(false).create_new(true).open(path)
}

/// Opens a file that this program created, and checks it.
///
/// # Errors
/// [`Violation`] as the inner error, `NotFound`, and others.
pub(crate) fn open_private(path: &Path, purpose: Purpose, rule: Rule) -> io::Result<File> {
    let is_symlink = |error: &io::Error| error.raw_os_error().is_some() && path.is_symlink();
    // NONBLOCK: opening a FIFO in its place must not block.
    let opened = options(purpose, OFlags::NOFOLLOW | OFlags::NONBLOCK).open(path);
    let file = match opened {
        Err(error) if is_symlink(&error) => return Err(io::Error::other(Violation::NotRegular)),
        opened => opened?,
    };
    check(&file.metadata()?, path, rule).map_err(io::Error::other)?;
    Ok(file)
}

fn options(purpose: Purpose, flags: OFlags) -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(matches!(purpose, Purpose::Write | Purpose::Lock))
        .append(purpose == Purpose::Append)
        .create(purpose == Purpose::Lock)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed());
    options
}

/// Checks the file that has this metadata and name.
///
/// # Errors
/// It violates the rule.
pub(crate) fn check(file: &Metadata, _path: &Path, rule: Rule) -> Result<(), Violation> {
    rule.check(file)
}

impl Properties for Metadata {
    fn is_regular(&self) -> bool {
        self.is_file()
    }

    fn has_other_owner(&self) -> bool {
        self.uid() != geteuid().as_raw()
    }

    fn has_second_name(&self) -> bool {
        // 0 links: another process has just removed it.
        self.nlink() > 1
    }

    fn is_open_to_others(&self) -> bool {
        self.mode() & 0o7777 != 0o600
    }
}

/// Whether other users cannot access a file.
pub(crate) fn is_private(file: &Metadata, _path: &Path) -> bool {
    file.mode() & 0o077 == 0
}

/// Describes a mode that is wider than private: `has mode 0644, not 0600` (0700 for a directory).
pub(crate) fn wider_than_private(found: &Metadata, path: &Path) -> Option<String> {
    let mode = found.mode() & 0o7777;
    let (is_wider, private) = match found.is_dir() {
        true => (mode & !0o700 != 0, 0o700),
        false => (!is_private(found, path), 0o600),
    };
    is_wider.then(|| format!("has mode {mode:04o}, not {private:04o}"))
}

/// Sets mode 0600.
///
/// # Errors
/// It cannot be changed.
pub(crate) fn make_private(file: &Path) -> io::Result<()> {
    fs::set_permissions(file, Permissions::from_mode(0o600))
}

/// Creates a directory with mode 0700, and its missing parents.
///
/// # Errors
/// One cannot be created.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens a file of another program for reading, through symlinks.
///
/// # Errors
/// `NotFound`, and others.
pub(crate) fn open_foreign(path: &Path) -> io::Result<File> {
    // Opening a FIFO must not block.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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
        symlink("file", at("link")).unwrap();
        assert!(create_private(&at("link"), Purpose::Write).is_err());
        let made = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status();
        assert!(made.unwrap().success());
        for name in ["link", "fifo", "."] {
            let why = violation(&at(name), Rule::Ours);
            assert_eq!(why.as_deref(), Some("it is not a regular file"), "{name}");
        }
        symlink("nowhere", at("dangling")).unwrap();
        let made = open_private(&at("dangling"), Purpose::Lock, Rule::Ours);
        assert_eq!(made.unwrap_err().to_string(), "it is not a regular file");
        assert!(!at("nowhere").exists());
        let missing = open_private(&at("missing"), Purpose::Read, Rule::Ours);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn each_rule_includes_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        drop(create_private(&at("twice"), Purpose::Write).unwrap());
        fs::hard_link(at("twice"), at("second")).unwrap();
        drop(create_private(&at("open"), Purpose::Write).unwrap());
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o640)).unwrap();
        let second = Some("it has a second name (hard link)".to_owned());
        let open = Some("its mode is not 0600".to_owned());
        for (name, rule, why) in [
            ("twice", Rule::Ours, &None),
            ("twice", Rule::Single, &second),
            ("twice", Rule::Private, &second),
            ("open", Rule::Single, &None),
            ("open", Rule::Private, &open),
        ] {
            assert_eq!(violation(&at(name), rule), *why, "{name} {rule:?}");
        }
        let found = at("open").metadata().unwrap();
        let wider = Some("has mode 0640, not 0600".to_owned());
        assert_eq!(wider_than_private(&found, &at("open")), wider);
        make_private(&at("open")).unwrap();
        let found = at("open").metadata().unwrap();
        assert_eq!(wider_than_private(&found, &at("open")), None);
    }

    #[test]
    fn a_file_that_goes_while_it_is_looked_at_has_no_second_name() {
        let dir = tempfile::tempdir().unwrap();
        let (path, second) = (dir.path().join("first"), dir.path().join("second"));
        let file = create_private(&path, Purpose::Write).unwrap();
        fs::hard_link(&path, &second).unwrap();
        let checked = || check(&file.metadata().unwrap(), &path, Rule::Single);
        assert_eq!(checked(), Err(Violation::SecondName));
        fs::remove_file(&second).unwrap();
        assert_eq!(checked(), Ok(()));
        fs::remove_file(&path).unwrap();
        assert_eq!(checked(), Ok(()));
    }
}
