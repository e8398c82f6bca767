//! Shared by set-up and undo: the names from the command line, the credentials stored for them, and the warning about
//! other writers of the file.
//!
//! Separate from both so that they treat names alike.

use std::path::Path;

use crate::auth::output::say;
use crate::cli::SetupDockerArgs;
use crate::setup::{DEFAULT, ForeignFile, UndoLog, Writer, key_of};
use crate::store::{Client, ReadTransaction, WriteTransaction};

/// `credsStore` and the registries, as given; of Docker Hub, the key that the client looks up. What is undone may also
/// have the name that was given.
pub(super) fn names(args: &SetupDockerArgs) -> Vec<&str> {
    let default = args.default.then_some(DEFAULT);
    let registries = args.registry.iter().chain(&args.registries);
    let registries = registries.flat_map(|name| {
        let given = args.undo.then_some(name.as_str());
        std::iter::once(key_of(name, args.podman)).chain(given)
    });
    let all = default.into_iter().chain(registries);
    let mut names: Vec<&str> = Vec::new();
    for name in all {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(super) fn warn_of(path: &Path, writer: Option<Writer>) {
    if let Some(writer) = writer {
        say(&format!(
            "warning: `{}` (process {}) is running and may overwrite {} with its old content; \
             `sentry auth doctor` reports when it has exited",
            writer.command,
            writer.pid,
            path.display()
        ));
    }
}

pub(super) fn log_of(file: &ForeignFile) -> UndoLog {
    UndoLog::of(Client::Docker, file.target().display().to_string())
}

/// Whether docker stored a credential for a registry, under any path; with `change`, removes it.
pub(super) fn forget(
    view: Option<&ReadTransaction<'_>>,
    change: Option<&WriteTransaction<'_>>,
    server: &str,
) -> anyhow::Result<bool> {
    if let Some(change) = change {
        return Ok(change.forget_credentials(server)? > 0);
    }
    let Some(view) = view else { return Ok(false) };
    let is_for_server = |found: &str| {
        let rest = found.strip_prefix(server);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let stored = view.credentials(Client::Docker)?;
    Ok(stored.iter().any(|stored| is_for_server(&stored.server)))
}
