//! What the database says, read once for all checks.

use crate::account::Session;
use crate::environment;
use crate::store::{Binding, Store};
use crate::world::World;

/// What the database says; nothing where there is none, or none that can be read.
#[derive(Default)]
pub(super) struct Snapshot {
    /// It is there, and could not be read.
    pub(super) unread: bool,
    pub(super) store: Option<Store>,
    pub(super) sessions: Vec<Session>,
    pub(super) git: Vec<Binding>,
    /// Directories of repositories, and hosts that were set up for one of them only.
    pub(super) in_repositories: Vec<(String, String)>,
    pub(super) docker: Vec<Binding>,
}

impl Snapshot {
    /// Whether a set-up that names no instance knows one.
    pub(super) fn has_login(&self, world: &World) -> bool {
        !self.sessions.is_empty()
            || matches!(environment::token(world), Ok(Some(_)))
            || matches!(environment::instance(world), Ok(Some(_)))
    }
}
