//! Decides each step of a refresh, a login and a logout, as pure flows: given what the last step met, what to do next.
//!
//! Separate from [`perform`](super::perform), which carries the steps out, so that a model checker (`tests/model/`) can
//! run the same code through every interleaving, crash and lost answer of a small world. `P` identifies a pair of
//! tokens: a digest in the program, a number in the model.
//!
//! Rules: no imports, no clock, no I/O; only what was read under the lock is posted; nothing is posted before the
//! intent is on disk; granted tokens are swapped in, saved in a recovery file, or reported as lost, never dropped
//! silently; only a login and a logout remove tokens.

mod conclusion;
mod exchange;
mod flow;
mod step;
mod transitions;

pub(crate) use conclusion::{Conclusion, LoginReason, Obstacle, Outcome};
pub(crate) use flow::{Flow, Goal};
pub(crate) use step::{
    Access, Acted, Candidate, ClientId, Do, Intent, Pause, Row, Saw, Swap, WaitLimit, swap,
};
