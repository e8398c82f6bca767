//! Validates what a user types after an option.
//!
//! Separate from the definitions of [`super`], which name these functions as clap's value parsers: a value is checked
//! before a command runs, and the error is one of usage.

use std::time::Duration;

use crate::origin::{NotAnOrigin, Origin};
use crate::printable::printable;
use crate::secret::{Secret, TokenInputError};

pub(super) fn token(text: &str) -> Result<Secret, TokenInputError> {
    Secret::from_input(text.as_bytes())
}

pub(super) fn scope(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("a scope looks like `org:read`".to_owned()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds from 1 to 86400".to_owned()),
    }
}

/// Validates a variable name as shells do (POSIX, "3.216 Name").
pub(super) fn variable(text: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = !text.starts_with(|first: char| first.is_ascii_digit());
    match text {
        "SENTRY_URL" | "SENTRY_HOST" => Err("that variable names the instance".to_owned()),
        _ if !text.is_empty() && starts_well && text.bytes().all(is_name) => Ok(text.to_owned()),
        _ => Err("the name of a variable looks like `SENTRY_AUTH_TOKEN`".to_owned()),
    }
}

pub(super) fn name(text: &str) -> Result<String, String> {
    match !text.trim().is_empty() && !text.contains(|character: char| character.is_control()) {
        true => Ok(text.trim().to_owned()),
        false => Err("a name is not empty and has no control characters".to_owned()),
    }
}

/// A word that needs no quotes in any shell.
pub(super) fn program_name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(is_plain)
    {
        true => Ok(text.to_owned()),
        false => Err("the name of a program looks like `sentry-credential`".to_owned()),
    }
}

pub(super) fn email(text: &str) -> Result<String, String> {
    match text.trim().split_once('@') {
        Some((user, domain)) if !user.is_empty() && !domain.is_empty() => name(text),
        _ => Err("an e-mail address looks like `jane@example.com`".to_owned()),
    }
}

pub(super) fn username(text: &str) -> Result<String, String> {
    match !text.is_empty() && !text.contains(|character: char| character.is_control()) {
        true => Ok(text.to_owned()),
        false => Err("a user name has no control characters".to_owned()),
    }
}

/// Why a text does not name a host of git, and what to type for it.
pub(super) fn no_git_host(text: &str, why: NotAnOrigin) -> String {
    if text.contains('*') {
        return "each host is set up by its own name, without `*`".to_owned();
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    if let Some((host, _)) = rest.split_once('/') {
        let host = format!("{scheme}{host}");
        if Origin::from_setting(&host).is_ok() {
            return format!("git gets a login for a whole host, without a path: use `{host}`");
        }
    }
    match why {
        NotAnOrigin::Malformed => {
            "a host of git looks like `git.example.com` or `git.example.com:8443`".to_owned()
        }
        NotAnOrigin::Insecure => why.to_string(),
    }
}

/// Validates a registry key as clients look it up: the host as typed in an image name.
pub(super) fn registry(text: &str) -> Result<String, String> {
    let host = match text.split_once("://") {
        Some((scheme, host)) if scheme.eq_ignore_ascii_case("https") => host,
        Some(_) => {
            return Err("a registry is named by its host, such as `r.example:5000`".to_owned());
        }
        None => text,
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    // Docker Hub is the one registry whose name has a path.
    let host = match host.eq_ignore_ascii_case("index.docker.io/v1") {
        true => "index.docker.io",
        false => host,
    };
    if let Some((host, _)) = host.split_once('/') {
        return Err(format!(
            "docker and podman look a helper up by the host of a registry, without a path: use `{}`",
            printable(host)
        ));
    }
    match Origin::from_parts("https", host) {
        Ok(_) => Ok(host.to_owned()),
        Err(_) => Err("a registry is named by its host, such as `r.example:5000`".to_owned()),
    }
}
