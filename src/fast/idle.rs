//! An idle database: a file that nobody has open for writing, and that nobody has written for a while.
//!
//! SQLite can read such a file without locks, and without the sidecar files that a WAL needs (`immutable=1`). SQLite
//! promises correct results only if the file does not change meanwhile; so who reads it compares its stamp afterwards, and
//! discards what was read if it differs. `docs/performance.md` says why that suffices.

use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::platform::files::{self, FileStamp};

/// In milliseconds. Longer than the steps of any file system's clock: a later write leaves another time.
const SETTLED: i64 = 3000;

/// A database file, and its stamp from before it is read.
pub(crate) struct IdleFile<'a> {
    path: &'a Path,
    stamp: FileStamp,
}

impl IdleFile<'_> {
    /// Returns `None` if the file, which is in the directory `dir`, may not be idle. `metadata` was read before the caller
    /// found that there is no sidecar file; `now` is the time of day in milliseconds.
    pub(crate) fn of<'a>(
        dir: &Path,
        path: &'a Path,
        metadata: &Metadata,
        now: i64,
    ) -> Option<IdleFile<'a>> {
        let written = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let written = i64::try_from(written.as_millis()).ok()?;
        if now - written < SETTLED {
            return None;
        }
        // Clocks of other machines, and attributes that a client of theirs has cached, are not reliable.
        if files::is_local(dir) != Some(true) {
            return None;
        }
        Some(IdleFile {
            path,
            stamp: files::stamp(metadata),
        })
    }

    /// Whether the file has not been written, or replaced, since its metadata was read.
    pub(crate) fn is_unchanged(&self) -> bool {
        let metadata = self.path.symlink_metadata();
        metadata.is_ok_and(|metadata| files::stamp(&metadata) == self.stamp)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// The file as it would be judged so many milliseconds after it was written.
    fn judged(path: &Path, after: i64) -> Option<IdleFile<'_>> {
        let metadata = path.symlink_metadata().unwrap();
        let written = metadata.modified().unwrap();
        let written = written.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = i64::try_from(written).unwrap() + after;
        IdleFile::of(path.parent().unwrap(), path, &metadata, now)
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cli.db");
        fs::write(&path, "one state").unwrap();
        (dir, path)
    }

    #[test]
    #[cfg_attr(portable, ignore = "local file systems")]
    fn a_file_is_idle_three_seconds_after_it_was_written() {
        let (_dir, path) = file();
        assert!(judged(&path, SETTLED).is_some());
        assert!(judged(&path, SETTLED - 1).is_none());
        // The clock was set back.
        assert!(judged(&path, -60_000).is_none());
    }

    #[test]
    fn a_file_from_before_1970_is_not_idle() {
        let (dir, path) = file();
        let before = UNIX_EPOCH - Duration::from_secs(1);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(before).unwrap();
        let metadata = path.symlink_metadata().unwrap();
        assert!(IdleFile::of(dir.path(), &path, &metadata, 2_000_000_000_000).is_none());
    }

    #[test]
    #[cfg_attr(portable, ignore = "local file systems")]
    fn a_write_a_replacement_and_a_removal_are_changes() {
        type Change = (&'static str, fn(&Path));
        let changes: [Change; 4] = [
            ("longer", |path| fs::write(path, "another state").unwrap()),
            ("as long", |path| fs::write(path, "two state").unwrap()),
            ("replaced", |path| {
                let other = path.with_extension("other");
                fs::write(&other, "one state").unwrap();
                fs::rename(&other, path).unwrap();
            }),
            ("removed", |path| fs::remove_file(path).unwrap()),
        ];
        for (case, change) in changes {
            let (_dir, path) = file();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60))
                .unwrap();
            // Windows keeps the name of a file that is open.
            drop(file);
            let idle = judged(&path, SETTLED).unwrap();
            assert!(idle.is_unchanged(), "{case}");
            change(&path);
            assert!(!idle.is_unchanged(), "{case}");
        }
    }
}
