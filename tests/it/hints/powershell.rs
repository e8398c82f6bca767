//! What Windows shows in place of these commands is read by PowerShell as it is meant.
//!
//! Separate from the rows that run the commands, because nothing here runs them: they are taken apart by the rules of Windows
//! PowerShell 5.1 (about_Parsing, about_Quoting_Rules). The translation itself is compiled in, so that its own tests run on
//! every system.

use super::{Row, commands, doctor, network, sites, store};

#[path = "../../../src/platform/windows/shell.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod shell;

/// What a command may begin with.
const COMMANDS: [&str; 11] = [
    "Get-Content",
    "Move-Item",
    "Remove-Item",
    "curl.exe",
    "docker",
    "git",
    "icacls",
    "sentry",
    "sentry-credential",
    "takeown",
    "w32tm",
];

/// Those of PowerShell itself, whose arguments stay as they are written.
const CMDLETS: [&str; 3] = ["Get-Content", "Move-Item", "Remove-Item"];

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

/// Why PowerShell does not read a command as it is meant.
fn refusal(command: &str) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut rest = command.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let after: String = rest.clone().collect();
        let part = parts.last_mut().unwrap();
        part.push(c);
        match c {
            '\'' | '"' => {
                if !" (".contains(before) {
                    return Some(format!("a quote within a word, before {after:?}"));
                }
                let mut quoted = String::new();
                loop {
                    let Some(inner) = rest.next() else {
                        return Some("a quote is not closed".to_owned());
                    };
                    if inner == c && rest.next_if_eq(&c).is_none() {
                        break;
                    }
                    quoted.push(inner);
                }
                if c == '"' && !quoted.split('$').skip(1).all(is_variable) {
                    return Some(format!("{quoted:?} expands something else"));
                }
                if !rest.peek().is_none_or(|next| " ,;)".contains(*next)) {
                    return Some(format!("a word goes on behind {quoted:?}"));
                }
                let is_cmdlet = CMDLETS
                    .iter()
                    .any(|name| part.trim_start().starts_with(name));
                let is_value = part.trim_start().starts_with(['$', '\'', '"']);
                if !is_cmdlet && !is_value && (quoted.is_empty() || quoted.contains('"')) {
                    return Some(format!("5.1 does not pass {quoted:?} to a program"));
                }
                part.push_str(&quoted);
                part.push(c);
            }
            ';' | '|' => {
                part.pop();
                parts.push(String::new());
            }
            '$' if !is_variable(&after) && !after.starts_with("null") => {
                return Some(format!("no variable of PowerShell: ${after}"));
            }
            '<' => return Some("`<` is reserved".to_owned()),
            '~' if before == ' ' => return Some("programs do not expand `~`".to_owned()),
            '&' => return Some("`&&` needs PowerShell 7".to_owned()),
            '@' | '#' | '{' if before == ' ' => return Some(format!("{c} begins something else")),
            '\\' if next == '"' => return Some("a backslash quotes nothing".to_owned()),
            _ => {}
        }
        before = if c == '\'' || c == '"' { 'x' } else { c };
    }
    let unknown = parts.iter().enumerate().find(|(at, part)| {
        let part = part.trim();
        let is_value = *at == 0 && part.starts_with(['\'', '"']);
        let first = part.split(' ').next().unwrap();
        !(is_value
            || COMMANDS.contains(&first)
            || part.starts_with("$env:") && part.contains(" = "))
    });
    unknown.map(|(_, part)| format!("there is no command {part:?}"))
}

fn is_variable(text: &str) -> bool {
    ["env:", "{env:", "HOME"]
        .iter()
        .any(|name| text.starts_with(name))
}

/// A refused command with the text that it stands in.
fn refused(text: &str, command: &str) -> Option<String> {
    let translated = shell::translated(&format!("`{command}`")).into_owned();
    let translated = translated.trim_matches('`');
    let why = refusal(translated)?;
    (!OF_OTHER_SYSTEMS.contains(&command)).then(|| format!("{text}: `{translated}`: {why}"))
}

#[test]
fn each_hint_is_a_command_of_powershell() {
    let tables = [doctor::ROWS, commands::ROWS, network::ROWS, store::ROWS];
    let rows: Vec<&Row> = tables.into_iter().flatten().collect();
    let refused: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let hint = row
                .hint
                .replace("$$", "\0")
                .replace("$HOME", r"C:\Users\jane")
                .replace("$URL", "https://s.example")
                .replace("$TLS", "https://s.example")
                .replace("$CA", r"C:\Users\jane\ca.pem")
                .replace("$BIN", r"C:\Users\jane\bin")
                .replace('\0', "$");
            // What a row types.
            let command = hint.split('`').nth(1).unwrap();
            refused(row.hint, command)
        })
        .collect();
    assert_eq!(refused, Vec::<String>::new());
    assert!(rows.len() > 50, "{}", rows.len());
}

#[test]
fn each_command_of_a_message_is_one_of_powershell() {
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

#[test]
fn what_powershell_reads_differently_is_refused() {
    for command in [
        "export A=b",
        "$env:A = 'b' && sentry x",
        "sentry x <FILE",
        "sentry $(x)",
        "sentry \"$(x)\"",
        "sentry $PATH",
        "sentry ~/x",
        "sentry 'a'.old",
        "sentry 'a'*",
        "sentry --x='a b'",
        "sentry ''",
        "git config '^[!\"]'",
        "sentry \\\"x\\\"",
        "sentry 'x",
        "sentry @x",
        "A=b sentry x",
        "Get-Content x | cat",
    ] {
        assert!(refusal(command).is_some(), "{command}");
    }
    for command in [
        "sentry auth login --url https://x:1 jane@example.com",
        "sentry 'it''s' \"me\"",
        "$env:A = $env:B = $null",
        "$env:PATH = 'C:\\a b' + ';' + $env:PATH",
        "'a=b', 'c' | git credential reject",
        "icacls 'C:\\a b*' /grant:r \"${env:USERDOMAIN}\\${env:USERNAME}:F\"",
    ] {
        assert_eq!(refusal(command), None, "{command}");
    }
}
