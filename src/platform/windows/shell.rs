//! Commands as PowerShell reads them.
//!
//! Separate from the messages, which have the commands of a POSIX shell: a message is translated where it leaves the
//! program. Only what stands between backticks, and only the commands below, are. `tests/it/hints/powershell.rs` translates
//! every command that a message has, and refuses what PowerShell would not read; 5.1 comes with Windows and has no `&&`, no
//! `<`, and drops empty words and double quotes of a program's arguments.

use std::borrow::Cow;

/// Quotes a word, if it needs quoting.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || br"/\._-+:%".contains(&byte);
    // A number may be read as one.
    match word.starts_with(|c: char| c.is_ascii_alphabetic() || r"/\-".contains(c))
        && word.bytes().all(plain)
    {
        true => word.to_owned(),
        false => literal(word),
    }
}

/// The path of a program as git runs it: with slashes, and quoted for the POSIX shell that comes with git.
pub(crate) fn path_for_git(path: &str) -> String {
    let path = path.replace('\\', "/");
    match shlex::try_quote(&path) {
        Ok(quoted) => quoted.into_owned(),
        // There is no such path.
        Err(_) => path.replace('\0', ""),
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

/// Commands that follow each other.
fn commands(line: &str) -> Cow<'_, str> {
    let parts: Vec<_> = line.split(" && ").map(command).collect();
    match parts
        .iter()
        .any(|part| part.is_some() || line.contains(" && "))
    {
        true => {
            let parts = parts.into_iter().zip(line.split(" && "));
            let parts = parts.map(|(translated, line)| translated.unwrap_or_else(|| line.into()));
            Cow::Owned(parts.collect::<Vec<_>>().join("; "))
        }
        false => Cow::Borrowed(line),
    }
}

/// One command, or several with pipes between them. `None` if PowerShell reads it as it is.
fn command(line: &str) -> Option<String> {
    let words = words(line);
    let (name, rest) = words.split_first()?;
    let paths = || rest.iter().filter(|word| !word.text().starts_with('-'));
    let list = || {
        let list: Vec<_> = paths().map(Word::argument).collect();
        list.join(", ")
    };
    Some(match &*name.text() {
        "export" => assignment(rest.first()?)?,
        "unset" => {
            let variables: Vec<_> = rest
                .iter()
                .map(|name| format!("$env:{} = ", name.text()))
                .collect();
            format!("{}$null", variables.concat())
        }
        "rm" if rest.first()?.text() == "-r" => {
            format!("Remove-Item -Recurse -LiteralPath {}", list())
        }
        "rm" | "rmdir" => format!("Remove-Item -LiteralPath {}", list()),
        "mv" => match rest {
            [from, to] => format!(
                "Move-Item -LiteralPath {} {}",
                from.argument(),
                to.argument()
            ),
            _ => return None,
        },
        "chmod" => match rest {
            [mode, path] => closed(&path.argument(), mode.text() == "600"),
            _ => return None,
        },
        "sudo" if rest.first()?.text() == "chown" => {
            let recursive = match rest.get(1)?.text() == "-R" {
                true => " /r",
                false => "",
            };
            format!("takeown /f {}{recursive}", rest.last()?.argument())
        }
        // `curl` is another command there.
        "curl" => line.replacen("curl", "curl.exe", 1),
        "printf" => {
            let (lines, reader) = rest.split_first()?.1.split_at_checked(pipe(rest)? - 1)?;
            let lines: Vec<_> = lines.iter().map(|line| literal(&line.text())).collect();
            format!("{} | {}", lines.join(", "), reads_crlf(&reader[1..])?)
        }
        // Get-Content reads each encoding that has a byte order mark.
        "iconv" => {
            let at = pipe(rest)?;
            let file = rest[..at].iter().find_map(Word::redirected)?;
            format!(
                "Get-Content {} | {}",
                quoted(&file),
                joined(&rest[at + 1..])
            )
        }
        _ if is_assignment(name) => {
            let command = line[line.find(' ')? + 1..].to_owned();
            format!("{}; {}", assignment(name)?, commands(&command))
        }
        _ => {
            let file = rest.iter().find_map(Word::redirected)?;
            let others: Vec<_> = words
                .iter()
                .filter(|word| word.redirected().is_none())
                .map(Word::argument)
                .collect();
            format!("Get-Content {} | {}", quoted(&file), others.join(" "))
        }
    })
}

/// Sets a variable, for as long as the console is open. `PATH` gets a directory.
fn assignment(word: &Word) -> Option<String> {
    let (first, others) = word.0.split_first()?;
    let (name, start) = first.text.split_once('=')?;
    let start = Piece {
        text: start.to_owned(),
        expands: first.expands,
    };
    let mut pieces: Vec<Piece> = std::iter::once(start)
        .chain(others.iter().cloned())
        .filter(|piece| !piece.text.is_empty())
        .collect();
    if name == "PATH" && pieces.last().is_some_and(|last| last.text == "$PATH") {
        pieces.pop();
        let colon = pieces.last_mut()?;
        colon.text = colon.text.strip_suffix(':')?.to_owned();
        pieces.retain(|piece| !piece.text.is_empty());
        return Some(format!(
            "$env:PATH = {} + ';' + $env:PATH",
            expression(&pieces)
        ));
    }
    Some(format!("$env:{name} = {}", expression(&pieces)))
}

fn is_assignment(word: &Word) -> bool {
    let text = word.text();
    let name = text.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// A file or directory that only the user can access. The domain is needed where the account is not a local one.
fn closed(path: &str, is_file: bool) -> String {
    let inherited = match is_file {
        true => "",
        false => "(OI)(CI)",
    };
    format!(
        "icacls {path} /reset; icacls {path} /inheritance:r /grant:r \"${{env:USERDOMAIN}}\\${{env:USERNAME}}:{inherited}F\""
    )
}

/// The command behind a pipe, which PowerShell gives lines with `\r\n`. git reads them, and its helpers do not.
fn reads_crlf(words: &[Word]) -> Option<String> {
    let command = joined(words);
    let operation = command.strip_prefix("git credential-sentry ")?;
    let operations = [("get", "fill"), ("store", "approve"), ("erase", "reject")];
    let (_, of_git) = operations.iter().find(|(ours, _)| *ours == operation)?;
    Some(format!("git credential {of_git}"))
}

/// Where the pipe is.
fn pipe(words: &[Word]) -> Option<usize> {
    words.iter().position(|word| word.text() == "|")
}

fn joined(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(Word::argument).collect();
    words.join(" ")
}

/// A word as it is written: parts with and without quotes.
struct Word(Vec<Piece>);

#[derive(Clone, Default)]
struct Piece {
    text: String,
    /// In double quotes, with a variable.
    expands: bool,
}

impl Word {
    fn text(&self) -> String {
        self.0.iter().map(|piece| &*piece.text).collect()
    }

    /// As an argument of a command. PowerShell would take two parts for two words.
    fn argument(&self) -> String {
        match self.0.iter().any(|piece| piece.expands) {
            true => format!("({})", expression(&self.0)),
            false => quoted(&self.text()),
        }
    }

    /// The file behind a `<`.
    fn redirected(&self) -> Option<String> {
        Some(self.text().strip_prefix('<')?.to_owned()).filter(|file| !file.contains('>'))
    }
}

/// A text as PowerShell computes it: `$HOME` in double quotes means the same there.
fn expression(pieces: &[Piece]) -> String {
    let parts: Vec<_> = pieces
        .iter()
        .map(|piece| match piece.expands {
            true => format!("\"{}\"", piece.text),
            false => literal(&piece.text),
        })
        .collect();
    match parts.is_empty() {
        true => literal(""),
        false => parts.join(" + "),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Takes a command apart: constant words as a POSIX shell reads them, and words that [`quoted`] wrote.
fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<Vec<Piece>> = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        if c == ' ' {
            words.extend(word.take().map(Word));
            continue;
        }
        let pieces = word.get_or_insert_default();
        if c != '\'' && c != '"' {
            match pieces.last_mut().filter(|piece| !piece.expands) {
                Some(piece) => piece.text.push(c),
                None => pieces.push(Piece {
                    text: c.into(),
                    expands: false,
                }),
            }
            continue;
        }
        let mut text = String::new();
        while let Some(inner) = rest.next() {
            // Two quotes within quotes are one.
            if inner == c && (c == '"' || rest.next_if_eq(&c).is_none()) {
                break;
            }
            text.push(inner);
        }
        let expands = c == '"' && text.contains('$');
        match pieces.last_mut().filter(|piece| !piece.expands && !expands) {
            Some(piece) => piece.text.push_str(&text),
            None => pieces.push(Piece { text, expands }),
        }
    }
    words.extend(word.map(Word));
    words
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
            (r"C:\Users\Jürgen", r"'C:\Users\Jürgen'"),
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
    fn a_path_for_git_has_slashes_and_the_quotes_of_its_shell() {
        for (path, expected) in [
            (r"C:\bin\x.exe", "C:/bin/x.exe"),
            (r"C:\Program Files\x.exe", "'C:/Program Files/x.exe'"),
            (r"C:\Users\Jürgen\x.exe", "'C:/Users/Jürgen/x.exe'"),
            (r"C:\it's\x.exe", "\"C:/it's/x.exe\""),
            (r"\\server\share\x.exe", "//server/share/x.exe"),
        ] {
            assert_eq!(path_for_git(path), expected);
        }
    }

    #[test]
    fn commands_are_those_of_powershell() {
        for (posix, expected) in [
            ("no command at all", "no command at all"),
            ("`sentry auth login`", "`sentry auth login`"),
            (
                "hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, or so",
                "hint: `$env:SENTRY_CLIENT_ID = 'CLIENT_ID'`, or so",
            ),
            (
                r#"`export A="$HOME/.config/x"`"#,
                r#"`$env:A = "$HOME/.config/x"`"#,
            ),
            (
                r#"`export PATH='C:\a b':"$PATH"`"#,
                r"`$env:PATH = 'C:\a b' + ';' + $env:PATH`",
            ),
            (
                r#"`export PATH=C:\it"$PATH"`"#,
                r#"`export PATH=C:\it"$PATH"`"#,
            ),
            ("`A=b sentry x`", "`$env:A = 'b'; sentry x`"),
            (
                "`unset SENTRY_URL SENTRY_HOST`",
                "`$env:SENTRY_URL = $env:SENTRY_HOST = $null`",
            ),
            (
                r"`rm 'C:\it''s' C:\c`",
                r"`Remove-Item -LiteralPath 'C:\it''s', C:\c`",
            ),
            (r"`rm -r C:\c`", r"`Remove-Item -Recurse -LiteralPath C:\c`"),
            (r"`rmdir C:\c`", r"`Remove-Item -LiteralPath C:\c`"),
            (
                r"`mv 'C:\a b' 'C:\a b'.old`",
                r"`Move-Item -LiteralPath 'C:\a b' 'C:\a b.old'`",
            ),
            (
                r"`chmod 700 C:\c && chmod 600 'C:\c d'*`",
                "`icacls C:\\c /reset; \
                 icacls C:\\c /inheritance:r /grant:r \"${env:USERDOMAIN}\\${env:USERNAME}:(OI)(CI)F\"; \
                 icacls 'C:\\c d*' /reset; \
                 icacls 'C:\\c d*' /inheritance:r /grant:r \"${env:USERDOMAIN}\\${env:USERNAME}:F\"`",
            ),
            (
                r"`sentry x && rm C:\d`",
                r"`sentry x; Remove-Item -LiteralPath C:\d`",
            ),
            (
                r#"`sudo chown -R "$(id -un)" 'C:\a b'`, if"#,
                r"`takeown /f 'C:\a b' /r`, if",
            ),
            (r#"`sudo chown "$(id -un)" C:\c`"#, r"`takeown /f C:\c`"),
            (
                r"`printf '%s\n' protocol=https 'path=it''s' | git credential-sentry erase`",
                "`'protocol=https', 'path=it''s' | git credential reject`",
            ),
            (
                "`iconv -f UTF-16 -t UTF-8 <FILE | sentry auth login 'a b'`",
                "`Get-Content FILE | sentry auth login 'a b'`",
            ),
            (
                "`sentry auth login --with-token <FILE`",
                "`Get-Content FILE | sentry auth login --with-token`",
            ),
            ("`cli.db.corrupt-<time>`", "`cli.db.corrupt-<time>`"),
            ("`x <time>`", "`x <time>`"),
            ("`curl -v https://x/`", "`curl.exe -v https://x/`"),
        ] {
            assert_eq!(translated(posix), expected);
        }
    }
}
