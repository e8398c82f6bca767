//! Reads and edits the credential helpers in git's configuration.
//!
//! Separate from [`super::helper_chain`], which is a function of values: this module runs `git`. All edits of a command
//! are made on a copy, by `git config`; the copy then replaces the file under git's own lock. No intermediate state is
//! visible, and a concurrent `git config` is neither disturbed nor undone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::file::{ATTEMPTS, ForeignFile, ReplaceError, Replaced, same_file};
use super::git::Git;
use super::git_files::{GitFile, Scope};
use super::helper_chain::{Setting, ending, escaped};

/// All configured helpers, whatever their URL.
const HELPERS: &str = r"^credential\.(.*\.)?helper$";

/// A temporary name for a new section: git always appends a new section to the file.
const NEW_SECTION: &str = "sentry-setup.new";

/// A change to the values of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Replace all values by these, at the end of the file.
    Last { key: String, values: Vec<String> },
    /// Remove this value.
    Without { key: String, value: String },
}

impl Git<'_> {
    /// All helpers, in the order in which git reads them.
    ///
    /// # Errors
    /// git cannot read its configuration.
    pub(crate) fn settings(&self) -> anyhow::Result<Vec<Setting>> {
        let mut settings = self.settings_by(&["config"])?;
        // git reports the repository's files relative to the directory that it changed to.
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

    /// The helpers in one file and in the files that it includes.
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

    /// The command that makes git call only this program for a host; `last` is the last setting that applies to the
    /// host. A later file cannot be overridden by an earlier one.
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
        let is_user_file = [Scope::Global, Scope::System]
            .into_iter()
            .filter_map(|scope| self.file(scope).ok())
            .any(|known| same_file(&known.path, file));
        match local.is_ok_and(|local| !is_user_file && has_it(&local.path)) {
            true => format!("`{set_up} --local`"),
            false => format!("`{set_up}`"),
        }
    }

    /// Edits a file as `plan` decides, given the helpers in it and in the files that it includes. `None`: nothing to
    /// change.
    ///
    /// # Errors
    /// The file cannot be read or written, and is unchanged.
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
            // Editors do not take git's lock.
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
        anyhow::bail!("other programs keep changing {file}")
    }

    /// Applies the edits to a copy and returns its content.
    pub(super) fn edited(&self, file: &ForeignFile, edits: &[Edit]) -> anyhow::Result<Vec<u8>> {
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
                        anyhow::bail!("git did not write `{key}` as requested");
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

    /// Reads the values back through git, which may use another file for the scope.
    fn checked(
        &self,
        file: &GitFile,
        edits: &[Edit],
        replaced: Replaced,
    ) -> anyhow::Result<Replaced> {
        let scope = format!("--{}", file.scope.name());
        let matches = || -> anyhow::Result<bool> {
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
        let why = match matches() {
            Ok(true) => return Ok(replaced),
            Ok(false) => anyhow::anyhow!("git does not read {} as {file}", file.path.display()),
            Err(error) => error,
        };
        replaced
            .revert()
            .with_context(|| format!("cannot restore {file}"))?;
        Err(why)
    }
}
