//! `sentry auth exec`: replaces this process by a command that has the token in its environment.
//!
//! The token is only in the memory and the environment of that command: not in its arguments, which every user can read,
//! and not in a file. Streams, other descriptors, signals and limits are inherited unchanged.
//!
//! Exit codes are those of env(1): 127 if the command is not found, 126 if it cannot be run, 125 if there is no token to
//! run it with, else the command's own.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::access::AccessToken;
use crate::cli::ExecArgs;
use crate::environment::{INSTANCES, TOKENS};
use crate::failure::Failure;
use crate::platform::inheritance::Inheritance;
use crate::printable::printable;
use crate::world::World;

/// The command exists but cannot be run.
const CANNOT_RUN: u8 = 126;

/// The command is not found.
const NOT_FOUND: u8 = 127;

/// Makes Sentry's official CLI prefer a variable to its stored login.
const OFFICIAL_PREFERS_TOKEN: &str = "SENTRY_FORCE_ENV_TOKEN";

/// Returns only on failure: an error if there is no token, an exit code if the command cannot be run.
///
/// # Errors
/// There is no token to run the command with.
pub(crate) fn exec(world: &World, args: &ExecArgs) -> anyhow::Result<(ExitCode, Failure)> {
    if let Some(option) = args.command.first().filter(|word| is_option(word)) {
        // clap takes an unknown option for the command.
        let what = format!(
            "there is no option `{}`",
            printable(&option.to_string_lossy())
        );
        return Err(Failure::new(what)
            .hint("`sentry auth exec --help`")
            .into_usage()
            .into());
    }
    // Before anything is started, which would not inherit the caller's descriptors and limits.
    let inheritance = Inheritance::note();
    let found = AccessToken::of(world, &args.instance, args.min_validity)?;
    let first = args.command.first();
    let script = first.and_then(|name| world.script(Path::new(name)));
    let command = command(&found, args, script.as_deref());
    drop(found);
    world.trace(|| "the command takes over".to_owned());
    let program = args.command.first().map_or(OsStr::new(""), |name| name);
    let file = || file(world, program);
    let error = inheritance.hand_over(command, file, || world.signals().release());
    let program = printable(&program.to_string_lossy());
    Ok(match error.kind() {
        io::ErrorKind::NotFound => {
            let what = format!("cannot run `{program}`: there is no such command");
            (ExitCode::from(NOT_FOUND), Failure::new(what))
        }
        _ => {
            let what = format!("cannot run `{program}`: {error}");
            (ExitCode::from(CANNOT_RUN), Failure::new(what))
        }
    })
}

/// The command with its environment, without the variables that would contradict the token: those that contain another
/// token or name an instance.
fn command(found: &AccessToken, args: &ExecArgs, script: Option<&Path>) -> Command {
    let mut words = args.command.iter();
    let name = words.next().map_or(OsStr::new(""), |name| name);
    let mut command = Command::new(script.map_or(name, Path::as_os_str));
    command.args(words);
    for name in TOKENS.into_iter().chain(INSTANCES) {
        command.env_remove(name);
    }
    command.env("SENTRY_URL", found.instance.to_string());
    let names = match args.env.is_empty() {
        true => vec![TOKENS[0]],
        false => args.env.iter().map(String::as_str).collect(),
    };
    for name in names {
        command.env(name, found.token.expose());
        if TOKENS.contains(&name) {
            command.env(OFFICIAL_PREFERS_TOKEN, "1");
        }
    }
    command
}

/// Where the command is.
fn file(world: &World, program: &OsStr) -> Option<PathBuf> {
    match program.as_encoded_bytes().contains(&b'/') {
        true => Some(PathBuf::from(program)),
        false => world.program(program.to_str()?),
    }
}

/// Whether a word is an option and cannot be a command.
fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::SessionArgs;
    use crate::origin::Origin;
    use crate::secret::Secret;

    /// The changes to the environment of a command: a value, or `None` for a variable that is removed.
    fn environment(env: &[&str]) -> BTreeMap<String, Option<String>> {
        let found = AccessToken {
            token: Secret::new("t0ken"),
            instance: Origin::parse("https://self.example").unwrap(),
            account: None,
            source: "session",
            expires_at: None,
        };
        let args = ExecArgs {
            instance: SessionArgs::default(),
            min_validity: None,
            env: env.iter().map(|name| (*name).to_owned()).collect(),
            command: vec!["true".into(), "--".into(), "-x".into()],
        };
        let command = command(&found, &args, None);
        assert_eq!(command.get_program(), "true");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--", "-x"]);
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        let changes = command.get_envs();
        changes
            .map(|(name, value)| (text(name), value.map(text)))
            .collect()
    }

    #[test]
    fn nothing_in_the_environment_contradicts_the_token() {
        let some = |text: &str| Some(text.to_owned());
        let expected = |changes: &[(&str, Option<String>)]| {
            let changes = changes.iter().cloned();
            changes
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<BTreeMap<_, _>>()
        };
        let url = ("SENTRY_URL", some("https://self.example"));
        let host = ("SENTRY_HOST", None);
        let forced = ("SENTRY_FORCE_ENV_TOKEN", some("1"));
        assert_eq!(
            environment(&[]),
            expected(&[
                ("SENTRY_AUTH_TOKEN", some("t0ken")),
                ("SENTRY_TOKEN", None),
                url.clone(),
                host.clone(),
                forced.clone(),
            ])
        );
        assert_eq!(
            environment(&["GH_TOKEN", "SENTRY_TOKEN"]),
            expected(&[
                ("GH_TOKEN", some("t0ken")),
                ("SENTRY_AUTH_TOKEN", None),
                ("SENTRY_TOKEN", some("t0ken")),
                url.clone(),
                host.clone(),
                forced,
            ])
        );
        assert_eq!(
            environment(&["MY_TOKEN"]),
            expected(&[
                ("MY_TOKEN", some("t0ken")),
                ("SENTRY_AUTH_TOKEN", None),
                ("SENTRY_TOKEN", None),
                url,
                host,
            ])
        );
    }
}
