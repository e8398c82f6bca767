//! `sentry auth setup-docker`: configures docker, podman or another client to call the helper for a registry, and binds
//! the registry to this login.

mod registries;
mod set_up;
mod undo;

use std::process::ExitCode;

use super::context::ConfigDir;
use crate::cli::SetupDockerArgs;
use crate::world::World;

pub(crate) fn setup_docker(world: &World, args: &SetupDockerArgs) -> anyhow::Result<ExitCode> {
    let path = match args.podman {
        true => world.podman_auth()?,
        false => world.docker_config()?,
    };
    let config = ConfigDir::of(world)?;
    match args.undo {
        true => undo::Undo::new(world, args, path)?.run(&config)?,
        false => set_up::SetUp::new(world, args, path, &config)?.run(&config)?,
    }
    Ok(ExitCode::SUCCESS)
}
