//! A command that a test runs, and its process.
//!
//! The environment contains only what the sandbox and the test set, and nothing of the developer's. The process leads a
//! session of its own without a controlling terminal (see `terminal` for one with), and is killed with its whole group
//! when it is dropped or exceeds its time.

use super::output::Output;
use crate::processes::children;
use crate::transcript::Transcript;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, setsid};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::mem;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take before it is killed and the test fails.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is run"]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    stdin: Vec<u8>,
    current_dir: PathBuf,
    limit: Duration,
}

impl Cmd {
    pub(super) fn new(
        program: &OsStr,
        env: BTreeMap<OsString, OsString>,
        current_dir: &Path,
    ) -> Self {
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            env,
            stdin: Vec::new(),
            current_dir: current_dir.to_owned(),
            limit: LIMIT,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The same, started by another program whose own arguments come first.
    pub fn under(mut self, program: impl AsRef<OsStr>, args: &[&str]) -> Self {
        let inner = mem::replace(&mut self.program, program.as_ref().to_owned());
        let args = args.iter().map(OsString::from).chain([inner]);
        self.args.splice(..0, args);
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.remove(name.as_ref());
        self
    }

    /// The input of the process; empty by default.
    pub fn stdin(mut self, input: impl AsRef<[u8]>) -> Self {
        self.stdin = input.as_ref().to_owned();
        self
    }

    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.current_dir = directory.as_ref().to_owned();
        self
    }

    /// How long `run` and `wait` wait; 120 s by default.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the command to its end.
    #[must_use = "check at least the exit code: `.success()` or `.fails(1)`"]
    #[track_caller]
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts the command with its input at once.
    #[track_caller]
    pub fn spawn(self) -> Running {
        let mut command = self.command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.start(command, || setsid().map(|_| ()))
    }

    /// The process builder, without streams and session.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(&self.current_dir)
            .env_clear()
            .envs(&self.env);
        command
    }

    /// `session` runs in the child between fork and exec and must make it lead a session: it may only
    /// call what is async-signal-safe.
    #[track_caller]
    #[allow(
        unsafe_code,
        reason = "a session can only be entered between fork and exec"
    )]
    pub(crate) fn start(
        self,
        mut command: Command,
        session: impl Fn() -> rustix::io::Result<()> + Send + Sync + 'static,
    ) -> Running {
        // SAFETY: the callers pass closures of bare system calls.
        unsafe { command.pre_exec(move || session().map_err(io::Error::from)) };
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {self}: {error}"));
        Running::new(self, child)
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        f.write_str(&self.program.to_string_lossy())?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", arg.to_string_lossy()))?;
        f.write_char('`')
    }
}

/// A started process. Dropping it kills it and its whole process group.
#[derive(Debug)]
pub struct Running {
    cmd: Cmd,
    pid: Pid,
    started: Instant,
    stdout: Option<Transcript>,
    stderr: Option<Transcript>,
    exit: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

impl Running {
    fn new(cmd: Cmd, mut child: Child) -> Self {
        if let Some(mut stdin) = child.stdin.take() {
            let input = cmd.stdin.clone();
            thread::spawn(move || {
                // A process need not read its input.
                let _not_read = stdin.write_all(&input);
            });
        }
        let (ended, exit) = mpsc::channel();
        let running = Self {
            cmd,
            pid: Pid::from_child(&child),
            started: Instant::now(),
            stdout: child.stdout.take().map(Transcript::of),
            stderr: child.stderr.take().map(Transcript::of),
            exit,
            status: None,
        };
        thread::spawn(move || {
            let status = child.wait().expect("our own child can be waited for");
            // The receiver is gone if the test has dropped the process.
            let _dropped = ended.send(status);
        });
        running
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The process that exchanges the refresh token for this one: its only child.
    #[track_caller]
    pub fn exchange(&self) -> Pid {
        match children(self.pid)[..] {
            [child] => child,
            ref other => panic!("not one child, but {other:?}"),
        }
    }

    /// Signals the process itself, not its children.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        assert!(
            self.is_running(),
            "{} has ended before the signal",
            self.cmd
        );
        kill_process(self.pid, signal).expect("our own child can be signalled");
    }

    pub fn is_running(&mut self) -> bool {
        self.status = self.status.or_else(|| self.exit.try_recv().ok());
        self.status.is_none()
    }

    /// What the process has written to a piped standard output so far.
    pub fn stdout(&self) -> String {
        text(self.stdout.as_ref())
    }

    /// What the process has written to a piped standard error so far.
    pub fn stderr(&self) -> String {
        text(self.stderr.as_ref())
    }

    /// Waits until standard error contains the text.
    #[track_caller]
    pub fn wait_for_stderr(&self, needle: &str) {
        let stderr = self.stderr.as_ref().expect("standard error is piped");
        let found = stderr.wait_for(self.deadline(), |said| {
            String::from_utf8_lossy(said).contains(needle).then_some(())
        });
        if let Err(why) = found {
            panic!(
                "{} never said {needle:?} ({why:?}), but:\n{}",
                self.cmd,
                self.stderr()
            );
        }
    }

    /// Waits for the end of the process and of its streams.
    #[must_use = "check at least the exit code: `.success()` or `.fails(1)`"]
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let deadline = self.deadline();
        let status = self
            .ends_by(deadline)
            .unwrap_or_else(|| self.overstayed("is still running"));
        if !self.falls_silent_by(deadline) {
            self.overstayed("left a process behind that keeps its output open");
        }
        Output::new(
            self.cmd.to_string(),
            status,
            bytes(self.stdout.as_ref()),
            bytes(self.stderr.as_ref()),
        )
    }

    /// Waits for the end of the process, whatever becomes of its streams.
    pub(crate) fn ends_by(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.status = self.status.or_else(|| self.exit.recv_timeout(left).ok());
        self.status
    }

    /// Waits for the end of both streams; `false` if a process keeps one open past the deadline.
    pub(crate) fn falls_silent_by(&self, deadline: Instant) -> bool {
        [&self.stdout, &self.stderr]
            .into_iter()
            .flatten()
            .all(|stream| stream.ends_by(deadline))
    }

    fn deadline(&self) -> Instant {
        self.started + self.cmd.limit
    }

    #[track_caller]
    fn overstayed(&self, how: &str) -> ! {
        panic!(
            "{} {how} after {:?}\nstdout so far:\n{}\nstderr so far:\n{}",
            self.cmd,
            self.cmd.limit,
            self.stdout(),
            self.stderr()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if no process of the group is left, which is expected.
        let _all_gone = kill_process_group(self.pid, Signal::KILL);
    }
}

fn bytes(stream: Option<&Transcript>) -> Vec<u8> {
    stream.map(Transcript::bytes).unwrap_or_default()
}

fn text(stream: Option<&Transcript>) -> String {
    String::from_utf8_lossy(&bytes(stream)).into_owned()
}
