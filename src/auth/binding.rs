//! The binding that a set-up writes.
//!
//! Shared by `setup-git` and `setup-docker`: what a command does not name stays as it was.

use crate::store::{Binding, ReadTransaction};

/// A binding to write, and whether the store has it already.
pub(super) struct Rebound {
    pub(super) binding: Binding,
    pub(super) is_known: bool,
}

impl Rebound {
    /// Completes what a command names by the user name and the account that the server has for the same instance.
    pub(super) fn of(
        named: Binding,
        view: Option<&ReadTransaction<'_>>,
    ) -> anyhow::Result<Rebound> {
        let known = view
            .map(|view| view.binding(&named.server))
            .transpose()?
            .flatten();
        let same = known.as_ref().filter(|known| known.origin == named.origin);
        let binding = Binding {
            username: named.username.or_else(|| same?.username.clone()),
            account: named.account.or_else(|| same?.account.clone()),
            ..named
        };
        let is_known = known.as_ref() == Some(&binding);
        Ok(Rebound { binding, is_known })
    }
}
