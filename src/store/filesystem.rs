//! Where the database lies: a WAL needs memory that all its users share, and machines do not share memory.
//!
//! Only a new database is made differently there; an existing one stays in the mode that it has.

use std::path::Path;

/// File systems that other machines, or other kernels, may use at the same time: statfs(2).
#[cfg(target_os = "linux")]
const SHARED: [u32; 9] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xfe53_4d42, // SMB2
    0xff53_4d42, // CIFS
    0x0102_1997, // 9p
    0x6573_5546, // FUSE
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x00c3_6400, // Ceph
];

/// Whether a database in this directory may be used from elsewhere.
#[cfg(target_os = "linux")]
pub(super) fn is_shared(dir: &Path) -> bool {
    // The kernel's type of the number differs between architectures; its lower half is the same.
    rustix::fs::statfs(dir).is_ok_and(|found| SHARED.contains(&(found.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_shared(_dir: &Path) -> bool {
    false
}
