//! This process and others: its arguments, theirs, and what they can read of its memory.

use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;
#[cfg(unix)]
use std::sync::{Arc, OnceLock};

use super::clients::is_login;
use super::{Signals, Variables, World};

/// The words behind the program's name.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

impl World {
    /// Whether the program that started us logs in to a registry: `docker login …`. Never known outside Linux.
    pub(crate) fn parent_logs_in(&self) -> bool {
        let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
        is_login(&arguments_of(Path::new(&format!("/proc/{parent}"))))
    }

    /// The processes of this user. None outside Linux.
    pub(crate) fn running(&self) -> Vec<Process> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                is_ours(&entry.metadata().ok()?).then(|| Process {
                    pid,
                    arguments: arguments_of(&entry.path()),
                })
            })
            .collect()
    }

    /// The world as another process began with it; `None` when it has ended, or keeps that to itself.
    pub(crate) fn of_process(&self, process: &Process) -> Option<World> {
        let lines = std::fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
        let variable = |line: &[u8]| {
            let at = line.iter().position(|byte| *byte == b'=')?;
            Some((os_string(&line[..at]), os_string(&line[at + 1..])))
        };
        let variables = lines.split(|byte| *byte == 0).filter_map(variable);
        Some(World {
            variables: Variables::These(variables.collect()),
            clock: Rc::clone(&self.clock),
            signals: Signals::default(),
            trace: None,
            untraced: std::cell::Cell::default(),
            quiet: true,
        })
    }
}

/// A process that is running.
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// Its command line, the program's name first.
    pub(crate) arguments: Vec<OsString>,
}

fn arguments_of(process: &Path) -> Vec<OsString> {
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let mut arguments: Vec<OsString> = line.split(|byte| *byte == 0).map(os_string).collect();
    // Each one ends with a zero byte.
    arguments.pop();
    arguments
}

fn os_string(bytes: &[u8]) -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(bytes.to_owned());
    #[cfg(not(unix))]
    return String::from_utf8_lossy(bytes).into_owned().into();
}

#[cfg(unix)]
fn is_ours(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_ours(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// The limit of core dumps before it was lowered, where it was noted.
#[cfg(unix)]
static CORE_LIMIT: OnceLock<rustix::process::Rlimit> = OnceLock::new();

/// Notes the limits that [`harden`] lowers, for a program that may hand over to another: the hard one then stays.
#[cfg(unix)]
pub(crate) fn note_limits() {
    CORE_LIMIT.get_or_init(|| rustix::process::getrlimit(rustix::process::Resource::Core));
}

/// Makes the limits what they were.
#[cfg(unix)]
pub(super) fn restore_limits() {
    if let Some(limit) = CORE_LIMIT.get() {
        rustix::process::setrlimit(rustix::process::Resource::Core, *limit).ok();
    }
}

/// Keeps secrets out of core dumps and away from other processes of the same user, and the process alive when a file
/// becomes too large. First thing in every `main`.
///
/// Best effort: a kernel that refuses leaves the program usable. Panics lose their message, which could quote a value.
pub(crate) fn harden() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, Resource, Rlimit};
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let _ = rustix::process::setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum: CORE_LIMIT.get().map_or(Some(0), |limit| limit.maximum),
            },
        );
    }
    // A write beyond RLIMIT_FSIZE must be an error that can be told, not the end of the process.
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).ok();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        super::print_error(&format!("internal error{place}; please report it\n"));
    }));
}

/// Keeps whatever was handed to us beside the standard streams (a lock of the calling script, say) from the processes
/// that we start.
#[cfg(unix)]
pub(crate) fn keep_descriptors() {
    use rustix::io::{FdFlags, fcntl_setfd};

    for number in descriptors() {
        // One that another thread has closed meanwhile fails.
        with_descriptor(number, |descriptor| {
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)
        })
        .ok();
    }
}

/// The numbers of the open descriptors beyond the standard streams.
#[cfg(unix)]
pub(super) fn descriptors() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(|number| *number > 2)
}

/// Reads or sets the flags of a descriptor that may be somebody else's.
#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "descriptors that others opened have no owner in this program; only their flags are read and set"
)]
pub(super) fn with_descriptor<T>(
    number: i32,
    call: impl FnOnce(std::os::fd::BorrowedFd<'static>) -> T,
) -> T {
    call(unsafe { std::os::fd::BorrowedFd::borrow_raw(number) })
}

#[cfg(not(unix))]
pub(crate) fn keep_descriptors() {}

/// Leaves the caller's session: signals to its process group no longer reach this process.
pub(crate) fn begin_session() {
    #[cfg(unix)]
    rustix::process::setsid().ok();
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Set in a process that is there to panic.
    const VICTIM: &str = "SENTRY_CREDENTIAL_TEST_PANIC";

    #[test]
    fn a_panic_says_where_and_not_what() {
        if std::env::var_os(VICTIM).is_some() {
            super::harden();
            panic!("the token is {}", "hunter2");
        }
        let itself = std::env::current_exe().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let victim = Command::new(itself)
            .args(["--exact", &name, "--nocapture", "--test-threads=1"])
            .env(VICTIM, "1")
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        let said = String::from_utf8([victim.stdout, victim.stderr].concat()).unwrap();
        let place = format!("internal error at {}:", file!());
        assert!(!victim.status.success() && said.contains(&place), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
