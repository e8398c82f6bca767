//! Reads git's `http` settings for an instance.
//!
//! Separate from [`super::route`], which decides whether they apply: where git works only through a proxy, its helper
//! must use the same one.
//!
//! Rules: git is started by absolute path, without tokens in its environment. A repository's configuration applies only
//! if git itself named the repository (`GIT_DIR`), never because a command happens to run inside it: a directory's
//! content must not decide which proxy our secrets pass.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::proxy::Via;
use crate::origin::Origin;
use crate::printable::printable;
use crate::world::World;

/// Timeout for git to print its configuration.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of output that are read.
const MOST: u64 = 1 << 20;

/// The settings whose values may be shown, by their names in git-config(1). Headers and cookies are secrets.
const SHOWN: [&str; 7] = [
    "http.proxy",
    "http.sslCAInfo",
    "http.sslCAPath",
    "http.sslVerify",
    "http.version",
    "http.postBuffer",
    "http.proxySSLCAInfo",
];

/// The settings in section `http` that apply to an instance, by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct GitHttp(Vec<(String, String)>);

impl GitHttp {
    /// Runs git. Empty if git is not installed or does not answer.
    pub(super) fn of(world: &World, origin: &Origin) -> GitHttp {
        let output = run_git_config(world, origin).unwrap_or_default();
        let settings = output.split('\0').filter_map(|setting| {
            let (name, value) = setting.split_once('\n')?;
            Some((name.strip_prefix("http.")?.to_owned(), value.to_owned()))
        });
        GitHttp(settings.collect())
    }

    /// A non-empty setting: to git, an empty one means none.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rfind(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The settings in force, with their values if they may be shown. A header from an earlier set-up may be why a host
    /// refuses a login, even if nothing but its name can be shown.
    pub(super) fn shown(&self) -> Vec<(String, String)> {
        let known = SHOWN.into_iter().filter_map(|name| {
            let value = self.setting(&name["http.".len()..].to_ascii_lowercase())?;
            let value = match name {
                // It may contain a password.
                "http.proxy" => Via::parse("", value)
                    .map_or_else(|_| "(cannot be used)".to_owned(), |via| via.shown()),
                _ => printable(value),
            };
            Some((name.to_owned(), value))
        });
        let mut shown: Vec<(String, String)> = known.collect();
        for (name, value) in &self.0 {
            let name = format!("http.{}", printable(name));
            let is_listed = SHOWN.iter().any(|known| known.eq_ignore_ascii_case(&name))
                || shown.iter().any(|(listed, _)| *listed == name);
            if !is_listed && !value.is_empty() {
                shown.push((name, "(not shown)".to_owned()));
            }
        }
        shown
    }

    /// A setting that is a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.setting(name).map(PathBuf::from)
    }
}

fn run_git_config(world: &World, origin: &Origin) -> Option<String> {
    let mut command = Command::new(world.program("git")?);
    command
        .args(["config", "-z", "--type=path", "--get-urlmatch", "http"])
        .arg(format!("{origin}/"))
        .current_dir(Path::new(std::path::MAIN_SEPARATOR_STR))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    world.prepare_git(&mut command);
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
