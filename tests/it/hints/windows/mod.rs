//! What Windows shows in place of these commands is read by each of its shells as it is meant.
//!
//! Separate from the rows that run the commands, because nothing here runs them: they are taken apart by the rules of the
//! shells. The translation itself is compiled in, so that its own tests run on every system.

mod cmd;
mod git_bash;
mod powershell;

use super::{Row, commands, doctor, network, sites, store};
use powershell::COMMANDS;
use translation::Shell;

#[path = "../../../../src/platform/windows/commands/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod translation;

/// Commands of a POSIX shell: what begins with one, between backticks, is a command.
const POSIX: [&str; 20] = [
    "cat", "chmod", "chown", "cp", "curl", "echo", "env", "export", "iconv", "kill", "ln", "mkdir",
    "mv", "printf", "rm", "rmdir", "sh", "sudo", "touch", "unset",
];

/// Never shown on Windows: `platform::process` has another one there, or none.
const OF_OTHER_SYSTEMS: [&str; 2] = [
    "timedatectl set-ntp true",
    "sudo mkdir -p X && sudo ln -sf X X/",
];

/// Each shell, and why it does not read a command as it is meant.
const SHELLS: [(Shell, Refusal); 3] = [
    (Shell::PowerShell, powershell::refusal),
    (Shell::Cmd, cmd::refusal),
    (Shell::Posix, git_bash::refusal),
];

type Refusal = fn(&str) -> Option<String>;

/// Refused commands with the text that they stand in.
fn refused(text: &str, command: &str) -> Vec<String> {
    if OF_OTHER_SYSTEMS.contains(&command) {
        return Vec::new();
    }
    let command = format!("`{command}`");
    let refused = SHELLS.iter().filter_map(|(shell, refusal)| {
        let translated = translation::translated(&command, || *shell);
        let why = refusal(translated.trim_matches('`'))?;
        Some(format!("{text}: {shell:?}: {translated}: {why}"))
    });
    refused.collect()
}

#[test]
fn each_hint_is_a_command_of_each_shell() {
    let tables = [doctor::ROWS, commands::ROWS, network::ROWS, store::ROWS];
    let rows: Vec<&Row> = tables.into_iter().flatten().collect();
    let homes = [
        r"C:\Users\jane",
        r"C:\Users\R & D",
        r"C:\Users\it's 50% (ü)",
    ];
    let mut refused_ones = Vec::new();
    for (row, home) in rows.iter().flat_map(|row| homes.map(|home| (row, home))) {
        // What a row types.
        let command = row.hint.split('`').nth(1).unwrap();
        let command = at_home(&command.replace("$$", "\0"), home)
            .replace("$URL", "https://s.example")
            .replace("$TLS", "https://s.example")
            .replace("$CA", r"C:\Users\jane\ca.pem")
            .replace("$BIN", r"C:\Users\jane\bin")
            .replace('\0', "$");
        refused_ones.extend(refused(row.hint, &command));
    }
    assert_eq!(refused_ones, Vec::<String>::new());
    assert!(rows.len() > 50, "{}", rows.len());
}

/// A command with a home directory for `$HOME`, quoted as the program quotes a path.
fn at_home(command: &str, home: &str) -> String {
    let mut parts = command.split("$HOME");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        match filled.ends_with('\'') {
            true => {
                filled.push_str(&home.replace('\'', "''"));
                filled.push_str(part);
            }
            false => {
                let end = part.find([' ', ':']).unwrap_or(part.len());
                let (path, rest) = part.split_at(end);
                filled.push_str(&translation::quoted(&format!("{home}{path}")));
                filled.push_str(rest);
            }
        }
    }
    filled
}

#[test]
fn each_command_of_a_message_is_one_of_each_shell() {
    let (mut refused_ones, mut found) = (Vec::new(), 0);
    for (file, literal) in sites::literals() {
        if file.starts_with("platform/") {
            continue;
        }
        for part in literal.split('`').skip(1).step_by(2) {
            let command = filled(part);
            let first = command.split(' ').next().unwrap();
            let is_assignment = || {
                first
                    .split_once('=')
                    .is_some_and(|(name, _)| is_upper(name))
            };
            let is_ours = command.contains(' ') && COMMANDS.contains(&first);
            if is_ours || POSIX.contains(&first) || is_assignment() {
                found += 1;
                refused_ones.extend(refused(&file, &command));
            }
        }
    }
    assert_eq!(refused_ones, Vec::<String>::new());
    assert!(found > 60, "{found}");
}

fn is_upper(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// A format string with a word for each value, which is a command where one begins.
fn filled(format: &str) -> String {
    let mut parts = format.split('{');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').unwrap_or(("", part));
        let is_command = text.is_empty() || text.ends_with("| ") || text.ends_with("&& ");
        text.push_str(if is_command { "sentry" } else { "X" });
        text.push_str(rest);
    }
    text
}
