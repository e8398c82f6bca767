//! The content of the database, read once for all checks.
//!
//! Separate from the checks so that they all see the same state.

use crate::account::Session;
use crate::environment;
use crate::store::{Binding, Store};
use crate::world::World;

/// The content of the database; empty if there is none, or none that can be read.
#[derive(Default)]
pub(super) struct Snapshot {
    /// There is a database, but it cannot be read.
    pub(super) unread: bool,
    pub(super) store: Option<Store>,
    pub(super) sessions: Vec<Session>,
    pub(super) git: Vec<Binding>,
    /// Directories of repositories, and the hosts that are set up only there.
    pub(super) in_repositories: Vec<(String, String)>,
    pub(super) docker: Vec<Binding>,
    /// Which of these bindings (`git <origin>`, `docker <host>`) are the administrator's.
    pub(super) by_administrator: Vec<String>,
}

impl Snapshot {
    /// Whether the administrator bound it: then a client that is not set up may be what the user wants.
    pub(super) fn is_by_administrator(&self, binding: &Binding) -> bool {
        self.by_administrator.contains(&binding.server)
    }

    /// Whether a set-up without `--url` would find an instance.
    pub(super) fn has_login(&self, world: &World) -> bool {
        !self.sessions.is_empty()
            || matches!(environment::token(world), Ok(Some(_)))
            || matches!(environment::instance(world), Ok(Some(_)))
    }
}
