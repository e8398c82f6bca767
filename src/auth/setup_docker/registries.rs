//! What set-up and undo share: the names that were typed, what was stored under them, and who else writes the file.

use std::path::Path;

use crate::auth::output::say;
use crate::cli::SetupDockerArgs;
use crate::setup::{DEFAULT, ForeignFile, UndoLog, Writer};
use crate::store::{Client, ReadTransaction, WriteTransaction};

/// `credsStore` and registries, as they were typed.
pub(super) fn names(args: &SetupDockerArgs) -> Vec<&str> {
    let default = args.default.then_some(DEFAULT);
    let registries = args.registry.iter().chain(&args.registries);
    let all = default.into_iter().chain(registries.map(String::as_str));
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
            "warning: `{}` (process {}) is running and may write {} as it was before; \
             `sentry auth doctor` tells when it has ended",
            writer.command,
            writer.pid,
            path.display()
        ));
    }
}

pub(super) fn log_of(file: &ForeignFile) -> UndoLog {
    UndoLog::of(Client::Docker, file.target().display().to_string())
}

/// Whether docker stored something for a registry, whatever the path; with `change` it is removed.
pub(super) fn forget(
    view: Option<&ReadTransaction<'_>>,
    change: Option<&WriteTransaction<'_>>,
    server: &str,
) -> anyhow::Result<bool> {
    if let Some(change) = change {
        return Ok(change.forget_credentials(server)? > 0);
    }
    let Some(view) = view else { return Ok(false) };
    let is_meant = |found: &str| {
        let rest = found.strip_prefix(server);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let stored = view.credentials(Client::Docker)?;
    Ok(stored.iter().any(|stored| is_meant(&stored.server)))
}
