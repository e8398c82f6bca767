//! Secrets: the type that holds them, and the grammar of a token.
//!
//! Separate from everything else so that there is one place where a secret becomes text: [`Secret::expose`] is easy to
//! search for, and nothing in this module can print.
//!
//! Rules: no `Display`; `Debug` prints `Secret(…)`; memory is wiped on drop; the token grammar is checked when a token
//! enters the program and again when it leaves on a protocol stream.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Appends to bytes that are wiped on drop. Growing the vector in place would leave a copy behind.
pub(crate) fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let length = bytes.len() + more.len();
    if bytes.capacity() < length {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

/// Longest token in bytes that is accepted from any source.
pub(crate) const MAX_TOKEN: usize = 4096;

/// Longest claims part of an organization token that is decoded, in bytes.
const MAX_CLAIMS: usize = 2048;

/// Text that is wiped on drop and that no formatter prints.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps text that need not be a token, such as a password that a user chose.
    pub(crate) fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// Wraps a token: 1 to 4096 bytes of `%x21-7E`, so that it can never break a line of a protocol.
    ///
    /// # Errors
    /// [`NotAToken`] for everything else.
    pub(crate) fn token(text: &str) -> Result<Secret, NotAToken> {
        if is_token(text) {
            Ok(Secret::new(text))
        } else {
            Err(NotAToken)
        }
    }

    /// Reads a token that a user entered in a variable, a file, or on a command line. Surrounding whitespace is not
    /// part of it.
    ///
    /// # Errors
    /// [`TokenInputError`], with a sentence for each common mistake.
    pub(crate) fn from_input(bytes: &[u8]) -> Result<Secret, TokenInputError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
            return Err(TokenInputError::Utf16);
        }
        if bytes.starts_with("\u{feff}".as_bytes()) {
            return Err(TokenInputError::ByteOrderMark);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TokenInputError::Grammar)?;
        // Only what editors and shells leave at the ends of a line.
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return Err(TokenInputError::Empty);
        }
        if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
            return Err(TokenInputError::Quoted);
        }
        let is_header = |name: &str| {
            let start = text.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        if is_header("Bearer ") || is_header("Authorization:") {
            return Err(TokenInputError::Header);
        }
        Secret::token(text).map_err(|NotAToken| TokenInputError::Grammar)
    }

    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether [`Secret::token`] would accept this.
    pub(crate) fn is_token(&self) -> bool {
        is_token(&self.0)
    }

    /// Whether this has the form of Sentry's prefixed tokens: `sntry[a-z]*_…`.
    pub(crate) fn looks_like_prefixed_token(&self) -> bool {
        let rest = self.0.strip_prefix("sntry");
        let rest = rest.map(|rest| rest.trim_start_matches(|byte: char| byte.is_ascii_lowercase()));
        rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('_'))
    }

    /// Whether this has the form of the access tokens that Sentry grants to OAuth clients: 64 hexadecimal digits
    /// (`secrets.token_hex(32)` in `sentry/models/apitoken.py`). Other secrets have that form too.
    pub(crate) fn looks_like_oauth_token(&self) -> bool {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        self.0.len() == 64 && self.0.bytes().all(is_digit)
    }

    /// SHA-256 of the secret, to identify it where the secret itself must not be stored.
    pub(crate) fn digest(&self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(
            ring::digest::digest(&ring::digest::SHA256, self.0.as_bytes()).as_ref(),
        );
        Digest(bytes)
    }

    /// The claims of an organization token, or `None` for every other token.
    ///
    /// The form is `sntrys_<base64 of a JSON object>_<secret>`. A token whose claims exceed 2 KiB or do not decode is
    /// opaque rather than invalid.
    pub(crate) fn claims(&self) -> Option<Claims> {
        let (claims, secret) = self.0.strip_prefix("sntrys_")?.split_once('_')?;
        if secret.contains('_') || claims.len() > MAX_CLAIMS {
            return None;
        }
        // Real tokens are padded; some without padding were observed.
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let json = GeneralPurpose::new(&base64::alphabet::STANDARD, config)
            .decode(claims)
            .ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&json).ok()?;
        let text = |key: &str| {
            claims
                .get(key)?
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        claims.is_object().then(|| Claims {
            url: text("url"),
            org: text("org"),
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

/// The text has a byte that no token may have, is empty, or is too long. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAToken;

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token is 1 to 4096 printable ASCII characters without spaces")
    }
}

impl std::error::Error for NotAToken {}

/// The quotation marks that users, editors and shells put around text.
const QUOTES: [char; 11] = [
    '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{201a}',
    '\u{ab}', '\u{bb}',
];

/// Why text that a user entered is not a token. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenInputError {
    /// Encoded in UTF-16, as PowerShell's `>` writes it.
    Utf16,
    /// Begins with a byte order mark (U+FEFF).
    ByteOrderMark,
    /// Empty or only whitespace.
    Empty,
    /// Quoted, at one end at least.
    Quoted,
    /// Begins with `Bearer` or `Authorization:`.
    Header,
    /// As [`NotAToken`].
    Grammar,
}

impl fmt::Display for TokenInputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenInputError::Utf16 => "it is written in UTF-16; a token is plain text",
            TokenInputError::ByteOrderMark => {
                "it begins with a byte order mark (BOM), which is not part of a token"
            }
            TokenInputError::Empty => "it is empty",
            TokenInputError::Quoted => "it has quotes around it, which are not part of a token",
            TokenInputError::Header => {
                "it begins with the name of a header, which is not part of a token"
            }
            TokenInputError::Grammar => return NotAToken.fmt(f),
        })
    }
}

impl std::error::Error for TokenInputError {}

/// SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Inverse of [`Digest::as_bytes`]; `None` unless there are 32 bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Digest> {
        bytes.try_into().ok().map(Digest)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// Claims of an organization token; an empty claim counts as absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    /// The instance that issued the token.
    pub(crate) url: Option<String>,
    /// Slug of the organization that the token belongs to.
    pub(crate) org: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn org_token(json: &str) -> Secret {
        Secret::new(format!(
            "sntrys_{}_abc123",
            base64::engine::general_purpose::STANDARD.encode(json)
        ))
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!(
                "{:?} {:?}",
                Secret::new("hunter2"),
                Secret::new("x").digest()
            ),
            "Secret(…) Digest(…)"
        );
    }

    #[test]
    fn memory_is_wiped_on_drop() {
        fn is_wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        is_wiped(&Secret::new("hunter2").0);
    }

    #[test]
    fn entered_text_is_a_token_or_the_error_says_why_not() {
        for (written, expected) in [
            (&b"sntryu_x"[..], Ok("sntryu_x")),
            (b" \tsntryu_x\r\n", Ok("sntryu_x")),
            (b"bearer", Ok("bearer")),
            (b"", Err(TokenInputError::Empty)),
            (b" \n", Err(TokenInputError::Empty)),
            (b"\"sntryu_x\"", Err(TokenInputError::Quoted)),
            (b"'sntryu_x'\n", Err(TokenInputError::Quoted)),
            (b"sntryu_x'", Err(TokenInputError::Quoted)),
            (
                "\u{201c}sntryu_x\u{201d}".as_bytes(),
                Err(TokenInputError::Quoted),
            ),
            (b"\xef\xbb\xbfsntryu_x", Err(TokenInputError::ByteOrderMark)),
            (b"\xff\xfes\0n\0", Err(TokenInputError::Utf16)),
            (b"\xfe\xff\0s\0n", Err(TokenInputError::Utf16)),
            (b"s\0n\0t\0", Err(TokenInputError::Utf16)),
            // As a shell passes it on, without its NULs.
            (b"\xff\xfesntryu_x", Err(TokenInputError::Utf16)),
            (b"Bearer sntryu_x", Err(TokenInputError::Header)),
            (b"authorization: x", Err(TokenInputError::Header)),
            (b"two words", Err(TokenInputError::Grammar)),
            (b"a\nb", Err(TokenInputError::Grammar)),
            (b"tok\xff", Err(TokenInputError::Grammar)),
            ("tôk".as_bytes(), Err(TokenInputError::Grammar)),
        ] {
            let found = Secret::from_input(written);
            let found = found.as_ref().map(Secret::expose).map_err(|why| *why);
            assert_eq!(found, expected, "{}", written.escape_ascii());
        }
    }

    #[test]
    fn tokens_are_printable_ascii() {
        assert!(Secret::token("sntryu_0123").is_ok());
        assert!(Secret::token(&"x".repeat(4096)).is_ok());
        for bad in [
            "",
            " ",
            "a b",
            "a\n",
            "a\r",
            "a\0",
            "tôk",
            "\u{1b}[31m",
            &"x".repeat(4097),
        ] {
            assert_eq!(Secret::token(bad), Err(NotAToken));
        }
    }

    #[test]
    fn claims_of_an_organization_token() {
        let claims =
            org_token(r#"{"iat":1,"url":"https://a.example","region_url":"","org":"acme"}"#)
                .claims();
        assert_eq!(
            claims,
            Some(Claims {
                url: Some("https://a.example".into()),
                org: Some("acme".into())
            })
        );
        assert_eq!(
            org_token(r#"{"url":""}"#).claims(),
            Some(Claims {
                url: None,
                org: None
            })
        );
    }

    #[test]
    fn other_tokens_are_opaque() {
        let big = org_token(&format!(
            r#"{{"url":"https://a.example","x":"{}"}}"#,
            "y".repeat(2048)
        ));
        for opaque in [
            Secret::new("sntryu_abc"),
            Secret::new("sntrys_!!!_x"),
            org_token("[]"),
            org_token("{"),
            big,
        ] {
            assert_eq!(opaque.claims(), None);
        }
        assert_eq!(
            Secret::new(format!("{}_more", org_token("{}").expose())).claims(),
            None
        );
    }

    #[test]
    fn the_forms_of_sentry_s_tokens_are_known() {
        for (text, is_token, is_access_token) in [
            ("sntryu_0123", true, false),
            ("sntrys_eyJ_x", true, false),
            ("sntry_x", true, false),
            ("sntryabc_x", true, false),
            ("sntryu_", false, false),
            ("sntryU_x", false, false),
            ("sntry1_x", false, false),
            ("xsntryu_x", false, false),
            (&"0123456789abcdef".repeat(4), false, true),
            (&"0123456789ABCDEF".repeat(4), false, false),
            (&"0".repeat(63), false, false),
            (&"0".repeat(65), false, false),
            (&"g".repeat(64), false, false),
        ] {
            let secret = Secret::new(text);
            assert_eq!(secret.looks_like_prefixed_token(), is_token, "{text}");
            let found = secret.looks_like_oauth_token();
            assert_eq!(found, is_access_token, "{text}");
        }
    }

    #[test]
    fn a_digest_reads_back_and_other_bytes_are_none() {
        let digest = Secret::new("x").digest();
        assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
        for length in [0, 31, 33] {
            assert_eq!(Digest::from_bytes(&vec![0; length]), None);
        }
        assert_ne!(digest, Secret::new("y").digest());
    }

    #[test]
    fn bytes_that_grow_are_whole() {
        let mut bytes = Zeroizing::new(Vec::new());
        for chunk in [&b""[..], b"a", b"bc", &[b'x'; 300]] {
            append(&mut bytes, chunk);
        }
        assert_eq!(bytes.len(), 303);
        assert!(bytes.starts_with(b"abcx"));
    }

    proptest! {
        #[test]
        fn claims_never_panic(text in ".{0,80}") {
            drop(Secret::new(format!("sntrys_{text}")).claims());
        }
    }
}
