//! Renders the answer: built completely, checked byte by byte.

use zeroize::Zeroizing;

use super::bytes::append_bytes_of;
use super::description::Description;
use crate::broker::Credential;
use crate::policy::USERNAME;
use crate::secret::append;
use crate::world::Timestamp;

pub(super) fn render(
    description: &Description,
    credential: Credential,
    now: Timestamp,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut answer = Answer::default();
    match credential {
        Credential::Stored(stored) => {
            // As git-credential-cache: the refresh token outlives the password.
            let is_running = !stored.is_expired(now);
            if let Some(authtype) = stored.authtype.as_ref().filter(|_| is_running) {
                answer.line("capability[]", "authtype")?;
                answer.line("authtype", authtype)?;
                answer.line("credential", stored.secret.expose())?;
            }
            if let Some(username) = &stored.username {
                answer.line("username", username)?;
            }
            if stored.authtype.is_none() && is_running {
                answer.line("password", stored.secret.expose())?;
            }
            answer.expiry(stored.expiry.filter(|_| is_running))?;
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
                anyhow::bail!("the stored token is not a valid token");
            }
            let username = description
                .username
                .as_deref()
                .or(username.as_deref())
                .unwrap_or(USERNAME);
            // A password is returned if the server accepts both: git 2.46 to 2.53 sends no `authtype` with the probe
            // before a push of over 1 MiB, and no version sends it for the objects of a repository over dumb HTTP.
            if capabilities.authtype && description.offered.is_only_bearer() {
                answer.line("authtype", "Bearer")?;
                answer.line("credential", token.expose())?;
            } else {
                answer.line("username", username)?;
                answer.line("password", token.expose())?;
            }
            answer.expiry(expires_at)?;
            if capabilities.authtype {
                // Other helpers of the chain must not store it.
                answer.line("ephemeral", "1")?;
            }
            if capabilities.state {
                answer.line("state[]", "sentry:session")?;
            }
        }
    }
    Ok(answer.end())
}

/// The lines of an answer, wiped on drop.
#[derive(Default)]
struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    fn line(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        // A line break in a value could name another host.
        if value.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
            anyhow::bail!("the stored {key} contains a byte that the protocol does not allow");
        }
        append(&mut self.0, key.as_bytes());
        append(&mut self.0, b"=");
        append_bytes_of(value, &mut self.0);
        append(&mut self.0, b"\n");
        Ok(())
    }

    fn expiry(&mut self, expiry: Option<Timestamp>) -> anyhow::Result<()> {
        expiry.map_or(Ok(()), |expiry| {
            self.line("password_expiry_utc", &expiry.seconds().to_string())
        })
    }

    fn end(mut self) -> Zeroizing<Vec<u8>> {
        append(&mut self.0, b"\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use proptest::prelude::*;

    #[test]
    fn a_value_that_would_break_a_line_is_not_rendered() {
        for bad in ["a\nhost=evil", "a\r", "a\0"] {
            assert!(Answer::default().line("password", bad).is_err());
        }
    }

    proptest! {
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
