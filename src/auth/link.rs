//! `sentry-credential link`: a symlink `sentry` to this program, for those who want to type that.
//!
//! Packages install no file of that name, because Sentry's official CLI has it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::output::{print, say};
use crate::cli::LinkArgs;
use crate::failure::Failure;
use crate::platform::files::symlink;
use crate::printable::quoted;
use crate::world::{World, file_name, is_same_file};

const ELSEWHERE: &str = "`sentry-credential link DIR`, with a directory of yours that is on PATH";

pub(crate) fn link(world: &World, args: &LinkArgs) -> anyhow::Result<ExitCode> {
    let program = world.executable();
    let program = program.context("cannot tell where this program lies")?;
    let own_dir = program.parent().unwrap_or(Path::new("/"));
    let dir = match &args.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => own_dir.to_owned(),
    };
    let link = dir.join(file_name("sentry"));
    // One that moves along with its directory, if it can.
    let target = match (is_same_file(&dir, own_dir), program.file_name()) {
        (true, Some(name)) => PathBuf::from(name),
        _ => program.clone(),
    };
    match is_same_file(&link, &program) {
        true => print(&format!("{} is this program already", link.display()))?,
        false => {
            make(&target, &link).map_err(|error| failure(&link, &error))?;
            print(&format!(
                "{} is a symlink to {}",
                link.display(),
                program.display()
            ))?;
        }
    }
    let first = world.program("sentry");
    if !first.is_some_and(|first| is_same_file(&first, &program)) {
        say(&format!(
            "warning: `sentry` is not that one yet, by PATH\nhint: `export PATH={}:\"$PATH\"`",
            quoted(&dir.display().to_string())
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The symlinks to this program that [`link`] makes, beside it and on `PATH`.
pub(super) fn links(world: &World) -> Vec<PathBuf> {
    let Some(program) = world.executable() else {
        return Vec::new();
    };
    let name = file_name("sentry");
    let beside = program.with_file_name(&name);
    let all = std::iter::once(beside).chain(world.programs(&name));
    let mut links: Vec<PathBuf> = Vec::new();
    for link in all.filter(|link| is_earlier(link) && is_same_file(link, &program)) {
        if !links.contains(&link) {
            links.push(link);
        }
    }
    links
}

/// Makes the symlink, in place of an earlier one to a program of ours only.
fn make(target: &Path, link: &Path) -> io::Result<()> {
    match symlink(target, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_earlier(link) => {
            let new = link.with_file_name(format!(".sentry-{}", std::process::id()));
            symlink(target, &new)?;
            std::fs::rename(&new, link).inspect_err(|_| {
                std::fs::remove_file(&new).ok();
            })
        }
        result => result,
    }
}

/// Whether it is a symlink that this command created for another installation, perhaps a removed one.
fn is_earlier(link: &Path) -> bool {
    let target = std::fs::read_link(link).ok();
    let name = target.as_deref().and_then(Path::file_stem);
    name.is_some_and(|name| name == "sentry-credential")
}

fn failure(link: &Path, error: &io::Error) -> Failure {
    let link = link.display();
    let what = match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{link} is another program, and stays"),
        io::ErrorKind::NotFound => format!("cannot make {link}: there is no such directory"),
        _ => format!("cannot make {link}: {error}"),
    };
    Failure::new(what).hint(ELSEWHERE)
}
