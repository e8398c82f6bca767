//! Sanitizes untrusted text for display, and quotes words for a shell.

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

    proptest! {
        #[test]
        fn no_control_byte_survives(text in "\\PC*|.*") {
            prop_assert!(printable(&text).chars().all(|character| !character.is_control()));
        }
    }
}
