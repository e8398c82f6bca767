//! The setting that git needs for large pushes to a host that accepts tokens only as `Bearer`.
//!
//! Separate from the helpers because it concerns git's transport. A push of over 1 MiB is sent in chunks, preceded by a
//! request of 4 bytes that checks the authorization; git 2.46 to 2.53 sends that request without a credential that has
//! an `authtype`. A larger `http.postBuffer` makes the push a single request.

use super::Git;
use crate::origin::Origin;

/// git's default `http.postBuffer`, in bytes.
const DEFAULT: u64 = 1024 * 1024;

/// The first version of git without this defect.
const CORRECTED: (u32, u32) = (2, 54);

/// The warning about such a host.
pub(crate) fn only_bearer(host: &Origin) -> String {
    format!(
        "{host} accepts tokens only as `Bearer`: git 2.46 to 2.53 sends none with a push of over 1 MiB"
    )
}

impl Git<'_> {
    /// The command that fixes it; `None` if there is nothing to fix.
    pub(crate) fn buffer_remedy(&self, host: &Origin) -> Option<String> {
        let output = |words: &[&str]| self.run(words).ok().flatten().unwrap_or_default();
        if version(&output(&["version"])).is_some_and(|version| version >= CORRECTED) {
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
        let buffer = output(&words).trim().parse().unwrap_or(DEFAULT);
        (buffer <= DEFAULT).then(|| format!("`git config --global http.{host}.postBuffer 500m`"))
    }
}

/// Parses `git version 2.47.3`.
fn version(output: &str) -> Option<(u32, u32)> {
    let mut numbers = output.strip_prefix("git version ")?.trim().split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_first_two_numbers() {
        for (output, numbers) in [
            ("git version 2.47.3\n", Some((2, 47))),
            ("git version 2.54.0.windows.1\n", Some((2, 54))),
            ("git version 2.39.5 (Apple Git-154)\n", Some((2, 39))),
            ("git version 3.0-rc1\n", None),
            ("", None),
        ] {
            assert_eq!(version(output), numbers, "{output}");
        }
    }
}
