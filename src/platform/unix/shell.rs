//! Commands as a POSIX shell reads them.

use std::borrow::Cow;

/// Quotes a word, if it needs quoting. A NUL, which no shell can pass, is left out.
pub(crate) fn quoted(word: &str) -> String {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => quoted(&word.replace('\0', "")),
    }
}

/// A message as it is: its commands are those of a POSIX shell.
pub(crate) fn translated(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        for (word, quoted_word) in [
            ("https://r.example:5000", "https://r.example:5000"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r#""it's""#),
            ("$(x)", "'$(x)'"),
            ("a\0 b", "'a b'"),
        ] {
            assert_eq!(quoted(word), quoted_word);
        }
    }
}
