//! This process, its children, and other processes.

use std::ffi::{OsString, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, OnceLock};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, getppid, setsid, test_kill_process};

use super::system;

pub(crate) use system::{
    CONFINES, DESKTOP_HAS_USERS_PATH, HAS_DISPLAY, INSTALL_GIT, OPENERS, SET_CLOCK,
};

/// Names of variables are bytes.
pub(crate) const VARIABLES_IGNORE_CASE: bool = false;

/// The running file on Linux, even if another file has its path by now. Elsewhere there is none.
pub(crate) const RUNNING_FILE: Option<&str> = Some("/proc/self/exe");

/// Separates programs in `BROWSER`, and directories in `PATH`.
pub(crate) const LIST_SEPARATOR: char = ':';

/// Kinds of scripts that are typed without their ending.
pub(crate) const SCRIPTS: &[&str] = &[];

/// flock(2) locks belong to the open file description, which parent and child share.
pub(crate) const LOCKS_PASS_TO_CHILDREN: bool = true;

/// The C library that the program was built with, where a system has several.
pub(crate) const LIBC: Option<&str> = if cfg!(target_env = "musl") {
    Some("musl")
} else if cfg!(target_env = "gnu") {
    Some("glibc")
} else {
    None
};

/// The limit of core dumps before it was lowered, if it was recorded.
static CORE_LIMIT: OnceLock<Option<libc::rlimit>> = OnceLock::new();

/// Notes the limits that [`harden`] lowers, for a program that may be replaced by another one: the hard limit then stays.
pub(crate) fn note_limits() {
    CORE_LIMIT.get_or_init(core_limit);
}

/// Restores the limits.
pub(super) fn restore_limits() {
    if let Some(Some(limit)) = CORE_LIMIT.get() {
        set_core_limit(limit);
    }
}

/// `None` where a filter of system calls forbids it, as in units of systemd without `@resources`.
#[allow(
    unsafe_code,
    reason = "rustix takes this call for one that cannot fail: it panics, or returns what it did not read"
)]
fn core_limit() -> Option<libc::rlimit> {
    let mut limit = MaybeUninit::uninit();
    // SAFETY: the limit is initialized if the call succeeds.
    unsafe {
        (libc::getrlimit(libc::RLIMIT_CORE, limit.as_mut_ptr()) == 0).then(|| limit.assume_init())
    }
}

#[allow(unsafe_code, reason = "the counterpart of core_limit")]
fn set_core_limit(limit: &libc::rlimit) {
    // SAFETY: the limit is read, and nothing else.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, limit) };
}

/// Keeps the memory out of core dumps and, on Linux, away from other processes of the same user. A file that grows too
/// large becomes an error. Best effort: the program goes on if the kernel refuses.
pub(crate) fn harden() {
    system::keep_memory_private();
    let former = CORE_LIMIT.get().copied().flatten();
    set_core_limit(&libc::rlimit {
        rlim_cur: 0,
        rlim_max: former.map_or(0, |limit| limit.rlim_max),
    });
    // A write beyond RLIMIT_FSIZE must be an error that can be reported, not the end of the process.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).ok();
}

/// Sets close-on-exec on all descriptors above the standard streams. The caller may have left some open, such as a lock
/// of its own.
pub(crate) fn close_others_on_exec() {
    for number in descriptors() {
        with_descriptor(number, |descriptor| {
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)
        })
        .ok();
    }
}

/// Descriptors that may be open where the system does not list them: the usual limit.
const UNLISTED: c_int = 1024;

/// The open descriptors above the standard streams, and where they are not known, numbers that may be open.
pub(super) fn descriptors() -> Vec<c_int> {
    let entries = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<c_int>().ok());
    let listed: Vec<c_int> = numbers.filter(|number| *number > 2).collect();
    // A complete list has the descriptor by which it is read. Linux has none without `/proc`; FreeBSD has that of the standard
    // streams without fdescfs(4).
    match listed.is_empty() {
        true => (3..UNLISTED).collect(),
        false => listed,
    }
}

/// Reads or sets the flags of a descriptor that may belong to another part of the program.
#[allow(
    unsafe_code,
    reason = "descriptors that others opened have no owner in this program; only their flags are read and set"
)]
pub(super) fn with_descriptor<T>(number: c_int, call: impl FnOnce(BorrowedFd<'static>) -> T) -> T {
    // SAFETY: the call fails if another thread has closed the descriptor.
    call(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Leaves the caller's session: signals to its process group no longer reach this process.
pub(crate) fn begin_session() {
    setsid().ok();
}

/// Gives up rights that this process no longer needs, as far as the system supports that: it cannot start programs, open
/// files outside of `directory`, connect to other ports than `port`, or signal other processes. Returns the result for a
/// trace.
pub(crate) fn confine(directory: &Path, port: Option<u16>) -> Option<String> {
    system::confine(directory, port)
}

/// Makes a child start in a session of its own, with its standard streams as its only descriptors.
#[allow(unsafe_code, reason = "setsid must run between fork and exec")]
pub(crate) fn detach(command: &mut Command) {
    close_others_on_exec();
    // SAFETY: setsid is async-signal-safe.
    unsafe {
        command.pre_exec(|| setsid().map(drop).map_err(Into::into));
    }
}

/// Starts a child that calls [`begin_session`] first.
///
/// # Errors
/// It cannot be started.
pub(crate) fn spawn_apart(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// `None`: one of [`OPENERS`] opens a URL.
pub(crate) fn open_url(_url: &str) -> Option<bool> {
    None
}

/// The directories in which Docker Desktop looks for commands, if it is installed and does not use the user's `PATH`.
pub(crate) fn docker_desktop_path() -> &'static [&'static str] {
    system::docker_desktop_path()
}

/// Whether a program only opens a dialog that installs what has its name. Known only if it is asked for by its absolute path.
pub(crate) fn opens_installer(program: &Path) -> bool {
    system::opens_installer(program)
}

/// Whether the keyring identifies this program by more than its bytes. Otherwise an entry of another program or version
/// cannot be read without the user's password.
///
/// # Errors
/// The reason why not.
pub(crate) fn keyring_identity() -> Result<(), &'static str> {
    system::keyring_identity()
}

/// The parent process.
pub(crate) fn parent() -> Option<u32> {
    u32::try_from(getppid()?.as_raw_nonzero().get()).ok()
}

/// Whether a process exists.
pub(crate) fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // EPERM also means that the process exists.
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// The command line of a process, starting with the program's name. Empty if it is unknown.
pub(crate) fn arguments_of(pid: u32) -> Vec<OsString> {
    system::arguments_of(pid)
}

/// The processes of this user. Empty if they are unknown.
pub(crate) fn running() -> Vec<u32> {
    system::running()
}

/// The environment that a process started with. `None` if it has ended or is not readable.
pub(crate) fn environment_of(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    system::environment_of(pid)
}

/// The name of a process's program. Not safe to print: the process chooses it.
pub(crate) fn name_of(pid: u32) -> Option<String> {
    system::name_of(pid)
}

/// The process that holds a lock on a file, according to the kernel.
pub(crate) fn lock_holder(file: &Path) -> Option<u32> {
    system::lock_holder(file)
}
