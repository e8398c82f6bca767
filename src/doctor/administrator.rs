//! The administrator's file: what it binds for every user, and the lines that cannot be used.
//!
//! Separate from the database, which has what the user bound. What is wrong here is for the administrator to fix, so it
//! is a warning and comes without a command.

use super::check::Check;
use super::snapshot::Snapshot;
use crate::policy::administrators;
use crate::rollout::{ADMINISTRATORS_FILE, RollOut};
use crate::store::Client;
use crate::world::{AdministratorsFile, World};

const NAME: &str = "administrator";

/// Adds the administrator's bindings to the user's.
pub(super) fn administrator(world: &World, snapshot: &mut Snapshot) -> Vec<Check> {
    match world.administrators_file() {
        AdministratorsFile::Absent => return Vec::new(),
        AdministratorsFile::Refused(why) => {
            let what = format!("{ADMINISTRATORS_FILE} is not used: {why}");
            return vec![Check::notice(NAME, what)];
        }
        AdministratorsFile::Text(_) => {}
    }
    let faults = RollOut::of(world).faults.into_iter();
    let mut checks: Vec<Check> = faults
        .map(|(number, why)| {
            let what = format!("line {number} of {ADMINISTRATORS_FILE} is not used: {why}");
            Check::notice(NAME, what)
        })
        .collect();
    let mut bound = Vec::new();
    for binding in administrators(world) {
        let of_user = snapshot.git.iter().chain(&snapshot.docker);
        if of_user.clone().any(|known| known.server == binding.server) {
            continue;
        }
        bound.push(format!("{} to {}", binding.server, binding.origin));
        snapshot.by_administrator.push(binding.server.clone());
        let is_gits = binding.server.starts_with(&Client::Git.server(""));
        match is_gits {
            true => snapshot.git.push(binding),
            false => snapshot.docker.push(binding),
        }
    }
    let what = match bound.is_empty() {
        true => format!("{ADMINISTRATORS_FILE} binds no host that you have not bound yourself"),
        false => format!("{ADMINISTRATORS_FILE} binds {}", bound.join(", ")),
    };
    checks.push(Check::ok(NAME, what));
    checks
}
