//! `credential.recovery`: a granted pair that the database would not take.
//!
//! The old pair is dead at the server by then, so this file is all that stands between a full disk and a new login. It is
//! written once, readable by its owner only, and imported by the next process that holds the lock, if the database still
//! has the old pair, or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::account::{Session, Tokens};
use crate::lock::LockGuard;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::Store;
use crate::world::{Timestamp, World};

/// More than a file with the longest tokens takes, and than a commit writes; longer files are not ours.
const ROOM: u64 = 32 * 1024;

/// Where the file is, or would be.
pub(super) fn path(store: &Store) -> PathBuf {
    store.path().with_file_name("credential.recovery")
}

/// Whether there is something to import.
pub(super) fn waits(store: &Store) -> bool {
    path(store).symlink_metadata().is_ok()
}

/// Room for the file, taken while the refresh token is not spent yet: where the database cannot be written because the
/// disk is full, a new file could not be written either.
pub(super) struct Reserve {
    /// Has no name yet. `None`: this file system has no such files.
    file: Option<File>,
}

impl Reserve {
    /// Takes it.
    pub(super) fn take(store: &Store) -> io::Result<Reserve> {
        match nameless(&path(store)) {
            Ok(file) => Ok(Reserve { file: Some(file) }),
            Err(error) if is_full(&error) => Err(error),
            Err(_) => Ok(Reserve { file: None }),
        }
    }

    /// Writes the pair and waits until it is on the disk.
    pub(super) fn write(
        self,
        store: &Store,
        session: &Session,
        old: &Tokens,
        new: &Tokens,
    ) -> anyhow::Result<()> {
        let path = path(store);
        let content = render(session, old, new);
        let named = match self.file {
            Some(file) => fill(&file, &content).and_then(|()| name(&file, &path)),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        named
            .or_else(|_| create(&path).and_then(|file| fill(&file, &content)))
            .and_then(|()| File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all())
            .with_context(|| {
                format!(
                    "the token of {} was refreshed, but neither the database nor {} can be written",
                    session.origin,
                    path.display()
                )
            })
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(target_os = "linux")]
fn nameless(path: &Path) -> io::Result<File> {
    use rustix::fs::{FallocateFlags, Mode, OFlags};

    let dir = path.parent().unwrap_or(Path::new("/"));
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ROOM)?;
    Ok(file.into())
}

#[cfg(target_os = "linux")]
fn name(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{AtFlags, CWD};

    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Fails when the name is taken, as O_EXCL would.
    Ok(rustix::fs::linkat(
        CWD,
        nameless,
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_path: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn name(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}

fn fill(mut file: &File, content: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(content.as_bytes())?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

fn render(session: &Session, old: &Tokens, new: &Tokens) -> Zeroizing<String> {
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    Zeroizing::new(
        json!({
            "account": session.account,
            "origin": session.origin.to_string(),
            "old_token": old.access.expose(),
            "old_refresh_token": text(&old.refresh),
            "token": new.access.expose(),
            "refresh_token": text(&new.refresh),
            "issued_at": new.issued_at.map(Timestamp::millis),
            "expires_at": new.expires_at.map(Timestamp::millis),
        })
        .to_string(),
    )
}

/// Imports the file, if there is one, and removes it.
///
/// # Errors
/// The file is not ours, or the database cannot be written: it stays.
pub fn import(world: &World, store: &Store, held: &LockGuard) -> anyhow::Result<()> {
    let path = path(store);
    let content = match read(&path) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if let Some(Kept {
        account,
        origin,
        old,
        new,
    }) = parse(&content)
    {
        let change = store.change(held, world.clock())?;
        // The official CLI may have moved the row to another table, under another key.
        let is_meant = |session: &Session| {
            let refresh = session.tokens.as_ref().map(|tokens| &tokens.refresh);
            session.origin == origin
                && (session.account == account || refresh == Some(&old.refresh))
        };
        if let Some(session) = change.sessions()?.into_iter().find(is_meant) {
            let swap = change.swap(&session, &old, &new, world.now())?;
            change.commit()?;
            world.trace(|| format!("imported credential.recovery: {swap:?}"));
        }
    }
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
}

fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let not_plain = || Err(io::Error::other("it is not a plain file"));
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // NONBLOCK: a FIFO in its place must not stop us.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => return not_plain(),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return not_plain();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
    }
    let mut content = Zeroizing::new(Vec::new());
    file.take(ROOM).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// What the file says.
struct Kept {
    account: String,
    origin: Origin,
    old: Tokens,
    new: Tokens,
}

/// `None` for a file that was cut short: it was never complete, so there is nothing to lose.
fn parse(content: &[u8]) -> Option<Kept> {
    let value: Value = serde_json::from_slice(content).ok()?;
    let token = |key: &str| {
        value[key]
            .as_str()
            .and_then(|text| Secret::token(text).ok())
    };
    let time = |key: &str| value[key].as_i64().map(Timestamp::from_millis);
    Some(Kept {
        account: value["account"].as_str()?.to_owned(),
        origin: Origin::parse(value["origin"].as_str()?).ok()?,
        old: Tokens {
            access: token("old_token")?,
            refresh: token("old_refresh_token"),
            issued_at: None,
            expires_at: None,
        },
        new: Tokens {
            access: token("token")?,
            refresh: token("refresh_token"),
            issued_at: time("issued_at"),
            expires_at: time("expires_at"),
        },
    })
}
