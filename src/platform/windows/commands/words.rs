//! The words of a command in a message, which is one of a POSIX shell, with words that [`quoted`] wrote.
//!
//! Separate from the shells, which write these words each in its own way.

/// Quotes a word, if it needs quoting: as PowerShell does. Other shells have it written again when a message is printed.
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

/// A text in single quotes, of which two stand for one within.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A word as it is written: parts with and without quotes.
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    /// With its quotes.
    pub(super) written: String,
}

#[derive(Clone, Default)]
pub(super) struct Piece {
    pub(super) text: String,
    /// In double quotes, with a variable.
    pub(super) expands: bool,
}

impl Word {
    /// The word without its quotes.
    pub(super) fn text(&self) -> String {
        self.pieces.iter().map(|piece| &*piece.text).collect()
    }

    /// Whether a variable is a part of it.
    pub(super) fn expands(&self) -> bool {
        self.pieces.iter().any(|piece| piece.expands)
    }

    /// The file behind a `<`.
    pub(super) fn redirected(&self) -> Option<String> {
        Some(self.text().strip_prefix('<')?.to_owned()).filter(|file| !file.contains('>'))
    }
}

/// `NAME=VALUE`: the name, and the parts of the value that are not empty.
pub(super) fn assigned(word: &Word) -> Option<(&str, Vec<Piece>)> {
    let (first, others) = word.pieces.split_first()?;
    let (name, start) = first.text.split_once('=')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        return None;
    }
    let start = Piece {
        text: start.to_owned(),
        expands: first.expands,
    };
    let pieces = std::iter::once(start).chain(others.iter().cloned());
    Some((
        name,
        pieces.filter(|piece| !piece.text.is_empty()).collect(),
    ))
}

/// Whether a word before a command sets a variable for it.
pub(super) fn is_assignment(word: &Word) -> bool {
    let is_upper = |name: &str| !name.contains(|c: char| c.is_ascii_lowercase());
    assigned(word).is_some_and(|(name, _)| is_upper(name))
}

/// Whether these are the words of a command, and not a value or a line of a file.
pub(super) fn is_command(words: &[Word]) -> bool {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let [first, _, ..] = words else {
        return false;
    };
    is_name(&first.written) || is_assignment(first)
}

/// The directory that is put before the others of `PATH`: what is assigned, but for `:"$PATH"` at its end.
pub(super) fn put_before_path(name: &str, pieces: &[Piece]) -> Option<Vec<Piece>> {
    let (last, directory) = pieces.split_last()?;
    if name != "PATH" || last.text != "$PATH" {
        return None;
    }
    let mut directory = directory.to_vec();
    let colon = directory.last_mut()?;
    colon.text = colon.text.strip_suffix(':')?.to_owned();
    directory.retain(|piece| !piece.text.is_empty());
    Some(directory)
}

/// Where the pipe is.
pub(super) fn pipe(words: &[Word]) -> Option<usize> {
    words.iter().position(|word| word.text() == "|")
}

/// The command of git that a helper's stands for: git reads lines with `\r\n`, and its helpers do not.
pub(super) fn of_git(words: &[Word]) -> Option<String> {
    let command: Vec<_> = words.iter().map(Word::text).collect();
    let command = command.join(" ");
    let operation = command.strip_prefix("git credential-sentry ")?;
    let operations = [("get", "fill"), ("store", "approve"), ("erase", "reject")];
    let (_, of_git) = operations.iter().find(|(ours, _)| *ours == operation)?;
    Some(format!("git credential {of_git}"))
}

/// The commands that `&&` connects.
pub(super) fn connected(line: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if at >= start && line[at..].starts_with(AND) => {
                commands.push(&line[start..at]);
                start = at + AND.len();
            }
            _ => {}
        }
    }
    commands.push(&line[start..]);
    commands
}

const AND: &str = " && ";

/// Takes a command apart: constant words as a POSIX shell reads them, and words that [`quoted`] wrote.
pub(super) fn words(line: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut begins = true;
    let mut rest = line.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if c == ' ' {
            begins = true;
            continue;
        }
        if std::mem::take(&mut begins) {
            words.push(Word {
                pieces: Vec::new(),
                written: String::new(),
            });
        }
        let Some(Word { pieces, written }) = words.last_mut() else {
            continue;
        };
        if c != '\'' && c != '"' {
            written.push(c);
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
        while let Some((_, inner)) = rest.next() {
            // Two quotes within quotes are one.
            if inner == c && (c == '"' || rest.next_if(|(_, next)| *next == c).is_none()) {
                break;
            }
            text.push(inner);
        }
        let end = rest.peek().map_or(line.len(), |(next, _)| *next);
        written.push_str(&line[at..end]);
        let expands = c == '"' && text.contains('$');
        match pieces.last_mut().filter(|piece| !piece.expands && !expands) {
            Some(piece) => piece.text.push_str(&text),
            None => pieces.push(Piece { text, expands }),
        }
    }
    words
}
