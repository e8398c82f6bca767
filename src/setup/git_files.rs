//! Locates git's configuration files.
//!
//! Separate from their content because git does not report all of the paths directly.

use std::path::PathBuf;

use super::git::{Git, output_of};
use crate::platform::files;

/// One of git's configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The repository's, shared by all its work trees.
    Local,
    /// The user's.
    Global,
    /// The machine's.
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

/// A configuration file of git.
pub(crate) struct GitFile {
    pub(crate) scope: Scope,
    pub(crate) path: PathBuf,
    /// Identifies the file in the undo log.
    pub(crate) log_name: String,
}

impl std::fmt::Display for GitFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "git's {} configuration", self.scope.name())
    }
}

impl Git<'_> {
    /// The file of a scope, which need not exist.
    ///
    /// # Errors
    /// There is none, as outside a repository.
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
    /// This is not a repository.
    pub(crate) fn common_dir(&self) -> anyhow::Result<PathBuf> {
        let dir = self.run(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        Ok(PathBuf::from(
            dir.unwrap_or_default().trim_end_matches('\n'),
        ))
    }

    /// git-config(1), FILES: the second file is used only if the first does not exist.
    fn global(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = self.world.variable_path("GIT_CONFIG_GLOBAL") {
            return Ok(std::path::absolute(file)?);
        }
        let home = match files::home_of_git(|name| self.world.variable_path(name)) {
            Some(home) => home,
            None => self.world.home()?,
        };
        let home_file = home.join(".gitconfig");
        let config_home = match self.world.variable_path("XDG_CONFIG_HOME") {
            Some(dir) => std::path::absolute(dir)?,
            None => home.join(".config"),
        };
        let xdg_file = config_home.join("git/config");
        Ok(match !home_file.exists() && xdg_file.exists() {
            true => xdg_file,
            false => home_file,
        })
    }

    /// The path is compiled into git, which reveals it to an editor.
    fn system(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = self.world.variable_path("GIT_CONFIG_SYSTEM") {
            return Ok(std::path::absolute(file)?);
        }
        let mut edit = self.command(&["config", "--system", "--edit"]);
        edit.env("GIT_EDITOR", "echo");
        let path = output_of(&mut edit)?.unwrap_or_default();
        Ok(PathBuf::from(path.trim_end_matches('\n')))
    }
}
