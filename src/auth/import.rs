//! `sentry auth import`: imports the login in sentry-cli's `.sentryclirc`.
//!
//! Anyone may have written the file of a project. Therefore only this command reads one, and the token and the instance
//! come from the same file: the environment and the store complete neither.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::context::ConfigDir;
use super::login;
use super::output::{print, say};
use super::sentryclirc;
use crate::account::{Identity, User};
use crate::cli::ImportArgs;
use crate::environment;
use crate::failure::Failure;
use crate::origin::{NotAnInstance, Origin};
use crate::printable::printable;
use crate::secret::Secret;
use crate::world::World;

/// Maximum size of a file, in bytes.
const LONGEST: u64 = 64 * 1024;

pub(crate) fn import(world: &World, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => world.home()?.join(".sentryclirc"),
    };
    let shown = printable(&path.display().to_string());
    let (token, instance) = login_in(world, &path, &shown)?;
    print(&format!("{shown} has {} for {instance}", described(&token)))?;
    if args.dry_run {
        say("nothing was checked, and nothing was stored");
        return Ok(ExitCode::SUCCESS);
    }
    let config = ConfigDir::of(world)?;
    login::warn_of_variables(world);
    if !login::may_replace(world, &config, &instance)? {
        anyhow::bail!("nothing was changed");
    }
    let session = login::store_token(world, &config, &instance, token, None)?;
    login::tell(world, &config, &session)?;
    say(&format!(
        "the token stands in {shown}, too; with `sentry auth exec -- sentry-cli`, sentry-cli does not need it there"
    ));
    Ok(ExitCode::SUCCESS)
}

/// The token and the instance in a file.
fn login_in(world: &World, path: &Path, shown: &str) -> anyhow::Result<(Secret, Origin)> {
    let bytes = read(path).with_context(|| format!("cannot read {shown}"))?;
    let found = sentryclirc::parse(&bytes)
        .map_err(|why| Failure::new(format!("cannot import {shown}: {why}")))?;
    let token = Secret::from_input(found.token.expose().as_bytes())
        .map_err(|why| Failure::new(format!("cannot use the token in {shown}: {why}")))?;
    let claimed = environment::origin_claimed_by(&token, shown)?;
    let named = found.url.map(|url| Origin::instance_from_setting(&url));
    let named = match named.transpose() {
        Ok(named) => named,
        // sentry-cli accepts it too: the organization's address leads to the same service.
        Err(NotAnInstance::Organization) => Some(Origin::saas()),
        Err(error @ NotAnInstance::NotAnOrigin(_)) => {
            let what = format!("cannot use the instance that {shown} names: {error}");
            return Err(Failure::new(what).into());
        }
    };
    let instance = match (claimed, named) {
        (Some(claimed), Some(named)) if !named.may_receive(&claimed) => {
            let what = format!(
                "the token in {shown} belongs to {claimed}, not to {named}, which the file names"
            );
            return Err(Failure::new(what).into());
        }
        (Some(claimed), _) => claimed,
        (None, Some(named)) => named,
        (None, None) => unnamed(world, shown)?,
    };
    Ok((token, instance))
}

/// The instance of a file that names none: sentry.io, as for sentry-cli, unless a variable names another one.
fn unnamed(world: &World, shown: &str) -> anyhow::Result<Origin> {
    match environment::instance(world)? {
        Some(named) if !named.is_saas() => {
            let what = format!(
                "{shown} does not say which instance its token is for: sentry.io, or {named} of the environment"
            );
            Err(Failure::new(what)
                .hint(format!("`sentry auth login --url {named} --with-token`"))
                .into())
        }
        _ => Ok(Origin::saas()),
    }
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    // Opening a FIFO would wait for a writer.
    anyhow::ensure!(path.metadata()?.is_file(), "it is not a regular file");
    // Growing the vector would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 64));
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() as u64 <= LONGEST, "it is longer than 64 KiB");
    Ok(bytes)
}

/// Describes a token without showing any part of it.
fn described(token: &Secret) -> String {
    match Identity::of(&User::default(), Some(token)) {
        Some(Identity::Organization(slug)) => {
            format!("an organization token of {}", printable(&slug))
        }
        _ => "a token".to_owned(),
    }
}
