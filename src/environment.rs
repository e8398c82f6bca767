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
mod tests {
    use std::rc::Rc;

    use base64::Engine as _;

    use super::*;
    use crate::world::SystemClock;

    fn world(variables: &[(&str, &str)]) -> World {
        World::of(variables, Rc::new(SystemClock))
    }

    fn org_token(url: &str) -> String {
        let claims =
            base64::engine::general_purpose::STANDARD.encode(format!(r#"{{"url":"{url}"}}"#));
        format!("sntrys_{claims}_x")
    }

    #[test]
    fn the_legacy_name_comes_first_and_blank_is_unset() {
        let of = |variables: &[(&str, &str)]| {
            token(&world(variables))
                .unwrap()
                .map(|found| found.variable)
        };
        assert_eq!(
            of(&[("SENTRY_TOKEN", "b"), ("SENTRY_AUTH_TOKEN", "a")]),
            Some("SENTRY_AUTH_TOKEN")
        );
        assert_eq!(
            of(&[("SENTRY_TOKEN", "b"), ("SENTRY_AUTH_TOKEN", " \t")]),
            Some("SENTRY_TOKEN")
        );
        assert_eq!(of(&[("SENTRY_TOKEN", "")]), None);
    }

    #[test]
    fn a_token_with_a_line_break_is_no_token() {
        let failure = token(&world(&[("SENTRY_TOKEN", "a\nhost=evil")]))
            .unwrap_err()
            .to_string();
        assert!(failure.contains("SENTRY_TOKEN") && !failure.contains("evil"));
    }

    #[test]
    fn a_claim_beats_the_default_and_a_contradiction_is_an_error() {
        let claimed = org_token("https://a.example");
        let of = |variables: &[(&str, &str)]| {
            token(&world(variables)).map(|found| found.unwrap().origin.to_string())
        };
        assert_eq!(
            of(&[("SENTRY_TOKEN", &claimed)]).unwrap(),
            "https://a.example"
        );
        assert!(
            of(&[
                ("SENTRY_TOKEN", &claimed),
                ("SENTRY_URL", "https://b.example")
            ])
            .is_err()
        );
        let empty = org_token("");
        assert_eq!(
            of(&[("SENTRY_TOKEN", &empty), ("SENTRY_URL", "b.example")]).unwrap(),
            "https://b.example"
        );
        assert_eq!(
            of(&[("SENTRY_TOKEN", "opaque")]).unwrap(),
            "https://sentry.io"
        );
    }

    #[test]
    fn host_wins_over_url() {
        let world = world(&[
            ("SENTRY_URL", "https://a.example"),
            ("SENTRY_HOST", "b.example/"),
        ]);
        assert_eq!(
            instance(&world).unwrap().unwrap().to_string(),
            "https://b.example"
        );
    }

    #[test]
    fn the_client_id_of_the_saas_is_not_for_others() {
        assert!(client_id(&world(&[]), &Origin::saas()).is_some());
        assert_eq!(
            client_id(&world(&[]), &Origin::parse("https://a.example").unwrap()),
            None
        );
    }

    #[test]
    fn a_client_id_belongs_to_the_instance_that_is_named_beside_it() {
        let saas = Origin::saas();
        let own = Origin::parse("https://a.example").unwrap();
        let of = |url: Option<&str>, origin: &Origin| {
            let id = [("SENTRY_CLIENT_ID", "mine")];
            let url = url.map(|url| ("SENTRY_URL", url));
            let world = world(&[&id[..], url.as_slice()].concat());
            let found = client_id(&world, origin).unwrap();
            let by = |url| client_id_by(&world, origin, url).unwrap();
            assert_eq!(by(None), found);
            assert_eq!(by(Some(origin)), "mine");
            found
        };
        assert_eq!(of(None, &saas), BUILT_IN_CLIENT_ID);
        assert_eq!(of(Some("https://a.example"), &saas), BUILT_IN_CLIENT_ID);
        assert_eq!(
            of(Some("https://acme.sentry.io"), &saas),
            BUILT_IN_CLIENT_ID
        );
        assert_eq!(of(Some("https://us.sentry.io"), &saas), "mine");
        assert_eq!(of(None, &own), "mine");
        assert_eq!(of(Some("https://a.example"), &own), "mine");
    }

    #[test]
    fn many_ways_to_say_never() {
        assert!(may_prompt(&world(&[
            ("GIT_TERMINAL_PROMPT", "1"),
            ("CI", "")
        ])));
        for (name, value) in [
            ("SENTRY_CREDENTIAL_INTERACTIVE", "never"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GCM_INTERACTIVE", "Never"),
            ("CI", "true"),
        ] {
            assert!(!may_prompt(&world(&[(name, value)])), "{name}");
        }
    }

    #[test]
    fn what_usually_goes_wrong_with_a_variable_has_a_sentence_of_its_own() {
        for (value, said) in [
            ("\"sntryu_x\"", "quotes"),
            ("'sntryu_x", "quotes"),
            ("\u{201c}sntryu_x\u{201d}", "quotes"),
            ("\u{feff}sntryu_x", "byte order mark"),
            ("Bearer sntryu_x", "header"),
            ("two words", "printable ASCII"),
            ("t\u{f4}k", "printable ASCII"),
        ] {
            for variable in TOKENS {
                let told = token(&world(&[(variable, value)])).unwrap_err().to_string();
                assert!(told.contains(variable) && told.contains(said), "{told}");
                assert!(!told.contains("sntryu_x"), "{told}");
            }
        }
        // Only what editors and shells leave at the ends of a line.
        let found = token(&world(&[("SENTRY_TOKEN", " sntryu_x\r\n")])).unwrap();
        assert_eq!(found.unwrap().token.expose(), "sntryu_x");
    }

    #[test]
    fn a_variable_that_cannot_be_used_hides_the_one_after_it() {
        let broken = [("SENTRY_AUTH_TOKEN", "two words"), ("SENTRY_TOKEN", "good")];
        assert!(token(&world(&broken)).is_err());
        let environment = Environment::of(&world(&broken));
        assert!(!environment.holds_a_token() && environment.named().is_none());
    }

    #[test]
    fn a_token_without_a_claim_belongs_to_the_instance_that_is_named_or_to_no_instance() {
        let of = |variables: &[(&str, &str)]| {
            let found = token(&world(variables))?;
            Ok::<_, Failure>(found.unwrap().origin.to_string())
        };
        let opaque = ("SENTRY_TOKEN", "opaque");
        assert_eq!(
            of(&[opaque, ("SENTRY_HOST", "a.example")]).unwrap(),
            "https://a.example"
        );
        // A variable that names no instance must not send it to the SaaS.
        for odd in ["http://a.example", "https://a.example/path", "a b"] {
            assert!(of(&[opaque, ("SENTRY_URL", odd)]).is_err(), "{odd}");
        }
        let claimed = org_token("https://us.sentry.io");
        let both = [
            ("SENTRY_TOKEN", claimed.as_str()),
            ("SENTRY_URL", "https://sentry.io"),
        ];
        assert_eq!(of(&both).unwrap(), "https://us.sentry.io");
        let odd = org_token("http://a.example");
        assert!(of(&[("SENTRY_TOKEN", &odd)]).is_err());
    }

    #[test]
    fn an_organization_of_the_saas_is_named_as_the_wrong_usage() {
        let failure = instance(&world(&[("SENTRY_HOST", "acme.sentry.io")])).unwrap_err();
        assert_eq!(
            failure.hint_text(),
            Some("`export SENTRY_HOST=https://sentry.io`")
        );
        assert!(crate::failure::is_usage(&failure.into()));
        let url = [("SENTRY_URL", "https://sentry.io/"), ("SENTRY_HOST", " ")];
        assert_eq!(instance(&world(&url)).unwrap(), Some(Origin::saas()));
    }

    #[test]
    fn a_secret_of_the_environment_is_recognized_in_force_or_not() {
        let both = world(&[("SENTRY_AUTH_TOKEN", "a"), ("SENTRY_TOKEN", " b ")]);
        for (text, expected) in [("a", true), ("b", true), ("c", false), ("", false)] {
            assert_eq!(holds(&both, &Secret::new(text)), expected, "{text}");
        }
    }
}
