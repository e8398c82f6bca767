//! What must hold whatever bytes come in: a function for each fuzz target, which panics when it does not.
//!
//! Part of the library in its tests and under `cfg(fuzzing)` only, so that nothing is public for the sake of it.
//! Decisions about hosts and tokens are compared with [`reference`], which takes the long way; answers are read back
//! as their readers do.

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

/// Instances that the environment's token belongs to, one after the other.
const INSTANCES: [&str; 3] = [
    "https://sentry.io",
    "https://sentry.example:8443",
    "http://127.0.0.1:9000",
];

const TOKEN: &str = "sntryu_0123456789abcdef";

/// A machine without a database, and with the token of an instance.
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

/// As the variables of the environment are read.
fn blankless(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}
