//! Commands as PowerShell reads them.
//!
//! Separate from the other shells. 5.1 comes with Windows and has no `&&`, no `<`, and drops empty words and double quotes
//! of a program's arguments.

use std::borrow::Cow;

use super::words::{
    Piece, Word, assigned, connected, is_assignment, literal, of_git, pipe, put_before_path,
    quoted, words,
};

/// Commands that follow each other.
pub(super) fn commands(line: &str) -> Cow<'_, str> {
    let parts = connected(line);
    let translated: Vec<_> = parts.iter().map(|part| command(part)).collect();
    match parts.len() > 1 || translated.iter().any(Option::is_some) {
        true => {
            let parts = translated.into_iter().zip(parts);
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
        let list: Vec<_> = paths().map(argument).collect();
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
            [from, to] => format!("Move-Item -LiteralPath {} {}", argument(from), argument(to)),
            _ => return None,
        },
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
        // `curl` is another command there.
        "curl" => line.replacen("curl", "curl.exe", 1),
        "printf" => {
            let (lines, reader) = rest.split_first()?.1.split_at_checked(pipe(rest)? - 1)?;
            let lines: Vec<_> = lines.iter().map(|line| literal(&line.text())).collect();
            format!("{} | {}", lines.join(", "), of_git(&reader[1..])?)
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
                .map(argument)
                .collect();
            format!("Get-Content {} | {}", quoted(&file), others.join(" "))
        }
    })
}

/// Sets a variable, for as long as the console is open. `PATH` gets a directory.
fn assignment(word: &Word) -> Option<String> {
    let (name, pieces) = assigned(word)?;
    Some(match put_before_path(name, &pieces) {
        Some(directory) => format!("$env:PATH = {} + ';' + $env:PATH", expression(&directory)),
        // It would be put before nothing.
        None if name == "PATH" && pieces.iter().any(|piece| piece.expands) => return None,
        None => format!("$env:{name} = {}", expression(&pieces)),
    })
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

fn joined(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(argument).collect();
    words.join(" ")
}

/// A word as an argument of a command. PowerShell would take two parts for two words.
fn argument(word: &Word) -> String {
    match word.expands() {
        true => format!("({})", expression(&word.pieces)),
        false => quoted(&word.text()),
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
