//! git's configuration: which helpers git calls for the bound hosts.
//!
//! Separate from [`crate::setup`], which reads and edits that configuration.

use std::path::{Path, PathBuf};

use super::check::{Check, not_on_path};
use super::snapshot::Snapshot;
use crate::auth::set_up_command;
use crate::origin::Origin;
use crate::platform::files::is_executable;
use crate::printable::printable;
use crate::setup::{Git, Helper, Reach, Scope, Setting, chain, ending, only_bearer, same_file};
use crate::store::{Binding, Client, Store};
use crate::world::World;

const NAME: &str = "git";

pub(super) fn git(world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let Ok(git) = Git::new(world) else {
        return vec![Check::ok(NAME, "`git` is not on PATH")];
    };
    let settings = match git.settings() {
        Ok(settings) => settings,
        Err(error) => return vec![Check::failed(NAME, &error)],
    };
    let survey = Survey {
        world,
        snapshot,
        git,
        settings,
    };
    survey.checks()
}

struct Survey<'a> {
    world: &'a World,
    snapshot: &'a Snapshot,
    git: Git<'a>,
    settings: Vec<Setting>,
}

impl Survey<'_> {
    fn checks(&self) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        checks.extend(
            self.settings
                .iter()
                .filter_map(|setting| self.unusable(setting)),
        );
        checks.extend(self.not_on_path());
        let mut served = Vec::new();
        for (host, binding) in self.hosts() {
            match self.of_host(&host, binding) {
                Chain::OnlyOurs => served.push(host.to_string()),
                Chain::InRepository | Chain::Unusable => {}
                Chain::Finding(check) => checks.push(check),
            }
        }
        checks.extend(self.unbound());
        checks.extend(self.only_bearer());
        if !served.is_empty() {
            checks.push(Check::ok(
                NAME,
                format!("git calls this program for {}", served.join(", ")),
            ));
        }
        if checks.is_empty() {
            let is_for_all =
                |setting: &Setting| setting.url().is_none() && setting.helper.is_ours();
            checks.push(Check::ok(
                NAME,
                match self.settings.iter().any(is_for_all) {
                    true => "git calls this program for all hosts",
                    false => "no host is set up",
                },
            ));
        }
        checks
    }

    fn hosts(&self) -> impl Iterator<Item = (Origin, &Binding)> {
        let prefix = Client::Git.server("");
        self.snapshot.git.iter().filter_map(move |binding| {
            let host = binding.server.strip_prefix(&prefix)?;
            Some((Origin::parse(host).ok()?, binding))
        })
    }

    fn of_host(&self, host: &Origin, binding: &Binding) -> Chain {
        let chain = chain(&self.settings, host);
        let set_up = set_up_command(host, &binding.origin, binding.username.as_deref());
        let remedy = |last: Option<&Setting>| self.git.remedy(last, &set_up);
        if !chain.iter().any(|found| found.helper.is_ours()) {
            if self.is_in_a_repository(host) {
                return Chain::InRepository;
            }
            let applies = |setting: &&Setting| setting.reach(host) == Reach::Whole;
            let last = self.settings.iter().rfind(applies);
            let what = format!("git does not call this program for {host}");
            let check = Check::problem(NAME, what, remedy(last));
            let is_minor = self.snapshot.is_by_administrator(binding);
            return Chain::Finding(check.warning_if(is_minor));
        }
        match chain.iter().rfind(|found| !found.helper.is_ours()) {
            None if chain.iter().all(|found| obstacle(found).is_some()) => Chain::Unusable,
            None => Chain::OnlyOurs,
            Some(other) => {
                let what = format!(
                    "for {host} git also calls {}, which may store a copy of the token",
                    other.helper.name()
                );
                Chain::Finding(Check::warning(NAME, what, remedy(Some(other))))
            }
        }
    }

    /// Hosts to which git cannot push large packs with its default settings.
    fn only_bearer(&self) -> Vec<Check> {
        let view = self.snapshot.store.as_ref().map(Store::read);
        let Some(Ok(view)) = view else {
            return Vec::new();
        };
        let is_noted = |server: &str| view.takes_only_bearer(server).unwrap_or(false);
        self.hosts()
            .filter(|(_, binding)| is_noted(&binding.server))
            .filter_map(|(host, _)| {
                let remedy = self.git.buffer_remedy(&host)?;
                Some(Check::warning(NAME, only_bearer(&host), remedy))
            })
            .collect()
    }

    /// Whether the host was set up for a single repository, which still exists and still has the setting.
    fn is_in_a_repository(&self, host: &Origin) -> bool {
        let name = host.to_string();
        let repositories = self.snapshot.in_repositories.iter();
        let mut dirs = repositories.filter(|(_, other)| *other == name);
        dirs.any(|(dir, _)| {
            let settings = self.git.settings_of(&Path::new(dir).join("config"));
            let chain = settings.as_ref().map(|settings| chain(settings, host));
            chain.is_ok_and(|chain| chain.iter().any(|found| found.helper.is_ours()))
        })
    }

    fn not_on_path(&self) -> Option<Check> {
        let by_name = Helper::Named("sentry".into());
        let is_named = self
            .settings
            .iter()
            .any(|setting| setting.helper == by_name);
        let program = "git-credential-sentry";
        if !is_named || self.world.program(program).is_some() {
            return None;
        }
        Some(not_on_path(NAME, self.world, program))
    }

    /// A helper that git cannot run, or not to any use.
    fn unusable(&self, setting: &Setting) -> Option<Check> {
        let what = obstacle(setting)?;
        let remedy = ending(setting);
        if !setting.helper.is_ours() {
            return Some(Check::warning(NAME, what, remedy));
        }
        let host = setting.host().map(|(host, _)| host);
        let bound = self
            .hosts()
            .find(|(bound, _)| Some(bound) == host.as_ref())
            .filter(|_| self.is_of_user(setting));
        Some(Check::problem(
            NAME,
            what,
            match bound {
                Some((host, binding)) => format!(
                    "`{}`",
                    set_up_command(&host, &binding.origin, binding.username.as_deref())
                ),
                None => remedy,
            },
        ))
    }

    /// Whether the setting is in the file that `setup-git` writes by default.
    fn is_of_user(&self, setting: &Setting) -> bool {
        let global = self.git.file(Scope::Global);
        let file = setting.file();
        global.is_ok_and(|global| file.is_some_and(|file| same_file(file, &global.path)))
    }

    /// Hosts for which git calls this program, but which have no binding.
    fn unbound(&self) -> Vec<Check> {
        let is_known = |host: &Origin| {
            let sessions = &self.snapshot.sessions;
            self.hosts().any(|(bound, _)| bound == *host)
                || sessions
                    .iter()
                    .any(|session| host.may_receive(&session.origin))
        };
        let mut hosts: Vec<(Origin, &Setting)> = Vec::new();
        for setting in self.settings.iter().filter(|found| found.helper.is_ours()) {
            if let Some((host, _)) = setting.host()
                && !is_known(&host)
                && hosts.iter().all(|(other, _)| *other != host)
            {
                hosts.push((host, setting));
            }
        }
        let check = |(host, setting): (Origin, &Setting)| {
            let what = format!("git calls this program for {host}, which is bound to no instance");
            let remedy = match self.snapshot.has_login(self.world) {
                true => format!("`sentry auth setup-git --host {host}`"),
                false => {
                    let option = self.option_of(setting);
                    format!("`sentry auth setup-git --undo{option} --host {host}`")
                }
            };
            Check::warning(NAME, what, remedy)
        };
        hosts.into_iter().map(check).collect()
    }

    /// The option of `setup-git` that selects the file of a setting.
    fn option_of(&self, setting: &Setting) -> &'static str {
        let is_in = |scope| {
            let path: Option<PathBuf> = self.git.file(scope).ok().map(|file| file.path);
            let file = setting.file();
            path.is_some_and(|path| file.is_some_and(|file| same_file(file, &path)))
        };
        if is_in(Scope::Global) {
            ""
        } else if is_in(Scope::System) {
            " --system"
        } else {
            " --local"
        }
    }
}

/// Which helpers git calls for a host.
enum Chain {
    /// This program only.
    OnlyOurs,
    /// This program, but only in some repository.
    InRepository,
    /// This program only, in a way that does not work: see [`obstacle`].
    Unusable,
    Finding(Check),
}

/// Why git cannot run a helper, or not to any use.
fn obstacle(setting: &Setting) -> Option<String> {
    if let Helper::Path(path) = &setting.helper {
        let shown = printable(&path.display().to_string());
        let run = format!("git is configured to run {shown}, which");
        if !path.is_file() {
            return Some(format!("{run} does not exist"));
        }
        if !is_executable(path) {
            return Some(format!("{run} cannot be executed"));
        }
    }
    // git puts them before the operation. They are not shown, as they could be meant for another program.
    let is_refused = setting.helper.is_ours() && setting.has_arguments();
    is_refused.then(|| {
        "git is configured to run this program with arguments, which it does not take".to_owned()
    })
}
