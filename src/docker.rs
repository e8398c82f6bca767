//! The docker credential-helper protocol: bytes to a request, an answer to bytes.
//!
//! Apart from [`crate::broker`], which knows which credential, and nothing of JSON. podman, skopeo and buildah speak the
//! same protocol.
//!
//! Rules: errors go to standard output, exit 1, in one line; three texts are exact, because clients compare them;
//! standard error stays empty on success, because some clients merge the streams.
//!
//! <https://github.com/docker/docker-credential-helpers>, "Development".

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::broker::{Absence, Broker, Credential, Request, pick};
use crate::failure;
use crate::git::USERNAME;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::{self, Binding, Client, Match};
use crate::world::{self, Stdin, Timestamp, World};

/// The client takes this for "no credentials"; any other text is an error to it.
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";
const NO_USERNAME: &str = "no credentials username";

/// Longest input in bytes.
const MAX_INPUT: u64 = 1024 * 1024;

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
    let world = World::real();
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
fn serve(action: &str, input: &mut impl Read, world: &World) -> anyhow::Result<Zeroizing<String>> {
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
        Err(Absence::NotOurs) => anyhow::bail!(NOT_FOUND),
        Err(Absence::Declined(failure)) => return Err(failure.into()),
        Err(Absence::Unavailable(error)) => return Err(error),
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
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    match input.take(MAX_INPUT + 1).read_to_end(&mut text) {
        Ok(length) if length as u64 > MAX_INPUT => anyhow::bail!("the request is too long"),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            anyhow::bail!("no request came in time")
        }
        Err(_) => anyhow::bail!("the request could not be read"),
    }
    let text =
        std::str::from_utf8(&text).map_err(|_| anyhow::anyhow!("the request is not UTF-8"))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// What docker names a registry by: `host[:port]`, or a URL, perhaps with a path.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// As it came; answers and lists repeat it.
    pub given: String,
    /// Where that is; `None` for what can be no registry, and has nothing.
    pub place: Option<Place>,
}

/// A registry in one form.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// `docker <host>[/<path>]`: the scheme does not count, the path does.
    pub server: String,
    /// `docker <host>`.
    pub host: String,
    /// Where a session could go; `None` for plain http to another machine.
    pub origin: Option<Origin>,
}

impl ServerUrl {
    /// Reads one line.
    ///
    /// # Errors
    /// There is nothing, or more than a line.
    pub fn parse(text: &str) -> anyhow::Result<ServerUrl> {
        if text.is_empty() {
            anyhow::bail!(NO_SERVER);
        }
        if text.contains(|character: char| character.is_control()) {
            anyhow::bail!("the server URL has more than one line");
        }
        Ok(ServerUrl {
            given: text.to_owned(),
            place: Place::of(text),
        })
    }
}

impl Place {
    fn of(text: &str) -> Option<Place> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("https".to_owned(), text.strip_prefix("//").unwrap_or(text)),
        };
        let default_port = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // Wider than an origin by `_`, which names in private networks have: such a host can have what was stored for
        // it, but no session.
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let path_is_plain = path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\\?#%@".contains(&byte));
        if authority.is_empty() || !authority.bytes().all(known) || !path_is_plain {
            return None;
        }
        let authority = authority.to_ascii_lowercase();
        let host =
            Client::Docker.server(authority.strip_suffix(default_port).unwrap_or(&authority));
        let server = match path.trim_end_matches('/') {
            "" => host.clone(),
            path => format!("{host}/{path}"),
        };
        Some(Place {
            server,
            host,
            origin: Origin::from_parts(&scheme, &authority).ok(),
        })
    }
}

/// What `store` brings.
#[derive(Debug)]
pub struct Login {
    url: ServerUrl,
    username: String,
    secret: Secret,
}

impl Login {
    /// Reads `{"ServerURL":…,"Username":…,"Secret":…}`. Go reads the keys in any case, and escapes `<` and `>`.
    ///
    /// # Errors
    /// What the client is told.
    pub fn parse(text: &str) -> anyhow::Result<Login> {
        let malformed = || {
            anyhow::anyhow!("the request is not a JSON object with ServerURL, Username and Secret")
        };
        let value: Value =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| malformed())?;
        let object = value.as_object().ok_or_else(malformed)?;
        let field = |name: &str| match object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
        {
            Some((_, Value::String(text))) => Ok(text.as_str()),
            Some((_, Value::Null)) | None => Ok(""),
            Some(_) => Err(malformed()),
        };
        let (url, username, secret) = (
            field("ServerURL")?.trim(),
            field("Username")?,
            field("Secret")?,
        );
        let url = ServerUrl::parse(url)?;
        if username.is_empty() {
            anyhow::bail!(NO_USERNAME);
        }
        if [username, secret]
            .iter()
            .any(|text| text.contains(|character: char| character.is_control()))
        {
            anyhow::bail!("the user name or the secret has a control character");
        }
        Ok(Login {
            url,
            username: username.to_owned(),
            secret: Secret::new(secret),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn server(text: &str) -> Option<String> {
        ServerUrl::parse(text)
            .unwrap()
            .place
            .map(|place| place.server)
    }

    #[test]
    fn one_registry_has_many_names() {
        for text in [
            "r.example",
            "https://r.example",
            "http://r.example",
            "https://r.example/",
            "//r.example",
            "R.Example:443",
            "http://r.example:80",
        ] {
            assert_eq!(server(text).as_deref(), Some("docker r.example"), "{text}");
        }
        assert_eq!(
            server("https://index.docker.io/v1/").as_deref(),
            Some("docker index.docker.io/v1")
        );
        assert_eq!(
            server("r.example:5000").as_deref(),
            Some("docker r.example:5000")
        );
        assert_eq!(
            server("r.example:80").as_deref(),
            Some("docker r.example:80")
        );
        assert_eq!(
            server("my_registry:5000").as_deref(),
            Some("docker my_registry:5000")
        );
    }

    #[test]
    fn what_can_be_no_registry_is_nowhere() {
        for text in [
            "ftp://r.example",
            "javascript:alert(1)",
            "https://u:p@r.example",
            "r.example#x",
            "r.example?x",
            "r.example\\x",
            "ｒ.example",
            "https://",
            "a b",
        ] {
            assert_eq!(server(text), None, "{text}");
        }
    }

    #[test]
    fn plain_http_carries_a_session_only_to_this_machine() {
        let origin = |text: &str| {
            ServerUrl::parse(text)
                .unwrap()
                .place
                .unwrap()
                .origin
                .map(|origin| origin.to_string())
        };
        assert_eq!(origin("r.example").as_deref(), Some("https://r.example"));
        assert_eq!(origin("http://r.example"), None);
        assert_eq!(
            origin("http://127.0.0.1:5000").as_deref(),
            Some("http://127.0.0.1:5000")
        );
        assert_eq!(origin("my_registry"), None);
    }

    #[test]
    fn a_login_is_read_as_go_reads_it() {
        let login = Login::parse(
            r#"{"ServerURL":"r.example","Username":"\u003ctoken\u003e","Secret":"s","X":[1]}"#,
        )
        .unwrap();
        assert_eq!(
            (login.username.as_str(), login.secret.expose()),
            ("<token>", "s")
        );
        assert!(Login::parse(r#"{"serverurl":"r.example","USERNAME":"u","secret":"s"}"#).is_ok());
    }

    #[test]
    fn a_login_that_lacks_something_is_told_in_the_exact_words() {
        let error = |text: &str| Login::parse(text).unwrap_err().to_string();
        assert_eq!(error(r#"{"Username":"u","Secret":"s"}"#), NO_SERVER);
        assert_eq!(
            error(r#"{"ServerURL":"r","Username":"","Secret":"s"}"#),
            NO_USERNAME
        );
        for text in [
            "",
            "null",
            "[]",
            r#"{"ServerURL":1}"#,
            r#"{"ServerURL":"r","Username":"u","Secret":[]}"#,
            r#"{"a":"\ud800"}"#,
            &"[".repeat(100_000),
        ] {
            assert!(error(text).contains("not a JSON object"), "{text:.40}");
        }
        assert!(
            error(r#"{"ServerURL":"r","Username":"u","Secret":"a\nb"}"#)
                .contains("control character")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_a_panic(text in "\\PC{0,200}") {
            let _ = (ServerUrl::parse(&text).is_ok(), Login::parse(&text).is_ok());
        }
    }
}
