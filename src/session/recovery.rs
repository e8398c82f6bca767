//! `credential.recovery`: a granted pair that the database would not take.
//!
//! The old pair is dead at the server by then, so this file is all that stands between a full disk and a new login. It is
//! written once, readable by its owner only, and imported by the next process that holds the lock, if the database still
//! has the old pair, or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::lock::Held;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::{Session, Store, Tokens};
use crate::world::{Timestamp, World};

fn path(store: &Store) -> PathBuf {
    store.path().with_file_name("credential.recovery")
}

/// Writes the pair and waits until it is on the disk.
pub(super) fn write(
    store: &Store,
    session: &Session,
    old: &Tokens,
    new: &Tokens,
) -> anyhow::Result<()> {
    let path = path(store);
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let content = Zeroizing::new(
        json!({
            "account": session.account,
            "origin": session.origin.to_string(),
            "old_refresh_token": text(&old.refresh),
            "token": new.access.expose(),
            "refresh_token": text(&new.refresh),
            "issued_at": new.issued_at.map(Timestamp::millis),
            "expires_at": new.expires_at.map(Timestamp::millis),
        })
        .to_string(),
    );
    let written = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options
                .mode(0o600)
                .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        let mut file = options.open(&path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    written().with_context(|| {
        format!(
            "the token of {} was refreshed, but neither the database nor {} can be written",
            session.origin,
            path.display()
        )
    })
}

/// Imports the file, if there is one, and removes it.
pub(super) fn import(world: &World, store: &Store, held: &Held) -> anyhow::Result<()> {
    let path = path(store);
    let content = match read(&path) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if let Some((origin, account, old, new)) = parse(&content) {
        let change = store.change(held, world.clock())?;
        let session = change
            .sessions()?
            .into_iter()
            .find(|session| session.account == account && session.origin == origin);
        if let Some(session) = session {
            let swap = change.swap(
                &session,
                &Tokens {
                    refresh: old,
                    ..new.clone()
                },
                &new,
                world.now(),
            )?;
            change.commit()?;
            world.trace(|| format!("imported credential.recovery: {swap:?}"));
        }
    }
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
}

fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => fs::read(path).map(Zeroizing::new).map(Some),
        Ok(_) => Err(io::Error::other("it is not a plain file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` for a file that was cut short: it was never complete, so there is nothing to lose.
fn parse(content: &[u8]) -> Option<(Origin, String, Option<Secret>, Tokens)> {
    let value: Value = serde_json::from_slice(content).ok()?;
    let token = |key: &str| {
        value[key]
            .as_str()
            .and_then(|text| Secret::token(text).ok())
    };
    let time = |key: &str| value[key].as_i64().map(Timestamp::from_millis);
    let tokens = Tokens {
        access: token("token")?,
        refresh: token("refresh_token"),
        issued_at: time("issued_at"),
        expires_at: time("expires_at"),
    };
    let origin = Origin::parse(value["origin"].as_str()?).ok()?;
    Some((
        origin,
        value["account"].as_str()?.to_owned(),
        token("old_refresh_token"),
        tokens,
    ))
}
