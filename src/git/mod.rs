//! The git credential protocol: bytes to a request, an answer to bytes.
//!
//! Separate from [`crate::broker`], which knows which credential, and nothing of `key=value` lines. Parsing and rendering
//! are functions of bytes.
//!
//! Rules: an answer is built whole, checked byte by byte and written once, because git uses whatever was printed before
//! a failure; it ends with a blank line; a refresh token of a session is never printed; an operation that is not known
//! is ignored; no byte of the input is repeated in a message.
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
use crate::session;
use crate::store::{self, Client, Match};
use crate::world::{self, CHUNK, Stdin, Timestamp, World};

pub(crate) use description::{Description, Malformed};

use description::MAX_INPUT;
use render::render;

/// How long git may take to send its request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs `git-credential-sentry`.
pub fn git_main() -> ExitCode {
    world::harden();
    let world = World::real();
    if let Some(code) = session::work_if_asked(&world) {
        return code;
    }
    let operation = world::arguments().next().unwrap_or_default();
    match answer(
        operation.to_str().unwrap_or(""),
        &mut Stdin::with_timeout(TIMEOUT),
        &world,
    ) {
        Ok(answer) => match world::print(&answer) {
            Ok(()) => ExitCode::SUCCESS,
            // Nobody reads; there is nobody to tell.
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
/// The request is malformed, or the host is ours and there is no credential now.
pub(crate) fn serve(
    operation: &str,
    input: &[u8],
    broker: &Broker<'_>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let Some(description) = Description::parse(input)? else {
        return Ok(Zeroizing::default());
    };
    let Some(asked) = Asked::of(&description) else {
        broker
            .world()
            .trace(|| "the protocol or the host cannot be a key".to_owned());
        return Ok(Zeroizing::default());
    };
    match operation {
        "get" => get(&description, &asked, broker),
        "store" => store(&description, &asked, broker).map(|()| Zeroizing::default()),
        _ => erase(&description, &asked, broker).map(|()| Zeroizing::default()),
    }
}

/// Whom a request is about.
struct Asked {
    /// The host, if a token could go there. The grammar guards tokens, and nothing else.
    origin: Option<Origin>,
    /// What stored credentials are found by.
    server: String,
}

impl Asked {
    /// `None` for what would be read as another one.
    fn of(description: &Description) -> Option<Asked> {
        let Description { protocol, host, .. } = description;
        if let Ok(origin) = Origin::from_parts(protocol, host) {
            return Some(Asked {
                server: Client::Git.server(&origin.to_string()),
                origin: Some(origin),
            });
        }
        // smtp, http to another machine, names that only a local resolver knows: byte by byte.
        let url = format!("{protocol}://{host}");
        let is_another = protocol.contains([':', '/']) || Origin::parse(&url).is_ok();
        (!is_another).then(|| Asked {
            origin: None,
            server: Client::Git.server(&url),
        })
    }
}

fn get(
    description: &Description,
    asked: &Asked,
    broker: &Broker<'_>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let request = request(description, asked);
    match broker.credential_for(&request) {
        Ok(credential) => render(description, credential, broker.world().now()),
        Err(NoCredential::NotOurs) => Ok(Zeroizing::default()),
        // git-lfs asks again after each refusal, for as long as it gets an answer.
        Err(NoCredential::Refused(why)) => {
            tell(why);
            Ok(Zeroizing::default())
        }
        Err(NoCredential::NoLogin { why, user, .. }) => match user {
            UserResponse::Absent => Err(why.into()),
            // The user said no: git must not go on and ask for a password.
            UserResponse::Declined => {
                tell(why);
                Ok(Zeroizing::new(b"quit=1\n\n".to_vec()))
            }
        },
        Err(NoCredential::Unavailable(error)) => Err(error),
    }
}

/// Says something beside an answer.
fn tell(failure: Failure) {
    let line = failure::one_line(&failure.into());
    world::print_error(&format!("git-credential-sentry: {line}\n"));
}

fn request<'a>(description: &'a Description, asked: &'a Asked) -> Request<'a> {
    Request {
        client: Client::Git,
        server: &asked.server,
        host: &asked.server,
        origin: asked.origin.as_ref(),
        path: description.path.as_deref(),
        username: description.username.as_deref(),
        authtype: description.capabilities.authtype,
    }
}

fn store(description: &Description, asked: &Asked, broker: &Broker<'_>) -> anyhow::Result<()> {
    // A `credential` means something beside its `authtype` only; it never stands in for a password.
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
    let server = &asked.server;
    if description.ephemeral && !is_bearer(description) {
        return broker.note_only_bearer(server, false);
    }
    let request = request(description, asked);
    for secret in [Some(secret), in_basic(description).as_ref()]
        .into_iter()
        .flatten()
    {
        let keep = broker.judge(&request, secret, |facts, from| {
            decide_git_store(facts, &request, secret, from)
        })?;
        if matches!(keep, StoreVerdict::Ignore) {
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

fn erase(description: &Description, asked: &Asked, broker: &Broker<'_>) -> anyhow::Result<()> {
    let server = &asked.server;
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
    for secret in [secret, in_basic(description).as_ref()]
        .into_iter()
        .flatten()
    {
        broker.refused(server, secret)?;
    }
    // Most erasures meet nothing; those do not write.
    let long_ago = Timestamp::from_millis(i64::MIN);
    if broker
        .read(|view| view.credential(&unwanted, long_ago, |_| true))?
        .is_some()
    {
        broker.change(|change| change.erase_credentials(&unwanted))?;
    }
    Ok(())
}

/// Whether it is a token as it is answered where a server offers `Bearer` alone.
fn is_bearer(description: &Description) -> bool {
    let authtype = description.authtype.as_deref();
    authtype.is_some_and(|authtype| authtype.eq_ignore_ascii_case("Bearer"))
}

/// The password in a credential of the scheme `Basic` (RFC 7617): how we answer where git knows `authtype`.
fn in_basic(description: &Description) -> Option<Secret> {
    let authtype = description.authtype.as_deref()?;
    let credential = description.credential.as_ref()?;
    if !authtype.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = Zeroizing::new(BASE64.decode(credential.expose()).ok()?);
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(Secret::new(password))
}

/// Reads to the blank line that ends a request, or to the end of the input.
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
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_blank_line() {
        let mut input = io::Cursor::new(b"a=b\n\n".to_vec()).chain(io::repeat(b'x'));
        assert_eq!(*read(&mut input).unwrap(), b"a=b\n\n");
        assert!(read(&mut io::repeat(b'x')).is_err());
    }
}
