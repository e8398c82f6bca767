//! `sentry auth setup-docker`: lets docker, or podman and its kin, ask us about a registry, and the registry have this
//! login.

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
    let place = ConfigDir::of(world)?;
    match args.undo {
        true => undo::Undo::new(world, args, path)?.run(&place)?,
        false => set_up::SetUp::new(world, args, path, &place)?.run(&place)?,
    }
    Ok(ExitCode::SUCCESS)
}
