//! `sentry auth completions`: prints a shell completion script.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::cli::{CompletionsArgs, command_line};
use crate::world::{self, Program};

/// Completes the command line of the program that is named; any other name means the one that was started.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let started = Program::running();
    let name = match (&args.name, started) {
        (Some(name), _) => name,
        (None, Program::Sentry) => "sentry",
        (None, _) => "sentry-credential",
    };
    let program = match name {
        "sentry" => Program::Sentry,
        "sentry-credential" => Program::SentryCredential,
        _ => started,
    };
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(program), name, &mut script);
    world::print(with_git(args.shell, &String::from_utf8(script)?).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The script, and the commands of `git credential-sentry`: git's own completion asks for them, in a way of its own in
/// each shell.
fn with_git(shell: Shell, script: &str) -> String {
    let names: Vec<&str> = Program::commands_of_git().collect();
    let names = names.join(" ");
    match shell {
        Shell::Bash => format!(
            "{script}\n_git_credential_sentry() {{\n    [[ $prev == credential-sentry ]] && __gitcomp \"{names}\"\n}}\n"
        ),
        // The first line has to stay the first; the last one decides what the file comes to.
        Shell::Zsh => {
            let (first, rest) = script.split_once('\n').unwrap_or((script, ""));
            format!(
                "{first}\n\n_git-credential-sentry() {{\n    (( CURRENT == 2 )) && compadd -- {names}\n}}\n{rest}"
            )
        }
        Shell::Fish => format!(
            "{script}complete -c git -f -n '__fish_git_using_command credential-sentry; \
             and not __fish_seen_subcommand_from {names}' -a '{names}'\n"
        ),
        _ => script.to_owned(),
    }
}
