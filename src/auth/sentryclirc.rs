//! Parses the login in `.sentryclirc`, the INI file of sentry-cli.
//!
//! Separate from [`import`](super::import()), which reads the file and stores the login, because it is a function of
//! values.
//!
//! Rules, as in sentry-cli: `[section]`, `key = value` or `key: value`, comment lines with `;` or `#`, optional quotes
//! around a value.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The login in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// `token` of `[auth]`, as written.
    pub(super) token: Secret,
    /// `url` of `[defaults]`, as written.
    pub(super) url: Option<String>,
}

/// Why a file has no login. Does not repeat its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotALogin {
    /// The line with this number, from 1, is neither a section nor a pair nor a comment.
    Line(usize),
    /// This key has two different values.
    Twice(&'static str),
    /// No `token` in `[auth]`, but an `api_key`, which Sentry no longer accepts.
    ApiKey,
    /// No `token` in `[auth]`.
    NoToken,
    /// The file is not UTF-8, or contains a NUL.
    NotText,
}

impl std::fmt::Display for NotALogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotALogin::Line(number) => write!(f, "line {number} is no line of an INI file"),
            NotALogin::Twice(name) => write!(f, "it has two values of `{name}`"),
            NotALogin::ApiKey => f.write_str("it has an `api_key`, which is no token"),
            NotALogin::NoToken => f.write_str("there is no `token` below `[auth]` in it"),
            NotALogin::NotText => f.write_str("it is not plain text in UTF-8"),
        }
    }
}

/// Parses a whole file.
///
/// # Errors
/// [`NotALogin`].
pub(super) fn parse(bytes: &[u8]) -> Result<Found, NotALogin> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| NotALogin::NotText)?;
    if text.contains('\0') {
        return Err(NotALogin::NotText);
    }
    let (mut section, mut token, mut url, mut has_api_key) = ("", None, None, false);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or(NotALogin::Line(number))?;
            section = name.trim();
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or(NotALogin::Line(number))?;
        let value = unquoted(value.trim());
        match (section, key.trim()) {
            ("auth", "token") => set(&mut token, value, "token")?,
            ("auth", "api_key") => has_api_key = !value.is_empty(),
            ("defaults", "url") => set(&mut url, value, "url")?,
            _ => {}
        }
    }
    let token = token.filter(|token| !token.is_empty());
    let url = url.filter(|url| !url.is_empty());
    match (token, has_api_key) {
        (Some(token), _) => Ok(Found {
            token: Secret::new(token.as_str()),
            url: url.map(|url| url.to_string()),
        }),
        (None, true) => Err(NotALogin::ApiKey),
        (None, false) => Err(NotALogin::NoToken),
    }
}

/// Stores a value; a second, different one for the same key is an error.
fn set(
    place: &mut Option<Zeroizing<String>>,
    value: &str,
    name: &'static str,
) -> Result<(), NotALogin> {
    match place {
        Some(known) if known.as_str() != value => Err(NotALogin::Twice(name)),
        _ => {
            *place = Some(Zeroizing::new(value.to_owned()));
            Ok(())
        }
    }
}

/// Removes the quotes around a value.
fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(String, Option<String>), NotALogin> {
        parse(text.as_bytes()).map(|found| (found.token.expose().to_owned(), found.url))
    }

    #[test]
    fn token_and_url_are_found_however_the_file_is_written() {
        let some = |token: &str, url: Option<&str>| Ok((token.to_owned(), url.map(str::to_owned)));
        for (text, expected) in [
            ("[auth]\ntoken=sntryu_x\n", some("sntryu_x", None)),
            (
                "[defaults]\nurl = https://a.example/\norg=acme\n\n[auth]\n token = sntryu_x ",
                some("sntryu_x", Some("https://a.example/")),
            ),
            (
                "[auth]\r\ntoken: sntryu_x\r\n[defaults]\r\nurl: https://a.example\r\n",
                some("sntryu_x", Some("https://a.example")),
            ),
            ("[auth]\ntoken=\"sntryu_x\"", some("sntryu_x", None)),
            ("[auth]\ntoken='sntryu_x'", some("sntryu_x", None)),
            ("[ auth ]\ntoken=a=b==", some("a=b==", None)),
            ("\u{feff}[auth]\ntoken=x", some("x", None)),
            ("; a\n# b\n[auth]\n;token=y\ntoken=x", some("x", None)),
            ("[auth]\ntoken=x\n[auth]\ntoken=x", some("x", None)),
            ("[auth]\ntoken=x\n[defaults]\nurl=", some("x", None)),
            ("[auth]\ntoken=x\napi_key=y", some("x", None)),
            // The keys of other sections do not count.
            ("[other]\ntoken=y\n[auth]\ntoken=x\nurl=z", some("x", None)),
            ("token=x", Err(NotALogin::NoToken)),
            ("[auth]\nTOKEN=x", Err(NotALogin::NoToken)),
            ("[auth]\ntoken=", Err(NotALogin::NoToken)),
            ("", Err(NotALogin::NoToken)),
            ("[auth]\napi_key=x", Err(NotALogin::ApiKey)),
            ("[auth]\ntoken=x\ntoken=y", Err(NotALogin::Twice("token"))),
            (
                "[auth]\ntoken=x\n[defaults]\nurl=a\nurl=b",
                Err(NotALogin::Twice("url")),
            ),
            ("[auth]\nx\ntoken=x", Err(NotALogin::Line(2))),
            ("[auth\ntoken=x", Err(NotALogin::Line(1))),
            ("[auth]\ntoken=x\0", Err(NotALogin::NotText)),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        assert_eq!(parse(b"[auth]\ntoken=\xff"), Err(NotALogin::NotText));
    }

    proptest! {
        #[test]
        fn no_file_makes_a_panic_and_no_error_repeats_it(text in "[\\PC\n=:\\[\\]\"']{0,80}") {
            if let Err(error) = parse(text.as_bytes()) {
                prop_assert!(error.to_string().len() < 60);
            }
        }
    }
}
