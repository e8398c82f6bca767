//! What `cmd.exe` reads as it is meant at its prompt (`help set`, `help cmd`).

/// What a command may begin with.
const COMMANDS: [&str; 14] = [
    "curl",
    "del",
    "docker",
    "echo",
    "git",
    "icacls",
    "move",
    "rmdir",
    "sentry",
    "sentry-credential",
    "set",
    "takeown",
    "type",
    "w32tm",
];

/// What may be expanded.
const VARIABLES: [&str; 5] = ["PATH", "TEMP", "USERDOMAIN", "USERNAME", "USERPROFILE"];

/// Why `cmd.exe` does not read a command as it is meant.
pub fn refusal(command: &str) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    let mut before = ' ';
    let mut rest = command.char_indices();
    while let Some((at, c)) = rest.next() {
        let after = &command[at + c.len_utf8()..];
        let part = parts.last_mut().unwrap();
        part.push(c);
        match c {
            '"' if before == '\\' && is_quoted && !after.is_empty() && !after.starts_with(' ') => {
                return Some(
                    "the program would get a quote, and the shell does not know".to_owned(),
                );
            }
            '"' => is_quoted = !is_quoted,
            '^' if !is_quoted => {
                let Some((_, escaped)) = rest.next() else {
                    return Some("a caret at the end".to_owned());
                };
                parts.last_mut().unwrap().push(escaped);
            }
            '%' => {
                let Some((name, _)) = after.split_once('%') else {
                    return Some("a percent sign without a caret".to_owned());
                };
                if !VARIABLES.contains(&name) {
                    return Some(format!("expands {name:?}"));
                }
                parts.last_mut().unwrap().push_str(&after[..=name.len()]);
                for _ in 0..=name.chars().count() {
                    rest.next();
                }
            }
            '\'' if before == ' ' => return Some("a single quote quotes nothing".to_owned()),
            '$' if after.starts_with(|c: char| c.is_ascii_uppercase()) => {
                return Some(format!("no variable: ${after}"));
            }
            ';' if !is_quoted && after.starts_with(' ') => {
                return Some("a semicolon separates nothing".to_owned());
            }
            '~' if before == ' ' => return Some("`~` is not expanded".to_owned()),
            '|' | '&' | '(' | ')' if !is_quoted => {
                part.pop();
                parts.push(String::new());
            }
            _ => {}
        }
        before = c;
    }
    if is_quoted {
        return Some("a quote is not closed".to_owned());
    }
    let is_unknown = |part: &&String| {
        let part = part.trim();
        let first = part.split(' ').next().unwrap();
        let is_variable = |rest: &str| rest.trim_start().starts_with(['"', '^']);
        match part.strip_prefix("set ") {
            Some(rest) => !is_variable(rest),
            None => !part.is_empty() && !part.starts_with('>') && !COMMANDS.contains(&first),
        }
    };
    let unknown = parts.iter().find(is_unknown);
    unknown.map(|part| format!("there is no command {part:?}"))
}

#[test]
fn what_cmd_reads_differently_is_refused() {
    for command in [
        "export A=b",
        "set A=b",
        "$env:A = 'b'",
        "sentry x; sentry y",
        "sentry 'a b'",
        "sentry $HOME/x",
        "sentry \"$HOME/x\"",
        "sentry 50%x%",
        "sentry \"50%x%\"",
        "sentry 50%",
        "sentry ~/x",
        "sentry \"x",
        "sentry \"a \\\"b\\\" c\"",
        "A=b sentry x",
        "rm x",
        "type x | cat",
    ] {
        assert!(refusal(command).is_some(), "{command}");
    }
    for command in [
        "sentry auth login --url https://x:1 jane@example.com",
        "sentry \"a b\" \"R&D (x)\" it's",
        "sentry ^\"50^%x^%^\"",
        "set \"A=\" & set \"B=%PATH%\"",
        "set ^\"A=50^%^\" & sentry x",
        "(echo a=b&echo c^&d)>\"%TEMP%\\x\" && git credential reject <\"%TEMP%\\x\"",
        "del \"C:\\a b\"",
    ] {
        assert_eq!(refusal(command), None, "{command}");
    }
}
