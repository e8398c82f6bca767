//! Commands as the bash of Git for Windows and MSYS2 reads them.
//!
//! Separate from the other shells: the commands stay those of a POSIX shell, with paths that have slashes. Access lists are
//! set by programs of Windows; what begins with one slash would be taken for a path there, and with two for an option.

use super::words::{Word, assigned, connected, is_assignment, is_command, put_before_path, words};

/// Begins an IPv6 address in a URL, which is a pattern of file names.
const IPV6: &str = "://[";

/// Commands that follow each other.
pub(super) fn commands(line: &str) -> String {
    let commands: Vec<_> = connected(line).into_iter().map(command).collect();
    commands.join(" && ")
}

/// One command, or several with pipes between them.
fn command(line: &str) -> String {
    let words = words(line);
    translated(&words).unwrap_or_else(|| match is_command(&words) {
        true => words.iter().map(argument).collect::<Vec<_>>().join(" "),
        false => line.to_owned(),
    })
}

/// `None` if only its words are written in another way.
fn translated(words: &[Word]) -> Option<String> {
    let (name, rest) = words.split_first()?;
    Some(match &*name.text() {
        "export" => {
            let (name, pieces) = assigned(rest.first()?)?;
            let directory = put_before_path(name, &pieces)?;
            let directory: String = directory.iter().map(|piece| &*piece.text).collect();
            // A colon would end it.
            format!(
                "export PATH={}:\"$PATH\"",
                quoted(&without_colon(&directory))
            )
        }
        "chmod" => match rest {
            [mode, path] => closed(&path.text(), mode.text() == "600"),
            _ => return None,
        },
        "sudo" if rest.first()?.text() == "chown" => {
            let recursive = match rest.get(1)?.text() == "-R" {
                true => " //r",
                false => "",
            };
            format!("takeown //f {}{recursive}", quoted(&rest.last()?.text()))
        }
        "w32tm" => format!("w32tm /{}", rest.first()?.text()),
        _ => return None,
    })
}

/// A file or directory that only the user can access. The domain is needed where the account is not a local one.
fn closed(path: &str, is_file: bool) -> String {
    let (path, inherited) = match is_file {
        true => (quoted(path), ""),
        false => (quoted(path), "(OI)(CI)"),
    };
    format!(
        "icacls {path} //reset && icacls {path} //inheritance:r //grant:r \"$USERDOMAIN\\\\$USERNAME:{inherited}F\""
    )
}

/// A word as an argument.
fn argument(word: &Word) -> String {
    let text = word.text();
    let is_other = word.written.contains(['\'', '\\']) || word.written.contains(IPV6);
    if word.expands() || !is_other {
        return word.written.clone();
    }
    if let Some(file) = word.redirected() {
        return format!("<{}", quoted(&with_slashes(&file)));
    }
    match text.split_once('=').filter(|_| is_assignment(word)) {
        Some((name, value)) => format!("{name}={}", quoted(&with_slashes(value))),
        None => quoted(&with_slashes(&text)),
    }
}

/// An absolute path with slashes. Other words may have a backslash that is none of a path.
fn with_slashes(word: &str) -> String {
    let is_path = drive(word).is_some() || word.starts_with(r"\\");
    match is_path {
        true => word.replace('\\', "/"),
        false => word.to_owned(),
    }
}

/// The same for `PATH`.
fn without_colon(path: &str) -> String {
    match drive(path) {
        Some((letter, rest)) => format!(
            "/{}{}",
            letter.to_ascii_lowercase(),
            rest.replace('\\', "/")
        ),
        None => with_slashes(path),
    }
}

/// The letter of the drive, and what is behind its colon.
fn drive(path: &str) -> Option<(char, &str)> {
    let (letter, rest) = path.split_once(':')?;
    let mut letters = letter.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    (letters.next().is_none() && rest.starts_with(['\\', '/'])).then_some((letter, rest))
}

fn quoted(word: &str) -> String {
    match shlex::try_quote(word) {
        Ok(plain) if plain == word => plain.into_owned(),
        // Easier to read than with double quotes.
        Ok(_) if !word.contains('\'') => format!("'{word}'"),
        Ok(quoted) => quoted.into_owned(),
        Err(_) => quoted(&word.replace('\0', "")),
    }
}
