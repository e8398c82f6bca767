//! The `git` on PATH, started to read or to write its configuration.
//!
//! Separate from what is in that configuration: here is how git is called, and how it says that there is nothing.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::failure::Failure;
use crate::printable::printable;
use crate::world::World;

/// The `git` on PATH.
pub(crate) struct Git<'a> {
    pub(super) world: &'a World,
    program: PathBuf,
}

impl<'a> Git<'a> {
    /// Finds it.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn new(world: &'a World) -> anyhow::Result<Git<'a>> {
        let program = world.program("git").context("`git` is not on PATH")?;
        Ok(Git { world, program })
    }

    /// What git prints; `None` where it says by exit code 1 that there is nothing.
    pub(super) fn run(&self, words: &[&str]) -> anyhow::Result<Option<String>> {
        said(&mut self.command(words))
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).stdin(Stdio::null());
        // Tokens are none of git's business here.
        let ours: Vec<OsString> = self.world.variables_with_prefix("SENTRY_").collect();
        for name in ours {
            command.env_remove(name);
        }
        command
    }
}

pub(super) fn said(command: &mut Command) -> anyhow::Result<Option<String>> {
    let output = command.output().context("cannot start `git`")?;
    match output.status.code() {
        Some(0) => Ok(Some(
            String::from_utf8(output.stdout).context("git's configuration is not UTF-8")?,
        )),
        Some(1) => Ok(None),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let what = format!("git says: {}", printable(said.lines().next().unwrap_or("")));
            Err(Failure::new(what).into())
        }
    }
}
