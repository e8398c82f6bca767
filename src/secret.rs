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
mod tests;
