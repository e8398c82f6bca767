//! Commands as a POSIX shell reads them.

use std::borrow::Cow;
use std::ffi::OsString;

/// Quotes a word, if it needs quoting. A NUL, which no shell can pass, is left out.
pub(crate) fn quoted(word: &str) -> String {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => quoted(&word.replace('\0', "")),
    }
}

/// The path of a program as git runs it: quoted for the POSIX shell that git starts.
pub(crate) fn path_for_git(path: &str) -> String {
    quoted(path)
}

/// Begins an IPv6 address in a URL, which is a pattern of file names to a shell: zsh runs no command with a pattern that
/// matches nothing.
const LITERAL: &str = "://[";

/// A message as it is: its commands are those of a POSIX shell. Only a URL with an IPv6 address is quoted in them.
pub(crate) fn translated(text: &str, _variable: impl FnOnce() -> Option<OsString>) -> Cow<'_, str> {
    if !text.contains(LITERAL) {
        return Cow::Borrowed(text);
    }
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        1 => Cow::Owned(with_quoted_urls(part)),
        _ => Cow::Borrowed(part),
    });
    Cow::Owned(parts.collect::<Vec<_>>().join("`"))
}

fn with_quoted_urls(command: &str) -> String {
    let word = |word: &str| match word.contains(LITERAL) && !word.contains(['\'', '"']) {
        true => quoted(word),
        false => word.to_owned(),
    };
    // A URL alone is no command.
    match command.contains(' ') {
        true => command.split(' ').map(word).collect::<Vec<_>>().join(" "),
        false => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_an_ipv6_address_is_quoted_in_a_command() {
        for (text, typed) in [
            ("`sentry auth login`", "`sentry auth login`"),
            (
                "not logged in to http://[::1]:9000",
                "not logged in to http://[::1]:9000",
            ),
            (
                "use `http://[::1]:9000` here",
                "use `http://[::1]:9000` here",
            ),
            (
                "hint: `sentry auth login --url http://[::1]:9000 --force`, or `x 'http://[::1]'`",
                "hint: `sentry auth login --url 'http://[::1]:9000' --force`, or `x 'http://[::1]'`",
            ),
            (
                "`git config --global http.https://[fd12::1]:8443.postBuffer 500m`",
                "`git config --global 'http.https://[fd12::1]:8443.postBuffer' 500m`",
            ),
        ] {
            assert_eq!(translated(text, || None), typed);
        }
    }

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
