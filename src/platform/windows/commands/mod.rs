//! Commands in the shells of Windows: PowerShell, `cmd.exe`, and the bash of Git for Windows.
//!
//! Separate from [`shell`](super::shell), which knows the process that is running; nothing here depends on the system, and
//! `tests/it/hints/` compiles it in. Separate from the messages, which have the commands of a POSIX shell: a message is
//! translated where it leaves the program. Only what stands between backticks is. The tests translate every command that a
//! message has, and refuse what a shell would not read.

mod cmd;
mod git_bash;
mod powershell;
mod recognition;
mod words;

use std::borrow::Cow;

pub(crate) use recognition::{Shell, shell_of};
pub(crate) use words::quoted;

/// A message with its commands for a shell, which is determined only if there are any.
pub(crate) fn translated(text: &str, shell: impl FnOnce() -> Shell) -> Cow<'_, str> {
    if !text.contains('`') {
        return Cow::Borrowed(text);
    }
    let shell = shell();
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        1 => commands(part, shell),
        _ => Cow::Borrowed(part),
    });
    Cow::Owned(parts.collect::<Vec<_>>().join("`"))
}

fn commands(line: &str, shell: Shell) -> Cow<'_, str> {
    match shell {
        Shell::PowerShell => powershell::commands(line),
        Shell::Cmd => cmd::commands(line).into(),
        Shell::Posix => git_bash::commands(line).into(),
    }
}

/// The path of a program as git runs it: with slashes, and quoted for the POSIX shell that comes with git.
pub(crate) fn path_for_git(path: &str) -> String {
    let path = path.replace('\\', "/");
    match shlex::try_quote(&path) {
        Ok(quoted) => quoted.into_owned(),
        // There is no such path.
        Err(_) => path.replace('\0', ""),
    }
}

#[cfg(test)]
mod tests;
