//! One line per step for the person who asks what happened.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::Timestamp;

/// Where the lines go.
pub(super) enum Trace {
    Stderr,
    File(RefCell<File>),
}

impl Trace {
    /// `1` is standard error, an absolute path a file of ours; anything else, or a file that cannot be had, is nowhere.
    pub(super) fn to(target: &str) -> Option<Trace> {
        if target == "1" {
            return Some(Trace::Stderr);
        }
        let path = Path::new(target);
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            options.mode(0o600).custom_flags(flags.bits().cast_signed());
        }
        path.is_absolute()
            .then(|| options.open(path).ok())?
            .map(|file| Trace::File(RefCell::new(file)))
    }

    pub(super) fn line(&self, now: Timestamp, step: &str) {
        let line = format!("{now} [{}] {}\n", std::process::id(), step.escape_debug());
        match self {
            Trace::Stderr => super::print_error(&line),
            Trace::File(file) => drop(file.borrow_mut().write_all(line.as_bytes())),
        }
    }
}
