//! Files: private ones, those of other programs, and the file systems they are on.
//!
//! Here is what is the same on all systems; `unix/files/` and `windows/files/` have the calls that it is made of.

mod exposure;
mod of_root;
mod reserve;
mod rules;

pub(crate) use exposure::Exposure;
pub(crate) use of_root::read_of_root;
pub(crate) use reserve::{Reserve, fill, full};
pub(crate) use rules::{Properties, Purpose, Rule, Violation};

pub(crate) use super::system::files::{
    ADMINISTRATORS_FILE, FileStamp, HOME, NEEDS_FULLFSYNC, Owner, PRIVATE, VFS_WITHOUT_LOCKS,
    cannot_exchange, canonicalize, check, containers_dir, copy_access_list, create_private,
    create_private_dir, exchange, has_other_owner, home_of_git, identity, is_at, is_executable,
    is_local, is_private, judged, make_private, may_write, open_foreign, open_private,
    passes_magic_link, rename_new, replace, set_owner, stamp, symlink, sync, sync_dir,
    wider_than_private,
};
