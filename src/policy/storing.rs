//! Decides what happens to a credential that a client stores or erases: whether it is one of our tokens, and whether it
//! is stored.
//!
//! Separate from [`super::decide()`], which answers a different question from the same facts.

use super::accounts::active_account;
use super::facts::Facts;
use super::host::Host;
use super::request::{Request, USERNAME};
use crate::account::Session;
use crate::failure::Failure;
use crate::printable::quoted;
use crate::secret::Secret;
use crate::store::{Binding, Client};

/// Where a secret comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Provenance<'a> {
    /// An environment variable holds it.
    Environment,
    /// It is a current token of this session.
    Session(&'a Session),
    /// It is a former token of a session.
    Former,
    /// Its origin is unknown, but it has the form of a Sentry token.
    Token,
    /// It is not a Sentry token, as far as its form shows.
    Foreign,
}

/// Where else a secret is known, besides the stored sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownFrom {
    /// An environment variable holds it.
    Environment,
    /// A session had it before.
    FormerSession,
    /// Nowhere else.
    Nowhere,
}

/// What to do with a credential that a client stores.
#[derive(Debug)]
pub(crate) enum StoreVerdict {
    /// Store nothing: the credential is one of our own tokens.
    Ignore,
    /// Store it.
    Store,
    /// Store it in place of everything stored for the registry, and write this binding: the registry gets no token
    /// until it is signed in again.
    Replace(Binding),
    /// Remove everything stored for the registry, and write this binding.
    SignIn(Binding),
    /// Report to the client that the credential is not stored.
    Refuse(Failure),
}

impl Provenance<'_> {
    /// Classifies a secret.
    pub(crate) fn of<'a>(
        facts: &'a Facts<'_>,
        secret: &Secret,
        known: KnownFrom,
    ) -> Provenance<'a> {
        let has = |session: &&Session| {
            session.tokens.as_ref().is_some_and(|tokens| {
                tokens.access == *secret || tokens.refresh.as_ref() == Some(secret)
            })
        };
        if known == KnownFrom::Environment {
            return Provenance::Environment;
        }
        match facts.sessions.iter().find(has) {
            Some(session) => Provenance::Session(session),
            None if known == KnownFrom::FormerSession => Provenance::Former,
            None if secret.looks_like_prefixed_token() => Provenance::Token,
            None => Provenance::Foreign,
        }
    }
}

/// Decides about a credential that git stores. git stores every credential that worked, our own tokens included.
pub(crate) fn decide_git_store(
    facts: &Facts<'_>,
    request: &Request<'_>,
    secret: &Secret,
    provenance: Provenance<'_>,
) -> StoreVerdict {
    let is_ours = Host::of(facts, request).is_some();
    match provenance {
        Provenance::Environment | Provenance::Session(_) | Provenance::Former => {
            StoreVerdict::Ignore
        }
        // Another program may have rotated the token since it was returned, and records no former tokens.
        Provenance::Token if is_ours => StoreVerdict::Ignore,
        Provenance::Foreign if is_ours && secret.looks_like_oauth_token() => StoreVerdict::Ignore,
        Provenance::Token | Provenance::Foreign => StoreVerdict::Store,
    }
}

/// Decides about a login that docker stores: always the user's own act, so it replaces the previous one.
pub(crate) fn decide_docker_store(
    facts: &Facts<'_>,
    request: &Request<'_>,
    username: &str,
    secret: &Secret,
    provenance: Provenance<'_>,
) -> StoreVerdict {
    let Some(host) = Host::of(facts, request) else {
        return match provenance {
            Provenance::Token | Provenance::Foreign => StoreVerdict::Store,
            ours => StoreVerdict::Refuse(not_bound(facts, request, ours)),
        };
    };
    let answered = host.username();
    let is_served = match provenance {
        Provenance::Environment => host.environment(facts).is_some(),
        Provenance::Session(session) => host
            .session
            .is_some_and(|served| served.account == session.account),
        Provenance::Former => true,
        Provenance::Token => false,
        // `docker login` stores what `get` returned, which another program may have rotated in between.
        Provenance::Foreign => username == answered && secret.looks_like_oauth_token(),
    };
    match provenance {
        _ if is_served => {
            let binding = Binding {
                signed_out: false,
                username: Some(username.to_owned()).filter(|name| name != USERNAME),
                ..host.binding(request)
            };
            let is_new = host.is_signed_out() || username != answered;
            match is_new || !facts.credentials.is_empty() {
                true => StoreVerdict::SignIn(binding),
                false => StoreVerdict::Ignore,
            }
        }
        Provenance::Foreign => StoreVerdict::Replace(Binding {
            signed_out: true,
            ..host.binding(request)
        }),
        another => StoreVerdict::Refuse(bound_elsewhere(facts, &host, request, another)),
    }
}

/// The binding of a registry that docker logs out of; `None` if the registry gets no token.
pub(crate) fn signed_out_binding(facts: &Facts<'_>, request: &Request<'_>) -> Option<Binding> {
    let host = Host::of(facts, request)?;
    let is_served = host.session.is_some() || host.environment(facts).is_some();
    let is_new = match host.binding {
        Some(binding) => !binding.signed_out,
        None => is_served,
    };
    is_new.then(|| Binding {
        signed_out: true,
        ..host.binding(request)
    })
}

impl Host<'_> {
    /// The host's binding, or the implicit one of an instance.
    fn binding(&self, request: &Request<'_>) -> Binding {
        self.binding.cloned().unwrap_or_else(|| Binding {
            server: request.host.to_owned(),
            origin: self.instance.clone(),
            username: None,
            signed_out: false,
            account: None,
        })
    }
}

/// The registry as docker names it.
fn registry<'a>(request: &Request<'a>) -> &'a str {
    let prefix = Client::Docker.server("");
    request.host.strip_prefix(&prefix).unwrap_or(request.host)
}

/// The options that make `setup-docker` select this session.
fn options(facts: &Facts<'_>, session: &Session) -> String {
    let mut options = String::new();
    if !session.active {
        options.push_str(&format!(" --url {}", session.origin));
    }
    let active = active_account(&facts.sessions, &session.origin);
    if active.is_none_or(|active| active.account != session.account) {
        options.push_str(&format!(" --account {}", quoted(&session.label())));
    }
    options
}

fn owner(facts: &Facts<'_>, provenance: Provenance<'_>) -> String {
    match (provenance, &facts.environment.token) {
        (Provenance::Environment, Ok(Some(found))) => format!("the token of {}", found.variable),
        (Provenance::Environment, _) => "the token of the environment".to_owned(),
        (Provenance::Session(session), _) => {
            format!("the token of {} at {}", session.label(), session.origin)
        }
        (Provenance::Former, _) => "a former token of a Sentry login".to_owned(),
        (Provenance::Token | Provenance::Foreign, _) => {
            "a Sentry token that belongs to no login here".to_owned()
        }
    }
}

/// Refuses a token of ours for a registry that is not bound.
fn not_bound(facts: &Facts<'_>, request: &Request<'_>, provenance: Provenance<'_>) -> Failure {
    let (registry, owner) = (registry(request), owner(facts, provenance));
    let of = match provenance {
        Provenance::Session(session) => options(facts, session),
        _ => String::new(),
    };
    let typed = quoted(registry);
    Failure::new(format!(
        "this is {owner}; `sentry auth setup-docker --registry {typed}{of}` lets {registry} use it"
    ))
}

/// Refuses a Sentry token for a registry that is bound to another instance or account.
fn bound_elsewhere(
    facts: &Facts<'_>,
    host: &Host<'_>,
    request: &Request<'_>,
    provenance: Provenance<'_>,
) -> Failure {
    let (registry, owner, instance) = (registry(request), owner(facts, provenance), host.instance);
    let what = format!("this is {owner}, and {registry} is bound to {instance}");
    let registry = quoted(registry);
    let login = format!("`sentry auth login --url {instance} --with-token`");
    match provenance {
        Provenance::Session(session) => Failure::new(what).hint(format!(
            "`sentry auth setup-docker --registry {registry}{}`",
            options(facts, session)
        )),
        Provenance::Environment => {
            let theirs = match &facts.environment.token {
                Ok(Some(found)) => found.origin.to_string(),
                _ => instance.to_string(),
            };
            Failure::new(what).hint(format!(
                "`sentry auth setup-docker --registry {registry} --url {theirs}`"
            ))
        }
        _ => Failure::new(what).hint(format!(
            "{login}, then `sentry auth setup-docker --registry {registry} --account NAME`"
        )),
    }
}
