//! What becomes of a credential that a program `store`s, and of an erasure: which secrets are ours, and what is kept.
//!
//! Separate from [`super::decide()`] because the question is another one; both look at the same facts.

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
    /// A variable of the environment holds it.
    Environment,
    /// A session has it now.
    Session(&'a Session),
    /// A session had it.
    Former,
    /// Its origin is unknown, but it has the form of one of Sentry's tokens.
    Token,
    /// It is somebody else's.
    Foreign,
}

/// What is to be done with what a program stores.
#[derive(Debug)]
pub(crate) enum Keep {
    /// Nothing: it has its one home already.
    Nothing,
    /// Keep it.
    Credential,
    /// Keep it in place of all that was stored for the registry, and bind the registry like this: no token is served
    /// there until it is signed in again.
    Instead(Binding),
    /// Remove all that was stored for the registry, and bind it like this.
    SignIn(Binding),
    /// Tell the client that it is not kept.
    Refuse(Failure),
}

impl Provenance<'_> {
    /// Judged by what is known now; `former`: a session had it once.
    pub(crate) fn of<'a>(
        facts: &'a Facts<'_>,
        secret: &Secret,
        former: bool,
        held: bool,
    ) -> Provenance<'a> {
        let has = |session: &&Session| {
            session.tokens.as_ref().is_some_and(|tokens| {
                tokens.access == *secret || tokens.refresh.as_ref() == Some(secret)
            })
        };
        if held {
            return Provenance::Environment;
        }
        match facts.sessions.iter().find(has) {
            Some(session) => Provenance::Session(session),
            None if former => Provenance::Former,
            None if secret.has_form_of_a_token() => Provenance::Token,
            None => Provenance::Foreign,
        }
    }
}

/// What becomes of a credential that git stores: what is ours comes back after each success, and has its home already.
pub(crate) fn kept_for_git(
    facts: &Facts<'_>,
    request: &Request<'_>,
    secret: &Secret,
    from: Provenance<'_>,
) -> Keep {
    let is_ours = Host::of(facts, request).is_some();
    match from {
        Provenance::Environment | Provenance::Session(_) | Provenance::Former => Keep::Nothing,
        // Another program may have rotated it since we answered it, and keeps no list of former ones.
        Provenance::Token if is_ours => Keep::Nothing,
        Provenance::Foreign if is_ours && secret.has_form_of_an_access_token() => Keep::Nothing,
        Provenance::Token | Provenance::Foreign => Keep::Credential,
    }
}

/// What becomes of a login that docker stores: always the user's own act, so the last one wins, and one is in force.
pub(crate) fn kept_for_docker(
    facts: &Facts<'_>,
    request: &Request<'_>,
    username: &str,
    secret: &Secret,
    from: Provenance<'_>,
) -> Keep {
    let Some(host) = Host::of(facts, request) else {
        return match from {
            Provenance::Token | Provenance::Foreign => Keep::Credential,
            ours => Keep::Refuse(not_for_others(facts, request, ours)),
        };
    };
    let answered = host.username();
    let is_served = match from {
        Provenance::Environment => host.environment(facts).is_some(),
        Provenance::Session(session) => host
            .session
            .is_some_and(|served| served.account == session.account),
        Provenance::Former => true,
        Provenance::Token => false,
        // `docker login` stores what `get` answered; another program may have rotated it in between.
        Provenance::Foreign => username == answered && secret.has_form_of_an_access_token(),
    };
    match from {
        _ if is_served => {
            let binding = Binding {
                signed_out: false,
                username: Some(username.to_owned()).filter(|name| name != USERNAME),
                ..host.binding(request)
            };
            let is_new = host.is_signed_out() || username != answered;
            match is_new || !facts.credentials.is_empty() {
                true => Keep::SignIn(binding),
                false => Keep::Nothing,
            }
        }
        Provenance::Foreign => Keep::Instead(Binding {
            signed_out: true,
            ..host.binding(request)
        }),
        another => Keep::Refuse(not_the_one(facts, &host, request, another)),
    }
}

/// The binding of a registry that docker logs out of; `None` where no token is served.
pub(crate) fn signed_out(facts: &Facts<'_>, request: &Request<'_>) -> Option<Binding> {
    let host = Host::of(facts, request)?;
    let is_served = host.session.is_some() || host.environment(facts).is_some();
    let is_to_be_noted = match host.binding {
        Some(binding) => !binding.signed_out,
        None => is_served,
    };
    is_to_be_noted.then(|| Binding {
        signed_out: true,
        ..host.binding(request)
    })
}

impl Host<'_> {
    /// The binding, or the one that goes without saying.
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

/// The registry as docker knows it.
fn registry<'a>(request: &Request<'a>) -> &'a str {
    let prefix = Client::Docker.server("");
    request.host.strip_prefix(&prefix).unwrap_or(request.host)
}

/// What `setup-docker` is to be told, so that it takes this session and no other.
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

fn owner(facts: &Facts<'_>, from: Provenance<'_>) -> String {
    match (from, &facts.environment.token) {
        (Provenance::Environment, Ok(Some(found))) => format!("the token of {}", found.variable),
        (Provenance::Environment, _) => "the token of the environment".to_owned(),
        (Provenance::Session(session), _) => {
            format!("the token of {} at {}", session.label(), session.origin)
        }
        (Provenance::Former, _) => "a former token of a Sentry login".to_owned(),
        (Provenance::Token | Provenance::Foreign, _) => {
            "a Sentry token of no login here".to_owned()
        }
    }
}

/// A token of ours for a registry that may not have it.
fn not_for_others(facts: &Facts<'_>, request: &Request<'_>, from: Provenance<'_>) -> Failure {
    let (registry, owner) = (registry(request), owner(facts, from));
    let of = match from {
        Provenance::Session(session) => options(facts, session),
        _ => String::new(),
    };
    Failure::new(format!(
        "this is {owner}; `sentry auth setup-docker --registry {registry}{of}` lets {registry} use it"
    ))
}

/// A Sentry token for a registry that has another.
fn not_the_one(
    facts: &Facts<'_>,
    host: &Host<'_>,
    request: &Request<'_>,
    from: Provenance<'_>,
) -> Failure {
    let (registry, owner, instance) = (registry(request), owner(facts, from), host.instance);
    let what = format!("this is {owner}, and {registry} is bound to {instance}");
    let login = format!("`sentry auth login --url {instance} --with-token`");
    match from {
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
