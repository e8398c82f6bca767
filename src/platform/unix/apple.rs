//! macOS: MNT_LOCAL, renamex_np, F_FULLFSYNC, command lines by sysctl, signatures by csops.

use std::ffi::{OsString, c_int, c_void};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;

use rustix::fs::{fsync, statfs};
use rustix::time::ClockId;
use zeroize::Zeroizing;

use super::{procargs, signature};

pub(super) use super::beyond_posix::{allocate, exchange, rename_new};

pub(crate) const OPENERS: &[&str] = &["open"];
pub(crate) const CONFINES: bool = false;
/// Programs that are started from the desktop have `/usr/bin:/bin:/usr/sbin:/sbin`, from launchd(8).
pub(crate) const DESKTOP_HAS_USERS_PATH: bool = false;
pub(crate) const HAS_DISPLAY: bool = true;
pub(crate) const SET_CLOCK: &str = "sudo sntp -sS time.apple.com";

/// fsync(2) leaves data in the cache of the disk.
pub(crate) const NEEDS_FULLFSYNC: bool = true;

/// Counts suspended time on macOS.
pub(super) const UPTIME: ClockId = ClockId::Monotonic;

/// Longest command line with its environment, in bytes: the kernel's own limit.
const LONGEST: usize = 1024 * 1024;

pub(super) fn is_local(dir: &Path) -> Option<bool> {
    let flags = statfs(dir).ok()?.f_flags;
    Some(flags & libc::MNT_LOCAL.cast_unsigned() != 0)
}

/// `F_FULLFSYNC`, which file systems of other machines may not know; there, fsync(2) is all there is. As SQLite does.
pub(super) fn sync(file: &File) -> io::Result<()> {
    file.sync_all().or_else(|_| Ok(fsync(file)?))
}

pub(super) fn docker_desktop_path() -> &'static [&'static str] {
    match Path::new("/Applications/Docker.app").exists() {
        true => &["/usr/local/bin", "/opt/homebrew/bin"],
        false => &[],
    }
}

/// Operations of csops(2), as in XNU's `sys/codesign.h`: the flags, and the identifier of the signature.
const CS_OPS_STATUS: u32 = 0;
const CS_OPS_IDENTITY: u32 = 11;

#[allow(unsafe_code, reason = "no dependency has this call")]
pub(super) fn keyring_identity() -> Result<(), &'static str> {
    unsafe extern "C" {
        fn csops(pid: libc::pid_t, operation: u32, answer: *mut c_void, length: usize) -> c_int;
    }
    let ask = |operation: u32, answer: &mut [u8]| {
        // SAFETY: at most `length` bytes are written.
        unsafe {
            csops(
                libc::getpid(),
                operation,
                answer.as_mut_ptr().cast(),
                answer.len(),
            ) == 0
        }
    };
    let mut flags = [0; size_of::<u32>()];
    let mut identity = [0; 256];
    if !ask(CS_OPS_STATUS, &mut flags) || !ask(CS_OPS_IDENTITY, &mut identity) {
        return Err(signature::UNSIGNED);
    }
    signature::judge(u32::from_ne_bytes(flags), &identity)
}

pub(super) fn keep_memory_private() {}

pub(super) fn confine(_directory: &Path, _port: Option<u16>) -> Option<String> {
    None
}

pub(super) fn copy_access_list(_file: &File, _from: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn containers_dir() -> Option<PathBuf> {
    None
}

/// sysctl(3), `KERN_PROCARGS2`: only processes of the same user.
#[allow(unsafe_code, reason = "no dependency has this call")]
pub(super) fn arguments_of(pid: u32) -> Vec<OsString> {
    let Ok(pid) = c_int::try_from(pid) else {
        return Vec::new();
    };
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
    // The answer includes the environment, which may contain tokens.
    let mut found = Zeroizing::new(vec![0_u8; LONGEST]);
    let mut length = found.len();
    // SAFETY: the name has three elements, and at most `length` bytes are written.
    let status = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            3,
            found.as_mut_ptr().cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    match status {
        0 => procargs::arguments(&found[..length.min(LONGEST)]).unwrap_or_default(),
        _ => Vec::new(),
    }
}

pub(super) fn running() -> Vec<u32> {
    Vec::new()
}

pub(super) fn environment_of(_pid: u32) -> Option<Vec<(OsString, OsString)>> {
    None
}

pub(super) fn name_of(_pid: u32) -> Option<String> {
    None
}

pub(super) fn lock_holder(_file: &Path) -> Option<u32> {
    None
}
