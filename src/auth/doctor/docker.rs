//! The configuration of docker and podman: whom they ask for the registries that are bound.

use super::{Check, Known};
use crate::auth::docker_config::{ConfigFile, DEFAULT, Slot};
use crate::auth::setup_docker::OURS;
use crate::origin::Origin;
use crate::printable::printable;
use crate::store::Client;
use crate::world::World;

const NAME: &str = "docker";

pub(super) fn docker(world: &World, known: &Known) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut files = Vec::new();
    // Without a home directory neither has a configuration.
    for path in [world.docker_config(), world.podman_auth()]
        .into_iter()
        .flatten()
    {
        match ConfigFile::read(path) {
            Ok(file) => files.push(file),
            Err(error) => checks.push(Check::failed(NAME, &error)),
        }
    }
    let names_us = files
        .iter()
        .any(|file| asks_us_for_all(file) || ours(file).next().is_some());
    if names_us && world.program("docker-credential-sentry").is_none() {
        let what = "docker is told to ask `sentry`, and `docker-credential-sentry` is not on PATH";
        let mend = "put the directory of `docker-credential-sentry` on PATH";
        checks.push(Check::problem(NAME, what, mend));
    }
    let prefix = Client::Docker.server("");
    let mut asked = Vec::new();
    for binding in &known.docker {
        let host = binding.server.strip_prefix(&prefix).unwrap_or_default();
        if !files.iter().any(|file| asks_us_for(file, &binding.server)) {
            let what = format!("docker does not ask this program for {host}");
            let mend = format!(
                "`sentry auth setup-docker --registry {host} --url {}`",
                binding.origin
            );
            checks.push(Check::problem(NAME, what, mend));
        } else if binding.signed_out {
            let what = format!("{host} was signed out: docker gets no token for it");
            checks.push(Check::warning(NAME, what, format!("`docker login {host}`")));
        } else {
            asked.push(host);
        }
    }
    checks.extend(files.iter().flat_map(|file| unbound(file, known)));
    if !asked.is_empty() {
        let what = format!("docker asks this program for {}", asked.join(", "));
        checks.push(Check::ok(NAME, what));
    }
    if checks.is_empty() {
        checks.push(Check::ok(
            NAME,
            match files.iter().any(asks_us_for_all) {
                true => "docker asks this program for all registries",
                false => "no registry is set up",
            },
        ));
    }
    checks
}

fn asks_us_for_all(file: &ConfigFile) -> bool {
    file.value(Slot(DEFAULT)) == OURS
}

/// Registries as they stand in the file.
fn ours(file: &ConfigFile) -> impl Iterator<Item = &str> {
    file.registries()
        .filter(|name| file.value(Slot(name)) == OURS)
}

/// An entry of `credHelpers` counts before `credsStore`.
fn asks_us_for(file: &ConfigFile, server: &str) -> bool {
    let entry = file.registries().find(|name| is_named(name, server));
    entry.map_or_else(
        || asks_us_for_all(file),
        |name| file.value(Slot(name)) == OURS,
    )
}

/// docker keeps whatever was typed.
fn is_named(name: &str, server: &str) -> bool {
    Slot(name)
        .server()
        .is_ok_and(|found| found.as_deref() == Some(server))
}

/// Registries for which docker asks us, and we do not know whose token to give.
fn unbound(file: &ConfigFile, known: &Known) -> Vec<Check> {
    let is_known = |name: &str| {
        let bound = known
            .docker
            .iter()
            .any(|binding| is_named(name, &binding.server));
        let host = Origin::from_setting(name);
        bound
            || host.is_ok_and(|host| {
                known
                    .sessions
                    .iter()
                    .any(|session| host.may_receive(&session.origin))
            })
    };
    ours(file)
        .filter(|name| !is_known(name))
        .map(|name| {
            let name = printable(name);
            let what =
                format!("docker asks this program for {name}, which is bound to no instance");
            Check::warning(
                NAME,
                what,
                format!("`sentry auth setup-docker --registry {name}`"),
            )
        })
        .collect()
}
