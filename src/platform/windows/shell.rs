//! Commands as PowerShell reads them.
//!
//! Separate from the messages, which have the commands of a POSIX shell: a message is translated where it leaves the
//! program. Only what stands between backticks, and only the commands below, are.

use std::borrow::Cow;

/// Quotes a word, if it needs quoting.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || br"/\._-+:%".contains(&byte);
    // A number may be read as one.
    match word.starts_with(|c: char| c.is_ascii_alphabetic() || r"/\-".contains(c))
        && word.bytes().all(plain)
    {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "''")),
    }
}

/// A message with its commands for PowerShell.
pub(crate) fn translated(text: &str) -> Cow<'_, str> {
    if !text.contains('`') {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        if at > 0 {
            result.push('`');
        }
        match at % 2 {
            1 => result.push_str(&commands(part)),
            _ => result.push_str(part),
        }
    }
    Cow::Owned(result)
}

/// Windows PowerShell has no `&&`.
fn commands(line: &str) -> Cow<'_, str> {
    let parts: Vec<Option<String>> = line.split(" && ").map(command).collect();
    match parts.iter().all(Option::is_some) {
        true => Cow::Owned(parts.into_iter().flatten().collect::<Vec<_>>().join("; ")),
        false => Cow::Borrowed(line),
    }
}

/// One command. `None` if PowerShell reads it as it is.
fn command(line: &str) -> Option<String> {
    let (name, rest) = line.split_once(' ')?;
    let words = || words(rest);
    Some(match name {
        "export" => {
            let (name, value) = rest.split_once('=')?;
            match value.strip_suffix(":\"$PATH\"") {
                Some(dir) => format!("$env:PATH = {} + ';' + $env:PATH", literal(dir)),
                None => format!("$env:{name} = {}", literal(value)),
            }
        }
        "unset" => {
            let variables: Vec<_> = words().map(|word| format!("Env:{word}")).collect();
            format!("Remove-Item {}", variables.join(", "))
        }
        "rm" => match rest.strip_prefix("-r ") {
            Some(rest) => format!("Remove-Item -Recurse {rest}"),
            None => format!("Remove-Item {}", words().collect::<Vec<_>>().join(", ")),
        },
        "rmdir" => format!("Remove-Item {rest}"),
        "mv" => format!("Move-Item {rest}"),
        "chmod" => {
            let (_, path) = rest.split_once(' ')?;
            format!(
                "icacls {path} /reset; icacls {path} /inheritance:r /grant:r \"${{env:USERNAME}}:F\""
            )
        }
        "sudo" => {
            let path = rest.strip_prefix("chown ")?.strip_prefix("-R ");
            let path = path.or_else(|| rest.strip_prefix("chown "))?;
            format!("takeown /f {}", path.strip_prefix("\"$(id -un)\" ")?)
        }
        _ => return None,
    })
}

/// A value as a string: `$HOME` in double quotes means the same in PowerShell.
fn literal(value: &str) -> String {
    match value.starts_with(['\'', '"']) {
        true => value.to_owned(),
        false => format!("\"{value}\""),
    }
}

/// Words, with what stands in single quotes as one.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    line.split(move |c: char| {
        is_quoted ^= c == '\'';
        c == ' ' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_powershell_would_take_it_apart() {
        for (word, expected) in [
            ("https://r.example:5000", "https://r.example:5000"),
            (r"C:\Users\jane\x", r"C:\Users\jane\x"),
            ("", "''"),
            (r"C:\Program Files", r"'C:\Program Files'"),
            ("it's", "'it''s'"),
            ("$(x)", "'$(x)'"),
            ("a,b", "'a,b'"),
            ("@x", "'@x'"),
            ("--x", "--x"),
            ("7", "'7'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn commands_are_those_of_powershell() {
        for (posix, expected) in [
            ("no command at all", "no command at all"),
            ("`sentry auth login`", "`sentry auth login`"),
            (
                "hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, or so",
                "hint: `$env:SENTRY_CLIENT_ID = \"CLIENT_ID\"`, or so",
            ),
            (
                r#"`export PATH='C:\a b':"$PATH"`"#,
                r"`$env:PATH = 'C:\a b' + ';' + $env:PATH`",
            ),
            (
                "`unset SENTRY_URL SENTRY_HOST`",
                "`Remove-Item Env:SENTRY_URL, Env:SENTRY_HOST`",
            ),
            (r"`rm 'C:\a b' C:\c`", r"`Remove-Item 'C:\a b', C:\c`"),
            (r"`rm -r C:\c`", r"`Remove-Item -Recurse C:\c`"),
            (r"`mv C:\c C:\c.old`", r"`Move-Item C:\c C:\c.old`"),
            (
                r"`chmod 600 C:\c && rm C:\d`",
                "`icacls C:\\c /reset; icacls C:\\c /inheritance:r /grant:r \"${env:USERNAME}:F\"; \
                 Remove-Item C:\\d`",
            ),
            (
                r#"`sudo chown -R "$(id -un)" C:\c`, if"#,
                r"`takeown /f C:\c`, if",
            ),
        ] {
            assert_eq!(translated(posix), expected);
        }
    }
}
