//! Parses a server URL: docker names one registry in several ways.

use super::NO_SERVER;
use crate::origin::Origin;
use crate::store::Client;

/// A server URL as docker sends it: `host[:port]` or a URL, optionally with a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// As given; answers and lists repeat it.
    pub(crate) given: String,
    /// The registry; `None` if the text cannot name one, which therefore has no credentials.
    pub(crate) registry: Option<RegistryKey>,
}

/// The canonical key of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RegistryKey {
    /// `docker <host>[/<path>]`. The scheme is ignored, the path is not.
    pub(crate) server: String,
    /// `docker <host>`.
    pub(crate) host: String,
    /// The origin that a session's token may be sent to; `None` for plain http to another machine.
    pub(crate) origin: Option<Origin>,
}

impl ServerUrl {
    /// Parses a server URL.
    ///
    /// # Errors
    /// It is empty or has control characters.
    pub(crate) fn parse(text: &str) -> anyhow::Result<ServerUrl> {
        if text.is_empty() {
            anyhow::bail!(NO_SERVER);
        }
        if text.contains(|character: char| character.is_control()) {
            anyhow::bail!("the server URL has more than one line");
        }
        Ok(ServerUrl {
            given: text.to_owned(),
            registry: RegistryKey::of(text),
        })
    }
}

impl RegistryKey {
    /// The host whatever its scheme, as docker logs in to it and out of it.
    pub(super) fn any_origin(&self) -> Option<Origin> {
        let prefix = Client::Docker.server("");
        let host = || Origin::from_setting(self.host.strip_prefix(&prefix)?).ok();
        self.origin.clone().or_else(host)
    }

    fn of(text: &str) -> Option<RegistryKey> {
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
        // Also accepts `_`, which host names in private networks have. Such a host can have a stored credential, but no
        // session's token.
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
        Some(RegistryKey {
            server,
            host,
            origin: Origin::from_parts(&scheme, &authority).ok(),
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
            .registry
            .map(|registry| registry.server)
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
                .registry
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

    proptest! {
        #[test]
        fn no_text_makes_a_panic(text in "\\PC{0,200}") {
            drop(ServerUrl::parse(&text));
        }
    }
}
