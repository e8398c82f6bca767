//! Determines whether a git repository contains the files of the store.
//!
//! Separate from [`super::paths`] because it starts git: the mode of a file does not show where it comes from. With umask
//! 077 git checks out private files.
//!
//! Rules: git is started only for a directory inside a work tree, and only once per process. It reads the index and nothing
//! else: no variable of git applies, no program that the configuration names is started, and no lock is acquired. Where git
//! is missing or fails, no repository is known to contain the file.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf, is_separator};
use std::process::{Command, Stdio};

use super::World;
use crate::platform::files::{Exposure, canonicalize};

impl World {
    /// The work tree whose repository contains files in `dir` whose names begin with one of `names`, in any case.
    pub(crate) fn checkout_with(&self, dir: &Path, names: &[&str]) -> Option<PathBuf> {
        if self.is_of_no_checkout.get() {
            return None;
        }
        let found = work_trees(dir).find(|tree| self.is_tracked(tree, dir, names));
        self.is_of_no_checkout.set(found.is_none());
        found
    }

    /// Relies on the caller of this process, which has called [`World::checkout_with`].
    pub(crate) fn rely_on_callers_check(&self) {
        self.is_of_no_checkout.set(true);
    }

    fn is_tracked(&self, tree: &Path, dir: &Path, names: &[&str]) -> bool {
        let (Some(git), Ok(dir)) = (self.program("git"), canonicalize(dir)) else {
            return false;
        };
        let mut command = Command::new(git);
        for prefix in ["GIT_", "SENTRY_"] {
            for variable in self.variables_with_prefix(prefix) {
                command.env_remove(variable);
            }
        }
        command
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .args(["-c", "core.fsmonitor=false", "--git-dir"])
            .arg(tree.join(".git"))
            .arg("--work-tree")
            .arg(tree)
            .args(["ls-files", "-z", "--"])
            .args(names.iter().map(|name| format!(":(icase){name}*")))
            .current_dir(dir)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let listed = command.output();
        listed.is_ok_and(|listed| listed.status.success() && !listed.stdout.is_empty())
    }
}

/// The work trees of this user around a directory, the innermost first. A repository cannot contain a file called `.git`.
fn work_trees(dir: &Path) -> impl Iterator<Item = PathBuf> {
    // Text, not a `Path`, which would be taken apart again for each step: every `get` pays for them.
    let mut around = dir.as_os_str().to_owned();
    // Windows looks up such a path as it is, with `..` for a name.
    if around.as_encoded_bytes().starts_with(br"\\?\")
        && let Ok(dir) = canonicalize(dir)
    {
        around = dir.into_os_string();
    }
    // `/` is no work tree.
    let steps = 1..around
        .as_encoded_bytes()
        .split(|byte| is_separator(char::from(*byte)))
        .count();
    steps.filter_map(move |_| {
        let mut git_dir = OsString::with_capacity(around.len() + "/.git".len());
        git_dir.push(&around);
        git_dir.push("/.git");
        // The parent of the target, where `dir` leads through a symlink.
        around.push("/..");
        let git_dir = Path::new(&git_dir);
        // In one of another user, as in `/tmp`, their settings would apply.
        let is_ours = |found: Metadata| Exposure::of(&found, git_dir) != Exposure::OtherOwner;
        match git_dir.symlink_metadata().is_ok_and(is_ours) {
            true => git_dir.parent().and_then(|tree| canonicalize(tree).ok()),
            false => None,
        }
    })
}
