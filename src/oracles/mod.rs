//! Properties that hold for any input bytes: one function per fuzz target, which panics on a violation.
//!
//! Part of the library only in its tests and under `cfg(fuzzing)`, so that nothing becomes public for their sake.
//! Decisions about hosts and tokens are compared with [`reference`], an independent implementation; answers are parsed
//! as their readers parse them.

mod hosts;
mod protocols;
mod reference;
mod server;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::failure;
use crate::origin::Origin;
use crate::world::{SystemClock, World};

use reference::Place;

pub use hosts::{claim, origin};
pub use protocols::{docker_get, docker_store, git, git_store};
pub use server::{device, printable, token};

/// Instances to which the environment's token belongs in turn.
const INSTANCES: [&str; 3] = [
    "https://sentry.io",
    "https://sentry.example:8443",
    "http://127.0.0.1:9000",
];

const TOKEN: &str = "sntryu_0123456789abcdef";

/// A machine without a database, with a token of the instance in the environment.
fn nowhere(instance: &str) -> World {
    world(
        "/nonexistent",
        &[("SENTRY_TOKEN", TOKEN), ("SENTRY_URL", instance)],
    )
    .quietly()
}

fn world(dir: &str, variables: &[(&str, &str)]) -> World {
    let home = [("HOME", dir), ("SENTRY_CONFIG_DIR", dir), ("CI", "true")];
    World::of(&[&home, variables].concat(), Rc::new(SystemClock))
}

fn one_line(error: &anyhow::Error) {
    let line = failure::one_line(error);
    assert!(
        !line.is_empty() && !line.contains(char::is_control),
        "{line:?}"
    );
}

fn agree(origin: Option<&Origin>, place: Option<&Place>, text: &str) {
    assert_eq!(origin.is_some(), place.is_some(), "{text:?}");
    let Some(origin) = origin else {
        return;
    };
    let form = origin.to_string();
    assert_eq!(reference::origin(&form).as_ref(), place, "{text:?}");
    assert_eq!(form, form.to_ascii_lowercase());
    let default = match form.starts_with("https") {
        true => ":443",
        false => ":80",
    };
    assert!(form.ends_with(']') || !form.ends_with(default), "{form}");
    assert_eq!(form.matches("://").count(), 1);
}

/// Trims a value like a variable of the environment.
fn blankless(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}
