//! The three program names on `PATH`: whether each is ours, another program, or several.
//!
//! Separate from the checks of git and docker, which concern configuration.

use std::path::{Path, PathBuf};

use super::check::{Check, quoted};
use crate::world::World;

const NAME: &str = "programs";

pub(super) fn programs(world: &World) -> Vec<Check> {
    let Some(ours) = world.executable().and_then(|file| file.canonicalize().ok()) else {
        return vec![Check::ok(
            NAME,
            "the location of this program cannot be determined",
        )];
    };
    let dir = ours.parent().unwrap_or(Path::new("/"));
    [
        "sentry",
        "git-credential-sentry",
        "docker-credential-sentry",
    ]
    .map(|name| program(world, name, dir))
    .into()
}

fn program(world: &World, name: &str, dir: &Path) -> Check {
    // One file may be found under several paths, as where /bin is a symlink to /usr/bin.
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for path in world.programs(name) {
        let file = path.canonicalize().unwrap_or_else(|_| path.clone());
        if files.iter().all(|(_, other)| *other != file) {
            files.push((path, file));
        }
    }
    let first = format!("`export PATH={}:\"$PATH\"`", quoted(dir));
    match &files[..] {
        [] => Check::warning(NAME, format!("`{name}` is not on PATH"), first),
        [(path, file), others @ ..] if file.parent() == Some(dir) => match others {
            [] => Check::ok(NAME, format!("`{name}` is {}", path.display())),
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
            let what = match file.with_file_name("git-credential-sentry").exists() {
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
