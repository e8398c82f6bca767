//! Our program names on `PATH`: whether each is ours, another program, or several. `sentry` may be Sentry's official CLI
//! where `sentry-credential` is found.
//!
//! Separate from the checks of git and docker, which concern configuration.

use std::path::{Path, PathBuf};

use super::check::{Check, quoted};
use crate::platform::files::canonicalize;
use crate::world::{World, file_name, is_our_sentry, is_same_file};

const NAME: &str = "programs";

pub(super) fn programs(world: &World) -> Vec<Check> {
    let Some(ours) = world.executable().and_then(|file| canonicalize(&file).ok()) else {
        return vec![Check::ok(
            NAME,
            "the location of this program cannot be determined",
        )];
    };
    let dir = ours.parent().unwrap_or(Path::new("/"));
    let mut checks = commands(world, &ours, dir);
    let helpers = ["git-credential-sentry", "docker-credential-sentry"];
    checks.extend(helpers.map(|name| program(world, name, dir)));
    checks
}

/// The two that a user types; one is enough.
fn commands(world: &World, ours: &Path, dir: &Path) -> Vec<Check> {
    let is_ours = |path: &Path| {
        let file = canonicalize(path);
        file.is_ok_and(|file| file.parent() == Some(dir)) || is_same_file(path, ours)
    };
    let Some(named) = world
        .program("sentry-credential")
        .filter(|path| is_ours(path))
    else {
        return vec![program(world, "sentry", dir)];
    };
    let what = format!("`sentry-credential` is {}", named.display());
    let what = match world.command("sentry") {
        Some(sentry) if !is_our_sentry(&sentry) => {
            format!("{what}; `sentry` is {}, another program", sentry.display())
        }
        Some(_) => return vec![Check::ok(NAME, what), program(world, "sentry", dir)],
        None => what,
    };
    vec![Check::ok(NAME, what)]
}

fn program(world: &World, name: &str, dir: &Path) -> Check {
    // One file may be found under several paths, as where /bin is a symlink to /usr/bin.
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    let found = match name {
        "sentry" => world.commands(name),
        // A script with this name is one that npm made for ours.
        _ => world.programs(name),
    };
    for path in found {
        let file = canonicalize(&path).unwrap_or_else(|_| path.clone());
        if files.iter().all(|(_, other)| *other != file) {
            files.push((path, file));
        }
    }
    let first = format!("`export PATH={}:\"$PATH\"`", quoted(dir));
    match &files[..] {
        [] => match world.script(Path::new(name)) {
            Some(script) => Check::ok(NAME, format!("`{name}` is {}", script.display())),
            None => Check::warning(NAME, format!("`{name}` is not on PATH"), first),
        },
        [(path, file), others @ ..] if file.parent() == Some(dir) => match others {
            [] => Check::ok(NAME, format!("`{name}` is {}", path.display())),
            [(other, _), ..] if name == "sentry" => Check::ok(
                NAME,
                format!(
                    "`{name}` is {}; what is not `auth` goes to {}",
                    path.display(),
                    other.display()
                ),
            ),
            [(other, _), ..] => Check::notice(
                NAME,
                format!(
                    "`{name}` is {}, followed on PATH by {}",
                    path.display(),
                    other.display()
                ),
            ),
        },
        [(path, file), ..] => {
            let what = match file
                .with_file_name(file_name("git-credential-sentry"))
                .exists()
            {
                true => "of another installation of this program",
                false => "another program, such as Sentry's own CLI",
            };
            let other = format!(
                "`{name}` is {}, {what}; this one is in {}",
                path.display(),
                dir.display()
            );
            Check::warning(NAME, other, first)
        }
    }
}
