//! The name of a pair of tokens: what flows, marks and traces say instead of the tokens.

use crate::account::Tokens;
use crate::secret::Digest;

/// Names a pair of tokens: the digest of its refresh token, or of the access token where there is no other.
#[derive(Clone, Copy, PartialEq, Eq)]
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
        Pair(tokens.refresh.as_ref().unwrap_or(&tokens.access).digest())
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
