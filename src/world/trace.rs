//! One line per step for the user who asks what happened.
//!
//! A variable names the file, and the user need not be the one who set it: only a file that this program created is
//! written, and each line in it is a comment, because its name may be one that a shell reads as commands.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::{Clock as _, SystemClock, Timestamp};
use crate::failure::Failure;
use crate::platform::files::{self, Purpose, Rule};

/// First line of each file: it shows that this program created the file.
const HEADER: &str = "# steps of Sentry's credential helpers (SENTRY_CREDENTIAL_TRACE)\n";

/// Begins each line of a file.
const COMMENT: &str = "# ";

/// How often an empty file is read again: another process has created it, and is about to write the header.
const LOOKS: u32 = 50;

/// Notes steps, or nothing.
#[derive(Clone, Default)]
pub(crate) struct Steps(Option<Rc<Trace>>);

impl Steps {
    pub(super) fn to(trace: Trace) -> Steps {
        Steps(Some(Rc::new(trace)))
    }

    pub(super) fn target(&self) -> Option<&Trace> {
        self.0.as_deref()
    }

    /// Notes one step at the system's time; see [`World::trace`](super::World::trace).
    pub(crate) fn note(&self, step: impl FnOnce() -> String) {
        if let Some(trace) = &self.0 {
            trace.line(SystemClock.now(), &step());
        }
    }
}

/// The destination of the lines.
pub(crate) enum Trace {
    Stderr,
    File(RefCell<File>),
}

impl Trace {
    /// `1` is standard error, an absolute path a file of ours, and `0` none.
    ///
    /// # Errors
    /// Why there is no trace; `may_create` gives the reason why no file may be created.
    pub(super) fn to(
        target: &str,
        may_create: impl Fn(&Path) -> Result<(), Failure>,
    ) -> Result<Option<Trace>, String> {
        let path = Path::new(target);
        match target {
            "0" => Ok(None),
            "1" => Ok(Some(Trace::Stderr)),
            _ if !path.is_absolute() => Err("it is neither `1` nor an absolute path".to_owned()),
            _ => match may_create(path)
                .map_err(io::Error::other)
                .and_then(|()| create(path))
                .or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => append(path),
                    _ => Err(error),
                }) {
                Ok(file) => Ok(Some(Trace::File(RefCell::new(file)))),
                Err(why) => Err(format!("{}: {why}", path.display())),
            },
        }
    }

    pub(super) fn line(&self, now: Timestamp, step: &str) {
        let escaped = step.chars().flat_map(|character| {
            let is_quote = matches!(character, '\'' | '"');
            let escaped = (!is_quote).then(|| character.escape_debug());
            let plain = is_quote.then_some(character);
            plain.into_iter().chain(escaped.into_iter().flatten())
        });
        let escaped: String = escaped.collect();
        let line = format!("{now} [{}] {escaped}\n", std::process::id());
        match self {
            Trace::Stderr => super::print_error(&line),
            Trace::File(file) => {
                let line = format!("{COMMENT}{line}");
                drop(file.borrow_mut().write_all(line.as_bytes()));
            }
        }
    }
}

/// Creates the file. An existing file is not touched, nor is the target of a symlink.
fn create(path: &Path) -> io::Result<File> {
    let mut file = files::create_private(path, Purpose::Append)?;
    file.write_all(HEADER.as_bytes())?;
    Ok(file)
}

/// Opens a file that an earlier run created.
fn append(path: &Path) -> io::Result<File> {
    let file = files::open_private(path, Purpose::Append, Rule::Private)?;
    let mut looks = 0;
    while file.metadata()?.len() < HEADER.len() as u64 && looks < LOOKS {
        std::thread::sleep(Duration::from_millis(2));
        looks += 1;
    }
    let mut start = Vec::new();
    (&file).take(HEADER.len() as u64).read_to_end(&mut start)?;
    match start == HEADER.as_bytes() {
        true => Ok(file),
        false => Err(io::Error::other("it is no trace, and stays as it is")),
    }
}
