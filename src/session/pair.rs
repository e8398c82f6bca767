//! Identifies a pair of tokens in flows and traces, without the tokens.

use serde::{Deserialize, Serialize};

use crate::account::Tokens;
use crate::secret::Digest;

/// Identifies a pair of tokens by [`Tokens::digest`].
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pair(Digest);

impl Pair {
    /// The pair with this digest.
    pub(super) fn named(digest: Digest) -> Pair {
        Pair(digest)
    }

    /// The digest.
    pub(super) fn digest(&self) -> &Digest {
        &self.0
    }

    /// The pair of these tokens.
    pub(super) fn of(tokens: &Tokens) -> Pair {
        Pair(tokens.digest())
    }
}

/// Prints enough of the digest to distinguish pairs in a trace.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("p")?;
        let mut bytes = self.0.as_bytes().iter().take(4);
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
