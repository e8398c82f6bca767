//! `sentry auth setup-git`: configures git to call the helper for a host, and binds the host to this login.

mod set_up;
mod undo;
mod values;

use std::process::ExitCode;

use super::context::ConfigDir;
use crate::cli::{GitHost, GitScope, SetupGitArgs};
use crate::origin::Origin;
use crate::setup::{Git, Scope};
use crate::world::World;

use set_up::SetUp;
use undo::Undo;

pub(crate) use values::set_up_command;

pub(crate) fn setup_git(world: &World, args: &SetupGitArgs) -> anyhow::Result<ExitCode> {
    let git = Git::new(world)?;
    let file = git.file(scope(&args.scope))?;
    let config = ConfigDir::of(world)?;
    let given = args.host.iter().chain(&args.hosts);
    let mut hosts: Vec<Origin> = Vec::new();
    for host in given.flat_map(|GitHost(origins)| origins) {
        if !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    match args.undo {
        true => Undo::new(world, &git, file, hosts, args.dry_run).run(&config)?,
        false => SetUp::new(world, args, &git, file, hosts, &config)?.run(&config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether git's file for all users names this program.
pub(crate) fn is_set_up_for_all_users(world: &World) -> bool {
    let found = Git::new(world).and_then(|git| {
        let settings = git.settings_of(&git.file(Scope::System)?.path)?;
        Ok(settings.iter().any(|setting| setting.helper.is_ours()))
    });
    found.unwrap_or(false)
}

fn scope(scope: &GitScope) -> Scope {
    match scope {
        GitScope { local: true, .. } => Scope::Local,
        GitScope { system: true, .. } => Scope::System,
        _ => Scope::Global,
    }
}
