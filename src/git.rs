//! The git credential protocol: bytes to a request, an answer to bytes.
//!
//! Apart from [`crate::broker`], which knows which credential, and nothing of `key=value` lines. Parsing and rendering
//! are functions of bytes.
//!
//! Rules: an answer is built whole, checked byte by byte and written once, because git uses whatever was printed before
//! a failure; it ends with a blank line; a refresh token of a session is never printed; an operation that is not known
//! is ignored; no byte of the input is repeated in a message.
//!
//! git-credential(1) "Input/Output Format", gitcredentials(7) "Custom Helpers".

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::broker::{Absence, Broker, Credential, Request};
use crate::failure;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::{self, Client, Match};
use crate::world::{self, Stdin, Timestamp, World};

/// Longest line in bytes, its end included.
const MAX_LINE: usize = 65535;

/// Longest input in bytes.
const MAX_INPUT: usize = 1024 * 1024;

/// How long git may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// User name beside an access token, where nobody wants another.
pub const USERNAME: &str = "oauth2";

/// Runs `git-credential-sentry`.
pub fn main() -> ExitCode {
    world::harden();
    let world = World::real();
    let operation = world::arguments().next().unwrap_or_default();
    match answer(
        operation.to_str().unwrap_or(""),
        &mut Stdin::with_patience(PATIENCE),
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
    let broker = Broker::new(world)?;
    serve(operation, &read(input)?, &broker)
}

/// Answers one operation.
///
/// # Errors
/// The request is malformed, or the host is ours and there is no credential now.
pub fn serve(
    operation: &str,
    input: &[u8],
    broker: &Broker<'_>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let Some(description) = Description::parse(input)? else {
        return Ok(Zeroizing::default());
    };
    let Ok(origin) = Origin::from_parts(&description.protocol, &description.host) else {
        broker
            .world()
            .trace(|| "the host is outside the grammar of an origin".to_owned());
        return Ok(Zeroizing::default());
    };
    match operation {
        "get" => get(&description, &origin, broker),
        "store" => store(&description, &origin, broker).map(|()| Zeroizing::default()),
        _ => erase(&description, &origin, broker).map(|()| Zeroizing::default()),
    }
}

fn get(
    description: &Description,
    origin: &Origin,
    broker: &Broker<'_>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let server = Client::Git.server(&origin.to_string());
    let request = Request {
        client: Client::Git,
        server: &server,
        host: &server,
        origin: Some(origin),
        path: description.path.as_deref(),
        username: description.username.as_deref(),
        authtype: description.capabilities.authtype,
    };
    match broker.credential_for(&request) {
        Ok(credential) => render(description, credential),
        Err(Absence::NotOurs) => Ok(Zeroizing::default()),
        // The person said no: git must not go on and ask them for a password.
        Err(Absence::Declined(failure)) => {
            world::print_error(&format!(
                "git-credential-sentry: {}\n",
                failure::one_line(&failure.into())
            ));
            Ok(Zeroizing::new(b"quit=1\n\n".to_vec()))
        }
        Err(Absence::Unavailable(error)) => Err(error),
    }
}

fn store(description: &Description, origin: &Origin, broker: &Broker<'_>) -> anyhow::Result<()> {
    let authtype = description
        .authtype
        .clone()
        .filter(|_| description.credential.is_some());
    let secret = description
        .credential
        .as_ref()
        .or(description.password.as_ref());
    let (Some(secret), false) = (secret, description.ephemeral) else {
        return Ok(());
    };
    if authtype.is_none() && (description.username.is_none() || description.password.is_none()) {
        return Ok(());
    }
    // What we handed out comes back after each success; it has its one home already.
    if broker.is_ours(secret)? {
        return Ok(());
    }
    let credential = store::Credential {
        server: Client::Git.server(&origin.to_string()),
        path: description.path.clone(),
        username: description.username.clone(),
        secret: secret.clone(),
        authtype,
        expiry: description.password_expiry,
        refresh_token: description.oauth_refresh_token.clone(),
    };
    broker.change(|change| change.put_credential(&credential))
}

fn erase(description: &Description, origin: &Origin, broker: &Broker<'_>) -> anyhow::Result<()> {
    let server = Client::Git.server(&origin.to_string());
    let secret = description
        .credential
        .as_ref()
        .or(description.password.as_ref());
    let unwanted = Match {
        server: &server,
        path: description.path.as_deref(),
        username: description.username.as_deref(),
        secret,
    };
    if let Some(secret) = secret {
        broker.suspect(secret)?;
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

fn render(description: &Description, credential: Credential) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut answer = Answer::default();
    match credential {
        Credential::Stored(stored) => {
            if let Some(authtype) = &stored.authtype {
                answer.line("capability[]", "authtype")?;
                answer.line("authtype", authtype)?;
                answer.line("credential", stored.secret.expose())?;
            }
            if let Some(username) = &stored.username {
                answer.line("username", username)?;
            }
            if stored.authtype.is_none() {
                answer.line("password", stored.secret.expose())?;
            }
            answer.expiry(stored.expiry)?;
            if let Some(refresh_token) = &stored.refresh_token {
                answer.line("oauth_refresh_token", refresh_token.expose())?;
            }
        }
        Credential::Token {
            token,
            expires_at,
            username,
        } => {
            let capabilities = &description.capabilities;
            if capabilities.authtype {
                answer.line("capability[]", "authtype")?;
            }
            if capabilities.state {
                answer.line("capability[]", "state")?;
            }
            if !token.is_token() {
                anyhow::bail!("the stored token is not one");
            }
            if capabilities.authtype && description.wants_bearer {
                answer.line("authtype", "Bearer")?;
                answer.line("credential", token.expose())?;
            } else {
                let username = description
                    .username
                    .as_deref()
                    .or(username.as_deref())
                    .unwrap_or(USERNAME);
                answer.line("username", username)?;
                answer.line("password", token.expose())?;
            }
            answer.expiry(expires_at)?;
            if capabilities.authtype {
                // Other helpers of the chain must not hoard it.
                answer.line("ephemeral", "1")?;
            }
            if capabilities.state {
                answer.line("state[]", "sentry:session")?;
            }
        }
    }
    Ok(answer.end())
}

/// Lines of an answer, wiped on drop.
#[derive(Default)]
struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    fn line(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        // A line break in a value would let it speak for another host.
        if value.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
            anyhow::bail!("the stored {key} has a byte that would break the protocol");
        }
        for part in [key, "=", value, "\n"] {
            self.0.extend_from_slice(part.as_bytes());
        }
        Ok(())
    }

    fn expiry(&mut self, expiry: Option<Timestamp>) -> anyhow::Result<()> {
        expiry.map_or(Ok(()), |expiry| {
            self.line("password_expiry_utc", &expiry.seconds().to_string())
        })
    }

    fn end(mut self) -> Zeroizing<Vec<u8>> {
        self.0.push(b'\n');
        self.0
    }
}

/// Reads to the blank line that ends a request, or to the end of the input.
fn read(input: &mut impl Read) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let mut chunk = Zeroizing::new([0; 4096]);
    while !bytes.ends_with(b"\n\n") && *bytes != b"\n" {
        match input.read(&mut *chunk) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                anyhow::bail!("no request came in time")
            }
            Err(_) => anyhow::bail!("the request could not be read"),
        }
        if bytes.len() > MAX_INPUT {
            return Err(Malformed.into());
        }
    }
    Ok(bytes)
}

/// The request breaks the protocol. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request is malformed")
    }
}

impl std::error::Error for Malformed {}

/// What git described.
#[derive(Debug, Default)]
pub struct Description {
    protocol: String,
    host: String,
    path: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    password_expiry: Option<Timestamp>,
    oauth_refresh_token: Option<Secret>,
    authtype: Option<String>,
    credential: Option<Secret>,
    ephemeral: bool,
    capabilities: Capabilities,
    wants_bearer: bool,
}

#[derive(Debug, Default)]
struct Capabilities {
    authtype: bool,
    state: bool,
}

impl Description {
    /// Reads `key=value` lines up to a blank one; `None` for a request that is well-formed but cannot be meant for us:
    /// host or protocol missing, empty or contradictory, or a value that is not UTF-8.
    ///
    /// # Errors
    /// [`Malformed`]: a NUL or carriage return anywhere, a line without `=` or of over 65535 bytes, over 1 MiB in all.
    pub fn parse(input: &[u8]) -> Result<Option<Description>, Malformed> {
        if input.len() > MAX_INPUT || input.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(Malformed);
        }
        let mut description = Description::default();
        let (mut protocol, mut host) = (Once::default(), Once::default());
        let mut foreign = false;
        for line in input
            .split(|byte| *byte == b'\n')
            .take_while(|line| !line.is_empty())
        {
            let equals = line
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or(Malformed)?;
            if line.len() >= MAX_LINE {
                return Err(Malformed);
            }
            let (key, value) = (&line[..equals], &line[equals + 1..]);
            let Ok(value) = std::str::from_utf8(value) else {
                // Other keys may hold any bytes, and are none of our business.
                foreign |= matches!(
                    key,
                    b"protocol" | b"host" | b"path" | b"username" | b"password" | b"url"
                );
                continue;
            };
            match key {
                b"protocol" => protocol.set(value),
                b"host" => host.set(value),
                b"url" => match Url::parse(value) {
                    Some(url) => {
                        protocol.set(url.protocol);
                        host.set(url.host);
                        description.path = url.path.or(description.path);
                        description.username = url.username.or(description.username);
                        description.password = url.password.or(description.password);
                    }
                    None => foreign = true,
                },
                b"path" => {
                    description.path = Some(value.to_owned()).filter(|path| !path.is_empty())
                }
                b"username" => description.username = Some(value.to_owned()),
                b"password" => description.password = Some(Secret::new(value)),
                b"password_expiry_utc" => {
                    let seconds = value.parse::<i64>().ok();
                    description.password_expiry =
                        seconds.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
                }
                b"oauth_refresh_token" => {
                    description.oauth_refresh_token = Some(Secret::new(value))
                }
                b"authtype" => description.authtype = Some(value.to_owned()),
                b"credential" => description.credential = Some(Secret::new(value)),
                b"ephemeral" => description.ephemeral = !matches!(value, "" | "0" | "false"),
                b"capability[]" => match value {
                    "" => description.capabilities = Capabilities::default(),
                    "authtype" => description.capabilities.authtype = true,
                    "state" => description.capabilities.state = true,
                    _ => {}
                },
                b"wwwauth[]" => match value {
                    "" => description.wants_bearer = false,
                    challenge => description.wants_bearer |= is_bearer(challenge),
                },
                _ => {}
            }
        }
        let (Some(protocol), Some(host), false) = (protocol.value(), host.value(), foreign) else {
            return Ok(None);
        };
        (description.protocol, description.host) = (protocol, host);
        Ok(Some(description))
    }
}

/// RFC 9110 section 11.6.1: a challenge begins with its scheme, in any case.
fn is_bearer(challenge: &str) -> bool {
    challenge
        .split([' ', ','])
        .next()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("Bearer"))
}

/// A value that may be repeated, but not contradicted.
#[derive(Default)]
struct Once {
    value: Option<String>,
    contradicted: bool,
}

impl Once {
    fn set(&mut self, value: &str) {
        match &self.value {
            Some(known) => self.contradicted |= known != value,
            None => self.value = Some(value.to_owned()),
        }
    }

    fn value(self) -> Option<String> {
        self.value
            .filter(|value| !value.is_empty() && !self.contradicted)
    }
}

/// The parts of a `url=` line, split as git splits them; the host stays as it is, for the grammar to judge.
struct Url<'a> {
    protocol: &'a str,
    host: &'a str,
    username: Option<String>,
    password: Option<Secret>,
    path: Option<String>,
}

impl Url<'_> {
    fn parse(url: &str) -> Option<Url<'_>> {
        let (protocol, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // To other readers each of these ends the host (`?`, `#`: git; `\`: browsers), so that what stands before an
        // `@` behind it is the host that was meant.
        if authority.contains(['?', '#', '\\']) || authority.matches('@').count() > 1 {
            return None;
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, "")))
        {
            Some((username, "")) => (Some(decoded(username)?), None),
            Some((username, password)) => (
                Some(decoded(username)?),
                Some(Secret::new(decoded(password)?)),
            ),
            None => (None, None),
        };
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() {
            None
        } else {
            Some(decoded(path)?)
        };
        Some(Url {
            protocol,
            host,
            username,
            password,
            path,
        })
    }
}

/// Percent-decoding; `None` when the outcome could not have come as a line of its own.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(['\n', '\r', '\0'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host_of(input: &str) -> Option<(String, String)> {
        Description::parse(input.as_bytes())
            .unwrap()
            .map(|description| (description.protocol, description.host))
    }

    fn pair(protocol: &str, host: &str) -> Option<(String, String)> {
        Some((protocol.to_owned(), host.to_owned()))
    }

    #[test]
    fn reads_to_a_blank_line_or_the_end() {
        let sentry = pair("https", "sentry.io");
        assert_eq!(
            host_of("protocol=https\nhost=sentry.io\n\nhost=evil\n"),
            sentry
        );
        assert_eq!(host_of("protocol=https\nhost=sentry.io\n"), sentry);
        assert_eq!(host_of("protocol=https\nhost=sentry.io"), sentry);
        assert_eq!(host_of(""), None);
        assert_eq!(host_of("\n"), None);
    }

    #[test]
    fn host_and_protocol_are_named_once() {
        assert_eq!(
            host_of("protocol=https\nhost=evil.com\nhost=sentry.io\n"),
            None
        );
        assert_eq!(
            host_of("protocol=https\nhost=sentry.io\nhost=sentry.io\n"),
            pair("https", "sentry.io")
        );
        for missing in [
            "protocol=https\n",
            "host=sentry.io\n",
            "protocol=\nhost=\n",
            "protocol=https\nhost=\n",
        ] {
            assert_eq!(host_of(missing), None, "{missing:?}");
        }
    }

    #[test]
    fn a_url_is_expanded_and_must_not_contradict() {
        assert_eq!(
            host_of("url=https://sentry.io\n"),
            pair("https", "sentry.io")
        );
        assert_eq!(
            host_of("url=https://sentry.io@evil.com/x\n"),
            pair("https", "evil.com")
        );
        assert_eq!(
            host_of("url=https://sentry.io\\@evil.com\n"),
            pair("https", "evil.com")
        );
        assert_eq!(
            host_of("url=https://%73entry.io/\n"),
            pair("https", "%73entry.io")
        );
        assert_eq!(host_of("url=sentry.io\n"), None);
        assert_eq!(
            host_of("protocol=https\nhost=evil.com\nurl=https://sentry.io\n"),
            None
        );
        assert_eq!(host_of("url=https://sentry.io\nhost=evil.com\n"), None);
        let parsed = Description::parse(b"url=https://a%40b:p%3Aw@h.example/x%2Fy/\n")
            .unwrap()
            .unwrap();
        assert_eq!(
            (parsed.username.as_deref(), parsed.path.as_deref()),
            (Some("a@b"), Some("x/y"))
        );
        assert_eq!(parsed.password, Some(Secret::new("p:w")));
        assert_eq!(host_of("url=https://u%0ahost=evil@sentry.io\n"), None);
    }

    #[test]
    fn what_breaks_the_protocol_is_malformed() {
        for input in [
            "protocol=https\r\nhost=sentry.io\r\n",
            "a=\0",
            "garbage\n",
            "host=evil.com\rhost=sentry.io\n",
        ] {
            assert_eq!(
                Description::parse(input.as_bytes()).unwrap_err(),
                Malformed,
                "{input:?}"
            );
        }
        let line =
            |length: usize| format!("path={}\nprotocol=https\nhost=h\n", "x".repeat(length - 6));
        assert!(Description::parse(line(65535).as_bytes()).is_ok());
        assert_eq!(
            Description::parse(line(65536).as_bytes()).unwrap_err(),
            Malformed
        );
        assert_eq!(
            Description::parse(&"a=b\n".repeat(300_000).into_bytes()).unwrap_err(),
            Malformed
        );
    }

    #[test]
    fn any_bytes_may_stand_where_nobody_looks() {
        assert!(
            Description::parse(b"protocol=https\nhost=h\nfoo=\xff\n")
                .unwrap()
                .is_some()
        );
        for key in ["host", "username", "path"] {
            let input = [b"protocol=https\nhost=h\n", key.as_bytes(), b"=\xff\n"].concat();
            assert!(Description::parse(&input).unwrap().is_none(), "{key}");
        }
    }

    #[test]
    fn lists_grow_and_are_cleared() {
        let parse = |input: &str| {
            Description::parse(format!("protocol=https\nhost=h\n{input}").as_bytes())
                .unwrap()
                .unwrap()
        };
        assert!(
            parse("capability[]=authtype\ncapability[]=x\n")
                .capabilities
                .authtype
        );
        assert!(
            !parse("capability[]=authtype\ncapability[]=\n")
                .capabilities
                .authtype
        );
        assert!(parse("wwwauth[]=Basic realm=\"x\"\nwwwauth[]=bearer realm=\"y\"\n").wants_bearer);
        assert!(!parse("wwwauth[]=Bearer\nwwwauth[]=\n").wants_bearer);
        assert!(!parse("wwwauth[]=Basic realm=\"Bearer\"\n").wants_bearer);
    }

    #[test]
    fn a_value_that_would_break_a_line_is_not_rendered() {
        for bad in ["a\nhost=evil", "a\r", "a\0"] {
            assert!(Answer::default().line("password", bad).is_err());
        }
    }

    #[test]
    fn reading_stops_at_the_blank_line() {
        let mut input = io::Cursor::new(b"a=b\n\n".to_vec()).chain(io::repeat(b'x'));
        assert_eq!(*read(&mut input).unwrap(), b"a=b\n\n");
        assert!(read(&mut io::repeat(b'x')).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_invents_a_host(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(description)) = Description::parse(&input) {
                let text = String::from_utf8_lossy(&input).into_owned();
                prop_assert!(text.contains(&description.host) && !description.host.contains('\n'));
            }
        }

        #[test]
        fn an_answer_is_read_back_by_the_parser(username in "[^\n\r\0]{0,20}", password in "[!-~]{1,20}") {
            let mut answer = Answer::default();
            answer.line("protocol", "https").unwrap();
            answer.line("host", "h").unwrap();
            answer.line("username", &username).unwrap();
            answer.line("password", &password).unwrap();
            let back = Description::parse(&answer.end()).unwrap().unwrap();
            prop_assert_eq!(back.username, Some(username));
            prop_assert_eq!(back.password, Some(Secret::new(password)));
        }
    }
}
