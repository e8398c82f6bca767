//! `sentry auth token`: the usable token, in the form that its reader wants.

use std::process::ExitCode;

use serde::Serialize;
use zeroize::Zeroizing;

use super::access::AccessToken;
use crate::cli::{TokenArgs, TokenFormat};
use crate::failure::Failure;
use crate::origin::Origin;
use crate::world::{self, Timestamp, World};

pub(crate) fn token(world: &World, args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let found = AccessToken::of(world, &args.instance, args.min_validity)?;
    world::print(render(&found, args.format)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The token with `--format json`.
#[derive(Serialize)]
struct TokenObject<'a> {
    token: &'a str,
    instance: &'a Origin,
    account: Option<&'a str>,
    source: &'a str,
    expires_at: Option<Timestamp>,
}

/// The whole answer.
///
/// # Errors
/// The token has characters that the form has no safe way to write.
fn render(found: &AccessToken, format: TokenFormat) -> anyhow::Result<Zeroizing<String>> {
    let (token, instance) = (found.token.expose(), &found.instance);
    Ok(Zeroizing::new(match format {
        TokenFormat::Plain => format!("{token}\n"),
        TokenFormat::Header => format!("Authorization: Bearer {token}\n"),
        TokenFormat::Curl => {
            let token = Zeroizing::new(quoted_for_curl(token));
            format!("header = \"Authorization: Bearer {}\"\n", *token)
        }
        TokenFormat::Env => {
            if !is_plain_word(token) {
                let what = "the token has characters that shells and env files read differently";
                return Err(Failure::new(what)
                    .hint("`sentry auth token --format json`")
                    .into());
            }
            format!("SENTRY_AUTH_TOKEN={token}\nSENTRY_URL={instance}\n")
        }
        TokenFormat::Json => {
            let object = TokenObject {
                token,
                instance,
                account: found.account.as_deref(),
                source: found.source,
                expires_at: found.expires_at,
            };
            let text = Zeroizing::new(serde_json::to_string_pretty(&object)?);
            format!("{}\n", *text)
        }
    }))
}

/// curl(1), `--config`: within quotes, a backslash escapes itself and a quote.
fn quoted_for_curl(token: &str) -> String {
    token.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Whether `eval` of a shell and readers of env files, which know no quotes (docker) or their own (compose, systemd),
/// all read the same. Sentry's tokens are made of these.
fn is_plain_word(token: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:,+/=@".contains(&byte);
    token.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn rendered(token: &str, format: TokenFormat) -> Result<String, String> {
        let found = AccessToken {
            token: Secret::new(token),
            instance: Origin::parse("https://self.example:8443").unwrap(),
            account: Some("jane".into()),
            source: "session",
            expires_at: Some(Timestamp::from_millis(1_735_689_599_000)),
        };
        let rendered = render(&found, format);
        rendered
            .map(|text| text.to_string())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn each_form_is_what_its_reader_wants() {
        for (format, expected) in [
            (TokenFormat::Plain, "sntryu_x\n"),
            (TokenFormat::Header, "Authorization: Bearer sntryu_x\n"),
            (
                TokenFormat::Curl,
                "header = \"Authorization: Bearer sntryu_x\"\n",
            ),
            (
                TokenFormat::Env,
                "SENTRY_AUTH_TOKEN=sntryu_x\nSENTRY_URL=https://self.example:8443\n",
            ),
            (
                TokenFormat::Json,
                "{\n  \"token\": \"sntryu_x\",\n  \"instance\": \"https://self.example:8443\",\n  \
                 \"account\": \"jane\",\n  \"source\": \"session\",\n  \
                 \"expires_at\": \"2024-12-31T23:59:59Z\"\n}\n",
            ),
        ] {
            assert_eq!(rendered("sntryu_x", format).unwrap(), expected);
        }
    }

    #[test]
    fn what_means_something_to_the_reader_is_escaped_or_refused() {
        assert_eq!(
            rendered(r#"a"b\c"#, TokenFormat::Curl).unwrap(),
            "header = \"Authorization: Bearer a\\\"b\\\\c\"\n"
        );
        for special in "$`\"'\\;&|<>()*?[]#~!{}^%".chars() {
            let token = format!("a{special}b");
            let refused = rendered(&token, TokenFormat::Env).unwrap_err();
            assert!(!refused.contains(&token), "{refused}");
            assert!(rendered(&token, TokenFormat::Json).is_ok());
        }
        let organization = "sntrys_eyJpYXQiOjEsInVybCI6IiIsIm9yZyI6ImFjbWUifQ==_se+c/ret";
        assert!(rendered(organization, TokenFormat::Env).is_ok());
    }
}
