//! Who else can access a file or directory.
//!
//! Separate from the systems, which find it out by the mode or by the access list: `Exposure::of` is theirs.

/// Who else can access a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// It belongs to another user.
    OtherOwner,
    /// Writable by other users.
    Writable,
    /// Readable by other users.
    Readable,
    /// Only accessible by its owner, or not known: see `judged`.
    Private,
}
