//! The command line under each name of the program: `sentry auth COMMAND`, `sentry-credential COMMAND`, and
//! `git credential-sentry COMMAND`.
//!
//! Separate from the commands themselves, which are the same under each.

use std::ffi::OsString;
use std::iter::once;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::{Cli, Command, OutputArgs, Topic};
use crate::world::Program;

/// What was typed, under whichever name.
pub(crate) struct Typed {
    pub(crate) task: Task,
    pub(crate) output: OutputArgs,
}

/// What to do.
pub(crate) enum Task {
    /// `sentry auth …`
    Auth(Option<Command>),
    /// `sentry-credential link`
    Link(LinkArgs),
}

/// `sentry-credential`
#[derive(Parser)]
#[command(
    name = "sentry-credential",
    version,
    about = "One Sentry login for git, docker and scripts",
    arg_required_else_help = true,
    after_help = "It is the same program as `sentry auth`, under a name that Sentry's official CLI does not have. git \
                  and docker start `git-credential-sentry` and `docker-credential-sentry` by themselves, once \
                  `sentry-credential setup-git` or `sentry-credential setup-docker` has configured them."
)]
struct SentryCredential {
    /// How much to report
    #[command(flatten)]
    output: OutputArgs,
    /// What to do
    #[command(subcommand)]
    command: CredentialCommand,
}

/// `sentry-credential …`
#[derive(Subcommand)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one, and it lives as long as the program"
)]
enum CredentialCommand {
    #[command(flatten)]
    Auth(Command),
    /// Make a symlink `sentry` to this program
    Link(LinkArgs),
}

/// `link`
#[derive(Args)]
pub(crate) struct LinkArgs {
    /// In which directory [default: that of the program]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Whether these words, behind the name `sentry`, are for this program: all others are for another one of that name.
pub(crate) fn is_ours(words: &[OsString]) -> bool {
    let mut texts = words.iter().map(|word| word.to_str().unwrap_or_default());
    match (texts.next(), texts.next()) {
        (None | Some("-h" | "--help" | "-V" | "--version"), _) => true,
        (Some("auth"), None | Some("help")) => true,
        (Some("auth"), Some(word)) => word.starts_with('-') || is_command(word),
        (Some("help"), _) => is_ours(&words[1..]),
        _ => false,
    }
}

/// Whether a word is a command of `sentry auth`.
pub(crate) fn is_command(word: &str) -> bool {
    Command::has_subcommand(word)
}

/// Reads the words behind the name of the program, `started` as it was typed.
///
/// # Errors
/// They make no sense, or ask for help: to be printed as it is.
pub(crate) fn parse(
    program: Program,
    started: OsString,
    words: &[OsString],
) -> Result<Typed, clap::Error> {
    let mut words = words.iter().cloned().peekable();
    if program == Program::Sentry {
        let Topic::Auth { output, command } =
            Cli::try_parse_from(once(started).chain(words))?.topic;
        let task = Task::Auth(command);
        return Ok(Typed { task, output });
    }
    if words.next_if(|word| word == "auth").is_some() && words.peek().is_none() {
        let (task, output) = (Task::Auth(None), OutputArgs::default());
        return Ok(Typed { task, output });
    }
    let (mut line, words) = match program {
        Program::GitHelper => (of_git(), words.map(as_ours).collect()),
        _ => (SentryCredential::command(), words.collect::<Vec<_>>()),
    };
    let matches = line.try_get_matches_from_mut(once(started).chain(words))?;
    let parsed = SentryCredential::from_arg_matches(&matches);
    let SentryCredential { output, command } = parsed.map_err(|error| error.format(&mut line))?;
    let task = match command {
        CredentialCommand::Auth(command) => Task::Auth(Some(command)),
        CredentialCommand::Link(args) => Task::Link(args),
    };
    Ok(Typed { task, output })
}

/// What git and docker say to their helpers.
const SAID_BY_GIT: [(&str, &str); 4] = [
    ("get", "Answer a request on standard input"),
    ("store", "Store the credential on standard input"),
    ("erase", "Erase the credential on standard input"),
    ("capability", "Print what git may ask for"),
];
const SAID_BY_DOCKER: [(&str, &str); 5] = [
    ("get", "Answer a request on standard input"),
    ("store", "Store the credential on standard input"),
    ("erase", "Erase the credential on standard input"),
    ("list", "Print the registries and user names"),
    ("version", "Print the version"),
];

/// The commands as a completion script needs them.
pub(crate) fn command_line(program: Program) -> clap::Command {
    let said = |(name, about): (&'static str, &'static str)| clap::Command::new(name).about(about);
    match program {
        Program::Sentry => Cli::command(),
        Program::SentryCredential => SentryCredential::command(),
        Program::GitHelper => {
            let all = SentryCredential::command();
            let typed = Program::commands_of_git().filter_map(|typed| {
                let command = all.find_subcommand(Program::command_of_git(typed)?)?;
                Some(command.clone().name(typed))
            });
            let line =
                clap::Command::new("git-credential-sentry").version(env!("CARGO_PKG_VERSION"));
            line.subcommands(typed).subcommands(SAID_BY_GIT.map(said))
        }
        Program::DockerHelper => {
            let line =
                clap::Command::new("docker-credential-sentry").version(env!("CARGO_PKG_VERSION"));
            line.subcommands(SAID_BY_DOCKER.map(said))
        }
    }
}

/// `git credential-sentry …`
fn of_git() -> clap::Command {
    SentryCredential::command()
        .bin_name("git credential-sentry")
        .mut_subcommand("setup-git", |setup| {
            setup.override_usage("git credential-sentry setup [OPTIONS] [HOST]...")
        })
}

fn as_ours(word: OsString) -> OsString {
    let command = word.to_str().and_then(Program::command_of_git);
    command.map_or(word, OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_lines_are_consistent() {
        SentryCredential::command().debug_assert();
        of_git().debug_assert();
    }

    #[test]
    fn what_is_not_auth_is_for_another_program() {
        for line in [
            "",
            "auth",
            "auth login",
            "auth setup-git --nonsense",
            "auth --help",
            "auth --nonsense",
            "auth help",
            "auth help status",
            "-h",
            "--help",
            "-V",
            "--version",
            "help",
            "help auth",
            "help auth login",
        ] {
            assert!(is_ours(&words(line)), "{line}");
        }
        for line in [
            "issue list",
            "auth bootstrap",
            "auth logon",
            "--json issue list",
            "--json auth status",
            "--help=x",
            "login",
            "help issue",
            "help auth bootstrap",
            "api /organizations/",
            "AUTH",
        ] {
            assert!(!is_ours(&words(line)), "{line}");
        }
    }

    #[test]
    fn each_name_has_the_commands_of_auth() {
        let parsed = |program, line| {
            let typed = parse(program, "x".into(), &words(line));
            typed.map(|typed| typed.task)
        };
        for (program, line) in [
            (Program::Sentry, "auth login --force"),
            (Program::SentryCredential, "login --force"),
            (Program::SentryCredential, "auth login --force"),
            (Program::GitHelper, "login --force"),
        ] {
            assert!(
                matches!(parsed(program, line), Ok(Task::Auth(Some(Command::Login(args)))) if args.force),
                "{program:?} {line}"
            );
        }
        assert!(matches!(
            parsed(Program::GitHelper, "setup --undo"),
            Ok(Task::Auth(Some(Command::SetupGit(args)))) if args.undo
        ));
        assert!(matches!(
            parsed(Program::SentryCredential, "auth"),
            Ok(Task::Auth(None))
        ));
        assert!(matches!(
            parsed(Program::SentryCredential, "link /x"),
            Ok(Task::Link(LinkArgs { dir: Some(_) }))
        ));
        assert!(parsed(Program::Sentry, "auth link").is_err());
    }

    #[test]
    fn verbose_stands_before_or_behind_a_command_and_an_executed_command_keeps_its_own() {
        for (program, line, expected) in [
            (Program::Sentry, "auth -v", true),
            (Program::Sentry, "auth --verbose status", true),
            (Program::Sentry, "auth status -v", true),
            (Program::Sentry, "auth status", false),
            (Program::Sentry, "auth exec -v env", true),
            (Program::Sentry, "auth exec env -v", false),
            (Program::Sentry, "auth exec -- env --verbose", false),
            (Program::SentryCredential, "-v status", true),
            (Program::SentryCredential, "auth status -v", true),
            (Program::GitHelper, "setup --verbose g.example", true),
            (Program::GitHelper, "login", false),
        ] {
            let typed = parse(program, "x".into(), &words(line)).map_err(|error| error.to_string());
            assert_eq!(
                typed.map(|typed| typed.output.verbose),
                Ok(expected),
                "{line}"
            );
        }
    }

    #[test]
    fn help_and_errors_use_the_name() {
        for (program, line, usage) in [
            (
                Program::GitHelper,
                "login --nonsense",
                "git credential-sentry login",
            ),
            (
                Program::GitHelper,
                "setup --nonsense",
                "git credential-sentry setup [OPTIONS]",
            ),
            (
                Program::GitHelper,
                "setup --help",
                "git credential-sentry setup [OPTIONS]",
            ),
            (
                Program::SentryCredential,
                "help login",
                "sentry-credential login",
            ),
            (
                Program::SentryCredential,
                "auth help login",
                "sentry-credential login",
            ),
            (Program::SentryCredential, "help", "sentry-credential"),
            (Program::Sentry, "help auth login", "sentry auth login"),
            (Program::Sentry, "auth help", "sentry auth"),
        ] {
            let started = match program {
                Program::Sentry => "/bin/sentry",
                _ => "/bin/sentry-credential",
            };
            let Err(text) = parse(program, started.into(), &words(line)) else {
                panic!("{line}");
            };
            let text = text.to_string();
            assert!(text.contains(&format!("Usage: {usage}")), "{line}: {text}");
        }
    }
}
