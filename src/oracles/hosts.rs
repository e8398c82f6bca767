//! Properties of hosts, and of the instances that tokens belong to.
//!
//! Separate from the protocols because these inputs are single names.

use std::rc::Rc;

use super::reference::{self, Place};
use super::{agree, blankless};
use crate::environment;
use crate::origin::{NotAnOrigin, Origin};
use crate::secret::Secret;
use crate::world::{SystemClock, World};

/// A host, or several on separate lines: the grammar, the canonical form, and trust.
pub fn origin(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let mut known = Vec::new();
    for line in text.split('\n') {
        let (origin, place) = (Origin::parse(line), reference::origin(line));
        agree(origin.as_ref().ok(), place.as_ref(), line);
        if origin == Err(NotAnOrigin::Insecure) {
            let secure = line.replacen(':', "s:", 1);
            assert!(
                reference::origin(&secure).is_some(),
                "{line:?} is malformed"
            );
        }
        known.extend(origin.ok().zip(place));
        let setting = Origin::from_setting(line).ok();
        agree(setting.as_ref(), reference::setting(line).as_ref(), line);
        let parts = Origin::from_parts("https", line).ok();
        agree(
            parts.as_ref(),
            reference::parts("https", line).as_ref(),
            line,
        );
    }
    for (token_of, its_place) in &known {
        for (host, place) in &known {
            assert_eq!(
                host.may_receive(token_of),
                reference::trusts(its_place, place),
                "{token_of} to {host}"
            );
            assert_eq!(host == token_of, place == its_place, "{token_of} is {host}");
        }
    }
}

/// An environment's token and, on a second line, an instance: the claims of the token, and the instance it belongs to.
pub fn claim(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let (token, instance) = text.split_once('\n').unwrap_or((text, ""));
    let claims = reference::claims(token);
    let claimed = claims.as_ref().and_then(|claims| claims["url"].as_str());
    let found = Secret::new(token).claims();
    assert_eq!(found.is_some(), claims.is_some(), "{token:?}");
    let url = found.and_then(|claims| claims.url);
    assert_eq!(url.as_deref(), claimed.filter(|url| !url.is_empty()));

    let (token, instance) = (blankless(token), blankless(instance));
    let variables = [("SENTRY_AUTH_TOKEN", token), ("SENTRY_URL", instance)];
    let found = environment::token(&World::of(&variables, Rc::new(SystemClock)));
    match (found, token_place(token, instance)) {
        (Ok(None), Some(None)) | (Err(_), None) => {}
        (Ok(Some(found)), Some(Some(place))) => {
            assert_eq!(found.token.expose(), token);
            agree(Some(&found.origin), Some(&place), token);
        }
        (found, expected) => panic!("{token:?} of {instance:?}: {found:?}, not {expected:?}"),
    }
}

/// The instance of the environment's token; the outer `None` is an error, the inner one no token.
fn token_place(token: &str, instance: &str) -> Option<Option<Place>> {
    if token.is_empty() {
        return Some(None);
    }
    // Quotation marks around a token are detected as such.
    if token.starts_with(['"', '\'', '`']) || token.ends_with(['"', '\'', '`']) {
        return None;
    }
    let claims = reference::claims(token).unwrap_or_default();
    let claimed = match claims["url"].as_str().unwrap_or("") {
        "" => None,
        url => Some(reference::origin(url)?),
    };
    let named = match instance {
        "" => None,
        instance => {
            let named = reference::setting(instance)?;
            if reference::is_organization(&named) {
                return None;
            }
            Some(named)
        }
    };
    let contradicts = |claimed: &Place| {
        let named = named.as_ref();
        named.is_some_and(|named| !reference::trusts(claimed, named))
    };
    if !reference::is_token(token) || claimed.as_ref().is_some_and(contradicts) {
        return None;
    }
    Some(
        claimed
            .or(named)
            .or_else(|| reference::setting("sentry.io")),
    )
}
