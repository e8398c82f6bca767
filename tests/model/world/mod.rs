//! The world around the flows: programs, databases, a server, and what can go wrong.
//!
//! Time is order only. What takes how long is encoded as who may outlast whom: a pause after a lost answer ends within
//! the grace, one of 30 s does not; waiters give up where the holder of the lock is slow, frozen or waits for its
//! database; a neighbour stores what it was granted before we reject its pair, unless it is slow or frozen.

pub(crate) mod config;
pub(crate) mod faults;
mod neighbours;
mod ours;
pub(crate) mod pair;
mod perform;
pub(crate) mod process;
mod server;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod store;
