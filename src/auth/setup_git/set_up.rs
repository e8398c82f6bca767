//! `setup-git` without `--undo`.
//!
//! For each host git gets `credential.<url>.helper` twice: first empty, which forgets the helpers that were configured
//! before, so that none of them hoards the token; then ours. What counts is whom git asks in the end: where another
//! helper stands behind ours, both values move to the end of the file.

use anyhow::Context as _;
use serde_json::json;

use super::values::{is_in, is_ours, key, log_of, others, set_up_command, tell_values};
use crate::auth::context::ConfigDir;
use crate::auth::output::say;
use crate::auth::report::{Report, Verb};
use crate::cli::SetupGitArgs;
use crate::failure::Failure;
use crate::origin::Origin;
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
    /// The values for each host.
    helpers: Vec<String>,
}

/// What was found for a host.
struct Found {
    /// The values of its key.
    values: Vec<String>,
    /// Another helper that stands behind them in the file.
    behind: Option<Setting>,
}

impl Found {
    /// Whether nothing is to be written.
    fn suits(&self, helpers: &[String]) -> bool {
        self.values == helpers && self.behind.is_none()
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
        let helpers = vec![String::new(), helper(world)?];
        let (instance, account) = place.to_bind(world, &args.instance)?;
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
        let mut report = Report::new(self.args.dry_run);
        if self.args.dry_run {
            let (_, found) = self.plan(&self.git.settings_of(&self.file.path)?);
            let view = place.store.as_ref().map(Store::read).transpose()?;
            self.record(view.as_ref(), &found, None, &mut report)?;
            self.tell(&found, report);
            return Ok(());
        }
        let store = Store::open_or_create(self.world, &place.dir)?;
        let found = together(
            self.world,
            Some(&store),
            || self.git.edit(&self.file, |settings| self.plan(settings)),
            |change, found| self.record(Some(&**change), found, Some(change), &mut report),
        )?;
        self.tell(&found, report);
        self.warn_of_others()?;
        self.warn_of_pushes(&store)?;
        // Bindings are a user's own, in their database.
        let is_bound = |host: &Origin| !host.may_receive(&self.instance);
        if self.file.scope == Scope::System && self.hosts.iter().any(is_bound) {
            say("other users have to run this command too, without `--system`");
        }
        Ok(())
    }

    /// From the helpers in the file, and in what it includes.
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
            if !found.suits(&self.helpers) {
                let values = self.helpers.clone();
                edits.push(Edit::Last { key, values });
            }
            all.push(found);
        }
        (edits, all)
    }

    /// What goes with it in the database; without `change` it is only told.
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
            if let Some(change) = change.filter(|_| !found.suits(&self.helpers)) {
                let known = log
                    .before(change, &name)?
                    .filter(|_| has_ours(&found.values));
                let before = known.unwrap_or_else(|| json!(others(&found.values)));
                log.record(change, &name, &before)?;
            }
            let server = Client::Git.server(&name);
            let known = view
                .map(|view| view.binding(&server))
                .transpose()?
                .flatten();
            let same = known.as_ref().filter(|known| known.origin == self.instance);
            let (username, account) = (self.args.username.clone(), self.account.clone());
            let binding = Binding {
                username: username.or_else(|| same?.username.clone()),
                account: account.or_else(|| same?.account.clone()),
                origin: self.instance.clone(),
                signed_out: false,
                server,
            };
            if known.as_ref() != Some(&binding) {
                report.bound(&name, &binding);
                if let Some(change) = change {
                    change.bind(&binding)?;
                }
            } else if found.suits(&self.helpers) {
                report.note(format!("nothing to change for {host}"));
            }
        }
        Ok(())
    }

    fn tell(&self, found: &[Found], mut report: Report) {
        let file = &self.file;
        for (host, found) in self.hosts.iter().zip(found) {
            let key = key(host);
            if found.suits(&self.helpers) {
                continue;
            }
            tell_values(&mut report, file, &key, &found.values, &self.helpers);
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
        report.tell();
    }

    /// Hosts that were seen to take a token in a form that git does not use everywhere.
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

    /// A later file, which this one cannot overrule.
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
                "warning: for {host} git asks {} too, which stands in {place} and may keep a copy of the token",
                other.helper.name()
            ));
            let set_up = set_up_command(host, &self.instance, self.args.username.as_deref());
            say(&format!("hint: {}", self.git.remedy(Some(other), &set_up)));
        }
        Ok(())
    }
}

/// What stands behind ours in a file and is asked besides it, or in its place.
fn behind_ours(settings: &[Setting], host: &Origin) -> Option<Setting> {
    let is_ours = |setting: &Setting| setting.helper.is_ours();
    let is_other = |setting: &Setting| match setting.reach(host) {
        Reach::Nothing => false,
        // A part may be left to nobody.
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

/// How git finds our helper: by its name, else where this program lies.
fn helper(world: &World) -> anyhow::Result<String> {
    if world.program(HELPER).is_some() {
        return Ok("sentry".to_owned());
    }
    let missing = || {
        Failure::new(format!(
            "`{HELPER}` is neither on PATH nor beside this program"
        ))
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
