//! This process and others: arguments, command lines, and the protection of this process's memory.

use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use super::clients::is_login;
use super::{Signals, Variables, World};
use crate::platform::process;

/// The words behind the program's name.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

/// The system that the program was built for.
pub(crate) fn system() -> String {
    let libc = process::LIBC.map_or_else(String::new, |libc| format!(" with {libc}"));
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{system} {machine}{libc}")
}

impl World {
    /// Confines this thread, and those that it starts: no program is executed, only files in `directory` are opened, TCP
    /// connections go to `port` only, and no signal is sent to another process; open files stay open. As far as the system
    /// supports it. For a process that starts no other program: such a program would be confined too.
    pub(crate) fn confine(&self, directory: &Path, port: Option<u16>) {
        if let Some(done) = process::confine(directory, port) {
            self.trace(|| done);
        }
    }

    /// Whether the program that started us logs in to a registry: `docker login …`. Not where command lines are not
    /// known.
    pub(crate) fn parent_logs_in(&self) -> bool {
        process::parent().is_some_and(|parent| is_login(&process::arguments_of(parent)))
    }

    /// The processes of this user, as far as they are known.
    pub(crate) fn running(&self) -> Vec<Process> {
        let running = process::running().into_iter();
        running
            .map(|pid| Process {
                pid,
                arguments: process::arguments_of(pid),
            })
            .collect()
    }

    /// The world with which another process started; `None` if it has ended, or its environment cannot be read.
    pub(crate) fn of_process(&self, process: &Process) -> Option<World> {
        Some(World {
            variables: Variables::These(process::environment_of(process.pid)?),
            clock: Rc::clone(&self.clock),
            signals: Signals::default(),
            steps: super::Steps::default(),
            untraced: std::cell::Cell::default(),
            quiet: true,
            fast: self.fast,
            administrators_file: std::cell::OnceCell::new(),
            is_of_no_checkout: std::cell::Cell::default(),
        })
    }
}

/// A process that is running.
pub(crate) struct Process {
    /// Its process id.
    pub(crate) pid: u32,
    /// Its command line, the program's name first.
    pub(crate) arguments: Vec<OsString>,
}

/// Keeps secrets out of core dumps and away from other processes of the same user, and the process alive when a file
/// becomes too large. First thing in every `main`.
///
/// Best effort: a kernel that refuses leaves the program usable. Panics lose their message, which could quote a value.
pub(crate) fn harden() {
    process::harden();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        super::print_error(&format!("internal error{place}; please report it\n"));
    }));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Set in a process that a test starts to panic.
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
