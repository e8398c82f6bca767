//! docker's `config.json`, and podman's `auth.json`, which has the same keys.
//!
//! Separate from `setup_docker`, which decides what to write. Everything that is not ours stays in the file, in its
//! order.
//!
//! Clients look a registry up by its host as typed, so keys are compared byte by byte; several keys may name the same
//! registry of our database.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::file::ForeignFile;
use crate::docker::ServerUrl;
use crate::failure::Failure;
use crate::store::Client;

/// The key whose value is the helper for all registries.
pub(crate) const DEFAULT: &str = "credsStore";

/// The key of the helpers by registry.
const REGISTRIES: &str = "credHelpers";

/// The suffix that docker appends to `docker-credential-`.
pub(crate) const OURS: &str = "sentry";

/// The key under which docker looks up Docker Hub; the only one with a scheme and a path.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Where a helper is named: under `credHelpers` by registry, or in `credsStore`, which is not a registry's name.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a>(pub(crate) &'a str);

impl Slot<'_> {
    /// The key of its binding; `None` for `credsStore`, and for a name that is not a registry's.
    pub(crate) fn server(self) -> Option<String> {
        match self.0 {
            DEFAULT => None,
            registry => Some(ServerUrl::parse(registry).ok()?.registry?.host),
        }
    }
}

impl fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DEFAULT => f.write_str(DEFAULT),
            registry => write!(f, "{REGISTRIES}.{registry}"),
        }
    }
}

/// Whether clients ever look up this key of `credHelpers`: they look up hosts only.
pub(crate) fn looked_up(registry: &str) -> bool {
    registry == DOCKER_HUB || !registry.contains('/')
}

/// The names of Docker Hub that users know.
const NAMES_OF_DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// The key under which docker, or podman, looks up a registry that a user calls by this name.
pub(crate) fn key_of(registry: &str, podman: bool) -> &str {
    let mut names = NAMES_OF_DOCKER_HUB.iter();
    match names.any(|name| registry.eq_ignore_ascii_case(name)) {
        true if podman => NAMES_OF_DOCKER_HUB[0],
        true => DOCKER_HUB,
        false => registry,
    }
}

/// The top level of a file as docker reads it: Go fills one map from every object that a key has.
struct Merged(Map<String, Value>);

impl<'de> Deserialize<'de> for Merged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Merged, D::Error> {
        deserializer.deserialize_map(Merge).map(Merged)
    }
}

struct Merge;

impl<'de> Visitor<'de> for Merge {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut merged = Map::new();
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            match (merged.get_mut(&key), value) {
                (Some(Value::Object(earlier)), Value::Object(later)) => earlier.extend(later),
                (_, value) => {
                    merged.insert(key, value);
                }
            }
        }
        Ok(merged)
    }
}

/// docker's `config.json`, or podman's `auth.json`.
pub(crate) struct ConfigFile {
    path: PathBuf,
    config: Map<String, Value>,
}

impl ConfigFile {
    /// Reads the file; one that does not exist is empty.
    ///
    /// # Errors
    /// It cannot be read, or does not have docker's format.
    pub(crate) fn read(path: &Path) -> anyhow::Result<ConfigFile> {
        ConfigFile::of(&ForeignFile::read(path)?)
    }

    /// Parses the file.
    ///
    /// # Errors
    /// It does not have docker's format.
    pub(crate) fn of(file: &ForeignFile) -> anyhow::Result<ConfigFile> {
        let text = std::str::from_utf8(file.content().unwrap_or_default()).map(str::trim);
        let config = match text {
            Ok("") => Some(Map::new()),
            Ok(text) => serde_json::from_str(text).ok().map(|Merged(config)| config),
            Err(_) => None,
        };
        let path = file.path().to_owned();
        let found = config.map(|config| ConfigFile { path, config });
        let found = found.filter(|found| {
            let registries = found.field(REGISTRIES);
            matches!(registries, None | Some(Value::Null | Value::Object(_)))
        });
        found.ok_or_else(|| {
            let what = format!(
                "{} is not a JSON object as docker writes it; correct it by hand",
                file.path().display()
            );
            Failure::new(what).into()
        })
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The helper, or null.
    pub(crate) fn value(&self, slot: Slot<'_>) -> Value {
        let value = match slot.0 {
            DEFAULT => self.field(DEFAULT),
            registry => self
                .field(REGISTRIES)
                .and_then(|helpers| helpers.get(registry)),
        };
        value.cloned().unwrap_or_default()
    }

    /// The registries with a helper of their own, as written.
    pub(crate) fn registries(&self) -> impl Iterator<Item = &str> {
        let helpers = self.field(REGISTRIES).and_then(Value::as_object);
        helpers.into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// The names whose helper is this program: `credsStore`, and registries.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &str> {
        let slots = std::iter::once(DEFAULT).chain(self.registries());
        slots.filter(|name| self.value(Slot(name)) == OURS)
    }

    /// The key by which a client calls this program for a registry, which is given by its key in our database.
    pub(crate) fn key_for(&self, server: &str) -> Option<&str> {
        let host = server.strip_prefix(&Client::Docker.server(""))?;
        let same_registry =
            |name: &&str| looked_up(name) && Slot(name).server().as_deref() == Some(server);
        let is_ours = |name: &&str| self.value(Slot(name)) == OURS;
        match self.registries().find(|name| *name == host) {
            Some(name) if is_ours(&name) => Some(name),
            exact => self
                .registries()
                .filter(same_registry)
                .find(is_ours)
                .or_else(|| Some(DEFAULT).filter(|name| exact.is_none() && is_ours(name))),
        }
    }

    /// Sets a helper; `Null` removes it.
    pub(crate) fn set(&mut self, slot: Slot<'_>, value: Value) {
        let put = |object: &mut Map<String, Value>, key: &str, value: Value| match value {
            // Preserves the order of the other keys.
            Value::Null => drop(object.shift_remove(key)),
            value => drop(object.insert(key.to_owned(), value)),
        };
        let key = |config: &Map<String, Value>, name: &str| {
            spelling(config, name).unwrap_or(name).to_owned()
        };
        if slot.0 == DEFAULT {
            let key = key(&self.config, DEFAULT);
            return put(&mut self.config, &key, value);
        }
        let key = key(&self.config, REGISTRIES);
        let mut helpers = match self.config.get_mut(&key).map(Value::take) {
            Some(Value::Object(helpers)) => helpers,
            _ => Map::new(),
        };
        put(&mut helpers, slot.0, value);
        let helpers = Some(helpers)
            .filter(|helpers| !helpers.is_empty())
            .map(Value::Object);
        put(&mut self.config, &key, helpers.unwrap_or_default());
    }

    /// The keys of `auths` with a secret in this file.
    pub(crate) fn passwords(&self) -> impl Iterator<Item = &str> {
        let auths = self.field("auths").and_then(Value::as_object);
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

    /// The file as docker writes it: indented with tabs, without a trailing newline.
    pub(crate) fn text(&self) -> String {
        let text = format!("{:#}", Value::Object(self.config.clone()));
        let indented = |line: &str| {
            let rest = line.trim_start_matches("  ");
            "\t".repeat((line.len() - rest.len()) / 2) + rest
        };
        text.lines().map(indented).collect::<Vec<_>>().join("\n")
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.config.get(spelling(&self.config, name)?)
    }
}

/// The spelling of a key in the file: clients are written in Go, which ignores its case.
fn spelling<'a>(config: &'a Map<String, Value>, name: &'a str) -> Option<&'a str> {
    if config.contains_key(name) {
        return Some(name);
    }
    let mut keys = config.keys();
    keys.find(|key| key.eq_ignore_ascii_case(name))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(config: Value) -> ConfigFile {
        let Value::Object(config) = config else {
            panic!("not an object")
        };
        ConfigFile {
            path: PathBuf::from("config.json"),
            config,
        }
    }

    #[test]
    fn a_registry_is_looked_up_as_it_is_typed() {
        let asks = |value: Value| {
            let file = config(value);
            file.key_for("docker r.example").map(str::to_owned)
        };
        let helpers = |helpers: Value| asks(json!({"credHelpers": helpers}));
        assert_eq!(
            helpers(json!({"r.example": "sentry"})).as_deref(),
            Some("r.example")
        );
        assert_eq!(
            helpers(json!({"R.example:443": "sentry"})).as_deref(),
            Some("R.example:443")
        );
        for never in [
            "https://r.example",
            "r.example/",
            "r.example/team",
            "r.example:80",
            "x",
        ] {
            assert_eq!(helpers(json!({never: "sentry"})), None, "{never}");
        }
        assert_eq!(
            asks(json!({"credsStore": "sentry"})).as_deref(),
            Some("credsStore")
        );
        assert_eq!(
            asks(json!({"CREDSSTORE": "sentry", "credhelpers": {"https://r.example": "pass"}}))
                .as_deref(),
            Some("credsStore")
        );
        assert_eq!(
            asks(json!({"credsStore": "sentry", "credHelpers": {"r.example": "pass"}})),
            None
        );
    }

    #[test]
    fn a_key_is_written_where_the_client_finds_it() {
        let mut file = config(json!({"CredHelpers": {"a": "pass"}, "z": 1}));
        file.set(Slot("R.example"), json!("sentry"));
        file.set(Slot(DEFAULT), json!("sentry"));
        let text = file.text();
        assert!(
            text.starts_with(
                "{\n\t\"CredHelpers\": {\n\t\t\"a\": \"pass\",\n\t\t\"R.example\": \"sentry\"\n\t},"
            ),
            "{text}"
        );
        assert_eq!(file.ours().collect::<Vec<_>>(), ["credsStore", "R.example"]);
        file.set(Slot("R.example"), Value::Null);
        file.set(Slot("a"), Value::Null);
        file.set(Slot(DEFAULT), Value::Null);
        assert_eq!(file.text(), "{\n\t\"z\": 1\n}");
    }
}
