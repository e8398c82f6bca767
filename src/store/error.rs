//! Explains SQLite's errors to a user: the file, the cause, and the remedy.
//!
//! Separate from the statements so that the same error always has the same text.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_CANTOPEN_SYMLINK;

use crate::failure::Failure;
use crate::platform::files;

/// What SQLite needs to write at all: the index of the WAL.
const ROOM: usize = 32 * 1024;

/// SQLite's message, without the statement that rusqlite adds and without repetition.
#[derive(Debug)]
struct Sqlite {
    code: Option<ErrorCode>,
    extended: Option<i32>,
    message: String,
}

impl std::fmt::Display for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Sqlite {}

impl From<rusqlite::Error> for Sqlite {
    fn from(error: rusqlite::Error) -> Sqlite {
        let code = error.sqlite_error_code();
        let extended = error.sqlite_error().map(|error| error.extended_code);
        let message = match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        };
        Sqlite {
            code,
            extended,
            message,
        }
    }
}

/// Adds the file's path and the remedy to SQLite's error.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> anyhow::Error {
    let shown = path.display();
    let mut error = Sqlite::from(error);
    if let Some(cause) = cause(path, &error) {
        error.message = cause.to_string();
    }
    let context = match error.code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            let failure = Failure::new(format!("{shown} is damaged")).hint(
                "`sentry auth doctor --repair` sets it aside as `cli.db.corrupt-<time>`, and a login creates a new one",
            );
            return anyhow::Error::new(error).context(failure);
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{shown} is in use by another program")
        }
        Some(ErrorCode::DiskFull) => format!("no space left to write {shown}"),
        Some(ErrorCode::ReadOnly) => format!("cannot write {shown}"),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => format!("cannot open {shown}"),
        _ => format!("cannot use {shown}"),
    };
    anyhow::Error::new(error).context(context)
}

/// Why a database cannot be opened or written, where SQLite reports only that.
fn cause(path: &Path, error: &Sqlite) -> Option<io::Error> {
    let is_vague = matches!(
        error.code,
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)
    );
    if !is_vague || error.extended == Some(SQLITE_CANTOPEN_SYMLINK) {
        return None;
    }
    let dir = path.parent()?;
    let denied = |path| files::may_write(path).err();
    denied(path)
        .or_else(|| denied(dir))
        .or_else(|| files::full(dir, ROOM))
}

/// The error for a database that another program holds by a lock unknown to SQLite.
pub(super) fn busy(path: &Path, why: String) -> anyhow::Error {
    let error = Sqlite {
        code: Some(ErrorCode::DatabaseBusy),
        extended: None,
        message: why,
    };
    anyhow::Error::new(error).context(format!("{} is in use by another program", path.display()))
}

/// Whether reading may succeed where writing fails. A full disk without space for the `-shm` of a WAL is an I/O error.
pub(super) fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
        )
    )
}

/// Whether a symlink in the path prevented opening.
pub(super) fn is_symlink_error(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Sqlite>()
        .is_some_and(|error| error.extended == Some(SQLITE_CANTOPEN_SYMLINK))
}

/// Whether the file is damaged, or not a database.
pub(crate) fn is_damaged(error: &anyhow::Error) -> bool {
    matches!(
        code_of(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether a retry may succeed: the file was busy, or the disk full or failing.
pub(crate) fn is_temporary(error: &anyhow::Error) -> bool {
    matches!(
        code_of(error),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
        )
    )
}

fn code_of(error: &anyhow::Error) -> Option<ErrorCode> {
    error.downcast_ref::<Sqlite>()?.code
}
