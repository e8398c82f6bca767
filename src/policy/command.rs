//! Selects the session or token that a user command refers to: by `--account`, `--url`, the environment, or the active
//! account.
//!
//! Separate from [`super::decide()`] because a command names an instance or an account, not a host. The order of
//! precedence is the same.

use super::accounts::active_account;
use crate::account::Session;
use crate::environment::{Environment, EnvironmentToken};
use crate::failure::Failure;
use crate::origin::Origin;

/// The options that select a session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Selection<'a> {
    /// `--url`.
    pub(crate) url: Option<&'a Origin>,
    /// `--account`.
    pub(crate) account: Option<&'a str>,
}

/// The environment's token, if the command refers to it: no `--account` is given, and the token belongs to the instance
/// of `--url`, if that is given. Otherwise the command refers to a session.
///
/// # Errors
/// The variable does not hold a valid token.
pub(crate) fn environment_token<'a>(
    environment: &'a Environment,
    selection: Selection<'_>,
) -> Result<Option<&'a EnvironmentToken>, Failure> {
    if selection.account.is_some() {
        return Ok(None);
    }
    let found = environment.token.as_ref().map_err(Failure::clone)?;
    let is_selected = |found: &&EnvironmentToken| {
        selection
            .url
            .is_none_or(|url| url.may_receive(&found.origin))
    };
    Ok(found.as_ref().filter(is_selected))
}

/// The instance that a command without `--account` refers to, and its session. The instance is that of `--url`, else of
/// the environment, else of the active account, else sentry.io.
///
/// # Errors
/// The variable does not name an instance.
pub(crate) fn session_of<'a>(
    environment: &Environment,
    sessions: &'a [Session],
    url: Option<&Origin>,
) -> Result<(Origin, Option<&'a Session>), Failure> {
    // `--url` makes the variable irrelevant, even if it cannot be used.
    let named = match url {
        Some(url) => Some(url),
        None => environment
            .instance
            .as_ref()
            .map_err(Failure::clone)?
            .as_ref(),
    };
    let active = || sessions.iter().find(|session| session.active);
    let instance = match named {
        Some(instance) => instance.clone(),
        None => active().map_or_else(Origin::saas, |active| active.origin.clone()),
    };
    let session = active_account(sessions, &instance);
    Ok((instance, session))
}

#[cfg(test)]
mod tests {
    use super::super::table::session;
    use super::*;
    use crate::secret::Secret;

    const SAAS: &str = "https://sentry.io";
    const SELF: &str = "https://self.example";

    /// Describes the selection, with jane active at sentry.io and joe logged in to another instance.
    fn selected(
        token: Option<&str>,
        named: Option<&str>,
        url: Option<&str>,
        account: Option<&str>,
    ) -> String {
        let origin = |text: &str| Origin::parse(text).unwrap();
        let environment = Environment {
            token: Ok(token.map(|instance| EnvironmentToken {
                token: Secret::new("of-the-environment"),
                origin: origin(instance),
                variable: "SENTRY_TOKEN",
            })),
            instance: Ok(named.map(origin)),
        };
        let sessions = [session("jane", SAAS, true), session("joe", SELF, false)];
        let url = url.map(origin);
        let selection = Selection {
            url: url.as_ref(),
            account,
        };
        match environment_token(&environment, selection).unwrap() {
            Some(found) => found.variable.to_owned(),
            None => {
                let (instance, session) =
                    session_of(&environment, &sessions, selection.url).unwrap();
                let account = session.map_or("nobody", |session| &session.account);
                format!("{account} at {instance}")
            }
        }
    }

    #[test]
    fn a_command_means_what_is_typed_else_the_environment_else_the_active_account() {
        let other = "https://other.example";
        for (token, named, url, expected) in [
            (None, None, None, "jane at https://sentry.io"),
            (None, None, Some(SELF), "joe at https://self.example"),
            (
                None,
                None,
                Some("https://us.sentry.io"),
                "jane at https://us.sentry.io",
            ),
            (None, Some(SELF), None, "joe at https://self.example"),
            (None, Some(SELF), Some(SAAS), "jane at https://sentry.io"),
            (None, Some(other), None, "nobody at https://other.example"),
            (Some(SAAS), None, None, "SENTRY_TOKEN"),
            (Some(SELF), None, None, "SENTRY_TOKEN"),
            (
                Some(SAAS),
                None,
                Some("https://de.sentry.io"),
                "SENTRY_TOKEN",
            ),
            (Some(SAAS), None, Some(SELF), "joe at https://self.example"),
            (
                Some(SELF),
                Some(SELF),
                Some(SAAS),
                "jane at https://sentry.io",
            ),
            (
                Some(SELF),
                Some(SELF),
                Some(other),
                "nobody at https://other.example",
            ),
        ] {
            let case = format!("{token:?} {named:?} {url:?}");
            assert_eq!(selected(token, named, url, None), expected, "{case}");
        }
        // `--account` outranks the environment.
        assert_eq!(
            selected(Some(SAAS), None, None, Some("jane")),
            "jane at https://sentry.io"
        );
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_an_error() {
        let broken = || Failure::new("broken");
        let environment = Environment {
            token: Err(broken()),
            instance: Err(broken()),
        };
        let selection = Selection::default();
        assert_eq!(
            environment_token(&environment, selection).unwrap_err(),
            broken()
        );
        assert_eq!(session_of(&environment, &[], None).unwrap_err(), broken());
    }
}
