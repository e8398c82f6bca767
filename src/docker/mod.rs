//! The docker credential-helper protocol: parses requests, renders answers.
//!
//! Separate from [`crate::broker`], which selects the credential and knows nothing of JSON. podman, skopeo and buildah
//! speak the same protocol.
//!
//! Rules:
//! - Errors go to standard output, on one line, with exit code 1.
//! - Three messages are exact, because clients compare them.
//! - Standard error stays empty on success, because some clients merge the streams; only after a `store` or an `erase` may
//!   it say that a removed secret is still in the WAL.
//!
//! <https://github.com/docker/docker-credential-helpers>, "Development".

#[cfg(test)]
mod list_and_get_tests;
mod server_url;
mod store_request;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use crate::broker::{Broker, Credential, NoCredential, PriorSession};
use crate::environment::{self, Environment};
use crate::failure;
use crate::origin::Origin;
use crate::policy::{
    self, Facts, Request, StoreVerdict, USERNAME, decide_docker_store, signed_out_binding,
};
use crate::secret::append;
use crate::session;
use crate::store::{self, Client, Match};
use crate::world::{self, CHUNK, Program, Stdin, World};

pub(crate) use server_url::{RegistryKey, ServerUrl};
pub(crate) use store_request::StoreRequest;

/// Clients treat this message as "no credentials", and any other as an error.
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";
const NO_USERNAME: &str = "no credentials username";

/// Longest input in bytes.
const MAX_INPUT: usize = 1024 * 1024;

/// How long a client may take to send its request.
const TIMEOUT: Duration = Duration::from_secs(10);

const VERSION: &str = concat!(
    "docker-credential-sentry (sentry-credential) v",
    env!("CARGO_PKG_VERSION"),
    "\n"
);
const USAGE: &str = "usage: docker-credential-sentry <get|store|erase|list|version>\n";

/// The answer to `get`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

/// Runs `docker-credential-sentry`.
pub fn docker_main() -> ExitCode {
    world::harden();
    Program::DockerHelper.begin();
    let world = World::real().quietly();
    if let Some(code) = session::run_if_worker(&world) {
        return code;
    }
    let arguments: Vec<_> = world::arguments().collect();
    let (answer, code) = match arguments.as_slice() {
        [action] => match serve(
            action.to_str().unwrap_or(""),
            &mut Stdin::with_timeout(TIMEOUT),
            &world,
        ) {
            Ok(answer) => (answer, ExitCode::SUCCESS),
            Err(error) => (
                Zeroizing::new(format!("{}\n", world::as_typed(&failure::one_line(&error)))),
                ExitCode::FAILURE,
            ),
        },
        _ => (Zeroizing::new(USAGE.to_owned()), ExitCode::FAILURE),
    };
    match world::print(answer.as_bytes()) {
        Ok(()) => code,
        // The reader has closed the pipe.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Answers one action.
///
/// # Errors
/// The message for standard output.
pub(crate) fn serve(
    action: &str,
    input: &mut impl Read,
    world: &World,
) -> anyhow::Result<Zeroizing<String>> {
    let nothing = |()| Zeroizing::default();
    match action {
        "get" => get(&ServerUrl::parse(&read(input)?)?, &Broker::new(world)),
        "store" => store(&StoreRequest::parse(&read(input)?)?, &Broker::new(world)).map(nothing),
        "erase" => erase(&ServerUrl::parse(&read(input)?)?, &Broker::new(world)).map(nothing),
        "list" => list(&Broker::new(world)).map(Zeroizing::new),
        "version" | "--version" | "-v" => Ok(Zeroizing::new(VERSION.to_owned())),
        "help" | "--help" | "-h" => Ok(Zeroizing::new(USAGE.to_owned())),
        _ => anyhow::bail!("unknown action; {}", USAGE.trim_end()),
    }
}

fn get(url: &ServerUrl, broker: &Broker<'_>) -> anyhow::Result<Zeroizing<String>> {
    let Some(registry) = &url.registry else {
        anyhow::bail!(NOT_FOUND)
    };
    let request = request(registry, registry.origin.as_ref());
    let (username, secret) = match broker.credential_for(&request) {
        Ok(Credential::Stored(stored)) => (stored.username, stored.secret),
        Ok(Credential::Token {
            token, username, ..
        }) if token.is_token() => (username, token),
        Ok(Credential::Token { .. }) => anyhow::bail!("the stored token is not a valid token"),
        Err(NoCredential::NotOurs) => anyhow::bail!(NOT_FOUND),
        // Builds call `get` for every configured registry, and continue without those that are not logged in.
        Err(NoCredential::NoLogin {
            session: PriorSession::None,
            ..
        }) => anyhow::bail!(NOT_FOUND),
        Err(NoCredential::NoLogin { why, .. }) => return Err(why.into()),
        Err(NoCredential::Unavailable(error)) => return Err(error),
        Err(NoCredential::Refused(why)) => return Err(why.into()),
    };
    let username = username.unwrap_or_else(|| USERNAME.to_owned());
    let answer = Answer {
        server_url: &url.given,
        username: &username,
        secret: secret.expose(),
    };
    let mut text = Zeroizing::new(serde_json::to_string(&answer)?);
    text.push('\n');
    Ok(text)
}

fn request<'a>(registry: &'a RegistryKey, origin: Option<&'a Origin>) -> Request<'a> {
    Request {
        client: Client::Docker,
        server: &registry.server,
        host: &registry.host,
        origin,
        path: None,
        username: None,
        authtype: false,
    }
}

fn store(login: &StoreRequest, broker: &Broker<'_>) -> anyhow::Result<()> {
    let Some(registry) = &login.url.registry else {
        anyhow::bail!("the server URL is not that of a registry")
    };
    let origin = registry.any_origin();
    let request = request(registry, origin.as_ref());
    let verdict = broker.judge(&request, &login.secret, |facts, from| {
        decide_docker_store(facts, &request, &login.username, &login.secret, from)
    })?;
    let binding = match verdict {
        StoreVerdict::Ignore => return Ok(()),
        StoreVerdict::Refuse(failure) => return Err(failure.into()),
        StoreVerdict::SignIn(binding) => {
            return broker.change(|change| {
                change.forget_credentials(&registry.host)?;
                change.bind(&binding)
            });
        }
        StoreVerdict::Replace(binding) => Some(binding),
        StoreVerdict::Store => None,
    };
    broker.change(|change| {
        // One login per server, as in docker's own file.
        change.erase_credentials(&Match {
            server: &registry.server,
            ..Match::default()
        })?;
        change.put_credential(&store::Credential {
            server: registry.server.clone(),
            path: Some(login.url.given.clone()),
            username: Some(login.username.clone()),
            secret: login.secret.clone(),
            authtype: None,
            expiry: None,
            refresh_token: None,
        })?;
        binding.map_or(Ok(()), |binding| change.bind(&binding))
    })
}

fn erase(url: &ServerUrl, broker: &Broker<'_>) -> anyhow::Result<()> {
    let Some(registry) = &url.registry else {
        return Ok(());
    };
    let origin = registry.any_origin();
    let request = request(registry, origin.as_ref());
    let environment = Environment::of(broker.world());
    let gathered = broker.read(|view| {
        let facts = Facts::for_request(broker.world(), &environment, view, &request)?;
        Ok(Some(facts))
    })?;
    let facts = gathered
        .unwrap_or_else(|| Facts::without_store(broker.world(), &environment, Some(&request)));
    let binding = signed_out_binding(&facts, &request);
    if facts.credentials.is_empty() && binding.is_none() {
        return Ok(());
    }
    broker.change(|change| {
        change.erase_credentials(&request.pattern())?;
        // The Sentry session stays; only this registry is signed out.
        binding.map_or(Ok(()), |binding| change.bind(&binding))
    })
}

/// Lists the registries that a `get` would answer now, without a user at the terminal.
fn list(broker: &Broker<'_>) -> anyhow::Result<String> {
    let world = broker.world();
    let environment = Environment::of(world);
    let gathered = broker
        .read(|view| Facts::for_all(world, &environment, view, &[Client::Docker]).map(Some))?;
    let facts = gathered.unwrap_or_else(|| Facts::without_store(world, &environment, None));
    let mut servers = Map::new();
    for url in registries(&facts) {
        let Some(registry) = ServerUrl::parse(url).ok().and_then(|url| url.registry) else {
            continue;
        };
        let request = request(&registry, registry.origin.as_ref());
        let decision = policy::decide(&facts, &request, world.now());
        let can_refresh = |origin: &Origin| environment::client_id(world, origin).is_some();
        if decision.has_answer(world.now(), can_refresh) {
            let username = decision.answered_username().to_owned();
            servers.insert(url.to_owned(), Value::String(username));
        }
    }
    Ok(format!("{}\n", Value::Object(servers)))
}

/// The registries with a stored credential, as given, and those with a binding only.
fn registries<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = &'a str> {
    let prefix = Client::Docker.server("");
    let stored = facts.credentials.iter();
    let stored = stored.map(|stored| stored.path.as_deref().unwrap_or(&stored.server));
    let is_stored = |server: &str| {
        facts
            .credentials
            .iter()
            .any(|stored| stored.server == server)
    };
    let bound = facts.bindings.iter().chain(&facts.administrators);
    let bound = bound.filter(move |binding| !is_stored(&binding.server));
    stored.chain(bound.filter_map(move |binding| binding.server.strip_prefix(&prefix)))
}

fn read(input: &mut impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::default();
    let mut chunk = [0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                append(&mut text, &chunk[..length]);
                chunk[..length].zeroize();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                anyhow::bail!("timed out waiting for the request")
            }
            Err(_) => anyhow::bail!("cannot read the request"),
        }
        if text.len() > MAX_INPUT {
            anyhow::bail!("the request is too long");
        }
    }
    let text =
        std::str::from_utf8(&text).map_err(|_| anyhow::anyhow!("the request is not UTF-8"))?;
    // Shells of Windows begin a text with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(Zeroizing::new(text.trim_ascii().to_owned()))
}
