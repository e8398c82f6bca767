//! git's configuration: what is in it, and how it is changed.
//!
//! Separate from the chain of helpers, which is a function of values: this starts `git`. All edits of a command are made
//! on a copy, by `git config`; the copy then replaces the file under git's own lock. So there is no state in between, and
//! a `git config` at the same time is neither harmed nor undone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::file::{ATTEMPTS, ForeignFile, ReplaceError, Replaced, same_file};
use super::git::Git;
use super::git_files::{GitFile, Scope};
use super::helper_chain::{Setting, ending, escaped};

/// The helpers that are configured, whatever they are for.
const HELPERS: &str = r"^credential\.(.*\.)?helper$";

/// A section that becomes another one: a new section is always the last of its file.
const NEW_SECTION: &str = "sentry-setup.new";

/// What is to become of the values of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// These in place of all, at the end of the file.
    Last { key: String, values: Vec<String> },
    /// All but this one.
    Without { key: String, value: String },
}

impl Git<'_> {
    /// All helpers, in git's order.
    ///
    /// # Errors
    /// git cannot read its configuration.
    pub(crate) fn settings(&self) -> anyhow::Result<Vec<Setting>> {
        let mut settings = self.settings_by(&["config"])?;
        // git tells the repository's files from where it went to.
        let is_relative = |setting: &&mut Setting| setting.file().is_some_and(Path::is_relative);
        let mut relative = settings.iter_mut().filter(is_relative).peekable();
        if relative.peek().is_some() {
            let here = self.work_dir()?;
            for setting in relative {
                let file = here.join(setting.file().unwrap_or(Path::new("")));
                setting.origin = format!("file:{}", file.display());
            }
        }
        Ok(settings)
    }

    fn work_dir(&self) -> anyhow::Result<PathBuf> {
        let top = self.run(&["rev-parse", "--show-toplevel"]);
        let dir = match top {
            Ok(Some(top)) => top,
            _ => self
                .run(&["rev-parse", "--absolute-git-dir"])?
                .unwrap_or_default(),
        };
        Ok(PathBuf::from(dir.trim_end_matches('\n')))
    }

    /// The helpers in one file, and in what it includes.
    ///
    /// # Errors
    /// git cannot read it.
    pub(crate) fn settings_of(&self, file: &Path) -> anyhow::Result<Vec<Setting>> {
        if !file.exists() {
            return Ok(Vec::new());
        }
        let file = file.to_str().context("a path is not UTF-8")?;
        self.settings_by(&["config", "--file", file, "--includes"])
    }

    fn settings_by(&self, words: &[&str]) -> anyhow::Result<Vec<Setting>> {
        let get = ["--null", "--show-origin", "--get-regexp", HELPERS];
        let found = self.run(&[words, &get].concat())?.unwrap_or_default();
        let mut fields = found.split_terminator('\0');
        let mut settings = Vec::new();
        while let (Some(origin), Some(line)) = (fields.next(), fields.next()) {
            settings.extend(Setting::parse(origin, line));
        }
        Ok(settings)
    }

    /// What to type so that git asks this program for a host, and no other: `last` is what it has about the host in the
    /// end. A later file cannot be overruled by an earlier one.
    pub(crate) fn remedy(&self, last: Option<&Setting>, set_up: &str) -> String {
        let Some(last) = last else {
            return format!("`{set_up}`");
        };
        let Some(file) = last.file() else {
            return ending(last);
        };
        let has_it = |file: &Path| {
            let found = self.settings_of(file).unwrap_or_default();
            let same = |other: &Setting| (&other.key, &other.value) == (&last.key, &last.value);
            found.iter().any(same)
        };
        let of_work_tree = self
            .run(&[
                "rev-parse",
                "--path-format=absolute",
                "--git-path",
                "config.worktree",
            ])
            .ok()
            .flatten()
            .map(|path| PathBuf::from(path.trim_end_matches('\n')));
        if of_work_tree.is_some_and(|path| same_file(&path, file)) {
            return ending(last);
        }
        let local = self.file(Scope::Local);
        let is_user_s = [Scope::Global, Scope::System]
            .into_iter()
            .filter_map(|scope| self.file(scope).ok())
            .any(|known| same_file(&known.path, file));
        match local.is_ok_and(|local| !is_user_s && has_it(&local.path)) {
            true => format!("`{set_up} --local`"),
            false => format!("`{set_up}`"),
        }
    }

    /// Changes a file as `plan` wants it, which is shown the helpers in it and in what it includes. `None`: as it is.
    ///
    /// # Errors
    /// The file cannot be read or written; it is then as it was.
    pub(crate) fn edit<T>(
        &self,
        file: &GitFile,
        plan: impl Fn(&[Setting]) -> (Vec<Edit>, T),
    ) -> anyhow::Result<(Option<Replaced>, T)> {
        let (edits, done) = plan(&self.settings_of(&file.path)?);
        if edits.is_empty() {
            return Ok((None, done));
        }
        for _ in 0..ATTEMPTS {
            let foreign = ForeignFile::read(&file.path)?;
            let lock = foreign.git_lock(self.world)?;
            // An editor knows no lock.
            let foreign = ForeignFile::read(foreign.path())?;
            let (edits, done) = plan(&self.settings_of(&file.path)?);
            let content = self.edited(&foreign, &edits)?;
            match foreign.replace_by(lock, &content) {
                Ok(replaced) => {
                    let replaced = self.checked(file, &edits, replaced)?;
                    return Ok((Some(replaced), done));
                }
                Err(ReplaceError::Changed) => {}
                Err(ReplaceError::Failed(error)) => return Err(error),
            }
        }
        anyhow::bail!("others keep changing {file}")
    }

    /// What a copy of the file has after the edits.
    fn edited(&self, file: &ForeignFile, edits: &[Edit]) -> anyhow::Result<Vec<u8>> {
        let mut copy = file.beside(self.world)?;
        copy.write(file.content().unwrap_or_default())
            .with_context(|| format!("cannot write {}", file.path().display()))?;
        let path = copy.path().to_str().context("a path is not UTF-8")?;
        let config = |words: &[&str]| -> anyhow::Result<()> {
            let done = self.run(&[&["config", "--file", path], words].concat());
            let done = done.and_then(|done| done.context("git refuses"));
            done.map(drop).map_err(|error| {
                anyhow::anyhow!("cannot write {}: {error:#}", file.path().display())
            })
        };
        for edit in edits {
            match edit {
                Edit::Without { key, value } => {
                    config(&["--unset-all", key, &format!("^{}$", escaped(value))])?;
                }
                Edit::Last { key, values } => {
                    if self.values(path, key)?.is_some() {
                        config(&["--unset-all", key])?;
                    }
                    for value in values {
                        config(&["--add", &format!("{NEW_SECTION}.helper"), value])?;
                    }
                    if let Some(section) = key.strip_suffix(".helper")
                        && !values.is_empty()
                    {
                        config(&["--rename-section", NEW_SECTION, section])?;
                    }
                    if self.values(path, key)?.unwrap_or_default() != *values {
                        anyhow::bail!("git did not write `{key}` as it was told");
                    }
                }
            }
        }
        fs::read(copy.path()).with_context(|| format!("cannot read {}", copy.path().display()))
    }

    fn values(&self, file: &str, key: &str) -> anyhow::Result<Option<Vec<String>>> {
        let found = self.run(&["config", "--file", file, "--null", "--get-all", key])?;
        Ok(found.map(|found| found.split_terminator('\0').map(str::to_owned).collect()))
    }

    /// Reads back, by git's own idea of where its file is.
    fn checked(
        &self,
        file: &GitFile,
        edits: &[Edit],
        replaced: Replaced,
    ) -> anyhow::Result<Replaced> {
        let scope = format!("--{}", file.scope.name());
        let look = || -> anyhow::Result<bool> {
            for edit in edits {
                if let Edit::Last { key, values } = edit {
                    let found = self.run(&["config", &scope, "--null", "--get-all", key])?;
                    let found = found.unwrap_or_default();
                    if !found.split_terminator('\0').eq(values) {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        };
        let why = match look() {
            Ok(true) => return Ok(replaced),
            Ok(false) => anyhow::anyhow!("git does not read {} as {file}", file.path.display()),
            Err(error) => error,
        };
        replaced
            .revert()
            .with_context(|| format!("cannot put {file} back"))?;
        Err(why)
    }
}
