//! docker's `config.json`, and podman's `auth.json`, which has the same keys.
//!
//! Apart from `setup_docker`, which knows what to write and why. The file belongs to docker: all that is not ours stays in
//! it, in its order, and it is replaced whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::say;
use crate::docker::ServerUrl;
use crate::failure::Failure;

/// The key whose value is the helper for all registries.
pub(super) const DEFAULT: &str = "credsStore";

/// The key of the helpers by registry.
const REGISTRIES: &str = "credHelpers";

/// Where the name of a helper stands: under `credHelpers` by registry, or in `credsStore`, which is no registry's name.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a>(pub(super) &'a str);

impl Slot<'_> {
    /// The key of its binding.
    pub(super) fn server(self) -> anyhow::Result<Option<String>> {
        if self.0 == DEFAULT {
            return Ok(None);
        }
        let place = ServerUrl::parse(self.0)?.place;
        Ok(Some(place.context("not the name of a registry")?.host))
    }
}

impl std::fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            DEFAULT => f.write_str(DEFAULT),
            registry => write!(f, "{REGISTRIES}.{registry}"),
        }
    }
}

/// docker's `config.json`, or podman's `auth.json`.
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    config: Map<String, Value>,
}

impl ConfigFile {
    pub(super) fn read(path: PathBuf) -> anyhow::Result<ConfigFile> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let config = match text.trim() {
            "" => Some(Map::new()),
            text => serde_json::from_str(text).ok(),
        };
        let config = config.filter(|config: &Map<String, Value>| {
            matches!(
                config.get(REGISTRIES),
                None | Some(Value::Null | Value::Object(_))
            )
        });
        let config = config.ok_or_else(|| {
            let what = format!(
                "{} is not a JSON object as docker writes it",
                path.display()
            );
            Failure::new(what).hint("correct the file by hand; nothing was changed")
        })?;
        Ok(ConfigFile { path, config })
    }

    pub(super) fn value(&self, slot: Slot<'_>) -> Value {
        let value = match slot.0 {
            DEFAULT => self.config.get(DEFAULT),
            registry => self
                .config
                .get(REGISTRIES)
                .and_then(|helpers| helpers.get(registry)),
        };
        value.cloned().unwrap_or_default()
    }

    /// The registries that have a helper of their own.
    pub(super) fn registries(&self) -> impl Iterator<Item = &str> {
        let helpers = self.config.get(REGISTRIES).and_then(Value::as_object);
        helpers.into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// `Null` removes it.
    pub(super) fn set(&mut self, slot: Slot<'_>, value: Value) {
        let put = |object: &mut Map<String, Value>, key: &str, value: Value| match value {
            // Keeps the order of the others.
            Value::Null => drop(object.shift_remove(key)),
            value => drop(object.insert(key.to_owned(), value)),
        };
        if slot.0 == DEFAULT {
            return put(&mut self.config, DEFAULT, value);
        }
        let mut helpers = match self.config.get_mut(REGISTRIES).map(Value::take) {
            Some(Value::Object(helpers)) => helpers,
            _ => Map::new(),
        };
        put(&mut helpers, slot.0, value);
        let helpers = Some(helpers)
            .filter(|helpers| !helpers.is_empty())
            .map(Value::Object);
        put(&mut self.config, REGISTRIES, helpers.unwrap_or_default());
    }

    /// The keys of `auths` that have a secret in this file.
    pub(super) fn passwords(&self) -> impl Iterator<Item = &str> {
        let auths = self.config.get("auths").and_then(Value::as_object);
        let has_secret = |auth: &Value| {
            let fields = ["auth", "password", "identitytoken", "registrytoken"];
            fields.iter().any(|field| {
                auth[field]
                    .as_str()
                    .is_some_and(|secret| !secret.is_empty())
            })
        };
        auths
            .into_iter()
            .flatten()
            .filter(move |(_, auth)| has_secret(auth))
            .map(|(key, _)| key.as_str())
    }

    /// Replaces the file, and tells what is new in it.
    pub(super) fn write(&self, changes: &[String]) -> anyhow::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.replace()
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        changes.iter().for_each(|change| say(change));
        Ok(())
    }

    /// As docker writes it: indented by tabs, without a line end.
    fn text(&self) -> String {
        let text = format!("{:#}", Value::Object(self.config.clone()));
        let indented = |line: &str| {
            let rest = line.trim_start_matches("  ");
            "\t".repeat((line.len() - rest.len()) / 2) + rest
        };
        text.lines().map(indented).collect::<Vec<_>>().join("\n")
    }

    fn replace(&self) -> anyhow::Result<()> {
        // A link stays one: people keep this file among their dotfiles.
        let target = match (self.path.canonicalize(), fs::read_link(&self.path)) {
            (Ok(target), _) => target,
            (Err(_), Ok(link)) => self.path.with_file_name(link),
            (Err(_), Err(_)) => self.path.clone(),
        };
        let dir = target.parent().context("it has no directory")?;
        make_dir(dir)?;
        // Made with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".config.json-")
            .tempfile_in(dir)?;
        if let Ok(before) = fs::metadata(&target) {
            file.as_file().set_permissions(before.permissions())?;
        }
        file.write_all(self.text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&target)?;
        Ok(())
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
