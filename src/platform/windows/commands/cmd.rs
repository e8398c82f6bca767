//! Commands as `cmd.exe` reads them at its prompt.
//!
//! Separate from the other shells. Double quotes protect all but `%`, which expands in them; a caret protects each character
//! outside of quotes, and `%`, too: there is no variable whose name has a caret. In a batch file, `%%` stands for it.

use super::words::{
    Piece, Word, assigned, connected, is_assignment, is_command, of_git, pipe, put_before_path,
    words,
};

/// The file that takes what git reads: what is behind a pipe would get each line with a space at its end.
const FILE: &str = "\"%TEMP%\\sentry-credential.txt\"";

/// Commands that follow each other.
pub(super) fn commands(line: &str) -> String {
    let commands: Vec<_> = connected(line).into_iter().map(command).collect();
    commands.join(" && ")
}

/// One command, or several with pipes between them.
fn command(line: &str) -> String {
    let words = words(line);
    translated(line, &words).unwrap_or_else(|| match is_command(&words) {
        true => joined(&words),
        false => line.to_owned(),
    })
}

/// `None` if only its words are written in another way.
fn translated(line: &str, words: &[Word]) -> Option<String> {
    let (name, rest) = words.split_first()?;
    let all = |rest: &[Word]| joined(rest);
    Some(match &*name.text() {
        "export" => assignment(rest.first()?)?,
        "unset" => {
            let variables: Vec<_> = rest
                .iter()
                .map(|name| format!("set \"{}=\"", name.text()))
                .collect();
            // Where there is no such variable, that is an error.
            variables.join(" & ")
        }
        "rm" if rest.first()?.text() == "-r" => format!("rmdir /s /q {}", all(&rest[1..])),
        "rm" => format!("del {}", all(rest)),
        "mv" => format!("move {}", all(rest)),
        "chmod" => match rest {
            [mode, path] => closed(&argument(path), mode.text() == "600"),
            _ => return None,
        },
        "sudo" if rest.first()?.text() == "chown" => {
            let recursive = match rest.get(1)?.text() == "-R" {
                true => " /r",
                false => "",
            };
            format!("takeown /f {}{recursive}", argument(rest.last()?))
        }
        "printf" => {
            let (lines, reader) = rest.split_first()?.1.split_at_checked(pipe(rest)? - 1)?;
            let lines: Vec<_> = lines
                .iter()
                .map(|line| format!("echo {}", escaped(&line.text())))
                .collect();
            let reader = of_git(&reader[1..])?;
            let lines = lines.join("&");
            format!("({lines})>{FILE} && {reader} <{FILE} && del {FILE}")
        }
        // `type` reads UTF-16 by its byte order mark.
        "iconv" => {
            let at = pipe(rest)?;
            let file = rest[..at].iter().find_map(Word::redirected)?;
            format!("type {} | {}", quoted(&file), joined(&rest[at + 1..]))
        }
        _ if !is_assignment(name) => return None,
        _ => {
            let command = line[line.find(' ')? + 1..].trim_start();
            format!("{} & {}", assignment(name)?, commands(command))
        }
    })
}

/// Sets a variable, for as long as the console is open. `PATH` gets a directory.
fn assignment(word: &Word) -> Option<String> {
    let (name, pieces) = assigned(word)?;
    let value = match put_before_path(name, &pieces) {
        Some(directory) => [&directory[..], &[path()]].concat(),
        None if name == "PATH" && pieces.iter().any(|piece| piece.expands) => return None,
        None => pieces,
    };
    // Where a percent sign needs its caret, nothing is in quotes.
    let is_escaped = value
        .iter()
        .any(|piece| !piece.expands && piece.text.contains(['%', '"']));
    let value: Vec<_> = value
        .iter()
        .map(|piece| match (piece.expands, is_escaped) {
            (true, _) => expanded(&piece.text),
            (false, true) => escaped(&piece.text),
            (false, false) => piece.text.clone(),
        })
        .collect();
    let quote = if is_escaped { "^\"" } else { "\"" };
    Some(format!("set {quote}{name}={}{quote}", value.concat()))
}

/// What comes behind a directory that is put before it.
fn path() -> Piece {
    Piece {
        text: ";$PATH".to_owned(),
        expands: true,
    }
}

/// The variables that messages have.
fn expanded(text: &str) -> String {
    text.replace("$HOME", "%USERPROFILE%")
        .replace("$PATH", "%PATH%")
}

/// A file or directory that only the user can access. The domain is needed where the account is not a local one.
fn closed(path: &str, is_file: bool) -> String {
    let inherited = match is_file {
        true => "",
        false => "(OI)(CI)",
    };
    format!(
        "icacls {path} /reset && icacls {path} /inheritance:r /grant:r \"%USERDOMAIN%\\%USERNAME%:{inherited}F\""
    )
}

fn joined(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(argument).collect();
    words.join(" ")
}

/// A word as an argument.
fn argument(word: &Word) -> String {
    if word.expands() {
        let pieces = word.pieces.iter();
        let pieces: Vec<_> = pieces
            .map(|piece| match piece.expands {
                true => expanded(&piece.text),
                false => piece.text.clone(),
            })
            .collect();
        return format!("\"{}\"", pieces.concat());
    }
    match (
        word.redirected(),
        word.written.contains(['\'', '"', '%', '^']),
    ) {
        (Some(file), _) => format!("<{}", quoted(&file)),
        (None, true) => quoted(&word.text()),
        (None, false) => word.written.clone(),
    }
}

/// Quotes a word, if it needs quoting, for `cmd.exe` and for the program, which reads a quote behind a backslash.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || r"/\._-+:@~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    let mut backslashes = 0;
    for c in word.chars() {
        if c == '"' {
            text.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        text.push(c);
    }
    text.extend(std::iter::repeat_n('\\', backslashes));
    text.push('"');
    match word.contains(['%', '"']) {
        true => escaped(&text),
        false => text,
    }
}

/// With a caret before each character that means something outside of quotes.
fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        if "()%!^\"<>&|".contains(c) {
            result.push('^');
        }
        result.push(c);
    }
    result
}
