//! `setup-git` without `--undo`.
//!
//! Sets `credential.<url>.helper` twice for each host: first to an empty value, which drops the helpers configured
//! before, so that none of them stores the token; then to ours. What matters is which helpers git calls in the end: if
//! another helper follows ours, both values are moved to the end of the file.

use anyhow::Context as _;
use serde_json::json;

use super::values::{is_in, is_ours, key, log_of, others, report_values, set_up_command};
use crate::auth::binding::Rebound;
use crate::auth::context::ConfigDir;
use crate::auth::output::say;
use crate::auth::report::{Report, Verb};
use crate::cli::SetupGitArgs;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::platform::process;
use crate::platform::shell::path_for_git;
use crate::setup::{
    Edit, Git, GitFile, Helper, Reach, Scope, Setting, chain, only_bearer, together,
};
use crate::store::{Binding, Client, ReadTransaction, Store, WriteTransaction};
use crate::world::World;

const HELPER: &str = "git-credential-sentry";

pub(super) struct SetUp<'a> {
    world: &'a World,
    args: &'a SetupGitArgs,
    git: &'a Git<'a>,
    file: GitFile,
    instance: Origin,
    /// The account that was named.
    account: Option<String>,
    hosts: Vec<Origin>,
    /// The helper values for each host.
    helpers: Vec<String>,
}

/// What the file has for a host.
struct Found {
    /// The values of its key.
    values: Vec<String>,
    /// Another helper that follows them in the file.
    behind: Option<Setting>,
}

impl Found {
    /// Whether nothing has to be written.
    fn is_configured(&self, helpers: &[String]) -> bool {
        self.values == helpers && self.behind.is_none()
    }

    /// The helpers of others that git calls no more.
    fn former(&self, helpers: &[String]) -> Vec<String> {
        let own = others(&self.values).into_iter();
        let own = own
            .filter(|value| !value.is_empty())
            .map(|value| Helper::of(value));
        let behind = self.behind.iter().filter(|_| self.values == helpers);
        let behind = behind.map(|behind| behind.helper.name());
        own.map(|helper| helper.name()).chain(behind).collect()
    }
}

impl<'a> SetUp<'a> {
    pub(super) fn new(
        world: &'a World,
        args: &'a SetupGitArgs,
        git: &'a Git<'a>,
        file: GitFile,
        mut hosts: Vec<Origin>,
        place: &ConfigDir,
    ) -> anyhow::Result<SetUp<'a>> {
        let helpers = vec![
            String::new(),
            helper(world, process::DESKTOP_HAS_USERS_PATH)?,
        ];
        let (instance, account) = place.binding_target(world, &args.instance)?;
        if hosts.is_empty() {
            hosts.push(instance.clone());
        }
        Ok(SetUp {
            world,
            args,
            git,
            file,
            instance,
            account,
            hosts,
            helpers,
        })
    }

    pub(super) fn run(&self, place: &ConfigDir) -> anyhow::Result<()> {
        let mut report = Report::of_results(self.args.dry_run);
        if self.args.dry_run {
            let (_, found) = self.plan(&self.git.settings_of(&self.file.path)?);
            let view = place.store.as_ref().map(Store::read).transpose()?;
            self.record(view.as_ref(), &found, None, &mut report)?;
            self.report_changes(&found, report);
            return Ok(());
        }
        let store = Store::open_or_create(self.world, place.dir()?)?;
        let found = together(
            self.world,
            Some(&store),
            || self.git.edit(&self.file, |settings| self.plan(settings)),
            |change, found| self.record(Some(&**change), found, Some(change), &mut report),
        )?;
        self.report_changes(&found, report);
        self.warn_of_others()?;
        self.warn_of_pushes(&store)?;
        // Bindings are stored in each user's own database.
        let is_bound = |host: &Origin| !host.may_receive(&self.instance);
        if self.file.scope == Scope::System && self.hosts.iter().any(is_bound) {
            say("other users must run this command too, without `--system`");
        }
        Ok(())
    }

    /// Plans the edits from the helpers in the file and in the files that it includes.
    fn plan(&self, settings: &[Setting]) -> (Vec<Edit>, Vec<Found>) {
        let (mut edits, mut all) = (Vec::new(), Vec::new());
        for host in &self.hosts {
            let key = key(host);
            let own = settings
                .iter()
                .filter(|setting| setting.key == key && is_in(setting, &self.file));
            let found = Found {
                values: own.map(|setting| setting.value.clone()).collect(),
                behind: behind_ours(settings, host),
            };
            if !found.is_configured(&self.helpers) {
                let values = self.helpers.clone();
                edits.push(Edit::Last { key, values });
            }
            all.push(found);
        }
        (edits, all)
    }

    /// Records the bindings and the undo log in the database; without `change`, only reports them.
    fn record(
        &self,
        view: Option<&ReadTransaction<'_>>,
        found: &[Found],
        change: Option<&WriteTransaction<'_>>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let log = log_of(&self.file);
        for (host, found) in self.hosts.iter().zip(found) {
            let name = host.to_string();
            if let Some(change) = change.filter(|_| !found.is_configured(&self.helpers)) {
                let known = log
                    .before(change, &name)?
                    .filter(|_| has_ours(&found.values));
                let before = known.unwrap_or_else(|| json!(others(&found.values)));
                log.record(change, &name, &before)?;
            }
            let server = Client::Git.server(&name);
            if let Some(change) = change {
                change.forget_refusals(&server)?;
            }
            let named = Binding {
                username: self.args.username.clone(),
                account: self.account.clone(),
                origin: self.instance.clone(),
                signed_out: false,
                server,
            };
            let Rebound { binding, is_known } = Rebound::of(named, view)?;
            if is_known && found.is_configured(&self.helpers) {
                report.note(format!("nothing to change for {host}"));
                continue;
            }
            if !is_known {
                report.bound(&name, &binding);
                if let Some(change) = change {
                    change.bind(&binding)?;
                }
            }
            let client = match self.file.scope {
                Scope::Local => "git, in this repository,",
                Scope::Global | Scope::System => "git",
            };
            report.uses(client, &binding, &name, &found.former(&self.helpers));
        }
        Ok(())
    }

    fn report_changes(&self, found: &[Found], mut report: Report) {
        let file = &self.file;
        for (host, found) in self.hosts.iter().zip(found) {
            let key = key(host);
            if found.is_configured(&self.helpers) {
                continue;
            }
            report_values(&mut report, file, &key, &found.values, &self.helpers);
            if let Some(other) = found
                .behind
                .as_ref()
                .filter(|_| found.values == self.helpers)
            {
                let what = format!(
                    "`{key}` to the end of {file}, behind {}",
                    other.helper.name()
                );
                report.did(Verb::Move, &what);
            }
        }
        report.print(self.world);
    }

    /// Warns about hosts known to accept tokens only in a form that git does not always send.
    fn warn_of_pushes(&self, store: &Store) -> anyhow::Result<()> {
        let view = store.read()?;
        for host in &self.hosts {
            if !view.takes_only_bearer(&Client::Git.server(&host.to_string()))? {
                continue;
            }
            if let Some(remedy) = self.git.buffer_remedy(host) {
                say(&format!("warning: {}", only_bearer(host)));
                say(&format!("hint: {remedy}"));
            }
        }
        Ok(())
    }

    /// Warns about helpers in a later file, which this file cannot override.
    fn warn_of_others(&self) -> anyhow::Result<()> {
        let settings = self.git.settings()?;
        for host in &self.hosts {
            let chain = chain(&settings, host);
            let Some(other) = chain.iter().rfind(|found| !found.helper.is_ours()) else {
                continue;
            };
            let place = other.file().map_or_else(
                || "the environment".to_owned(),
                |file| file.display().to_string(),
            );
            say(&format!(
                "warning: for {host} git also calls {}, which is configured in {place} and may store a copy of the token",
                other.helper.name()
            ));
            let set_up = set_up_command(host, &self.instance, self.args.username.as_deref());
            say(&format!("hint: {}", self.git.remedy(Some(other), &set_up)));
        }
        Ok(())
    }
}

/// A helper that follows ours in a file and is called too, or instead.
fn behind_ours(settings: &[Setting], host: &Origin) -> Option<Setting> {
    let is_ours = |setting: &Setting| setting.helper.is_ours();
    let is_other = |setting: &Setting| match setting.reach(host) {
        Reach::Nothing => false,
        // A path may be configured without any helper.
        Reach::Part => !is_ours(setting) && setting.helper != Helper::Reset,
        Reach::Whole => !is_ours(setting),
    };
    let ours = settings
        .iter()
        .rposition(|setting| is_ours(setting) && setting.reach(host) == Reach::Whole)?;
    let mut behind = settings[ours..].iter();
    behind.find(|setting| is_other(setting)).cloned()
}

fn has_ours(values: &[String]) -> bool {
    values.iter().any(|value| is_ours(value))
}

/// The value by which git finds our helper: its name, if every git of this user has the user's `PATH`; else its path.
fn helper(world: &World, is_path_everywhere: bool) -> anyhow::Result<String> {
    let on_path = world.program(HELPER);
    if on_path.is_some() && is_path_everywhere {
        return Ok("sentry".to_owned());
    }
    let missing = || {
        Failure::new(format!(
            "`{HELPER}` is neither on PATH nor beside this program"
        ))
    };
    let path = on_path.or_else(|| world.sibling(HELPER));
    let path = path.ok_or_else(missing)?;
    let path = path
        .to_str()
        .context("the path of this program is not UTF-8")?;
    // gitcredentials(7): a shell runs the helper; the text after a `!` is used as it is.
    Ok(match path_for_git(path) {
        quoted if quoted.starts_with(['\'', '"']) => format!("!{quoted}"),
        plain => plain,
    })
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn git_gets_a_path_where_not_every_git_has_the_users_path() {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::PermissionsExt as _;

        use super::{HELPER, helper, is_ours};
        use crate::testing::Machine;

        let dir = tempfile::tempdir().unwrap();
        for name in ["bin", "my programs"] {
            let dir = dir.path().join(name);
            fs::create_dir(&dir).unwrap();
            let program = dir.join(HELPER);
            fs::write(&program, "#!/bin/sh").unwrap();
            fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
            let machine = Machine::new().variable("PATH", dir.to_str().unwrap());
            assert_eq!(helper(&machine.world(), true).unwrap(), "sentry");
            let program = program.display();
            let expected = match name {
                "bin" => program.to_string(),
                _ => format!("!'{program}'"),
            };
            let value = helper(&machine.world(), false).unwrap();
            assert_eq!(value, expected);
            assert!(is_ours(&value), "{value}");
        }
        let machine = Machine::new().variable("PATH", dir.path().to_str().unwrap());
        let missing = "`git-credential-sentry` is neither on PATH nor beside this program";
        for is_path_everywhere in [true, false] {
            let error = helper(&machine.world(), is_path_everywhere).unwrap_err();
            assert_eq!(error.to_string(), missing);
        }
    }
}
