//! A user at a terminal: reads the screen, types, presses Ctrl-C.
//!
//! The program leads a session whose controlling terminal is a pseudo-terminal and whose foreground
//! process group is its own, so `/dev/tty` opens and Ctrl-C reaches it. The terminal echoes what is
//! typed, as terminals do. Every wait has a limit and fails with the whole screen.

mod pty;

use crate::sandbox::{Cmd, Running, exit_code};
use crate::transcript::{InVain, Transcript};
use pty::Pty;
use rexpect::reader::Regex;
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// How long a user waits for anything.
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct TtyUser {
    running: Running,
    keyboard: File,
    screen: Transcript,
    /// How much of the screen's text earlier expectations have consumed.
    seen: usize,
    timeout: Duration,
}

impl TtyUser {
    /// Starts the command as from a shell: all three streams are the terminal.
    #[track_caller]
    pub fn start(cmd: Cmd) -> Self {
        let pty = Pty::open();
        let mut command = cmd.command();
        command
            .stdin(pty.for_program())
            .stdout(pty.for_program())
            .stderr(pty.for_program());
        Self::begin(cmd, command, pty)
    }

    /// Starts the command as git starts a helper: standard input and output are pipes, standard error
    /// and `/dev/tty` the terminal.
    #[track_caller]
    pub fn start_piped(cmd: Cmd, stdin: impl AsRef<[u8]>) -> Self {
        let pty = Pty::open();
        let mut command = cmd.command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(pty.for_program());
        Self::begin(cmd.stdin(stdin), command, pty)
    }

    #[track_caller]
    fn begin(cmd: Cmd, command: std::process::Command, pty: Pty) -> Self {
        let Pty { user, program } = pty;
        let screen = Transcript::of(user.try_clone().expect("a descriptor"));
        let running = cmd.start(command, move || {
            setsid()?;
            ioctl_tiocsctty(&program)
        });
        Self {
            running,
            keyboard: user,
            screen,
            seen: 0,
            timeout: TIMEOUT,
        }
    }

    /// Sets how long every wait to come may take; 30 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits until the text appears after what earlier expectations have found.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        self.find(&format!("{text:?}"), |screen| {
            let start = screen.find(text)?;
            Some(((), start + text.len()))
        });
        self
    }

    /// As `expect`, and returns the groups, the whole match first. The match may be cut short by what
    /// has not arrived yet: end the pattern with what must follow.
    #[track_caller]
    pub fn expect_regex(&mut self, pattern: &str) -> Vec<String> {
        let regex = Regex::new(pattern).expect("a regular expression");
        self.find(&format!("/{pattern}/"), |screen| {
            let groups = regex.captures(screen)?;
            let texts = groups
                .iter()
                .map(|group| group.map_or("", |group| group.as_str()).to_owned());
            Some((texts.collect(), groups.get(0)?.end()))
        })
    }

    /// Waits until the terminal passes keys on as they are pressed: what Wine's console sets before it reads.
    #[allow(dead_code, reason = "the tests of Windows need it")]
    #[track_caller]
    pub fn wait_for_raw_mode(&self) -> &Self {
        let deadline = Instant::now() + self.timeout;
        let is_raw = || {
            let modes = tcgetattr(&self.keyboard).expect("a terminal has modes");
            !modes.local_modes.contains(LocalModes::ICANON)
        };
        while !is_raw() {
            assert!(Instant::now() < deadline, "the terminal edits lines itself");
            thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// Types the text and Enter.
    #[track_caller]
    pub fn type_line(&mut self, text: &str) -> &mut Self {
        self.press(format!("{text}\r").as_bytes())
    }

    #[track_caller]
    pub fn press_ctrl_c(&mut self) -> &mut Self {
        self.press(b"\x03")
    }

    /// Sends these bytes as a keyboard would.
    #[track_caller]
    pub fn press(&mut self, keys: &[u8]) -> &mut Self {
        self.keyboard
            .write_all(keys)
            .expect("the terminal takes keys");
        self
    }

    /// Everything on the screen so far, `\r\n` as `\n`; typed text is echoed in it.
    pub fn screen(&self) -> String {
        text_of(&self.screen.bytes())
    }

    /// The same as it came, escape sequences and all.
    pub fn screen_bytes(&self) -> Vec<u8> {
        self.screen.bytes()
    }

    /// What a program under `start_piped` has written to its standard output so far: all, after `wait`.
    pub fn stdout(&self) -> String {
        self.running.stdout()
    }

    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Waits for the end of the program and its output; the exit code, or the negated number of the
    /// signal that killed it.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + self.timeout;
        let silent =
            |user: &Self| user.screen.ends_by(deadline) && user.running.falls_silent_by(deadline);
        let Some(status) = self.running.ends_by(deadline).filter(|_| silent(self)) else {
            panic!(
                "the program did not end within {:?}; the screen:\n{}",
                self.timeout,
                self.screen()
            );
        };
        exit_code(status)
    }

    #[track_caller]
    fn find<T>(&mut self, what: &str, look: impl Fn(&str) -> Option<(T, usize)>) -> T {
        let deadline = Instant::now() + self.timeout;
        let seen = self.seen;
        let found = self
            .screen
            .wait_for(deadline, |bytes| look(text_of(bytes).get(seen..)?));
        match found {
            Ok((found, end)) => {
                self.seen += end;
                found
            }
            Err(InVain::Ended) => panic!(
                "the program ended without {what}; the screen:\n{}",
                self.screen()
            ),
            Err(InVain::TimedOut) => {
                panic!(
                    "no {what} within {:?}; the screen:\n{}",
                    self.timeout,
                    self.screen()
                )
            }
        }
    }
}

impl Pty {
    fn for_program(&self) -> Stdio {
        self.program.try_clone().expect("a descriptor").into()
    }
}

fn text_of(screen: &[u8]) -> String {
    String::from_utf8_lossy(screen).replace("\r\n", "\n")
}
