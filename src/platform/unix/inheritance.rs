//! What this process inherited, and passes on to a program that replaces it.
//!
//! Separate from [`process`](super::process), whose hardening is part of what has to be undone: otherwise a command that is
//! started by `sentry auth exec` would differ from one that is started directly, in its signals, its limits and its
//! descriptors.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{SIGPIPE, SIGXFSZ};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use super::process::{descriptors, restore_limits, with_descriptor};

/// The signals that were ignored when the process started, a bit each: those that the runtime of Rust and
/// [`harden`](super::process::harden) change before anything else can read them.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Called by the loader, before Rust's runtime ignores SIGPIPE.
#[cfg(target_os = "linux")]
extern "C" fn note_ignored_signals() {
    for signal in [SIGPIPE, SIGXFSZ] {
        if super::signals::is_ignored(signal) {
            IGNORED.fetch_or(1 << signal, Ordering::Relaxed);
        }
    }
}

#[cfg(target_os = "linux")]
#[unsafe(link_section = ".init_array")]
#[allow(
    unsafe_code,
    reason = "the loader calls what stands in this section; it needs nothing of the runtime"
)]
static BEFORE_MAIN: extern "C" fn() = note_ignored_signals;

/// Makes a program note which signals were ignored when it started, if its main function calls this: the linker leaves out
/// what nothing refers to. Without it, and on other systems, SIGPIPE and SIGXFSZ have their default effect in the program that
/// replaces this one.
pub(crate) fn note_ignored_signals_before_main() {
    #[cfg(target_os = "linux")]
    std::hint::black_box(&BEFORE_MAIN);
}

/// What other children do not inherit, and a program that replaces this one does.
pub(crate) struct Inheritance {
    /// Descriptors above the standard streams.
    descriptors: Vec<c_int>,
}

impl Inheritance {
    /// Notes the descriptors. Must run before [`close_others_on_exec`](super::process::close_others_on_exec).
    pub(crate) fn note() -> Inheritance {
        // Our own have close-on-exec.
        let is_inherited = |number: &c_int| {
            with_descriptor(*number, fcntl_getfd)
                .is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
        };
        Inheritance {
            descriptors: descriptors().into_iter().filter(is_inherited).collect(),
        }
    }

    /// Replaces this process by a program, which is found in `PATH` as by execvp(3). Calls `release` last. Returns if that
    /// fails.
    ///
    /// A file without `#!` is a script of the shell: glibc's execvp(3) takes it for one, as POSIX wants, and musl's does not.
    /// `file` is then called for its path.
    pub(crate) fn hand_over(
        self,
        mut command: Command,
        file: impl FnOnce() -> Option<PathBuf>,
        release: impl FnOnce(),
    ) -> io::Error {
        for number in self.descriptors {
            with_descriptor(number, |descriptor| {
                fcntl_setfd(descriptor, FdFlags::empty())
            })
            .ok();
        }
        restore_limits();
        release();
        let error = replace(&mut command);
        if error.raw_os_error() != Some(libc::ENOEXEC) {
            return error;
        }
        match file().filter(|file| is_text(file)) {
            Some(file) => replace(&mut by_shell(&command, &file)),
            None => error,
        }
    }
}

/// The same command, read by the shell.
fn by_shell(command: &Command, file: &Path) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg(file).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Whether a file can be a script: no first line of one has a NUL.
fn is_text(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(128).read_to_end(&mut start));
    let line = start.split(|byte| *byte == b'\n').next();
    read.is_ok() && line.is_some_and(|line| !line.contains(&0))
}

/// Replaces this process; returns if that fails.
#[allow(
    unsafe_code,
    reason = "std resets the signals right before exec, so they can only be ignored after that"
)]
fn replace(command: &mut Command) -> io::Error {
    // SAFETY: signal(2) is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            let ignored = IGNORED.load(Ordering::Relaxed);
            for signal in [SIGPIPE, SIGXFSZ] {
                if ignored & (1 << signal) != 0 {
                    libc::signal(signal, libc::SIG_IGN);
                }
            }
            Ok(())
        });
    }
    command.exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_an_interpreter_is_the_shells_and_a_binary_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let script = write("script", b"echo \"$@\" $A ${B-none}\n\0");
        assert!(is_text(&script) && is_text(&write("empty", b"")));
        assert!(!is_text(&write("binary", b"\x7fELF\x02\0")));
        assert!(!is_text(&dir.path().join("absent")) && !is_text(dir.path()));
        let mut command = Command::new(&script);
        command
            .args(["two words", "-x"])
            .env("A", "a")
            .env_remove("B");
        let output = by_shell(&command, &script).env("PATH", "/bin").output();
        assert_eq!(output.unwrap().stdout, b"two words -x a none\n");
    }
}
