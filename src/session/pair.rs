//! The name of a pair of tokens: what flows and traces say instead of the tokens.

use serde::{Deserialize, Serialize};

use crate::account::Tokens;
use crate::secret::Digest;

/// Names a pair of tokens, by [`Tokens::digest`].
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pair(Digest);

impl Pair {
    /// The one with this digest.
    pub(super) fn named(digest: Digest) -> Pair {
        Pair(digest)
    }

    /// The digest.
    pub(super) fn digest(&self) -> &Digest {
        &self.0
    }

    /// The name of a pair.
    pub(super) fn of(tokens: &Tokens) -> Pair {
        Pair(tokens.digest())
    }
}

/// Enough of the digest to tell pairs apart in a trace.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("p")?;
        let mut bytes = self.0.as_bytes().iter().take(4);
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
