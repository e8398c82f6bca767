//! `sentry auth completions`: prints a shell completion script.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::cli::{CompletionsArgs, command_line};
use crate::world::{self, Program};

/// git's completion looks for the function in the script of git's helper.
const FOR_GIT_IN_BASH: &str = r#"
_git_credential_sentry() {
    local at=${__git_cmd_idx:-1}
    local typed=(git-credential-sentry "${COMP_WORDS[@]:at+1}")
    local COMP_CWORD=$((COMP_CWORD - at)) COMP_WORDS=("${typed[@]}")
    _git__credential__sentry git-credential-sentry "${typed[COMP_CWORD]}" "${typed[COMP_CWORD-1]}"
}
"#;

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
        "git-credential-sentry" => Program::GitHelper,
        "docker-credential-sentry" => Program::DockerHelper,
        _ => started,
    };
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(program), name, &mut script);
    let mut script = String::from_utf8(script)?;
    if args.shell == Shell::Bash {
        // clap_complete 4.6 writes a hyphen of the program's name in two ways, and so misses the options of each command.
        script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
    }
    let script = match (program, args.shell) {
        (Program::GitHelper, Shell::Bash) => script + FOR_GIT_IN_BASH,
        // zsh's completion of git calls the function of this script; fish has that of `sentry-credential`.
        (Program::GitHelper | Program::DockerHelper, _) => script,
        _ => with_git(args.shell, &script),
    };
    world::print(script.as_bytes())?;
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
