//! The output of a command, and the assertions about it; each prints the complete output on failure.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; the negated signal number of a process that was killed by one.
    pub code: i32,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
    pub stdout_bytes: Vec<u8>,
    command: String,
}

impl Output {
    pub(super) fn new(
        command: String,
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
    ) -> Self {
        Self {
            code: exit_code(status),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            stdout_bytes: stdout,
            command,
        }
    }

    #[track_caller]
    pub fn success(self) -> Self {
        self.fails(0)
    }

    /// Ended with exactly this exit code.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        self.check(self.code == code, || {
            format!("exit code {}, not {code}", self.code)
        });
        self
    }

    /// Standard output is exactly this.
    #[track_caller]
    pub fn stdout_is(self, expected: &str) -> Self {
        self.check(self.stdout == expected, || {
            format!(
                "another standard output than expected:\n{}",
                diff(expected, &self.stdout)
            )
        });
        self
    }

    /// Standard error is exactly this.
    #[track_caller]
    pub fn stderr_is(self, expected: &str) -> Self {
        self.check(self.stderr == expected, || {
            format!(
                "another standard error than expected:\n{}",
                diff(expected, &self.stderr)
            )
        });
        self
    }

    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        self.check(self.stdout.contains(text), || {
            format!("standard output lacks {text:?}")
        });
        self
    }

    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        self.check(self.stderr.contains(text), || {
            format!("standard error lacks {text:?}")
        });
        self
    }

    /// Neither stream contains the text; the failure does not repeat it.
    #[track_caller]
    pub fn never_says(self, secret: &str) -> Self {
        let said = self.stdout.contains(secret) || self.stderr.contains(secret);
        self.check(!said, || "a stream contains what it must not".to_owned());
        self
    }

    #[track_caller]
    fn check(&self, holds: bool, complaint: impl FnOnce() -> String) {
        let Self {
            command,
            code,
            stdout,
            stderr,
            ..
        } = self;
        assert!(
            holds,
            "{command}: {}\n--- exit code {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---",
            complaint()
        );
    }
}

/// The exit code, or the negated number of the signal that killed the process.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| -signal))
        .expect("the process has ended")
}

/// The lines of both: common ones at the start and the end plain, between them `-` expected and `+` found.
fn diff(expected: &str, found: &str) -> String {
    let lines = |text: &str| {
        text.split_inclusive('\n')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (expected, found) = (lines(expected), lines(found));
    let common = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
        pairs.take_while(|(a, b)| a == b).count()
    };
    let start = common(&mut expected.iter().zip(&found));
    let end = common(
        &mut expected[start..]
            .iter()
            .rev()
            .zip(found[start..].iter().rev()),
    );
    let marked = |mark: char, lines: &[String]| {
        lines
            .iter()
            .map(|line| format!("{mark} {}\n", line.escape_debug()))
            .collect::<String>()
    };
    [
        marked(' ', &expected[..start]),
        marked('-', &expected[start..expected.len() - end]),
        marked('+', &found[start..found.len() - end]),
        marked(' ', &expected[expected.len() - end..]),
    ]
    .concat()
}

#[test]
fn a_difference_names_the_lines_that_differ() {
    assert_eq!(
        diff("a\nb\nc\n", "a\nB\nc\n"),
        "  a\\n\n- b\\n\n+ B\\n\n  c\\n\n"
    );
    assert_eq!(diff("a\n", "a"), "- a\\n\n+ a\n");
}
