//! What git's own configuration says about the way to an instance.
//!
//! Separate from [`super::route`], which decides whether it counts: git works behind the proxy that it names, so must its
//! helper.
//!
//! Rules: git is found by absolute path and gets no token in its environment; a repository counts only where git itself
//! named it to us (`GIT_DIR`), never because a command happens to run inside of one: what lies in a directory must not
//! choose whom our secrets pass.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::proxy::Via;
use crate::origin::Origin;
use crate::printable::printable;
use crate::world::World;

/// Longest time that git may take to read its configuration.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes that are read of it.
const MOST: u64 = 1 << 20;

/// What is shown of them, by the names of git-config(1). Headers, cookies and the like are secrets.
const SHOWN: [&str; 7] = [
    "http.proxy",
    "http.sslCAInfo",
    "http.sslCAPath",
    "http.sslVerify",
    "http.version",
    "http.postBuffer",
    "http.proxySSLCAInfo",
];

/// The settings of the section `http` that are in force for an instance, by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct GitHttp(Vec<(String, String)>);

impl GitHttp {
    /// Asks git; knows nothing where git is not there, or does not answer.
    pub(super) fn of(world: &World, origin: &Origin) -> GitHttp {
        let output = ask(world, origin).unwrap_or_default();
        let settings = output.split('\0').filter_map(|setting| {
            let (name, value) = setting.split_once('\n')?;
            Some((name.strip_prefix("http.")?.to_owned(), value.to_owned()))
        });
        GitHttp(settings.collect())
    }

    /// A setting that is not empty: git takes an empty one for none.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rfind(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Those that may be shown.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let known = SHOWN.into_iter().filter_map(|name| {
            let value = self.setting(&name["http.".len()..].to_ascii_lowercase())?;
            let value = match name {
                // There may be a password in it.
                "http.proxy" => Via::parse("", value)
                    .map_or_else(|_| "(cannot be used)".to_owned(), |via| via.shown()),
                _ => printable(value),
            };
            Some((name, value))
        });
        known.collect()
    }

    /// The same as a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.setting(name).map(PathBuf::from)
    }
}

fn ask(world: &World, origin: &Origin) -> Option<String> {
    let mut command = Command::new(world.program("git")?);
    command
        .args(["config", "-z", "--type=path", "--get-urlmatch", "http"])
        .arg(format!("{origin}/"))
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for name in world.variables_with_prefix("SENTRY_") {
        command.env_remove(name);
    }
    if let Some(repository) = world.variable_path("GIT_DIR") {
        command.env("GIT_DIR", std::path::absolute(repository).ok()?);
    }
    let mut git = command.spawn().ok()?;
    let stdout = git.stdout.take()?;
    let (ours, theirs) = mpsc::sync_channel(1);
    let reader = move || {
        let mut output = String::new();
        let read = stdout.take(MOST).read_to_string(&mut output);
        ours.send(read.ok().map(|_| output)).ok();
    };
    let output = match std::thread::Builder::new().spawn(reader) {
        Ok(_) => theirs.recv_timeout(TIMEOUT).ok().flatten(),
        Err(_) => None,
    };
    if output.is_none() {
        git.kill().ok();
    }
    git.wait().ok();
    output
}
