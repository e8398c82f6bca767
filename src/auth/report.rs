//! Reports what a set-up changed in a file and in the bindings, or with `--dry-run` would change, one line each.
//!
//! Separate from the commands so that `setup-git` and `setup-docker` use the same words.

use super::forget::stored_by;
use super::output::{say, stays_bound};
use crate::store::{Binding, Client};

/// The lines of a report, printed once everything is done.
pub(super) struct Report {
    dry_run: bool,
    lines: Vec<String>,
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
        self.lines.push(match self.dry_run {
            true => format!("would {would} {what}"),
            false => format!("{done} {what}"),
        });
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

    pub(super) fn removed_stored(&mut self, client: Client, name: &str) {
        self.did(Verb::Remove, &format!("{} for {name}", stored_by(client)));
    }

    pub(super) fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    pub(super) fn append(&mut self, other: &mut Report) {
        self.lines.append(&mut other.lines);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn print(&self) {
        self.lines.iter().for_each(|line| say(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, SELF};

    #[test]
    fn what_is_done_and_what_would_be_done_is_told_in_the_same_words() {
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
