//! `sentry auth setup-git`: lets git ask us about a host, and the host have this login.
//!
//! For each host git gets `credential.<url>.helper` twice: first empty, which forgets the helpers that were configured
//! for all hosts, so that none of them hoards the token; then ours. `git config` writes, never we.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;
use serde_json::json;

use super::undo::{Entry, Journal};
use super::{Place, say};
use crate::cli::{GitHost, GitScope, SetupGitArgs};
use crate::failure::Failure;
use crate::origin::Origin;
use crate::printable::printable;
use crate::store::{Binding, Client};
use crate::world::World;

const HELPER: &str = "git-credential-sentry";

pub(super) fn setup_git(world: &World, args: &SetupGitArgs) -> anyhow::Result<ExitCode> {
    let git = Git::new(world, &args.scope)?;
    let place = Place::of(world)?;
    let journal = Journal {
        world,
        place: &place,
        client: Client::Git,
        file: git.file()?,
    };
    let hosts: Vec<&Origin> = args
        .host
        .iter()
        .flat_map(|GitHost(origins)| origins)
        .collect();
    if args.undo {
        return undo(&git, &journal, &hosts);
    }
    let (instance, session) = place.chosen(world, &args.instance)?;
    let account = args.instance.account.as_ref();
    let account = account.and(session.map(|session| session.key()));
    let hosts = if hosts.is_empty() {
        vec![&instance]
    } else {
        hosts
    };
    let helpers = vec![String::new(), helper(world)?];
    for host in &hosts {
        let found = git.helpers(host)?;
        let binding = Binding {
            server: Client::Git.server(&host.to_string()),
            origin: instance.clone(),
            username: args.username.clone(),
            signed_out: false,
            account: account.clone(),
        };
        let wrote = json!(helpers);
        let bound = journal.record(&host.to_string(), json!(found), &wrote, Some(&binding))?;
        if found != helpers {
            git.write(host, &found, &helpers)?;
        } else if !bound {
            say(&format!("nothing to change for {host}"));
        }
    }
    // Bindings are a person's own, in their database.
    if git.scope == "system" && hosts.iter().any(|host| !host.may_receive(&instance)) {
        say("hint: other users have to run this command too, without `--system`");
    }
    Ok(ExitCode::SUCCESS)
}

/// Without hosts: all that was set up in this file.
fn undo(git: &Git<'_>, journal: &Journal<'_>, hosts: &[&Origin]) -> anyhow::Result<ExitCode> {
    let mut undone = false;
    for entry in journal.entries()? {
        let host = Origin::parse(&entry.name)?;
        if !hosts.is_empty() && !hosts.contains(&&host) {
            continue;
        }
        let found = git.helpers(&host)?;
        let rest = left_of(&found, &entry);
        if found != rest {
            git.write(&host, &found, &rest)?;
        }
        if json!(rest) != entry.before {
            say(&format!(
                "warning: `{}` was changed since; what others wrote there is left as it is",
                key(&host)
            ));
        }
        journal.forget(&entry.name, Some(&Client::Git.server(&entry.name)))?;
        undone = true;
    }
    if !undone {
        say("nothing to undo");
    }
    Ok(ExitCode::SUCCESS)
}

/// The helpers that stay: those from before, or whatever was put there since, without ours.
fn left_of(found: &[String], entry: &Entry) -> Vec<String> {
    let texts = |value: &serde_json::Value| -> Vec<String> {
        let values = value.as_array().into_iter().flatten();
        values
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    };
    let ours = texts(&entry.wrote).pop();
    match entry.is_of_ours(&json!(found)) {
        true => texts(&entry.before),
        false => found
            .iter()
            .filter(|helper| Some(*helper) != ours.as_ref())
            .cloned()
            .collect(),
    }
}

/// How git finds our helper: by its name, else where this program lies.
fn helper(world: &World) -> anyhow::Result<String> {
    if world.program(HELPER).is_some() {
        return Ok("sentry".to_owned());
    }
    let missing = || {
        Failure::new(format!(
            "`{HELPER}` is neither on PATH nor beside this program"
        ))
        .hint(format!("install `{HELPER}` in a directory on PATH"))
    };
    let path = world.sibling(HELPER).ok_or_else(missing)?;
    let path = path
        .to_str()
        .context("the path of this program is not UTF-8")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%".contains(&byte);
    // gitcredentials(7): a shell reads the helper; what follows a `!` as it is.
    Ok(match path.bytes().all(plain) {
        true => path.to_owned(),
        false => format!("!'{}'", path.replace('\'', r"'\''")),
    })
}

fn key(host: &Origin) -> String {
    format!("credential.{host}.helper")
}

/// One of git's configuration files.
pub(super) struct Git<'a> {
    world: &'a World,
    program: PathBuf,
    scope: &'static str,
}

impl<'a> Git<'a> {
    pub(super) fn new(world: &'a World, scope: &GitScope) -> anyhow::Result<Git<'a>> {
        let program = world.program("git").context("`git` is not on PATH")?;
        let scope = match scope {
            GitScope { local: true, .. } => "local",
            GitScope { system: true, .. } => "system",
            _ => "global",
        };
        Ok(Git {
            world,
            program,
            scope,
        })
    }

    /// What tells this file from others of its kind.
    fn file(&self) -> anyhow::Result<String> {
        if self.scope != "local" {
            return Ok(self.scope.to_owned());
        }
        // All work trees of a repository share one configuration.
        let dir = self.run(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        Ok(format!(
            "local {}",
            dir.unwrap_or_default().trim_end_matches('\n')
        ))
    }

    /// The helpers for a host in this file.
    fn helpers(&self, host: &Origin) -> anyhow::Result<Vec<String>> {
        let values = self
            .config(&["-z", "--get-all", &key(host)])?
            .unwrap_or_default();
        Ok(values.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Replaces the helpers for a host, and tells so.
    fn write(&self, host: &Origin, found: &[String], helpers: &[String]) -> anyhow::Result<()> {
        let key = key(host);
        let file = format!("git's {} configuration", self.scope);
        let put = |how: &[&str]| {
            let done = self
                .config(how)
                .and_then(|done| done.context("git refuses"));
            done.map(drop).map_err(|error| {
                Failure::new(format!("cannot change {file}: {error:#}"))
                    .hint("`sentry auth setup-git --undo` takes back what was done")
            })
        };
        match helpers.split_first() {
            None => put(&["--unset-all", &key])?,
            Some((first, _)) => put(&["--replace-all", &key, first])?,
        }
        let line = |helper: &String| printable(&format!("{key}={helper}"));
        for helper in found.iter().filter(|helper| !helpers.contains(helper)) {
            say(&format!("removed `{}` from {file}", line(helper)));
        }
        for (number, helper) in helpers.iter().enumerate() {
            if number > 0 {
                put(&["--add", &key, helper])?;
            }
            if !found.contains(helper) {
                say(&format!("added `{}` to {file}", line(helper)));
            }
        }
        Ok(())
    }

    fn config(&self, arguments: &[&str]) -> anyhow::Result<Option<String>> {
        let scope = format!("--{}", self.scope);
        self.run(&[&["config", &scope], arguments].concat())
    }

    /// What git prints; `None` where it says by exit code 1 that there is nothing.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<Option<String>> {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null());
        // Tokens are none of git's business here.
        for name in self.world.variables_with_prefix("SENTRY_") {
            command.env_remove(name);
        }
        let output = command.output().context("cannot start `git`")?;
        match output.status.code() {
            Some(0) => Ok(Some(
                String::from_utf8(output.stdout).context("git's configuration is not UTF-8")?,
            )),
            Some(1) => Ok(None),
            _ => {
                let said = String::from_utf8_lossy(&output.stderr);
                anyhow::bail!("git says: {}", printable(said.lines().next().unwrap_or("")))
            }
        }
    }
}
