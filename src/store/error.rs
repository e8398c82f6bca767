//! What SQLite says, for a user: which file, in a few words, and what to do about it.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_CANTOPEN_SYMLINK;

use crate::failure::Failure;

/// What SQLite says, without the statement that rusqlite would add and without saying it twice.
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

/// Adds the file's name to what SQLite says, and what to do about it.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> anyhow::Error {
    let shown = path.display();
    let error = Sqlite::from(error);
    let context = match error.code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            let failure = Failure::new(format!("{shown} is damaged")).hint(
                "`sentry auth doctor --repair` sets it aside as `cli.db.corrupt-<time>`, and a login makes a new one",
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

/// The error for a database that somebody has by a lock that SQLite does not know.
pub(super) fn busy(path: &Path, why: String) -> anyhow::Error {
    let error = Sqlite {
        code: Some(ErrorCode::DatabaseBusy),
        extended: None,
        message: why,
    };
    anyhow::Error::new(error).context(format!("{} is in use by another program", path.display()))
}

/// Whether reading may work where writing does not. A disk without room for the `-shm` of a log is an I/O failure.
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

/// Whether opening met a link on the way to the file.
pub(super) fn is_link(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Sqlite>()
        .is_some_and(|error| error.extended == Some(SQLITE_CANTOPEN_SYMLINK))
}

/// Whether an error of this module says that the file is damaged, or not a database.
pub(crate) fn is_damaged(error: &anyhow::Error) -> bool {
    matches!(
        code_of(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether trying again may help: a busy file, a full or a failing disk.
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
