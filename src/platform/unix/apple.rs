//! macOS: flags of volumes, renamex_np, F_FULLFSYNC, processes by libproc and sysctl, signatures by csops, developer tools.

use std::ffi::{OsString, c_int, c_void};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr;

use rustix::fs::{fsync, statfs};
use rustix::process::geteuid;
use rustix::time::ClockId;
use zeroize::Zeroizing;

use super::{access_list, developer_tools, procargs, signature};

pub(super) use super::beyond_posix::{allocate, exchange, rename_new};
pub(crate) use super::not_linux::CONFINES;
pub(super) use super::not_linux::{
    confine, copy_access_list, keep_memory_private, lock_holder, name_of, passes_magic_link,
};

pub(crate) const OPENERS: &[&str] = &["open"];
/// Programs that are started from the desktop have `/usr/bin:/bin:/usr/sbin:/sbin`, from launchd(8).
pub(crate) const DESKTOP_HAS_USERS_PATH: bool = false;
pub(crate) const HAS_DISPLAY: bool = true;
pub(crate) const SET_CLOCK: &str = "sudo sntp -sS time.apple.com";
pub(crate) const INSTALL_GIT: Option<&str> = Some("xcode-select --install");

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

pub(super) fn judged(path: &Path) -> Result<(), &'static str> {
    let flags = statfs(path).map_or(0, |found| found.f_flags);
    // Each user owns all files there: mount(8), `noowners`. The default of external volumes.
    if flags & libc::MNT_IGNORE_OWNERSHIP.cast_unsigned() != 0 {
        return Err("its volume ignores ownership");
    }
    match access_list::allows(path) {
        true => Err("it has an access list, which `ls -le` shows"),
        false => Ok(()),
    }
}

pub(super) fn opens_installer(program: &Path) -> bool {
    developer_tools::opens_installer(program, || {
        let mut ask = Command::new("/usr/bin/xcode-select");
        ask.arg("--print-path").stdin(Stdio::null());
        ask.stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().ok()?.code()
    })
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

pub(super) fn containers_dir() -> Option<PathBuf> {
    None
}

pub(super) fn arguments_of(pid: u32) -> Vec<OsString> {
    let found = procargs_of(pid).and_then(|found| procargs::arguments(&found));
    found.unwrap_or_default()
}

pub(super) fn environment_of(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    procargs::environment(&procargs_of(pid)?)
}

/// sysctl(3), `KERN_PROCARGS2`: only processes of the same user.
#[allow(unsafe_code, reason = "no dependency has this call")]
fn procargs_of(pid: u32) -> Option<Zeroizing<Vec<u8>>> {
    let mut name = [
        libc::CTL_KERN,
        libc::KERN_PROCARGS2,
        c_int::try_from(pid).ok()?,
    ];
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
    found.truncate(length);
    (status == 0).then_some(found)
}

/// libproc.h: processes by their effective user.
const PROC_UID_ONLY: u32 = 4;

/// More processes than the kernel allows.
const MOST: usize = 1 << 15;

#[allow(unsafe_code, reason = "no dependency has this call")]
pub(super) fn running() -> Vec<u32> {
    let mut found: Vec<c_int> = vec![0; MOST];
    let size = c_int::try_from(size_of_val(&found[..])).unwrap_or(0);
    // SAFETY: at most `size` bytes are written.
    let written = unsafe {
        libc::proc_listpids(
            PROC_UID_ONLY,
            geteuid().as_raw(),
            found.as_mut_ptr().cast(),
            size,
        )
    };
    found.truncate(usize::try_from(written).unwrap_or(0) / size_of::<c_int>());
    let pids = found.into_iter().filter_map(|pid| u32::try_from(pid).ok());
    pids.filter(|pid| *pid > 0).collect()
}
