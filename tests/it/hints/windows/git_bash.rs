//! What the bash of Git for Windows reads as it is meant: its syntax, by bash itself, and what differs from other systems.
//! Arguments that begin with a slash become paths of Windows, `chmod` changes no access list, and a colon separates the
//! directories of `PATH`.

use std::process::{Command, Stdio};

/// Programs of Windows, whose options begin with a slash.
const OF_WINDOWS: [&str; 3] = ["icacls", "takeown", "w32tm"];

/// Without effect there.
const WITHOUT_EFFECT: [&str; 3] = ["chmod", "chown", "sudo"];

/// Why bash does not read a command as it is meant.
pub fn refusal(command: &str) -> Option<String> {
    let mut bash = Command::new("bash");
    let bash = bash.args(["-n", "-c", command]).stderr(Stdio::null());
    if !bash.status().unwrap().success() {
        return Some("bash cannot read it".to_owned());
    }
    if has_unquoted_backslash(command) {
        return Some("a backslash outside of quotes".to_owned());
    }
    for command in command.split(" && ") {
        let words = shlex::split(command).unwrap();
        let is_of_windows = OF_WINDOWS.contains(&&*words[0]);
        if WITHOUT_EFFECT.contains(&&*words[0]) {
            return Some(format!("{} changes no access list", words[0]));
        }
        for word in &words[1..] {
            if is_of_windows && word.starts_with('/') && !word.starts_with("//") {
                return Some(format!("{word:?} becomes a path"));
            }
            if !is_of_windows && (word.contains(r":\") || word.starts_with(r"\\")) {
                return Some(format!("{word:?} has backslashes"));
            }
            let path = word.strip_prefix("PATH=").unwrap_or_default();
            if path.contains(":/") && !path.contains("$PATH") || path.matches(':').count() > 1 {
                return Some(format!("{word:?} has a colon within a directory"));
            }
        }
    }
    None
}

fn has_unquoted_backslash(command: &str) -> bool {
    let mut quote = None;
    command.chars().any(|c| {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        c == '\\' && quote.is_none()
    })
}

#[test]
fn what_git_bash_reads_differently_is_refused() {
    for command in [
        r"sentry C:\x",
        r"sentry 'C:\x'",
        r"sentry '\\server\share'",
        "sentry 'x",
        "icacls 'C:\\x' /reset",
        "w32tm /resync",
        "chmod 600 C:/x",
        "sudo chown jane C:/x",
        "export PATH=C:/x:\"$PATH\"",
        "(sentry x",
    ] {
        assert!(refusal(command).is_some(), "{command}");
    }
    for command in [
        "sentry auth login --url https://x:1 jane@example.com",
        "sentry C:/x 'C:/a b' 'AD\\jane'",
        "icacls 'C:\\x' //reset && icacls 'C:\\x' //grant:r \"$USERDOMAIN\\\\$USERNAME:F\"",
        "w32tm //resync",
        "export PATH=/c/x:\"$PATH\"",
        "printf '%s\\n' a=b | git credential-sentry erase",
        "A=b sentry <FILE",
    ] {
        assert_eq!(refusal(command), None, "{command}");
    }
}
