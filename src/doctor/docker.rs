//! docker's and podman's configuration: which helper they call for the bound registries.
//!
//! Separate from [`super::git`], whose rules differ: docker and podman look a registry up by its host, exactly as
//! typed.

use std::path::Path;

use super::check::{self, Check, not_on_path};
use super::snapshot::Snapshot;
use crate::origin::Origin;
use crate::platform::files::is_executable;
use crate::platform::process;
use crate::printable::{printable, quoted};
use crate::setup::{ConfigFile, DEFAULT, Slot, looked_up, same_file};
use crate::store::{Binding, Client};
use crate::world::World;

const NAME: &str = "docker";
const PROGRAM: &str = "docker-credential-sentry";

pub(super) fn docker(world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let (files, mut checks) = read_files(world);
    // The content of an unreadable file is unknown, and no set-up can change it.
    let is_complete = checks.is_empty();
    if files.iter().any(|file| file.ours().next().is_some()) {
        if world.command(PROGRAM).is_none() {
            checks.push(not_on_path(NAME, world, PROGRAM));
        }
        checks.extend(hidden_from_desktop(world, process::docker_desktop_path()));
    }
    let mut served = Vec::new();
    for binding in &snapshot.docker {
        match bound(binding, &files, snapshot) {
            Bound::Served(name) => served.push(name),
            Bound::SignedOut(check) => checks.push(check),
            Bound::NotCalled(check) if is_complete => checks.push(check),
            Bound::NotCalled(_) => {}
        }
    }
    for file in &files {
        checks.extend(unused(file, world, snapshot));
        checks.extend(unbound(file, world, snapshot));
    }
    if !served.is_empty() {
        let what = format!("docker calls this program for {}", served.join(", "));
        checks.push(Check::ok(NAME, what));
    }
    if checks.is_empty() {
        let is_for_all = |file: &ConfigFile| file.ours().any(|name| name == DEFAULT);
        checks.push(Check::ok(
            NAME,
            match files.iter().any(is_for_all) {
                true => "docker calls this program for all registries",
                false => "no registry is set up",
            },
        ));
    }
    checks
}

/// The files that docker and podman read, and a finding for each that cannot be read.
fn read_files(world: &World) -> (Vec<ConfigFile>, Vec<Check>) {
    let (mut files, mut unreadable): (Vec<ConfigFile>, _) = (Vec::new(), Vec::new());
    let paths = [
        world.docker_config(),
        world.podman_auth(),
        world.podman_fallback(),
    ];
    // Without a home directory there are no such files.
    for path in paths.into_iter().flatten() {
        match ConfigFile::read(&path) {
            Err(_) if world.podman_has_no_place(&path) => {}
            Ok(_) if files.iter().any(|file| same_file(file.path(), &path)) => {}
            Ok(file) => files.push(file),
            Err(error) => unreadable.push(Check::failed(NAME, &error)),
        }
    }
    (files, unreadable)
}

/// What becomes of a bound registry.
enum Bound {
    /// docker calls this program for the registry of this name, and gets a token.
    Served(String),
    /// docker calls this program, and gets no token.
    SignedOut(Check),
    /// docker does not call this program.
    NotCalled(Check),
}

fn bound(binding: &Binding, files: &[ConfigFile], snapshot: &Snapshot) -> Bound {
    let prefix = Client::Docker.server("");
    let host = binding.server.strip_prefix(&prefix).unwrap_or_default();
    let Some(key) = files.iter().find_map(|file| file.key_for(&binding.server)) else {
        let what = format!("docker does not call this program for {host}");
        let remedy = format!("`{}`", set_up(host, binding));
        let check = Check::problem(NAME, what, remedy);
        return Bound::NotCalled(check.warning_if(snapshot.is_by_administrator(binding)));
    };
    let typed = if key == DEFAULT { host } else { key };
    if binding.signed_out {
        let what = format!("{host} was signed out: docker gets no token for it");
        let remedy = format!("`{}`", set_up(typed, binding));
        return Bound::SignedOut(Check::warning(NAME, what, remedy));
    }
    Bound::Served(printable(typed))
}

/// Docker Desktop looks for helpers in directories of its own choice, not in the user's `PATH`.
pub(super) fn hidden_from_desktop(world: &World, path: &[&str]) -> Option<Check> {
    let is_found = |dir: &&str| is_executable(&Path::new(dir).join(PROGRAM));
    let first = path.first().filter(|_| !path.iter().any(is_found))?;
    let what = format!(
        "Docker Desktop does not find `{PROGRAM}`: it looks in {}",
        path.join(" and ")
    );
    let found = world.program(PROGRAM).or_else(|| world.sibling(PROGRAM));
    Some(match found {
        Some(file) => Check::warning(NAME, what, symlink_in(first, &file)),
        None => Check::notice(NAME, what),
    })
}

fn symlink_in(dir: &str, file: &Path) -> String {
    let (dir, file) = (quoted(dir), check::quoted(file));
    format!("`sudo mkdir -p {dir} && sudo ln -sf {file} {dir}/`")
}

fn set_up(registry: &str, binding: &Binding) -> String {
    let user = binding.username.as_deref();
    let user = user.map_or_else(String::new, |name| format!(" --username {}", quoted(name)));
    format!(
        "sentry auth setup-docker --registry {} --url {}{user}",
        quoted(registry),
        binding.origin
    )
}

/// The binding of a registry, if there is one.
fn binding_of<'a>(name: &str, snapshot: &'a Snapshot) -> Option<&'a Binding> {
    let server = Slot(name).server()?;
    snapshot
        .docker
        .iter()
        .find(|binding| binding.server == server)
}

fn option_of(file: &ConfigFile, world: &World) -> &'static str {
    let is_docker = world
        .docker_config()
        .is_ok_and(|path| same_file(&path, file.path()));
    if is_docker { "" } else { " --podman" }
}

/// Keys that no client looks up.
fn unused(file: &ConfigFile, world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let unused = file
        .ours()
        .filter(|name| !looked_up(name) && Slot(name).server().is_some());
    unused
        .map(|name| {
            let what = format!(
                "docker never looks up `{}` in {}: a registry is looked up by its host",
                printable(&Slot(name).to_string()),
                file.path().display()
            );
            let option = option_of(file, world);
            let server = Slot(name).server().unwrap_or_default();
            let host = server
                .strip_prefix(&Client::Docker.server(""))
                .unwrap_or_default();
            let remedy = match binding_of(name, snapshot) {
                Some(binding) => format!("`{}{option}`", set_up(host, binding)),
                None => format!(
                    "`sentry auth setup-docker --undo{option} --registry {}`",
                    quoted(host)
                ),
            };
            Check::warning(NAME, what, remedy)
        })
        .collect()
}

/// Registries for which docker calls this program, but which have no binding.
fn unbound(file: &ConfigFile, world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let is_known = |name: &str| {
        let host = Origin::from_setting(name);
        binding_of(name, snapshot).is_some()
            || host.is_ok_and(|host| {
                snapshot
                    .sessions
                    .iter()
                    .any(|session| host.may_receive(&session.origin))
            })
    };
    file.ours()
        .filter(|name| *name != DEFAULT && looked_up(name) && !is_known(name))
        .map(|name| {
            let name = printable(name);
            let what =
                format!("docker calls this program for {name}, which is bound to no instance");
            let registry = quoted(&name);
            let remedy = match snapshot.has_login(world) {
                true => format!("`sentry auth setup-docker --registry {registry}`"),
                false => {
                    let option = option_of(file, world);
                    format!("`sentry auth setup-docker --undo{option} --registry {registry}`")
                }
            };
            Check::warning(NAME, what, remedy)
        })
        .collect()
}
