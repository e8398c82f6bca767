//! A real server that runs beside the programs under test, for as long as a test needs it.
//!
//! Separate from `sandbox::Running`, which it builds on, because a test waits until a server is *ready*, and its
//! workers must have exited before its directory is removed. It ends with the thread that started it, even if the test
//! run is killed: start it in the test itself, not in a helper thread.

use crate::sandbox::{Cmd, Running};
use rustix::process::{Signal, kill_process_group, setsid};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it is ready.
const LIMIT: Duration = Duration::from_secs(30);

/// A server process; dropping it ends its whole process group and waits for that.
pub struct Service {
    running: Option<Running>,
}

impl Service {
    /// Starts the server. Its standard input is `stdin`, which may be a listening socket.
    #[track_caller]
    pub fn start(cmd: Cmd, stdin: impl Into<Stdio>) -> Self {
        let mut command = cmd.command();
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let lead_and_never_outlive_the_test = || {
            setsid()?;
            die_with_the_test()
        };
        let for_ever = Duration::from_secs(24 * 3600);
        Self {
            running: Some(
                cmd.limit(for_ever)
                    .start(command, lead_and_never_outlive_the_test),
            ),
        }
    }

    /// Waits until `look` finds something; fails at once when the server has ended instead.
    #[track_caller]
    pub fn wait_until<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> T {
        let running = self.running.as_mut().expect("taken on drop only");
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let alive = running.is_running();
            assert!(
                alive && Instant::now() < deadline,
                "a server is not ready:\n{}{}",
                running.stdout(),
                running.stderr()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The server's output so far.
    pub fn said(&self) -> String {
        let running = self.running.as_ref().expect("taken on drop only");
        running.stdout() + &running.stderr()
    }

    /// Signals the server's process, not its workers.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        self.running
            .as_mut()
            .expect("taken on drop only")
            .signal(signal);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let running = self.running.take().expect("dropped once");
        // Fails when the server and its workers have ended by themselves.
        let _all_gone = kill_process_group(running.pid(), Signal::KILL);
        let _killed = running.wait();
    }
}

/// A program that `tests/run` installs, from PATH or from Debian's directories for servers.
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|program| is_program(program));
    found.unwrap_or_else(|| {
        panic!("`{name}` is missing: run tests/run, which installs what the tests need")
    })
}

/// All programs of that name on PATH, each once, in the order of PATH.
#[track_caller]
pub fn tools(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for program in
        env::split_paths(&path).filter_map(|directory| directory.join(name).canonicalize().ok())
    {
        if is_program(&program) && !found.contains(&program) {
            found.push(program);
        }
    }
    assert!(
        !found.is_empty(),
        "`{name}` is missing: run tests/run, which installs what the tests need"
    );
    found
}

fn is_program(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}

#[cfg(target_os = "linux")]
fn die_with_the_test() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
}

/// On other systems a killed test run leaves its servers running.
#[cfg(not(target_os = "linux"))]
fn die_with_the_test() -> rustix::io::Result<()> {
    Ok(())
}
