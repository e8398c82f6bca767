//! Apple's placeholder for git: `/usr/bin/git` is on every Mac, and opens a dialog that installs the developer tools if
//! they are missing.
//!
//! Separate from the call because it is tested on every system.

use std::path::Path;

const GIT: &str = "/usr/bin/git";

/// What `xcode-select --print-path` exits with if there are no developer tools.
const NO_TOOLS: i32 = 2;

/// Whether a program would open that dialog. `ask` runs `xcode-select --print-path`, and returns its exit code.
pub(super) fn opens_installer(program: &Path, ask: impl FnOnce() -> Option<i32>) -> bool {
    program == Path::new(GIT) && ask() == Some(NO_TOOLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_apples_git_without_the_tools_is_a_placeholder() {
        for (code, expected) in [(Some(2), true), (Some(0), false), (None, false)] {
            assert_eq!(
                opens_installer(Path::new("/usr/bin/git"), || code),
                expected
            );
        }
        for other in [
            "/opt/homebrew/bin/git",
            "/usr/bin/docker",
            "/usr/bin/xcode-select",
        ] {
            let ask = || panic!("{other} needs no tools");
            assert!(!opens_installer(Path::new(other), ask));
        }
    }
}
