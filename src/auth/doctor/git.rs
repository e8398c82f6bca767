//! git's configuration: whom it asks for the hosts that are bound.
//!
//! Not by `git config --get-urlmatch`, which tells one value: git asks *all* helpers whose URL matches, in the order of
//! its files, and an empty value forgets the ones before. So all of them are read, in that order.

use std::path::{Path, PathBuf};

use super::{Check, Known, quoted};
use crate::auth::setup_git::Git;
use crate::cli::GitScope;
use crate::origin::Origin;
use crate::printable::printable;
use crate::store::{Binding, Client};
use crate::world::World;

const NAME: &str = "git";

/// Shows where a setting stands.
const SHOW: &str = r"`git config --show-origin --get-regexp '^credential\..*helper'`";

pub(super) fn git(world: &World, known: &Known) -> Vec<Check> {
    if world.program("git").is_none() {
        return vec![Check::ok(NAME, "`git` is not on PATH")];
    }
    let settings = match settings(world) {
        Ok(settings) => settings,
        Err(error) => return vec![Check::failed(NAME, &error)],
    };
    let mut checks: Vec<Check> = settings.iter().filter_map(dead_path).collect();
    let asks_by_name = settings
        .iter()
        .any(|setting| setting.helper == Helper::Named("sentry".into()));
    if asks_by_name && world.program("git-credential-sentry").is_none() {
        let what = "git is told to ask `sentry`, and `git-credential-sentry` is not on PATH";
        checks.push(Check::problem(NAME, what, "`sentry auth setup-git`"));
    }
    let mut asked = Vec::new();
    for (host, binding) in hosts(known) {
        let chain = chain(&settings, &host);
        let mend = format!(
            "`sentry auth setup-git --host {host} --url {}`",
            binding.origin
        );
        if !chain.iter().any(|helper| helper.is_ours()) {
            if known.in_repositories.contains(&host.to_string()) {
                continue;
            }
            let what = format!("git does not ask this program for {host}");
            checks.push(Check::problem(NAME, what, mend));
        } else if let Some(other) = chain.iter().find(|helper| !helper.is_ours()) {
            let what = format!(
                "for {host} git asks {} too, which may keep a copy of the token",
                other.name()
            );
            checks.push(Check::warning(NAME, what, mend));
        } else {
            asked.push(host.to_string());
        }
    }
    checks.extend(unbound(&settings, known));
    if !asked.is_empty() {
        checks.push(Check::ok(
            NAME,
            format!("git asks this program for {}", asked.join(", ")),
        ));
    }
    if checks.is_empty() {
        let everywhere = settings
            .iter()
            .any(|setting| setting.host.is_none() && setting.helper.is_ours());
        checks.push(Check::ok(
            NAME,
            match everywhere {
                true => "git asks this program for all hosts",
                false => "no host is set up",
            },
        ));
    }
    checks
}

fn hosts(known: &Known) -> impl Iterator<Item = (Origin, &Binding)> {
    let prefix = Client::Git.server("");
    known.git.iter().filter_map(move |binding| {
        let host = binding.server.strip_prefix(&prefix)?;
        Some((Origin::parse(host).ok()?, binding))
    })
}

fn dead_path(setting: &Setting) -> Option<Check> {
    let Helper::Path(path) = &setting.helper else {
        return None;
    };
    let what = format!(
        "git is told to run {}, which is not there",
        printable(&path.display().to_string())
    );
    match (path.is_file(), setting.helper.is_ours()) {
        (true, _) => None,
        (false, true) => Some(Check::problem(NAME, what, "`sentry auth setup-git`")),
        (false, false) => Some(Check::warning(NAME, what, SHOW)),
    }
}

/// Hosts for which git asks us, and we do not know whose token to give.
fn unbound(settings: &[Setting], known: &Known) -> Vec<Check> {
    let is_known = |host: &Origin| {
        hosts(known).any(|(bound, _)| bound == *host)
            || known
                .sessions
                .iter()
                .any(|session| host.may_receive(&session.origin))
    };
    let hosts = settings
        .iter()
        .filter(|setting| setting.helper.is_ours())
        .filter_map(|setting| setting.host.as_ref())
        .filter(|host| !is_known(host));
    hosts
        .map(|host| {
            let what = format!("git asks this program for {host}, which is bound to no instance");
            Check::warning(NAME, what, format!("`sentry auth setup-git --host {host}`"))
        })
        .collect()
}

/// One `credential.helper` or `credential.<url>.helper`.
struct Setting {
    /// `None`: for all hosts.
    host: Option<Origin>,
    helper: Helper,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Helper {
    /// Forgets the ones before.
    Reset,
    /// git runs `git-credential-<name>`.
    Named(String),
    /// git runs this file.
    Path(PathBuf),
    /// Anything else that a shell understands; not shown, for it may hold a password.
    Shell,
}

/// All helpers, in git's order. Of URLs only whole hosts count: bindings have no paths.
fn settings(world: &World) -> anyhow::Result<Vec<Setting>> {
    let git = Git::new(world, &GitScope::default())?;
    let pattern = r"^credential\.(.*\.)?helper$";
    let found = git.run(&["config", "--null", "--get-regexp", pattern])?;
    let found = found.unwrap_or_default();
    Ok(found.split_terminator('\0').filter_map(setting).collect())
}

fn setting(line: &str) -> Option<Setting> {
    let (key, value) = line.split_once('\n').unwrap_or((line, ""));
    let host = match key.strip_prefix("credential.")?.strip_suffix(".helper") {
        None => None,
        Some(url) => Some(Origin::parse(url).ok()?),
    };
    Some(Setting {
        host,
        helper: Helper::of(value),
    })
}

/// Whom git asks for a host.
fn chain<'a>(settings: &'a [Setting], host: &Origin) -> Vec<&'a Helper> {
    let mut chain = Vec::new();
    for setting in settings {
        match (&setting.host, &setting.helper) {
            (Some(other), _) if other != host => {}
            (_, Helper::Reset) => chain.clear(),
            (_, helper) => chain.push(helper),
        }
    }
    chain
}

impl Helper {
    /// gitcredentials(7): an absolute path or `!` goes to a shell, anything else is a name.
    fn of(value: &str) -> Helper {
        let command = value.strip_prefix('!').unwrap_or(value).trim_start();
        match first_word(command) {
            "" => Helper::Reset,
            word if Path::new(word).is_absolute() => Helper::Path(word.replace("\\ ", " ").into()),
            _ if value.starts_with(['!', '"', '\'']) => Helper::Shell,
            word => Helper::Named(word.to_owned()),
        }
    }

    fn is_ours(&self) -> bool {
        match self {
            Helper::Named(name) => name == "sentry",
            Helper::Path(path) => path
                .file_stem()
                .is_some_and(|name| name == "git-credential-sentry"),
            Helper::Reset | Helper::Shell => false,
        }
    }

    fn name(&self) -> String {
        match self {
            Helper::Named(name) => format!("`{}`", printable(name)),
            Helper::Path(path) => printable(&quoted(path)),
            Helper::Reset | Helper::Shell => "a shell command".to_owned(),
        }
    }
}

/// As a shell would find it, but for what nobody writes there.
fn first_word(command: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = command.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or_default();
        }
    }
    let mut escaped = false;
    let end = command.find(|character: char| {
        let ends = character.is_whitespace() && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    &command[..end.unwrap_or(command.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_a_name_a_path_or_a_shell_command() {
        let path = |path: &str| Helper::Path(path.into());
        for (value, helper) in [
            ("", Helper::Reset),
            ("sentry", Helper::Named("sentry".into())),
            ("cache --timeout 60", Helper::Named("cache".into())),
            (
                "/opt/x/git-credential-sentry",
                path("/opt/x/git-credential-sentry"),
            ),
            (
                "/opt/my\\ x/git-credential-sentry -v",
                path("/opt/my x/git-credential-sentry"),
            ),
            ("!'/opt/my x/gh' auth git-credential", path("/opt/my x/gh")),
            ("!f() { echo password=secret; }; f", Helper::Shell),
        ] {
            assert_eq!(Helper::of(value), helper, "{value}");
        }
        assert!(Helper::of("!/opt/x/git-credential-sentry").is_ours());
        assert!(!Helper::of("/opt/x/sentry-store").is_ours());
    }

    #[test]
    fn an_empty_helper_forgets_the_ones_before() {
        let settings: Vec<Setting> = [
            "credential.helper\nstore",
            "credential.https://a.example.helper\n",
            "credential.https://a.example.helper\nsentry",
            "credential.https://b.example.helper\nsentry",
        ]
        .into_iter()
        .filter_map(setting)
        .collect();
        let names = |host: &str| -> Vec<String> {
            let host = Origin::parse(host).unwrap();
            chain(&settings, &host)
                .into_iter()
                .map(Helper::name)
                .collect()
        };
        assert_eq!(names("https://a.example"), ["`sentry`"]);
        assert_eq!(names("https://b.example"), ["`store`", "`sentry`"]);
        assert_eq!(names("https://c.example"), ["`store`"]);
    }
}
