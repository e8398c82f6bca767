//! Tokens, instances and client ids from environment variables.
//!
//! Separate from [`crate::world`], which reads variables but does not interpret them, and from [`crate::broker`],
//! because the `auth` commands use the same variables.

use crate::failure::Failure;
use crate::origin::{NotAnInstance, Origin};
use crate::rollout::RollOut;
use crate::secret::Secret;
use crate::world::World;

/// The public client id that Sentry's own open-source CLI uses with sentry.io. A public client has no secret
/// (RFC 8628 section 5.6).
pub(crate) const BUILT_IN_CLIENT_ID: &str =
    "1d673b81d60ef84c951359c36296972ca6fd41bd8f45acd2d3a783a3b3c28e41";

/// A token from an environment variable.
#[derive(Debug)]
pub(crate) struct EnvironmentToken {
    /// Used as it is: never refreshed and never stored.
    pub(crate) token: Secret,
    /// The only instance that may receive it.
    pub(crate) origin: Origin,
    /// `SENTRY_AUTH_TOKEN` or `SENTRY_TOKEN`.
    pub(crate) variable: &'static str,
}

/// The variables that may hold a token; the first one that is set wins.
pub(crate) const TOKENS: [&str; 2] = ["SENTRY_AUTH_TOKEN", "SENTRY_TOKEN"];

/// The variables that may name an instance; the first one that is set wins, as in the official CLI.
pub(crate) const INSTANCES: [&str; 2] = ["SENTRY_HOST", "SENTRY_URL"];

/// The variables, read once.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The token in effect, or why its variable cannot be used.
    pub(crate) token: Result<Option<EnvironmentToken>, Failure>,
    /// The instance that `SENTRY_HOST` or `SENTRY_URL` names, or why the variable cannot be used.
    pub(crate) instance: Result<Option<Origin>, Failure>,
}

impl Environment {
    /// Reads the variables.
    pub(crate) fn of(world: &World) -> Environment {
        let instance = instance(world);
        Environment {
            token: token_beside(world, &instance),
            instance,
        }
    }

    /// Whether there is a usable token.
    pub(crate) fn holds_a_token(&self) -> bool {
        matches!(self.token, Ok(Some(_)))
    }

    /// The instance that a variable names, if it can be used.
    pub(crate) fn named(&self) -> Option<&Origin> {
        self.instance.as_ref().ok()?.as_ref()
    }
}

/// The token in the environment, if any.
///
/// # Errors
/// The variable holds no valid token, or one that contradicts `SENTRY_URL`, or `SENTRY_URL` is not an origin.
pub(crate) fn token(world: &World) -> Result<Option<EnvironmentToken>, Failure> {
    token_beside(world, &instance(world))
}

/// Whether any variable holds this token, in effect or not.
pub(crate) fn holds(world: &World, secret: &Secret) -> bool {
    TOKENS
        .into_iter()
        .filter_map(|name| world.variable_lossy(name))
        .any(|text| text == secret.expose())
}

fn token_beside(
    world: &World,
    named: &Result<Option<Origin>, Failure>,
) -> Result<Option<EnvironmentToken>, Failure> {
    // A blank variable counts as unset.
    let is_set = |name: &&str| world.variable_lossy(name).is_some();
    let Some(variable) = TOKENS.into_iter().find(is_set) else {
        return Ok(None);
    };
    let value = world.variable_os(variable).unwrap_or_default();
    let token = Secret::from_input(value.as_encoded_bytes())
        .map_err(|error| Failure::new(format!("cannot use the value of {variable}: {error}")))?;
    let claimed = origin_claimed_by(&token, variable)?;
    let origin = match (claimed, named.clone()?) {
        (Some(claimed), Some(named)) if !named.may_receive(&claimed) => {
            let what = format!(
                "the token in {variable} belongs to {claimed}, but the environment names {named}"
            );
            return Err(Failure::new(what)
                .hint("`unset SENTRY_URL SENTRY_HOST`, or use a token of that instance"));
        }
        (Some(claimed), _) => claimed,
        (None, named) => named.unwrap_or_else(Origin::saas),
    };
    Ok(Some(EnvironmentToken {
        token,
        origin,
        variable,
    }))
}

/// The instance that an organization token claims to belong to.
///
/// # Errors
/// The claim is not an origin.
pub(crate) fn origin_claimed_by(token: &Secret, whose: &str) -> Result<Option<Origin>, Failure> {
    let Some(url) = token.claims().and_then(|claims| claims.url) else {
        return Ok(None);
    };
    let origin = Origin::parse(&url).map_err(|error| {
        Failure::new(format!(
            "cannot use the instance that the token in {whose} names: {error}"
        ))
    })?;
    Ok(Some(origin))
}

/// The instance that `SENTRY_HOST` or `SENTRY_URL` names.
///
/// # Errors
/// The variable does not name an instance.
pub(crate) fn instance(world: &World) -> Result<Option<Origin>, Failure> {
    // `SENTRY_HOST` wins, as in the official CLI.
    let found = INSTANCES
        .into_iter()
        .find_map(|name| Some((name, world.variable_lossy(name)?)));
    let Some((variable, text)) = found else {
        return Ok(None);
    };
    let unusable = |error: NotAnInstance| {
        let failure = Failure::new(format!("cannot use the value of {variable}: {error}"));
        match error {
            NotAnInstance::NotAnOrigin(_) => failure,
            NotAnInstance::Organization => failure
                .hint(format!("`export {variable}={}`", Origin::saas()))
                .into_usage(),
        }
    };
    Origin::instance_from_setting(&text)
        .map(Some)
        .map_err(unusable)
}

/// The OAuth client id for an instance.
///
/// `SENTRY_CLIENT_ID` applies to the instance that `SENTRY_URL` names. If no variable names one, it applies to
/// self-hosted instances only: at sentry.io the built-in id works, and another one is unlikely to.
pub(crate) fn client_id(world: &World, origin: &Origin) -> Option<String> {
    let named = instance(world).ok().flatten();
    let is_named = named.is_some_and(|named| named.may_receive(origin));
    client_id_if(world, origin, is_named)
}

/// The same for a command that may name the instance by `--url`.
pub(crate) fn client_id_by(world: &World, origin: &Origin, url: Option<&Origin>) -> Option<String> {
    match url {
        Some(url) => client_id_if(world, origin, url.may_receive(origin)),
        None => client_id(world, origin),
    }
}

fn client_id_if(world: &World, origin: &Origin, is_named: bool) -> Option<String> {
    let variable = || world.variable("SENTRY_CLIENT_ID");
    let administrators = || RollOut::of(world).client_id(origin).map(str::to_owned);
    let built_in = || Some(BUILT_IN_CLIENT_ID.to_owned());
    match (origin.is_saas(), is_named) {
        (false, true) => variable().or_else(administrators),
        (false, false) => administrators().or_else(variable),
        (true, true) => variable().or_else(administrators).or_else(built_in),
        (true, false) => administrators().or_else(built_in),
    }
}

/// Whether a helper may prompt at all.
pub(crate) fn may_prompt(world: &World) -> bool {
    let variable = |name: &str| world.variable(name).map(|value| value.to_ascii_lowercase());
    let is = |name: &str, values: &[&str]| {
        variable(name).is_some_and(|value| values.contains(&value.as_str()))
    };
    !(is("SENTRY_CREDENTIAL_INTERACTIVE", &["never"])
        || is("GIT_TERMINAL_PROMPT", &["0", "false", "no", "off"])
        || is("GCM_INTERACTIVE", &["never", "false", "0"])
        || is("CI", &["true", "1"]))
}

#[cfg(test)]
mod tests;
