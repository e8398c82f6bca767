//! Parses the request of `store`: JSON, as Go writes and reads it.

use serde_json::Value;

use super::NO_USERNAME;
use super::server_url::ServerUrl;
use crate::secret::Secret;

/// The request of `store`.
#[derive(Debug)]
pub(crate) struct StoreRequest {
    pub(super) url: ServerUrl,
    pub(super) username: String,
    pub(super) secret: Secret,
}

impl StoreRequest {
    /// Parses `{"ServerURL":…,"Username":…,"Secret":…}`. Go accepts the keys in any case, and escapes `<` and `>`.
    ///
    /// # Errors
    /// The message for standard output.
    pub(crate) fn parse(text: &str) -> anyhow::Result<StoreRequest> {
        let malformed = || {
            anyhow::anyhow!("the request is not a JSON object with ServerURL, Username and Secret")
        };
        let value: Value = serde_json::from_str(text).map_err(|_| malformed())?;
        let object = value.as_object().ok_or_else(malformed)?;
        let field = |name: &str| {
            let mut named = object
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            match (named.next(), named.next()) {
                (Some((_, Value::String(text))), None) => Ok(text.as_str()),
                (Some((_, Value::Null)) | None, None) => Ok(""),
                // Another type, or a key repeated in another case: parsers differ on which one counts.
                _ => Err(malformed()),
            }
        };
        let (url, username, secret) = (
            field("ServerURL")?.trim_ascii(),
            field("Username")?,
            field("Secret")?,
        );
        let url = ServerUrl::parse(url)?;
        if username.is_empty() {
            anyhow::bail!(NO_USERNAME);
        }
        if username.contains(char::is_control) || !is_secret(secret) {
            anyhow::bail!("the user name or the secret has a control character");
        }
        Ok(StoreRequest {
            url,
            username: username.to_owned(),
            secret: Secret::new(secret),
        })
    }
}

/// Accepts several lines, as in the key files of Google's `_json_key`. A NUL would end the text in a C client.
fn is_secret(text: &str) -> bool {
    !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::super::NO_SERVER;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_login_is_read_as_go_reads_it() {
        let login = StoreRequest::parse(
            r#"{"ServerURL":"r.example","Username":"\u003ctoken\u003e","Secret":"s","X":[1]}"#,
        )
        .unwrap();
        assert_eq!(
            (login.username.as_str(), login.secret.expose()),
            ("<token>", "s")
        );
        assert!(
            StoreRequest::parse(r#"{"serverurl":"r.example","USERNAME":"u","secret":"s"}"#).is_ok()
        );
    }

    #[test]
    fn an_incomplete_login_is_refused_in_the_exact_words() {
        let error = |text: &str| StoreRequest::parse(text).unwrap_err().to_string();
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
        for (username, secret) in [("a\\nb", "s"), ("u", "a\\u0000b")] {
            let text =
                format!(r#"{{"ServerURL":"r","Username":"{username}","Secret":"{secret}"}}"#);
            assert!(error(&text).contains("control character"), "{text}");
        }
    }

    #[test]
    fn a_secret_may_have_several_lines() {
        let key = "{\n\t\"type\": \"service_account\"\r\n}\u{1b}\n";
        let text = serde_json::json!({"ServerURL": "r", "Username": "_json_key", "Secret": key});
        let login = StoreRequest::parse(&text.to_string()).unwrap();
        assert_eq!(login.secret.expose(), key);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_panic(text in "\\PC{0,200}") {
            drop(StoreRequest::parse(&text));
        }
    }
}
