//! The shell that the user types in, by the processes that this one descends from.
//!
//! Separate from the commands. By processes, and not by variables, because variables are inherited through shells: git sets
//! `MSYSTEM` for its helpers wherever it is started, `PSModulePath` is one of the machine's, and a PowerShell that bash
//! started has bash's `SHELL`.

use std::ffi::OsString;

/// A shell, as far as its commands differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "the name of a product")]
pub(crate) enum Shell {
    /// Windows PowerShell 5.1, and PowerShell 7.
    PowerShell,
    Cmd,
    /// bash of Git for Windows, MSYS2 and Cygwin, and other shells with them.
    Posix,
}

/// The shell among the ancestors of a process, the parent first, each with the name of its program and its command line:
/// the first one that reads what a user types. What only runs a command or a script, as git and npm start it, is passed
/// over, and so is every other program. Without one, `SHELL` decides, which bash exports and the other two never set.
pub(crate) fn shell_of(
    ancestors: impl IntoIterator<Item = (String, Vec<OsString>)>,
    shell: Option<OsString>,
) -> Shell {
    let found = ancestors.into_iter().find_map(|(name, arguments)| {
        let name = name.to_ascii_lowercase();
        let is_known = !arguments.is_empty();
        let arguments: Vec<_> = arguments
            .iter()
            .skip(1)
            .map(|word| word.to_string_lossy().to_ascii_lowercase())
            .collect();
        let (shell, is_typed_in) = match name.strip_suffix(".exe").unwrap_or(&name) {
            "cmd" => (Shell::Cmd, !cmd_ends(&arguments)),
            "powershell" | "powershell_ise" | "pwsh" | "pwsh-preview" => {
                (Shell::PowerShell, !powershell_ends(&arguments))
            }
            "bash" | "zsh" | "fish" | "dash" | "ksh" | "mksh" => {
                (Shell::Posix, !posix_ends(&arguments))
            }
            // git starts its helpers by it.
            "sh" => (Shell::Posix, is_known && !posix_ends(&arguments)),
            _ => return None,
        };
        is_typed_in.then_some(shell)
    });
    match (found, shell) {
        (Some(found), _) => found,
        (None, Some(shell)) if !shell.is_empty() => Shell::Posix,
        (None, _) => Shell::PowerShell,
    }
}

/// Whether it ends after a command: `/c`, unless `/k` comes first.
fn cmd_ends(arguments: &[String]) -> bool {
    let mut options = arguments.iter().filter_map(|word| word.strip_prefix('/'));
    options
        .find(|option| option.starts_with(['c', 'r', 'k']))
        .is_some_and(|option| !option.starts_with('k'))
}

/// Whether it ends after a command or a script: `-Command`, `-File`, `-EncodedCommand`, or the start of one of them,
/// without `-NoExit`.
fn powershell_ends(arguments: &[String]) -> bool {
    let option = |word: &String| word.strip_prefix(['-', '/']).map(str::to_owned);
    let begins = |long: &str, short: &str| {
        let mut options = arguments.iter().filter_map(option);
        options.any(|option| option.starts_with(short) && long.starts_with(&option))
    };
    let runs = [
        ("command", "c"),
        ("commandwithargs", "commandw"),
        ("file", "f"),
        ("encodedcommand", "e"),
        ("ec", "ec"),
    ];
    let runs = runs.iter().any(|(long, short)| begins(long, short));
    runs && !begins("noexit", "noe")
}

/// Whether it ends after a command, `-c`, or a script.
fn posix_ends(arguments: &[String]) -> bool {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match &**word {
            "--init-file" | "--rcfile" | "-o" | "+o" => {
                words.next();
            }
            long if long.starts_with("--") => {}
            short if short.starts_with(['-', '+']) => {
                if short.starts_with('-') && short.contains('c') {
                    return true;
                }
            }
            _ => return true,
        }
    }
    false
}
