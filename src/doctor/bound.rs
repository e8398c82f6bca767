//! Each bound host: the instance and the account whose token it gets.
//!
//! Separate from git's and docker's configuration: a host can be configured there and bound to an instance where nobody
//! is logged in. `sentry auth hosts` lists all hosts, and why.

use super::check::Check;
use super::snapshot::Snapshot;
use crate::auth::Survey;
use crate::environment::Environment;
use crate::policy::{Decision, Server, Verdict};
use crate::printable::printable;
use crate::world::World;

const NAME: &str = "host";

pub(super) fn bound(world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let environment = Environment::of(world);
    // That it cannot be read is reported with the stored credentials.
    let Ok(survey) = Survey::of(world, snapshot.store.as_ref(), &environment) else {
        return Vec::new();
    };
    let servers = survey.servers();
    servers.filter_map(|server| of(&survey, &server)).collect()
}

fn of(survey: &Survey<'_>, server: &Server) -> Option<Check> {
    let binding = survey
        .binding(server)
        .filter(|binding| !binding.signed_out)?;
    let name = format!("{} ({})", printable(server.name()), server.client.name());
    let instance = &binding.origin;
    survey.decide(server, |decision, has_answer| match decision.verdict {
        _ if has_answer => Some(Check::ok(NAME, format!("{name} gets {}", token(decision)))),
        // Its own check says what is wrong with the session.
        Verdict::Session(session) => Some(Check::ok(
            NAME,
            format!("{name} is bound to {instance}, as {}", session.label()),
        )),
        Verdict::Login(_) if survey.is_by_administrator(server) => Some(Check::ok(
            NAME,
            format!("{name} is bound to {instance}; its first use logs in"),
        )),
        Verdict::Login(_) => Some(Check::warning(
            NAME,
            format!("{name} is bound to {instance}, where nobody is logged in"),
            format!("`sentry auth login --url {instance}`"),
        )),
        Verdict::Broken(_) | Verdict::Nothing | Verdict::Stored(_) | Verdict::Environment(_) => {
            None
        }
    })
}

fn token(decision: &Decision<'_>) -> String {
    match decision.verdict {
        Verdict::Session(session) => {
            format!("the token of {} at {}", session.label(), session.origin)
        }
        Verdict::Environment(found) => format!("the token in {}", found.variable),
        _ => "a stored credential".to_owned(),
    }
}
