//! Logs in with a one-time code that was created in Sentry's web pages: without a browser, and without waiting.
//!
//! Separate from the device flow, which shows a code and waits. As in the official CLI's `auth bootstrap`, the code is
//! `sntryc_<base64 of a JSON object with "url">_<43 characters>`, names its instance, and works once.

use std::path::Path;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::{lock, name_user};
use crate::account::Session;
use crate::failure::Failure;
use crate::oauth::{Check, OAuth, PollAnswer};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::session::{self, NewLogin};
use crate::store::Store;
use crate::world::World;

/// Length of the secret part, which is 32 bytes in base64.
const SECRET: usize = 43;

/// Longest part that names the instance, in bytes.
const LONGEST_CLAIMS: usize = 2048;

/// A code and its instance.
#[derive(Debug)]
pub(crate) struct SetupCode {
    code: Secret,
    /// The only server that receives it.
    pub(crate) origin: Origin,
}

impl SetupCode {
    /// Parses a code.
    ///
    /// # Errors
    /// It has another form, or names no instance. The error does not repeat the code.
    pub(crate) fn parse(code: Secret) -> Result<SetupCode, Failure> {
        let not_a_code = || {
            Failure::new(
                "this is no setup code: one looks like `sntryc_…`, and is copied as a whole",
            )
        };
        let claims = claims(code.expose()).ok_or_else(not_a_code)?;
        let url = claims["url"].as_str().ok_or_else(not_a_code)?;
        let origin = Origin::instance_from_setting(url).map_err(|why| {
            Failure::new(format!(
                "cannot use the instance that the setup code names: {why}"
            ))
        })?;
        Ok(SetupCode { code, origin })
    }

    /// Redeems the code, and stores the session in `dir`. If there is an `email`, only the session of that user.
    ///
    /// # Errors
    /// The store is unchanged.
    pub(crate) fn redeem(
        &self,
        world: &World,
        dir: &Path,
        client_id: &str,
        email: Option<&str>,
    ) -> anyhow::Result<Session> {
        // Proves that the token can be stored, before the code is spent.
        let store = Store::open_or_create(world, dir)?;
        let held = lock(world, dir)?;
        store.change(&held, world.clock())?.commit()?;
        drop(held);
        let origin = &self.origin;
        let oauth = OAuth::new(world, origin, client_id);
        // The code works once: signals are deferred until its token is stored.
        let deferral = world.signals().defer().ok();
        let grant = match oauth.redeem(&self.code) {
            PollAnswer::Granted(grant) => grant,
            answer => return Err(self.refused(answer).into()),
        };
        // The answer has no user name, by which git may ask for this session later.
        let named = || match oauth.check(&grant.access) {
            Check::Accepted(user) if user.id == grant.user.id || grant.user.id.is_none() => {
                Some(user)
            }
            _ => None,
        };
        if let Some(email) = email {
            let user = named().unwrap_or_else(|| grant.user.clone());
            if !user.is_called(email) {
                let whose = user.label().unwrap_or("another user");
                let what =
                    format!("the setup code is one of {whose}, not of {email}; nothing was stored");
                return Err(Failure::new(what).into());
            }
        }
        let login = NewLogin {
            origin: origin.clone(),
            user: grant.user.clone(),
            tokens: session::granted(world, &grant, None),
            client_id: Some(client_id.to_owned()),
        };
        let mut session = session::record_login(world, &store, login).map_err(|error| {
            let failure = Failure::of(&error);
            let what =
                format!("the setup code is spent, but its token could not be stored: {failure}");
            anyhow::Error::from(failure.with_text(what))
        })?;
        drop(deferral);
        if let Some(user) = named() {
            name_user(world, &store, dir, &mut session, user);
        }
        Ok(session)
    }

    fn refused(&self, answer: PollAnswer) -> Failure {
        let origin = &self.origin;
        let again = "make a new one in Sentry, each works once";
        match answer {
            PollAnswer::Refused(refusal)
            | PollAnswer::Denied(refusal)
            | PollAnswer::Expired(refusal) => {
                let about = match refusal.code.as_deref() {
                    Some("invalid_client" | "unauthorized_client") => {
                        "is SENTRY_CLIENT_ID that of a public OAuth application there?"
                    }
                    _ => again,
                };
                Failure::new(format!(
                    "{origin} refused the setup code: {refusal}; {about}"
                ))
            }
            PollAnswer::Transient(failure) => Failure::new(format!(
                "{origin} said nothing about the setup code: {}; if it does not work again, {again}",
                failure.why
            )),
            PollAnswer::Untrusted(lost) => {
                let what = format!("cannot log in to {origin}: {}", lost.why);
                lost.why.with_text(what)
            }
            PollAnswer::Pending | PollAnswer::SlowDown | PollAnswer::Granted(_) => Failure::new(
                format!("{origin} answered the setup code as if a user had to approve it"),
            ),
        }
    }
}

fn claims(code: &str) -> Option<serde_json::Value> {
    let (claims, secret) = code.strip_prefix("sntryc_")?.rsplit_once('_')?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    if claims.len() > LONGEST_CLAIMS || secret.len() != SECRET || !secret.bytes().all(is_base64) {
        return None;
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let json = GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(claims);
    serde_json::from_slice(&json.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claims: &str, secret: &str) -> Result<String, String> {
        let claims = base64::engine::general_purpose::STANDARD.encode(claims);
        let code = SetupCode::parse(Secret::new(format!("sntryc_{claims}_{secret}")));
        code.map(|code| code.origin.to_string())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_code_names_its_instance() {
        let secret = "s".repeat(SECRET);
        for (url, expected) in [
            ("https://sentry.io", Some("https://sentry.io")),
            (
                "https://Self.example:8443/",
                Some("https://self.example:8443"),
            ),
            ("http://127.0.0.1:9000", Some("http://127.0.0.1:9000")),
            ("http://self.example", None),
            ("https://acme.sentry.io", None),
            ("https://a@evil.example", None),
            ("https://sentry.io#.evil.example", None),
            ("", None),
        ] {
            let found = read(&format!(r#"{{"url":"{url}"}}"#), &secret);
            assert_eq!(found.ok().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn an_invalid_code_is_reported_and_not_repeated() {
        let good = r#"{"url":"https://sentry.io"}"#;
        let secret = "s".repeat(SECRET);
        let long = format!(
            r#"{{"url":"https://sentry.io","x":"{}"}}"#,
            "x".repeat(2048)
        );
        for (claims, secret) in [
            ("[]", secret.as_str()),
            ("{}", &secret),
            (r#"{"url":7}"#, &secret),
            ("no json", &secret),
            (&long, &secret),
            (good, &secret[1..]),
            (good, &format!("{secret}s")),
            (good, &format!("{}-", &secret[1..])),
        ] {
            let refused = read(claims, secret).expect_err(claims);
            assert!(refused.starts_with("this is no setup code"), "{refused}");
            assert!(!refused.contains("sss"), "{refused}");
        }
        for code in ["", "sntryc_", "sntryc_x", "sntrys_e30=_x", "sntryc_!_!"] {
            assert!(SetupCode::parse(Secret::new(code)).is_err(), "{code}");
        }
    }
}
