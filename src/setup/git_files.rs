//! Where git has its configuration.
//!
//! Separate from what is in the files, because that is git's own secret: some of it can only be asked for in a roundabout
//! way.

use std::path::PathBuf;

use super::git::{Git, said};

/// Which of git's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of a repository, for all its work trees.
    Local,
    /// Of the user.
    Global,
    /// Of the machine.
    System,
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Scope::Local => "local",
            Scope::Global => "global",
            Scope::System => "system",
        }
    }
}

/// One of git's configuration files.
pub(crate) struct GitFile {
    pub(crate) scope: Scope,
    pub(crate) path: PathBuf,
    /// What tells it from others in the undo log.
    pub(crate) log_name: String,
}

impl std::fmt::Display for GitFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "git's {} configuration", self.scope.name())
    }
}

impl Git<'_> {
    /// The file of a scope, which need not be there.
    ///
    /// # Errors
    /// There is none, as outside of a repository.
    pub(crate) fn file(&self, scope: Scope) -> anyhow::Result<GitFile> {
        let (path, log_name) = match scope {
            Scope::Local => {
                let dir = self.common_dir()?;
                let log_name = format!("local {}", dir.display());
                (dir.join("config"), log_name)
            }
            Scope::Global => (self.global()?, scope.name().to_owned()),
            Scope::System => (self.system()?, scope.name().to_owned()),
        };
        Ok(GitFile {
            scope,
            path,
            log_name,
        })
    }

    /// The directory whose `config` all work trees of the repository share.
    ///
    /// # Errors
    /// This is no repository.
    pub(crate) fn common_dir(&self) -> anyhow::Result<PathBuf> {
        let dir = self.run(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        Ok(PathBuf::from(
            dir.unwrap_or_default().trim_end_matches('\n'),
        ))
    }

    /// git-config(1), FILES: the second one only where the first one is not there.
    fn global(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = self.world.variable_path("GIT_CONFIG_GLOBAL") {
            return Ok(std::path::absolute(file)?);
        }
        let home = self.world.home()?;
        let usual = home.join(".gitconfig");
        let around = match self.world.variable_path("XDG_CONFIG_HOME") {
            Some(dir) => std::path::absolute(dir)?,
            None => home.join(".config"),
        };
        let other = around.join("git/config");
        Ok(match !usual.exists() && other.exists() {
            true => other,
            false => usual,
        })
    }

    /// Where it is was decided when git was built. It hands it to an editor.
    fn system(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = self.world.variable_path("GIT_CONFIG_SYSTEM") {
            return Ok(std::path::absolute(file)?);
        }
        let mut edit = self.command(&["config", "--system", "--edit"]);
        edit.env("GIT_EDITOR", "echo");
        let path = said(&mut edit)?.unwrap_or_default();
        Ok(PathBuf::from(path.trim_end_matches('\n')))
    }
}
