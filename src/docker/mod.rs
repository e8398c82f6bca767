//! The docker credential-helper protocol: bytes to a request, an answer to bytes.
//!
//! Apart from [`crate::broker`], which knows which credential, and nothing of JSON. podman, skopeo and buildah speak the
//! same protocol.
//!
//! Rules: errors go to standard output, exit 1, in one line; three texts are exact, because clients compare them;
//! standard error stays empty on success, because some clients merge the streams.
//!
//! <https://github.com/docker/docker-credential-helpers>, "Development".

mod login;
mod server_url;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::broker::{Broker, Credential, NoCredential, Request, USERNAME, pick};
use crate::failure;
use crate::secret::append;
use crate::session;
use crate::store::{self, Binding, Client, Match};
use crate::world::{self, CHUNK, Stdin, Timestamp, World};

pub use login::Login;
pub use server_url::{Place, ServerUrl};

/// The client takes this for "no credentials"; any other text is an error to it.
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";
const NO_USERNAME: &str = "no credentials username";

/// Longest input in bytes.
const MAX_INPUT: usize = 1024 * 1024;

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);

const VERSION: &str = concat!(
    "docker-credential-sentry (sentry-credential) v",
    env!("CARGO_PKG_VERSION"),
    "\n"
);
const USAGE: &str = "usage: docker-credential-sentry <get|store|erase|list|version>\n";

/// Runs `docker-credential-sentry`.
pub fn main() -> ExitCode {
    world::harden();
    let world = World::real().quietly();
    if let Some(code) = session::work_if_asked(&world) {
        return code;
    }
    let arguments: Vec<_> = world::arguments().collect();
    let (answer, code) = match arguments.as_slice() {
        [action] => match serve(
            action.to_str().unwrap_or(""),
            &mut Stdin::with_patience(PATIENCE),
            &world,
        ) {
            Ok(answer) => (answer, ExitCode::SUCCESS),
            Err(error) => (
                Zeroizing::new(format!("{}\n", failure::one_line(&error))),
                ExitCode::FAILURE,
            ),
        },
        _ => (Zeroizing::new(USAGE.to_owned()), ExitCode::FAILURE),
    };
    match world::print(answer.as_bytes()) {
        Ok(()) => code,
        // Nobody reads; there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Answers one action.
///
/// # Errors
/// What the client is told on standard output.
pub(crate) fn serve(
    action: &str,
    input: &mut impl Read,
    world: &World,
) -> anyhow::Result<Zeroizing<String>> {
    let nothing = |()| Zeroizing::default();
    match action {
        "get" => get(&ServerUrl::parse(&read(input)?)?, &Broker::new(world)?),
        "store" => store(&Login::parse(&read(input)?)?, &Broker::new(world)?).map(nothing),
        "erase" => erase(&ServerUrl::parse(&read(input)?)?, &Broker::new(world)?).map(nothing),
        "list" => list(&Broker::new(world)?).map(Zeroizing::new),
        "version" | "--version" | "-v" => Ok(Zeroizing::new(VERSION.to_owned())),
        "help" | "--help" | "-h" => Ok(Zeroizing::new(USAGE.to_owned())),
        _ => anyhow::bail!("unknown action; {}", USAGE.trim_end()),
    }
}

fn get(url: &ServerUrl, broker: &Broker<'_>) -> anyhow::Result<Zeroizing<String>> {
    let Some(place) = &url.place else {
        anyhow::bail!(NOT_FOUND)
    };
    let request = Request {
        client: Client::Docker,
        server: &place.server,
        host: &place.host,
        origin: place.origin.as_ref(),
        path: None,
        username: None,
        authtype: false,
    };
    let (username, secret) = match broker.credential_for(&request) {
        Ok(Credential::Stored(stored)) => (stored.username, stored.secret),
        Ok(Credential::Token {
            token, username, ..
        }) if token.is_token() => (username, token),
        Ok(Credential::Token { .. }) => anyhow::bail!("the stored token is not one"),
        Err(NoCredential::NotOurs) => anyhow::bail!(NOT_FOUND),
        Err(NoCredential::Declined(failure)) => return Err(failure.into()),
        Err(NoCredential::Unavailable(error)) => return Err(error),
    };
    let username = username.unwrap_or_else(|| USERNAME.to_owned());
    let answer = json!({"ServerURL": url.given, "Username": username, "Secret": secret.expose()});
    Ok(Zeroizing::new(format!("{answer}\n")))
}

fn store(login: &Login, broker: &Broker<'_>) -> anyhow::Result<()> {
    let Some(place) = &login.url.place else {
        anyhow::bail!("the server URL is not one of a registry")
    };
    let ours = broker.is_ours(&login.secret)?;
    let signed_out = broker
        .read(|view| view.binding(&place.host))?
        .filter(|binding| binding.signed_out);
    if ours && signed_out.is_none() {
        return Ok(());
    }
    broker.change(|change| {
        if let Some(binding) = signed_out {
            change.bind(&Binding {
                signed_out: false,
                ..binding
            })?;
        }
        if ours {
            return Ok(());
        }
        // One login for a server, as in docker's own file.
        change.erase_credentials(&Match {
            server: &place.server,
            ..Match::default()
        })?;
        change.put_credential(&store::Credential {
            server: place.server.clone(),
            path: Some(login.url.given.clone()),
            username: Some(login.username.clone()),
            secret: login.secret.clone(),
            authtype: None,
            expiry: None,
            refresh_token: None,
        })
    })
}

fn erase(url: &ServerUrl, broker: &Broker<'_>) -> anyhow::Result<()> {
    let Some(place) = &url.place else {
        return Ok(());
    };
    let stored = Match {
        server: &place.server,
        ..Match::default()
    };
    let (is_stored, bound) = broker.read(|view| {
        let long_ago = Timestamp::from_millis(i64::MIN);
        let binding = view
            .binding(&place.host)?
            .filter(|binding| !binding.signed_out);
        Ok((
            view.credential(&stored, long_ago, |_| true)?.is_some(),
            binding,
        ))
    })?;
    if !is_stored && bound.is_none() {
        return Ok(());
    }
    broker.change(|change| {
        change.erase_credentials(&stored)?;
        match bound {
            // The Sentry session stays; only this registry is signed out.
            Some(binding) => change.bind(&Binding {
                signed_out: true,
                ..binding
            }),
            None => Ok(()),
        }
    })
}

fn list(broker: &Broker<'_>) -> anyhow::Result<String> {
    let servers = broker.read(|view| {
        let mut servers = Map::new();
        let sessions = view.sessions()?;
        for binding in view
            .bindings(Client::Docker)?
            .into_iter()
            .filter(|binding| !binding.signed_out)
        {
            let alive = pick(&sessions, &binding.origin, None)
                .is_some_and(|session| session.tokens.is_some());
            if let Some(host) = binding.server.strip_prefix("docker ").filter(|_| alive) {
                let username = binding.username.unwrap_or_else(|| USERNAME.to_owned());
                servers.insert(host.to_owned(), Value::String(username));
            }
        }
        for credential in view.docker_credentials()? {
            let given = credential.path.unwrap_or(credential.server);
            servers.insert(
                given,
                Value::String(credential.username.unwrap_or_default()),
            );
        }
        Ok(servers)
    })?;
    Ok(format!("{}\n", Value::Object(servers)))
}

fn read(input: &mut impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::default();
    let mut chunk = Zeroizing::new([0; CHUNK]);
    loop {
        match input.read(&mut *chunk) {
            Ok(0) => break,
            Ok(length) => append(&mut text, &chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                anyhow::bail!("no request came in time")
            }
            Err(_) => anyhow::bail!("the request could not be read"),
        }
        if text.len() > MAX_INPUT {
            anyhow::bail!("the request is too long");
        }
    }
    let text =
        std::str::from_utf8(&text).map_err(|_| anyhow::anyhow!("the request is not UTF-8"))?;
    Ok(Zeroizing::new(text.trim_ascii().to_owned()))
}
