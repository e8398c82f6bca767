//! The git credential protocol: parses requests, renders answers.
//!
//! Separate from [`crate::broker`], which selects the credential and knows nothing of `key=value` lines. Parsing and
//! rendering are pure functions of bytes.
//!
//! Rules:
//! - An answer is built completely, checked byte by byte, and written once: git uses whatever a helper printed before
//!   it   failed. It ends with a blank line.
//! - The refresh token of a session is never printed.
//! - An unknown operation is ignored.
//! - No message repeats a byte of the input.
//!
//! git-credential(1) "Input/Output Format", gitcredentials(7) "Custom Helpers".

mod bytes;
mod description;
mod render;
mod url;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::{Zeroize as _, Zeroizing};

use crate::broker::{Broker, NoCredential, UserResponse};
use crate::failure::{self, Failure};
use crate::origin::Origin;
use crate::policy::{Request, StoreVerdict, decide_git_store};
use crate::secret::{Secret, append};
use crate::store::{self, Client, Match};
use crate::world::{self, CHUNK, Stdin, Timestamp, World};

pub(crate) use description::{Description, Malformed};

use description::MAX_INPUT;
use render::render;

/// How long git may take to send its request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Answers git's request on standard input.
pub(crate) fn answer_git(operation: &str, world: &World) -> ExitCode {
    match answer(operation, &mut Stdin::with_timeout(TIMEOUT), world) {
        Ok(answer) => match world::print(&answer) {
            Ok(()) => ExitCode::SUCCESS,
            // The reader has closed the pipe.
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            world::print_error(&format!(
                "git-credential-sentry: {}\n",
                failure::one_line(&error)
            ));
            ExitCode::FAILURE
        }
    }
}

fn answer(
    operation: &str,
    input: &mut impl Read,
    world: &World,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    match operation {
        "capability" => {
            return Ok(Zeroizing::new(
                b"version 0\ncapability authtype\ncapability state\n".to_vec(),
            ));
        }
        "get" | "store" | "erase" => {}
        // gitcredentials(7): "If a helper receives any other operation, it should silently ignore the request."
        _ => return Ok(Zeroizing::default()),
    }
    let broker = Broker::new(world);
    serve(operation, &read(input)?, &broker)
}

/// Answers one operation.
///
/// # Errors
/// The request is malformed, or the host belongs to an instance and no credential is available now.
pub(crate) fn serve(
    operation: &str,
    input: &[u8],
    broker: &Broker<'_>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let Some(description) = Description::parse(input)? else {
        return Ok(Zeroizing::default());
    };
    let Some(target) = Target::of(&description) else {
        broker
            .world()
            .trace(|| "the protocol or the host cannot be a key".to_owned());
        return Ok(Zeroizing::default());
    };
    match operation {
        "get" => get(&description, &target, broker),
        "store" => store(&description, &target, broker).map(|()| Zeroizing::default()),
        _ => erase(&description, &target, broker).map(|()| Zeroizing::default()),
    }
}

/// The server that a request is about.
struct Target {
    /// The host, if a token may be sent to it. The grammar protects tokens only, not stored credentials.
    origin: Option<Origin>,
    /// The key of stored credentials.
    server: String,
}

impl Target {
    /// Returns `None` for a name that could be confused with another key.
    fn of(description: &Description) -> Option<Target> {
        let Description { protocol, host, .. } = description;
        if let Ok(origin) = Origin::from_parts(protocol, host) {
            return Some(Target {
                server: Client::Git.server(&origin.to_string()),
                origin: Some(origin),
            });
        }
        // smtp, http to another machine, names that only a local resolver knows: compared byte by byte.
        let url = format!("{protocol}://{host}");
        let is_another = protocol.contains([':', '/']) || Origin::parse(&url).is_ok();
        (!is_another).then(|| Target {
            origin: None,
            server: Client::Git.server(&url),
        })
    }
}

fn get(
    description: &Description,
    target: &Target,
    broker: &Broker<'_>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let request = request(description, target);
    match broker.credential_for(&request) {
        Ok(credential) => render(description, credential, broker.world().now()),
        Err(NoCredential::NotOurs) => Ok(Zeroizing::default()),
        // git-lfs repeats a request after each refusal, for as long as it gets an answer.
        Err(NoCredential::Refused(why)) => {
            warn(why);
            Ok(Zeroizing::default())
        }
        Err(NoCredential::NoLogin { why, user, .. }) => match user {
            UserResponse::Absent => Err(why.into()),
            // The user declined: git must not continue and prompt for a password.
            UserResponse::Declined => {
                warn(why);
                Ok(Zeroizing::new(b"quit=1\n\n".to_vec()))
            }
        },
        Err(NoCredential::Unavailable(error)) => Err(error),
    }
}

/// Prints a warning; the answer is unaffected.
fn warn(failure: Failure) {
    let line = failure::one_line(&failure.into());
    world::print_error(&format!("git-credential-sentry: {line}\n"));
}

fn request<'a>(description: &'a Description, target: &'a Target) -> Request<'a> {
    Request {
        client: Client::Git,
        server: &target.server,
        host: &target.server,
        origin: target.origin.as_ref(),
        path: description.path.as_deref(),
        username: description.username.as_deref(),
        authtype: description.capabilities.authtype,
    }
}

fn store(description: &Description, target: &Target, broker: &Broker<'_>) -> anyhow::Result<()> {
    // `credential` is meaningful only together with `authtype`; it never replaces a password.
    let (authtype, secret) = match description {
        Description {
            authtype: Some(authtype),
            credential: Some(credential),
            ..
        } => (Some(authtype.clone()), credential),
        Description {
            username: Some(_),
            password: Some(password),
            ..
        } => (None, password),
        _ => return Ok(()),
    };
    let server = &target.server;
    if description.ephemeral && !is_bearer(description) {
        return broker.note_only_bearer(server, false);
    }
    let request = request(description, target);
    for secret in [Some(secret), basic_password(description).as_ref()]
        .into_iter()
        .flatten()
    {
        let verdict = broker.judge(&request, secret, |facts, from| {
            decide_git_store(facts, &request, secret, from)
        })?;
        if matches!(verdict, StoreVerdict::Ignore) {
            return broker.note_only_bearer(server, is_bearer(description));
        }
    }
    if description.ephemeral {
        return Ok(());
    }
    let credential = store::Credential {
        server: server.clone(),
        path: description.path.clone(),
        username: description.username.clone(),
        secret: secret.clone(),
        authtype,
        expiry: description.password_expiry,
        refresh_token: description.oauth_refresh_token.clone(),
    };
    broker.change(|change| change.put_credential(&credential))
}

fn erase(description: &Description, target: &Target, broker: &Broker<'_>) -> anyhow::Result<()> {
    let server = &target.server;
    let secret = description
        .credential
        .as_ref()
        .or(description.password.as_ref());
    let unwanted = Match {
        server,
        path: description.path.as_deref(),
        username: description.username.as_deref(),
        secret,
    };
    for secret in [secret, basic_password(description).as_ref()]
        .into_iter()
        .flatten()
    {
        broker.refused(server, secret)?;
    }
    // Most erasures match nothing, and do not write.
    let long_ago = Timestamp::from_millis(i64::MIN);
    if broker
        .read(|view| view.credential(&unwanted, long_ago, |_| true))?
        .is_some()
    {
        broker.change(|change| change.erase_credentials(&unwanted))?;
    }
    Ok(())
}

/// Whether this is a token as it is returned for a server that offers only `Bearer`.
fn is_bearer(description: &Description) -> bool {
    let authtype = description.authtype.as_deref();
    authtype.is_some_and(|authtype| authtype.eq_ignore_ascii_case("Bearer"))
}

/// The password inside a `Basic` credential (RFC 7617): how tokens are returned to a git with `authtype`.
fn basic_password(description: &Description) -> Option<Secret> {
    let authtype = description.authtype.as_deref()?;
    let credential = description.credential.as_ref()?;
    if !authtype.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = Zeroizing::new(BASE64.decode(credential.expose()).ok()?);
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(Secret::new(password))
}

/// Reads up to the blank line that ends a request, or to the end of the input.
fn read(input: &mut impl Read) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut chunk = [0; CHUNK];
    while !bytes.ends_with(b"\n\n") && *bytes != b"\n" {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                append(&mut bytes, &chunk[..length]);
                chunk[..length].zeroize();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                anyhow::bail!("timed out waiting for the request")
            }
            Err(_) => anyhow::bail!("cannot read the request"),
        }
        if bytes.len() > MAX_INPUT {
            return Err(Malformed.into());
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
