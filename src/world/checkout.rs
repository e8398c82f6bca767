//! Determines whether a git repository contains the files of the store.
//!
//! Separate from [`super::paths`] because it starts git: the mode of a file does not show where it comes from. With umask
//! 077 git checks out private files.
//!
//! Rules: git is started only for a directory inside a work tree, and only once per process. It reads the index and nothing
//! else: no variable of git applies, no program that the configuration names is started, and no lock is acquired. Where git
//! is missing or fails, no repository is known to contain the file.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
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
    // `/` is no work tree, and every `get` pays for a step.
    let steps = dir.components().count().saturating_sub(1);
    let mut git_dir = PathBuf::with_capacity(dir.as_os_str().len() + 3 * steps + 8);
    git_dir.push(dir);
    git_dir.push(".git");
    (0..steps).filter_map(move |_| {
        // In one of another user, as in `/tmp`, their settings would apply.
        let is_ours = |found: Metadata| Exposure::of(&found, &git_dir) != Exposure::OtherOwner;
        let tree = match git_dir.symlink_metadata().is_ok_and(is_ours) {
            true => git_dir.parent().and_then(|tree| canonicalize(tree).ok()),
            false => None,
        };
        // The parent of the target, where `dir` leads through a symlink.
        git_dir.set_file_name("..");
        git_dir.push(".git");
        tree
    })
}
