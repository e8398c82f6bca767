//! The name that this program was started by, and its commands as they are typed under that name.
//!
//! Separate from the messages, which always call a command `sentry auth …`: it is replaced here by what the user types,
//! when a message is printed. `sentry` may be Sentry's official CLI on this machine.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::OnceLock;

use super::files::{commands_in, file_name, is_same_file};
use crate::platform::files::canonicalize;
use crate::platform::shell;
use crate::printable::without_numbers;

/// A name of this program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    /// `sentry`, or a name that says nothing.
    Sentry,
    /// `sentry-credential`: the same without the word `auth`.
    SentryCredential,
    /// `git-credential-sentry`, by git or as `git credential-sentry`.
    GitHelper,
    /// `docker-credential-sentry`.
    DockerHelper,
}

static STARTED: OnceLock<Program> = OnceLock::new();

/// How messages call the program.
const WRITTEN: &str = "sentry auth";

/// The commands that git's helper has, by the name that `sentry auth` has for each.
const OF_GIT: [(&str, &str); 5] = [
    ("login", "login"),
    ("status", "status"),
    ("setup-git", "setup"),
    ("hosts", "hosts"),
    ("doctor", "doctor"),
];

impl Program {
    /// The one of the two that a user starts, by the name of the file that was started.
    pub(crate) fn by_name() -> Program {
        let started = program_name();
        let name = Path::new(&started).file_name().and_then(OsStr::to_str);
        let name = name.unwrap_or_default().to_ascii_lowercase();
        match name.strip_suffix(".exe").unwrap_or(&name) {
            "sentry-credential" => Program::SentryCredential,
            _ => Program::Sentry,
        }
    }

    /// Records this name.
    pub(crate) fn begin(self) {
        STARTED.get_or_init(|| self);
    }

    /// The recorded name.
    pub(crate) fn running() -> Program {
        STARTED.get().copied().unwrap_or(Program::Sentry)
    }

    /// The words behind `git credential-sentry` that a user types.
    pub(crate) fn commands_of_git() -> impl Iterator<Item = &'static str> {
        OF_GIT.iter().map(|(_, typed)| *typed)
    }

    /// The command of `sentry auth` that a word means to git's helper.
    pub(crate) fn command_of_git(word: &str) -> Option<&'static str> {
        let mut commands = OF_GIT.iter();
        let (command, _) = commands.find(|(_, typed)| *typed == word)?;
        Some(command)
    }

    /// What stands for `sentry auth` and a word behind it, empty if there is none.
    fn typed(self, word: &str, is_sentry_ours: impl Fn() -> bool) -> String {
        let mut of_git = OF_GIT.iter();
        match (self, of_git.find(|(command, _)| *command == word)) {
            (Program::Sentry, _) => format!("{WRITTEN} {word}"),
            (Program::GitHelper, Some((_, typed))) => format!("git credential-sentry {typed}"),
            (Program::GitHelper | Program::DockerHelper, _) if is_sentry_ours() => {
                format!("{WRITTEN} {word}")
            }
            _ if word.is_empty() => "sentry-credential auth".to_owned(),
            _ => format!("sentry-credential {word}"),
        }
    }
}

/// The name of the program, as it was started.
pub(crate) fn program_name() -> OsString {
    std::env::args_os().next().unwrap_or_default()
}

/// A message with its commands as they are typed under the name of this program, in the shell of this system, and the
/// errors of the system in words.
pub(crate) fn as_typed(text: &str) -> Cow<'_, str> {
    match without_numbers(text) {
        Cow::Borrowed(text) => commands_as_typed(text),
        Cow::Owned(text) => Cow::Owned(commands_as_typed(&text).into_owned()),
    }
}

fn commands_as_typed(text: &str) -> Cow<'_, str> {
    let is_sentry_ours = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let first = commands_in(&path, "sentry").next();
        first.is_some_and(|first| is_our_sentry(&first))
    };
    match shell::translated(text, || std::env::var_os("SHELL")) {
        Cow::Borrowed(text) => rewritten(text, Program::running(), is_sentry_ours),
        Cow::Owned(text) => {
            Cow::Owned(rewritten(&text, Program::running(), is_sentry_ours).into_owned())
        }
    }
}

/// Whether a program called `sentry` is this one, and not Sentry's official CLI: by what lies beside it.
pub(crate) fn is_our_sentry(file: &Path) -> bool {
    let file = canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let named = file.with_file_name(file_name("sentry-credential"));
    match named.exists() {
        true => is_same_file(&file, &named),
        // As cargo installs it.
        false => file
            .with_file_name(file_name("git-credential-sentry"))
            .exists(),
    }
}

fn rewritten(text: &str, program: Program, is_sentry_ours: impl Fn() -> bool) -> Cow<'_, str> {
    if program == Program::Sentry || !text.contains(WRITTEN) {
        return Cow::Borrowed(text);
    }
    let mut typed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(WRITTEN) {
        let (before, found) = rest.split_at(at);
        let after = &found[WRITTEN.len()..];
        typed.push_str(before);
        // A command begins at a backtick or behind a pipe; it is no part of a path or of a name.
        let is_command = typed.ends_with('`') || typed.ends_with("| ");
        let word = after.strip_prefix(' ').map(|after| {
            let is_of_word = |c: char| c.is_ascii_lowercase() || c == '-';
            let end = after.find(|c| !is_of_word(c)).unwrap_or(after.len());
            &after[..end]
        });
        match (is_command, word) {
            (false, _) => typed.push_str(WRITTEN),
            (true, Some(word)) if word.starts_with(|c: char| c.is_ascii_lowercase()) => {
                typed.push_str(&program.typed(word, &is_sentry_ours));
                rest = &after[1 + word.len()..];
                continue;
            }
            (true, Some(_)) => typed.push_str(program.typed("", &is_sentry_ours).trim_end()),
            (true, None) if after.starts_with('`') => {
                typed.push_str(program.typed("", &is_sentry_ours).trim_end());
            }
            (true, None) => typed.push_str(WRITTEN),
        }
        rest = after;
    }
    typed.push_str(rest);
    Cow::Owned(typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_typed_under_the_name_that_was_started() {
        let text = "not logged in (hint: `sentry auth login --url https://s.example`, then \
                    `sentry auth setup-git` or `iconv <FILE | sentry auth token --account x`; `sentry auth`)";
        let typed = |program, ours| rewritten(text, program, || ours).into_owned();
        assert_eq!(typed(Program::Sentry, true), text);
        assert_eq!(typed(Program::DockerHelper, true), text);
        let credential = "not logged in (hint: `sentry-credential login --url https://s.example`, then \
                          `sentry-credential setup-git` or `iconv <FILE | sentry-credential token --account x`; \
                          `sentry-credential auth`)";
        assert_eq!(typed(Program::SentryCredential, true), credential);
        assert_eq!(typed(Program::DockerHelper, false), credential);
        assert_eq!(
            typed(Program::GitHelper, true),
            "not logged in (hint: `git credential-sentry login --url https://s.example`, then \
             `git credential-sentry setup` or `iconv <FILE | sentry auth token --account x`; `sentry auth`)"
        );
        assert_eq!(
            typed(Program::GitHelper, false),
            "not logged in (hint: `git credential-sentry login --url https://s.example`, then \
             `git credential-sentry setup` or `iconv <FILE | sentry-credential token --account x`; \
             `sentry-credential auth`)"
        );
    }

    #[test]
    fn what_is_no_command_stays() {
        for text in [
            "",
            "`/opt/sentry auth/x`",
            "the directory sentry auth is not there",
            "`sentry authority`",
            "`my-sentry auth login`",
        ] {
            assert_eq!(rewritten(text, Program::SentryCredential, || true), text);
        }
    }

    #[test]
    fn each_command_of_git_is_one_of_ours() {
        assert_eq!(Program::command_of_git("setup"), Some("setup-git"));
        assert_eq!(Program::command_of_git("login"), Some("login"));
        for operation in ["get", "store", "erase", "capability", "setup-git", ""] {
            assert_eq!(Program::command_of_git(operation), None, "{operation}");
        }
    }
}
