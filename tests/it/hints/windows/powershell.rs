//! What Windows PowerShell 5.1 reads as it is meant (about_Parsing, about_Quoting_Rules).

/// What a command may begin with.
pub const COMMANDS: [&str; 11] = [
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

/// Why PowerShell does not read a command as it is meant.
pub fn refusal(command: &str) -> Option<String> {
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
