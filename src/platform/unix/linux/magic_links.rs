//! Paths that lead through a magic link: a symlink of procfs that is another one for each process, such as
//! `/proc/self/cwd`.
//!
//! Separate from the other functions of Linux because of its length.
//!
//! openat2(2) knows them, but Linux has it since 5.6 only, and gVisor, emulators and the filters of older container
//! runtimes have none. Without it, the path is followed component by component, with the same verdict.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags};
use rustix::fs::{fstat, fstatfs, openat, openat2, readlinkat};
use rustix::io::{self, Errno};

/// Opens no file: a name for one.
const NAMED: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Symlinks that the kernel follows in one path.
const MOST: usize = 40;

pub(super) fn passes(path: &Path) -> bool {
    let flags = ResolveFlags::NO_MAGICLINKS;
    match openat2(CWD, path, NAMED, Mode::empty(), flags) {
        Ok(_) | Err(Errno::NOENT) => false,
        Err(Errno::LOOP) => true,
        // ENOSYS; EPERM from filters of system calls that do not know it.
        Err(_) => walk(path).is_err_and(|errno| errno == Errno::LOOP),
    }
}

/// Follows a path.
///
/// # Errors
/// ELOOP at a magic link, as openat2(2), and at too many symlinks; else those of open(2).
fn walk(path: &Path) -> io::Result<()> {
    let mut left: VecDeque<OsString> = components(path.as_os_str()).collect();
    let mut directory = start(path.as_os_str())?;
    let mut symlinks = 0;
    while let Some(name) = left.pop_front() {
        let found = openat(&directory, &name, NAMED | OFlags::NOFOLLOW, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Symlink {
            directory = found;
            continue;
        }
        symlinks += 1;
        if symlinks > MOST || is_magic(&found, &directory)? {
            return Err(Errno::LOOP);
        }
        let target = OsString::from_vec(readlinkat(&found, "", Vec::new())?.into_bytes());
        if target.as_bytes().starts_with(b"/") {
            directory = start(&target)?;
        }
        for name in components(&target).rev() {
            left.push_front(name);
        }
    }
    Ok(())
}

/// Where a path starts.
fn start(path: &OsStr) -> io::Result<OwnedFd> {
    let start = match path.as_bytes().starts_with(b"/") {
        true => "/",
        false => ".",
    };
    openat(CWD, start, NAMED | OFlags::DIRECTORY, Mode::empty())
}

/// The names in a path, `..` included.
fn components(path: &OsStr) -> impl DoubleEndedIterator<Item = OsString> {
    let names = path.as_bytes().split(|byte| *byte == b'/');
    let names = names.filter(|name| !matches!(*name, b"" | b"."));
    names.map(|name| OsStr::from_bytes(name).to_owned())
}

/// Whether a symlink is one of procfs, but not of its root, where `self` and others are ordinary symlinks. Below the root,
/// ordinary ones count as magic, too: they are drivers' statistics.
fn is_magic(symlink: impl AsFd, directory: impl AsFd) -> io::Result<bool> {
    const ROOT: u64 = 1;
    // The type of the number differs between architectures.
    let is_of_procfs = fstatfs(symlink)?.f_type as u32 == PROC_SUPER_MAGIC as u32;
    Ok(is_of_procfs && fstat(directory)?.st_ino != ROOT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn each_path_gets_the_verdict_of_the_kernel() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("one/two")).unwrap();
        fs::write(at("file"), "").unwrap();
        let me = std::process::id();
        for (name, target) in [
            ("to_cwd", "/proc/self/cwd".to_owned()),
            ("to_root", format!("/proc/{me}/root")),
            ("to_descriptor", "/dev/fd/0".to_owned()),
            ("to_self", "/proc/self".to_owned()),
            ("to_proc", "/proc".to_owned()),
            ("to_mounts", "/proc/mounts".to_owned()),
            ("one/to_link", "../to_cwd".to_owned()),
            ("one/plain", "two/../../one/./two".to_owned()),
            ("circle", "circle".to_owned()),
            ("dangling", "nowhere/at/all".to_owned()),
        ] {
            symlink(target, at(name)).unwrap();
        }
        let chain = |length: usize| {
            for number in 0..length {
                let target = match number {
                    0 => "one".to_owned(),
                    _ => format!("chain{length}-{}", number - 1),
                };
                symlink(target, at(&format!("chain{length}-{number}"))).unwrap();
            }
            at(&format!("chain{length}-{}", length - 1))
        };
        let cases: Vec<(PathBuf, bool)> = [
            ("", false),
            ("one/two", false),
            ("one//./two/..", false),
            ("one/plain", false),
            ("one/two/absent", false),
            ("absent/two", false),
            ("file/below", false),
            ("dangling", false),
            ("to_proc", false),
            ("to_proc/self", false),
            ("to_self/status", false),
            ("to_self/absent", false),
            ("to_self/cwd", true),
            ("to_self/ns/mnt", true),
            ("to_self/task/../root/etc", true),
            ("to_proc/thread-self/cwd", true),
            ("to_cwd", true),
            ("to_cwd/absent", true),
            ("to_root/etc", true),
            ("to_descriptor", true),
            ("one/to_link/sub", true),
            ("circle", true),
        ]
        .map(|(name, expected)| (at(name), expected))
        .into_iter()
        .chain([
            (chain(MOST), false),
            (chain(MOST + 1), true),
            (PathBuf::from("/proc/self/cwd/x"), true),
            (PathBuf::from("/proc/self/exe"), true),
            (PathBuf::from("/proc/net"), false),
            (PathBuf::from("/"), false),
            (PathBuf::from("src"), false),
            (PathBuf::from("../"), false),
        ])
        .collect();
        for (path, expected) in cases {
            let walked = walk(&path).is_err_and(|errno| errno == Errno::LOOP);
            assert_eq!((walked, passes(&path)), (expected, expected), "{path:?}");
        }
    }
}
