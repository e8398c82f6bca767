//! Runs the `git` on PATH to read or write its configuration.
//!
//! Separate from [`super::git_config`], which knows the content of that configuration.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::failure::Failure;
use crate::platform::process::INSTALL_GIT;
use crate::printable::printable;
use crate::world::World;

/// The `git` on PATH.
pub(crate) struct Git<'a> {
    pub(super) world: &'a World,
    program: PathBuf,
}

impl<'a> Git<'a> {
    /// Finds `git`.
    ///
    /// # Errors
    /// It is not on PATH.
    pub(crate) fn new(world: &'a World) -> anyhow::Result<Git<'a>> {
        let Some(program) = world.program("git") else {
            let absent = Failure::new("`git` is not on PATH");
            return Err(match INSTALL_GIT {
                Some(command) => absent.hint(format!("`{command}`")),
                None => absent,
            }
            .into());
        };
        Ok(Git { world, program })
    }

    /// What `git --version` prints.
    pub(crate) fn version(&self) -> Option<String> {
        let text = self.run(&["--version"]).ok()??;
        Some(printable(text.lines().next()?))
    }

    /// git's output; `None` if exit code 1 reports that there is no such setting.
    pub(super) fn run(&self, words: &[&str]) -> anyhow::Result<Option<String>> {
        output_of(&mut self.command(words))
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).stdin(Stdio::null());
        self.world.prepare_git(&mut command);
        command
    }
}

pub(super) fn output_of(command: &mut Command) -> anyhow::Result<Option<String>> {
    let output = command.output().context("cannot start `git`")?;
    match output.status.code() {
        Some(0) => Ok(Some(
            String::from_utf8(output.stdout).context("git's configuration is not UTF-8")?,
        )),
        Some(1) => Ok(None),
        _ => {
            let message = String::from_utf8_lossy(&output.stderr);
            let what = format!(
                "git failed: {}",
                printable(message.lines().next().unwrap_or(""))
            );
            Err(Failure::new(what).into())
        }
    }
}
