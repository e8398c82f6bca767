//! What a private file is used for, and what it must be.
//!
//! Separate from the systems, which open such files and read their [`Properties`].

use std::fmt;

use super::super::system::files::NOT_PRIVATE;

/// How a file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its content is read.
    Read,
    /// Its content is read and overwritten.
    Write,
    /// Its content is read; writes append.
    Append,
    /// As [`Purpose::Write`]; created if it is missing.
    Lock,
}

/// What a file must be. Each rule includes the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A regular file of this user.
    Ours,
    /// With one name: a hard link may be in a directory of another user.
    Single,
    /// Inaccessible to other users: mode 0600, or an access list for its owner.
    Private,
}

/// What a [`Rule`] depends on. A property that the system does not know violates no rule.
pub(crate) trait Properties {
    fn is_regular(&self) -> bool;
    fn has_other_owner(&self) -> bool;
    fn has_second_name(&self) -> bool;
    fn is_open_to_others(&self) -> bool;
}

impl Rule {
    /// Checks a file.
    ///
    /// # Errors
    /// It violates the rule.
    pub(crate) fn check(self, file: &impl Properties) -> Result<(), Violation> {
        if !file.is_regular() {
            Err(Violation::NotRegular)
        } else if file.has_other_owner() {
            Err(Violation::OtherOwner)
        } else if self >= Rule::Single && file.has_second_name() {
            Err(Violation::SecondName)
        } else if self >= Rule::Private && file.is_open_to_others() {
            Err(Violation::NotPrivate)
        } else {
            Ok(())
        }
    }
}

/// How a file violates its [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    NotRegular,
    OtherOwner,
    SecondName,
    NotPrivate,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::NotRegular => "it is not a regular file",
            Violation::OtherOwner => "it belongs to another user",
            Violation::SecondName => "it has a second name (hard link)",
            Violation::NotPrivate => NOT_PRIVATE,
        })
    }
}

impl std::error::Error for Violation {}
