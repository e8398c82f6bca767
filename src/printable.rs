//! Sanitizes untrusted text for display, words the errors of the operating system, and quotes words for a shell.

use std::borrow::Cow;
use std::io;

pub(crate) use crate::platform::shell::quoted;

/// Most characters of server text that are shown.
const LONGEST: usize = 200;

/// Returns one line of at most 200 characters without control, bidirectional or invisible ones: nothing in it moves a
/// cursor, opens a link, sets a title, or looks different from what it is.
pub(crate) fn printable(text: &str) -> String {
    // The common case.
    if text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars()
        .filter(|character| !is_hidden(*character))
        .take(LONGEST)
        .collect()
}

/// Control characters; Unicode's `Default_Ignorable_Code_Point`; newlines and characters that annotate or join text
/// invisibly; and letters and symbols that are drawn as blank space.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{16fe4}'
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What the standard library adds to an error of the operating system.
const NUMBER: &str = " (os error ";

/// What musl says of an error that it does not know; others then name the number.
const NO_WORDS: &str = "No error information";

/// Returns a message with the errors of the operating system as parts of a sentence: without their numbers, which mean
/// nothing to a user, and in lower case. An unknown error has its number in its text.
pub(crate) fn without_numbers(message: &str) -> Cow<'_, str> {
    if !message.contains(NUMBER) {
        return Cow::Borrowed(message);
    }
    let mut plain = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(NUMBER) {
        let (before, found) = rest.split_at(at);
        match error_in(before, found) {
            Some((before, words, after)) => {
                plain.push_str(before);
                plain.push_str(&words);
                rest = after;
            }
            None => {
                plain.push_str(before);
                plain.push_str(NUMBER);
                rest = &found[NUMBER.len()..];
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The text before an error, the error's own text, and the text after it. `None` if these are other words.
fn error_in<'a>(before: &'a str, found: &'a str) -> Option<(&'a str, String, &'a str)> {
    let (number, after) = found[NUMBER.len()..].split_once(')')?;
    let error = io::Error::from_raw_os_error(number.parse().ok()?).to_string();
    let text = error.strip_suffix(&format!("{NUMBER}{number})"))?;
    let before = before.strip_suffix(text)?;
    let words = match text {
        NO_WORDS => format!("operating system error {number}"),
        _ => in_a_sentence(text),
    };
    Some((before, words, after))
}

/// The text of an error as part of a sentence.
pub(crate) fn in_a_sentence(text: &str) -> String {
    // Windows ends its messages with a period.
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(char::to_lowercase);
    let is_name = letters.clone().next().is_some_and(char::is_uppercase);
    match first {
        Some(first) if !is_name => first.chain(letters).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_stays() {
        assert_eq!(
            printable("Zoë O'Neil <zoe@example.com>"),
            "Zoë O'Neil <zoe@example.com>"
        );
    }

    #[test]
    fn what_steers_a_terminal_goes() {
        assert_eq!(
            printable("a\u{1b}]52;c;aGk=\u{7}b\r\nc\u{9b}31m\u{202e}d\u{200b}\u{7f}"),
            "a]52;c;aGk=bc31md"
        );
        assert_eq!(printable(&"x".repeat(10_000)).len(), 200);
    }

    #[test]
    fn what_cannot_be_seen_goes() {
        for hidden in [
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{2028}',
            '\u{2065}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{e0fff}',
        ] {
            assert_eq!(printable(&format!("a{hidden}b")), "ab", "{hidden:?}");
        }
        let shown = "\u{a0}é e\u{301} \u{3000}한글 ﷽ 😀 \u{fffc}\u{fffd}";
        assert_eq!(printable(shown), shown);
    }

    #[cfg(unix)]
    #[test]
    fn errors_of_the_system_have_words_and_no_numbers() {
        let denied = io::Error::from(rustix::io::Errno::ACCESS);
        let absent = io::Error::from(rustix::io::Errno::NOENT);
        let message = format!("cannot read /a (os error 1): {denied}; and /b: {absent}");
        let plain =
            "cannot read /a (os error 1): permission denied; and /b: no such file or directory";
        assert_eq!(without_numbers(&message), plain);
        for same in [
            "",
            "plain",
            " (os error 13)",
            "x (os error 13",
            "Denied (os error x)",
        ] {
            assert_eq!(without_numbers(same), same);
        }
        let unknown = io::Error::from_raw_os_error(99_999).to_string();
        let shown = without_numbers(&unknown).into_owned();
        assert!(
            shown.contains("99999") && !shown.contains("os error"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn other_text_keeps_its_words(text in ".*") {
            prop_assert_eq!(without_numbers(&text), text.as_str());
        }

        #[test]
        fn no_control_byte_survives(text in "\\PC*|.*") {
            prop_assert!(printable(&text).chars().all(|character| !character.is_control()));
        }
    }
}
