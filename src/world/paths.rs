//! Finds the home directory, the directory of `cli.db`, and programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;

use super::World;
use super::files::{commands_in, file_name, is_of_process, programs_in};
use crate::failure::Failure;
use crate::platform::files::{self, is_executable};
use crate::platform::process::SCRIPTS;
use crate::printable::printable;

/// Name of the database that is shared with Sentry's official CLI.
const DATABASE: &str = "cli.db";

const CONFIG_DIR: &str = "SENTRY_CONFIG_DIR";
const XDG: &str = "XDG_CONFIG_HOME";

/// There is no home directory: neither a variable nor the password database names one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoHome;

impl std::fmt::Display for NoHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no home directory: set {}", files::HOME)
    }
}

impl std::error::Error for NoHome {}

impl World {
    /// The directory of `cli.db`: the official CLI's choice where it already has one, else `~/.sentry`.
    ///
    /// # Errors
    /// When the directory would depend on the current one.
    pub(crate) fn config_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = self.variable_path(CONFIG_DIR) {
            return selected(absolute(dir, CONFIG_DIR)?, CONFIG_DIR);
        }
        let home = self.home()?;
        let ours = home.join(".sentry");
        if has_database(&ours) {
            return Ok(ours);
        }
        let xdg = self.variable_path(XDG).filter(|dir| dir.is_absolute());
        let is_selected = xdg.is_some();
        // Since 0.45 the official CLI logs in there. A new `~/.sentry/cli.db` beside it would hide that login.
        let theirs = xdg.unwrap_or_else(|| home.join(".config")).join("sentry");
        match (has_database(&theirs), is_selected) {
            (true, true) => selected(theirs, XDG),
            (true, false) => Ok(theirs),
            (false, _) => Ok(ours),
        }
    }

    /// The variable that selects this directory of `cli.db`, where it is another than without it: a repository can carry a
    /// directory, and a file that sets the variable.
    pub(crate) fn selects(&self, dir: &Path) -> Option<&'static str> {
        let is_default = || {
            let home = self.variable_path(files::HOME);
            let in_home = home.as_ref().and_then(|home| dir.strip_prefix(home).ok());
            let defaults = [".sentry", ".config/sentry"];
            in_home.is_some_and(|rest| defaults.iter().any(|default| rest == Path::new(default)))
        };
        let xdg = || {
            let xdg = self.variable_path(XDG)?;
            (dir.parent() == Some(&xdg)).then_some(XDG)
        };
        let by = match self.variable_path(CONFIG_DIR) {
            Some(_) => Some(CONFIG_DIR),
            None => xdg(),
        };
        by.filter(|_| !is_default())
    }

    /// The user's home: `HOME`, else what the password database says.
    ///
    /// # Errors
    /// [`NoHome`], or a relative `HOME`.
    pub(crate) fn home(&self) -> anyhow::Result<PathBuf> {
        match self.variable_path(files::HOME) {
            Some(home) => lasting(absolute(home, files::HOME)?, files::HOME),
            // Without HOME in the environment this asks getpwuid_r.
            None => std::env::home_dir()
                .filter(|home| home.is_absolute())
                .ok_or_else(|| NoHome.into()),
        }
    }

    /// A program by its name, by absolute path: relative entries of `PATH` are passed over.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        self.programs(name).into_iter().next()
    }

    /// What a shell or another program starts by a name: a program, or a script where the system has scripts that are typed
    /// as one.
    pub(crate) fn command(&self, name: &str) -> Option<PathBuf> {
        self.commands(name).into_iter().next()
    }

    /// All of them, in the order of `PATH`.
    pub(crate) fn commands(&self, name: &str) -> Vec<PathBuf> {
        let path = self.variable_path("PATH").unwrap_or_default();
        commands_in(path.as_os_str(), name).collect()
    }

    /// All programs of a name, in the order of `PATH`.
    pub(crate) fn programs(&self, name: &str) -> Vec<PathBuf> {
        let path = self.variable_path("PATH").unwrap_or_default();
        programs_in(path.as_os_str(), name).collect()
    }

    /// What `NAME --version` prints first, of the program on `PATH`, which gets none of our variables.
    pub(crate) fn version_of(&self, name: &str) -> Option<String> {
        let mut command = Command::new(self.program(name)?);
        for variable in self.variables_with_prefix("SENTRY_") {
            command.env_remove(variable);
        }
        command
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let output = command
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout);
        Some(printable(text.lines().next()?))
    }

    /// Keeps from git our variables, which it does not need, and `GIT_CONFIG`, which names another file to `git config` alone:
    /// that would not print what git uses (git-config(1), section Environment).
    pub(crate) fn prepare_git(&self, command: &mut Command) {
        for variable in self.variables_with_prefix("SENTRY_") {
            command.env_remove(variable);
        }
        command.env_remove("GIT_CONFIG");
    }

    /// The script that a name stands for, where the system itself finds only programs by their name.
    pub(crate) fn script(&self, name: &Path) -> Option<PathBuf> {
        if SCRIPTS.is_empty() || name.components().count() != 1 || name.extension().is_some() {
            return None;
        }
        let path = self.variable_path("PATH").unwrap_or_default();
        let directories = std::env::split_paths(&path).filter(|dir| dir.is_absolute());
        for dir in directories {
            let file = dir.join(name);
            if is_executable(&file.with_extension("exe")) {
                return None;
            }
            let mut scripts = SCRIPTS.iter().map(|ending| file.with_extension(ending));
            if let Some(script) = scripts.find(|script| script.is_file()) {
                return Some(script);
            }
        }
        None
    }

    /// The file that is running; on Linux with all symlinks resolved.
    pub(crate) fn executable(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    /// A program beside the running one: by the name that was started, before the file behind it. A symlink to a directory
    /// with a version in its name outlives the version.
    pub(crate) fn sibling(&self, name: &str) -> Option<PathBuf> {
        let started = std::env::args_os().next().map(PathBuf::from);
        let named = started.and_then(|started| match started.components().count() {
            1 => self.program(started.to_str()?),
            _ => std::path::absolute(started).ok(),
        });
        [named, self.executable()]
            .into_iter()
            .flatten()
            .map(|program| program.with_file_name(file_name(name)))
            .find(|file| is_executable(file))
    }

    /// docker's configuration file.
    ///
    /// # Errors
    /// There is no home directory.
    pub(crate) fn docker_config(&self) -> anyhow::Result<PathBuf> {
        let dir = match self.variable_path("DOCKER_CONFIG") {
            Some(dir) => std::path::absolute(dir)?,
            None => self.home()?.join(".docker"),
        };
        Ok(dir.join("config.json"))
    }

    /// The file that podman, skopeo and buildah log in and out through.
    ///
    /// Not quite containers-auth.json(5): where `DOCKER_CONFIG` is set they take docker's file, as tried with podman 4.3
    /// and skopeo 1.9.
    ///
    /// # Errors
    /// There is no home directory.
    pub(crate) fn podman_auth(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = self.variable_path("REGISTRY_AUTH_FILE") {
            return Ok(std::path::absolute(file)?);
        }
        if self.variable_path("DOCKER_CONFIG").is_some() {
            return self.docker_config();
        }
        let Some(default) = files::containers_dir() else {
            return self.podman_fallback();
        };
        let dir = match self.variable_path("XDG_RUNTIME_DIR") {
            Some(dir) => std::path::absolute(dir)?.join("containers"),
            None => default,
        };
        Ok(dir.join("auth.json"))
    }

    /// Whether that is a directory of another user's, chosen by no variable: podman then has no file there.
    pub(crate) fn podman_has_no_place(&self, path: &Path) -> bool {
        let is_chosen = self.variable_path("REGISTRY_AUTH_FILE").is_some();
        let found = path.symlink_metadata();
        let is_denied =
            found.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
        is_denied && !is_chosen && self.podman_auth().is_ok_and(|auth| auth == path)
    }

    /// The file that they also read, when [`World::podman_auth`] has nothing about a registry.
    ///
    /// # Errors
    /// There is no home directory.
    pub(crate) fn podman_fallback(&self) -> anyhow::Result<PathBuf> {
        let around = match self.variable_path("XDG_CONFIG_HOME") {
            Some(dir) => std::path::absolute(dir)?,
            None => self.home()?.join(".config"),
        };
        Ok(around.join("containers/auth.json"))
    }

    /// Refuses to create a file or directory in a home directory of another user: after `sudo -E` its owner could not use
    /// it.
    ///
    /// # Errors
    /// It does.
    pub(crate) fn check_may_create(&self, path: &Path) -> Result<(), Failure> {
        let Ok(home) = self.home() else {
            return Ok(());
        };
        match belongs_to_another(&home) && is_within(path, &home) {
            true => Err(Failure::new(format!(
                "nothing is created in {}: it is the home directory of another user; run it without sudo",
                home.display()
            ))
            .hint(format!(
                "`export {CONFIG_DIR}=DIR`, a directory of this user that is private (0700), where there is no sudo"
            ))),
            false => Ok(()),
        }
    }
}

/// Whether what is made at a path lies in a directory, by whatever name: what is missing of the path is made below the
/// part that is there. By identity: a directory has more than one path where it is mounted twice, where a file system ignores
/// case, and on macOS by firmlinks.
fn is_within(path: &Path, directory: &Path) -> bool {
    if path.starts_with(directory) {
        return true;
    }
    let Ok(directory) = files::identity(directory) else {
        return false;
    };
    let is_it = |part: &Path| files::identity(part).is_ok_and(|found| found == directory);
    let mut parts = path.ancestors();
    let there = parts.find_map(|part| files::canonicalize(part).ok());
    there.is_some_and(|there| there.ancestors().any(is_it))
}

/// A file that does not exist has no owner.
fn belongs_to_another(dir: &Path) -> bool {
    dir.metadata()
        .is_ok_and(|found| files::has_other_owner(&found, dir))
}

fn absolute(path: PathBuf, name: &str) -> anyhow::Result<PathBuf> {
    if !path.is_absolute() {
        bail!("{name} must be an absolute path");
    }
    Ok(path)
}

/// Refuses a directory that is another one for each process.
fn lasting(path: PathBuf, name: &str) -> anyhow::Result<PathBuf> {
    if is_of_process(&path) {
        bail!("{name} must not name a directory below /proc or /dev/fd");
    }
    Ok(path)
}

/// The same for a directory that a variable selects, by whatever symlinks; `HOME` selects more than this program's.
fn selected(path: PathBuf, name: &str) -> anyhow::Result<PathBuf> {
    if files::passes_magic_link(&path) {
        bail!("{name} must not name a directory below /proc or /dev/fd");
    }
    lasting(path, name)
}

// A symlink or a special file counts as present: opening it reports what is wrong with it.
fn has_database(dir: &Path) -> bool {
    dir.join(DATABASE).symlink_metadata().is_ok()
}
