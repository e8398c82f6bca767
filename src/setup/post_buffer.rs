//! What git needs to push much to a host that takes tokens as `Bearer` only.
//!
//! Separate from the helpers that are configured: here it is about git's transport. A push of over 1 MiB goes in chunks,
//! and before it git sends a request of 4 bytes to see whether it is let in; git 2.46 to 2.53 leaves a credential with an
//! `authtype` out of that one. A larger `http.postBuffer` makes it one request.

use super::Git;
use crate::origin::Origin;

/// git's own `http.postBuffer`, in bytes.
const DEFAULT: u64 = 1024 * 1024;

/// The first version without the fault.
const CORRECTED: (u32, u32) = (2, 54);

/// What is said of such a host.
pub(crate) fn only_bearer(host: &Origin) -> String {
    format!(
        "{host} takes tokens as `Bearer` only: git 2.46 to 2.53 sends none with a push of over 1 MiB"
    )
}

impl Git<'_> {
    /// What to type about it; `None` where nothing is to be done.
    pub(crate) fn buffer_remedy(&self, host: &Origin) -> Option<String> {
        let said = |words: &[&str]| self.run(words).ok().flatten().unwrap_or_default();
        if version(&said(&["version"])).is_some_and(|version| version >= CORRECTED) {
            return None;
        }
        let url = host.to_string();
        let words = [
            "config",
            "--type=int",
            "--get-urlmatch",
            "http.postBuffer",
            &url,
        ];
        let buffer = said(&words).trim().parse().unwrap_or(DEFAULT);
        (buffer <= DEFAULT).then(|| format!("`git config --global http.{host}.postBuffer 500m`"))
    }
}

/// Reads `git version 2.47.3`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.trim().split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_first_two_numbers() {
        for (said, numbers) in [
            ("git version 2.47.3\n", Some((2, 47))),
            ("git version 2.54.0.windows.1\n", Some((2, 54))),
            ("git version 2.39.5 (Apple Git-154)\n", Some((2, 39))),
            ("git version 3.0-rc1\n", None),
            ("", None),
        ] {
            assert_eq!(version(said), numbers, "{said}");
        }
    }
}
