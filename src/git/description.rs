//! Parses git's credential description: `key=value` lines, strictly.

use super::bytes::text_of;
use super::url::Url;
use crate::secret::Secret;
use crate::world::Timestamp;

/// Longest input in bytes.
pub(super) const MAX_INPUT: usize = 1024 * 1024;

/// Longest line in bytes, including the newline.
const MAX_LINE: usize = 65535;

/// The request violates the protocol. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request is malformed")
    }
}

impl std::error::Error for Malformed {}

/// A parsed credential description.
#[derive(Debug, Default)]
pub(crate) struct Description {
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) path: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_expiry: Option<Timestamp>,
    pub(super) oauth_refresh_token: Option<Secret>,
    pub(super) authtype: Option<String>,
    pub(super) credential: Option<Secret>,
    pub(super) ephemeral: bool,
    pub(super) capabilities: Capabilities,
    pub(super) offered: Offered,
}

/// The authentication schemes offered by the server that affect the answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offered {
    pub(super) basic: bool,
    pub(super) bearer: bool,
}

#[derive(Debug, Default)]
pub(super) struct Capabilities {
    pub(super) authtype: bool,
    pub(super) state: bool,
}

impl Description {
    /// Parses `key=value` lines up to a blank one; `None` for a well-formed request that no credential can match: host
    /// or protocol missing, empty, or contradictory. Where a path is the key, the host may be empty.
    ///
    /// # Errors
    /// [`Malformed`]: a NUL or carriage return anywhere, a line without `=` or over 65535 bytes, over 1 MiB in total.
    pub(crate) fn parse(input: &[u8]) -> Result<Option<Description>, Malformed> {
        if input.len() > MAX_INPUT || input.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(Malformed);
        }
        let mut description = Description::default();
        let (mut protocol, mut host) = (Once::default(), Once::default());
        let mut is_unusable = false;
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
            let value = &*text_of(value);
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
                    None => is_unusable = true,
                },
                b"path" => {
                    description.path = Some(value.to_owned()).filter(|path| !path.is_empty())
                }
                b"username" => description.username = Some(value.to_owned()),
                b"password" => description.password = Some(Secret::new(value.as_str())),
                b"password_expiry_utc" => {
                    let seconds = value.parse::<i64>().ok();
                    description.password_expiry =
                        seconds.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
                }
                b"oauth_refresh_token" => {
                    description.oauth_refresh_token = Some(Secret::new(value.as_str()))
                }
                b"authtype" => description.authtype = Some(value.to_owned()),
                b"credential" => description.credential = Some(Secret::new(value.as_str())),
                b"ephemeral" => {
                    description.ephemeral = !matches!(value.as_str(), "" | "0" | "false")
                }
                b"capability[]" => match value.as_str() {
                    "" => description.capabilities = Capabilities::default(),
                    "authtype" => description.capabilities.authtype = true,
                    "state" => description.capabilities.state = true,
                    _ => {}
                },
                b"wwwauth[]" => match value.as_str() {
                    "" => description.offered = Offered::default(),
                    challenges => description.offered.note(challenges),
                },
                _ => {}
            }
        }
        let is_without_host = host.is_empty();
        let (protocol, mut host) = (protocol.value(), host.value());
        // The key of a client certificate's password is the file: `cert`, an empty host, and a path.
        if is_without_host
            && description.path.is_some()
            && !protocol.as_deref().is_some_and(is_http)
        {
            host = Some(String::new());
        }
        let (Some(protocol), Some(host), false) = (protocol, host, is_unusable) else {
            return Ok(None);
        };
        (description.protocol, description.host) = (protocol, host);
        Ok(Some(description))
    }
}

impl Offered {
    /// Parses a field value: one or more challenges, each of which begins with its scheme in any case (RFC 9110
    /// sections 11.3 and 11.6.1). A comma also separates the parameters of one challenge.
    fn note(&mut self, challenges: &str) {
        let (mut quoted, mut escaped) = (false, false);
        let parts = challenges.split(|byte: char| {
            let is_escaped = escaped;
            escaped = quoted && !is_escaped && byte == '\\';
            quoted ^= byte == '"' && !is_escaped;
            byte == ',' && !quoted
        });
        for part in parts {
            let part = part.trim_matches([' ', '\t']);
            let (name, rest) = part.split_once([' ', '\t']).unwrap_or((part, ""));
            let is = |known: &str| {
                name.eq_ignore_ascii_case(known) && !rest.trim_start().starts_with('=')
            };
            self.basic |= is("Basic");
            self.bearer |= is("Bearer");
        }
    }

    /// Whether a token can only be sent as `Bearer`.
    pub(super) fn is_only_bearer(self) -> bool {
        self.bearer && !self.basic
    }
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

    /// Whether it is missing, or present and empty.
    fn is_empty(&self) -> bool {
        !self.contradicted && self.value.as_deref().unwrap_or_default().is_empty()
    }

    fn value(self) -> Option<String> {
        self.value
            .filter(|value| !value.is_empty() && !self.contradicted)
    }
}

fn is_http(protocol: &str) -> bool {
    ["https", "http"]
        .iter()
        .any(|http| protocol.eq_ignore_ascii_case(http))
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
        for two_faced in [
            "sentry.io\\@evil.com",
            "evil.com?@sentry.io",
            "evil.com#@sentry.io",
            "a@evil.com@sentry.io",
        ] {
            assert_eq!(
                host_of(&format!("url=https://{two_faced}\n")),
                None,
                "{two_faced}"
            );
        }
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
    fn other_values_may_hold_any_bytes() {
        assert!(
            Description::parse(b"protocol=https\nhost=h\nfoo=\xff\n")
                .unwrap()
                .is_some()
        );
        for key in ["username", "path", "password"] {
            let input = [b"protocol=https\nhost=h\n", key.as_bytes(), b"=\xff\n"].concat();
            assert!(Description::parse(&input).unwrap().is_some(), "{key}");
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
        for (challenges, basic, bearer) in [
            (
                "wwwauth[]=bearer realm=\"y\"\nwwwauth[]=Basic realm=\"x\"\n",
                true,
                true,
            ),
            ("wwwauth[]=Bearer\nwwwauth[]=\n", false, false),
            ("wwwauth[]=BASIC realm=\"Bearer\"\n", true, false),
            ("wwwauth[]=Negotiate\n", false, false),
            // Several in one line.
            (
                "wwwauth[]=Bearer realm=\"a, Basic \\\"b, Basic\", scope=\"s\"\n",
                false,
                true,
            ),
            (
                "wwwauth[]=Bearer realm=\"a\",Basic realm=\"b\"\n",
                true,
                true,
            ),
            ("wwwauth[]=Negotiate, \tbasic\n", true, false),
            ("wwwauth[]=Digest basic = x, bearer=y\n", false, false),
        ] {
            assert_eq!(
                parse(challenges).offered,
                Offered { basic, bearer },
                "{challenges}"
            );
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_invents_a_host(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(description)) = Description::parse(&input) {
                let mut host = zeroize::Zeroizing::default();
                super::super::bytes::append_bytes_of(&description.host, &mut host);
                prop_assert!(input.windows(host.len()).any(|bytes| bytes == host.as_slice()) && !host.contains(&b'\n'));
            }
        }
    }
}
