//! Represents arbitrary bytes as text, reversibly: git passes on what a user typed, in whatever encoding.
//!
//! A byte that is not valid UTF-8 becomes a character at the end of the last private use area. Those characters
//! themselves are encoded as their bytes, so that no two inputs have the same text. None of them is in the grammar of a
//! host or a token.

use zeroize::Zeroizing;

use crate::secret::append;

/// U+10FF00, to which the byte is added.
const ESCAPE: u32 = 0x0010_ff00;

fn is_escape(character: char) -> bool {
    (ESCAPE + 0x80..=ESCAPE + 0xff).contains(&u32::from(character))
}

/// Converts bytes to text.
pub(super) fn text_of(bytes: &[u8]) -> Zeroizing<String> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.is_ascii()
    {
        return Zeroizing::new(text.to_owned());
    }
    // Reserves the worst case, four bytes for each, because a reallocation would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(4 * bytes.len()));
    let escaped = |byte: &u8| char::from_u32(ESCAPE + u32::from(*byte)).unwrap_or_default();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match is_escape(character) {
                true => text.extend(
                    character
                        .encode_utf8(&mut [0; 4])
                        .as_bytes()
                        .iter()
                        .map(escaped),
                ),
                false => text.push(character),
            }
        }
        text.extend(chunk.invalid().iter().map(escaped));
    }
    text
}

/// Appends the bytes that `text` represents.
pub(super) fn append_bytes_of(text: &str, bytes: &mut Zeroizing<Vec<u8>>) {
    if text.is_ascii() {
        return append(bytes, text.as_bytes());
    }
    for character in text.chars() {
        match is_escape(character) {
            true => append(bytes, &[(u32::from(character) & 0xff) as u8]),
            false => append(bytes, character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn utf_8_stays_as_it_is() {
        assert_eq!(
            *text_of("p\u{e4}ss \u{10ff00}".as_bytes()),
            "p\u{e4}ss \u{10ff00}"
        );
        assert_eq!(*text_of(b"p\xe4ss"), "p\u{10ffe4}ss");
    }

    fn bytes_of(text: &str) -> Vec<u8> {
        let mut bytes = Zeroizing::default();
        append_bytes_of(text, &mut bytes);
        bytes.to_vec()
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(bytes_of(&text_of(&bytes)), bytes);
        }

        #[test]
        fn escapes_come_back(text in "[\u{10ff70}-\u{10ffff}a]{0,8}") {
            prop_assert_eq!(bytes_of(&text_of(text.as_bytes())), text.as_bytes());
        }
    }
}
