//! This process, its children, and other processes.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::ptr;

use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, ProcessBasicInformation, ProcessCommandLineInformation,
};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, FILETIME, GetLastError, HANDLE, HANDLE_FLAG_INHERIT,
    LocalFree, SetHandleInformation, UNICODE_STRING, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Console::{
    FreeConsole, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS, GetCurrentProcess,
    GetProcessTimes, OpenProcess, PROCESS_BASIC_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, QueryFullProcessImageNameW, WaitForSingleObject,
};
use windows_sys::Win32::UI::Shell::{CommandLineToArgvW, ShellExecuteW};
use windows_sys::Win32::UI::WindowsAndMessaging::SW_SHOWNORMAL;

pub(crate) const CONFINES: bool = false;

/// Every session with a desktop.
pub(crate) const HAS_DISPLAY: bool = true;

/// A program that is started from the desktop has the `PATH` of the time when the desktop or its parent was started, and a
/// change in a console is none of the desktop's. Git Credential Manager, gh and glab enter their path, too.
pub(crate) const DESKTOP_HAS_USERS_PATH: bool = false;

/// From a console of an administrator.
pub(crate) const SET_CLOCK: &str = "w32tm /resync";

/// git has no command line that installs it on every Windows.
pub(crate) const INSTALL_GIT: Option<&str> = None;

/// Not for programs that this one starts.
pub(crate) fn opens_installer(_program: &Path) -> bool {
    false
}

/// Docker Desktop uses the user's `PATH`.
pub(crate) fn docker_desktop_path() -> &'static [&'static str] {
    &[]
}

/// The Credential Manager knows users, not programs.
///
/// # Errors
/// Never.
pub(crate) fn keyring_identity() -> Result<(), &'static str> {
    Ok(())
}

/// [`open_url`] needs no program.
pub(crate) const OPENERS: &[&str] = &[];

/// There is none, and any user may create such a path in the root of a drive.
pub(crate) const RUNNING_FILE: Option<&str> = None;

/// Separates programs in `BROWSER`, and directories in `PATH`.
pub(crate) const LIST_SEPARATOR: char = ';';

/// `set sentry_auth_token=…` sets `SENTRY_AUTH_TOKEN`.
pub(crate) const VARIABLES_IGNORE_CASE: bool = true;

/// Windows has one.
pub(crate) const LIBC: Option<&str> = None;

/// Kinds of scripts that are typed without their ending, as npm is. std finds `name.exe` only.
pub(crate) const SCRIPTS: &[&str] = &["cmd", "bat"];

/// `LockFileEx`: a child "is not granted access to the locked region".
pub(crate) const LOCKS_PASS_TO_CHILDREN: bool = false;

/// Longest command line in bytes, and its descriptor: `UNICODE_STRING` counts in 16 bits.
const LONGEST: usize = 0x1_0000 + size_of::<UNICODE_STRING>();

/// More than a shell, git and what they start need.
const MOST_ANCESTORS: usize = 64;

/// There are no such limits.
pub(crate) fn note_limits() {}

/// Keeps the standard handles from children that do not need them: git waits until every copy of its pipe is closed. A
/// crash shows no window and sends no report with the memory.
#[allow(unsafe_code, reason = "calls of the system")]
pub(crate) fn harden() {
    // SAFETY: they have no conditions; a missing handle is refused.
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
        for number in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
            SetHandleInformation(GetStdHandle(number), HANDLE_FLAG_INHERIT, 0);
        }
    }
}

/// The handles above the standard streams cannot be listed. A caller that has inheritable ones passes them on.
pub(crate) fn close_others_on_exec() {}

/// Leaves the console: Ctrl-C in it no longer reaches this process.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn begin_session() {
    // SAFETY: has no conditions.
    unsafe { FreeConsole() };
}

/// Not supported.
pub(crate) fn confine(_directory: &Path, _port: Option<u16>) -> Option<String> {
    None
}

/// Makes a child start without the console, in a process group of its own.
pub(crate) fn detach(command: &mut Command) {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// Starts a child that outlives the caller's console and, where that is allowed, its job.
///
/// # Errors
/// It cannot be started.
pub(crate) fn spawn_apart(command: &mut Command) -> io::Result<Child> {
    let flags = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    command.creation_flags(flags | CREATE_BREAKAWAY_FROM_JOB);
    command.spawn().or_else(|_| {
        command.creation_flags(flags);
        command.spawn()
    })
}

/// Opens a URL in the user's browser, which inherits nothing. Returns whether one was found.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn open_url(url: &str) -> Option<bool> {
    let url: Vec<u16> = url.encode_utf16().chain([0]).collect();
    let verb: Vec<u16> = "open".encode_utf16().chain([0]).collect();
    // SAFETY: both end with NUL; null stands for what is not given.
    let result = unsafe {
        ShellExecuteW(
            ptr::null_mut(),
            verb.as_ptr(),
            url.as_ptr(),
            ptr::null(),
            ptr::null(),
            SW_SHOWNORMAL,
        )
    };
    // Numbers up to 32 are errors.
    Some(result.addr() > 32)
}

/// The parent process.
pub(crate) fn parent() -> Option<u32> {
    Process::itself().parent()
}

/// The processes that this one descends from, the parent first, each with the name of its program and its command line. A
/// parent that has ended is the last: what has its number by now was started later than its child.
pub(super) fn ancestors() -> impl Iterator<Item = (String, Vec<OsString>)> {
    let parent = |child: &Process| {
        let parent = Process::open(child.parent()?, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
        (parent.started()? <= child.started()?).then_some(parent)
    };
    // Numbers without end cannot be: each was started before the one before it, but for those of one moment.
    std::iter::successors(parent(&Process::itself()), parent)
        .take(MOST_ANCESTORS)
        .map(|process| (process.name().unwrap_or_default(), process.arguments()))
}

/// Whether a process exists.
#[allow(unsafe_code, reason = "calls of the system")]
pub(crate) fn is_running(pid: u32) -> bool {
    match Process::open(pid, PROCESS_SYNCHRONIZE) {
        // SAFETY: the handle is open.
        Ok(process) => unsafe { WaitForSingleObject(process.0, 0) == WAIT_TIMEOUT },
        Err(code) => code == ERROR_ACCESS_DENIED,
    }
}

/// The command line of a process of this user, starting with the program's name. Empty if it is unknown.
pub(crate) fn arguments_of(pid: u32) -> Vec<OsString> {
    let process = Process::open(pid, PROCESS_QUERY_LIMITED_INFORMATION);
    process.map_or_else(|_| Vec::new(), |process| process.arguments())
}

/// Splits a command line that ends with NUL.
#[allow(unsafe_code, reason = "calls of the system")]
fn words(line: &[u16]) -> Vec<OsString> {
    let mut count = 0;
    // SAFETY: the line is terminated with NUL, as do the words; their block is freed after they were copied.
    unsafe {
        let found = CommandLineToArgvW(line.as_ptr(), &raw mut count);
        if found.is_null() {
            return Vec::new();
        }
        let count = usize::try_from(count).unwrap_or_default();
        let words = std::slice::from_raw_parts(found, count).iter();
        let words = words.map(|word| {
            let length = (0..).take_while(|at| *word.add(*at) != 0).count();
            OsString::from_wide(std::slice::from_raw_parts(*word, length))
        });
        let words = words.collect();
        LocalFree(found.cast());
        words
    }
}

/// Not supported.
pub(crate) fn running() -> Vec<u32> {
    Vec::new()
}

/// Not supported.
pub(crate) fn environment_of(_pid: u32) -> Option<Vec<(OsString, OsString)>> {
    None
}

/// The name of a process's program.
pub(crate) fn name_of(pid: u32) -> Option<String> {
    let process = Process::open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
    process.name()
}

/// Not supported.
pub(crate) fn lock_holder(_file: &Path) -> Option<u32> {
    None
}

/// Another process.
struct Process(HANDLE);

impl Process {
    /// Opens it, or returns the error code.
    #[allow(unsafe_code, reason = "calls of the system")]
    fn open(pid: u32, access: u32) -> Result<Process, u32> {
        // SAFETY: they have no conditions.
        unsafe {
            match OpenProcess(access, 0, pid) {
                handle if handle.is_null() => Err(GetLastError()),
                handle => Ok(Process(handle)),
            }
        }
    }

    /// This one.
    #[allow(unsafe_code, reason = "a call of the system")]
    fn itself() -> Process {
        // SAFETY: has no conditions. This handle stays valid when it is closed.
        Process(unsafe { GetCurrentProcess() })
    }

    /// Its parent, which may have ended, and another process have its number.
    #[allow(unsafe_code, reason = "a call of the system")]
    fn parent(&self) -> Option<u32> {
        let mut found = PROCESS_BASIC_INFORMATION::default();
        let length = u32::try_from(size_of_val(&found)).ok()?;
        // SAFETY: the structure is of the given length.
        let status = unsafe {
            NtQueryInformationProcess(
                self.0,
                ProcessBasicInformation,
                (&raw mut found).cast(),
                length,
                ptr::null_mut(),
            )
        };
        (status == 0).then_some(u32::try_from(found.InheritedFromUniqueProcessId).ok()?)
    }

    /// When it was started, in the system's units.
    #[allow(unsafe_code, reason = "a call of the system")]
    fn started(&self) -> Option<u64> {
        let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
        // SAFETY: the handle is open, and the structures are valid.
        let done = unsafe {
            GetProcessTimes(
                self.0,
                &raw mut created,
                &raw mut exited,
                &raw mut kernel,
                &raw mut user,
            )
        };
        let started = u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime);
        (done != 0).then_some(started)
    }

    /// The name of its program.
    #[allow(unsafe_code, reason = "a call of the system")]
    fn name(&self) -> Option<String> {
        let mut path = vec![0_u16; 1024];
        let mut length = u32::try_from(path.len()).ok()?;
        // SAFETY: the buffer is of the given length.
        let done =
            unsafe { QueryFullProcessImageNameW(self.0, 0, path.as_mut_ptr(), &raw mut length) };
        let path = PathBuf::from(OsString::from_wide(path.get(..length as usize)?));
        (done != 0).then_some(path.file_name()?.to_string_lossy().into_owned())
    }

    /// Its command line, starting with the program's name. Empty if it is unknown.
    #[allow(unsafe_code, reason = "calls of the system")]
    fn arguments(&self) -> Vec<OsString> {
        // Aligned for the descriptor at its start.
        let mut found = vec![0_u64; LONGEST / size_of::<u64>() + 1];
        let length = u32::try_from(size_of_val(&found[..])).unwrap_or_default();
        // SAFETY: the buffer is of the given length; on success it begins with the descriptor, which points into it.
        let line = unsafe {
            let status = NtQueryInformationProcess(
                self.0,
                ProcessCommandLineInformation,
                found.as_mut_ptr().cast(),
                length,
                ptr::null_mut(),
            );
            let line = &*found.as_ptr().cast::<UNICODE_STRING>();
            if status != 0 || line.Buffer.is_null() {
                return Vec::new();
            }
            std::slice::from_raw_parts(line.Buffer, usize::from(line.Length) / 2)
        };
        // Of an empty line, the system would make the name of this program.
        if line.is_empty() {
            return Vec::new();
        }
        let line: Vec<u16> = line.iter().copied().chain([0]).collect();
        words(&line)
    }
}

impl Drop for Process {
    #[allow(unsafe_code, reason = "a call of the system")]
    fn drop(&mut self) {
        // SAFETY: nothing else closes it.
        unsafe { CloseHandle(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number() {
        let ours = std::process::id();
        assert!(is_running(ours));
        let itself = std::env::current_exe().unwrap();
        let name = name_of(ours).unwrap();
        assert_eq!(itself.file_name().unwrap(), name.as_str());
        assert!(parent().is_some());
        assert!(!is_running(u32::MAX - 3));
        assert_eq!(arguments_of(u32::MAX - 3), Vec::<OsString>::new());
    }

    /// Set in the process that a test starts.
    const CHILD: &str = "SENTRY_CREDENTIAL_TEST_ANCESTORS";

    #[test]
    fn the_parent_is_the_first_of_the_ancestors() {
        let itself = std::env::current_exe().unwrap();
        let name = itself.file_name().unwrap().to_string_lossy().into_owned();
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(ancestors().next().unwrap().0, name);
            return;
        }
        let test = std::thread::current().name().unwrap().to_owned();
        let mut child = Command::new(itself);
        child.args(["--exact", &test, "--test-threads=1"]);
        let child = child.env(CHILD, "1").output().unwrap();
        assert!(child.status.success(), "{child:?}");
    }

    #[test]
    fn a_command_line_is_split_as_programs_split_their_own() {
        let line = r#""C:\Program Files\docker.exe" login "r.example" "a b""#;
        let line: Vec<u16> = line.encode_utf16().chain([0]).collect();
        let expected = [r"C:\Program Files\docker.exe", "login", "r.example", "a b"];
        assert_eq!(words(&line), expected.map(OsString::from));
    }
}
