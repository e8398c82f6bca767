//! `sentry auth hosts`: lists every host that would get a token or a stored credential, which one, and why.

use std::process::ExitCode;

use serde::Serialize;

use super::context::ConfigDir;
use super::forget::forget_host;
use super::output::{by_administrator, print, print_json, say};
use super::survey::{Stored, Survey};
use crate::cli::HostsArgs;
use crate::environment::Environment;
use crate::origin::Origin;
use crate::policy::{Decision, Server, Use, Verdict};
use crate::printable::printable;
use crate::store::Client;
use crate::world::{Timestamp, World};

pub(crate) fn hosts(world: &World, args: &HostsArgs) -> anyhow::Result<ExitCode> {
    let config = ConfigDir::of(world)?;
    if let Some(host) = &args.forget {
        return forget_host(world, &config, host);
    }
    let environment = Environment::of(world);
    let survey = Survey::of(world, config.store.as_ref(), &environment)?;
    if args.json {
        let hosts = survey.servers().map(|server| Host::of(&survey, &server));
        print_json(&hosts.collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines = lines(&survey);
    match lines.is_empty() {
        true => say(
            "no host gets a credential\nhint: `sentry auth login`, then `sentry auth setup-git`",
        ),
        false => print(&lines.join("\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Hosts that get the same credential for the same reason.
struct Line {
    names: Vec<String>,
    clients: Vec<&'static str>,
    described: String,
}

/// One line for each host, but a single line for all names of an instance that are known only by the login; then the
/// stored credentials that are not returned.
pub(super) fn lines(survey: &Survey<'_>) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for server in survey.servers() {
        let is_bound = survey.binding(&server).is_some();
        let is_plain = !is_bound && survey.stored(&server).next().is_none();
        let name = match (is_plain, &server.origin) {
            (true, Some(origin)) => origin.to_string(),
            _ => server.name().to_owned(),
        };
        let client = server.client.name();
        let mut described = survey.decide(&server, described);
        if let Some(since) = survey.since(&server) {
            described.push_str(&format!("; since {since}"));
        }
        if survey.is_by_administrator(&server) {
            described.push_str(&format!("; {}", by_administrator()));
        }
        match lines
            .iter_mut()
            .find(|line| is_plain && line.described == described)
        {
            Some(line) => {
                if !line.names.contains(&name) {
                    line.names.push(name);
                }
                if !line.clients.contains(&client) {
                    line.clients.push(client);
                }
            }
            None => lines.push(Line {
                names: vec![name],
                clients: vec![client],
                described,
            }),
        }
    }
    let lines = lines.into_iter().map(|line| {
        let (names, clients) = (line.names.join(", "), line.clients.join(", "));
        format!("{names} ({clients}): {}", line.described)
    });
    let mut lines: Vec<String> = lines.collect();
    for server in survey.servers() {
        let stored = survey.stored(&server);
        lines.extend(stored.filter_map(|stored| unused(&server, stored)));
    }
    lines
}

fn unused(server: &Server, stored: Stored) -> Option<String> {
    let when = match stored.used {
        Use::Always => return None,
        Use::WhenNamed => "is used only for requests that name the user",
        Use::Never => "is never used",
    };
    let path = stored
        .path
        .map_or_else(String::new, |path| format!("/{}", printable(&path)));
    let what = match server.client {
        Client::Git => "password",
        Client::Docker => "login",
    };
    let of = stored
        .username
        .map_or_else(String::new, |name| format!(" of {}", printable(&name)));
    let (name, client) = (server.name(), server.client.name());
    Some(format!(
        "{name}{path} ({client}): a stored {what}{of} {when}"
    ))
}

/// A host with `--json`.
#[derive(Serialize)]
pub(super) struct Host {
    client: &'static str,
    host: String,
    bound: bool,
    administrator: bool,
    /// `session`, `stored`, `nothing`, or the name of a variable.
    gets: &'static str,
    instance: Option<Origin>,
    account: Option<String>,
    username: Option<String>,
    why: String,
    since: Option<Timestamp>,
    stored: Vec<StoredCredential>,
}

/// A stored credential of a host, with `--json`.
#[derive(Serialize)]
struct StoredCredential {
    username: Option<String>,
    path: Option<String>,
    used: Use,
}

impl Host {
    pub(super) fn of(survey: &Survey<'_>, server: &Server) -> Host {
        let stored = survey.stored(server).map(|stored| StoredCredential {
            username: stored.username.as_deref().map(printable),
            path: stored.path.as_deref().map(printable),
            used: stored.used,
        });
        let binding = survey.binding(server);
        survey.decide(server, |decision, has_answer| {
            let (gets, instance, account) = match decision.verdict {
                Verdict::Stored(_) => ("stored", None, None),
                Verdict::Environment(found) => (found.variable, Some(&found.origin), None),
                Verdict::Session(session) => {
                    ("session", Some(&session.origin), Some(session.label()))
                }
                Verdict::Login(login) => ("nothing", Some(login.instance), None),
                Verdict::Broken(_) | Verdict::Nothing => ("nothing", None, None),
            };
            Host {
                client: server.client.name(),
                host: server.name().to_owned(),
                bound: binding.is_some(),
                administrator: survey.is_by_administrator(server),
                gets: if has_answer { gets } else { "nothing" },
                instance: instance.or(binding.map(|binding| &binding.origin)).cloned(),
                account,
                username: has_answer.then(|| printable(decision.answered_username())),
                why: decision.reason.to_string(),
                since: survey.since(server),
                stored: stored.collect(),
            }
        })
    }
}

/// Describes what a host gets, and why, in one sentence.
fn described(decision: &Decision<'_>, has_answer: bool) -> String {
    let what = match decision.verdict {
        Verdict::Stored(stored) => {
            let name = stored.username.as_deref().filter(|name| !name.is_empty());
            let of = name.map(printable);
            let of = of.map_or_else(String::new, |name| format!(" of {name}"));
            format!("the stored credential{of}")
        }
        Verdict::Environment(found) => format!("the token in {}", found.variable),
        Verdict::Session(session) if has_answer => format!("the token of {}", session.label()),
        Verdict::Session(session)
            if session
                .tokens
                .as_ref()
                .is_none_or(|tokens| tokens.refresh.is_none()) =>
        {
            format!("nothing while the session of {} has ended", session.label())
        }
        Verdict::Session(session) => {
            format!(
                "nothing until the token of {} is refreshed",
                session.label()
            )
        }
        Verdict::Login(_) | Verdict::Broken(_) | Verdict::Nothing => "nothing".to_owned(),
    };
    let username = decision.username.map(printable);
    let username = username.map_or_else(String::new, |name| format!(" as {name}"));
    format!("{what}{username}, because {}", decision.reason)
}
