//! Reports what a set-up changed in a file and in the bindings, or with `--dry-run` would change, one line each.
//!
//! Separate from the commands so that `setup-git` and `setup-docker` use the same words. A set-up that was done has one
//! line for each host, its result; the changes that led to it are steps of `--verbose`.

use super::forget::stored_by;
use super::output::{say, stays_bound};
use crate::store::{Binding, Client};
use crate::world::World;

/// The lines of a report, printed once everything is done.
pub(super) struct Report {
    dry_run: bool,
    lines: Vec<String>,
    /// The changes that a result stands for.
    steps: Option<Vec<String>>,
}

/// The kind of change.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Add,
    Bind,
    Move,
    Remove,
    Set,
    Unbind,
}

impl Report {
    pub(super) fn new(dry_run: bool) -> Report {
        Report {
            dry_run,
            lines: Vec::new(),
            steps: None,
        }
    }

    /// A report of results, with the changes as steps; of the changes with `--dry-run`.
    pub(super) fn of_results(dry_run: bool) -> Report {
        Report {
            steps: (!dry_run).then(Vec::new),
            ..Report::new(dry_run)
        }
    }

    pub(super) fn did(&mut self, verb: Verb, what: &str) {
        let (done, would) = match verb {
            Verb::Add => ("added", "add"),
            Verb::Bind => ("bound", "bind"),
            Verb::Move => ("moved", "move"),
            Verb::Remove => ("removed", "remove"),
            Verb::Set => ("set", "set"),
            Verb::Unbind => ("unbound", "unbind"),
        };
        let line = match self.dry_run {
            true => format!("would {would} {what}"),
            false => format!("{done} {what}"),
        };
        match &mut self.steps {
            Some(steps) => steps.push(line),
            None => self.lines.push(line),
        }
    }

    /// Reports that a client uses a login for a host, and the helpers that it used before.
    pub(super) fn uses(&mut self, client: &str, binding: &Binding, host: &str, former: &[String]) {
        if self.steps.is_none() {
            return;
        }
        let instance = binding.origin.to_string();
        let mut line = format!("{client} uses the login of {instance}");
        if host != instance {
            line.push_str(&format!(" for {host}"));
        }
        if let Some(user) = &binding.username {
            line.push_str(&format!(" as {user}"));
        }
        if !former.is_empty() {
            line.push_str(&format!(", no longer {}", former.join(", ")));
        }
        self.lines.push(line);
    }

    /// Omits the binding of an instance's own host, which is implicit.
    pub(super) fn bound(&mut self, name: &str, binding: &Binding) {
        if name == binding.origin.to_string() && binding.username.is_none() {
            return;
        }
        let user = binding.username.as_ref();
        let user = user.map_or_else(String::new, |user| format!(" as {user}"));
        self.did(Verb::Bind, &format!("{name} to {}{user}", binding.origin));
    }

    pub(super) fn unbound(&mut self, name: &str, binding: &Binding) {
        if name != binding.origin.to_string() {
            self.did(Verb::Unbind, &format!("{name} from {}", binding.origin));
        }
    }

    /// No undo of a user's ends what the administrator's file binds.
    pub(super) fn stays_bound(
        &mut self,
        client: Client,
        rolled_out: &[Binding],
        is_meant: impl Fn(&str) -> bool,
    ) {
        let prefix = client.server("");
        let lines = rolled_out.iter().filter(|binding| {
            let name = binding.server.strip_prefix(&prefix);
            name.is_some_and(&is_meant)
        });
        self.lines.extend(lines.map(stays_bound));
    }

    /// A result of its own: `--undo` does not restore it.
    pub(super) fn removed_stored(&mut self, client: Client, name: &str) {
        let steps = self.steps.take();
        self.did(Verb::Remove, &format!("{} for {name}", stored_by(client)));
        self.steps = steps;
    }

    pub(super) fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    pub(super) fn append(&mut self, other: &mut Report) {
        self.lines.append(&mut other.lines);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.steps.as_ref().is_none_or(Vec::is_empty)
    }

    pub(super) fn print(&self, world: &World) {
        for step in self.steps.iter().flatten() {
            world.trace(|| step.clone());
        }
        self.lines.iter().for_each(|line| say(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, SELF};

    #[test]
    fn a_set_up_has_one_line_for_each_host_and_its_changes_are_steps() {
        let machine = Machine::new().at(SELF);
        let binding = machine.binding(Client::Git, "r.example");
        let mut report = Report::of_results(false);
        report.bound("r.example", &binding);
        assert!(!report.is_empty());
        report.uses("git", &binding, "r.example", &["`store`".to_owned()]);
        report.uses("git", &binding, SELF, &[]);
        report.removed_stored(Client::Docker, "r.example");
        report.did(Verb::Add, "`x`");
        assert_eq!(
            report.lines,
            [
                "git uses the login of https://self.example for r.example, no longer `store`",
                "git uses the login of https://self.example",
                "removed the login that docker had stored for r.example",
            ]
        );
        let steps = ["bound r.example to https://self.example", "added `x`"];
        assert_eq!(report.steps.unwrap(), steps);
        let mut dry = Report::of_results(true);
        dry.uses("git", &binding, "r.example", &[]);
        assert!(dry.is_empty());
    }

    #[test]
    fn a_change_and_a_dry_run_are_reported_in_the_same_words() {
        let machine = Machine::new().at(SELF);
        let binding = Binding {
            username: Some("robot".into()),
            ..machine.binding(Client::Git, "r.example")
        };
        for (dry_run, expected) in [
            (
                false,
                [
                    "bound r.example to https://self.example as robot",
                    "unbound r.example from https://self.example",
                ],
            ),
            (
                true,
                [
                    "would bind r.example to https://self.example as robot",
                    "would unbind r.example from https://self.example",
                ],
            ),
        ] {
            let mut report = Report::new(dry_run);
            assert!(report.is_empty());
            report.bound("r.example", &binding);
            report.unbound("r.example", &binding);
            // That an instance's own host is bound to it goes without saying.
            let itself = Binding {
                username: None,
                ..binding.clone()
            };
            report.bound(SELF, &itself);
            report.unbound(SELF, &itself);
            assert_eq!(report.lines, expected);
        }
    }
}
