//! Linux: `/proc`, file system types, access lists, renameat2, Landlock.

mod confine;
mod magic_links;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, getxattr, major, minor, statfs};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};
use rustix::time::ClockId;

pub(super) use super::beyond_posix::{allocate, exchange, rename_new};
pub(crate) use super::not_apple::{
    DESKTOP_HAS_USERS_PATH, HAS_DISPLAY, INSTALL_GIT, NEEDS_FULLFSYNC, SET_CLOCK,
};
pub(super) use super::not_apple::{
    containers_dir, docker_desktop_path, judged, keyring_identity, opens_installer, sync,
};

pub(crate) const OPENERS: &[&str] = &["xdg-open", "wslview", "sensible-browser", "x-www-browser"];
pub(crate) const CONFINES: bool = true;

/// CLOCK_MONOTONIC does not count suspended time.
pub(super) const UPTIME: ClockId = ClockId::Boottime;

/// File systems that other machines, or other kernels, can use at the same time: statfs(2).
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

pub(super) fn is_local(dir: &Path) -> Option<bool> {
    // The type of the number differs between architectures; its lower half is the same.
    let found = statfs(dir).ok()?.f_type as u32;
    Some(!SHARED.contains(&found))
}

pub(super) fn passes_magic_link(path: &Path) -> bool {
    magic_links::passes(path)
}

pub(super) fn keep_memory_private() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

pub(super) fn confine(directory: &Path, port: Option<u16>) -> Option<String> {
    Some(match confine::confine(directory, port) {
        Ok(status) => format!("confined: {status:?}"),
        Err(why) => format!("not confined: {why}"),
    })
}

/// Without the access list, the group's permission bits would take effect for the group: acl(5).
pub(super) fn copy_access_list(file: &File, from: &Path) -> io::Result<()> {
    const NAME: &str = "system.posix_acl_access";
    // An entry has 8 bytes.
    let mut list = [0; 4096];
    match getxattr(from, NAME, &mut list[..]) {
        Ok(length) => Ok(fsetxattr(file, NAME, &list[..length], XattrFlags::empty())?),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn arguments_of(pid: u32) -> Vec<OsString> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0);
    let mut arguments: Vec<OsString> = words
        .map(|word| OsString::from_vec(word.to_owned()))
        .collect();
    // Each one ends with a NUL byte.
    arguments.pop();
    arguments
}

pub(super) fn running() -> Vec<u32> {
    let us = geteuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            (entry.metadata().ok()?.uid() == us).then_some(pid)
        })
        .collect()
}

pub(super) fn environment_of(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    let lines = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variable = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b'=')?;
        let part = |bytes: &[u8]| OsString::from_vec(bytes.to_owned());
        Some((part(&line[..at]), part(&line[at + 1..])))
    };
    Some(
        lines
            .split(|byte| *byte == 0)
            .filter_map(variable)
            .collect(),
    )
}

pub(super) fn name_of(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok()
}

/// How often the kernel's list of locks is read before a lock counts as not listed.
///
/// The kernel hands the list out a page at a time, counting entries: one is left out when others before it go between
/// two pages.
const LOOKS: usize = 20;

pub(super) fn lock_holder(file: &Path) -> Option<u32> {
    let metadata = file.symlink_metadata().ok()?;
    let (major, minor) = (major(metadata.dev()), minor(metadata.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    (0..LOOKS).find_map(|_| holder_in(&fs::read_to_string("/proc/locks").ok()?, &file))
}

/// proc(5): `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`; a process of another namespace is 0.
fn holder_in(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, of, ..] if of == file => {
                pid.parse().ok().filter(|pid| *pid > 0)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_the_holder_of_a_lock() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 08:01:78 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 08:01:77 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 14 08:01:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 0 08:01:79 0 EOF\n";
        assert_eq!(holder_in(locks, "08:01:77"), Some(13));
        assert_eq!(holder_in(locks, "08:01:79"), None);
        assert_eq!(holder_in("", "08:01:77"), None);
    }

    #[test]
    fn a_holder_is_named_while_other_locks_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let lock = |name: String| {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            file.lock().unwrap();
            file
        };
        let others: Vec<fs::File> = (0..200).map(|n| lock(format!("other-{n}"))).collect();
        let path = dir.path().join("ours");
        let _ours = lock("ours".to_owned());
        let _more: Vec<fs::File> = (0..200).map(|n| lock(format!("more-{n}"))).collect();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    for file in &others {
                        file.unlock().unwrap();
                    }
                    for file in &others {
                        file.lock().unwrap();
                    }
                }
            });
            let looks: Vec<_> = (0..200).map(|_| lock_holder(&path)).collect();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(looks, vec![Some(std::process::id()); 200]);
        });
    }
}
